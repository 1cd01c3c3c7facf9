"""Rooms: what was said, kept as ready-made frames, with a number for each.

A room is a ring of frames. Its events are numbered 1, 2, 3 ... and a client is nothing but a cursor, the
number of the last event it was given, so a client that reads nothing costs an integer here. What the
ring has let go of is told as a gap, never left out in silence.

An offset means something only within an ``epoch``. A client may resume where it was when the events up to
its offset are provably the ones this room would give again:

* in a room of one execution written by one process the order is the log's, so the epoch is derived from
  the first event seen. A hub that starts anew reads the same log and arrives at the same numbers. (When
  the log's beginning is gone another event is first, and so the epoch is another one.)
* as soon as a second process writes to such a room, and in all other rooms, the order is that of arrival,
  which a new hub cannot repeat: the epoch is then the hub's own.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from .protocol import EXECUTION_PREFIX, JoinRoom, frame, gap, placed

NOT_BEGUN = "0"
"""The epoch of an execution's room before its first event."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client that joins begins: everything after ``cursor`` is given to it."""

    cursor: int
    was_recovering: bool
    recovered: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a client is given next: ``data`` (whole frames), how many events that is, the ``cursor``
    after them, and how many were lost before them."""

    data: bytes
    events: int
    cursor: int
    lost: int


class Room:
    """One room: a ring of at most ``max_frames`` frames and ``max_bytes`` bytes."""

    __slots__ = (
        "_excluded",
        "_frames",
        "_head",
        "_memo",
        "bytes",
        "cursors",
        "epoch",
        "former",
        "max_bytes",
        "max_frames",
        "name",
        "source",
        "top",
    )

    def __init__(
        self, name: str, epoch: str = NOT_BEGUN, *, max_frames: int = 10_000, max_bytes: int = 8 << 20
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.max_frames = max_frames
        self.max_bytes = max_bytes
        self.top = 0
        """Offset of the newest event."""
        self.bytes = 0
        self.cursors: dict[str, int] = {}
        """Connection id to the offset it was last given."""
        self.source: str | None = None
        """The only process that has written here so far; None before it did, and when there are several."""
        self.former: tuple[str, int] | None = None
        """The epoch before the current one and the last offset that belongs to it."""
        self._frames: list[bytes] = []
        self._head = 0  # frames before it are let go; a list with a moving head slices faster than a deque
        self._excluded: dict[int, frozenset[str]] = {}
        self._memo: tuple[int, int, int, Chunk] | None = None

    @property
    def tail(self) -> int:
        """Offset of the newest event that is not kept any more (0: all are kept)."""
        return self.top - (len(self._frames) - self._head)

    def append(self, body: bytes, exclude: frozenset[str] = frozenset()) -> int:
        """Add an event and return its offset. The connections in ``exclude`` will not be given it."""
        self.top += 1
        made = self._made(body)
        self._frames.append(made)
        self.bytes += len(made)
        if exclude:
            self._excluded[self.top] = exclude
        while len(self._frames) - self._head > self.max_frames or self.bytes > self.max_bytes:
            self._let_go()
        return self.top

    def _made(self, body: bytes) -> bytes:
        """The frame for the event at the top."""
        return frame(placed(body, self.name, self.epoch, self.top))

    def _let_go(self) -> None:
        self.bytes -= len(self._frames[self._head])
        self._frames[self._head] = b""
        self._head += 1
        self._excluded.pop(self.tail, None)
        if self._head > 64 and self._head * 2 > len(self._frames):
            del self._frames[: self._head]
            self._head = 0

    def clear(self) -> None:
        """Let go of every event; numbers and epoch go on."""
        self._frames, self._head, self.bytes, self._memo = [], 0, 0, None
        self._excluded.clear()

    def leave(self, reader: str) -> None:
        """Take a client out of the room; leaving twice is no error."""
        self.cursors.pop(reader, None)
        if not self.cursors:
            self._memo = None

    def turn(self, epoch: str) -> None:
        """Begin another epoch: what comes from here on cannot be repeated by another hub."""
        self.former = (self.epoch, self.top)
        self.epoch = epoch

    def standing(self, join: JoinRoom) -> Standing:
        """Where a client that sends ``join`` begins."""
        if join.offset is None:
            return Standing(0 if join.history else self.top, False, False)
        # Nothing seen yet (0) is a position in any epoch.
        same = join.offset == 0 or join.epoch == self.epoch
        before = self.former is not None and join.epoch == self.former[0] and join.offset <= self.former[1]
        if join.offset > self.top or not (same or before):
            return Standing(0, True, False)
        return Standing(join.offset, True, join.offset >= self.tail)

    def read(self, cursor: int, limit: int, reader: str = "") -> Chunk:
        """What comes after ``cursor``: at least one event where there is one, and no more once ``limit``
        bytes are reached. Clients at the same place are given the same bytes object."""
        memo = self._memo
        if memo is not None and not self._excluded and memo[:3] == (cursor, limit, self.top):
            return memo[3]
        tail = self.tail
        lost = max(0, tail - cursor)
        parts = [frame(gap(self.name, self.epoch, cursor + 1, tail))] if lost else []
        at = start = cursor + lost
        size = 0
        skipped = 0
        for made in self._frames[self._head + start - tail : self._head + start - tail + 4096]:
            at += 1
            if self._excluded and reader in self._excluded.get(at, ()):
                skipped += 1
                continue
            parts.append(made)
            size += len(made)
            if size >= limit:
                break
        chunk = Chunk(parts[0] if len(parts) == 1 else b"".join(parts), at - start - skipped, at, lost)
        if not self._excluded:
            self._memo = (cursor, limit, self.top, chunk)
        return chunk


class Mailbox(Room):
    """The room of one connection, for what is said to it alone: its messages go out as they are."""

    __slots__ = ()

    def __init__(self, connection_id: str) -> None:
        super().__init__(f"connection:{connection_id}", connection_id, max_frames=1_000, max_bytes=1 << 20)
        self.cursors[connection_id] = 0

    def _made(self, body: bytes) -> bytes:
        return frame(body)


class Rooms:
    """All rooms of a hub, within ``max_bytes`` of frames and ``max_rooms`` rooms.

    ``life`` is unique to this hub; the epochs of rooms whose order another hub could not repeat begin with
    it. What is let go of first is what was longest without an event and has nobody listening.
    """

    def __init__(self, life: str, *, max_bytes: int = 96 << 20, max_rooms: int = 20_000) -> None:
        self.life = life
        self.max_bytes = max_bytes
        self.max_rooms = max_rooms
        self.bytes = 0
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._epochs = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, name: str) -> Room | None:
        """The room, if there is one."""
        return self._rooms.get(name)

    def open(self, name: str) -> Room:
        """The room, made when there is none."""
        room = self._rooms.get(name)
        if room is None:
            derived = name.startswith(EXECUTION_PREFIX)
            room = self._rooms[name] = Room(name, NOT_BEGUN if derived else self._own_epoch())
            if len(self._rooms) > self.max_rooms:
                self._forget(room)
        return room

    def publish(
        self, name: str, body: bytes, *, source: str, ident: str, exclude: frozenset[str] = frozenset()
    ) -> Room:
        """Add an event to a room. ``source`` is the process that wrote it, ``ident`` the event's own id:
        with them the room decides which epoch it is in."""
        room = self.open(name)
        if name.startswith(EXECUTION_PREFIX):
            if room.top == 0:
                room.epoch = hashlib.blake2b(ident.encode("utf-8", "replace"), digest_size=8).hexdigest()
                room.source = source
            elif room.source is not None and room.source != source:
                room.turn(self._own_epoch())
                room.source = None
        before = room.bytes
        room.append(body, exclude)
        self.bytes += room.bytes - before
        self._rooms.move_to_end(name)
        if self.bytes > self.max_bytes:
            self._shrink()
        return room

    def _own_epoch(self) -> str:
        """An epoch nobody has seen: a room that was forgotten and made again must not look the same."""
        self._epochs += 1
        return f"{self.life}-{self._epochs}"

    def discard_if_unused(self, room: Room) -> None:
        """Forget a room that nobody listens to and nothing was ever said in."""
        if not room.cursors and room.top == 0 and self._rooms.get(room.name) is room:
            del self._rooms[room.name]

    def distribution(self, most: int = 100) -> dict[str, int]:
        """How many clients listen to a room, for the ``most`` best attended ones."""
        attended = [(len(room.cursors), name) for name, room in self._rooms.items() if room.cursors]
        return {name: count for count, name in sorted(attended, key=lambda item: (-item[0], item[1]))[:most]}

    def attended(self) -> int:
        """How many rooms somebody listens to."""
        return sum(1 for room in self._rooms.values() if room.cursors)

    def _shrink(self) -> None:
        """Clear idle rooms, longest silent first; those with listeners only when that was not enough."""
        for listened in (False, True):
            for room in list(self._rooms.values()):
                if self.bytes <= self.max_bytes * 3 // 4:
                    return
                if room.bytes and bool(room.cursors) is listened:
                    self.bytes -= room.bytes
                    room.clear()

    def _forget(self, newest: Room) -> None:
        for name, room in self._rooms.items():
            if not room.cursors and room is not newest:
                self.bytes -= room.bytes
                del self._rooms[name]
                return
