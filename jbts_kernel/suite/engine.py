"""The papermill engine ``jbts``: ``papermill --engine jbts in.ipynb out.ipynb``.

Papermill loads every registered engine while it is itself being imported, so this module imports nothing
and the engine is no subclass of papermill's: either would make importing it slow, or a circle. The work is in
:mod:`.client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from .kernel import Conduct

NAME = "jbts"


class JBTSEngine:
    """Runs a notebook's cells and leaves in the notebook how each of them went.

    ``cell.metadata.jbts`` becomes ``{"status": ..., "duration_ms": ...}`` (see :mod:`.verdict` for the
    statuses). Cells tagged ``skip-ci`` are left out; cells tagged ``teardown`` run whatever happened
    before. A cell that did not complete has an error output, so that papermill raises.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        conduct: Conduct | None = None,
        **options: Any,
    ) -> NotebookNode:
        """What papermill calls. ``conduct`` is how :func:`.runner.run` wants it done; papermill's own
        ``start_timeout`` and ``execution_timeout`` (seconds, for each cell) are honoured without it.

        Raises:
            KernelNotStarted: there is no such kernel, or it did not come up.
        """
        from .client import conduct_notebook
        from .kernel import Conduct

        if conduct is None:
            seconds = options.get("execution_timeout")
            conduct = Conduct(
                cell_timeout=float(seconds) if seconds else None,
                start_timeout=float(options.get("start_timeout") or 60),
            )
        from .saving import SparingManager

        progress = SparingManager(
            nb,
            output_path=output_path,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        progress.pictures = conduct.pictures
        progress.notebook_start()
        try:
            conduct_notebook(progress, kernel_name, conduct, log_output=log_output, **_streams(options))
        finally:
            progress.cleanup_pbar()
            progress.notebook_complete()
        executed: NotebookNode = progress.nb
        return executed

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """The kernel to use. Raises ValueError when the notebook names none."""
        found = name or nb.metadata.get("kernelspec", {}).get("name")
        if not found:
            raise ValueError("the notebook names no kernel: open it in Jupyter, choose one and save")
        return str(found)

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """The language parameters are written in: the notebook's, and Python where it names none."""
        metadata = nb.metadata
        named = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
        return str(language or named or "python")


def _streams(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("stdout_file", "stderr_file") if options.get(name) is not None}
