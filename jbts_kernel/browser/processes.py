"""Processes this project started, named so that no other can be taken for one of them.

A process id is used again sooner or later, so a process is known by its id and the time it was born;
and what began before anybody could write that down is known by the scratch folder in its environment.
Nothing else is ever ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

BORN_SLACK = 2.0
"""Seconds two readings of a birth may differ: the system derives it from a clock that is corrected."""
SCRATCH = "jbts-browser-"
LAST_WAIT = 5.0
LOOK_AGAIN = 0.01


@dataclass(frozen=True, slots=True)
class Process:
    """A process, now or in the past. ``born`` is seconds since the epoch."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this id now, if there is one."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def found(self) -> psutil.Process | None:
        """The running process, or None where it ended, even if its id lives on in another."""
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.born) <= BORN_SLACK and _runs(process) else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        return self.found() is not None


def only_child(pid: int) -> Process | None:
    """The browser a driver started: its one child."""
    try:
        children = psutil.Process(pid).children()
    except psutil.Error:
        return None
    return Process.of(children[0].pid) if children else None


def end(known: Iterable[Process | None], patience: float = 0.0) -> None:
    """End these processes and all they started. ``patience`` is how many seconds they may take to end
    by themselves. A stopped process is ended as well."""
    running = [process for one in known if one is not None and (process := one.found()) is not None]
    if not running:
        return
    families = {child.pid: child for process in running for child in _family(process)}
    if not _gone(families.values(), patience):
        for process in families.values():
            with contextlib.suppress(psutil.Error):
                process.kill()
        _gone(families.values(), LAST_WAIT)


def kill(one: Process | None) -> None:
    """End this process and nothing it started."""
    process = one.found() if one is not None else None
    if process is not None:
        with contextlib.suppress(psutil.Error):
            process.kill()
        _gone((process,), LAST_WAIT)


def ended(one: Process | None, seconds: float) -> bool:
    """Whether this process has ended, or does within so many seconds; of none at all it is not known."""
    process = one.found() if one is not None else None
    return one is not None and (process is None or _gone((process,), seconds))


def _gone(processes: Iterable[psutil.Process], seconds: float) -> bool:
    """Wait until all have ended; whether they did. One that its parent has not looked at yet has ended,
    although its id is still taken: whoever inherits the processes of a dead parent may be slow."""
    until = time.monotonic() + seconds
    left = list(processes)
    while left := [process for process in left if _runs(process)]:
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_AGAIN)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def make_scratch() -> str:
    """A folder for one browser's temporary files, so that all of them can be taken away. Its name is
    short, because the browser keeps a socket in it and the path of a socket must be."""
    return tempfile.mkdtemp(prefix=SCRATCH)


def drop_scratch(folder: str) -> None:
    """Take a scratch folder away. What is not one, whatever a file says, is left alone."""
    path = Path(folder)
    ours = path.name.startswith(SCRATCH) and path.parent == Path(tempfile.gettempdir()) and not path.is_symlink()
    if ours:
        shutil.rmtree(path, ignore_errors=True)  # a browser that is ending may take files away itself


def end_all_in(folder: str) -> None:
    """End every process that was given this scratch folder. Slow, as it looks at all of them."""
    if not Path(folder).name.startswith(SCRATCH):
        return
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == folder:
                found.append(process)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone(found, LAST_WAIT)
