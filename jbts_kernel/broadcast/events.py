"""What a notebook holds of the broadcast: start and stop the hub, send messages, listen.

Sending is one append to the log, like everything else: it costs microseconds, needs no connection, and
works while the hub is down (it catches up). Only what asks the hub something (``stats``, ``tail``)
connects to it. Neither the WebSocket library nor the hub is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from weakref import WeakSet

from ..errors import ConfigProblem, HubProblem
from ..models import Event
from . import discovery
from .discovery import HubInfo

if TYPE_CHECKING:
    from .client import Subscription
    from .follower import Follower
    from .threaded import HubThread

Mode = Literal["process", "thread", "off"]


class EventLog(Protocol):
    """The part of the log that is needed here."""

    def emit(self, *events: Event) -> bool: ...


@dataclass(frozen=True, slots=True)
class EventsStatus:
    """How the broadcast stands: ``running`` says whether clients can connect; ``address`` is host:port
    and ``pid`` the hub's process, both None when it is not running."""

    mode: Mode
    running: bool
    address: str | None = None
    pid: int | None = None

    def __str__(self) -> str:
        if self.running:
            return f"running at {self.address}, process {self.pid}"
        return "off" if self.mode == "off" else "not running"


class Events:
    """The broadcast of the project in ``home``, published through ``log``.

    ``mode`` process (the usual one) shares one hub process among all kernels of the project; thread runs
    it inside this process; off has none, and messages are refused. ``metrics`` says whether a hub that is
    started here serves ``/metrics``.
    """

    def __init__(self, home: Path, log: EventLog, mode: Mode = "process", *, metrics: bool = True) -> None:
        if mode not in ("process", "thread", "off"):
            raise ConfigProblem(f"JBTS.broadcaster = {mode!r} cannot be; use process, thread or off")
        self.home = Path(home).absolute()
        self.mode: Mode = mode
        self.metrics = metrics
        self._log = log
        self._thread: HubThread | None = None
        self._followers: WeakSet[Follower] = WeakSet()

    # The hub.

    def start(self) -> EventsStatus:
        """See to it that there is a hub, without waiting for its process to come up. Cheap when there is
        one: call it whenever something begins. Raises HubProblem when a thread's hub cannot start."""
        if self.mode == "process":
            discovery.ensure_started(self.home, *self._words)
        elif self.mode == "thread" and discovery.find(self.home) is None:
            from .threaded import HubThread

            self.close()
            self._thread = HubThread.start(self.home, metrics=self.metrics)
        return self.status()

    def stop(self) -> bool:
        """End the project's hub, for everyone (in mode thread: this object's own); True when one was
        ended. Raises HubProblem when it lives inside another process."""
        if self.mode == "thread":
            had_one = self._thread is not None
            self.close()
            return had_one
        return discovery.stop(self.home)

    def close(self) -> None:
        """End what this object runs itself (a thread's hub, followers). A hub process lives on for the others
        and ends by itself. Idempotent."""
        for follower in tuple(self._followers):
            follower.stop()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def status(self) -> EventsStatus:
        """Whether there is a hub, and where."""
        info = discovery.find(self.home)
        if info is None:
            return EventsStatus(self.mode, False)
        return EventsStatus(self.mode, True, info.address, info.pid)

    def url(self) -> str:
        """The ``ws://`` address with its token, for a client outside. Starts the hub and waits for it
        (up to 10 s). Raises HubProblem when there is none."""
        return self._ready().url

    def page(self) -> str:
        """The ``http://`` address of the live page, with its token. Starts the hub like :meth:`url`."""
        return self._ready().page

    @property
    def _words(self) -> tuple[str, ...]:
        """The options of a hub this object starts."""
        return () if self.metrics else ("--no-metrics",)

    def _ready(self) -> HubInfo:
        if self.mode == "process":
            return discovery.ensure(self.home, 10, *self._words)
        if self.mode == "thread":
            self.start()
        info = discovery.find(self.home)
        if info is None:
            raise HubProblem("there is no hub; set JBTS.broadcaster to process, or run: jbts hub")
        return info

    def announce(self, run_id: str, entries: Sequence[str], report: Path | None = None) -> None:
        """Leave word whom the hub is to tell of a run, as ``JBTS.notify`` has it, and where its report will be. Raises
        ConfigProblem."""
        from ..notify import rules

        if self.mode == "off":
            raise ConfigProblem("JBTS.notify needs the broadcast; set JBTS.broadcaster to process or thread")
        rules.register(self.home, run_id, entries, report)

    # Publishing. All return True when the message is in the log.

    def send_to_user(self, user: str, message: Mapping[str, Any], queue_if_offline: bool = True) -> bool:
        """Send to all connections of ``user``; for one who is not there it waits up to an hour (the last
        1000 messages of a user), unless ``queue_if_offline`` is false."""
        return self._send("user", user, message, queue_if_offline=queue_if_offline)

    def send_to_connection(self, connection_id: str, message: Mapping[str, Any]) -> bool:
        """Send to one connection, by the id it was confirmed with; lost when it is gone."""
        return self._send("connection", connection_id, message)

    def broadcast_to_room(self, room: str, message: Mapping[str, Any], exclude: str | Iterable[str] = ()) -> bool:
        """Send to everyone in ``room`` but the connections in ``exclude``, one id or several. The room keeps it like an
        event, with an epoch and an offset of its own."""
        from .protocol import is_room

        if not is_room(room):
            raise HubProblem(f"{room!r} cannot be a room: 1 to 128 letters, digits or _ . : -")
        return self._send("room", room, message, exclude=[exclude] if isinstance(exclude, str) else [*exclude])

    def broadcast_to_all(self, message: Mapping[str, Any]) -> bool:
        """Send to every connection there is at that moment."""
        return self._send("all", None, message)

    def _send(
        self,
        target: str,
        ident: str | None,
        message: Mapping[str, Any],
        *,
        exclude: Sequence[str] = (),
        queue_if_offline: bool = False,
    ) -> bool:
        from .protocol import HUB_TYPES

        if not isinstance(message, Mapping) or not all(isinstance(key, str) for key in message):
            raise HubProblem(f"a message is an object with text keys, not {type(message).__name__}")
        if message.get("type") in HUB_TYPES:
            raise HubProblem(f"the type {message['type']!r} is the hub's own; use another")
        if self.mode == "off":
            return False
        data = {
            "target": target,
            "id": ident,
            "exclude": list(exclude),
            "queue_if_offline": queue_if_offline,
            "message": dict(message),
        }
        return self._log.emit(Event("message", data))

    # Listening and asking.

    def stats(self) -> dict[str, Any]:
        """The hub's figures; see :func:`.client.stats`. Raises HubProblem when there is no hub."""
        from . import client

        return client.stats(self.home)

    def tail(self, n: int = 20) -> list[dict[str, Any]]:
        """The last ``n`` events of the project, oldest first. Starts the hub where there is none."""
        from . import client

        self._ready()
        return client.recent(self.home, n)

    def subscribe(self, room: str = "test_events", *, history: bool = False) -> Subscription:
        """``async for event in events.subscribe(...)``; see :func:`.client.subscribe`. Starts the hub
        where there is none, without waiting."""
        from . import client

        self.start()
        return client.subscribe(self.home, room, history=history)

    def follow(self, take: Callable[[Sequence[dict[str, Any]]], None], lost: Callable[[HubProblem], None]) -> Follower:
        """Hand all events to ``take``, those that are kept and then those that come, on a thread of their own, until
        the follower or this object ends. Starts the hub like :meth:`subscribe`."""
        from .follower import Follower

        follower = Follower(lambda: self.subscribe(history=True), take, lost)
        self._followers.add(follower)
        return follower
