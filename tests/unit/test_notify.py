"""What is worth telling, what it says, and what the log adds up to."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from jbts_kernel.config import JBTS
from jbts_kernel.log import Log, Tail
from jbts_kernel.log.envelope import Record
from jbts_kernel.models import Event
from jbts_kernel.notify.metrics import Metrics
from jbts_kernel.notify.occasions import MOST_A_RUN, Occasion, Occasions
from jbts_kernel.notify.rules import parse
from jbts_kernel.notify.tally import BUCKETS, Tally

NUMBERS = itertools.count(1)


def record(kind: str, execution: str | None = "x1", ts: float = 1_000.0, **data: Any) -> Record:
    return Record(f"id-{kind}-{execution}", kind, ts, "p1", next(NUMBERS), "r1", execution, "s1", data)


def taken(*records: Record) -> list[Occasion]:
    occasions = Occasions()
    return [found for one in records if (found := occasions.take(one)) is not None]


def test_texts_of_a_page_call_nobody() -> None:
    """Mentions are broken up, control and direction characters are gone, everything is one short line."""
    nasty = "@everyone <!channel> <@U1> \x1b[31m\u202e\nnext " + "x" * 5_000
    (found,) = taken(
        record("step.finished", status="failed", name=nasty, error_type="E", error_message=nasty, url="javascript:1"),
        record("execution.finished", status="failed", test_name=nasty, attempt=1),
    )
    said = "\n".join([found.title, *found.lines])
    assert "@everyone" not in said and "<!channel" not in said and "<@U1" not in said
    assert not set(said) & set("\x1b\u202e") and len(said) < 2_500
    assert len(found.lines) == 3 and "⏎ next" in said


def test_the_first_failed_step_is_the_one_told() -> None:
    """A teardown that fails too does not hide what failed first."""
    steps = [record("step.finished", status="error", name=f"step {n}", error_message=f"e{n}") for n in range(2)]
    (found,) = taken(*steps, record("execution.finished", status="error", test_name="T"))
    assert found.lines == ("step: step 0", "error: e0")


def test_a_run_full_of_failures_is_told_within_bounds() -> None:
    """After so many only the end is told, with all of them counted."""
    many = [record("execution.finished", f"x{n}", status="failed", test_name=f"T{n}") for n in range(60)]
    found = taken(*many, record("run.finished", None, status="failed"))
    assert [one.when for one in found] == ["failed"] * MOST_A_RUN + ["finished"]
    assert "told at its end" in found[-2].lines[-1] and found[-1].title == "✗ run finished: 60 failed"


def test_lines_of_another_shape_are_no_trouble() -> None:
    """Foreign lines with values of the wrong kind are told as well as they can be."""
    found = taken(
        record("step.finished", status=["failed"]),
        record("execution.finished", status=None, test_name={"a": 1}, attempt="x", error_message=7),
        record("run.finished", None),
    )
    assert [one.title for one in found] == ["✗ a test failed", "✗ run finished: 1 failed"]


def test_settings_read_from_the_environment() -> None:
    """JBTS_NOTIFY holds entries with blanks between; a URL alone means failed."""
    spaced = JBTS(environ={"JBTS_NOTIFY": "json://a failed,finished=slack://b/c", "JBTS_METRICS": "False"})
    assert spaced.notify == ["json://a", "failed,finished=slack://b/c"] and spaced.metrics is False
    assert JBTS(environ={}).notify == [] and JBTS(environ={}).metrics is True
    assert [sorted(rule.when) for rule in parse(spaced.notify)] == [["failed"], ["failed", "finished"]]


def test_figures_are_what_prometheus_reads() -> None:
    """The official parser finds the counters, a histogram that adds up, and no label from a foreign line."""
    metrics = Metrics(Tally())
    metrics.take([record("step.finished", status="passed", step_type="click", duration_ms=40)], replay=True)
    metrics.take(
        [
            record("step.finished", status="failed", step_type="wait", duration_ms=200_000.0),
            record("step.finished", status='x"} 1\nevil 1', step_type="\n", duration_ms="no"),
            record("execution.finished", status="failed"),
            record("analysis", status="ok", input_tokens=1_000, cached_tokens=10, output_tokens=5, cost_usd=0.25),
            record("analysis", status="timeout", cost_usd=None),
        ],
        replay=False,
    )
    text = metrics.text({"total_connections": 3, "delivered": 70})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {(s.name, *sorted(s.labels.values())): s.value for f in families.values() for s in f.samples}
    assert values["jbts_executions_total", "failed"] == 1
    assert values["jbts_steps_total", "click", "passed"] == 1
    assert values["jbts_steps_total", "other", "other"] == 1
    assert (values["jbts_hub_connections",], values["jbts_hub_delivered_total",]) == (3, 70)
    assert values["jbts_ai_tokens_total", "input"] == 1_000 and values["jbts_ai_cost_usd_total",] == 0.25
    histogram = families["jbts_step_duration_seconds"]
    assert histogram.type == "histogram"
    buckets = [s.value for s in histogram.samples if s.name.endswith("_bucket")]
    assert len(buckets) == len(BUCKETS) + 1 and buckets == sorted(buckets) and buckets[-1] == 3
    assert values["jbts_step_duration_seconds_count",] == 3
    assert abs(values["jbts_step_duration_seconds_sum",] - 200.04) < 1e-9
    assert "evil" not in text
    assert families["jbts_executions"].type == families["jbts_hub_events"].type == "counter"
    assert all(family.documentation and family.type != "unknown" for family in families.values())


def test_the_next_hub_goes_on_counting(tmp_path: Path) -> None:
    """Each line counts once, through hubs that ended well, were killed before they kept anything or found a
    damaged file; a counter never goes down."""
    file = tmp_path / "run" / "metrics.json"
    file.parent.mkdir()
    log = Log(tmp_path)

    def step() -> None:
        log.emit(Event("step.finished", {"status": "passed", "step_type": "click", "duration_ms": 40}))

    def hub(keeps: bool = True) -> tuple[float, int]:
        metrics = Metrics(Tally(tmp_path, file))
        metrics.take(Tail(tmp_path / "spool").poll(), replay=True)
        step()
        text = metrics.text({})
        if keeps:
            metrics.close()
        found = {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}
        return found.get("jbts_steps_total", 0), found["jbts_step_duration_seconds_count"]

    step()
    assert [hub(), hub(keeps=False), hub()] == [(1, 1), (2, 2), (3, 3)]
    for damage in ("{", "[]", '{"version": 1}', file.read_text("utf-8").replace('"cost": 0', '"cost": "x"')):
        file.write_text(damage, "utf-8")
        assert hub(keeps=False)[0] > 3
    log.close()


def test_the_pools_of_processes_that_are_gone_are_not_counted(tmp_path: Path) -> None:
    """The figures of all pools are added up; of a process whose log has ended, nothing is left but what it did."""
    logs = [Log(tmp_path), Log(tmp_path)]
    for log in logs:
        log.emit(Event("pool", {"max_size": 5, "size": 2, "in_use": 1, "waiting": 1, "leased": 1}))
        log.emit(Event("pool", {"max_size": 5, "size": 1, "in_use": 1, "waiting": -3, "replaced": 1, "x": "<"}))
    tally = Tally(tmp_path)
    tally.take(Tail(tmp_path / "spool").poll())
    assert tally.pool() == {"max_size": 10, "size": 2, "in_use": 2, "waiting": 0}
    logs[0].close()
    assert tally.pool() == {"max_size": 5, "size": 1, "in_use": 1, "waiting": 0}
    logs[1].close()
    assert (tally.pool()["size"], tally.leases) == (0, {"leased": 2, "replaced": 2})
