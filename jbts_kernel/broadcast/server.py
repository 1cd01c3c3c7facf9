"""The hub's server: follows the project's log and serves it over WebSocket.

It reads every line still kept *before* it opens its port, so that a client which resumes finds its place.
It ends by itself when nobody writes and nobody listens, or when the project's folder is gone.

Frames go straight to the transport, ready made (``websockets.broadcast`` has no backpressure). Compression
is off: on loopback it costs three to seven times the throughput.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.protocol import State

from ..errors import HubProblem
from ..ids import new_id
from ..log.envelope import Record
from ..log.reader import Tail, sealed
from ..log.segment import SPOOL, names
from . import pages
from .admission import Door, Guest, Refusal, Request
from .discovery import HubInfo, Seat
from .exchange import Client, Exchange
from .mailboxes import Receipts
from .pages import ROUTES, Page, Route, Visit
from .protocol import MAX_MESSAGE

BUSY_S, CROWDED_S = 0.002, 0.01
"""How soon the log is looked at again for clients after something came: as long as it took to bring it to everybody,
which leaves half of the time to others and gives a crowd more in one go, and within these bounds."""

ATTENDED_S = 0.015
"""The same when nothing has come for a while."""

IDLE_S = 0.1
"""The same without a client: nobody waits, and what is watched by nobody should cost the tests nothing."""

MANY = 64
"""Records found at once after which it is looked again at once: there is a backlog to work off."""

GOODBYE_S = 2.0
"""How long a client has to take the last of what it was sent when the hub ends."""

BATCH = 512
"""Records applied before connections get their turn."""

POLL_BYTES = 2 << 20
"""Bytes of the log read at a time: a few tens of milliseconds of work."""

START_BYTES = 96 << 20
"""How much of the log is read at start, newest segments: more than the rooms keep would be let go again."""


_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - bound to all, reached on loopback


@dataclass(frozen=True, slots=True)
class Options:
    """How a hub runs. ``port`` 0 is the last hub's port, or any that is free. ``idle_s`` seconds without
    a writer and without a client end it; None means never."""

    host: str = "127.0.0.1"
    port: int = 0
    idle_s: float | None = 60.0
    origins: tuple[str, ...] = ()
    max_connections: int = 2_000
    heartbeat_s: float = 15.0
    ping_s: float = 20.0
    stall_s: float = 60.0


class Observer(Protocol):
    """Somebody else in the hub who follows the log: what it does must not wait."""

    def take(self, records: Sequence[Record], *, replay: bool) -> None:
        """Take note of new records; ``replay`` marks those that were there when the hub started."""

    def busy(self) -> bool:
        """Whether the hub should not end for want of clients yet."""

    def close(self) -> None:
        """The hub ends."""


class Hub:
    """The hub of the project whose data folder is ``home``. ``routes`` are further pages by path, and
    ``observers`` follow the log beside the clients."""

    def __init__(
        self,
        home: Path,
        options: Options | None = None,
        *,
        routes: Mapping[str, Route] | None = None,
        observers: Sequence[Observer] = (),
        logger: logging.Logger | None = None,
    ) -> None:
        self.home = Path(home).absolute()
        self.options = options or Options()
        self.routes = {**ROUTES, **(routes or {})}
        self.observers = tuple(observers)
        self._logger = logger or logging.getLogger("jbts.hub")
        self._spool = self.home / SPOOL
        self._exchange: Exchange
        self._tail: Tail
        self._door: Door
        self._sealed: set[str] = set()
        self._catching_up: set[asyncio.Task[None]] = set()

    async def run(self, seat: Seat, stop: asyncio.Event, ready: Callable[[HubInfo], None]) -> None:
        """Serve until ``stop`` is set (clients are told 1001) or nobody needs a hub any more.

        ``seat`` is released at the end. ``ready`` is called once clients can connect. Raises HubProblem
        when the port cannot be had.
        """
        receipts = Receipts(seat.run / "receipts", time.time())
        try:
            self._exchange = Exchange(secrets.token_hex(6), receipts, on_lag=self._on_lag, stall_s=self.options.stall_s)
            await self._read_kept()
            token = seat.token()
            self._door = Door(token, self.options.host, self.options.origins)
            server = await self._listen(seat)
            async with server:
                host, port = server.sockets[0].getsockname()[:2]
                info = HubInfo(_REACHED_AT.get(host, host), port, token, os.getpid())
                seat.announce(info)
                ready(info)
                await self._serve(seat, stop)
                seat.leave()
                # A goodbye waits behind what the other side has not taken: not for long.
                asyncio.get_running_loop().call_later(GOODBYE_S, self._abort_all)
        finally:
            receipts.close()
            for observer in self.observers:
                observer.close()
            seat.release()

    async def _read_kept(self) -> None:
        """Read what is in the log already. Each poll takes ``POLL_BYTES`` or all there is, so their number
        is known beforehand: a writer that never pauses cannot keep the hub from opening."""
        skipped = _skip_old(self._spool, START_BYTES)
        self._tail = Tail(self._spool, skipped, poll_bytes=POLL_BYTES)
        kept = sum(_size(self._spool / name) for name in names(self._spool) if name not in skipped)
        for _ in range(kept // POLL_BYTES + 2):
            records = self._tail.poll()
            self._exchange.apply(records, replay=True)
            for observer in self.observers:
                observer.take(records, replay=True)
            if not records:
                return
            await asyncio.sleep(0)

    async def _serve(self, seat: Seat, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._follow()),
                group.create_task(self._tend()),
                group.create_task(self._watch(seat, stop)),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _listen(self, seat: Seat) -> Server:
        """Open the port: the one asked for, else the last hub's, else any."""
        wanted = [self.options.port] if self.options.port else [seat.last_port(), 0]
        for port in wanted:
            try:
                return await serve(
                    self._handle,
                    self.options.host,
                    port,
                    process_request=self._receive_request,
                    compression=None,
                    max_size=MAX_MESSAGE,
                    max_queue=8,
                    write_limit=(64 << 10, 16 << 10),
                    ping_interval=self.options.ping_s,
                    ping_timeout=self.options.ping_s,
                    open_timeout=5,
                    close_timeout=2,
                    server_header=None,
                    create_connection=_Connection,
                    logger=self._logger,
                )
            except OSError as problem:
                if problem.errno == errno.EADDRINUSE and port != wanted[-1]:
                    continue
                raise HubProblem(
                    f"the hub cannot listen on {self.options.host}:{port}: {problem.strerror or problem}; "
                    "choose another with --port or --host"
                ) from problem
        raise AssertionError("unreachable: the last port either serves or raises")

    # What goes on beside the connections.

    async def _follow(self) -> None:
        """Bring what is new in the log to the clients."""
        pause = BUSY_S
        while True:
            began = time.monotonic()
            records = self._tail.poll()
            for start in range(0, len(records), BATCH):
                batch = records[start : start + BATCH]
                self._exchange.apply(batch)
                for observer in self.observers:
                    observer.take(batch, replay=False)
                await asyncio.sleep(0)
            if not self._exchange.clients:
                pause = IDLE_S
            elif records:
                pause = min(max(BUSY_S, time.monotonic() - began), CROWDED_S)
            else:
                pause = min(pause * 1.1, ATTENDED_S)
            await asyncio.sleep(0 if len(records) >= MANY else pause)

    async def _tend(self) -> None:
        """Heartbeats, and what needs a look now and then."""
        next_beat = time.monotonic() + self.options.heartbeat_s
        while True:
            await asyncio.sleep(min(1.0, self.options.heartbeat_s))
            now = time.monotonic()
            self._exchange.look_after(now)
            if now >= next_beat:
                next_beat = now + self.options.heartbeat_s
                self._exchange.beat()

    async def _watch(self, seat: Seat, stop: asyncio.Event) -> None:
        """End the hub when nobody needs it, or nobody can find it."""
        idle = self.options.idle_s
        needed = time.monotonic()
        while True:
            await asyncio.sleep(1.0 if idle is None else min(1.0, max(idle / 5, 0.02)))
            if seat.lost():
                self._logger.warning("the project's folder was removed or replaced; ending")
                stop.set()
            elif idle is not None:
                if self._exchange.clients or self._writers() or any(one.busy() for one in self.observers):
                    needed = time.monotonic()
                elif time.monotonic() - needed >= idle:
                    stop.set()

    def _abort_all(self) -> None:
        for client in list(self._exchange.clients.values()):
            client.wire.abort()

    def _writers(self) -> bool:
        """Whether some process has a segment of the log open."""
        closed, still_open = sealed(self._spool, self._sealed)
        self._sealed.update(path.name for path in closed)
        return bool(still_open)

    # Connections.

    async def _receive_request(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        """Decide about a request before it becomes a WebSocket; None lets it in."""
        headers = request.headers
        seen = Request(
            request.path,
            headers.get_all("Host"),
            headers.get_all("Origin"),
            headers.get_all("Authorization"),
        )
        found = pages.find(self.routes, seen.path)
        if found is not None:
            route, rest = found
            refused = self._door.place(seen) or (None if route.public else self._door.token(seen))
            if refused:
                return _refused(connection, refused)
            visit = Visit(self.home, self._exchange, rest)
            return _page(
                connection, await asyncio.to_thread(route.answer, visit) if route.reads else route.answer(visit)
            )
        decision = self._door.admit(seen)
        if isinstance(decision, Refusal):
            return _refused(connection, decision)
        if len(self._exchange.clients) >= self.options.max_connections:
            return _refused(connection, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the hub is full; try later"))
        assert isinstance(connection, _Connection)
        connection.guest = decision
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, _Connection)
        client = Client(new_id(), connection.guest.user, _ConnectionWire(connection))
        self._exchange.connect(client)
        try:
            async for text in connection:
                if not self._exchange.receive(client, text):
                    await connection.close(1008, "too many messages")
                    return
                # Answers nobody takes must not pile up: this client's next question waits.
                await connection.drain()
        except (ConnectionClosed, OSError):
            pass  # it went without a goodbye; what it has not had is still in the rooms
        finally:
            self._exchange.disconnect(client)

    def _on_lag(self, client: Client) -> None:
        task = asyncio.get_running_loop().create_task(self._catch_up(client))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _catch_up(self, client: Client) -> None:
        """Give a client that is behind the rest, as fast as its side takes it."""
        wire = client.wire
        assert isinstance(wire, _ConnectionWire)
        try:
            while True:
                await wire.connection.drain()
                await asyncio.sleep(0)
                if self._exchange.pump(client):
                    return
        except OSError:
            return  # the connection broke; its handler takes it out


class _Connection(ServerConnection):
    """A connection that remembers as whom it was let in."""

    guest: Guest


class _ConnectionWire:
    """A WebSocket connection as a wire. Whole frames only, and only while it is open, so they never fall
    between those the library sends itself (pings, the close)."""

    __slots__ = ("connection",)

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    def write(self, data: bytes) -> None:
        self.connection.transport.write(data)

    def backlog(self) -> int:
        return self.connection.transport.get_write_buffer_size()

    def is_open(self) -> bool:
        return self.connection.state is State.OPEN and not self.connection.transport.is_closing()

    def abort(self) -> None:
        self.connection.transport.abort()


def _page(connection: ServerConnection, page: Page) -> Response:
    response = connection.respond(page.status, "")
    response.body = page.body
    own = (
        ("Content-Type", page.mime),
        ("Content-Length", str(len(page.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    for name, value in (*own, *page.headers):
        if name in response.headers:
            del response.headers[name]
        response.headers[name] = value
    return response


def _refused(connection: ServerConnection, refusal: Refusal) -> Response:
    return connection.respond(refusal.status, f"{refusal.reason}\n")


def _skip_old(spool: Path, keep: int) -> dict[str, int]:
    """A tail position behind everything but the newest ``keep`` bytes of segments."""
    position: dict[str, int] = {}
    kept = 0
    for name in reversed(names(spool)):
        size = _size(spool / name)
        if kept and kept + size > keep:
            position[name] = size
        kept += size
    return position


def _size(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:  # retired meanwhile
        return 0
