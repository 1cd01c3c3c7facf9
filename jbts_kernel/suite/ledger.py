"""What a run writes into the log itself: the run, and the executions no kernel could end or even begin.

A kernel records its own executions. Where it died, or a cell ended it (``exit()``), its last execution has a
beginning only, and is ended here with the verdict. Where it never recorded one (plain Python, no kernel at all) there
is one row for the attempt all the same. Where everything it recorded had passed before the notebook failed, the attempt
gets a row of its own: an end is never written twice, because each one is a row.
"""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import INFRASTRUCTURE
from ..ids import new_id
from ..log import Log
from ..models import Event
from ..recorder import git_state, history_id
from .outcome import SuiteResult
from .selection import Case
from .verdict import Verdict
from .watch import Trail

_GOOD = ("passed", "skipped")


class Ledger:
    """Writes one run. Times are seconds since the epoch."""

    def __init__(
        self,
        log: Log,
        run_id: str,
        parameters: Mapping[str, Any],
        folder: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.log = log
        self.run_id = run_id
        self.parameters = dict(parameters)
        self.clock = clock
        commit, branch = git_state(folder)
        self._about = {
            "kind": "suite",
            "git_commit": commit,
            "git_branch": branch,
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "parameters": self.parameters,
        }
        self._started_at = clock()

    def begin(self) -> None:
        """The run begins."""
        self._emit("run.started", {**self._about, "started_at": self._started_at})

    def end(self, result: SuiteResult) -> None:
        """The run ends."""
        self._emit("run.finished", {**self._about, "status": result.status, "started_at": self._started_at})

    def settle(
        self, case: Case, attempt: int, verdict: Verdict, started_at: float, trails: Sequence[Trail]
    ) -> tuple[str, ...]:
        """See to it that the attempt is in the store as what it was; the ids of its executions."""
        ids = [trail.execution_id for trail in trails]
        parameters = {**self.parameters, **dict(case.parameters)}
        for trail in trails:
            if trail.finished is None:
                self._finish(trail.execution_id, trail.started, verdict, trail.started_at)
        recorded = [str((trail.finished or {"status": verdict.status}).get("status")) for trail in trails]
        if not trails or (not verdict.ok and all(status in _GOOD for status in recorded)):
            about = {
                "test_name": case.test_name,
                "history_id": history_id(f"{case.notebook}::{case.test_name}", parameters),
                "notebook": case.notebook,
                "category": case.category,
                "priority": case.priority,
                "tags": list(case.tags),
                "browser": case.browser,
                "browser_version": None,
                "base_url": parameters.get("base_url"),
                "attempt": attempt,
                "parameters": parameters,
            }
            ids.append(new_id())
            started_at = max([started_at, *(trail.finished_at for trail in trails)])
            self._emit("execution.started", about, ids[-1], ts=started_at)
            self._finish(ids[-1], about, verdict, started_at)
        return tuple(ids)

    def _finish(self, execution_id: str, about: Mapping[str, Any], verdict: Verdict, started_at: float) -> None:
        end = {
            "status": verdict.status,
            "started_at": started_at,
            "duration_ms": (self.clock() - started_at) * 1000,
            "error_type": verdict.error_type,
            "error_message": verdict.message.removeprefix(f"{verdict.error_type}: ") or None,
        }
        self._emit("execution.finished", {**about, **end}, execution_id)

    def _emit(
        self, kind: str, data: Mapping[str, Any], execution_id: str | None = None, ts: float | None = None
    ) -> None:
        self.log.emit(Event(kind, data, self.run_id, execution_id, ts=self.clock() if ts is None else ts))


def with_steps(verdict: Verdict, trails: Sequence[Trail], expected: Collection[str]) -> Verdict:
    """The verdict, given what the steps came to.

    A notebook whose cells all completed failed if a step in it did, except in cells that were expected to
    raise: ``expected`` holds their ids and the hashes of their sources. A failure is infrastructure if no
    browser came up.
    """
    bad = [step for trail in trails for step in trail.bad if not {step.cell_id, step.source_hash} & set(expected)]
    if verdict.status == "passed":
        if bad:
            step = bad[0]
            message = (
                f"{step.error_type}: {step.error_message}"
                if step.error_message
                else f"step {step.name!r} {step.status}"
            )
            status: Any = "failed" if step.status == "failed" else "error"
            return Verdict(status, message, None, step.error_type, step.error_type in INFRASTRUCTURE)
        ends = [trail.finished for trail in trails if trail.finished is not None]
        odd = next((end for end in ends if end.get("status") not in _GOOD), None)
        if odd is not None and not expected:
            status = odd["status"] if odd["status"] in ("failed", "error", "aborted") else "error"
            return Verdict(
                status, str(odd.get("error_message") or "the test did not pass"), None, odd.get("error_type")
            )
        return verdict
    if bad and bad[0].error_type in INFRASTRUCTURE:
        return Verdict(verdict.status, verdict.message, verdict.cell, bad[0].error_type, infrastructure=True)
    return verdict
