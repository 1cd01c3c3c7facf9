"""Ctrl-C for a whole suite: the first asks every notebook to wind up, the second ends it.

A signal handler that raised would raise wherever the main thread happens to be. This one only says that it
was asked, and whoever waits is woken: running notebooks interrupt their cell and run their teardown cells,
what has not begun does not begin.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether a suite was asked to end. ``level`` is 0 (no), 1 (wind up) or 2 (now). Thread-safe."""

    def __init__(self) -> None:
        # Reentrant: the handler of a second signal can run inside the first one's.
        self._lock = threading.RLock()
        self._watchers: list[Callable[[], None]] = []
        self.level = 0

    def ask(self) -> None:
        """Ask once more."""
        with self._lock:
            self.level = min(self.level + 1, 2)
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher()

    def reach(self, level: int) -> None:
        """Ask until it is at this level, for whoever is told of it more than once."""
        while self.level < min(level, 2):
            self.ask()

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call ``watcher`` (from any thread) whenever somebody asks; at once if somebody already has."""
        with self._lock:
            self._watchers.append(watcher)
            asked = self.level
        try:
            if asked:
                watcher()
            yield
        finally:
            with self._lock:
                self._watchers.remove(watcher)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask, for as long as this lasts. Does nothing outside the main thread, where
        Python has no signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def asked(number: int, frame: FrameType | None) -> None:
            self.ask()

        before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
