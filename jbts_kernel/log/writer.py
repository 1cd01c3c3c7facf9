"""The writer of the log: one append for each emission, on the thread that runs the step.

There is no queue and no thread of its own: measured, an append of a few lines takes microseconds, while
a second thread of a busy kernel waits milliseconds for the interpreter lock and would lose what it holds
when the process is killed. Once ``emit`` returned True the lines are the system's: ``kill -9`` of this
process does not lose them (a power cut may, unless ``durable``).

Nothing here may delay or fail a step. ``emit`` never raises and never waits for another process: what
cannot be written (disk full, folder not writable) is counted, and :attr:`Log.last_error` says why.

``durable`` waits for the disk after each emission (``fdatasync``: the data and the size, not the times),
which costs what the disk takes, commonly milliseconds. Without it a power cut may take what was written in the
last seconds; the killing of a process takes nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from ..models import Event
from . import segment
from .envelope import encode


class Log:
    """This process's part of a project's log.

    ``root`` is the project's data folder. A segment ends after ``max_bytes`` or, at the next emission,
    after ``max_age_s`` seconds; ``durable`` makes every emission wait for the disk. The first segment is
    begun by the first emission. Safe to use from several threads, and in a forked child, which gets a
    segment and a ``source`` of its own.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int = 4 << 20,
        max_age_s: float = 300,
        durable: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = Path(root).absolute()
        self.dropped = 0
        """Events that could not be written."""
        self.last_error: str | None = None
        """Why the last event that was dropped was dropped."""
        self._max_bytes = max_bytes
        self._max_age = max_age_s
        self._durable = durable
        self._clock = clock
        self._closed = False
        self._lock = threading.RLock()
        self._source = ""
        self._current: _Segment | None = None
        self._seq = self._number = self._newest = 0
        self._begin_source()
        _logs.add(self)

    @property
    def source(self) -> str:
        """The name of this writer in its lines: host, process id, 8 hexadecimal digits."""
        return self._source

    @property
    def segment(self) -> Path | None:
        """The file that is written now; None before the first emission and after ``close``."""
        return self._current.path if self._current else None

    def emit(self, *events: Event) -> bool:
        """Append ``events`` in one write; True when all are written.

        Never raises. False means that some or all were dropped: ``dropped`` counts them and
        ``last_error`` says why. Their numbers (``seq``) stay unused, so a reader can see the hole.
        """
        if not events:
            return True
        with self._lock:
            if self._closed:
                return self._drop(len(events), "the log is closed")
            # Taken before the write: an interrupt in between leaves a hole, never a number used twice.
            first = self._seq + 1
            self._seq += len(events)
            lines = b"".join([encode(event, self._source, first + i) for i, event in enumerate(events)])
            try:
                if self._current is None or not self._current.is_ours():
                    self._current = self._begin_segment()
            except OSError as problem:
                return self._drop(len(events), str(problem))
            current = self._current
            if problem_text := current.append(lines, self._durable):
                return self._drop(len(events) - current.completed, problem_text)
            age = self._clock() - current.born
            if current.size >= self._max_bytes or not 0 <= age <= self._max_age:
                self._rotate(current)
            return True

    def close(self) -> None:
        """End the log well: the segment gets its last line and is sealed. Idempotent, never raises."""
        with self._lock:
            current, self._current = self._current, None
            self._closed = True
            if current is not None:
                self._end(current, segment.CLOSED)

    # What follows is called with the lock held. It is reentrant because a signal handler or a finalizer
    # may emit while the same thread is inside.

    def _begin_source(self) -> None:
        self._lock = threading.RLock()
        self._source = segment.new_source(secrets.token_hex(4))
        self._current = None
        self._seq = self._number = self._newest = 0

    def _after_fork(self) -> None:
        """In the child: closing its copy does not drop the parent's lock; numbers begin anew."""
        if self._current is not None:
            self._current.let_go()
        self._begin_source()
        self.dropped = 0

    def _begin_segment(self) -> _Segment:
        spool = segment.make_spool(self.root)
        if not self._newest:
            # Readers take segments in the order of their names: a clock that was set back must not
            # put this one before those already read.
            existing = segment.names(spool, parts=True)
            self._newest = segment.born_ns(existing[-1]) if existing else 0
        now = self._clock()
        self._newest = max(int(now * 1e9), self._newest + 1)
        name = segment.segment_name(self._newest, self._source, self._number + 1)
        begun = _Segment(spool / name, now)
        self._number += 1
        return begun

    def _rotate(self, current: _Segment) -> None:
        """Go on in a new segment. When none can be made the old one is kept until one can."""
        try:
            self._current = self._begin_segment()
        except OSError:
            return
        self._end(current, segment.ROTATED)

    def _end(self, current: _Segment, kind: str) -> None:
        self._seq += 1
        if current.is_ours():
            current.append(encode(Event(kind, {}, ts=self._clock()), self._source, self._seq), self._durable)
        current.let_go()

    def _drop(self, count: int, reason: str) -> bool:
        self.dropped += count
        self.last_error = reason
        return False


class _Segment:
    """A segment that is being written: made, locked and visible when the constructor returns (or OSError)."""

    __slots__ = ("born", "completed", "fd", "identity", "path", "size", "torn")

    def __init__(self, path: Path, born: float) -> None:
        self.fd = -1
        part = path.with_name(path.name + segment.PART)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            # Locked before it can be seen: visible first, a publisher could take it for sealed and
            # everything written to it later would be lost from view.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(part, path)
            found = os.fstat(fd)
        except OSError:
            os.close(fd)
            part.unlink(missing_ok=True)
            raise
        self.fd = fd
        self.path = path
        self.born = born
        self.identity = (found.st_dev, found.st_ino)
        self.size = 0
        self.completed = 0
        """Lines of the last append that are whole on disk."""
        self.torn = False
        """Whether the file may end in the middle of a line."""

    def is_ours(self) -> bool:
        """Whether the descriptor still is this segment, and the segment still has a name.

        Code that closes every descriptor (daemons do) frees ours for somebody else's file, and a removed
        data folder would take lines nobody can ever read: both cost one fstat to notice.
        """
        try:
            found = os.fstat(self.fd)
        except OSError:
            self.fd = -1
            return False
        if (found.st_dev, found.st_ino) != self.identity:
            self.fd = -1
            return False
        return found.st_nlink > 0

    def append(self, lines: bytes, durable: bool) -> str:
        """Write ``lines`` in one call. The reason why not all of them are written, or an empty text."""
        repair = self.torn
        if repair:
            lines = b"\n" + lines  # what is torn must not swallow the line after it
        self.completed = 0
        self.torn = True
        try:
            written = os.write(self.fd, lines)
        except OSError as problem:
            self.torn = repair
            return str(problem)
        self.size += written
        if written < len(lines):
            self.completed = max(lines.count(b"\n", 0, written) - repair, 0)
            return f"only {written} of {len(lines)} bytes could be written: is the disk full?"
        self.torn = False
        if durable:
            try:
                _to_disk(self.fd)
            except OSError as problem:
                return str(problem)
        return ""

    def let_go(self) -> None:
        """Close the descriptor, and with its last copy the lock: the segment is sealed."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.let_go()


_to_disk = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync

_logs: weakref.WeakSet[Log] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for log in list(_logs):
        log._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
