"""The dashboard: how the tests are doing, from the store's views, in one picture that needs no script.

Bars, fields and lines are plain boxes and one small drawing, so the cell looks the same in JupyterLab, in Voila,
in an executed notebook and in a report. Works with no data at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .display import STYLE, Bundle, duration, shown, table, text
from .errors import UsageProblem

if TYPE_CHECKING:
    from .store.queries import Results, Table

DAYS = 14
WORST = 8
TESTS = 15
MOST_DAYS = 92
NEARLY = 0.9
"""From here on a day is fair, and no more red."""

_GOOD, _FAIR, _BAD, _LINE = "#2e9d62", "#c9922b", "#c9372c", "#4c8fd6"


def dashboard(results: Results, *, days: int = DAYS) -> Bundle:
    """Pass rate and duration by day, tests by day, flaky tests, slowest steps, failure clusters and AI cost, over
    the last ``days`` on which anything ran. Raises UsageProblem."""
    if not 1 <= days <= MOST_DAYS:
        raise UsageProblem(f"--days takes 1 to {MOST_DAYS}, not {days}; ask %query about more")
    daily = results.rows(
        "select day, results, passed, flaky, pass_rate, mean_duration_ms from pass_rate_daily "
        "order by day desc limit ?",
        [days],
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
        ("Pass rate by day", _rates(daily.rows)),
        ("Mean duration by day", _trend(daily.rows[::-1])),
        ("Tests by day, worst first", _heat(_by_day(results, [row[0] for row in daily.rows[::-1]]))),
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
        for day, count, _, _, rate, _ in daily.rows
    )
    return {"text/html": f'{STYLE}<div class="jbts jbts-board">{body}</div>', "text/plain": plain or "no results yet"}


def _by_day(results: Results, days: Sequence[Any]) -> tuple[Sequence[Any], dict[str, dict[Any, tuple[int, int]]]]:
    """The days, and for each of the worst tests its results and those passed by day, tests in their order."""
    if not days:
        return (), {}
    found = results.rows(
        """
        with judged as (
            select coalesce(any_value(test_name), 'interactive') as test, history_id, cast(started_at as date) as day,
                count(*) as results, count(*) filter (where status = 'passed') as passed
            from internal.results where status in ('passed', 'failed', 'error', 'aborted') and started_at >= ?
            group by history_id, day),
        worst as (
            select history_id, sum(passed) / sum(results) as rate, sum(results) as total, any_value(test) as name
            from judged group by history_id order by rate, total desc, name limit ?)
        select test, history_id, day, results, passed from judged join worst using (history_id)
        order by rate, total desc, name, history_id, day
        """,
        [days[0], TESTS],
    )
    tests: dict[str, dict[Any, tuple[int, int]]] = {}
    names: dict[str, str] = {}
    for test, history, day, count, passed in found.rows:
        # two tests of one name (in two notebooks) are two lines
        name = names.setdefault(history, test if test not in names.values() else f"{test} ({history[:6]})")
        tests.setdefault(name, {})[day] = (count, passed)
    return days, tests


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
        tone = _GOOD if rate == 1 else _FAIR if (rate or 0.0) >= NEARLY else _BAD
        bars.append(_bar(str(day), rate or 0.0, value, tone))
    return "".join(bars) or _nothing("no results yet")


def _trend(rows: Sequence[Sequence[Any]]) -> str:
    """The mean duration of each day as a line over time, oldest left."""
    points = [(str(row[0]), float(row[5])) for row in rows if row[5] is not None]
    if not points:
        return _nothing("no results yet")
    top = max(ms for _, ms in points) or 1.0
    width, height, gap = 300.0, 70.0, 6.0
    step = (width - 2 * gap) / max(len(points) - 1, 1)
    places = [
        (gap + i * step if len(points) > 1 else width / 2, gap + (height - 2 * gap) * (1 - ms / top))
        for i, (_, ms) in enumerate(points)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_LINE}"><title>{text(day)}: {duration(ms)}</title></circle>'
        for (x, y), (day, ms) in zip(places, points, strict=True)
    )
    drawing = (
        f'<svg class="jbts-trend" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="mean duration by day">'
        f'<line x1="0" x2="{width:.0f}" y1="{height - gap:.1f}" y2="{height - gap:.1f}" stroke="#7f889460"/>'
        f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>{dots}</svg>'
    )
    first, last = points[0], points[-1]
    ends = f"<span>{text(first[0])}: {duration(first[1])}</span>"
    ends += f"<span>{text(last[0])}: {duration(last[1])}</span>" if len(points) > 1 else ""
    return f'{drawing}<div class="jbts-soft jbts-ends">{ends}</div>'


def _heat(found: tuple[Sequence[Any], dict[str, dict[Any, tuple[int, int]]]]) -> str:
    """A field for each test and day, coloured by how much of it passed, with the numbers for who points at it."""
    days, tests = found
    if not tests:
        return _nothing("no results yet")
    marked = {days[0], days[-1]} | ({days[len(days) // 2]} if len(days) > 6 else set())
    head = "".join(f"<th>{text(f'{day:%d.%m.}') if day in marked else ''}</th>" for day in days)
    lines = []
    for name, by_day in tests.items():
        fields = "".join(_field(day, by_day.get(day)) for day in days)
        lines.append(f'<tr><th title="{text(name)}">{text(name, 40)}</th>{fields}</tr>')
    return (
        '<div class="jbts-wide" tabindex="0"><table class="jbts-heat">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _field(day: Any, result: tuple[int, int] | None) -> str:
    if result is None:
        return "<td></td>"
    count, passed = result
    tone = _GOOD if passed == count else _BAD if passed == 0 else _FAIR
    ink = ";color:#1c1e21" if tone == _FAIR else ""
    sign = "" if passed == count else "\u2717" if passed == 0 else "\u00b7"  # told apart without colour, too
    title = text(f"{day}: {passed} of {count} passed")
    return f'<td style="background:{tone} !important{ink}" title="{title}">{sign}</td>'


def _listed(found: Table, empty: str) -> str:
    if not found.rows:
        return _nothing(empty)
    return str(table(found.columns, found.rows)["text/html"]).removeprefix(STYLE)


def _nothing(message: str) -> str:
    return f'<div class="jbts-soft">{text(message)}</div>'
