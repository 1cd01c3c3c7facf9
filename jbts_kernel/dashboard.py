"""The dashboard: how the tests are doing, from the store's views, in one picture that needs no script.

Bars are plain boxes, so the cell looks the same in JupyterLab, in an executed notebook and in a
report. Works with no data at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .display import STYLE, Bundle, duration, shown, table, text

if TYPE_CHECKING:
    from .store.queries import Results, Table

DAYS = 14
WORST = 8

_GOOD, _BAD = "#1a7f4b", "#c9372c"


def dashboard(results: Results) -> Bundle:
    """Pass rate and duration by day, flaky tests, slowest steps, failure clusters and AI cost."""
    days = results.rows(
        "select day, results, passed, flaky, pass_rate, mean_duration_ms from pass_rate_daily "
        "order by day desc limit ?",
        [DAYS],
    )
    flaky = results.rows(
        "select test_name, severity, runs, flake_rate, flip_rate from flaky_tests "
        "where severity <> 'none' or flips > 0 order by flake_rate desc, flip_rate desc limit ?",
        [WORST],
    )
    slowest = results.rows(
        "select verb, name, runs, p50_ms, p95_ms from slowest_steps where verb <> 'group' order by p95_ms desc limit ?",
        [WORST],
    )
    clusters = results.rows(
        "select error_type, example, failures, tests, last_seen from failure_clusters order by last_seen desc limit ?",
        [WORST],
    )
    usage = results.rows(
        "select day, model, calls, input_tokens, output_tokens, cost_usd from ai_usage_daily order by day desc limit ?",
        [WORST],
    )
    parts = [
        ("Pass rate by day", _rates(days.rows)),
        ("Mean duration by day", _durations(days.rows)),
        ("Flaky tests", _listed(flaky, "no test changed its mind")),
        ("Slowest steps", _listed(slowest, "no steps yet")),
        ("Failures by cause", _listed(clusters, "nothing failed")),
        ("AI calls", _listed(usage, "no AI call was made")),
    ]
    body = "".join(
        f'<section><div class="jbts-verb">{text(title)}</div>{content}</section>' for title, content in parts
    )
    plain = "\n".join(
        f"{shown(day)}  {'' if rate is None else f'{rate:.0%}'} of {count} passed"
        for day, count, _, _, rate, _ in days.rows
    )
    return {"text/html": f'{STYLE}<div class="jbts jbts-board">{body}</div>', "text/plain": plain or "no results yet"}


def _bar(label: str, share: float, value: str, colour: str) -> str:
    width = max(0.0, min(1.0, share)) * 100
    return (
        f'<div class="jbts-bar"><span>{text(label)}</span>'
        f'<span><i style="width:{width:.1f}%;background:{colour}"></i></span><span>{text(value)}</span></div>'
    )


def _rates(rows: Sequence[Sequence[Any]]) -> str:
    bars = []
    for day, count, passed, flaky, rate, _ in rows:
        value = f"{passed} of {count}" + (f", {flaky} flaky" if flaky else "")
        bars.append(_bar(str(day), rate or 0.0, value, _GOOD if rate == 1 else _BAD))
    return "".join(bars) or _nothing("no results yet")


def _durations(rows: Sequence[Sequence[Any]]) -> str:
    longest = max((ms for *_, ms in rows if ms), default=0.0)
    bars = [_bar(str(day), (ms or 0.0) / longest, duration(ms or 0.0), "#4a6fa5") for day, *_, ms in rows if longest]
    return "".join(bars) or _nothing("no results yet")


def _listed(found: Table, empty: str) -> str:
    if not found.rows:
        return _nothing(empty)
    return str(table(found.columns, found.rows)["text/html"]).removeprefix(STYLE)


def _nothing(message: str) -> str:
    return f'<div class="jbts-soft">{text(message)}</div>'
