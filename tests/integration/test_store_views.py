"""The views: right on nothing, on one row and on several, live and published."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.publish import ensure, publish
from jbts_kernel.store.queries import Results
from jbts_kernel.store.schema import TABLES
from jbts_kernel.store.views import VIEWS

NOON = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
DAY = datetime.date(2026, 9, 21)


class Project:
    """Records into one data folder; every helper takes what matters to a test and fills in the rest."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = Log(home)
        self.results = Results(home)
        self.count = 0
        ensure(home)

    def emit(
        self,
        kind: str,
        data: dict[str, Any],
        *,
        run: str = "r",
        execution: str | None = "e",
        step: str | None = None,
        ts: float = NOON,
    ) -> None:
        assert self.log.emit(Event(kind, data, run, execution, step, ts=ts))

    def execution(
        self,
        test: str,
        status: str = "passed",
        *,
        run: str = "r",
        attempt: int = 1,
        at: float = 0,
        **more: Any,
    ) -> str:
        """An execution that has ended; the later ones of a project are later. Its identifier."""
        self.count += 1
        ident = f"e{self.count:04d}"
        began = NOON + self.count + at
        data = {
            "test_name": test,
            "history_id": f"h-{test}",
            "attempt": attempt,
            "started_at": began,
            "duration_ms": 100.0,
        }
        self.emit("execution.finished", {**data, "status": status, **more}, run=run, execution=ident, ts=began + 0.1)
        return ident

    def step(self, execution: str, status: str = "passed", *, ordinal: int = 1, **more: Any) -> str:
        """A step that has ended. Its identifier."""
        self.count += 1
        ident = f"s{self.count:04d}"
        data = {
            "ordinal": ordinal,
            "name": "Click",
            "verb": "click",
            "step_type": "click",
            "locator": "#go",
            "duration_ms": 10.0,
        }
        began = {"started_at": NOON + self.count}
        self.emit("step.finished", {**data, **began, "status": status, **more}, execution=execution, step=ident)
        return ident

    def view(self, name: str, columns: str = "*") -> list[dict[str, Any]]:
        """The rows of a view, which are the same live and published."""
        live = self.results.rows(f"SELECT {columns} FROM {name}")
        self.log.close()
        publish(self.home)
        assert self.results.rows(f"SELECT {columns} FROM {name}") == live
        self.log = Log(self.home)
        return live.dicts()


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(home)
    yield made
    made.log.close()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_views_are_what_is_documented(project: Project, view: Any) -> None:
    """On an empty project a view has no row, and its columns are those of its documentation, in order."""
    table = project.results.rows(f"SELECT * FROM {view.name}")
    assert table.rows == ()
    assert table.columns == tuple(name for name, _ in view.columns)
    assert view.doc and all(doc for _, doc in view.columns)


@pytest.mark.parametrize("relation", TABLES, ids=lambda relation: relation.name)
def test_tables_are_what_is_documented(project: Project, relation: Any) -> None:
    """A table's columns and types are those of its documentation, live and sealed."""
    table = project.results.rows(f"SELECT * FROM {relation.name}")
    assert table.columns == tuple(column.name for column in relation.columns)
    assert table.types == tuple(column.type for column in relation.columns)
    assert relation.doc and all(column.doc for column in relation.columns)


def test_latest_executions(project: Project) -> None:
    """One row for each test: its latest, with the columns of executions."""
    project.execution("a", "failed")
    second = project.execution("a", "passed")
    other = project.execution("b", "failed")
    assert {row["execution_id"]: row["status"] for row in project.view("latest_executions")} == {
        second: "passed",
        other: "failed",
    }


def test_latest_executions_of_one_that_runs(project: Project) -> None:
    """A test that runs is its own latest execution."""
    project.execution("a", "failed")
    project.emit("execution.started", {"test_name": "a", "history_id": "h-a"}, execution="now", ts=NOON + 99)
    rows = project.results.rows("SELECT execution_id, status FROM latest_executions").rows
    assert rows == (("now", "running"),)


def test_failures(project: Project) -> None:
    """Executions that ended badly, with the first step that failed and was not optional."""
    project.execution("good")
    bad = project.execution("bad", "failed", error_type="StepFailed", error_message="no #go")
    project.step(bad, ordinal=1)
    project.step(bad, "failed", ordinal=2, optional=True, error_message="never mind")
    third = project.step(
        bad, "failed", ordinal=3, error_message="no #go", error_fingerprint="fp", url="http://a/", screenshot="p"
    )
    project.step(bad, "error", ordinal=4, error_message="and then")
    plain = project.execution("plain", "error", error_type="ValueError", error_message="bad cell")
    rows = project.view("failures")
    assert [(row["execution_id"], row["step_id"], row["error_message"]) for row in rows] == [
        (plain, None, "bad cell"),
        (bad, third, "no #go"),
    ]
    assert rows[1]["url"] == "http://a/" and rows[1]["error_fingerprint"] == "fp" and rows[1]["screenshot"] == "p"


def test_failures_of_a_test_that_goes_on(project: Project) -> None:
    """A step that failed is there while its test is still running; a test that runs well is not."""
    for execution in ("bad", "good"):
        project.emit("execution.started", {"test_name": execution, "history_id": execution}, execution=execution)
    failed = project.step("bad", "failed", error_message="no #go")
    project.step("good")
    rows = project.results.rows("SELECT execution_id, status, step_id FROM failures").rows
    assert rows == (("bad", "running", failed),)


def test_failure_clusters(project: Project) -> None:
    """Failing steps with one fingerprint are one row that counts steps, executions and tests."""
    for test, message in (("a", "waited 1 s"), ("a", "waited 2 s"), ("b", "waited 3 s")):
        project.step(project.execution(test, "failed"), "failed", error_fingerprint="slow", error_message=message)
    lone = project.execution("b", "error")
    project.step(lone, "error", error_fingerprint="lone", error_message="boom", error_type="BrowserGone")
    rows = project.view("failure_clusters")
    assert [row["error_fingerprint"] for row in rows] == ["slow", "lone"]
    assert (rows[0]["failures"], rows[0]["executions"], rows[0]["tests"]) == (3, 3, 2)
    assert rows[0]["example"] == "waited 3 s"
    assert rows[1]["last_execution_id"] == lone and rows[1]["error_type"] == "BrowserGone"


def test_a_failure_in_a_group_counts_once(project: Project) -> None:
    """Where a step failed, the groups around it are no failures of their own; a group that failed by itself is one."""
    first = project.execution("a", "failed")
    outer = project.step(first, "failed", verb="group", locator=None, error_type="StepFailed", error_fingerprint="g")
    inside = {"parent_step_id": outer, "verb": "group", "error_type": "StepFailed", "error_fingerprint": "g"}
    inner = project.step(first, "failed", ordinal=2, **inside)
    step = project.step(first, "failed", ordinal=3, parent_step_id=inner, error_fingerprint="step")
    second = project.execution("b", "failed")
    alone = project.step(second, "failed", verb="group", error_type="AssertionError", error_fingerprint="own")
    project.step(second, "failed", ordinal=2, parent_step_id=alone, optional=True, error_fingerprint="whatever")
    assert {row["error_fingerprint"]: row["failures"] for row in project.view("failure_clusters")} == {
        "step": 1, "own": 1,
    }  # fmt: skip
    assert {row["execution_id"]: row["step_id"] for row in project.view("failures")} == {first: step, second: alone}


def flaky(project: Project) -> dict[str, Any]:
    rows = project.view("flaky_tests")
    assert len(rows) == 1
    return rows[0]


def test_a_steady_test_is_not_flaky(project: Project) -> None:
    """A test that always passes has rates of 0 and the severity none."""
    for run in range(4):
        project.execution("a", run=f"r{run}")
    row = flaky(project)
    assert (row["runs"], row["passed"], row["flake_rate"], row["flip_rate"], row["severity"]) == (4, 4, 0, 0, "none")


def test_a_pass_on_retry_is_a_flake(project: Project) -> None:
    """A result that passed only after a failed attempt counts as flaky, and as passed."""
    project.execution("a", run="r0")
    project.execution("a", "failed", run="r1")
    project.execution("a", "passed", run="r1", attempt=2)
    row = flaky(project)
    assert (row["runs"], row["passed"], row["flaky"], row["flake_rate"]) == (2, 2, 1, 0.5)
    assert (row["flips"], row["flip_rate"], row["severity"]) == (0, 0, "high")


def test_a_failure_on_every_attempt_is_no_flake(project: Project) -> None:
    """Attempts that all failed are one failed result."""
    for attempt in (1, 2, 3):
        project.execution("a", "failed", attempt=attempt)
    row = flaky(project)
    assert (row["runs"], row["passed"], row["flake_rate"], row["severity"]) == (1, 0, 0, "none")


def test_an_aborted_attempt_counts_as_failed(project: Project) -> None:
    """A pass after an attempt whose process died is a flake."""
    project.execution("a", "aborted")
    project.execution("a", attempt=2)
    assert flaky(project)["flaky"] == 1


def test_running_a_test_again_is_no_retry(project: Project) -> None:
    """In one interactive run each first attempt is a result of its own: passes after failures are flips."""
    for status in ("failed", "passed", "failed", "passed"):
        project.execution("a", status)
    row = flaky(project)
    assert (row["runs"], row["passed"], row["flaky"]) == (4, 2, 0)
    assert (row["flips"], row["flip_rate"], row["severity"]) == (3, 1.0, "high")


@pytest.mark.parametrize(("flakes", "severity"), [(0, "none"), (1, "low"), (2, "medium"), (9, "medium"), (10, "high")])
def test_severity(project: Project, flakes: int, severity: str) -> None:
    """none at 0, low above, medium from 10 %, high from 50 %."""
    for number in range(20):
        if number < flakes:
            project.execution("a", "error", run=f"r{number}")
        project.execution("a", run=f"r{number}", attempt=1 + (number < flakes))
    assert flaky(project)["severity"] == severity


def test_flakiness_is_of_the_latest_results(project: Project) -> None:
    """Only the last 50 results count: what was unsteady long ago is forgiven."""
    for number in range(5):
        project.execution("a", "failed" if number % 2 else "passed", run=f"old{number}")
    for number in range(50):
        project.execution("a", run=f"new{number}")
    row = flaky(project)
    assert (row["runs"], row["flips"], row["severity"]) == (50, 0, "none")


def test_slowest_steps(project: Project) -> None:
    """Quantiles of the time of steps that do the same, slowest first; skipped ones do not count."""
    for number in range(1, 101):
        project.step("e", duration_ms=float(number), wait_ms=1.0)
    project.step("e", "skipped", duration_ms=1e6)
    project.step("e", "failed", locator="#slow", duration_ms=5_000.0)
    rows = project.view("slowest_steps")
    assert [(row["locator"], row["runs"], row["failed"]) for row in rows] == [("#slow", 1, 1), ("#go", 100, 0)]
    assert (rows[1]["p50_ms"], rows[1]["max_ms"], rows[1]["mean_wait_ms"]) == (50.5, 100.0, 1.0)
    assert rows[1]["p95_ms"] == pytest.approx(95.05) and rows[1]["p99_ms"] == pytest.approx(99.01)


def test_pass_rate_daily(project: Project) -> None:
    """Results by day, retries counted once; what was skipped is not judged."""
    project.execution("a")
    project.execution("b", "failed")
    project.execution("c", "error")
    project.execution("c", "passed", attempt=2)
    project.execution("d", "skipped")
    project.execution("a", "skipped", run="r2", at=86_400)
    rows = project.view("pass_rate_daily")
    assert [row["day"] for row in rows] == [DAY + datetime.timedelta(days=1), DAY]
    assert rows[0]["pass_rate"] is None
    assert {key: rows[1][key] for key in ("results", "passed", "failed", "error", "skipped", "aborted", "flaky")} == {
        "results": 4, "passed": 2, "failed": 1, "error": 0, "skipped": 1, "aborted": 0, "flaky": 1,
    }  # fmt: skip
    assert rows[1]["pass_rate"] == pytest.approx(2 / 3)
    assert rows[1]["mean_duration_ms"] == 125.0


def test_ai_usage_daily(project: Project) -> None:
    """Tokens and cost by day, provider and model; an unknown price stays unknown and is counted."""
    call = {"provider": "openai", "model": "m", "status": "ok", "input_tokens": 100, "output_tokens": 10, "attempts": 1}
    project.emit("analysis", {**call, "analysis_id": "1", "cost_usd": 0.25, "latency_ms": 100.0})
    project.emit("analysis", {**call, "analysis_id": "2", "status": "timeout", "attempts": 3, "cost_usd": None})
    project.emit(
        "analysis",
        {**call, "analysis_id": "3", "cache_hit": True, "cost_usd": None, "attempts": 0},
    )
    project.emit("analysis", {"analysis_id": "4", "provider": "offline", "status": "ok"}, execution=None)
    offline, online = project.view("ai_usage_daily")
    assert (offline["provider"], offline["calls"], offline["cost_usd"], offline["unpriced"]) == ("offline", 1, None, 0)
    assert (online["calls"], online["failed"], online["cache_hits"], online["requests"]) == (3, 1, 1, 4)
    assert (online["input_tokens"], online["output_tokens"], online["cost_usd"]) == (200, 20, 0.25)
    assert (online["unpriced"], online["mean_latency_ms"], online["day"]) == (1, 100.0, DAY)


def test_findings_open(project: Project) -> None:
    """Findings of each test's latest execution and of no execution, worst first; those of older ones are closed."""
    finding = {"category": "overlap", "source": "dom", "message": "hidden"}
    old = project.execution("a")
    new = project.execution("a")
    step = project.step(new, url="http://a/")
    project.emit("finding", {**finding, "finding_id": "f1", "severity": "critical"}, execution=old)
    project.emit("finding", {**finding, "finding_id": "f2", "severity": "minor"}, execution=new, step=step)
    project.emit("finding", {**finding, "finding_id": "f3", "severity": "serious"}, execution=new)
    project.emit("finding", {**finding, "finding_id": "f4", "severity": "moderate"}, execution=None)
    rows = project.view("findings_open")
    assert [(row["finding_id"], row["test_name"], row["url"]) for row in rows] == [
        ("f3", "a", None),
        ("f4", None, None),
        ("f2", "a", "http://a/"),
    ]


def test_run_summary(project: Project) -> None:
    """A run's tests by what they came to; a run without tests has zeros, not nothing."""
    about = {"kind": "suite", "git_branch": "main", "status": "failed", "started_at": NOON}
    project.emit("run.finished", about, run="r1", execution=None, ts=NOON + 10)
    project.emit("run.finished", {**about, "status": "passed", "started_at": NOON + 50}, run="r2", execution=None)
    project.execution("a", run="r1")
    project.execution("b", "failed", run="r1")
    project.execution("c", "error", run="r1")
    project.execution("c", run="r1", attempt=2)
    project.emit("execution.started", {"test_name": "d"}, run="r1", execution="d")
    rows = {row["run_id"]: row for row in project.results.rows("SELECT * FROM run_summary").dicts()}
    counts = ("tests", "passed", "failed", "error", "skipped", "aborted", "running", "flaky")
    assert [rows["r1"][name] for name in counts] == [4, 2, 1, 0, 0, 0, 1, 1]
    assert rows["r1"]["pass_rate"] == pytest.approx(2 / 3)
    assert rows["r1"]["git_branch"] == "main" and rows["r1"]["duration_ms"] == 400.0
    assert [rows["r2"][name] for name in counts] == [0] * 8
    assert rows["r2"]["pass_rate"] is None


def test_events_are_what_subscribers_were_told(project: Project) -> None:
    """Rows of events are exactly what the hub sends: the same room, type and data."""
    import orjson

    from jbts_kernel.log import Tail
    from jbts_kernel.log.envelope import event_data, event_type, room

    project.emit("run.started", {"kind": "suite"}, execution=None)
    project.emit("execution.started", {"test_name": 'quo"te \\ é'}, execution="e")
    project.emit("step.started", {}, step="s")
    project.emit("step.finished", {"status": "failed", "nested": {"a": [1, None]}}, step="s")
    project.emit("execution.finished", {"status": "skipped"})
    project.emit("execution.finished", {"status": "error"}, execution="e2")
    sent = [
        (record.source, record.seq, room(record.execution_id), event_type(record.kind, record.data), event_data(record))
        for record in Tail(project.home / "spool").poll()
        if record.execution_id and event_type(record.kind, record.data)
    ]
    rows = project.view("events", "source, seq, room, event_type, data")
    stored = [(*list(row.values())[:4], orjson.loads(row["data"])) for row in rows]
    assert len(sent) == 5
    assert sorted(stored, key=lambda row: row[1]) == sent


QUESTIONS: dict[str, Callable[[Results], Any]] = {
    "latest": Results.latest,
    "failures": Results.failures,
    "flaky": Results.flaky,
    "slowest": Results.slowest,
    "usage": Results.usage,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_named_questions(project: Project, name: str) -> None:
    """Each named question has an answer on nothing and on something."""
    assert len(QUESTIONS[name](project.results)) == 0
    for status in ("failed", "passed"):
        project.step(project.execution("a", status), status)
    project.emit("analysis", {"analysis_id": "1", "provider": "offline", "status": "ok"})
    assert len(QUESTIONS[name](project.results)) == 1


def test_the_reference_is_current() -> None:
    """docs/store.md is what the schema makes: python -m jbts_kernel.store.schema > docs/store.md."""
    from jbts_kernel.store.reference import store_reference

    page = Path(__file__).resolve().parents[2] / "docs" / "store.md"
    assert page.read_text() == store_reference()
