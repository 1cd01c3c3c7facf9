"""The messages between the hub and its clients, as bytes; no I/O and no state.

Everything a client may send is parsed here into one of four values, or refused with a
:class:`ProtocolError` whose code the client can act on. Everything the hub says is built here too.
An event goes to many clients and to two rooms: its body is encoded once, where it stands in a room is
appended as text, and the WebSocket frame around it is made once, because a server's frames are unmasked
and so the same for every client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import HubProblem

MAX_MESSAGE = 64 * 1024
"""Bytes of one message from a client; a longer one closes its connection with code 1009."""

EVERYTHING = "test_events"
"""The room that hears every event of the project."""

EXECUTION_PREFIX = "test_execution:"
"""What a room of one execution begins with; its id follows."""

MAX_OFFSET = (1 << 53) - 1
"""The largest offset: what JavaScript counts exactly."""

PLACE_KEYS = ("room", "epoch", "offset", "source", "seq")
"""Keys the hub sets in a message to a room, whatever the sender wrote there."""

HUB_TYPES = frozenset(
    {
        "connection_confirmed", "room_joined", "room_left", "heartbeat", "heartbeat_ack", "stats",
        "error", "gap", "test_execution_event",
    }
)  # fmt: skip
"""Types that only the hub itself may send."""

_ROOM = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_EPOCH = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ProtocolError(HubProblem):
    """A message the hub cannot act on. ``code`` is one of bad_json, bad_message, unknown_type,
    bad_room, bad_position, too_many_rooms, too_fast; the connection stays open."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Join ``room``: from now on, or with ``history`` from the oldest event kept, or (``epoch`` and
    ``offset`` given, always both) from just after the last event seen."""

    room: str
    epoch: str | None = None
    offset: int | None = None
    history: bool = False


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Leave ``room``; leaving a room one is not in is no error."""

    room: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Ask for the time and for where the joined rooms stand."""


@dataclass(frozen=True, slots=True)
class GetStats:
    """Ask for the hub's figures."""


ClientMessage = JoinRoom | LeaveRoom | Heartbeat | GetStats


def is_room(name: object) -> bool:
    """Whether ``name`` can be a room: 1 to 128 letters, digits, ``_``, ``.``, ``:`` and ``-``."""
    return isinstance(name, str) and _ROOM.fullmatch(name) is not None


def execution_room(execution_id: str | None) -> str | None:
    """The room of one execution; None where the id is missing or could not be written in a room's name."""
    name = f"{EXECUTION_PREFIX}{execution_id}"
    return name if execution_id and is_room(name) else None


def parse(message: str | bytes) -> ClientMessage:
    """What a client asks for. Raises :class:`ProtocolError` for anything else."""
    try:
        found = orjson.loads(message)
    except orjson.JSONDecodeError:
        raise ProtocolError("bad_json", "not JSON; send an object with a type") from None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise ProtocolError("bad_message", "send a JSON object with a type")
    kind = found["type"]
    if kind == "join_room":
        return _join(found)
    if kind == "leave_room":
        return LeaveRoom(_room(found))
    if kind == "heartbeat":
        return Heartbeat()
    if kind == "get_stats":
        return GetStats()
    raise ProtocolError(
        "unknown_type",
        f"unknown type {kind[:40]!r}; known are join_room, leave_room, heartbeat, get_stats",
    )


def _room(found: Mapping[str, Any]) -> str:
    room = found.get("room")
    if not isinstance(room, str) or not is_room(room):
        raise ProtocolError(
            "bad_room", "room must be 1 to 128 letters, digits or _ . : - (test_events, test_execution:ID)"
        )
    return room


def _join(found: Mapping[str, Any]) -> JoinRoom:
    room, epoch, offset, history = _room(found), found.get("epoch"), found.get("offset"), found.get("history")
    if history is not None and not isinstance(history, bool):
        raise ProtocolError("bad_message", "history must be true or false")
    if epoch is None and offset is None:
        return JoinRoom(room, history=bool(history))
    if not isinstance(epoch, str) or not _EPOCH.fullmatch(epoch):
        raise ProtocolError("bad_position", "to resume give epoch (text) and offset (integer) as last received")
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset <= MAX_OFFSET:
        raise ProtocolError("bad_position", "to resume give epoch (text) and offset (integer) as last received")
    return JoinRoom(room, epoch, offset, bool(history))


def iso(ts: float) -> str:
    """``ts`` (seconds since the epoch) as ISO 8601 UTC text with microseconds and Z. A time no calendar
    has, which only a damaged line can carry, is written as the epoch."""
    try:
        moment = datetime.fromtimestamp(ts, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def frame(payload: bytes) -> bytes:
    """``payload`` (UTF-8) as one complete, unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def event(event_type: str, execution_id: str | None, data: Mapping[str, Any], ts: float) -> bytes:
    """The body of a ``test_execution_event``, the same in every room; see :func:`placed`."""
    return orjson.dumps(
        {
            "type": "test_execution_event",
            "event_type": event_type,
            "test_execution_id": execution_id,
            "data": data,
            "timestamp": iso(ts),
        }
    )


def message(body: Mapping[str, Any], *, source: str | None = None, seq: int | None = None) -> bytes:
    """The body of a user's own message; one without a ``type`` gets the type ``message``. With
    ``source`` and ``seq`` (its line in the log) it is ready to be :func:`placed` in a room."""
    if source is None:
        return orjson.dumps({"type": "message", **body})
    own = {key: value for key, value in body.items() if key not in PLACE_KEYS}
    return orjson.dumps({"type": "message", **own, "source": source, "seq": seq})


def placed(body: bytes, room: str, epoch: str, offset: int) -> bytes:
    """``body`` (a JSON object that is not empty) with where it stands: room, epoch and offset."""
    return b'%b,"room":"%b","epoch":"%b","offset":%d}' % (body[:-1], room.encode(), epoch.encode(), offset)


def connection_confirmed(connection_id: str, now: float) -> bytes:
    """The first message of every connection."""
    return orjson.dumps({"type": "connection_confirmed", "connection_id": connection_id, "timestamp": iso(now)})


def room_joined(room: str, epoch: str, offset: int, *, was_recovering: bool, recovered: bool) -> bytes:
    """The answer to a join. Everything after ``offset`` follows, as events or as a ``gap``; ``recovered``
    says that nothing is missing since the position that was asked for."""
    return orjson.dumps(
        {
            "type": "room_joined",
            "room": room,
            "epoch": epoch,
            "offset": offset,
            "was_recovering": was_recovering,
            "recovered": recovered,
        }
    )


def room_left(room: str) -> bytes:
    """The answer to leaving a room."""
    return orjson.dumps({"type": "room_left", "room": room})


def heartbeat(now: float, tops: Mapping[str, tuple[str, int]], *, answer: bool) -> bytes:
    """The hub's own ``heartbeat``, or the ``heartbeat_ack`` it answers with. ``tops`` is the epoch and the
    newest offset of each room the client is in, so that it can see whether it is behind."""
    kind = "heartbeat_ack" if answer else "heartbeat"
    return orjson.dumps({"type": kind, "timestamp": iso(now), "tops": dict(tops)})


def stats(data: Mapping[str, Any]) -> bytes:
    """The answer to ``get_stats``."""
    return orjson.dumps({"type": "stats", "data": data})


def error(problem: ProtocolError) -> bytes:
    """The answer to a message that could not be acted on."""
    return orjson.dumps({"type": "error", "message": str(problem), "code": problem.code})


def gap(room: str, epoch: str, first: int, last: int) -> bytes:
    """The offsets ``first`` to ``last`` (both inclusive) are not kept any more and will not come."""
    return orjson.dumps({"type": "gap", "room": room, "epoch": epoch, "from": first, "to": last})
