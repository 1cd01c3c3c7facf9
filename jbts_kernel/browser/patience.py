"""A driver's commands bounded in time, and what was left running when somebody stopped waiting.

Selenium waits for an answer for as long as the system lets it, and urllib3 asks again three times. A
driver runs the commands of a session one after another, so a command nobody waits for any more still
stands in the way of the next one. So each command gets the time its step has left, is sent once, and
it is remembered that one was abandoned, whoever did it: an interrupt, or the deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

USUAL = 120.0
SLACK = 1.5
"""Seconds past the step's own time, in which the driver should have given up by itself."""
LEAST = 0.5
LEAST_ASKED = 0.15


class Patience:
    """How long the commands of one driver may take. ``on_abandon`` is called with the name of one that is
    given up."""

    def __init__(self, driver: Any, on_abandon: Callable[[str], None]) -> None:
        self._executor = driver.command_executor
        self._execute = self._executor.execute
        self._session_id = driver.session_id
        self._on_abandon = on_abandon
        self._until: float | None = None
        self.abandoned_at: float | None = None
        """When a command was given up whose answer nobody has seen, by the monotonic clock."""
        self.abandoned = ""
        """The name of that command."""
        self.interrupted = False
        """Whether somebody stopped it, rather than its time being up."""
        self._executor._conn.connection_pool_kw["retries"] = False  # what is asked twice is done twice
        self._executor._conn.clear()
        self._executor.execute = self.execute

    def allow(self, seconds: float | None) -> None:
        """From now on commands have until then together; without a time, each has the usual one."""
        self._until = None if seconds is None else time.monotonic() + seconds + SLACK

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Give the commands within so long together, and not more than they have; what they had counts again after."""
        until = self._until
        soon = time.monotonic() + seconds
        self._until = soon if until is None else min(soon, until)
        try:
            yield
        finally:
            self._until = until

    def suspect(self) -> None:
        """Something did not answer: look before the next command is sent."""
        self.abandoned_at = self.abandoned_at or time.monotonic()

    def execute(self, command: str, params: Any) -> Any:
        """Send one command and wait for its answer. Raises urllib3's errors."""
        left = USUAL if self._until is None else max(LEAST, self._until - time.monotonic())
        self._executor.client_config.timeout = left
        answered = self.interrupted = False
        try:
            answer = self._execute(command, params)
            answered = True
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            if not answered:
                self.abandoned_at, self.abandoned = time.monotonic(), command
                self._on_abandon(command)
        return answer

    def free(self, seconds: float) -> bool:
        """Whether the driver answers within this time; if it does, nothing stands in the way any more."""
        from urllib3.exceptions import HTTPError

        self._executor.client_config.timeout = max(LEAST_ASKED, seconds)
        try:
            self._execute("getTimeouts", {"sessionId": self._session_id})
        except (HTTPError, OSError):
            return False
        self.abandoned_at = None
        return True

    def close(self) -> None:
        """Drop the connection to the driver."""
        self._executor._conn.clear()
