"""A second channel to Chromium, beside its driver: the DevTools protocol over one websocket.

The driver stays in charge of what a user does (find, click, type). This channel listens (console,
requests, dialogs) and does what WebDriver cannot (fresh contexts, quick pictures). A call costs
about half a millisecond and does not wait behind a WebDriver command. Protocol:
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from ..errors import BrowserGone, StepProblem, StepTimeout

LEAST = 0.5
Listener = Callable[[str, dict[str, Any], str | None], None]


GONE = "the browser closed its DevTools connection; the next step replaces it"


class CommandRefused(StepProblem):
    """The browser answered a DevTools command with an error."""


class Channel:
    """One connection. ``listener(method, params, session_id)`` is called on the reader's thread, in
    the order the browser sent them, and before the answer to any later call is returned. ``headers`` are
    for whoever stands in between."""

    def __init__(
        self, url: str, listener: Listener, *, headers: Mapping[str, str] | None = None, open_timeout: float = 10
    ) -> None:
        self._listener = listener
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._socket: Any = None
        self._until: float | None = None
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._read, args=(url, headers, ready), name="jbts-cdp", daemon=True)
        self._thread.start()
        try:
            ready.result(open_timeout)
        except (OSError, FutureTimeout) as error:
            raise BrowserGone(f"the browser's DevTools port does not answer ({error})") from None

    def _read(self, url: str, headers: Mapping[str, str] | None, ready: Future[None]) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            with connect(
                url, additional_headers=headers, compression=None, max_size=None, ping_interval=None, proxy=None
            ) as socket:
                self._socket = socket
                ready.set_result(None)
                for text in socket:
                    self._dispatch(json.loads(text))
        except (OSError, WebSocketException) as error:
            if not ready.done():
                ready.set_exception(OSError(str(error)))
        finally:
            with self._lock:
                self._socket = None
                waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                future.set_exception(BrowserGone(GONE))

    def _dispatch(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            self._listener(message["method"], message.get("params", {}), message.get("sessionId"))
            return
        with self._lock:
            future = self._waiting.pop(message["id"], None)
        if future is not None:
            future.set_result(message)

    @property
    def open(self) -> bool:
        return self._socket is not None

    def allow(self, seconds: float | None) -> None:
        """From now on calls have until then together; None: each its own time."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def bounded(self, timeout: float) -> float:
        """``timeout``, or what is left of the time that was allowed, but for a moment."""
        return timeout if self._until is None else min(timeout, max(LEAST, self._until - time.monotonic()))

    def post(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = None
    ) -> Future[dict[str, Any]]:
        """Send a command; the future holds the whole answer. Safe from any thread, the listener's too."""
        future: Future[dict[str, Any]] = Future()
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        with self._lock:
            socket = self._socket
            if socket is None:
                raise BrowserGone(GONE)
            self._waiting[number] = future
        from websockets.exceptions import ConnectionClosed

        try:
            socket.send(json.dumps(message), text=True)
        except (ConnectionClosed, OSError):
            with self._lock:
                self._waiting.pop(number, None)
            raise BrowserGone(GONE) from None
        return future

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        session: str | None = None,
        timeout: float = 10,
    ) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            CommandRefused: the browser answered with an error.
            StepTimeout: no answer within ``timeout`` seconds.
            BrowserGone: the connection is closed.
        """
        return answer(self.post(method, params, session), method, self.bounded(timeout))

    def close(self) -> None:
        """Close the connection and wait for its thread. Can be called twice."""
        socket = self._socket
        if socket is not None:
            socket.close()
        if self._thread is not threading.current_thread():
            self._thread.join(5)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab over the protocol; ``browser=True`` speaks to the browser itself."""

    channel: Channel
    session_id: str

    def call(
        self, method: str, params: dict[str, Any] | None = None, timeout: float = 10, *, browser: bool = False
    ) -> dict[str, Any]:
        """A command's result; errors as :meth:`Channel.call` raises them."""
        return self.channel.call(method, params, None if browser else self.session_id, timeout)

    def post(
        self, method: str, params: dict[str, Any] | None = None, *, browser: bool = False
    ) -> Future[dict[str, Any]]:
        """Send a command and go on; the future holds the whole answer."""
        return self.channel.post(method, params, None if browser else self.session_id)


def answer(future: Future[dict[str, Any]], method: str, timeout: float) -> dict[str, Any]:
    """The result inside a posted command's answer; errors as :meth:`Channel.call` raises them."""
    try:
        message = future.result(timeout)
    except FutureTimeout:
        raise StepTimeout(f"the browser did not answer {method} within {timeout:g} s") from None
    if "error" in message:
        raise CommandRefused(f"{method}: {message['error'].get('message', 'refused')}")
    result: dict[str, Any] = message["result"]
    return result


def browser_url(debugger_address: str, timeout: float = 5) -> str:
    """The browser-level websocket address behind a driver's ``debuggerAddress`` (host:port)."""
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{debugger_address}/json/version", timeout=timeout) as reply:
            return str(json.load(reply)["webSocketDebuggerUrl"])
    except OSError as error:
        raise BrowserGone(f"the browser's DevTools port {debugger_address} does not answer ({error})") from None
