"""A Selenium Grid: whether it is there, whether it has a free slot, and what to say where not.

A request for a session that cannot be served waits in the grid's own queue, for minutes, and stays
there when nobody waits for it any more: the session it becomes belongs to no one. So a slot is waited
for here, by asking the grid for its state, and only a slot that is free is asked for.
Grid's state: https://www.selenium.dev/documentation/grid/advanced_features/endpoints/
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ..errors import GridUnavailable

STATUS_SECONDS = 5.0
LOOK_SECONDS = 0.25
NAMES: Mapping[str, str] = {"chromium": "chrome", "edge": "MicrosoftEdge", "webkitgtk": "MiniBrowser"}
"""What a grid calls a browser, where it is not what we call it."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots for one browser. ``others`` are the browsers the grid has besides."""

    free: int
    busy: int
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """A grid's address in two: ``url`` is what may be shown, the rest is whom the grid lets in."""

    url: str
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, text: str) -> Address:
        """What ``http://USER:PASSWORD@HOST/...`` means."""
        parts = urlsplit(text)
        known, at, host = parts.netloc.rpartition("@")
        user, _, password = known.partition(":")
        return cls(urlunsplit(parts._replace(netloc=host)), unquote(user), unquote(password)) if at else cls(text)

    @property
    def headers(self) -> dict[str, str]:
        """What a request of ours to the grid says of whom it comes from."""
        if not self.user:
            return {}
        known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {known}"}

    def ask(self, path: str, timeout: float, method: str = "GET") -> Any:
        """The ``value`` of the grid's answer. Raises OSError and ValueError."""
        place = self.url.rstrip("/").removesuffix("/wd/hub") + path
        request = urllib.request.Request(place, method=method, headers=self.headers)
        local = urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
        with opener.open(request, timeout=timeout) as reply:
            answer = json.load(reply)
        return answer.get("value") if isinstance(answer, dict) else None


def shown(address: str) -> str:
    """A grid's address without the password it may hold."""
    return Address.of(address).url


def grid_status(address: str, timeout: float = STATUS_SECONDS) -> dict[str, Any]:
    """What a grid says of itself. Raises :class:`GridUnavailable`."""
    grid = Address.of(address)
    try:
        value = grid.ask("/status", timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code not in (401, 403):
            raise GridUnavailable(f"the grid at {grid.url} answers with {error.code} {error.reason}") from None
        raise GridUnavailable(
            f"the grid at {grid.url} does not let us in ({error.code}); give it a user and a password:"
            " JBTS_GRID_URL=http://USER:PASSWORD@HOST"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise GridUnavailable(
            f"the grid at {grid.url} does not answer ({reason}); start it, or unset JBTS_GRID_URL"
        ) from None
    return value if isinstance(value, dict) else {}


def end_session(address: str, session_id: str, timeout: float = STATUS_SECONDS) -> None:
    """End a session whose process is gone, so that its slot is free; where the grid is gone too, it is."""
    with contextlib.suppress(OSError, ValueError):
        Address.of(address).ask(f"/session/{quote(session_id, safe='')}", timeout, "DELETE")


def count_slots(status: Mapping[str, Any], browser: str) -> Slots | None:
    """The slots for a browser in a grid's status; None where it tells nothing of slots, as services do."""
    nodes = status.get("nodes")
    if not isinstance(nodes, list):
        return None
    wanted, free, busy, others = NAMES.get(browser, browser), 0, 0, set()
    for node in nodes:
        slots = [s for s in node.get("slots", ()) if s.get("stereotype", {}).get("browserName") == wanted]
        others |= {str(s.get("stereotype", {}).get("browserName")) for s in node.get("slots", ())} - {wanted}
        if node.get("availability", "UP") != "UP":
            continue
        used = sum(1 for s in node.get("slots", ()) if s.get("session"))
        room = max(0, int(node.get("maxSessions", len(slots))) - used)
        taken = sum(1 for s in slots if s.get("session"))
        available = min(room, len(slots) - taken)
        free, busy = free + available, busy + len(slots) - available
    return Slots(free, busy, tuple(sorted(others)))


def wait_for_slot(address: str, browser: str, seconds: float) -> None:
    """Return once the grid has a free slot for a browser.

    Raises:
        GridUnavailable: it does not answer, has no such browser, or its slots stayed busy for ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        status = grid_status(address)
        slots = count_slots(status, browser)
        if slots is None or slots.free:
            return
        if status["nodes"] and not slots.busy and slots.others:
            raise GridUnavailable(
                f"the grid at {shown(address)} has no {browser}, only {', '.join(slots.others)}; "
                "use one of these, or add a node that has it"
            )
        left = deadline - time.monotonic()
        if left <= 0:
            raise GridUnavailable(
                f"the grid at {shown(address)} {_why(slots, browser)} for {seconds:g} s; {_next(slots)}"
            )
        threading.Event().wait(min(LOOK_SECONDS, left))  # a grid is asked: it tells nothing by itself


def _why(slots: Slots, browser: str) -> str:
    if not slots.busy:
        return "had no node that is ready"
    return f"had no free slot for {browser} (all {slots.busy} are busy)"


def _next(slots: Slots) -> str:
    if not slots.busy:
        return "start a node"
    return "wait for a session to end, add a node, or wait longer with JBTS_GRID_TIMEOUT"
