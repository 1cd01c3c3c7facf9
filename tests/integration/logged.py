"""Lines of the log that a test writes, and what a reader with nothing but DuckDB makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from jbts_kernel.log import Log
from jbts_kernel.models import Event

REPOSITORY = Path(__file__).resolve().parents[2]


def started(step: object) -> Event:
    return Event("step.started", {"ordinal": 1, "name": f"step {step}"}, "r", "e", str(step))


def finished(step: object, status: str = "passed") -> Event:
    data = {"ordinal": 1, "name": f"step {step}", "status": status, "duration_ms": 5.0}
    return Event("step.finished", data, "r", "e", str(step))


def wrote(home: Path, *events: Event) -> None:
    """A writer that emits ``events`` and ends well."""
    log = Log(home)
    assert log.emit(*events)
    log.close()


def steps(home: Path) -> list[tuple[str, str]]:
    """(step_id, status) of every step, as a reader with nothing but DuckDB gets them."""
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT step_id, status FROM steps ORDER BY step_id").fetchall()


def sealed_segments(home: Path) -> int:
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM internal.segments").fetchall()[0][0])


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs ``script``."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
