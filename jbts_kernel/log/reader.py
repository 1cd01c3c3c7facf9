"""The tail of the log: every complete line, once, oldest segment first, as it is written.

A tail holds one offset for each segment and a few kilobytes, however long the log is. It looks again at
the folder when the folder changed, and afterwards only at the segments that can still grow. An
incomplete last line is left alone until its newline is there. Segments that were retired to
``spool/merged`` are no longer read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from . import segment
from .envelope import MAX_LINE, Record, decode
from .segment import sealed

__all__ = ["Tail", "sealed"]

CHUNK = 2 * MAX_LINE
"""Bytes read at once: at least one whole line."""

QUIET_POLLS = 100
"""A segment that does not grow is asked for its lock every so many polls."""


class Tail:
    """Follows the segments in ``spool``.

    ``position`` is what an earlier tail's :attr:`position` was, to go on from there; without it
    everything kept is read first. ``poll_bytes`` bounds what one :meth:`poll` reads.
    """

    def __init__(self, spool: Path, position: Mapping[str, int] | None = None, *, poll_bytes: int = 4 << 20) -> None:
        self.spool = Path(spool)
        self._poll_bytes = max(poll_bytes, CHUNK)
        self._offsets: dict[str, int] = dict(position or {})
        self._growing: list[str] = []
        self._ended: set[str] = set()
        self._seen_change = -1
        self._quiet_polls: dict[str, int] = {}

    @property
    def position(self) -> dict[str, int]:
        """Bytes read of each segment by name: enough to go on later, in another process too."""
        return dict(self._offsets)

    def poll(self) -> list[Record]:
        """The complete lines that are new, segments in the order of their names.

        An empty list means that everything written before the call has been read. Otherwise there may
        be more: call again. Torn and foreign lines are skipped. Raises OSError when a segment cannot be
        read for another reason than having been retired.
        """
        records: list[Record] = []
        taken = 0
        self._look()
        for name in list(self._growing):
            while size := self._read(name, records):
                taken += size
                if taken >= self._poll_bytes and records:
                    return records
        return records

    def _look(self) -> None:
        """Take up segments that appeared and let go of those that were retired."""
        try:
            change = os.stat(self.spool).st_mtime_ns
        except FileNotFoundError:
            self._growing = []
            return
        if change == self._seen_change:
            return
        # Noted before listing: what appears meanwhile changes the folder again, and a folder changed
        # twice within one tick of its clock is looked at again because its own time is that recent.
        self._seen_change = change if self._settled(change) else -1
        listed = segment.names(self.spool)
        present = set(listed)
        self._offsets = {name: offset for name, offset in self._offsets.items() if name in present}
        self._ended &= present
        self._growing = [name for name in listed if name not in self._ended]

    @staticmethod
    def _settled(change_ns: int) -> bool:
        """Whether a folder time is old enough (50 ms, many ticks) that a later change must differ."""
        return abs(time.time_ns() - change_ns) > 50_000_000

    def _read(self, name: str, records: list[Record]) -> int:
        """Read on in one segment, adding to ``records``; the bytes taken, 0 when there is no more now."""
        offset = self._offsets.get(name, 0)
        path = self.spool / name
        try:
            if os.stat(path).st_size <= offset:
                self._maybe_ended(name, path, offset)
                return 0
            with open(path, "rb", buffering=0) as file:
                file.seek(offset)
                chunk = file.read(CHUNK)
        except FileNotFoundError:
            self._let_go(name)
            return 0
        end = chunk.rfind(b"\n") + 1
        if end == 0:
            if len(chunk) < CHUNK:
                self._maybe_ended(name, path, offset + len(chunk))
                return 0
            end = len(chunk)  # longer than any line of ours: foreign, and its end will not parse either
        last: Record | None = None
        for line in chunk[:end].split(b"\n"):
            record = decode(line) if line else None
            if record is not None:
                records.append(record)
                last = record
        self._offsets[name] = offset + end
        self._quiet_polls.pop(name, None)
        if last is not None and last.kind in (segment.ROTATED, segment.CLOSED):
            self._let_go(name)
        return end

    def _maybe_ended(self, name: str, path: Path, size: int) -> None:
        """Now and then ask the lock whether the writer died without a last line."""
        quiet = self._quiet_polls.get(name, 0)
        self._quiet_polls[name] = (quiet + 1) % QUIET_POLLS
        if quiet or segment.is_sealed(path) is False:
            return
        # Looked at again after the lock was seen free: the last bytes may have come in between.
        try:
            grown = os.stat(path).st_size > size
        except FileNotFoundError:
            grown = False
        if not grown:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        self._ended.add(name)
        self._quiet_polls.pop(name, None)
        if name in self._growing:
            self._growing.remove(name)
