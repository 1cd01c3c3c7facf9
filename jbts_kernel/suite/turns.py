"""Whose turn it is: a bounded number at a time, in the order they asked.

Kernels start and end beside the notebooks that run, but only so many run: that is what a number of workers means.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import JBTSError


class NotBegun(JBTSError):
    """The run was asked to end before this notebook had its turn."""


class Turns:
    """``count`` turns at a time. Safe to use from several threads."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._free = count
        self._asking: deque[Callable[[], None]] = deque()

    @contextmanager
    def ask(self, granted: Callable[[], None]) -> Iterator[None]:
        """Ask for a turn: ``granted`` is called, from any thread, when it has come, and it lasts until the block
        ends. A block that ends before has asked for nothing."""
        with self._lock:
            self._asking.append(granted)
        self._grant()
        try:
            yield
        finally:
            with self._lock:
                if granted in self._asking:
                    self._asking.remove(granted)
                else:
                    self._free += 1
            self._grant()

    def _grant(self) -> None:
        with self._lock:
            due = [self._asking.popleft() for _ in range(min(self._free, len(self._asking)))]
            self._free -= len(due)
        for granted in due:
            granted()
