"""``jbts run --json``: what happens, one JSON object a line, for whatever reads a run as it goes.

Every object has a ``type`` and ``at`` (seconds since the epoch). The last line is the finished run, with the same
document that ``runs/RUN_ID/run.json`` keeps.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .outcome import Attempt, CaseResult, SuiteResult
from .progress import Silent
from .selection import Case


class JSONLines(Silent):
    """``write`` prints a line; it is called by one thread at a time."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.time) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()

    def begin(self, run_id: str, cases: Sequence[Case], workers: int) -> None:
        self._say("run_started", run_id=run_id, workers=workers, tests=[case.name for case in cases])

    def started(self, case: Case, attempt: int) -> None:
        self._say("test_started", name=case.name, attempt=attempt)

    def step(self, case: Case, name: str) -> None:
        self._say("test_step", name=case.name, step=name)

    def ended(self, case: Case, attempt: Attempt, again: bool) -> None:
        if again:
            self._say("test_repeated", name=case.name, **attempt.document())

    def done(self, result: CaseResult) -> None:
        self._say("test_finished", **result.document())

    def finish(self, result: SuiteResult) -> None:
        self._say("run_finished", **result.document())

    def _say(self, kind: str, **about: Any) -> None:
        with self._lock:
            self._write(json.dumps({"type": kind, "at": round(self._clock(), 3), **about}, default=str))
