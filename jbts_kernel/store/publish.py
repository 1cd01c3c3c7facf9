"""Publication: sealed segments of the log become the next generation of ``results.duckdb``.

DuckDB locks a file for one process at a time, so nobody ever opens the published file for writing. A
publication works on a private copy, puts the new segments and their names into it in one transaction,
and renames it over the old file: at every moment the file is a whole generation, and a publisher that
is killed leaves at most a private copy that the next one removes. What is not sealed yet is read from
the log by the views, which know the segments of their own generation: each line is seen exactly once,
by readers of the old file and of the new one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import StoreProblem
from ..log import segment
from .generation import DATABASE, Generation, quoted
from .migrations import MIGRATIONS

STORAGE = "v1.5.0"
"""The oldest DuckDB that can read the file."""

STAGES = ("locked", "copied", "inserted", "committed", "written", "renamed", "retired")
"""The moments of a publication, as told to its ``at`` argument."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication did. ``segments`` and ``lines`` were added; with ``changed`` False there was too
    little to do and the file is as it was. ``open_segments`` are still being written. Times in ms."""

    generation: int
    changed: bool
    segments: int
    lines: int
    open_segments: int
    copy_ms: float
    insert_ms: float
    write_ms: float


def publish(
    home: Path,
    *,
    min_segments: int = 1,
    retire_after_s: float = 86_400,
    clock: Callable[[], float] = time.time,
    at: Callable[[str], object] = lambda stage: None,
    wait: bool = False,
    copy: Callable[[Path, Path], object] | None = None,
) -> Publication | None:
    """Make the next generation of ``home``'s results; None when another process is at it.

    Does nothing unless at least ``min_segments`` new ones are sealed, the file is missing or the folder
    was moved. Segments merged in an earlier generation and older than ``retire_after_s`` go to
    ``spool/merged``, where only a rebuild reads them: delete ``results.duckdb``, publish, and everything is
    there again. ``at`` is called at each of ``STAGES``; ``wait`` waits for the other process; ``copy``
    makes the private copy in a way of its own (a whole database, from the current file). Raises
    StoreProblem; the published file is then as it was.
    """
    home = Path(home).absolute()
    with _lock(home, wait=wait) as held:
        if not held:
            return None
        return _publish(home, min_segments, retire_after_s, clock, at, copy)


def ensure(home: Path) -> Path:
    """The path of ``home``'s database, made empty (with what is sealed) when missing, so that a plain
    ``duckdb -readonly`` works at once. Waits for a publication that is under way. Raises StoreProblem."""
    home = Path(home).absolute()
    database = home / DATABASE
    if not database.exists():
        with _lock(home, wait=True):
            if not database.exists():
                _publish(home, 0, 86_400, time.time)
    return database


@contextmanager
def _lock(home: Path, *, wait: bool) -> Iterator[bool]:
    """The right to publish, which ends with the process; False when another has it and not to ``wait``."""
    try:
        segment.make_spool(home)
        fd = os.open(home / ".publish.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise StoreProblem(
            f"results cannot be published to {home}: {problem.strerror}; is the folder writable?"
        ) from problem
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)


def _publish(
    home: Path,
    min_segments: int,
    retire_after_s: float,
    clock: Callable[[], float],
    at: Callable[[str], object] = lambda stage: None,
    copy: Callable[[Path, Path], object] | None = None,
) -> Publication:
    import duckdb

    current, private = home / DATABASE, home / ".next.duckdb"
    marks = [time.perf_counter()]
    at("locked")
    try:
        _remove(private)
        fresh = not current.exists()
        if not fresh and (idle := _idle(current, home, min_segments)):
            return idle
        if not fresh:
            (copy or _copy)(current, private)
        at("copied")
        marks.append(time.perf_counter())
        connection = duckdb.connect(str(private), config={"storage_compatibility_version": STORAGE, "threads": "1"})
        try:
            connection.execute("SET enable_progress_bar = false")
            generation = Generation(connection, home, clock)
            done = generation.add(min_segments, fresh)
            if done is None:
                return Publication(
                    generation.number,
                    False,
                    0,
                    0,
                    generation.open_segments,
                    _ms(marks[0], marks[1]),
                    0.0,
                    0.0,
                )
            at("inserted")
            connection.execute("COMMIT")
            at("committed")
            marks.append(time.perf_counter())
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
        private.chmod(0o444)
        _sync(private)
        at("written")
        # Left by somebody who opened the published file for writing; it does not belong to the new one.
        (home / f"{DATABASE}.wal").unlink(missing_ok=True)
        os.replace(private, current)
        _sync(home)
        at("renamed")
        marks.append(time.perf_counter())
        _retire(home / segment.SPOOL, generation.known, clock() - retire_after_s)
        at("retired")
    except duckdb.Error as problem:
        reason = str(problem).partition("\n")[0]
        raise StoreProblem(
            f"results could not be published: {reason}",
            hints=(f"when {current} is damaged, delete it: the next publication makes it again from the log",),
        ) from problem
    except OSError as problem:
        raise StoreProblem(f"results could not be published to {home}: {problem}") from problem
    finally:
        _remove(private)
    segments, lines = done
    return Publication(
        generation.number,
        True,
        segments,
        lines,
        generation.open_segments,
        *(_ms(begin, end) for begin, end in pairwise(marks)),
    )


def _idle(current: Path, home: Path, min_segments: int) -> Publication | None:
    """What to answer when there is too little to do; None when there is something, or it cannot be told. It
    costs milliseconds and saves the copy, since a kernel asks every minute, and mostly in vain."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute(f"ATTACH {quoted(str(current))} AS published (READ_ONLY)")
            names = {row[0] for row in connection.execute("FROM published.internal.migrations").fetchall()}
            facts = dict(connection.execute("FROM published.internal.facts").fetchall())
            known = {r[0] for r in connection.execute("SELECT segment FROM published.internal.segments").fetchall()}
        except duckdb.Error:
            return None  # said, with the way out, by what follows
    sealed, still_open = segment.sealed(home / segment.SPOOL, known)
    if {name for name, _ in MIGRATIONS} != names or facts.get("home") != str(home) or len(sealed) >= min_segments:
        return None
    return Publication(int(facts.get("generation", "0")), False, 0, 0, len(still_open), 0.0, 0.0, 0.0)


def _retire(spool: Path, known: set[str], before: float) -> None:
    """Take segments long merged out of the folder readers list. The file of the generation before this
    one may still be open somewhere: it knows those in ``known`` as merged, so it will not miss them. The newest
    stays: the names of later ones follow on it, whatever the clock says."""
    retired = spool / segment.RETIRED
    for name in segment.names(spool)[:-1]:
        if name in known and (spool / name).stat().st_mtime < before:
            retired.mkdir(exist_ok=True)
            os.replace(spool / name, retired / name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file; where the file system can share blocks between two files it costs nothing. Elsewhere it is the
    processor that takes its time, so one half is copied beside the other."""
    if hasattr(os, "copy_file_range"):
        with open(source, "rb") as left, open(target, "wb") as right:
            size = os.fstat(left.fileno()).st_size
            middle = size // 2 // _STRETCH * _STRETCH
            halves = (0, middle), (middle, size)
            try:
                with _written_out(right.fileno()), ThreadPoolExecutor(2) as both:
                    done = both.map(lambda half: _copy_range(left.fileno(), right.fileno(), *half), halves)
                    whole = all(done)
            except OSError:
                whole = False  # not between these file systems: the portable way says what is wrong, if anything
        if whole:
            return
    shutil.copyfile(source, target)


def _copy_range(source: int, target: int, position: int, end: int) -> bool:
    """Copy that part of a file to the same place in another; False when it ended before."""
    while position < end:
        step = os.copy_file_range(source, target, min(_STRETCH, end - position), position, position)
        if step == 0:
            return False
        position += step
    return True


_STRETCH = 16 << 20
"""Bytes copied at once: what the disk is given to do meanwhile."""


@contextmanager
def _written_out(fd: int) -> Iterator[None]:
    """Have the disk write what is copied while it is copied. It must be there before the file takes its place, and
    the transaction, which syncs the file, would wait for all of it: a third of a publication onto a gigabyte."""
    done = threading.Event()

    def write_out() -> None:
        while not done.is_set():
            try:
                os.fsync(fd)
            except OSError:
                return  # said by the sync before the renaming

    beside = threading.Thread(target=write_out, daemon=True)
    beside.start()
    try:
        yield
    finally:
        done.set()
        beside.join()


def _remove(private: Path) -> None:
    for path in (private, private.with_name(private.name + ".wal")):
        path.unlink(missing_ok=True)
    shutil.rmtree(private.with_name(private.name + ".tmp"), ignore_errors=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _ms(begin: float, end: float) -> float:
    return round((end - begin) * 1000, 3)
