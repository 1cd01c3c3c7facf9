"""What the page says while a step runs: console lines, JavaScript errors, requests, dialogs.

Events arrive on the channel's thread and are kept in order with an absolute number, so a step's
share is "everything since the mark taken when it began". Kept short: a page that logs in a loop
costs a bounded buffer.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from ..models import ConsoleMessage, NetworkRequest

KEPT = 5000
TEXT_LIMIT = 4000
LEVELS = {"warning": "warning", "error": "error", "assert": "error", "debug": "debug", "trace": "debug"}
NAMES = {"verbose": "debug"}
"""What a line of the browser's own log calls a level, where a console line calls it something else."""


@dataclass(frozen=True, slots=True)
class Dialog:
    """An open JavaScript dialog: kind is alert, confirm, prompt or beforeunload."""

    kind: str
    text: str
    default: str = ""


@dataclass(slots=True)
class _Pending:
    method: str
    url: str
    started: float
    monotonic: float
    target: str = ""


class Signals:
    """The messages of every tab of one browser, by target. Written on the channel's thread, read by steps."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[tuple[str, ConsoleMessage | NetworkRequest]] = deque(maxlen=KEPT)
        self._count = 0
        self._pending: dict[str, _Pending] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._mocked: dict[str, str] = {}

    def mark(self) -> int:
        """The number the next message will get."""
        with self._lock:
            return self._count

    def since(
        self, mark: int, targets: frozenset[str] | set[str], until: int | None = None
    ) -> tuple[list[ConsoleMessage], list[NetworkRequest]]:
        """Messages of these targets from ``mark`` on, up to ``until``, oldest first, as far back as they are kept."""
        with self._lock:
            first = self._count - len(self._items)  # the number of the oldest
            kept = list(self._items)[max(0, mark - first) : None if until is None else max(0, until - first)]
            items = [item for target, item in kept if target in targets]
        return (
            [item for item in items if isinstance(item, ConsoleMessage)],
            [item for item in items if isinstance(item, NetworkRequest)],
        )

    def mocked(self, key: str, note: str) -> None:
        """A request is answered by us; its row will say so."""
        if len(self._mocked) > KEPT:
            self._mocked.pop(next(iter(self._mocked)))
        self._mocked[key] = note

    def in_flight(self, target: str) -> int:
        """How many requests of a tab still wait for an answer."""
        return sum(pending.target == target for pending in list(self._pending.values()))

    def dialog(self, target: str) -> Dialog | None:
        """The dialog open in a tab, if any."""
        with self._lock:
            return self._dialogs.get(target)

    def forget(self, target: str) -> None:
        """The tab is gone: so is its dialog."""
        with self._lock:
            self._dialogs.pop(target, None)

    def _add(self, target: str, item: ConsoleMessage | NetworkRequest) -> None:
        with self._lock:
            self._items.append((target, item))
            self._count += 1

    def receive(self, target: str, method: str, params: dict[str, Any]) -> None:
        """Take one DevTools event of a tab; events that are none of ours are passed over."""
        handler = _HANDLERS.get(method)
        if handler is not None:
            handler(self, target, params)

    def _console(self, target: str, p: dict[str, Any]) -> None:
        text = " ".join(_argument(a) for a in p.get("args", ()))
        where = (p.get("stackTrace") or {}).get("callFrames") or [{}]
        level = LEVELS.get(p.get("type", ""), "info")
        self._add(
            target,
            ConsoleMessage(level, text[:TEXT_LIMIT], where[0].get("url", ""), p.get("timestamp", 0) / 1000),
        )

    def _exception(self, target: str, p: dict[str, Any]) -> None:
        details = p.get("exceptionDetails", {})
        thrown = details.get("exception", {})
        text = thrown.get("description") or f"{details.get('text', 'Uncaught')} {_argument(thrown)}".strip()
        ts = p.get("timestamp", 0) / 1000
        self._add(target, ConsoleMessage("error", str(text)[:TEXT_LIMIT], details.get("url", ""), ts))

    def _entry(self, target: str, p: dict[str, Any]) -> None:
        entry = p.get("entry", {})
        if entry.get("source") == "network":  # the request itself is recorded, with its status
            return
        text, url = str(entry.get("text", ""))[:TEXT_LIMIT], entry.get("url", "")
        level = str(entry.get("level", "info"))
        self._add(target, ConsoleMessage(NAMES.get(level, level), text, url, entry.get("timestamp", 0) / 1000))

    def _request(self, target: str, p: dict[str, Any]) -> None:
        request = p["request"]
        key, now = p["requestId"], p.get("timestamp", 0.0)
        if "redirectResponse" in p and key in self._pending:
            self._finish(target, key, now, p["redirectResponse"].get("status"))
        if request["url"].startswith(("data:", "blob:")) or _unasked(p):
            return
        if len(self._pending) > KEPT:
            self._pending.pop(next(iter(self._pending)))
        self._pending[key] = _Pending(
            request["method"], request["url"][:TEXT_LIMIT], p.get("wallTime", 0.0), now, target
        )

    def _response(self, target: str, p: dict[str, Any]) -> None:
        self._finish(target, p["requestId"], p.get("timestamp", 0.0), p.get("response", {}).get("status"))

    def _failure(self, target: str, p: dict[str, Any]) -> None:
        if p.get("canceled"):  # left behind by a navigation, or aborted by the page on purpose
            self._pending.pop(p["requestId"], None)
            return
        text = p.get("blockedReason") or p.get("errorText") or "failed"
        self._finish(target, p["requestId"], p.get("timestamp", 0.0), None, text)

    def _finish(self, target: str, key: str, now: float, status: int | None, text: str = "") -> None:
        pending, text = self._pending.pop(key, None), self._mocked.pop(key, text)
        if pending is not None:
            duration = max(0.0, (now - pending.monotonic) * 1000)
            self._add(target, NetworkRequest(pending.method, pending.url, status, duration, text, pending.started))

    def _opened(self, target: str, p: dict[str, Any]) -> None:
        with self._lock:
            self._dialogs[target] = Dialog(p.get("type", "alert"), p.get("message", ""), p.get("defaultPrompt", ""))

    def _closed(self, target: str, p: dict[str, Any]) -> None:
        self.forget(target)


def _unasked(p: dict[str, Any]) -> bool:
    """The icon a browser asks for by itself, which no page mentions."""
    return p.get("type") == "Other" and p["request"]["url"].endswith("/favicon.ico")


_HANDLERS = {
    "Runtime.consoleAPICalled": Signals._console,
    "Runtime.exceptionThrown": Signals._exception,
    "Log.entryAdded": Signals._entry,
    "Network.requestWillBeSent": Signals._request,
    "Network.responseReceived": Signals._response,
    "Network.loadingFailed": Signals._failure,
    "Page.javascriptDialogOpening": Signals._opened,
    "Page.javascriptDialogClosed": Signals._closed,
}


def _argument(argument: dict[str, Any]) -> str:
    if "value" in argument:
        value = argument["value"]
        return value if isinstance(value, str) else str(value)
    preview = argument.get("preview", {})
    if preview.get("properties") is not None:
        shown = ", ".join(f"{p['name']}: {p.get('value', '')}" for p in preview["properties"])
        return f"[{shown}]" if preview.get("subtype") == "array" else f"{{{shown}}}"
    return str(argument.get("description") or argument.get("unserializableValue") or argument.get("type", ""))
