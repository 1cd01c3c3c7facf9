"""One generation on its way: from the lines of sealed segments to rows, and the views over both.

Works on the private copy of a database inside one transaction; :mod:`.publish` gives it the copy and puts
the outcome in place. The same SQL reads lines here and in the live half of every view, so a row does not
change when its segment is published.

The views find the spool beside the database they are opened from, through ``temp_directory``: DuckDB
puts it beside the file, and it is the one setting from which a view can learn where its file is. So a
data folder can be moved or mounted elsewhere. A reader that attaches the file to another database gets
the spool's path as it was at publication (or the variable ``jbts_spool``).
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted paths)

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..log import segment
from .migrations import migrate
from .relation import LINE_COLUMNS, Relation
from .schema import TABLES
from .views import statements

if TYPE_CHECKING:
    import duckdb

DATABASE = "results.duckdb"
SPOOL_VARIABLE = "jbts_spool"
VIEWS = "views"
"""The fact that says which views a generation has."""

MARGIN_NS = 20_000_000_000
"""Segments younger than this are looked at one by one, not by age: a writer may have chosen a name and
not have shown its file yet when a publication lists the spool."""

BATCH_BYTES = 64 << 20
"""Bytes of log put in at once: bounds memory when a whole log is read again."""

_MAX_OBJECT = 16 << 20


class Generation:
    """The private copy on its way to the next generation."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, home: Path, clock: Callable[[], float]) -> None:
        self.connection = connection
        self.home = home
        self.spool = home / segment.SPOOL
        self.clock = clock
        self.number = 0
        self.open_segments = 0
        self.known: set[str] = set()
        """Segments merged before this generation."""

    def add(self, min_segments: int, fresh: bool) -> tuple[int, int] | None:
        """Bring everything up to date in an open transaction: (segments, lines) added, None when there is
        too little to do."""
        self.connection.execute("BEGIN")
        migrated = migrate(self.connection)
        self.known = {row[0] for row in self._rows("SELECT segment FROM internal.segments")}
        facts = dict(self._rows("SELECT name, value FROM internal.facts"))
        self.number = int(facts.get("generation", "0"))
        listed_ns = int(self.clock() * 1e9)
        sealed, still_open = segment.sealed(self.spool, self.known)
        if fresh:
            retired = self.spool / segment.RETIRED
            sealed = [retired / name for name in segment.names(retired)] + sealed
        # Listed after the locks were tried: the names of all that may be shown without being merged.
        listed = segment.names(self.spool, parts=True)
        unseen = [path.name for path in still_open]
        unseen += [name for name in listed if name not in self.known]
        # Later segments sort after all that are there, also when the clock is set back meanwhile.
        newest_ns = segment.born_ns(listed[-1]) if listed else listed_ns
        merged = {path.name for path in sealed}
        self.open_segments = len(still_open)
        moved = facts.get("home") != str(self.home)
        if not fresh and not moved and not migrated and len(sealed) < min_segments:
            return None
        lines = sum(self._merge(batch) for batch in batches(sealed))
        self._abort_the_dead({segment.source_of(name) for name in unseen if name not in merged})
        self._show_live(min(listed_ns - MARGIN_NS, newest_ns), merged, {name for name in unseen if name not in merged})
        if facts.get(VIEWS) != self._views:
            for statement in statements():
                self.connection.execute(statement)
        self.number += 1
        for name, value in (("generation", str(self.number)), ("home", str(self.home)), (VIEWS, self._views)):
            self.connection.execute("INSERT OR REPLACE INTO internal.facts VALUES (?, ?)", [name, value])
        return len(sealed), lines

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def _merge(self, paths: list[Path]) -> int:
        """Put the lines of ``paths`` into the sealed tables; their number."""
        files = "[" + ", ".join(quoted(glob.escape(str(path))) for path in paths) + "]"
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE batch AS {lines_sql(files, 'true')}")
        for table in TABLES:
            order = f" ORDER BY {table.order}" if table.order else ""
            run(f"INSERT INTO {table.sealed} BY NAME {table.select('batch')}{order}")
            if table.started_kind:
                self._merge_unfinished(table)
        run(
            "INSERT INTO internal.segments (segment, source, lines, last_kind, merged_at, bytes)"
            " SELECT f.name, f.source, coalesce(b.lines, 0), b.last_kind, make_timestamp(?), f.bytes"
            " FROM (SELECT unnest(?) AS name, unnest(?) AS source, unnest(?) AS bytes) f LEFT JOIN (SELECT segment,"
            " count(*) AS lines, arg_max(kind, seq) AS last_kind FROM batch GROUP BY segment) b"
            " ON b.segment = f.name",
            [
                int(self.clock() * 1e6),
                [path.name for path in paths],
                [segment.source_of(path.name) for path in paths],
                [path.stat().st_size for path in paths],
            ],
        )
        lines = run("SELECT count(*) FROM batch").fetchall()[0][0]
        run("DROP TABLE batch")
        return int(lines)

    def _merge_unfinished(self, table: Relation) -> None:
        """Keep the starts whose end has not come, and let go of those whose end is in this batch.

        The big table is looked into for the few new starts only: their end was merged before them when
        two writers share a span.
        """
        key, run = table.key, self.connection.execute
        begun = table.select("batch", started=True, extra=", source AS writer")
        run(f"CREATE OR REPLACE TEMP TABLE begun AS {begun}")
        ends = ", ".join(f"'{kind}'" for kind in table.kinds)
        run(f"DELETE FROM begun WHERE {key} IN (SELECT {key} FROM batch WHERE kind IN ({ends}))")
        run(f"DELETE FROM begun WHERE {key} IN (SELECT {key} FROM {table.sealed} SEMI JOIN begun USING ({key}))")
        run(f"DELETE FROM {table.unfinished} WHERE {key} IN (SELECT {key} FROM batch WHERE kind IN ({ends}))")
        run(f"INSERT INTO {table.unfinished} BY NAME SELECT * FROM begun")
        run("DROP TABLE begun")

    def _abort_the_dead(self, living: set[str]) -> None:
        """Spans that were begun by a writer that is dead will never end: they are aborted.

        Dead is a writer with no segment left to merge whose last one does not say that it went on in
        another (that one may have been made after the spool was listed).
        """
        alive = "SELECT unnest(?)"
        rotated = (
            "SELECT source FROM internal.segments GROUP BY source"
            f" HAVING arg_max(last_kind, segment) IS NOT DISTINCT FROM '{segment.ROTATED}'"
        )
        for table in TABLES:
            if table.started_kind:
                self.connection.execute(
                    f"UPDATE {table.unfinished} SET status = 'aborted' WHERE status = 'running'"
                    f" AND writer NOT IN ({alive}) AND writer NOT IN ({rotated})",
                    [sorted(living)],
                )

    @property
    def _views(self) -> str:
        """What tells the views of this version from those of another. They need not be made anew in each generation,
        which would be most of a small publication."""
        return hashlib.sha256("\n".join(statements()).encode()).hexdigest()[:16]

    def _show_live(self, floor_ns: int, merged: set[str], unseen: set[str]) -> None:
        """Make the view of the live lines anew, on which the others stand: it skips what this generation holds.

        By a comparison of names where that is enough, because it costs nothing however many segments
        there are: all that are older than ``floor_ns`` are merged, but for the few in ``unseen``.
        """
        floor = segment.segment_name(max(floor_ns, 0), "", 0)
        recent = sorted(name for name in self.known | merged if name >= floor)
        older = sorted(name for name in unseen if name < floor)
        wanted = f"parse_filename(filename) >= {quoted(floor)}"
        if older:
            wanted = f"({wanted} OR {_one_of(older)})"
        if recent:
            wanted += f" AND NOT {_one_of(recent)}"
        setting = "current_setting('temp_directory')"
        beside = f"{DATABASE}.tmp"
        # A folder may have a bracket or a star in its name, which means something in a pattern.
        folder = (
            f"coalesce(getvariable('{SPOOL_VARIABLE}'), CASE WHEN ends_with({setting}, '/{beside}') THEN"
            f" left({setting}, length({setting}) - {len(beside)}) || '{segment.SPOOL}' END,"
            f" {quoted(str(self.spool))})"
        )
        for special in "[*?":
            folder = f"replace({folder}, '{special}', '[{special}]')"
        files = f"{folder} || '/*.jsonl'"
        self.connection.execute(f"CREATE OR REPLACE VIEW internal.lines AS {lines_sql(files, wanted)}")


def lines_sql(files: str, wanted: str) -> str:
    """SQL of the whole lines in ``files``: torn and foreign ones have no id, or no object as data."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in LINE_COLUMNS.items())
    names = ", ".join(name for name in LINE_COLUMNS if name != "v")
    return (
        f"SELECT {names}, parse_filename(filename) AS segment FROM read_json({files}, filename = true,"
        f" format = 'newline_delimited', ignore_errors = true, maximum_object_size = {_MAX_OBJECT},"
        f" columns = {{{columns}}}) WHERE {wanted} AND v = 1 AND id IS NOT NULL AND kind IS NOT NULL"
        " AND ts IS NOT NULL AND source IS NOT NULL AND seq IS NOT NULL AND starts_with(data, '{')"
    )


def _one_of(names: list[str]) -> str:
    """SQL that is true for a file of one of ``names``. One text that is searched and not a list: with 3000
    names DuckDB takes 6 s to plan an IN, and half a second for this."""
    return f"contains({quoted('/' + '/'.join(names) + '/')}, '/' || parse_filename(filename) || '/')"


def batches(paths: list[Path]) -> Iterator[list[Path]]:
    """``paths`` in order, in groups of about ``BATCH_BYTES``."""
    group: list[Path] = []
    size = 0
    for path in paths:
        group.append(path)
        size += path.stat().st_size
        if size >= BATCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def quoted(text: str) -> str:
    """``text`` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
