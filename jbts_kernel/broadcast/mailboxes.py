"""Messages that wait for a user who is not connected, and the receipts of those that were given.

A message for a user is a line of the log like everything else, and a hub that starts reads the log again.
So that nobody is told twice what a hub that was killed had already said, each delivery leaves a receipt
(the id of the line) in a small file; one line appended before the message goes out. Both are bounded: in
age, in number and in bytes.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting message: the id of its line, when it was written (seconds since the epoch), its body."""

    ident: str
    ts: float
    body: bytes


class OfflineQueues:
    """Waiting messages by user, oldest first. What exceeds a bound pushes the oldest out; ``dropped``
    counts those, ``expired`` the ones that became too old."""

    def __init__(
        self,
        *,
        per_user: int = 1_000,
        users: int = 10_000,
        max_age_s: float = 3_600,
        user_bytes: int = 1 << 20,
        max_bytes: int = 64 << 20,
    ) -> None:
        self.per_user = per_user
        self.users = users
        self.max_age_s = max_age_s
        self.user_bytes = user_bytes
        self.max_bytes = max_bytes
        self.dropped = 0
        self.expired = 0
        self.bytes = 0
        self._queues: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, user: str, waiting: Waiting, now: float) -> None:
        """Keep ``waiting`` until ``user`` comes; one that is too old already is not kept."""
        if now - waiting.ts > self.max_age_s:
            self.expired += 1
            return
        queue = self._queues.setdefault(user, deque())
        queue.append(waiting)
        self._grow(user, 1, len(waiting.body))
        while len(queue) > self.per_user or self._sizes[user] > self.user_bytes:
            self._pop(user, queue)
            self.dropped += 1
        while len(self._queues) > self.users or self.bytes > self.max_bytes:
            oldest = next(iter(self._queues))
            self.dropped += len(self._remove(oldest))
        if not queue:
            self._remove(user)

    def take(self, user: str, now: float) -> list[Waiting]:
        """All messages that wait for ``user``, oldest first; they wait no longer."""
        found = self._remove(user)
        fresh = [waiting for waiting in found if now - waiting.ts <= self.max_age_s]
        self.expired += len(found) - len(fresh)
        return fresh

    def expire(self, now: float) -> None:
        """Let go of what has become too old."""
        for user, queue in list(self._queues.items()):
            while queue and now - queue[0].ts > self.max_age_s:
                self._pop(user, queue)
                self.expired += 1
            if not queue:
                self._remove(user)

    def _grow(self, user: str, count: int, size: int) -> None:
        self._count += count
        self.bytes += size
        self._sizes[user] = self._sizes.get(user, 0) + size

    def _pop(self, user: str, queue: deque[Waiting]) -> None:
        self._grow(user, -1, -len(queue.popleft().body))

    def _remove(self, user: str) -> deque[Waiting]:
        queue = self._queues.pop(user, deque())
        self._count -= len(queue)
        self.bytes -= self._sizes.pop(user, 0)
        return queue


class Receipts:
    """Ids of the messages already given to their user, in the file ``path``: a time and an id a line.

    Entries older than ``max_age_s`` are of no use, because messages that old are not delivered anyway:
    they go when the file is read, and when it has grown by ``compact_after`` lines.
    """

    def __init__(self, path: Path, now: float, *, max_age_s: float = 3_600, compact_after: int = 10_000) -> None:
        self.path = path
        self.max_age_s = max_age_s
        self._compact_after = compact_after
        self._added = 0
        self._times: dict[str, float] = {}
        if path.exists():
            for line in path.read_text("utf-8", "replace").splitlines():
                written, _, ident = line.partition(" ")
                if not ident:
                    continue  # a line the last hub could not finish
                try:
                    self._times[ident] = float(written)
                except ValueError:
                    continue  # what came after such a line
        self._fd = self._compacted(now)

    def __contains__(self, ident: str) -> bool:
        return ident in self._times

    def __len__(self) -> int:
        return len(self._times)

    def add(self, given: Iterable[Waiting], now: float) -> None:
        """Note that ``given`` are about to be delivered. Raises OSError when that cannot be written."""
        lines = []
        for waiting in given:
            self._times[waiting.ident] = waiting.ts
            lines.append(f"{waiting.ts!r} {waiting.ident}\n")
        if not lines:
            return
        os.write(self._fd, "".join(lines).encode("utf-8", "replace"))
        self._added += len(lines)
        if self._added >= self._compact_after:
            os.close(self._fd)
            self._fd = self._compacted(now)

    def close(self) -> None:
        """Close the file; what is in it stays for the next hub. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _compacted(self, now: float) -> int:
        self._times = {ident: ts for ident, ts in self._times.items() if now - ts <= self.max_age_s}
        self._added = 0
        fresh = self.path.with_name(self.path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(fresh, flags, 0o600)
        try:
            os.write(fd, "".join(f"{ts!r} {ident}\n" for ident, ts in self._times.items()).encode())
            os.rename(fresh, self.path)
        except OSError:
            os.close(fd)
            raise
        return fd
