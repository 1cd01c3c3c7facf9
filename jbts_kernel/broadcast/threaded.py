"""The hub on a thread of a process that does other things too.

For places where no second process can be started. It shares the interpreter with everything else there,
so it is slower than the hub of its own; everything else is the same, the election too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import replace
from pathlib import Path

from ..errors import HubProblem
from .company import company
from .discovery import HubInfo, Seat
from .server import Hub, Options


class HubThread:
    """A hub on a thread of this process, with a loop of its own."""

    def __init__(self, home: Path, options: Options, seat: Seat, metrics: bool) -> None:
        self._home = home
        self._options = options
        self._seat = seat
        self._metrics = metrics
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._info: HubInfo | None = None
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="jbts-hub", daemon=True)

    @classmethod
    def start(
        cls, home: Path, options: Options | None = None, timeout: float = 10, *, metrics: bool = True
    ) -> HubThread | None:
        """Start a hub and wait until clients can connect; None when another one has the seat.

        Raises HubProblem when it cannot start."""
        seat = Seat.take(home, inside=True)
        if seat is None:
            return None
        made = cls(home, replace(options or Options(), idle_s=None), seat, metrics)
        made._thread.start()
        made._ready.wait(timeout)
        if made._info is None:
            problem = made._problem
            made.stop()
            raise HubProblem(f"the broadcast hub did not start: {problem or 'it took too long'}") from problem
        return made

    def stop(self, timeout: float = 5) -> None:
        """Close all connections (1001) and wait for the thread. Idempotent."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it closed between the question and the call
                loop.call_soon_threadsafe(stop.set)
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (HubProblem, OSError, ExceptionGroup) as problem:  # told by the thread that waits in start
            self._problem = problem
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        quiet = logging.getLogger("jbts.hub.thread")
        quiet.propagate = False  # a notebook is no place for a server's log
        quiet.addHandler(logging.NullHandler())
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        observers, routes = company(self._home, quiet, metrics=self._metrics)
        hub = Hub(self._home, self._options, routes=routes, observers=observers, logger=quiet)
        await hub.run(self._seat, self._stop, self._announced)

    def _announced(self, info: HubInfo) -> None:
        self._info = info
        self._ready.set()
