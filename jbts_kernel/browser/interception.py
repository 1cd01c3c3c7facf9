"""Answers given in a server's stead, and networks that are slow or away, for one user's context.

Chromium pauses a request that fits a pattern and waits for us, so everything here is decided on the
channel's thread from what was prepared beforehand: no answer waits for a step, a lock that a step
holds, or a file. What no rule fits goes on at once. Frames of other sites live in processes of their
own and are listened to as soon as a context has a rule.
"""

from __future__ import annotations

import base64
import contextlib
import heapq
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..errors import BrowserGone
from .cdp import Channel
from .signals import Signals

INNER = [{"type": "iframe"}, {"type": "worker"}]

NETWORKS: Mapping[str, Mapping[str, Any]] = {
    "online": {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    "offline": {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    # Chromium's own preset: 400 kbit/s, and 400 ms a way as HTTP over a bad radio feels them
    "slow-3g": {"offline": False, "latency": 2000, "downloadThroughput": 50_000, "uploadThroughput": 50_000},
}


@dataclass(eq=False)
class Mock:
    """One rule. ``pattern`` is the glob as a regular expression; ``status`` None lets the server answer
    (after ``delay_ms``); ``hits`` counts the requests it took, ``times`` is how many it takes."""

    glob: str
    pattern: re.Pattern[str]
    method: str | None = None
    status: int | None = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    abort: bool = False
    delay_ms: float = 0.0
    times: int | None = None
    hits: int = 0

    @property
    def wildcard(self) -> str:
        """A pattern of Chromium's that fits at least what the glob fits (its ``*`` crosses ``/``)."""
        literal = re.sub(r"([?\\])", r"\\\1", self.glob)
        return "*" + re.sub(r"\*+", "*", literal) + "*"

    @property
    def does(self) -> str:
        """What it answers, in a few words."""
        answer = "aborts" if self.abort else "lets pass" if self.status is None else f"answers {self.status}"
        return f"{answer} after {self.delay_ms:g} ms" if self.delay_ms else answer

    def fits(self, url: str, method: str) -> bool:
        open_ = self.times is None or self.hits < self.times
        return open_ and self.method in (None, method) and bool(self.pattern.match(url))


@dataclass
class _Rules:
    """What holds in one context."""

    mocks: list[Mock] = field(default_factory=list)
    network: str = "online"


class Interception:
    """The rules of every context of one browser. ``announce`` and ``receive`` run on the channel's thread."""

    def __init__(self, channel: Channel, signals: Signals) -> None:
        self._channel = channel
        self._signals = signals
        self._lock = threading.Lock()  # held for a few assignments at a time, never while waiting
        self._rules: dict[str, _Rules] = {}
        self._contexts: dict[str, str] = {}
        self._late = _Late(channel)

    # ---- rules ----------------------------------------------------------------------------------
    def mocks(self, context_id: str) -> tuple[Mock, ...]:
        """The rules of a context, in the order they were made."""
        with self._lock:
            return tuple(self._rules[context_id].mocks) if context_id in self._rules else ()

    def add(self, context_id: str, mock: Mock, sessions: Sequence[str]) -> list[Future[dict[str, Any]]]:
        """Mock from now on; done when the futures are. ``sessions`` are the context's open tabs."""
        with self._lock:
            rules = self._rules.setdefault(context_id, _Rules())
            rules.mocks.append(mock)
        return self._apply(context_id, sessions)

    def remove(self, context_id: str, mock: Mock, sessions: Sequence[str]) -> list[Future[dict[str, Any]]]:
        """Drop one rule again."""
        with self._lock:
            if context_id in self._rules and mock in self._rules[context_id].mocks:
                self._rules[context_id].mocks.remove(mock)
        return self._apply(context_id, sessions)

    def clear(self, context_id: str, sessions: Sequence[str]) -> list[Future[dict[str, Any]]]:
        """Mock nothing any more in this context."""
        with self._lock:
            if context_id not in self._rules:
                return []
            self._rules[context_id].mocks.clear()
        return self._apply(context_id, sessions)

    def network(self, context_id: str, name: str, sessions: Sequence[str]) -> list[Future[dict[str, Any]]]:
        """Give a context one of :data:`NETWORKS`."""
        with self._lock:
            self._rules.setdefault(context_id, _Rules()).network = name
        return self._apply(context_id, sessions)

    def forget(self, context_id: str) -> None:
        """The context is gone, and its rules with it."""
        with self._lock:
            self._rules.pop(context_id, None)
            self._contexts = {s: c for s, c in self._contexts.items() if c != context_id}

    def close(self) -> None:
        """End the thread of late answers, if there is one. Can be called twice."""
        self._late.close()

    # ---- tabs and frames --------------------------------------------------------------------------
    def announce(self, session_id: str, context_id: str) -> None:
        """A tab opened: what holds in its context holds there before its first request."""
        with self._lock:
            self._contexts[session_id] = context_id
            known = context_id in self._rules
        if known:
            self._prepare(session_id, context_id)

    def enter(self, session_id: str, parent_session: str) -> None:
        """A frame or worker in a process of its own, waiting for us to let it begin."""
        with self._lock:
            context = self._contexts.get(parent_session, "")
            self._contexts[session_id] = context
            known = context in self._rules
        if known:
            self._prepare(session_id, context)
        self._channel.post("Runtime.runIfWaitingForDebugger", session=session_id)

    def leave(self, session_id: str) -> None:
        """A tab, frame or worker is gone."""
        with self._lock:
            self._contexts.pop(session_id, None)

    def _apply(self, context_id: str, tabs: Sequence[str]) -> list[Future[dict[str, Any]]]:
        with self._lock:
            inner = [s for s, context in self._contexts.items() if context == context_id and s not in tabs]
        return [future for session in (*tabs, *inner) for future in self._prepare(session, context_id)]

    def _prepare(self, session_id: str, context_id: str) -> list[Future[dict[str, Any]]]:
        with self._lock:
            rules = self._rules[context_id]
            patterns = [{"urlPattern": mock.wildcard} for mock in rules.mocks]
            network = NETWORKS[rules.network]
        post, mocked = self._channel.post, bool(patterns)
        fetch = ("Fetch.enable", {"patterns": patterns}) if mocked else ("Fetch.disable", {})
        attach = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True, "filter": INNER}
        return [
            post("Target.setAutoAttach", attach, session_id),
            post(*fetch, session_id),
            # what comes from a cache or a service worker is asked of nobody, so it could not be mocked
            post("Network.setCacheDisabled", {"cacheDisabled": mocked}, session_id),
            post("Network.setBypassServiceWorker", {"bypass": mocked}, session_id),
            post("Network.emulateNetworkConditions", dict(network), session_id),
        ]

    # ---- requests ---------------------------------------------------------------------------------
    def receive(self, params: Mapping[str, Any], session_id: str) -> None:
        """Answer one paused request, or let it go on."""
        request, number = params["request"], params["requestId"]
        with self._lock:
            context = self._contexts.get(session_id, "")
            rules = self._rules.get(context)
            mocks = reversed(rules.mocks) if rules else ()
            preflight = request["method"] == "OPTIONS" and _header(request, "Access-Control-Request-Method")
            method = preflight or request["method"]
            mock = next((m for m in mocks if m.fits(request["url"], method)), None)
            if mock is not None and not preflight:
                mock.hits += 1
        if mock is None or (mock.status is None and not mock.abort and not mock.delay_ms):
            self._channel.post("Fetch.continueRequest", {"requestId": number}, session_id)
            return
        if "networkId" in params:
            self._signals.mocked(params["networkId"], f"mocked: {mock.does}")
        command, answer = _answer(mock, request, bool(preflight))
        if mock.delay_ms and not preflight:
            self._late.post(mock.delay_ms / 1000, command, {"requestId": number, **answer}, session_id)
        else:
            self._channel.post(command, {"requestId": number, **answer}, session_id)


def _header(request: Mapping[str, Any], name: str) -> str:
    headers: Mapping[str, str] = request.get("headers", {})
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")


def _answer(mock: Mock, request: Mapping[str, Any], preflight: bool) -> tuple[str, dict[str, Any]]:
    """The command that answers a paused request, and its parameters. A page of another site may read it."""
    if mock.abort:
        return "Fetch.failRequest", {"errorReason": "Failed"}
    if mock.status is None:
        return "Fetch.continueRequest", {}
    headers = list(mock.headers)
    given = {name.lower() for name, _ in headers}
    origin = _header(request, "Origin")
    if origin and "access-control-allow-origin" not in given:
        headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
    if preflight:
        headers += [
            ("Access-Control-Allow-Methods", _header(request, "Access-Control-Request-Method")),
            ("Access-Control-Allow-Headers", _header(request, "Access-Control-Request-Headers")),
        ]
    return "Fetch.fulfillRequest", {
        "responseCode": 204 if preflight else mock.status,
        "responseHeaders": [{"name": name, "value": value} for name, value in headers],
        "body": base64.b64encode(b"" if preflight else mock.body).decode("ascii"),
    }


class _Late:
    """Answers that are due later, sent in their order by one thread, which begins with the first of them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._due: list[tuple[float, int, str, dict[str, Any], str]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._number = 0
        self._closed = False

    def post(self, seconds: float, command: str, params: dict[str, Any], session_id: str) -> None:
        with self._changed:
            self._number += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._number, command, params, session_id))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="jbts-late-answers", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _, _, command, params, session_id = heapq.heappop(self._due)
            with contextlib.suppress(BrowserGone):  # nobody waits for it any more
                self._channel.post(command, params, session_id)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(5)
