"""Messages, frames and admission: what the hub understands, says, and lets in."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from jbts_kernel.broadcast import protocol
from jbts_kernel.broadcast.admission import Door, Guest, Refusal, Request
from jbts_kernel.broadcast.protocol import (
    MAX_OFFSET,
    GetStats,
    Heartbeat,
    JoinRoom,
    LeaveRoom,
    ProtocolError,
    parse,
)

# A machine that is busy with other tests is no failure.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ROOMS = st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True)
EPOCHS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
TOKEN = "t" * 32


@given(st.binary() | st.text() | JSON.map(json.dumps))
@example(b"\xff\xfe")
@example("[" * 100_000)
@example('{"type":"join_room","room":"a","offset":true,"epoch":"x"}')
def test_anything_is_parsed_or_refused(message: str | bytes) -> None:
    """Whatever a client sends becomes a known message or a ProtocolError with a code, never another error."""
    try:
        found: object = parse(message)
    except ProtocolError as problem:
        found = problem
    assert isinstance(found, (JoinRoom, LeaveRoom, Heartbeat, GetStats, ProtocolError))
    if isinstance(found, ProtocolError):
        assert found.code and "\n" not in str(found)
        assert json.loads(protocol.error(found))["code"] == found.code


@given(ROOMS, st.none() | st.tuples(EPOCHS, st.integers(0, MAX_OFFSET)), st.booleans())
def test_join_keeps_what_was_asked(room: str, position: tuple[str, int] | None, history: bool) -> None:
    """A join with or without a position comes out as it went in."""
    asked: dict[str, Any] = {"type": "join_room", "room": room, "history": history}
    epoch, offset = position or (None, None)
    if position is not None:
        asked |= {"epoch": epoch, "offset": offset}
    assert parse(json.dumps(asked)) == JoinRoom(room, epoch, offset, history)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "bad_json"),
        ("nonsense", "bad_json"),
        ("[]", "bad_message"),
        ("{}", "bad_message"),
        ('{"type": 3}', "bad_message"),
        ('{"type": "shout"}', "unknown_type"),
        ('{"type": "join_room"}', "bad_room"),
        ('{"type": "join_room", "room": "a b"}', "bad_room"),
        ('{"type": "join_room", "room": "a\\n"}', "bad_room"),
        ('{"type": "leave_room", "room": ""}', "bad_room"),
        (json.dumps({"type": "join_room", "room": "x" * 129}), "bad_room"),
        ('{"type": "join_room", "room": "a", "offset": 3}', "bad_position"),
        ('{"type": "join_room", "room": "a", "epoch": "e"}', "bad_position"),
        ('{"type": "join_room", "room": "a", "epoch": "e", "offset": -1}', "bad_position"),
        ('{"type": "join_room", "room": "a", "epoch": "e", "offset": 1.5}', "bad_position"),
        ('{"type": "join_room", "room": "a", "history": 1}', "bad_message"),
    ],
)
def test_refusals_have_codes(message: str, code: str) -> None:
    """Each kind of mistake has its own code."""
    with pytest.raises(ProtocolError) as refused:
        parse(message)
    assert refused.value.code == code


@given(st.binary(max_size=300) | st.sampled_from([125, 126, 65_535, 65_536, 70_000]).map(bytes))
def test_frames_are_what_the_standard_says(payload: bytes) -> None:
    """A ready-made frame is read back, whole, by the WebSocket library's own parser."""
    reader = StreamReader()
    reader.feed_data(protocol.frame(payload))
    reader.feed_eof()
    steps = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(steps)
    found: Frame = done.value.value
    assert (found.opcode, found.fin, bytes(found.data)) == (Opcode.TEXT, True, payload)
    assert not reader.buffer


@given(st.dictionaries(st.text(), JSON, max_size=5), ROOMS, st.integers(1, MAX_OFFSET), st.text(max_size=40))
def test_an_event_says_where_it_stands(data: dict[str, Any], room: str, offset: int, execution: str) -> None:
    """An event in a room is its data with room, epoch and offset beside it, whatever the data holds."""
    body = protocol.event("progress", execution, data, 1.5)
    assert json.loads(protocol.placed(body, room, "e-1", offset)) == {
        "type": "test_execution_event",
        "event_type": "progress",
        "test_execution_id": execution,
        "data": data,
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "room": room,
        "epoch": "e-1",
        "offset": offset,
    }


@given(st.dictionaries(st.sampled_from([*protocol.PLACE_KEYS, "type", "text"]), JSON))
def test_a_message_cannot_fake_its_place(body: dict[str, Any]) -> None:
    """The place of a room's message is the hub's, whatever its sender wrote there."""
    made = protocol.placed(protocol.message(body, source="s", seq=7), "r", "e", 3)
    found = json.loads(made, object_pairs_hook=lambda pairs: pairs)
    assert len({key for key, _ in found}) == len(found)
    place = dict(found)
    assert [place[key] for key in ("room", "epoch", "offset", "source", "seq")] == ["r", "e", 3, "s", 7]
    assert "type" in place


@given(st.floats(allow_nan=False))
@example(math.inf)
def test_any_time_can_be_written(ts: float) -> None:
    """Times no calendar has do not stop an event."""
    assert protocol.iso(ts).endswith("Z") and len(protocol.iso(ts)) == 27


@given(st.text(max_size=140))
def test_an_execution_has_a_room_or_none(ident: str) -> None:
    """An execution's room can always be joined; an id that would make a room that cannot has none."""
    name = protocol.execution_room(ident)
    assert name is None or parse(json.dumps({"type": "leave_room", "room": name})) == LeaveRoom(name)


def ask(target: str = f"/ws?token={TOKEN}", host: str | list[str] = "127.0.0.1:1", **headers: list[str]) -> Request:
    """A request; headers as lists of their values."""
    return Request(target, [host] if isinstance(host, str) else host, **headers)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (ask("/ws"), 401),
        (ask("/ws?token="), 401),
        (ask("/ws?token=wrong"), 401),
        (ask(f"/ws?token={TOKEN}&token={TOKEN}"), 401),
        (ask("/ws?token=%ff%fe"), 401),
        (ask("/ws", authorization=["Basic " + TOKEN]), 401),
        (ask("/ws", authorization=["Bearer wrong"]), 401),
        (ask("/ws", authorization=[f"Bearer {TOKEN}", f"Bearer {TOKEN}"]), 401),
        (ask(authorization=["Bearer wrong"]), 401),
        (ask(host=[]), 403),
        (ask(host=["127.0.0.1", "127.0.0.1"]), 403),
        (ask(host="evil.example"), 403),
        (ask(host="127.0.0.1.evil.example"), 403),
        (ask(host="evil.example@127.0.0.1"), 403),
        (ask(host="127.0.0.1:no"), 403),
        (ask(host="10.0.0.7"), 403),
        (ask(origin=["https://evil.example"]), 403),
        (ask(origin=["null"]), 403),
        (ask(origin=["file://localhost"]), 403),
        (ask(origin=["http://localhost", "http://localhost"]), 403),
        (ask("/", host="localhost"), 404),
        (ask(f"/ws?token={TOKEN}&user=a&user=b"), 400),
        (ask(f"/ws?token={TOKEN}&user={'x' * 129}"), 400),
        (ask(f"/ws?token={TOKEN}&user=a%0ab"), 400),
    ],
)
def test_who_is_turned_away(request_: Request, status: int) -> None:
    """A request that lacks anything, or says something twice, is refused with the right status."""
    decision = Door(TOKEN).admit(request_)
    assert isinstance(decision, Refusal) and decision.status == HTTPStatus(status)
    assert TOKEN not in decision.reason


@pytest.mark.parametrize(
    ("request_", "user"),
    [
        (ask(), None),
        (ask("/ws", authorization=[f"Bearer {TOKEN}"]), None),
        (ask("/ws?token=old", authorization=[f"bearer {TOKEN}"]), None),
        (ask(host="LOCALHOST:9"), None),
        (ask(host="[::1]:9"), None),
        (ask(f"/ws?token={TOKEN}&user=ada%40example.com"), "ada@example.com"),
        (ask(origin=["http://localhost:8888"]), None),
        (ask(origin=["https://lab.example"]), None),
    ],
)
def test_who_is_let_in(request_: Request, user: str | None) -> None:
    """The token, on loopback, from a known page."""
    assert Door(TOKEN, origins=["https://lab.example"]).admit(request_) == Guest(user)


def test_bound_to_every_address() -> None:
    """A hub on all addresses is reached by any address, still not by a name it does not have, and a
    page from another address is still foreign."""
    door = Door(TOKEN, "0.0.0.0")
    assert isinstance(door.admit(ask(host="10.0.0.7:80")), Guest)
    assert isinstance(door.admit(ask(host="10.0.0.7:80", origin=["http://10.0.0.7:80"])), Guest)
    assert isinstance(door.admit(ask(host="evil.example")), Refusal)
    assert isinstance(door.admit(ask(host="10.0.0.7:80", origin=["http://10.0.0.9"])), Refusal)
