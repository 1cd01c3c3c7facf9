"""Notifications: the occasions of the log, told to those who asked, each once.

It runs where the log is followed (the hub). What was told is noted by the id of its record, so that a hub
that starts anew and reads the same log tells nobody twice, and tells what the one before could not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ..log.envelope import Record
from . import rules
from .courier import Courier, Parcel, Send, send
from .occasions import Occasion, Occasions

MAX_AGE_S = 3_600.0
"""An occasion older than that is no news: a hub that comes late does not tell it."""

GOODBYE_S = 1.0


class Told(Protocol):
    """Remembers what was told, across hubs."""

    def __contains__(self, ident: str) -> bool: ...

    def note(self, ident: str, ts: float) -> None: ...

    def close(self) -> None: ...


class Notifier:
    """Follows the log of the project in ``home``. ``told`` is asked for when there is something to tell."""

    def __init__(
        self,
        home: Path,
        told: Callable[[], Told],
        logger: logging.Logger,
        *,
        send: Send = send,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self._open_told = told
        self._told: Told | None = None
        self._logger = logger
        self._send = send
        self._clock = clock
        self._occasions = Occasions()
        self._couriers: dict[str, Courier] = {}
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._ended: set[str] = set()
        self._closed = False
        rules.forget_old(home)

    def take(self, records: Sequence[Record], *, replay: bool) -> None:
        """Find what is worth telling and hand it to the couriers; nothing here waits for one."""
        for record in records:
            occasion = self._occasions.take(record)
            if occasion is not None:
                self._tell(occasion)

    def busy(self) -> bool:
        """Whether something is still under way."""
        return bool(self._open)

    def close(self) -> None:
        """The hub ends: what is under way gets a moment, the rest is the next hub's."""
        deadline = time.monotonic() + GOODBYE_S
        for courier in self._couriers.values():
            courier.close(max(0.0, deadline - time.monotonic()))
        with self._lock:
            self._closed = True
            if self._told is not None:
                self._told.close()

    def _tell(self, occasion: Occasion) -> None:
        run_id = occasion.run_id or ""
        for rule in rules.registered(self.home, run_id):
            ident = f"{occasion.ident}/{rule.key}"
            if occasion.when not in rule.when or self._clock() - occasion.ts > MAX_AGE_S or self._was_told(ident):
                continue
            courier = self._couriers.get(rule.key)
            if courier is None:
                courier = self._couriers[rule.key] = Courier(rule, self._logger, self._send)
            with self._lock:
                self._open[run_id] += 1
            courier.post(self._parcel(occasion, ident))
        if occasion.when == "finished":
            with self._lock:
                self._ended.add(run_id)
            self._settle(run_id)

    def _parcel(self, occasion: Occasion, ident: str) -> Parcel:
        run_id = occasion.run_id or ""

        def done() -> None:
            with self._lock:
                if self._closed:
                    return
                if self._told is not None:
                    self._told.note(ident, occasion.ts)
                self._open[run_id] -= 1
                self._open += Counter()  # without those at zero
            self._settle(run_id)

        body = "\n".join([*occasion.lines, f"report: {self._report(run_id)}"])
        return Parcel(occasion.title, body, occasion.tone, self._picture(occasion.picture), done)

    def _settle(self, run_id: str) -> None:
        """A run that has ended and about which nothing is open is forgotten."""
        with self._lock:
            if run_id not in self._ended or self._open[run_id]:
                return
            self._ended.discard(run_id)
        rules.forget(self.home, run_id)

    def _was_told(self, ident: str) -> bool:
        if self._told is None:
            self._told = self._open_told()
        return ident in self._told

    def _report(self, run_id: str) -> str:
        page = self.home / "reports" / run_id / "index.html"
        return rules.report_of(self.home, run_id) or (str(page) if page.exists() else f"jbts report {run_id}")

    def _picture(self, digest: str | None) -> Path | None:
        """The file of an artifact, by its hash."""
        if digest is None or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            return None
        folder = self.home / "artifacts" / digest[:2]
        return next((p for p in (folder / f"{digest}.{e}" for e in ("png", "webp", "jpg")) if p.is_file()), None)
