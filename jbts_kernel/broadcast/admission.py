"""Who may talk to the hub: the checks of a request, before anything else is done for it.

Any page in the user's browser can reach a port on loopback, so the token alone is not the whole answer:
the ``Host`` a page on the internet would use (DNS rebinding) and a foreign ``Origin`` are refused first,
and with the same care a header that comes twice, because two readers could read two different things.
Pure: headers come in as lists, a decision goes out.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

PATH = "/ws"
MAX_USER = 128
"""Characters of a user's name."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Request:
    """What is looked at: the request target, and all values of each header in question."""

    target: str
    host: Sequence[str] = ()
    origin: Sequence[str] = ()
    authorization: Sequence[str] = ()

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(frozen=True, slots=True)
class Guest:
    """A request that is let in. ``user`` is None for an anonymous connection."""

    user: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is turned away, with the line that says why."""

    status: HTTPStatus
    reason: str


class Allowance:
    """How many messages a connection may send: ``burst`` at once (a client that comes back joins all its
    rooms in one go), ``rate`` a second after that."""

    __slots__ = ("_left", "_seen", "burst", "over", "rate")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self.over = 0
        """How many were too many, each that was not making up for one."""
        self._left = float(burst)
        self._seen = now

    def take(self, now: float) -> bool:
        """Whether one more message is within it."""
        self._left = min(float(self.burst), self._left + max(0.0, now - self._seen) * self.rate)
        self._seen = now
        if self._left < 1:
            self.over += 1
            return False
        self._left -= 1
        self.over = max(0, self.over - 1)
        return True


class Door:
    """Decides for one hub: its ``token``, the ``bound`` address, and ``origins`` allowed beside its own.

    A page is of an allowed origin also when it came here through a proxy that keeps the name it was asked
    for, as JupyterLab's does: the name of an allowed origin is served as a ``Host`` too."""

    def __init__(self, token: str, bound: str = "127.0.0.1", origins: Sequence[str] = ()) -> None:
        self._token = token.encode()
        self._origins = frozenset(origins)
        self._names = _LOOPBACK | {bound.lower()} | {_hostname(urlsplit(origin).netloc) for origin in origins} - {""}
        self._any_address = bound in _WILDCARDS
        if self._any_address:
            self._names |= {socket.gethostname().lower()}

    def place(self, request: Request) -> Refusal | None:
        """Whether the request was meant for this hub and comes from a page it knows; None when so."""
        if len(request.host) != 1 or not self._is_ours(_hostname(request.host[0])):
            return Refusal(HTTPStatus.FORBIDDEN, "this Host is not served here")
        if len(request.origin) > 1:
            return Refusal(HTTPStatus.FORBIDDEN, "more than one Origin")
        if request.origin and not self._is_known_origin(request.origin[0], request.host[0]):
            return Refusal(HTTPStatus.FORBIDDEN, "this Origin may not connect; allow it with --origin")
        return None

    def token(self, request: Request) -> Refusal | None:
        """Whether the request carries the token, as ``Authorization: Bearer`` or ``?token=``."""
        given = parse_qs(urlsplit(request.target).query).get("token", [])
        if request.authorization:
            kind, _, value = request.authorization[0].partition(" ")
            given = [value.strip()] if kind.lower() == "bearer" and len(request.authorization) == 1 else []
        if not given:
            return Refusal(HTTPStatus.UNAUTHORIZED, "no token; it is in run/hub.json of the project's data")
        good = len(given) == 1 and hmac.compare_digest(given[0].encode("utf-8", "replace"), self._token)
        return None if good else Refusal(HTTPStatus.UNAUTHORIZED, "wrong token; see run/hub.json")

    def admit(self, request: Request) -> Guest | Refusal:
        """The whole decision for a WebSocket connection."""
        refused = self.place(request)
        if refused:
            return refused
        if request.path != PATH:
            return Refusal(HTTPStatus.NOT_FOUND, f"nothing here; connect to {PATH}")
        refused = self.token(request)
        if refused:
            return refused
        users = parse_qs(urlsplit(request.target).query).get("user", [])
        if len(users) > 1 or (users and (len(users[0]) > MAX_USER or not users[0].isprintable())):
            return Refusal(HTTPStatus.BAD_REQUEST, f"user must be one name of at most {MAX_USER} characters")
        return Guest(users[0] if users else None)

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        # Bound to every address, the hub cannot know its names; an address cannot be rebound by DNS.
        return self._any_address and _is_address(name)

    def _is_known_origin(self, origin: str, host: str) -> bool:
        if origin in self._origins:
            return True
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https"):
            return False
        return _hostname(parts.netloc) in self._names or parts.netloc.lower() == host.strip().lower()


def _hostname(host: str) -> str:
    """The name in a ``Host`` value, without port and brackets; empty where it is none."""
    try:
        parts = urlsplit(f"//{host.strip()}")
        parts.port  # noqa: B018 - raises ValueError where there is no number
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    return parts.hostname or ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
