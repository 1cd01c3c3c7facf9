"""What a suite run came to, as values: attempts, cases, the whole, and the exit code they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .comparison import StepNote, differences
from .selection import Case
from .verdict import Verdict

CaseStatus = Literal["passed", "failed", "error", "flaky", "skipped", "aborted", "not_run"]

ALL_PASSED, FAILURES, USAGE, INFRASTRUCTURE, INTERRUPTED = 0, 1, 2, 3, 130
BAD = frozenset({"failed", "error", "aborted", "not_run"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a case. ``executed`` is the notebook with its outputs (None where nothing ran), ``steps``
    the lines of its steps as "status name", times are seconds since the epoch and milliseconds."""

    number: int
    verdict: Verdict
    started_at: float
    duration_ms: float
    executed: Path | None = None
    executions: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    notes: tuple[StepNote, ...] = ()

    def document(self) -> dict[str, Any]:
        """The attempt as a JSON value."""
        verdict = self.verdict
        return {
            "attempt": self.number,
            "status": verdict.status,
            "message": verdict.message,
            "error_type": verdict.error_type,
            "cell": verdict.cell,
            "infrastructure": verdict.infrastructure,
            "started_at": self.started_at,
            "duration_ms": round(self.duration_ms, 1),
            "executed": str(self.executed) if self.executed else None,
            "executions": list(self.executions),
        }


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case with its attempts. One that passed only after a failed attempt is ``flaky``, which is told
    apart from passed everywhere and fails no run."""

    case: Case
    attempts: tuple[Attempt, ...]
    repeated: bool = False
    """Whether the attempts were repetitions, each of which had to pass."""

    @property
    def status(self) -> CaseStatus:
        if not self.attempts:
            return "not_run"
        last = self.attempts[-1].verdict.status
        if last == "passed" and not self.repeated and len(self.attempts) > 1:
            return "flaky"
        return last

    @property
    def verdict(self) -> Verdict:
        """What to say about it: the last attempt's, and for a flaky one the first failure's."""
        if not self.attempts:
            return Verdict("aborted", "not run: the suite was interrupted before")
        if self.status == "flaky":
            return next(a.verdict for a in self.attempts if not a.verdict.ok)
        return self.attempts[-1].verdict

    @property
    def quarantined(self) -> bool:
        """Whether it did not pass, and fails nothing all the same."""
        return self.case.quarantine is not None and self.status in BAD

    @property
    def differences(self) -> tuple[str, ...]:
        """What differed between the last attempt that failed and the first that passed, as lines; empty where
        there are not both."""
        failing = [attempt for attempt in self.attempts if not attempt.verdict.ok]
        passing = [attempt for attempt in self.attempts if attempt.verdict.status == "passed"]
        return differences(failing[-1].notes, passing[0].notes) if failing and passing else ()

    @property
    def duration_ms(self) -> float:
        return sum(attempt.duration_ms for attempt in self.attempts)

    def document(self) -> dict[str, Any]:
        """The test as a JSON value, with its attempts."""
        case = self.case
        return {
            "name": case.name,
            "test_name": case.test_name,
            "notebook": case.notebook,
            "browser": case.browser,
            "parameters": dict(case.parameters),
            "tags": list(case.tags),
            "status": self.status,
            "message": self.verdict.message,
            "quarantine": case.quarantine,
            "differences": list(self.differences),
            "duration_ms": round(self.duration_ms, 1),
            "attempts": [attempt.document() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """A finished run. ``interrupted`` says that it was ended by Ctrl-C; ``report``, ``junit`` and ``allure``
    are where what was asked for lies. ``notes`` are things worth saying that failed no test."""

    run_id: str
    home: Path
    results: tuple[CaseResult, ...]
    started_at: float
    duration_ms: float
    interrupted: bool = False
    report: Path | None = None
    junit: Path | None = None
    allure: Path | None = None
    parameters: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each status, the statuses that occur only."""
        return dict(Counter(result.status for result in self.results))

    @property
    def status(self) -> Literal["passed", "failed", "error", "aborted"]:
        """The run's status in the store."""
        found = {result.status for result in self.results if not result.quarantined}
        if self.interrupted:
            return "aborted"
        if "error" in found or "aborted" in found:
            return "error"
        return "failed" if found & BAD else "passed"

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 failures, 2 nothing ran, 3 infrastructure (every failure is one: no test had its
        chance and lost it), 130 interrupted."""
        if self.interrupted:
            return INTERRUPTED
        bad = [result for result in self.results if result.status in BAD and not result.quarantined]
        if bad:
            return INFRASTRUCTURE if all(result.verdict.infrastructure for result in bad) else FAILURES
        return ALL_PASSED if any(result.status != "skipped" for result in self.results) else USAGE

    def document(self) -> dict[str, Any]:
        """The run as one JSON value: the last line of ``--json``, and what ``runs/RUN_ID/run.json`` keeps."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "exit_code": self.exit_code,
            "started_at": self.started_at,
            "duration_ms": round(self.duration_ms, 1),
            "home": str(self.home),
            "parameters": dict(self.parameters or {}),
            "counts": self.counts,
            "report": str(self.report) if self.report else None,
            "junit": str(self.junit) if self.junit else None,
            "allure": str(self.allure) if self.allure else None,
            "notes": list(self.notes),
            "tests": [result.document() for result in self.results],
        }
