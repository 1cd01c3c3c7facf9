"""Delivers to one receiver, on a thread of its own, so that a receiver that never answers delays no other.

What cannot be delivered is tried again, a bounded number of times, and every failure is a line of the hub's
log, which names the receiver's kind and never its URL. What was under way when the hub ends is not noted as
told, and the next hub tries it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .occasions import Tone
from .rules import Rule, receiver

PAUSES_S = (1.0, 5.0)
"""How long after a failed attempt the next is made; when these are used up it is given up."""

MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Parcel:
    """One notification: ``done`` is called once, when it was delivered or given up."""

    title: str
    body: str
    tone: Tone
    picture: Path | None
    done: Callable[[], None]


Send = Callable[[Rule, Parcel], bool]


def send(rule: Rule, parcel: Parcel) -> bool:
    """Hand a parcel to apprise; whether the receiver took it."""
    import apprise

    robot = receiver(rule)
    if robot is None:
        return False
    kind = apprise.NotifyType(parcel.tone)
    attach = str(parcel.picture) if parcel.picture is not None else None
    return bool(
        robot.notify(
            title=parcel.title, body=parcel.body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT, attach=attach
        )
    )


class Courier:
    """Delivers what :meth:`post` is given, in that order, to the receiver of ``rule``."""

    def __init__(self, rule: Rule, logger: logging.Logger, send: Send = send) -> None:
        self.rule = rule
        self._logger = logger
        self._send = send
        self._waiting: queue.Queue[Parcel | None] = queue.Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self._thread: threading.Thread | None = None

    def post(self, parcel: Parcel) -> None:
        """Deliver this, later; when too much waits already it is given up at once."""
        try:
            self._waiting.put_nowait(parcel)
        except queue.Full:
            self._logger.warning("a notification to %s is given up: %d wait already", self.rule.kind, MOST_WAITING)
            parcel.done()
            return
        self._see_to_it()

    def close(self, timeout: float) -> None:
        """Stop; what is under way gets ``timeout`` seconds."""
        self._closing.set()
        if self._thread is not None:
            with contextlib.suppress(queue.Full):  # it looks at the flag after each parcel
                self._waiting.put_nowait(None)
            self._thread.join(timeout)

    def _see_to_it(self) -> None:
        """There is a thread where something waits."""
        with self._lock:
            if not self._running and not self._waiting.empty() and not self._closing.is_set():
                self._running = True
                self._thread = threading.Thread(target=self._run, name="jbts-notify", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                parcel = self._waiting.get()
                if parcel is not None:
                    self._settle(parcel)
        finally:
            # A service whose own code failed ends this thread with a traceback; the rest is still delivered.
            with self._lock:
                self._running = False
            self._see_to_it()

    def _settle(self, parcel: Parcel) -> None:
        settled = True
        try:
            settled = self._deliver(parcel)
        finally:
            if settled:
                parcel.done()

    def _deliver(self, parcel: Parcel) -> bool:
        """Try it, and again; True when it is settled, one way or the other."""
        for number, pause in enumerate((*PAUSES_S, None), 1):
            if self._send(self.rule, parcel):
                return True
            last = pause is None
            what = "is given up" if last else f"is tried again in {pause:g} s"
            self._logger.warning("a notification to %s failed (attempt %d) and %s", self.rule.kind, number, what)
            if pause is not None and self._closing.wait(pause):
                return False
        return True
