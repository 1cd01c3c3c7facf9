"""Named changes of the sealed tables, each applied once and in order.

A name, once released, is never changed or reused. Views are no matter of migrations: a publication makes
them anew where they are another version's. A migration runs inside the private copy a publication works on, so
one that fails leaves the published generation as it was.

A table in :mod:`.schema` that gets a column or is new needs a migration here that adds it (``ALTER TABLE
internal.steps_sealed ADD COLUMN ...``, and the unfinished one of a span): tests/data holds a project folder of
each schema that was ever released, and a test opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import StoreProblem

if TYPE_CHECKING:
    import duckdb


def _first_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The sealed tables, the unfinished spans and what publications keep about themselves."""
    connection.execute(
        "CREATE TABLE internal.segments (segment VARCHAR PRIMARY KEY, source VARCHAR, lines BIGINT,"
        " last_kind VARCHAR, merged_at TIMESTAMP)"
    )
    connection.execute("CREATE TABLE internal.facts (name VARCHAR PRIMARY KEY, value VARCHAR)")
    for name, columns in _FIRST.items():
        connection.execute(f"CREATE TABLE internal.{name}_sealed ({columns})")
    for name in ("runs", "executions", "steps"):
        connection.execute(f"CREATE TABLE internal.{name}_unfinished ({_FIRST[name]}, writer VARCHAR)")


def _segment_sizes(connection: duckdb.DuckDBPyConnection) -> None:
    """How many bytes of a segment were merged: what was copied from a machine that still wrote it can be
    told from the whole of it, which comes later."""
    connection.execute("ALTER TABLE internal.segments ADD COLUMN bytes BIGINT")


def _browser_and_rule(connection: duckdb.DuckDBPyConnection) -> None:
    """What starting a browser took of a step, and the rule a finding came from. The log had both before: of what
    was published without them they stay NULL, unless the database is deleted and made again from the log."""
    for table in ("steps_sealed", "steps_unfinished"):
        connection.execute(f"ALTER TABLE internal.{table} ADD COLUMN browser_ms DOUBLE")
    connection.execute("ALTER TABLE internal.findings_sealed ADD COLUMN rule VARCHAR")


# As they were. What TABLES has beyond them comes from a later migration, never from a change here.
_FIRST = {
    "runs": (
        '"run_id" VARCHAR, "started_at" TIMESTAMP, "ended_at" TIMESTAMP, "kind" VARCHAR, "status" VARCHAR, '
        '"git_commit" VARCHAR, "git_branch" VARCHAR, "host" VARCHAR, "python" VARCHAR, "parameters" JSON'
    ),
    "executions": (
        '"execution_id" VARCHAR, "run_id" VARCHAR, "test_name" VARCHAR, "history_id" VARCHAR, "notebook" '
        'VARCHAR, "category" VARCHAR, "priority" VARCHAR, "tags" VARCHAR[], "browser" VARCHAR, '
        '"browser_version" VARCHAR, "base_url" VARCHAR, "attempt" INTEGER, "status" VARCHAR, "started_at" '
        'TIMESTAMP, "ended_at" TIMESTAMP, "duration_ms" DOUBLE, "error_type" VARCHAR, "error_message" VARCHAR , '
        '"parameters" JSON'
    ),
    "steps": (
        '"step_id" VARCHAR, "execution_id" VARCHAR, "run_id" VARCHAR, "ordinal" INTEGER, "parent_step_id" '
        'VARCHAR, "name" VARCHAR, "step_type" VARCHAR, "verb" VARCHAR, "locator" VARCHAR, "input" VARCHAR, '
        '"expected" VARCHAR, "status" VARCHAR, "started_at" TIMESTAMP, "ended_at" TIMESTAMP, "duration_ms" '
        'DOUBLE, "wait_ms" DOUBLE, "retries" INTEGER, "url" VARCHAR, "title" VARCHAR, "http_status" INTEGER , '
        '"error_type" VARCHAR, "error_message" VARCHAR, "error_fingerprint" VARCHAR, "screenshot" VARCHAR, '
        '"optional" BOOLEAN, "cell_id" VARCHAR, "source_hash" VARCHAR'
    ),
    "artifacts": (
        '"artifact" VARCHAR, "execution_id" VARCHAR, "step_id" VARCHAR, "run_id" VARCHAR, "role" VARCHAR, '
        '"mime" VARCHAR, "path" VARCHAR, "bytes" BIGINT, "width" INTEGER, "height" INTEGER, "created_at" '
        "TIMESTAMP"
    ),
    "console_messages": (
        '"step_id" VARCHAR, "execution_id" VARCHAR, "run_id" VARCHAR, "level" VARCHAR, "text" VARCHAR, "url" '
        'VARCHAR, "at_ts" TIMESTAMP'
    ),
    "network_requests": (
        '"step_id" VARCHAR, "execution_id" VARCHAR, "run_id" VARCHAR, "method" VARCHAR, "url" VARCHAR, '
        '"status" INTEGER, "duration_ms" DOUBLE, "text" VARCHAR, "at_ts" TIMESTAMP'
    ),
    "analyses": (
        '"analysis_id" VARCHAR, "step_id" VARCHAR, "execution_id" VARCHAR, "run_id" VARCHAR, "kind" VARCHAR, '
        '"provider" VARCHAR, "model" VARCHAR, "summary" VARCHAR, "status" VARCHAR, "input_tokens" BIGINT, '
        '"cached_tokens" BIGINT, "output_tokens" BIGINT, "cost_usd" DOUBLE, "latency_ms" DOUBLE, "cache_hit" '
        'BOOLEAN, "attempts" INTEGER, "error_type" VARCHAR, "created_at" TIMESTAMP'
    ),
    "findings": (
        '"finding_id" VARCHAR, "analysis_id" VARCHAR, "step_id" VARCHAR, "execution_id" VARCHAR, "run_id" '
        'VARCHAR, "source" VARCHAR, "category" VARCHAR, "severity" VARCHAR, "message" VARCHAR, "locator" '
        'VARCHAR, "x" DOUBLE, "y" DOUBLE, "width" DOUBLE, "height" DOUBLE, "evidence" VARCHAR, "grounded" '
        'BOOLEAN, "created_at" TIMESTAMP'
    ),
    "test_cases": (
        '"test_case_id" VARCHAR, "name" VARCHAR, "requirements" VARCHAR, "definition" JSON, "model" VARCHAR, '
        '"created_at" TIMESTAMP'
    ),
    "events": (
        '"event_id" VARCHAR, "source" VARCHAR, "seq" BIGINT, "room" VARCHAR, "event_type" VARCHAR, '
        '"execution_id" VARCHAR, "data" JSON USING COMPRESSION zstd, "at_ts" TIMESTAMP'
    ),
}

MIGRATIONS: tuple[tuple[str, Callable[[duckdb.DuckDBPyConnection], None]], ...] = (
    ("0001-first-tables", _first_tables),
    ("0002-segment-sizes", _segment_sizes),
    ("0003-browser-and-rule", _browser_and_rule),
)


def migrate(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Apply what is missing, in order; the names applied now. Raises StoreProblem when the database was
    made by a newer version than this."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS internal")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS internal.migrations (name VARCHAR PRIMARY KEY, applied_at TIMESTAMP)"
    )
    applied = {row[0] for row in connection.execute("SELECT name FROM internal.migrations").fetchall()}
    unknown = sorted(applied - {name for name, _ in MIGRATIONS})
    if unknown:
        raise StoreProblem(
            f"results.duckdb was made by a newer version of jbts-kernel ({unknown[-1]}): upgrade this one"
        )
    done = []
    for name, apply in MIGRATIONS:
        if name not in applied:
            apply(connection)
            connection.execute("INSERT INTO internal.migrations VALUES (?, make_timestamp(epoch_us(now())))", [name])
            done.append(name)
    return done
