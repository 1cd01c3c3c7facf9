"""What was before a run: the last runs of its tests, and how each test ended in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .report_view import Trend

if TYPE_CHECKING:
    from ..store.queries import Results

RUNS_SHOWN = 20
"""Runs it goes back."""
_MANY = 1_000_000

ORDER = {
    "error": 0,
    "failed": 0,
    "aborted": 1,
    "not_run": 2,
    "flaky": 3,
    "quarantined": 4,
    "running": 5,
    "skipped": 6,
    "passed": 7,
}
"""What somebody has to look at comes first."""


class Past:
    """Asks the store for what was before one run."""

    def __init__(self, results: Results, run_id: str) -> None:
        self.results = results
        self.run_id = run_id
        self._history = self._histories()

    def _rows(self, sql: str, params: Sequence[Any]) -> list[dict[str, Any]]:
        return self.results.rows(sql, params, limit=_MANY).dicts()

    def trend(self) -> tuple[Trend, ...]:
        """The runs before this one that ran some of the same tests, and this one; empty where it is the first."""
        rows = self._rows(
            "SELECT run_id, started_at, passed, tests, skipped, date_diff('ms', started_at, ended_at) AS ms"
            " FROM run_summary WHERE started_at <= (SELECT started_at FROM runs WHERE run_id = ?)"
            " AND run_id IN (SELECT e.run_id FROM executions e JOIN executions o USING (history_id)"
            " WHERE o.run_id = ?) ORDER BY started_at DESC LIMIT ?",
            [self.run_id, self.run_id, RUNS_SHOWN],
        )
        if len(rows) < 2:
            return ()
        return tuple(
            Trend(
                when="this run" if row["run_id"] == self.run_id else when(row["started_at"]),
                passed=int(row["passed"]),
                bad=int(row["tests"]) - int(row["passed"]) - int(row["skipped"]),
                duration_ms=float(row["ms"] or 0),
                current=row["run_id"] == self.run_id,
            )
            for row in reversed(rows)
        )

    def _histories(self) -> dict[str, list[tuple[str, str, str]]]:
        """How each test ended in the runs before this one: run, status and time by history id, oldest first."""
        rows = self._rows(
            "SELECT history_id, run_id, arg_max(status, attempt) AS status, max(started_at) AS at_ts FROM executions"
            " WHERE history_id IN (SELECT history_id FROM executions WHERE run_id = ?) AND run_id <> ?"
            " AND started_at < (SELECT started_at FROM runs WHERE run_id = ?)"
            " GROUP BY history_id, run_id QUALIFY row_number() OVER (PARTITION BY history_id ORDER BY at_ts DESC) <= ?"
            " ORDER BY at_ts",
            [self.run_id, self.run_id, self.run_id, RUNS_SHOWN],
        )
        found: dict[str, list[tuple[str, str, str]]] = {}
        for row in rows:
            entry = (str(row["run_id"]), str(row["status"]), when(row["at_ts"]))
            found.setdefault(str(row["history_id"]), []).append(entry)
        return found

    def of(self, executions: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
        """How a test ended in the runs before, where it consists of these executions: as the worst of them."""
        runs: dict[str, tuple[str, str]] = {}
        for execution in executions:
            for run_id, status, when in self._history.get(str(execution["history_id"]), ()):
                worst = min((status, runs.get(run_id, (status, ""))[0]), key=lambda s: ORDER.get(s, ORDER["running"]))
                runs[run_id] = (worst, when)
        return tuple(runs[run_id] for run_id in sorted(runs))[-RUNS_SHOWN:]


def when(value: datetime | None) -> str:
    """A moment as it is shown; empty where there was none."""
    return value.strftime("%Y-%m-%d %H:%M:%S UTC") if value else ""
