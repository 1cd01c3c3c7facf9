"""One notebook through one kernel, so that it always ends and every cell is accounted for.

nbclient runs a cell; what is added here is what a suite needs. A cell that takes too long is interrupted,
and if that does not end it the kernel is killed. Teardown cells run after a failure, a timeout and Ctrl-C,
as long as there is a kernel to run them in. The kernel's reply decides, not the outputs: IPython answers a
usage error or ``sys.exit(0)`` with a reply that says "error" and no output a runner would look for.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from .interruption import Interruption
from .kernel import ABORTED_AGAIN, IOPUB_TIMEOUT, Conduct, KernelRun
from .memory import oom_kills
from .verdict import INCOMPLETE, LEFT_OUT, is_code, written


def conduct_notebook(progress: Any, kernel_name: str, conduct: Conduct, **options: Any) -> None:
    """Run the notebook of ``progress`` (papermill's NotebookExecutionManager), in place.

    Without ``conduct.interruption`` Ctrl-C winds the notebook up and then raises KeyboardInterrupt.

    Raises:
        KernelNotStarted: there is no such kernel, or it did not come up.
    """
    interruption = conduct.interruption or Interruption()
    client = SuiteClient(progress, kernel_name, replace(conduct, interruption=interruption), options)
    with contextlib.nullcontext() if conduct.interruption else interruption.on_signals():
        _run(client.perform())
    if conduct.interruption is None and interruption.level:
        raise KeyboardInterrupt


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end, in a loop of its own; in a thread of its own where this one already has a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    raised: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            raised.append(error)

    thread = threading.Thread(target=work, name="jbts-notebook")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


class SuiteClient(KernelRun):
    """One notebook's way through one kernel."""

    def __init__(self, progress: Any, kernel_name: str, conduct: Conduct, options: Mapping[str, Any]) -> None:
        super().__init__(progress, kernel_name, conduct, options)
        self.on_cell_executed = self._replied
        self._reply: Mapping[str, Any] = {}

    async def cells(self) -> str:
        """Run the cells; how it ended: completed, failed, timeout, died, exit or interrupted."""
        cells = list(self.nb.cells)
        deadline = None if self.conduct.timeout is None else time.monotonic() + self.conduct.timeout
        ended, why = "completed", ""
        for index, cell in enumerate(cells):
            if not is_code(cell):
                continue
            tags = set(cell.metadata.get("tags", []))
            teardown = "teardown" in tags
            if left_out := sorted(tags & LEFT_OUT):
                _note(cell, "skipped", message=f"left out: tagged {left_out[0]}")
                continue
            if ended == "completed" and not teardown:
                if self._winding.is_set():
                    ended, why = "interrupted", "interrupted before it began"
                elif deadline is not None and time.monotonic() >= deadline:
                    ended, why = (
                        "timeout",
                        f"the notebook had taken its {self.conduct.timeout:g} s before this cell began",
                    )
            if self.gone or (ended != "completed" and not teardown):
                _note(cell, "not_run", message=self.gone or why)
                continue
            if self.conduct.cell_started is not None:
                self.conduct.cell_started(index, len(cells))
            status = await self._cell(cell, index, self._limit(teardown, deadline), teardown)
            if status != "ok" and ended == "completed":
                ended = {"error": "failed"}.get(status, status)
                why = f"not run, because cell {self._number(index)} did not complete"
        return ended

    def _number(self, index: int) -> int:
        """What the person who wrote the notebook calls the cell at ``index``: from 1."""
        return written(self.nb.cells, index) + 1

    def _limit(self, teardown: bool, deadline: float | None) -> float | None:
        if teardown:
            return self.conduct.teardown_timeout
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        return min((s for s in (self.conduct.cell_timeout, left) if s is not None), default=None)

    async def _cell(self, cell: NotebookNode, index: int, limit: float | None, teardown: bool) -> str:
        """Run one cell; its status, "ok" too for one that was expected to raise and did."""
        self.nb_man.cell_start(cell, index)
        began = time.perf_counter()
        cause = await self._attend(cell, index, limit, teardown)
        status, message = self._outcome(cause, cell, index, limit)
        _note(cell, status, (time.perf_counter() - began) * 1000, message)
        expected = status == "error" and "raises-exception" in cell.metadata.get("tags", [])
        if status not in ("ok", "exit") and not expected:
            self._show_error(cell, status, message)
            self.nb_man.cell_exception(cell, cell_index=index)
        if self.conduct.pictures is not None:
            self.conduct.pictures.ahead(cell)
        self.nb_man.cell_complete(cell, cell_index=index)
        return "ok" if expected else status

    async def _attend(self, cell: NotebookNode, index: int, limit: float | None, teardown: bool) -> str:
        """Run a cell to its end, by force if need be: "" where it ended by itself, else "timeout",
        "interrupted" or "died"."""
        self.kc.cell_id = cell.get("id")
        work = asyncio.ensure_future(self._execute(cell, index))
        stop = self._ending if teardown else self._winding
        if await self._wait(work, stop, limit):
            cause = ""
        else:
            cause = "interrupted" if stop.is_set() else "timeout"
            if not self._ending.is_set():
                await self.km.interrupt_kernel()
            if self._ending.is_set() or not await self._wait(work, self._ending, self.conduct.grace):
                await self._kill()
                self.gone = f"not run, because the kernel had to be killed in cell {self._number(index)}"
        try:
            await work
        except DeadKernelError:
            self.gone = self.gone or f"not run, because the kernel died in cell {self._number(index)}"
            return cause or "died"
        return cause

    async def _execute(self, cell: NotebookNode, index: int) -> None:
        for _ in range(ABORTED_AGAIN):
            self._reply = {}
            try:
                await self.async_execute_cell(cell, index)
            except CellExecutionError:
                pass  # the reply says so too
            except CellTimeoutError:
                message = f"outputs of the cell did not arrive within {IOPUB_TIMEOUT} s of its end"
                self._reply = {"status": "error", "ename": "OutputLost", "evalue": message}
            # After an error the kernel turns away, for a moment, what is sent to it; nothing ran then.
            if self._reply.get("status") != "aborted":
                return

    def _replied(self, cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        self._reply = execute_reply["content"]

    def _outcome(self, cause: str, cell: NotebookNode, index: int, limit: float | None) -> tuple[str, str]:
        """A cell's status and, where that is none an exception explains, one line about it. Magics that run code of
        their own (``%%capture``, ``%run``) show an error and reply that all is well."""
        number = self._number(index)
        if cause == "timeout":
            end = "the kernel was killed, because interrupting it did not help" if self.gone else "it was interrupted"
            return cause, f"cell {number} was still running after {limit or 0:.3g} s; {end}"
        if cause == "interrupted":
            return cause, f"interrupted in cell {number}"
        if cause == "died":
            return cause, f"the kernel died in cell {number}{self._exit_status()}"
        status = str(self._reply.get("status", "no reply"))
        if status == "ok" and any(p.get("source") == "ask_exit" for p in self._reply.get("payload") or ()):
            self.gone = f"not run, because exit() in cell {number} ended the kernel"
            return "exit", f"exit() in cell {number} ended the kernel"
        if status == "ok" and any(output.output_type == "error" for output in cell.outputs):
            return "error", ""
        if status in ("ok", "error"):
            return status, ""
        return "error", f"cell {number} did not run: the kernel answered {status!r}"

    def _exit_status(self) -> str:
        code = self.process.poll() if self.process is not None else None
        if code is None:
            return ""
        with contextlib.suppress(ValueError):
            if code < 0:
                short = code == -signal.SIGKILL and oom_kills() > self.oom_kills
                return f" ({signal.Signals(-code).name})" + ": the system had run out of memory" * short
        return f" (exit status {code})"

    def _show_error(self, cell: NotebookNode, status: str, message: str) -> None:
        """See to it that a cell that did not complete has an error output, which is all papermill looks
        for."""
        errors = [i for i, o in enumerate(cell.outputs) if o.output_type == "error"]
        reply = self._reply
        if status == "error" and not message:
            if not errors:
                name, value = str(reply.get("ename", "Error")), str(reply.get("evalue", ""))
                cell.outputs.append(
                    new_output("error", ename=name, evalue=value, traceback=reply.get("traceback") or [])
                )
                return
            first = cell.outputs[errors[0]]
            if first.ename != "SystemExit" or first.evalue not in ("", "0"):
                return
            message = f"sys.exit({first.evalue}) ended the notebook"
        name = {"timeout": "CellTimeout", "died": "DeadKernelError", "interrupted": "KeyboardInterrupt"}.get(
            status, INCOMPLETE
        )
        shown = new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
        cell.outputs.insert(errors[0] if errors and status != "error" else len(cell.outputs), shown)


def _note(cell: NotebookNode, status: str, duration_ms: float = 0.0, message: str = "") -> None:
    """Leave in the notebook how a cell went."""
    about: dict[str, Any] = {"status": status, "duration_ms": round(duration_ms, 1)}
    if message:
        about["message"] = message
    cell.metadata["jbts"] = about
