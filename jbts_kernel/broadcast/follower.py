"""Events for code that is not asynchronous: a thread of its own listens, and hands them on a few times a second.

However fast they come, whoever takes them is called four times a second at the most, with the newest of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import HubProblem
from .client import Subscription

EVERY = 0.25
KEPT = 200


class Follower:
    """Hands the events of a subscription to ``take``, oldest first, until it is stopped. ``lost`` is called with what
    is wrong when no hub answers any more."""

    def __init__(
        self,
        subscribe: Callable[[], Subscription],
        take: Callable[[Sequence[dict[str, Any]]], None],
        lost: Callable[[HubProblem], None],
    ) -> None:
        self._subscribe, self._take, self._lost = subscribe, take, lost
        self._waiting: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jbts-follower", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5) -> None:
        """Say goodbye to the hub and wait for the thread. Idempotent; also from that thread itself."""
        self._ready.wait(timeout)
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # it closed between the question and the call
                loop.call_soon_threadsafe(task.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._follow())

    async def _follow(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        try:
            async with self._subscribe() as subscription:
                async for event in subscription:
                    if not self._waiting:
                        self._loop.call_later(EVERY, self._hand_on)
                    self._waiting.append(event)
        except HubProblem as problem:
            self._lost(problem)

    def _hand_on(self) -> None:
        events = list(self._waiting)
        self._waiting.clear()
        self._take(events)
