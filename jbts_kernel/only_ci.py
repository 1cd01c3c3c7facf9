"""Cells tagged ``only-ci`` are left out where a person runs them, as ``skip-ci`` cells are in a suite.

A kernel is told a cell's tags with the request to run it, by JupyterLab and Notebook 7. A front end that does not tell
them has every cell run; papermill and nbclient do not, and there it is right.
"""

from __future__ import annotations

from typing import Any

from .origin import interactive

TAG = "only-ci"
SAID = f"left out: tagged {TAG}, so suites run it and people do not; take the tag away to run it here"


class OnlyCI:
    """Leaves such cells out of one shell, between :meth:`load` and :meth:`unload`."""

    def __init__(self, shell: Any, environ: Any) -> None:
        self._shell = shell
        self._attended = interactive(environ)

    def load(self) -> None:
        if self._attended and hasattr(self._shell, "kernel"):
            self._shell.input_transformers_cleanup.append(self._transform)

    def unload(self) -> None:
        if self._transform in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._transform)

    def leaves_out(self) -> bool:
        """Whether the cell that is run now is such a one."""
        if self._transform not in self._shell.input_transformers_cleanup:
            return False
        request = self._shell.kernel.get_parent("shell") or {}
        asked = (request.get("header") or {}).get("msg_type") == "execute_request"
        return asked and TAG in ((request.get("metadata") or {}).get("tags") or ())

    def _transform(self, lines: list[str]) -> list[str]:
        return [] if self.leaves_out() else lines
