"""What is worth telling, what it says, and what the log adds up to."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from jbts_kernel.config import JBTS
from jbts_kernel.log.envelope import Record
from jbts_kernel.notify.metrics import BUCKETS, Metrics
from jbts_kernel.notify.occasions import MOST_A_RUN, Occasion, Occasions
from jbts_kernel.notify.rules import parse


def record(kind: str, execution: str | None = "x1", ts: float = 1_000.0, **data: Any) -> Record:
    return Record(f"id-{kind}-{execution}", kind, ts, "p1", 1, "r1", execution, "s1", data)


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
    metrics = Metrics(clock=lambda: 1_000.0)
    metrics.take([record("step.finished", ts=900.0, status="passed")], replay=True)  # long before this hub
    metrics.take([record("step.finished", ts=990.0, status="passed", step_type="click", duration_ms=40)], replay=True)
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
