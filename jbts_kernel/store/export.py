"""Results that leave: one database that stands alone, or a folder of Parquet.

The database has the tables as tables and the views over them, all of it in one file that any DuckDB reads,
without the log beside it. Both are written under another name and renamed when they are whole.
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted paths)

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreProblem
from ..log.segment import SPOOL
from .generation import SPOOL_VARIABLE, quoted
from .publish import STORAGE, ensure
from .schema import TABLES
from .views import INTERNAL, VIEWS

if TYPE_CHECKING:
    import duckdb


_PROJECT = "jbts_project"
"""What the database read is called beside the one written, whose own name is its file's."""


def export_database(home: Path, target: Path) -> int:
    """Write the database ``target``, replacing what is there; the rows in it. Raises StoreProblem."""
    with _exporting(home, target) as (part, database):
        import duckdb

        with duckdb.connect(str(part), config={"storage_compatibility_version": STORAGE}) as connection:
            _attach(connection, home, database)
            for table in TABLES:
                connection.execute(f"CREATE TABLE {table.name} ({table.ddl})")
                order = f" ORDER BY {table.order}" if table.order else ""
                connection.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM {_PROJECT}.{table.name}{order}")
            connection.execute("CREATE SCHEMA internal")
            for view in (*INTERNAL, *VIEWS):
                connection.execute(f"CREATE VIEW {view.name} AS {view.sql}")
            count = _count(connection, "")
        os.replace(part, target)
    return count


def export_parquet(home: Path, target: Path) -> int:
    """Write the folder ``target`` with one file for each table and view; the rows in the tables. Whatever else
    is in the folder stays. Raises StoreProblem."""
    with _exporting(home, target) as (part, database):
        import duckdb

        part.mkdir()
        target.mkdir(exist_ok=True)
        with duckdb.connect() as connection:
            _attach(connection, home, database)
            connection.execute(f"USE {_PROJECT}")
            for name in (*(table.name for table in TABLES), *(view.name for view in VIEWS)):
                file = quoted(str(part / f"{name}.parquet"))
                connection.execute(f"COPY (SELECT * FROM {name}) TO {file} (FORMAT parquet, COMPRESSION zstd)")
            count = _count(connection, f"{_PROJECT}.")
        for made in sorted(part.iterdir()):
            os.replace(made, target / made.name)
    return count


def _attach(connection: duckdb.DuckDBPyConnection, home: Path, database: Path) -> None:
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"ATTACH {quoted(str(database))} AS {_PROJECT} (READ_ONLY)")
    connection.execute(f"SET VARIABLE {SPOOL_VARIABLE} = {quoted(str(Path(home).absolute() / SPOOL))}")


def _count(connection: duckdb.DuckDBPyConnection, where: str) -> int:
    counts = [f"(SELECT count(*) FROM {where}{table.name})" for table in TABLES]
    return int(connection.execute(f"SELECT {' + '.join(counts)}").fetchall()[0][0])


@contextmanager
def _exporting(home: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """The name to write under, which is gone afterwards, and the database to read. Errors are StoreProblem."""
    import duckdb

    target = Path(target).absolute()
    database = ensure(home)
    if target.resolve() == database.resolve():
        raise StoreProblem(f"{target} is the project's own database; name another file")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreProblem(f"{target} cannot be written: {problem.strerror}") from problem
    try:
        yield part, database
    except duckdb.Error as problem:
        reason = str(problem).partition("\n")[0]
        raise StoreProblem(f"results could not be exported to {target}: {reason}") from problem
    except OSError as problem:
        raise StoreProblem(f"results could not be exported to {target}: {problem}") from problem
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        for left in (part, part.with_name(part.name + ".wal")):
            left.unlink(missing_ok=True)
