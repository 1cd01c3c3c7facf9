"""The chart that goes with each of the usual questions of ``%results``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from . import charts

if TYPE_CHECKING:
    from .display import Bundle
    from .store.queries import Results


class _Drawn(NamedTuple):
    """What is asked, and how the answer is drawn: ``kind`` with ``x`` and ``y``; ``bars`` are horizontal."""

    title: str
    kind: str
    x: str
    y: str
    sql: str
    colour: str | None = None


_CHARTS: Mapping[str, _Drawn] = {
    "latest": _Drawn(
        "Seconds of each test's latest execution",
        "bars",
        "test",
        "seconds",
        """
        SELECT coalesce(test_name, 'interactive') AS test, coalesce(duration_ms, 0) / 1000 AS seconds, status
        FROM latest_executions ORDER BY started_at DESC LIMIT 25
        """,
        "status",
    ),
    "failures": _Drawn(
        "Failures by day",
        "bar",
        "day",
        "failures",
        """
        SELECT CAST(started_at AS DATE) AS day, status, count(*) AS failures
        FROM failures GROUP BY day, status ORDER BY day DESC LIMIT 90
        """,
    ),
    "flaky": _Drawn(
        "How often tests change their mind",
        "bars",
        "test",
        "rate",
        """
        SELECT test_name AS test, greatest(flake_rate, flip_rate) AS rate, severity
        FROM flaky_tests WHERE severity <> 'none' ORDER BY rate DESC LIMIT 25
        """,
        "severity",
    ),
    "slowest": _Drawn(
        "Slowest steps: 95 in 100 are faster than this",
        "bars",
        "step",
        "milliseconds",
        """
        SELECT coalesce(name, verb) AS step, max(p95_ms) AS milliseconds
        FROM slowest_steps WHERE verb <> 'group' GROUP BY step ORDER BY milliseconds DESC LIMIT 25
        """,
    ),
    "usage": _Drawn(
        "Tokens by day",
        "bar",
        "day",
        "tokens",
        """
        SELECT day, coalesce(model, provider) AS model,
            CAST(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS BIGINT) AS tokens
        FROM ai_usage_daily GROUP BY ALL ORDER BY day DESC LIMIT 90
        """,
    ),
}


def result_chart(view: str, results: Results) -> Bundle | None:
    """The chart of a view; None when there is nothing to draw. Needs altair and pandas."""
    asked = _CHARTS[view]
    frame = results.df(asked.sql)
    if frame.empty:
        return None
    if asked.kind == "bars":
        return charts.bars(frame, asked.x, asked.y, title=asked.title, colour=asked.colour)
    return charts.chart(asked.kind, frame, asked.x, asked.y, title=asked.title)
