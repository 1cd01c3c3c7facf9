"""The exchange: records of the log go in, frames for each connection come out.

This is the whole behaviour of the hub without its sockets: which rooms an event goes to, who is in them,
who is behind, what waits for whom. A connection is a :class:`Wire`, so tests drive it with wires of their
own and an exact clock.

A client is never written to beyond a bound. When its buffer is full it is *lagging*: its cursors stay
where they are and whoever owns the wire calls :meth:`Exchange.pump` when there is room again. Nothing
waits for it and nothing is copied for it meanwhile. Messages for one user or one connection take the same
way, through a small room of the client's own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..log.envelope import Record, event_data, event_type
from . import protocol
from .admission import Allowance
from .mailboxes import OfflineQueues, Receipts, Waiting
from .protocol import ClientMessage, GetStats, Heartbeat, JoinRoom, LeaveRoom, ProtocolError
from .rooms import Mailbox, Room, Rooms

MESSAGE_KIND = "message"
"""Kind of a log line that is a message to a user, a connection, a room or all."""

FULL = 256 << 10
"""Bytes waiting in a client's buffer from which on nothing more is written to it."""

MAX_ROOMS_PER_CLIENT = 1_000

MESSAGES_PER_S, MESSAGES_AT_ONCE = 200.0, 2_000
"""What one connection may send: enough to join all its rooms again, twice, and then a steady stream."""

EXCESS = 1_000
"""Messages beyond that, net of those within it, that are answered with an error; then comes a close (1008)."""


class Wire(Protocol):
    """A connection as the exchange sees it. None of its methods waits."""

    def write(self, data: bytes) -> None:
        """Send whole frames."""

    def backlog(self) -> int:
        """Bytes written and not yet taken by the other side's system."""

    def is_open(self) -> bool:
        """Whether frames may still be written."""

    def abort(self) -> None:
        """End the connection at once."""


class Client:
    """One connection: its id, its user (None: anonymous), its wire, and the rooms it is in."""

    __slots__ = ("allowance", "id", "lagging", "mailbox", "rooms", "stuck", "user", "wire")

    def __init__(self, ident: str, user: str | None, wire: Wire) -> None:
        self.id = ident
        self.user = user
        self.wire = wire
        self.rooms: dict[str, Room] = {}
        self.allowance: Allowance | None = None
        self.mailbox: Mailbox | None = None
        self.lagging: set[Room] = set()
        self.stuck: tuple[int, float] = (0, 0.0)
        """Backlog last seen, and since when it has not shrunk."""


class Exchange:
    """Rooms, clients and waiting messages of one hub.

    ``on_lag`` is called once with each client that falls behind; call :meth:`pump` for it as soon as its
    wire has room, until that returns True. ``clock`` is wall time in seconds, for ages and timestamps.
    """

    def __init__(
        self,
        life: str,
        receipts: Receipts,
        *,
        on_lag: Callable[[Client], None],
        rooms: Rooms | None = None,
        queues: OfflineQueues | None = None,
        clock: Callable[[], float] = time.time,
        stall_s: float = 60.0,
    ) -> None:
        self.rooms = Rooms(life) if rooms is None else rooms
        self.queues = OfflineQueues() if queues is None else queues
        self.receipts = receipts
        self.clients: dict[str, Client] = {}
        self.users: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self._on_lag = on_lag
        self._clock = clock
        self._stall_s = stall_s

    # Clients come, ask and go.

    def connect(self, client: Client) -> None:
        """Take a client in: it is confirmed, then given what waited for its user."""
        self.clients[client.id] = client
        self.counts["connects"] += 1
        now = self._clock()
        self._reply(client, protocol.connection_confirmed(client.id, now))
        if client.user is None:
            return
        self.users.setdefault(client.user, set()).add(client.id)
        waiting = self.queues.take(client.user, now)
        self._receipt(waiting, now)
        for one in waiting:
            self._deliver(client, one.body)

    def disconnect(self, client: Client) -> None:
        """Forget a client. Idempotent."""
        if self.clients.pop(client.id, None) is None:
            return
        for room in client.rooms.values():
            room.leave(client.id)
            self.rooms.discard_if_unused(room)
        client.rooms.clear()
        client.lagging.clear()
        if client.user is not None:
            connections = self.users.get(client.user, set())
            connections.discard(client.id)
            if not connections:
                self.users.pop(client.user, None)

    def receive(self, client: Client, text: str | bytes) -> bool:
        """Answer one message of a client; what cannot be acted on is answered with an error. False when it
        has sent so much more than it may that its connection should be closed."""
        now = self._clock()
        if client.allowance is None:
            client.allowance = Allowance(MESSAGES_PER_S, MESSAGES_AT_ONCE, now)
        try:
            if not client.allowance.take(now):
                raise ProtocolError("too_fast", f"more than {MESSAGES_PER_S:.0f} messages a second; slow down")
            self._act(client, protocol.parse(text))
        except ProtocolError as problem:
            self.counts["bad_messages"] += 1
            self._reply(client, protocol.error(problem))
        return client.allowance.over <= EXCESS

    def _act(self, client: Client, message: ClientMessage) -> None:
        if isinstance(message, JoinRoom):
            self._join(client, message)
        elif isinstance(message, LeaveRoom):
            room = client.rooms.pop(message.room, None)
            if room is not None:
                client.lagging.discard(room)
                room.leave(client.id)
                self.rooms.discard_if_unused(room)
            self._reply(client, protocol.room_left(message.room))
        elif isinstance(message, Heartbeat):
            self._reply(client, protocol.heartbeat(self._clock(), self._tops(client), answer=True))
        elif isinstance(message, GetStats):
            self._reply(client, protocol.stats(self.stats()))

    def _join(self, client: Client, join: JoinRoom) -> None:
        if join.room not in client.rooms and len(client.rooms) >= MAX_ROOMS_PER_CLIENT:
            raise ProtocolError("too_many_rooms", f"a connection can be in {MAX_ROOMS_PER_CLIENT} rooms; leave one")
        room = self.rooms.open(join.room)
        standing = room.standing(join)
        self._reply(
            client,
            protocol.room_joined(
                room.name,
                room.epoch,
                standing.cursor,
                was_recovering=standing.was_recovering,
                recovered=standing.recovered,
            ),
        )
        # Only now: what is said in the room must come after the answer.
        room.cursors[client.id] = standing.cursor
        client.rooms[room.name] = room
        self._pump_room(client, room)

    def _tops(self, client: Client) -> dict[str, tuple[str, int]]:
        return {room.name: (room.epoch, room.top) for room in client.rooms.values()}

    def _reply(self, client: Client, payload: bytes) -> None:
        if client.wire.is_open():
            client.wire.write(protocol.frame(payload))

    # Records of the log.

    def apply(self, records: Iterable[Record], *, replay: bool = False) -> None:
        """Take in new records and give each client what it can take at once.

        ``replay`` marks lines read when the hub starts: their events fill the rooms, but of the
        messages in them only those are still sent that were to wait for their user and have no receipt.
        """
        touched: set[Room] = set()
        for record in records:
            if record.kind == MESSAGE_KIND:
                self._message(record, touched, replay)
                continue
            said = event_type(record.kind, record.data)
            if said is not None:
                self._event(said, record, touched)
        for room in touched:
            for ident in list(room.cursors):
                client = self.clients[ident]
                if room not in client.lagging:
                    self._pump_room(client, room)

    def _event(self, said: str, record: Record, touched: set[Room]) -> None:
        where = {"event_id": record.id, "source": record.source, "seq": record.seq}
        body = protocol.event(said, record.execution_id, {**event_data(record), **where}, record.ts)
        for name in (protocol.execution_room(record.execution_id), protocol.EVERYTHING):
            if name is not None:
                touched.add(self.rooms.publish(name, body, source=record.source, ident=record.id))
        self.counts["events"] += 1

    def _message(self, record: Record, touched: set[Room], replay: bool) -> None:
        """Send a message to whom its line names. A line of another shape is counted and left."""
        data = record.data
        target, ident, body = data.get("target"), data.get("id"), data.get("message")
        excluded = data.get("exclude")
        if not isinstance(body, dict) or not (isinstance(ident, str) or target == "all"):
            self.counts["bad_lines"] += 1
            return
        listed = excluded if isinstance(excluded, list) else []
        exclude = frozenset(item for item in listed if isinstance(item, str))
        if target == "room" and protocol.is_room(ident):
            text = protocol.message(body, source=record.source, seq=record.seq)
            touched.add(self.rooms.publish(str(ident), text, source=record.source, ident=record.id, exclude=exclude))
        elif target == "user":
            waiting = Waiting(record.id, record.ts, protocol.message(body))
            self._to_user(str(ident), waiting, bool(data.get("queue_if_offline")), replay)
        elif target == "connection" and not replay:
            self._to_connections([str(ident)], protocol.message(body), exclude)
        elif target == "all" and not replay:
            self._to_connections(list(self.clients), protocol.message(body), exclude)
        elif target not in ("connection", "all"):
            self.counts["bad_lines"] += 1
            return
        self.counts["messages"] += 1

    def _to_connections(self, idents: list[str], body: bytes, exclude: frozenset[str]) -> None:
        for ident in idents:
            client = self.clients.get(ident)
            if client is not None and ident not in exclude:
                self._deliver(client, body)

    def _to_user(self, user: str, waiting: Waiting, queue: bool, replay: bool) -> None:
        now = self._clock()
        connections = self.users.get(user)
        if connections and not replay:
            if queue:
                self._receipt([waiting], now)
            self._to_connections(sorted(connections), waiting.body, frozenset())
        elif queue and waiting.ident not in self.receipts:
            self.queues.put(user, waiting, now)

    def _receipt(self, given: list[Waiting], now: float) -> None:
        """Note a delivery before it happens. On a full disk it happens all the same: a message that may
        come twice after a crash is better than none."""
        try:
            self.receipts.add(given, now)
        except OSError:
            self.counts["receipt_errors"] += 1

    def _deliver(self, client: Client, body: bytes) -> None:
        """Send a message to one connection, in its turn and within the bound of its mailbox."""
        if client.mailbox is None:
            client.mailbox = Mailbox(client.id)
        client.mailbox.append(body)
        if client.mailbox not in client.lagging:
            self._pump_room(client, client.mailbox)

    # Giving clients what they have not had.

    def pump(self, client: Client) -> bool:
        """Go on with a lagging client; True when it has everything (or is gone)."""
        for room in list(client.lagging):
            client.lagging.discard(room)
            self._pump_room(client, room, resumed=True)
        return not client.lagging

    def _pump_room(self, client: Client, room: Room, *, resumed: bool = False) -> None:
        """Write from the client's cursor on, as much as its buffer takes; the rest makes it lagging."""
        wire = client.wire
        cursor = room.cursors.get(client.id)
        if cursor is None or cursor >= room.top or not wire.is_open():
            return
        if wire.backlog() < FULL:
            chunk = room.read(cursor, FULL, client.id)
            if chunk.data:
                wire.write(chunk.data)
            room.cursors[client.id] = chunk.cursor
            self.counts["delivered"] += chunk.events
            if chunk.lost:
                self.counts["gaps"] += 1
                self.counts["gap_events"] += chunk.lost
            if chunk.cursor >= room.top:
                return
        was_lagging = bool(client.lagging) or resumed
        client.lagging.add(room)
        if not was_lagging:
            self.counts["lags"] += 1
            self._on_lag(client)

    # Time passes.

    def beat(self) -> None:
        """Send every client the hub's heartbeat; one whose buffer is filling up is told enough already."""
        now = self._clock()
        for client in list(self.clients.values()):
            if client.wire.is_open() and client.wire.backlog() < FULL:
                self._reply(client, protocol.heartbeat(now, self._tops(client), answer=False))

    def look_after(self, monotonic: float) -> None:
        """Once a second or so: drop messages that waited too long, and connections whose other side has
        taken nothing from a filled buffer for ``stall_s`` seconds. (No ping finds those: a ping waits
        behind what the other side does not take.)"""
        self.queues.expire(self._clock())
        for client in list(self.clients.values()):
            backlog = client.wire.backlog()
            seen, since = client.stuck
            if backlog == 0 or backlog < seen or since == 0.0:
                client.stuck = (backlog, monotonic)
            elif monotonic - since > self._stall_s:
                self.counts["stalled"] += 1
                client.wire.abort()
            elif backlog > seen:
                client.stuck = (backlog, since)

    def stats(self) -> dict[str, Any]:
        """The hub's figures, as ``get_stats`` answers them."""
        counted = ("delivered", "gaps", "gap_events", "events", "messages", "connects", "lags", "stalled")
        return {
            "total_connections": len(self.clients),
            "unique_users": len(self.users),
            "active_rooms": self.rooms.attended(),
            "queued_messages": len(self.queues),
            "room_distribution": self.rooms.distribution(),
            **{name: self.counts[name] for name in counted},
            "lagging": sum(1 for client in self.clients.values() if client.lagging),
            "kept_rooms": len(self.rooms),
            "kept_bytes": self.rooms.bytes,
            "queue_dropped": self.queues.dropped,
            "queue_expired": self.queues.expired,
            "bad_messages": self.counts["bad_messages"],
            "bad_lines": self.counts["bad_lines"],
            "receipt_errors": self.counts["receipt_errors"],
        }
