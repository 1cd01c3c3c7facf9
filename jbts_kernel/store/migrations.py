"""Named changes of the sealed tables, each applied once and in order.

A name, once released, is never changed or reused. Views are no matter of migrations: each publication
makes them anew. A migration runs inside the private copy a publication works on, so one that fails
leaves the published generation as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import StoreProblem
from .schema import TABLES

if TYPE_CHECKING:
    import duckdb


def _first_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The sealed tables, the unfinished spans and what publications keep about themselves."""
    connection.execute(
        "CREATE TABLE internal.segments (segment VARCHAR PRIMARY KEY, source VARCHAR, lines BIGINT,"
        " last_kind VARCHAR, merged_at TIMESTAMP)"
    )
    connection.execute("CREATE TABLE internal.facts (name VARCHAR PRIMARY KEY, value VARCHAR)")
    for table in TABLES:
        connection.execute(f"CREATE TABLE {table.sealed} ({table.ddl})")
        if table.started_kind:
            connection.execute(f"CREATE TABLE {table.unfinished} ({table.ddl}, writer VARCHAR)")


MIGRATIONS: tuple[tuple[str, Callable[[duckdb.DuckDBPyConnection], None]], ...] = (
    ("0001-first-tables", _first_tables),
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
