"""Reading the store from Python: live, read-only, and with nothing of the machine in reach.

Every query opens the generation published last and closes it again, so a reader never holds an old one
for long. It is attached to a database in memory rather than opened: a process may open one file only
with one configuration, and a user's own ``duckdb.connect`` on the same file must not change what a
query here is allowed to do.

What a query may touch is the database and the spool beside it. The text of a query may come from a
notebook somebody else wrote.
"""

from __future__ import annotations

import difflib
import glob
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreProblem
from ..log.segment import SPOOL, dead
from .generation import DATABASE, SPOOL_VARIABLE, quoted
from .publish import ensure
from .views import DEAD_VARIABLE, public_names

if TYPE_CHECKING:
    import duckdb
    import pandas
    import pyarrow

Params = Sequence[Any] | Mapping[str, Any] | None

LIMIT = 10_000
"""Rows a Table holds unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a query: names and DuckDB types of the columns, rows as tuples of Python values.
    ``truncated`` says that there were more rows than asked for."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Results:
    """The results of the project whose data folder is ``home``. Made at once; the database is opened by each
    query. Every method raises StoreProblem when the query cannot be answered."""

    def __init__(self, home: Path) -> None:
        self.home = Path(home).absolute()

    def rows(self, sql: str, params: Params = None, *, limit: int = LIMIT) -> Table:
        """The answer to ``sql``, at most ``limit`` rows. ``params`` are bound: a sequence for ``?``, a
        mapping for ``$name``."""
        with self._asking() as connection:
            answer = connection.execute(sql, _bound(params))
            described = answer.description or []
            found = answer.fetchmany(limit + 1)
        return Table(
            tuple(str(column[0]) for column in described),
            tuple(str(column[1]) for column in described),
            tuple(tuple(row) for row in found[:limit]),
            len(found) > limit,
        )

    def value(self, sql: str, params: Params = None) -> Any:
        """The first column of the first row, None when there is no row."""
        found = self.rows(sql, params, limit=1).rows
        return found[0][0] if found else None

    def df(self, sql: str, params: Params = None, *, limit: int | None = None) -> pandas.DataFrame:
        """The answer as a pandas DataFrame, the whole of it or at most ``limit`` rows."""
        _needs("pandas")
        with self._asking() as connection:
            if limit is None:
                return connection.execute(sql, _bound(params)).df()
            answer = connection.sql(sql, params=_bound(params))
            if answer is None:  # a statement without rows
                import pandas

                return pandas.DataFrame()
            frame: pandas.DataFrame = answer.limit(limit).df()
            return frame

    def arrow(self, sql: str, params: Params = None) -> pyarrow.Table:
        """The whole answer as an Arrow table."""
        _needs("pyarrow")
        with self._asking() as connection:
            # A relation hands its rows over; a cursor's answer would be copied once more.
            return connection.sql(sql, params=_bound(params)).to_arrow_table()

    def latest(self, limit: int = 50) -> Table:
        """The latest execution of each test, latest first."""
        return self.rows(
            "SELECT test_name, status, attempt, started_at, duration_ms, browser, error_message, run_id,"
            " execution_id FROM latest_executions ORDER BY started_at DESC",
            limit=limit,
        )

    def failures(self, limit: int = 50) -> Table:
        """Executions that ended badly, latest first, with the step they ended at."""
        return self.rows(
            "SELECT test_name, status, attempt, started_at, step_name, error_type, error_message, url,"
            " screenshot, execution_id, step_id FROM failures ORDER BY started_at DESC",
            limit=limit,
        )

    def flaky(self, limit: int = 50) -> Table:
        """How steady tests are, least steady first; steady ones are left out."""
        return self.rows("SELECT * FROM flaky_tests WHERE severity <> 'none'", limit=limit)

    def slowest(self, limit: int = 50) -> Table:
        """How long steps take, slowest first; groups are left out, since their steps are listed."""
        return self.rows("SELECT * FROM slowest_steps WHERE verb <> 'group'", limit=limit)

    def usage(self, limit: int = 50) -> Table:
        """What looking at pages took, latest day first."""
        return self.rows("SELECT * FROM ai_usage_daily", limit=limit)

    @contextmanager
    def _asking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the latest generation whose errors are StoreProblem."""
        import duckdb

        with self._opened() as connection:
            try:
                yield connection
            except duckdb.Error as problem:
                raise _explained(problem) from None

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        database = ensure(self.home)
        connection = duckdb.connect(":memory:")
        try:
            spool = str(self.home / SPOOL)
            try:
                connection.execute(f"ATTACH {quoted(str(database))} AS results (READ_ONLY)")
                connection.execute(f"SET VARIABLE {SPOOL_VARIABLE} = {quoted(spool)}")
                died = "/".join(["", *sorted(dead(self.home / SPOOL)), ""])
                connection.execute(f"SET VARIABLE {DEAD_VARIABLE} = {quoted(died)}")
                connection.execute("USE results")
            except duckdb.Error as problem:
                raise StoreProblem(
                    f"{DATABASE} cannot be read: {_one_line(str(problem))}",
                    hints=(f"delete {database}: the next publication makes it again from the log",),
                ) from problem
            # The check is made on the pattern the view asks for, in which special characters are escaped.
            allowed = ", ".join(quoted(text) for text in sorted({spool, glob.escape(spool)}))
            connection.execute(f"SET allowed_directories = [{allowed}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET enable_progress_bar = false")  # it would be written among the answers
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()


def _bound(params: Params) -> Any:
    return [] if params is None else params


def _needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise StoreProblem(
            f"this needs {module}, which is not installed: pip install 'jbts-kernel[analyst]' (rows() works without it)"
        )


def _explained(problem: duckdb.Error) -> StoreProblem:
    """DuckDB's error in one line, with its own suggestion, or ours for a table that does not exist."""
    text, _, where = str(problem).partition("\n\nLINE ")
    hints = tuple(f"LINE {where}".rstrip().splitlines()) if where else ()
    missing = re.search(r"Table with name (\S+) does not exist", text)
    if missing:
        near = difflib.get_close_matches(missing[1].lower(), public_names(), n=3, cutoff=0.5)
        names = " or ".join(near) if near else ", ".join(public_names())
        return StoreProblem(
            f"there is no table or view {missing[1]}: {'did you mean' if near else 'there are'} {names}"
            + ("?" if near else ""),
            hints=hints,
        )
    refused = re.search(r"is not an table|Cannot execute statement|Can only (?:update|delete from) base table", text)
    if refused:
        return StoreProblem("results are read-only: ask them with SELECT, the log is what writes them")
    return StoreProblem(_one_line(text), hints=hints)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1000]
