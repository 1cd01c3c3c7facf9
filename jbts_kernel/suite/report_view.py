"""What a report shows, as values: read by :mod:`.report`, drawn by :mod:`.report_page`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BAD = frozenset({"failed", "error", "aborted", "not_run"})
"""Statuses of a test or a step that somebody has to look at."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the report's folder: the whole one and its small copy, as relative addresses."""

    whole: str
    small: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as it is shown. ``depth`` is how many groups it stands in, ``evidence`` the address of what a failed
    one left."""

    ordinal: int
    name: str
    verb: str
    status: str
    duration_ms: float
    url: str
    title: str
    error_type: str | None
    error_message: str | None
    picture: Picture | None
    depth: int = 0
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One of the tests a notebook ran, with its steps in order."""

    name: str
    status: str
    message: str
    duration_ms: float
    steps: tuple[StepView, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt: what it ran, and what was said meanwhile. ``notebook`` is the address of the executed
    notebook, ``notebook_page`` that of the same as a page to read."""

    number: int
    status: str
    message: str
    duration_ms: float
    browser: str
    executions: tuple[ExecutionView, ...] = ()
    trace: tuple[str, ...] = ()
    console: tuple[tuple[str, str], ...] = ()
    requests: tuple[tuple[str, str, str], ...] = ()
    notebook: str | None = None
    notebook_page: str | None = None

    @property
    def steps(self) -> tuple[StepView, ...]:
        """The steps of all its executions."""
        return tuple(step for execution in self.executions for step in execution.steps)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different from the last time the test passed. ``when`` and ``commit`` say which time that
    was."""

    when: str
    commit: str
    added: tuple[str, ...]
    gone: tuple[str, ...]
    duration_ms: float


@dataclass(frozen=True, slots=True)
class TestView:
    """One test with its attempts. ``history`` is how it ended in the runs before, as statuses with their times,
    the oldest first; ``differences`` are lines about what differed between a failing attempt and a passing one.
    One that is quarantined and did not pass has that for its status, and the reason in ``quarantine``."""

    __test__ = False

    name: str
    notebook: str
    status: str
    message: str
    duration_ms: float
    tags: tuple[str, ...]
    attempts: tuple[AttemptView, ...]
    change: Change | None = None
    history: tuple[tuple[str, str], ...] = ()
    differences: tuple[str, ...] = ()
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """One of the last runs of these tests: when, how many passed and did not, and how long it took."""

    when: str
    passed: int
    bad: int
    duration_ms: float
    current: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything a report shows."""

    run_id: str
    status: str
    started_at: str
    duration_ms: float
    facts: tuple[tuple[str, str], ...]
    tests: tuple[TestView, ...]
    notes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    trend: tuple[Trend, ...] = ()
