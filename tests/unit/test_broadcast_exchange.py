"""The exchange with wires and clocks of our own: who is given what, who is behind, what waits for whom."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.broadcast.client import Position
from jbts_kernel.broadcast.exchange import (
    EXCESS,
    FULL,
    MAX_ROOMS_PER_CLIENT,
    MESSAGES_AT_ONCE,
    MESSAGES_PER_S,
    Client,
    Exchange,
)
from jbts_kernel.broadcast.mailboxes import Receipts
from jbts_kernel.broadcast.rooms import Rooms
from jbts_kernel.errors import HubProblem
from jbts_kernel.log.envelope import Record

# A machine that is busy with other tests is no failure.

_numbers = itertools.count(1)


class FakeWire:
    """A connection whose other side takes nothing until it is told to."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.taken = bytearray()
        self.reading = True
        self.open = True

    def write(self, data: bytes) -> None:
        assert self.open, "written to after the end"
        self.buffer += data
        self.flush()

    def flush(self) -> None:
        """The other side takes what is there, if it reads."""
        if self.reading:
            self.taken += self.buffer
            self.buffer.clear()

    def backlog(self) -> int:
        return len(self.buffer)

    def is_open(self) -> bool:
        return self.open

    def abort(self) -> None:
        self.open = False

    def messages(self) -> list[dict[str, Any]]:
        """What the other side has got since it was last asked."""
        found, at, data = [], 0, bytes(self.taken)
        while at < len(data):
            size, head = data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            found.append(json.loads(data[at + head : at + head + size]))
            at += head + size
        self.taken.clear()
        return found


class Clock:
    """Wall time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class House:
    """An exchange with a clock, the clients that were reported as lagging, and a folder for receipts."""

    def __init__(self, folder: Path, life: str = "life1", **rooms: int) -> None:
        self.folder = folder
        self.clock = Clock()
        self.lagging: list[Client] = []
        self.receipts = Receipts(folder / "receipts", self.clock())
        self.exchange = Exchange(
            life, self.receipts, on_lag=self.lagging.append, rooms=Rooms(life, **rooms), clock=self.clock
        )

    def client(self, ident: str, user: str | None = None, **first: object) -> tuple[Client, FakeWire]:
        """A connected client, in the room of ``first`` if given; what it has got so far is taken away."""
        wire = FakeWire()
        client = Client(ident, user, wire)
        self.exchange.connect(client)
        if first:
            self.ask(client, "join_room", **first)
        return client, wire

    def ask(self, client: Client, kind: str, **rest: object) -> None:
        self.exchange.receive(client, json.dumps({"type": kind, **rest}))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A fresh exchange."""
    made = House(tmp_path)
    yield made
    made.receipts.close()


def line(kind: str, data: dict[str, Any], source: str = "w1", seq: int | None = None, **rest: Any) -> Record:
    """A line of the log as the tail gives it."""
    number = next(_numbers) if seq is None else seq
    ids = {"run_id": "run1", "execution_id": None, "step_id": None, **rest}
    ts = ids.pop("ts", 1_000_000.0)
    return Record(f"{source}.{number}", kind, ts, source, number, data=data, **ids)


def step(number: int = 1, execution: str = "x1", pad: int = 0, **rest: Any) -> Record:
    """A finished step."""
    data = {"ordinal": number, "name": f"step {number}", "status": "passed", "pad": "." * pad}
    return line("step.finished", data, execution_id=execution, step_id=f"s{number}", **rest)


def say(target: str, ident: str | None, message: object, **rest: Any) -> Record:
    """A message as events.send_... writes it."""
    known = {"ts": rest.pop("ts", 1_000_000.0)}
    return line("message", {"target": target, "id": ident, "message": message, **rest}, **known)


def types(messages: list[dict[str, Any]]) -> list[str]:
    """What kind of messages these are."""
    return [message["type"] for message in messages]


def test_events_go_to_their_execution_and_to_everyone(house: House) -> None:
    """A step is heard in its execution's room and in test_events, with that room's own offset."""
    _, one = house.client("c1", room="test_execution:x1")
    _, everything = house.client("c2", room="test_events")
    house.exchange.apply([step(1, "x2"), step(2, "x1"), line("console", {"text": "not broadcast"})])
    (mine,) = one.messages()[2:]
    both = everything.messages()[2:]
    assert (mine["room"], mine["offset"], mine["event_type"]) == ("test_execution:x1", 1, "progress")
    assert mine["data"]["step_id"] == "s2" and mine["data"]["name"] == "step 2"
    assert [(m["test_execution_id"], m["offset"]) for m in both] == [("x2", 1), ("x1", 2)]


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("execution.started", {"test_name": "t"}, "started"),
        ("step.started", {"name": "s"}, "progress"),
        ("step.finished", {"status": "failed"}, "progress"),
        ("execution.finished", {"status": "passed"}, "completed"),
        ("execution.finished", {"status": "skipped"}, "completed"),
        ("execution.finished", {"status": "failed"}, "failed"),
        ("execution.finished", {"status": "aborted"}, "failed"),
    ],
)
def test_what_kinds_are_called(house: House, kind: str, data: dict[str, Any], said: str) -> None:
    """Each kind of line has its event type, and its data comes along."""
    _, wire = house.client("c1", room="test_execution:x1")
    house.exchange.apply([line(kind, data, execution_id="x1")])
    event = wire.messages()[-1]
    assert event["event_type"] == said
    assert data.items() <= event["data"].items()


def test_an_id_no_room_can_have(house: House) -> None:
    """An execution id that cannot be written in a room's name is still heard of in test_events."""
    _, wire = house.client("c1", room="test_events")
    house.exchange.apply([step(1, 'a"b\n'), step(2, "x" * 200), line("step.started", {}, execution_id=None)])
    assert [m["test_execution_id"] for m in wire.messages()[2:]] == ['a"b\n', "x" * 200, None]


def test_questions_and_answers(house: House) -> None:
    """Every question is answered, a wrong one with an error, and the connection goes on."""
    client, wire = house.client("c1", "ada", room="test_events")
    house.exchange.apply([step()])
    wire.messages()
    house.ask(client, "heartbeat")
    house.exchange.receive(client, "no json")
    house.ask(client, "get_stats")
    house.ask(client, "leave_room", room="test_events")
    house.ask(client, "leave_room", room="test_events")
    house.exchange.apply([step()])
    beat, error, stats, left, again = wire.messages()
    assert beat["type"] == "heartbeat_ack" and beat["tops"]["test_events"][1] == 1
    assert (error["type"], error["code"]) == ("error", "bad_json")
    assert stats["data"]["total_connections"] == 1 and stats["data"]["unique_users"] == 1
    assert stats["data"]["room_distribution"] == {"test_events": 1} and stats["data"]["delivered"] == 1
    assert left == again == {"type": "room_left", "room": "test_events"}


def test_too_many_rooms(house: House) -> None:
    """A connection is in a bounded number of rooms; leaving one makes place."""
    client, wire = house.client("c1")
    for number in range(MAX_ROOMS_PER_CLIENT + 1):
        house.ask(client, "join_room", room=f"r{number}")
    assert wire.messages()[-1]["code"] == "too_many_rooms"
    house.ask(client, "leave_room", room="r0")
    house.ask(client, "join_room", room="r0")
    assert wire.messages()[-1]["type"] == "room_joined"
    house.exchange.disconnect(client)
    assert len(house.exchange.rooms) == 0 and not house.exchange.clients


def test_a_client_that_sends_too_much(house: House) -> None:
    """What goes beyond is answered with an error; time makes up for it, a clock that steps back does not
    lock it out, and only who goes on and on is to be closed."""
    client, wire = house.client("c1")
    asked = json.dumps({"type": "heartbeat"})
    assert all(house.exchange.receive(client, asked) for _ in range(MESSAGES_AT_ONCE))
    assert {message["type"] for message in wire.messages()} == {"connection_confirmed", "heartbeat_ack"}
    assert house.exchange.receive(client, asked)
    assert [message["code"] for message in wire.messages()] == ["too_fast"]
    house.clock.now -= 3_600
    assert house.exchange.receive(client, asked)
    house.clock.now += 1
    assert all(house.exchange.receive(client, asked) for _ in range(int(MESSAGES_PER_S)))
    assert {message["type"] for message in wire.messages()} == {"error", "heartbeat_ack"}
    kept = [house.exchange.receive(client, asked) for _ in range(EXCESS + 1)]
    assert kept == [True] * EXCESS + [False]


def test_a_client_that_does_not_read(house: House) -> None:
    """It costs a bounded buffer and delays nobody; when it reads again it gets a gap and the rest."""
    slow, slow_wire = house.client("slow", room="test_events")
    _, quick_wire = house.client("quick", room="test_events")
    slow_wire.messages()
    quick_wire.messages()
    slow_wire.reading = False
    count = 12_000
    for number in range(count):
        house.exchange.apply([step(number, pad=500)])
        assert slow_wire.backlog() <= 2 * FULL
    assert [m["offset"] for m in quick_wire.messages()] == list(range(1, count + 1))
    assert house.lagging == [slow], "reported once, however long it lags"
    slow_wire.reading = True
    slow_wire.flush()
    while not house.exchange.pump(slow):
        slow_wire.flush()
    offsets: list[int] = []
    for message in slow_wire.messages():
        if message["type"] == "gap":
            offsets += range(message["from"], message["to"] + 1)
        else:
            offsets.append(message["offset"])
    assert offsets == list(range(1, count + 1))
    assert house.exchange.counts["gaps"] == 1
    house.exchange.apply([step()])
    assert slow_wire.messages()[-1]["offset"] == count + 1 and house.lagging == [slow]


def test_a_stalled_connection_is_ended(house: House) -> None:
    """One that takes nothing at all for a minute is ended, one that takes a little is not."""
    _, dead = house.client("dead", room="test_events")
    _, slow = house.client("slow", room="test_events")
    dead.reading = slow.reading = False
    for number in range(2_000):
        house.exchange.apply([step(number, pad=300)])
    for second in range(1, 130):
        del slow.buffer[:1]
        house.exchange.look_after(float(second))
        assert dead.open is (second <= 61)
    assert slow.open and house.exchange.counts["stalled"] >= 1


def test_heartbeats_spare_those_who_are_behind(house: House) -> None:
    """Everyone is told where its rooms are, except whose buffer is full already."""
    client, wire = house.client("c1", room="test_events")
    behind, full = house.client("c2", room="test_events")
    full.reading = False
    full.write(b"x" * FULL)
    wire.messages()
    house.exchange.beat()
    (beat,) = wire.messages()
    assert beat["type"] == "heartbeat" and list(beat["tops"]) == ["test_events"]
    assert full.backlog() == FULL
    assert client.id != behind.id


def test_messages_find_their_target(house: House) -> None:
    """To a user's connections, to one connection, to a room without some, to all."""
    wires = {}
    for ident, user in (("a1", "ada"), ("a2", "ada"), ("b1", "bob"), ("n1", None)):
        _, wires[ident] = house.client(ident, user, room="team")
        wires[ident].messages()
    house.exchange.apply(
        [
            say("user", "ada", {"type": "hello", "n": 1}),
            say("connection", "b1", {"n": 2}),
            say("room", "team", {"n": 3, "offset": 99, "room": "fake"}, exclude=["a2", "n1"]),
            say("all", None, {"n": 4}, exclude=["b1"]),
            say("user", "nobody", {"n": 5}, queue_if_offline=False),
            say("connection", "gone", {"n": 6}),
        ]
    )
    got = {ident: [m["n"] for m in sorted(w.messages(), key=lambda m: m["n"])] for ident, w in wires.items()}
    assert got == {"a1": [1, 3, 4], "a2": [1, 4], "b1": [2, 3], "n1": [4]}
    assert len(house.exchange.queues) == 0


def test_a_rooms_message_has_its_place(house: House) -> None:
    """What is said to a room is kept and numbered like an event."""
    house.exchange.apply([say("room", "team", {"n": 1, "offset": 99}), say("room", "team", {"type": "x", "n": 2})])
    _, wire = house.client("c1", room="team", history=True)
    first, second = wire.messages()[2:]
    assert (first["type"], first["room"], first["offset"]) == ("message", "team", 1)
    assert (second["type"], second["offset"], second["epoch"]) == ("x", 2, first["epoch"])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"target": "user", "id": "ada"},
        {"target": "user", "id": 3, "message": {}},
        {"target": "user", "id": "ada", "message": [1]},
        {"target": "room", "id": "no such\nroom", "message": {}},
        {"target": "planet", "id": "x", "message": {}},
        {"target": ["user"], "id": "x", "message": {}, "exclude": {"a": 1}},
    ],
)
def test_foreign_message_lines_are_counted_and_left(house: House, data: dict[str, Any]) -> None:
    """A message line of another shape stops nothing."""
    _, wire = house.client("c1", "ada")
    wire.messages()
    house.exchange.apply([line("message", data), say("user", "ada", {"n": 1}, exclude="no list")])
    assert [m["n"] for m in wire.messages()] == [1]
    assert house.exchange.counts["bad_lines"] == 1


def test_a_user_who_is_away_gets_it_later(house: House) -> None:
    """Messages wait in order, an hour at most, and are given once."""
    house.exchange.apply([say("user", "ada", {"n": n}, queue_if_offline=True) for n in (1, 2)])
    house.clock.now += 3_000
    house.exchange.apply([say("user", "ada", {"n": 3}, queue_if_offline=True, ts=house.clock.now)])
    assert house.exchange.stats()["queued_messages"] == 3
    house.clock.now += 700
    house.exchange.look_after(1.0)
    _, wire = house.client("c1", "ada")
    assert [m.get("n") for m in wire.messages()] == [None, 3]
    _, again = house.client("c2", "ada")
    assert types(again.messages()) == ["connection_confirmed"]


def test_a_new_hub_gives_what_the_old_one_did_not(tmp_path: Path) -> None:
    """Read again from the log, a message waits if it was never given; what was said to those present,
    or delivered before, is not said again; a room has its history."""
    lines = [
        say("user", "ada", {"n": 1}, queue_if_offline=True),
        say("user", "bob", {"n": 2}, queue_if_offline=True),
        say("user", "bob", {"n": 3}, queue_if_offline=False),
        say("room", "team", {"n": 4}),
        say("all", None, {"n": 5}),
    ]
    first = House(tmp_path)
    _, ada = first.client("c1", "ada")
    first.exchange.apply(lines)
    assert [m["n"] for m in ada.messages()[1:]] == [1, 5]
    second = House(tmp_path, "life2")  # the first was killed: nothing of it was closed
    second.exchange.apply(lines, replay=True)
    _, ada = second.client("c1", "ada")
    _, bob = second.client("c2", "bob", room="team", history=True)
    assert types(ada.messages()) == ["connection_confirmed"]
    assert [m.get("n") for m in bob.messages()] == [None, 2, None, 4]
    first.receipts.close()
    second.receipts.close()


def test_a_full_disk_does_not_stop_a_message(house: House) -> None:
    """A receipt that cannot be written is counted; the message is delivered all the same."""
    _, wire = house.client("c1", "ada")
    wire.messages()
    house.receipts.close()  # writing to it now fails
    house.exchange.apply([say("user", "ada", {"n": 1}, queue_if_offline=True)])
    assert [m["n"] for m in wire.messages()] == [1]
    assert house.exchange.stats()["receipt_errors"] == 1


def test_a_mailbox_is_bounded(house: House) -> None:
    """A user who does not read is told what was lost; others are not touched."""
    client, wire = house.client("c1", "ada")
    wire.messages()
    wire.reading = False
    for number in range(3_000):
        house.exchange.apply([say("user", "ada", {"n": number, "pad": "." * 1_000})])
    assert wire.backlog() <= 2 * FULL
    wire.reading = True
    wire.flush()
    while not house.exchange.pump(client):
        wire.flush()
    messages = wire.messages()
    assert messages[-1]["n"] == 2_999
    (gap,) = [m for m in messages if m["type"] == "gap"]
    assert gap["room"] == "connection:c1"
    assert gap["to"] - gap["from"] + 1 + len(messages) - 1 == 3_000


@st.composite
def restarts(draw: st.DrawFn) -> tuple[list[list[tuple[str, int]]], int]:
    """Lines of two writers as one hub had them and as the next one reads them, and how many were seen."""
    live = draw(st.permutations(["a"] * 6 + ["b"] * 6))
    again = draw(st.permutations(["a"] * 6 + ["b"] * 6))
    orders = []
    for order in (live, again):
        seen = {"a": 0, "b": 0}
        lines = []
        for source in order:
            seen[source] += 1
            lines.append((source, seen[source]))
        orders.append(lines)
    return orders, draw(st.integers(0, 12))


@given(restarts(), st.booleans())
def test_a_subscriber_sees_each_event_once_across_hubs(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[list[tuple[str, int]]], int], everything: bool
) -> None:
    """Whatever the order the next hub reads the log in: every event is given once, and each writer's in
    its order. The room of one execution is no different."""
    (live, again), seen = case
    room = "test_events" if everything else "test_execution:x1"
    position = Position(room, history=True)
    got: list[tuple[str, int]] = []
    for life, order in (("life1", live[:seen]), ("life2", again)):
        house = House(tmp_path_factory.mktemp("house"), life)
        house.exchange.apply([step(seq, source=source, seq=seq) for source, seq in order], replay=True)
        _, wire = house.client("c", None, **{k: v for k, v in position.join().items() if k != "type"})
        got += [
            (message["data"]["source"], message["data"]["seq"]) for message in wire.messages() if position.take(message)
        ]
        house.receipts.close()
    assert sorted(got) == sorted(again)
    for source in "ab":
        mine = [seq for other, seq in got if other == source]
        assert mine == sorted(mine)


def test_a_subscriber_that_wanted_only_news_gets_only_news(tmp_path: Path) -> None:
    """After a hub's death what was said before it came does not flood it; what is new does reach it."""
    position = Position("test_events")
    lives = []
    old = [step(n, source="old", seq=n, ts=999_000.0 + n) for n in range(1, 4)]
    idle = [step(1, source="idle", seq=1, ts=999_500.0)]
    for life, more in (
        ("life1", []),
        ("life2", [step(2, source="idle", seq=2), step(1, source="new", seq=1)]),
    ):
        house = House(tmp_path, life)
        house.exchange.apply(old + idle + more, replay=True)
        _, wire = house.client("c", None, **{k: v for k, v in position.join().items() if k != "type"})
        lives.append([m["data"]["source"] for m in wire.messages() if position.take(m)])
        house.receipts.close()
    assert lives == [[], ["idle", "new"]]


def test_a_subscriber_hears_what_the_hub_refuses() -> None:
    """An error of the hub ends the subscription by name."""
    with pytest.raises(HubProblem, match="in too many rooms"):
        Position("r").take({"type": "error", "message": "in too many rooms", "code": "too_many_rooms"})
