"""A subscriber's side: follow a room across broken connections, or ask the hub one thing.

:func:`subscribe` gives each event exactly once and in order. While the hub lives, epoch and offset do
that. A hub that was killed may come back with rooms whose order it could not keep (rooms several
processes write to): it then gives everything it has again, and what was seen before is recognised by the
line it came from, because every process numbers its lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson

from ..errors import HubProblem
from . import discovery
from .protocol import EVERYTHING, is_room

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection as AsyncConnection
    from websockets.sync.client import ClientConnection

MAX_FRAME = 4 << 20
"""Bytes of one message from the hub; a line of the log is at most 1 MiB."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
"""Pause before connecting again: the first, and what it doubles up to."""

_HOUSEKEEPING = frozenset({"connection_confirmed", "room_left", "heartbeat", "heartbeat_ack", "stats"})
_ANSWERS = frozenset({"room_joined", "room_left", "heartbeat_ack", "stats", "error"})
_SLACK = timedelta(seconds=1)
_MAX_SOURCES = 10_000


class Position:
    """Where a subscriber is in a room, and what it has seen. Pure; :func:`subscribe` feeds it."""

    def __init__(self, room: str, *, history: bool = False) -> None:
        self.room = room
        self.history = history
        self.epoch: str | None = None
        self.offset: int | None = None
        self._since: datetime | None = None
        self._started_over = False
        self._marks: OrderedDict[str, int] = OrderedDict()

    def join(self) -> dict[str, Any]:
        """The message that joins the room, or joins it again where this position is."""
        message: dict[str, Any] = {"type": "join_room", "room": self.room}
        if self.offset is None:
            message["history"] = self.history
        else:
            message.update(epoch=self.epoch, offset=self.offset)
        return message

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take note of one message of the hub; whether the subscriber is to get it.

        Raises HubProblem when the hub refused to let it into the room.
        """
        kind = message.get("type")
        if kind == "connection_confirmed" and self._since is None and not self.history:
            self._since = _moment(message.get("timestamp"))
        if kind == "error":
            raise HubProblem(f"the hub refused room {self.room!r}: {message.get('message')}")
        if kind in _HOUSEKEEPING:
            return False
        if message.get("room") != self.room or "epoch" not in message:
            return True  # said to this connection or this user alone
        if kind == "room_joined":
            if self.offset is not None and message["epoch"] != self.epoch and not message["recovered"]:
                self._started_over = True
            self.epoch, self.offset = message["epoch"], message["offset"]
            return False
        if kind == "gap":
            self.epoch, self.offset = message["epoch"], message["to"]
            return True
        self.epoch, self.offset = message["epoch"], message["offset"]
        return self._is_new(message)

    def _is_new(self, message: Mapping[str, Any]) -> bool:
        data = message.get("data")
        line = data if message.get("type") == "test_execution_event" and isinstance(data, dict) else message
        source, seq = line.get("source"), line.get("seq")
        if not isinstance(source, str) or not isinstance(seq, int):
            return True
        mark = self._marks.get(source)
        if mark is None and self._started_over and self._since is not None:
            # A process not heard of here: it wrote before this subscriber came, unless it is a new one.
            said = _moment(message.get("timestamp"))
            if said is not None and said < self._since - _SLACK:
                return False
        if mark is not None and seq <= mark:
            return False
        self._marks[source] = seq
        self._marks.move_to_end(source)
        if len(self._marks) > _MAX_SOURCES:
            self._marks.popitem(last=False)
        return True


class _Line:
    """The connection a subscription is using, for who must end it without waiting."""

    connection: AsyncConnection | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def use(self, connection: AsyncConnection) -> None:
        """Go on with ``connection``."""
        self.connection, self.loop = connection, asyncio.get_running_loop()

    def cut(self) -> None:
        """End the connection at once. Idempotent; from any thread."""
        connection, loop, self.connection = self.connection, self.loop, None
        if connection is not None and loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and closed its generators before
                loop.call_soon_threadsafe(connection.transport.abort)


class Subscription(AsyncIterator[dict[str, Any]]):
    """What :func:`subscribe` returns: iterate it, and ``async with`` it to say goodbye to the hub.

    One that is left in the middle of its loop and forgotten ends its connection too. An asynchronous
    generator alone could not promise that: when the last reference goes as the event loop ends, its own
    closing is cancelled before it began, and the socket stays open until the garbage collector finds it.
    """

    def __init__(self, messages: AsyncGenerator[dict[str, Any], None], line: _Line) -> None:
        self._messages = messages
        self._line = line

    async def __anext__(self) -> dict[str, Any]:
        return await anext(self._messages)

    async def aclose(self) -> None:
        """End the subscription. Idempotent."""
        await self._messages.aclose()

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._line.cut()


def subscribe(
    home_or_url: str | Path,
    room: str = EVERYTHING,
    *,
    token: str | None = None,
    history: bool = False,
    user: str | None = None,
    patience: float = 60.0,
) -> Subscription:
    """The events of ``room``, from now on, or with ``history`` from the oldest still kept.

    ``home_or_url`` is a project's data folder or ``ws://host:port/ws``. Yields ``test_execution_event``
    messages, messages sent to the room, to this connection or to ``user``, and a ``gap`` where events
    were lost to this subscriber. Connects again by itself; raises HubProblem when no hub answered for
    ``patience`` seconds, at once when the hub refuses (token, host, room).
    """
    line = _Line()
    return Subscription(_follow(line, home_or_url, Position(room, history=history), token, user, patience), line)


async def _follow(
    line: _Line, home_or_url: str | Path, position: Position, token: str | None, user: str | None, patience: float
) -> AsyncGenerator[dict[str, Any], None]:
    """The messages of a subscription, over as many connections as it takes."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

    if not is_room(position.room):
        raise HubProblem(f"{position.room!r} cannot be a room; use test_events, test_execution:ID or your own name")
    last_heard = time.monotonic()
    pause = FIRST_PAUSE_S
    while True:
        url = _address(home_or_url, token, user)
        if url is not None:
            try:
                connection = await connect(
                    url, compression=None, max_size=MAX_FRAME, open_timeout=10, close_timeout=2, proxy=None
                )
            except InvalidStatus as refused:
                if refused.response.status_code < 500:
                    raise _refusal(refused.response.status_code, refused.response.body) from None
            except (OSError, InvalidHandshake, TimeoutError, EOFError):
                pass  # not there (yet): try again below
            else:
                line.use(connection)
                try:
                    async with connection:
                        await connection.send(orjson.dumps(position.join()), text=True)
                        while True:
                            message = orjson.loads(await connection.recv())
                            pause, last_heard = FIRST_PAUSE_S, time.monotonic()
                            if position.take(message):
                                yield message
                except (WebSocketException, OSError):
                    last_heard = time.monotonic()
                finally:
                    line.cut()  # also when the goodbye was cancelled
        if time.monotonic() - last_heard > patience:
            raise HubProblem(f"no hub answered for {patience:g} s; start one with: jbts hub")
        # Spread out, so that a thousand clients of a hub that restarts do not come in one moment.
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        pause = min(pause * 2, LONGEST_PAUSE_S)


def send(
    home_or_url: str | Path,
    message: Mapping[str, Any],
    *,
    token: str | None = None,
    user: str | None = None,
    timeout: float = 5.0,
) -> dict[str, Any]:
    """Send one message to the hub and return its answer (which may be of type ``error``).

    Raises HubProblem when there is no hub, it refuses, or does not answer within ``timeout`` seconds.
    """
    with _asking(home_or_url, token, user, timeout) as connection:
        return _ask(connection, message, timeout)


def stats(home_or_url: str | Path, *, token: str | None = None, timeout: float = 5.0) -> dict[str, Any]:
    """The hub's figures: total_connections, unique_users, active_rooms, queued_messages,
    room_distribution, delivered, gaps and more. Raises HubProblem like :func:`send`."""
    data: dict[str, Any] = send(home_or_url, {"type": "get_stats"}, token=token, timeout=timeout)["data"]
    return data


def recent(
    home_or_url: str | Path,
    n: int,
    room: str = EVERYTHING,
    *,
    token: str | None = None,
    timeout: float = 5.0,
) -> list[dict[str, Any]]:
    """The last ``n`` events of ``room`` that are still kept, oldest first. Raises HubProblem like
    :func:`send`."""
    if n <= 0:
        return []
    with _asking(home_or_url, token, None, timeout) as connection:
        joined = _ask(connection, {"type": "join_room", "room": room}, timeout)
        if joined["type"] == "error":
            raise HubProblem(f"the hub refused room {room!r}: {joined['message']}")
        top = joined["offset"]
        _ask(connection, {"type": "leave_room", "room": room}, timeout)
        start = max(0, top - n)
        again = {"type": "join_room", "room": room, "epoch": joined["epoch"], "offset": start}
        at = _ask(connection, again, timeout)["offset"]
        found: list[dict[str, Any]] = []
        while at < top:
            message = _receive(connection, timeout)
            if message.get("room") != room or "epoch" not in message:
                continue
            if message["type"] == "gap":
                at = message["to"]
            elif "offset" in message:
                at = message["offset"]
                if at <= top:
                    found.append(message)
        return found[-n:]


@contextlib.contextmanager
def _asking(home_or_url: str | Path, token: str | None, user: str | None, timeout: float) -> Iterator[ClientConnection]:
    """A short connection of a thread that waits for its answers."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
    from websockets.sync.client import connect

    url = _address(home_or_url, token, user)
    if url is None:
        raise HubProblem(f"no hub is running for {home_or_url}; start one with: %events start, or jbts hub")
    try:
        connection = connect(
            url, compression=None, max_size=MAX_FRAME, open_timeout=timeout, close_timeout=1, proxy=None
        )
    except InvalidStatus as refused:
        raise _refusal(refused.response.status_code, refused.response.body) from None
    except (OSError, InvalidHandshake, TimeoutError, EOFError) as problem:
        raise HubProblem(f"the hub cannot be reached: {problem}") from problem
    try:
        with connection:
            yield connection
    except TimeoutError:
        raise HubProblem(f"the hub did not answer within {timeout:g} s") from None
    except WebSocketException as problem:
        raise HubProblem(f"the hub ended the connection: {problem}") from problem


def _ask(connection: ClientConnection, message: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    connection.send(orjson.dumps(dict(message)), text=True)
    while True:
        answer = _receive(connection, timeout)
        if answer.get("type") in _ANSWERS:
            return answer


def _receive(connection: ClientConnection, timeout: float) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(connection.recv(timeout=timeout))
    return found


def _address(home_or_url: str | Path, token: str | None, user: str | None) -> str | None:
    """What to connect to now; None while the project has no hub. Raises HubProblem for another URL."""
    if isinstance(home_or_url, str) and "://" in home_or_url:
        parts = urlsplit(home_or_url)
        if parts.scheme not in ("ws", "wss"):
            raise HubProblem(f"{parts.scheme}:// is not a hub's address; give ws://HOST:PORT/ws")
        query = [pair for pair in parse_qsl(parts.query) if not (token and pair[0] == "token")]
        if token:
            query.append(("token", token))
        if user is not None:
            query.append(("user", user))
        return urlunsplit(parts._replace(path=parts.path or "/ws", query=urlencode(query)))
    info = discovery.find(Path(home_or_url))
    if info is None:
        return None
    name = "" if user is None else f"&user={quote(user, safe='')}"
    return f"ws://{info.address}/ws?token={quote(token or info.token, safe='')}{name}"


def _refusal(status: int, body: bytes | bytearray | None) -> HubProblem:
    said = (body or b"").decode("utf-8", "replace").strip()[:200]
    return HubProblem(f"the hub refused the connection ({status}): {said}")


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
