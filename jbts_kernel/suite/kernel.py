"""One kernel, from its start to its end, for one notebook.

Starting and ending are where kernels differ from what one hopes: a kernel that does not exist or does not
come up has to be told apart from a failed test, one that will not end has to be ended, and Ctrl-C can come
at any moment of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import queue
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.log import logger

from ..errors import JBTSError
from .forking import ForkFailed, ForkServer
from .interruption import Interruption
from .memory import oom_kills
from .provisioning import ForkKernelManager, ended
from .small_pictures import SmallPictures
from .turns import NotBegun, Turns

SHUTDOWN_TIMEOUT = 20.0
"""Seconds a kernel has to end by itself: it closes its browsers and its part of the log."""

IOPUB_TIMEOUT = 30
"""Seconds the last outputs of a cell may arrive after its reply."""

ABORTED_AGAIN = 100
"""How often something is sent again that the kernel turned away: after an error it does so, for a moment,
with everything that is in its queue. Nothing ran then."""


class KernelNotStarted(JBTSError):
    """There is no such kernel, or it did not come up."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a notebook is to be run. Times are seconds, None is no limit.

    ``env`` is the kernel's whole environment and ``folder`` its working folder (ours where left out),
    ``cell_timeout`` bounds each cell and ``timeout`` all cells but the teardown ones, which have
    ``teardown_timeout`` each. ``grace`` is how long an interrupted cell may take to end. ``started`` is
    told the kernel's process id, ``cell_started`` the position of a cell and the number of cells.
    ``kernel_log`` gets what the kernel process itself prints. ``server`` is where kernels are forked, ``turns``
    what the first cell waits for when the kernel is ready, and ``began`` is told when it has its turn. ``pictures``
    puts in those that cards name.
    """

    env: Mapping[str, str] | None = None
    folder: Path | None = None
    cell_timeout: float | None = None
    timeout: float | None = None
    start_timeout: float = 60.0
    teardown_timeout: float = 60.0
    grace: float = 5.0
    interruption: Interruption | None = None
    started: Callable[[int], None] | None = None
    cell_started: Callable[[int, int], None] | None = None
    kernel_log: Path | None = None
    server: ForkServer | None = None
    turns: Turns | None = None
    began: Callable[[], None] | None = None
    pictures: SmallPictures | None = None


class CellClient(AsyncKernelClient):
    """Says which cell it asks the kernel to run, as JupyterLab does and nbclient does not."""

    cell_id: str | None = None
    about: Mapping[str, Any] = MappingProxyType({})

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Open the channels, but no heartbeat: whether the process runs is known from the process."""
        super().start_channels(hb=False)

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
    ) -> str:
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": user_expressions or {},
            "allow_stdin": bool(allow_stdin),
            "stop_on_error": stop_on_error,
        }
        message = self.session.msg("execute_request", content, metadata={"cellId": self.cell_id})
        self.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - overrides
        """Return when the kernel answers and its outputs arrive; ``about`` is what it said of itself.

        What jupyter_client does here ends with 0.2 s of listening for whatever else may come. A kernel says that
        it is idle after everything a request made it say, so hearing that about the last request is enough.

        Raises:
            RuntimeError: it died, or did not answer in time.
        """
        deadline = time.monotonic() + (timeout or math.inf)
        while True:
            asked = self.kernel_info()
            if await self._heard(asked):
                return
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    wait_for_ready = _async_wait_for_ready

    async def _heard(self, asked: str) -> bool:
        """Whether the reply to a request and the end of it were heard within a second."""
        about: dict[str, Any] | None = None
        idle = False
        with contextlib.suppress(queue.Empty):
            while about is None:
                reply = await self.shell_channel.get_msg(timeout=1)
                if reply["msg_type"] == "kernel_info_reply":
                    about = reply["content"]
                    asked = reply["parent_header"]["msg_id"]  # an earlier one, where the kernel took its time
            while not idle:
                said = await self.iopub_channel.get_msg(timeout=0.2)  # nothing, where it is not connected yet
                about_us = said["parent_header"].get("msg_id") == asked
                idle = about_us and said["content"].get("execution_state") == "idle"
        self.about = about or {}
        return idle


class KernelRun(PapermillNotebookClient):  # type: ignore[misc]
    """A notebook's kernel. A subclass says in :meth:`cells` what happens in between."""

    km: Any
    kc: Any

    def __init__(self, progress: Any, kernel_name: str, conduct: Conduct, options: Mapping[str, Any]) -> None:
        super().__init__(
            progress,
            kernel_name=kernel_name,
            startup_timeout=max(1, round(conduct.start_timeout)),
            iopub_timeout=IOPUB_TIMEOUT,
            kernel_manager_class=ForkKernelManager,
            log=logger,
            **options,
        )
        self.conduct = conduct
        self.process: Any = None
        self.oom_kills = oom_kills()
        self._winding = asyncio.Event()
        self._ending = asyncio.Event()
        self._ipython = False
        self.gone = ""
        """Why there is no kernel any more."""

    async def perform(self) -> None:
        """Start the kernel, run the cells, end the kernel."""
        loop = asyncio.get_running_loop()
        self.reset_execution_trackers()

        def asked() -> None:
            # Asked while this loop was closing: there is nothing left to interrupt.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._asked)

        interruption = self.conduct.interruption
        assert interruption is not None
        with interruption.watched(asked), self._kernel_output() as output, _sockets() as place:
            try:
                await self._start(output, place)
                async with self._turn():
                    self.nb.metadata["jbts"] = {**self.nb.metadata.get("jbts", {}), "ended": await self.cells()}
                self.set_widgets_metadata()
            finally:
                await self._end()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """This notebook's turn, where there are turns. Raises :class:`NotBegun` if it will not come."""
        conduct = self.conduct
        if conduct.turns is None:
            yield
            return
        granted = asyncio.Event()
        loop = asyncio.get_running_loop()

        def grant() -> None:
            with contextlib.suppress(RuntimeError):  # this loop was closing: nobody waits any more
                loop.call_soon_threadsafe(granted.set)

        with conduct.turns.ask(grant):
            # A turn can be given because the run is winding up: whoever had it has just ended.
            if (
                not await self._wait(asyncio.ensure_future(granted.wait()), self._winding, None)
                or self._winding.is_set()
            ):
                raise NotBegun("the run ended before it began")
            if conduct.began is not None:
                conduct.began()
            yield

    async def cells(self) -> str:
        """Run the notebook's cells; how that ended, in a word."""
        raise NotImplementedError

    def _asked(self) -> None:
        assert self.conduct.interruption is not None
        self._winding.set()
        if self.conduct.interruption.level > 1:
            self._ending.set()

    @contextlib.contextmanager
    def _kernel_output(self) -> Iterator[IO[bytes] | None]:
        """Where the kernel process prints to; an empty file is taken away again."""
        path = self.conduct.kernel_log
        if path is None:
            yield None
            return
        try:
            with path.open("wb") as file:
                yield file
        finally:
            if path.stat().st_size == 0:
                path.unlink()

    async def _start(self, output: IO[bytes] | None, place: str | None) -> None:
        conduct = self.conduct
        about: dict[str, Any] = {} if output is None else {"stdout": output, "stderr": subprocess.STDOUT}
        if conduct.env is not None:
            about["env"] = dict(conduct.env)
        if conduct.folder is not None:
            about["cwd"] = str(conduct.folder)
        manager = self.create_kernel_manager()
        manager.client_factory = CellClient
        manager.server = conduct.server
        manager.shutdown_wait_time = SHUTDOWN_TIMEOUT
        if place is not None:
            manager.transport, manager.ip = "ipc", place
        try:
            await self.async_start_new_kernel(**about)
            self.process = getattr(manager.provisioner, "process", None)
            if self.process is not None and conduct.started is not None:
                conduct.started(self.process.pid)
            if not await self._until(self.async_start_new_kernel_client(), self._ending):
                raise KernelNotStarted("interrupted before the kernel was ready")
        except NoSuchKernel:
            known = ", ".join(sorted(manager.kernel_spec_manager.find_kernel_specs())) or "none"
            raise KernelNotStarted(
                f"there is no kernel {self.kernel_name!r} here (there is: {known});"
                " install it, or choose another in Jupyter"
            ) from None
        except (RuntimeError, OSError, ForkFailed) as problem:
            raise KernelNotStarted(
                f"the kernel {self.kernel_name!r} did not start: {self._last_words(str(problem))}"
            ) from None
        content = self.kc.about
        self._ipython = content.get("implementation") == "ipython"
        if "language_info" in content:
            self.nb.metadata["language_info"] = content["language_info"]

    def _last_words(self, problem: str) -> str:
        """The last line the kernel process printed, which says more than that it did not answer."""
        path = self.conduct.kernel_log
        lines = path.read_text("utf-8", "replace").split("\n") if path is not None and path.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), problem)[:300]

    async def _end(self) -> None:
        """End the kernel: let it close what it opened, unless there is no time for that."""
        if self.km is None:
            return
        if self._ending.is_set():
            await self._kill()
        try:
            if await self.km.is_alive():
                await self._until(self._ask_to_end(), self._ending)
                with contextlib.suppress(TimeoutError):
                    await self._until(asyncio.wait_for(ended(self.process), SHUTDOWN_TIMEOUT / 2), self._ending)
                await self._until(self.km.finish_shutdown(), self._ending)
        finally:
            if self.kc is not None:
                self.kc.stop_channels()
            await self.km.cleanup_resources()
            self.kc = self.km = None

    async def _ask_to_end(self) -> None:
        """Ask the kernel to end, so that it still closes what it opened.

        IPython's kernel is asked as ``exit`` in a cell would: of those asked with a shutdown request one in
        fifteen stood still for 10 s (ipykernel 7.4: its control thread flushes through a thread that has
        just been stopped).
        """
        status = ""
        for _ in range(ABORTED_AGAIN if self._ipython and self.kc is not None else 0):
            asked = self.kc.execute("get_ipython().ask_exit()", silent=True)
            try:
                reply = await asyncio.wait_for(self.async_wait_for_reply(asked), 5)
            except (TimeoutError, DeadKernelError):
                break
            status = reply["content"]["status"] if reply is not None else ""
            if status != "aborted":
                break
        if status != "ok":
            await self.km.request_shutdown()

    # ---- waiting --------------------------------------------------------------------------------
    async def _wait(self, work: asyncio.Future[Any], stop: asyncio.Event, seconds: float | None) -> bool:
        """Whether ``work`` was done before somebody asked to stop or the time was up."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            both: set[asyncio.Future[Any]] = {work, stopped}
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        return work.done()

    async def _until(self, coroutine: Coroutine[Any, Any, Any], stop: asyncio.Event) -> bool:
        """Run ``coroutine``; the kernel is killed under it when ``stop`` is set. Whether it was not."""
        work = asyncio.ensure_future(coroutine)
        done = await self._wait(work, stop, None)
        if not done:
            await self._kill()
            with contextlib.suppress(RuntimeError):
                await work
            return False
        work.result()
        return True

    async def _kill(self) -> None:
        """Kill the kernel and what it started in its own session."""
        provisioner = getattr(self.km, "provisioner", None)
        if provisioner is not None:
            with contextlib.suppress(ProcessLookupError):
                await provisioner.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)


@contextlib.contextmanager
def _sockets() -> Iterator[str | None]:
    """Where a kernel's sockets go: files of ours rather than TCP ports, which two kernels that start at
    once can both choose. The folder's name is short because a socket's path must be. None where there are
    no such files."""
    if os.name != "posix":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="jbts-", ignore_cleanup_errors=True) as folder:
        yield str(Path(folder) / "k")
