"""What a worker of a cluster keeps of a run between its notebooks: the warm process kernels are forked from, browsers
to borrow, and whether the run was asked to end.

A run that ended says so, and everything of it is closed. Where its machine vanished, it is closed when the next run
begins here, and in any case with the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from .interruption import Interruption
from .warmth import COLD, Warmth, warm

REMEMBERED = 32
"""How many runs' ends are remembered: a notebook of one of them may still arrive."""


class Residence:
    """One run on this worker. ``guests`` is how many notebooks of it are here now."""

    def __init__(self) -> None:
        self.interruption = Interruption()
        self.guests = 0
        self.over = False
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._warmth: Warmth | None = None

    def warmth(self, folder: str, environ: Mapping[str, str], workers: int) -> Warmth:
        """What is warm for this run; the first who asks begins to warm up."""
        with self._lock:
            if self._warmth is None:
                self._warmth = self._warm_up(folder, environ, workers)
            return self._warmth

    def _warm_up(self, folder: str, environ: Mapping[str, str], workers: int) -> Warmth:
        if environ.get("JBTS_WARM") == "0":
            return COLD
        place = tempfile.TemporaryDirectory(prefix="jbts-", dir=folder, ignore_cleanup_errors=True)
        home = Path(self._stack.enter_context(place))
        return self._stack.enter_context(warm(home, environ, (), workers, home / "forkserver.log"))

    def close(self) -> None:
        """End what is warm. Can be called twice, and used again after."""
        with self._lock:
            self._warmth = None
            self._stack.close()


_residences: dict[str, Residence] = {}
_lock = threading.Lock()


def _of(run_id: str) -> Residence:
    """A run's residence. With the lock held."""
    over = [name for name, one in _residences.items() if one.over and not one.guests and name != run_id]
    for old in over[:-REMEMBERED]:
        del _residences[old]
    return _residences.setdefault(run_id, Residence())


@contextlib.contextmanager
def residence(run_id: str) -> Iterator[Residence]:
    """This run's residence, for one notebook. What is warm for other runs that have none here is closed."""
    with _lock:
        here = _of(run_id)
        here.guests += 1
        here.over = here.interruption.level > 0
        idle = [one for one in _residences.values() if not one.guests and not one.over]
        for one in idle:
            one.over = True
    for one in idle:
        one.close()
    try:
        yield here
    finally:
        with _lock:
            here.guests -= 1
            empty = here.over and not here.guests
        if empty:
            here.close()


async def interrupt(run_id: str, level: int) -> None:
    """The run was asked to end: its notebooks here wind up, and one that is still to come does not begin."""
    with _lock:
        here = _of(run_id)
    here.interruption.reach(level)


async def leave(run_id: str) -> None:
    """The run is over."""
    with _lock:
        here = _of(run_id)
        here.over = True
        empty = not here.guests
    here.interruption.reach(1)
    if empty:
        await asyncio.to_thread(here.close)
