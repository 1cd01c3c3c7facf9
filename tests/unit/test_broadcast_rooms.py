"""Rooms and mailboxes: numbers without holes, bounded memory, and positions that can be trusted."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.broadcast.mailboxes import OfflineQueues, Receipts, Waiting
from jbts_kernel.broadcast.protocol import JoinRoom
from jbts_kernel.broadcast.rooms import NOT_BEGUN, Mailbox, Room, Rooms

# A machine that is busy with other tests is no failure.


def body(number: int) -> bytes:
    """An event that can be told from others."""
    return b'{"n":%d,"pad":"%s"}' % (number, b"x" * (number * 37 % 400))


def unframe(data: bytes) -> list[dict[str, object]]:
    """The messages in a run of unmasked frames."""
    found, at = [], 0
    while at < len(data):
        size, head = data[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        found.append(json.loads(data[at + head : at + head + size]))
        at += head + size
    return found


def read_all(room: Room, cursor: int, limit: int = 1_000, reader: str = "") -> list[dict[str, object]]:
    """Everything after ``cursor``, read in pieces."""
    found = []
    while cursor < room.top:
        chunk = room.read(cursor, limit, reader)
        assert chunk.cursor > cursor, "a read must get on"
        found += unframe(chunk.data)
        cursor = chunk.cursor
    return found


def covered(messages: list[dict[str, object]]) -> list[int]:
    """The offsets a client was told about, lost ones included."""
    offsets: list[int] = []
    for message in messages:
        if message.get("type") == "gap":
            offsets += range(int(str(message["from"])), int(str(message["to"])) + 1)
        else:
            offsets.append(int(str(message["offset"])))
    return offsets


COUNTS = st.integers(0, 120)


@given(COUNTS, st.integers(1, 40), st.integers(200, 20_000), COUNTS, st.integers(1, 5_000))
def test_every_number_is_given_or_told_lost(events: int, frames: int, size: int, cursor: int, limit: int) -> None:
    """From any cursor on, a reader gets each offset exactly once and in order, as an event or in a gap;
    the ring stays within its bounds; what it keeps is what was said last."""
    room = Room("r", "e", max_frames=frames, max_bytes=size)
    for number in range(1, events + 1):
        assert room.append(body(number)) == number
        assert room.bytes <= size and room.top - room.tail <= frames
    cursor = min(cursor, room.top)
    messages = read_all(room, cursor, limit)
    assert covered(messages) == list(range(cursor + 1, room.top + 1))
    assert all(message.get("n") in (None, message.get("offset")) for message in messages)
    assert sum(message.get("type") == "gap" for message in messages) == (cursor < room.tail)


def test_readers_at_the_same_place_share_bytes() -> None:
    """What a thousand clients are given is made once."""
    room = Room("r", "e")
    for number in range(50):
        room.append(body(number))
    assert room.read(10, 1_000).data is room.read(10, 1_000).data
    before = room.read(50 - 1, 1_000)
    room.append(body(50))
    assert room.read(50 - 1, 1_000).data != before.data


def test_clearing_a_room_keeps_its_numbers() -> None:
    """A room that had to let go of its frames goes on counting and tells what is lost."""
    room = Room("r", "e")
    for number in range(1, 6):
        room.append(body(number))
    room.clear()
    room.append(body(6))
    found = read_all(room, 2)
    assert [(m.get("type"), m.get("from"), m.get("to"), m.get("offset")) for m in found] == [
        ("gap", 3, 5, None),
        (None, None, None, 6),
    ]


def test_an_excluded_connection_is_not_given_it() -> None:
    """Excluded means excluded, for that connection alone, and it gets on to the newest offset."""
    room = Room("r", "e", max_frames=4)
    for number in range(1, 17):
        room.append(body(number), frozenset({"ada"}) if number % 2 else frozenset())
    assert [m["offset"] for m in read_all(room, 12, 300, "ada")] == [14, 16]
    assert [m["offset"] for m in read_all(room, 12, 300, "bob")] == [13, 14, 15, 16]
    assert len(room._excluded) == 2, "what is not kept is not remembered as excluded"


def test_a_mailbox_sends_messages_as_they_are() -> None:
    """What is said to one connection has no place in a room."""
    mailbox = Mailbox("c1")
    mailbox.append(b'{"type":"hello"}')
    assert read_all(mailbox, 0) == [{"type": "hello"}]


def test_where_a_join_begins() -> None:
    """From now on, from the oldest kept, or from a position that is this room's own."""
    room = Room("r", "e", max_frames=3)
    for number in range(1, 6):
        room.append(body(number))

    def begin(**asked: object) -> tuple[int, bool, bool]:
        found = room.standing(JoinRoom("r", **asked))  # type: ignore[arg-type]
        return found.cursor, found.was_recovering, found.recovered

    assert begin() == (5, False, False)
    assert begin(history=True) == (0, False, False)
    assert begin(epoch="e", offset=4) == (4, True, True)
    assert begin(epoch="e", offset=2) == (2, True, True)
    assert begin(epoch="e", offset=1) == (1, True, False)  # 2 is lost, and the gap will say so
    assert begin(epoch="e", offset=6) == (0, True, False)
    assert begin(epoch="other", offset=4) == (0, True, False)


Lines = list[tuple[str, int]]


def told(order: Lines, life: str) -> tuple[Room, list[int]]:
    """A hub's room of one execution after the lines came in this order; and which epoch each had."""
    rooms = Rooms(life)
    for number, (source, seq) in enumerate(order):
        rooms.publish("test_execution:x", body(number), source=source, ident=f"{source}.{seq}")
    room = rooms.open("test_execution:x")
    return room, [str(m["epoch"]) for m in read_all(room, 0)]  # type: ignore[misc]


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[Lines, Lines]:
    """The lines of up to three writers as they came in live, and as a new hub reads them: each writer's own
    lines in their order both times, and the new hub may have more or less of them."""
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    live = draw(st.permutations([source for source, n in enumerate(counts) for _ in range(n)]))
    again = draw(st.permutations([source for source, n in enumerate(counts) for _ in range(n)]))

    def numbered(order: list[int]) -> Lines:
        seen = dict.fromkeys(range(len(counts)), 0)
        lines = []
        for source in order:
            seen[source] += 1
            lines.append((f"s{source}", seen[source]))
        return lines

    first = draw(st.integers(0, 2))
    return numbered(live), numbered(again)[first:]


@given(two_orders(), st.integers(0, 15))
def test_a_new_hub_never_claims_a_position_it_does_not_have(orders: tuple[Lines, Lines], seen: int) -> None:
    """If a hub that started anew says "recovered", then what the client saw is exactly what it would
    have been given here: nothing is doubled and nothing left out, however the lines were mixed."""
    live, again = orders
    seen = min(seen, len(live))
    _, epochs = told(live, "life1")
    new_room, _ = told(again, "life2")
    epoch = epochs[seen - 1] if seen else NOT_BEGUN
    standing = new_room.standing(JoinRoom("test_execution:x", epoch, seen))
    if standing.recovered:
        assert again[:seen] == live[:seen]
    else:
        assert standing.cursor == 0


def test_one_writer_is_resumed_by_a_new_hub() -> None:
    """The usual case: one process writes an execution, and a killed hub's successor knows every position."""
    lines = [("s", seq) for seq in range(1, 9)]
    _, epochs = told(lines, "life1")
    new_room, _ = told(lines, "life2")
    assert all(
        new_room.standing(JoinRoom("test_execution:x", epochs[seen - 1], seen)).recovered for seen in range(1, 9)
    )


def test_positions_outlive_a_second_writer() -> None:
    """Within one hub's life a position from before the second writer came is still good."""
    room, epochs = told([("a", 1), ("a", 2), ("b", 1), ("a", 3)], "life1")
    assert len(set(epochs)) == 2
    assert all(room.standing(JoinRoom("x", epoch, offset)).recovered for offset, epoch in enumerate(epochs, start=1))
    assert not room.standing(JoinRoom("x", epochs[0], 3)).recovered


def test_rooms_stay_within_their_memory() -> None:
    """Idle rooms are let go of first; a forgotten room that comes back is another one."""
    rooms = Rooms("life", max_bytes=20_000, max_rooms=5)
    listened = rooms.open("kept")
    listened.cursors["c"] = 0
    for number in range(300):
        rooms.publish(f"room{number % 7}", body(number), source="s", ident=str(number))
        assert rooms.bytes <= 20_000 and len(rooms) <= 6
    assert rooms.get("kept") is listened
    assert rooms.bytes == sum(room.bytes for room in rooms._rooms.values())
    first = rooms.open("again").epoch
    for number in range(10):
        rooms.open(f"other{number}")
    assert rooms.open("again").epoch != first


def test_a_single_loud_room_is_bounded_too() -> None:
    """A room with listeners is cleared when nothing else can be; they are told of the gap."""
    rooms = Rooms("life", max_bytes=5_000)
    room = rooms.open("loud")
    room.cursors["c"] = 0
    for number in range(100):
        rooms.publish("loud", body(number), source="s", ident=str(number))
    assert rooms.bytes <= 5_000
    assert covered(read_all(room, 0)) == list(range(1, 101))


def waiting(number: int, ts: float = 0.0, size: int = 10) -> Waiting:
    """A message for an absent user."""
    return Waiting(f"id{number}", ts, b"x" * size)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 200), st.integers(1, 300)), max_size=60))
def test_waiting_messages_are_bounded(arrivals: list[tuple[str, int, int]]) -> None:
    """In number and bytes for a user, in users, in bytes altogether; the newest are kept, in order."""
    queues = OfflineQueues(per_user=5, users=3, max_age_s=100, user_bytes=800, max_bytes=1_500)
    now = 0.0
    for number, (user, later, size) in enumerate(arrivals):
        now = max(now, float(later))
        queues.put(user, waiting(number, now, size), now)
        assert queues.bytes <= 1_500 and len(queues._queues) <= 3
    kept = len(queues)
    taken = [queues.take(user, now) for user in "abcd"]
    assert sum(map(len, taken)) + queues.expired + queues.dropped == len(arrivals)
    assert kept >= sum(map(len, taken)) and len(queues) == 0 and queues.bytes == 0
    for queue in taken:
        numbers = [int(one.ident[2:]) for one in queue]
        assert numbers == sorted(numbers) and len(queue) <= 5
        assert all(now - one.ts <= 100 for one in queue)


def test_old_messages_are_let_go() -> None:
    """What waited longer than its age goes, also when nobody asks."""
    queues = OfflineQueues(max_age_s=100)
    queues.put("ada", waiting(1, 0), 10)
    queues.put("ada", waiting(2, 50), 60)
    queues.put("ada", waiting(3, 0), 101)
    queues.expire(120)
    assert (len(queues), queues.expired) == (1, 2)
    assert [one.ident for one in queues.take("ada", 120)] == ["id2"]


def test_receipts_outlive_the_hub(tmp_path: Path) -> None:
    """A receipt is there for the next hub, also behind a line that was not finished, until it is too old."""
    path = tmp_path / "receipts"
    first = Receipts(path, 0.0, max_age_s=100)
    first.add([waiting(1, 10.0), waiting(2, 90.0)], 90.0)
    with path.open("a") as file:
        file.write("91.0")  # killed in the middle of a line, never closed
    second = Receipts(path, 120.0, max_age_s=100)
    assert "id2" in second and "id1" not in second and len(second) == 1
    first.close()
    second.close()


def test_receipts_do_not_grow_for_ever(tmp_path: Path) -> None:
    """The file is made anew without what is too old to matter."""
    receipts = Receipts(tmp_path / "receipts", 0.0, max_age_s=10, compact_after=50)
    for number in range(1_000):
        receipts.add([waiting(number, float(number))], float(number))
    assert len(receipts) <= 60
    assert len(receipts.path.read_text().splitlines()) <= 70
    receipts.close()
    again = Receipts(receipts.path, 1_000.0, max_age_s=10)
    assert "id999" in again
    again.close()
