"""Letting go of what is old: rows, segments of the log, and files no row refers to any more.

An execution goes as a whole, with its steps and all that hangs on them, once it ended before the time given. The
database is written anew with what stays, so that it gets smaller, and takes the place of the old one like any
generation does: readers notice nothing. Names of segments stay, so that what was published once is not taken
for new. The evidence of an execution and what it downloaded go with it. A segment is deleted when its last line is
that old; where one holds a line on either side it stays, and a database that has to be made again from the log has
those rows once more, until the next pruning.
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted paths)

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreProblem
from ..log import segment
from .generation import VIEWS, quoted
from .publish import STORAGE, ensure, publish
from .queries import Results
from .relation import Relation
from .schema import EXECUTIONS, RUNS, TABLES
from .transfer import FOLDERS


@dataclass(frozen=True, slots=True)
class Pruning:
    """What went: executions and steps, segments and files, and the bytes of the latter two."""

    executions: int
    steps: int
    segments: int
    files: int
    bytes: int


def prune(home: Path, keep_s: float, *, dry_run: bool = False, clock: Callable[[], float] = time.time) -> Pruning:
    """Delete what ended more than ``keep_s`` seconds ago; with ``dry_run`` only say what would go. Waits for a
    publication that is under way. Raises StoreProblem; results are then as they were, or pruned of rows only."""
    home = Path(home).absolute()
    ensure(home)
    before = clock() - keep_s
    cut = f"make_timestamp({int(before * 1e6)})"
    results = Results(home)
    counts = [
        results.value(f"SELECT count(*) FROM {table} WHERE execution_id IN (SELECT execution_id FROM executions"
                      f" WHERE {_ended(cut)})")
        for table in ("executions", "steps")
    ]  # fmt: skip
    if not dry_run:
        publish(home, min_segments=0, wait=True, clock=clock, copy=lambda old, new: _copy_newer(old, new, cut))
    try:
        segments, freed = _segments(home, before, dry_run)
        left = _left(home, before, dry_run, cut)
        files = _files(home, before, dry_run, cut)
    except OSError as problem:
        raise StoreProblem(f"old files of {home} could not be deleted: {problem}") from problem
    return Pruning(int(counts[0]), int(counts[1]), segments, left[0] + files[0], freed + left[1] + files[1])


def _ended(cut: str) -> str:
    """Whether an execution or run is over, and was before ``cut``."""
    return f"(status <> 'running' AND coalesce(ended_at, started_at) < {cut})"


def _stays(table: Relation, cut: str) -> str:
    """Which rows of a sealed table stay."""
    if table in (RUNS, EXECUTIONS):
        return f"NOT coalesce({_ended(cut)}, false)"
    moments = [column.name for column in table.columns if column.type == "TIMESTAMP"]
    recent = f"coalesce(greatest({', '.join(moments)}) >= {cut}, true)"
    return (
        f"execution_id IN (SELECT execution_id FROM old.{EXECUTIONS.sealed} WHERE {_stays(EXECUTIONS, cut)}"
        f" UNION ALL SELECT execution_id FROM old.{EXECUTIONS.unfinished} WHERE {_stays(EXECUTIONS, cut)}) OR {recent}"
        if any(column.name == "execution_id" for column in table.columns)
        else recent
    )


def _copy_newer(current: Path, private: Path, cut: str) -> None:
    """Make ``private`` of what stays in ``current``, its tables made as they were made there."""
    import duckdb

    with duckdb.connect(str(private), config={"storage_compatibility_version": STORAGE, "threads": "1"}) as copy:
        copy.execute("SET enable_progress_bar = false")
        copy.execute(f"ATTACH {quoted(str(current))} AS old (READ_ONLY)")
        copy.execute("CREATE SCHEMA internal")
        known = {table.sealed.partition(".")[2]: table for table in TABLES}
        known |= {table.unfinished.partition(".")[2]: table for table in TABLES if table.started_kind}
        made = copy.execute(
            "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = 'old' AND schema_name = 'internal'"
        ).fetchall()
        for name, ddl in made:
            copy.execute(ddl)
            where = ""
            if name in known:
                unfinished = name.endswith("_unfinished")
                where = (
                    f" WHERE NOT coalesce({_ended(cut)}, false)" if unfinished else f" WHERE {_stays(known[name], cut)}"
                )
            copy.execute(f"INSERT INTO internal.{name} SELECT * FROM old.internal.{name}{where}")
        copy.execute("DELETE FROM internal.facts WHERE name = ?", [VIEWS])  # it has the tables alone
        copy.execute("DETACH old")


def _segments(home: Path, before: float, dry_run: bool) -> tuple[int, int]:
    """Delete the published segments whose last line is older; their number and bytes."""
    spool = home / segment.SPOOL
    known = {row[0] for row in Results(home).rows("SELECT segment FROM internal.segments", limit=1 << 31).rows}
    count = size = 0
    for folder in (spool / segment.RETIRED, spool):
        for name in segment.names(folder)[: -1 if folder == spool else None]:  # later names follow on the newest
            path = folder / name
            found = path.stat()
            if name in known and found.st_mtime < before and segment.is_sealed(path):
                count, size = count + 1, size + found.st_size
                if not dry_run:
                    path.unlink()
    return count, size


def _left(home: Path, before: float, dry_run: bool, cut: str) -> tuple[int, int]:
    """Delete what old executions left in folders of their own, evidence and downloads; the number and bytes of its
    files. What is stored by its content too (a link) frees nothing here."""
    staying = f" WHERE NOT coalesce({_ended(cut)}, false)" if dry_run else ""
    kept = {row[0] for row in Results(home).rows(f"SELECT execution_id FROM executions{staying}", limit=1 << 31).rows}
    count = size = 0
    for folder in (folder for name in FOLDERS if (home / name).is_dir() for folder in (home / name).iterdir()):
        if folder.name in kept or folder.is_symlink() or not folder.is_dir():
            continue
        found = [path.lstat() for path in folder.rglob("*") if not path.is_dir()]
        if all(file.st_mtime < before for file in (found or [folder.stat()])):
            count, size = count + len(found), size + sum(file.st_size for file in found if file.st_nlink == 1)
            if not dry_run:
                shutil.rmtree(folder)
    return count, size


def _files(home: Path, before: float, dry_run: bool, cut: str) -> tuple[int, int]:
    """Delete the old files that no row refers to; their number and bytes. A file used again is not old."""
    folder = home / "artifacts"
    old = (
        [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime < before]
        if folder.is_dir()
        else []
    )
    staying = ""
    if dry_run:
        staying = f" WHERE coalesce(execution_id, '') NOT IN (SELECT execution_id FROM executions WHERE {_ended(cut)})"
    rows = (
        Results(home)
        .rows(
            f"SELECT DISTINCT artifact FROM artifacts{staying} UNION SELECT DISTINCT screenshot FROM steps{staying}",
            limit=1 << 31,
        )
        .rows
    )
    used = {row[0] for row in rows}
    count = size = 0
    for path in old:
        found = path.stat()
        if path.name.partition(".")[0] not in used and found.st_mtime < before:
            count, size = count + 1, size + found.st_size
            if not dry_run:
                path.unlink()
    return count, size
