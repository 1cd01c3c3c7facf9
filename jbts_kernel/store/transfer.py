"""Segments on their way from one data folder to another: ``jbts ship`` and ``jbts import`` are this, each
in its direction.

A segment's name says when, where and by whom it was written, so it is the same segment wherever it lies:
a folder that has one, or has published it once, does not take it again. It arrives under its name whole or
not at all, and the publication that follows puts its rows and its name into the database in one
transaction. So every line is applied once, whoever is killed, and however many machines ship to one folder.

Only what nobody writes any more leaves a folder. That is proved by the lock, and a lock does not travel: in
a copy of a folder that was in use (rsync, a CI artifact) the last segment is the beginning of one that may
come again, longer. Then only what is new is taken, as a segment of its own named after the first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreProblem
from ..log import segment
from .generation import DATABASE
from .publish import publish
from .queries import Results

FOLDERS = ("evidence", "downloads")
"""What lies beside the log and belongs to one execution each, in a folder named after it."""

_CHUNK = 1 << 20
_ALL = 1 << 40


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a transfer did: ``segments`` and ``files`` (pictures, evidence, downloads) taken over, with their
    ``bytes``; ``known`` segments were there already, ``open_segments`` are still being written."""

    segments: int
    files: int
    bytes: int
    known: int
    open_segments: int


def transfer(source: Path, target: Path) -> Transfer:
    """Take every sealed segment of the data folder ``source``, every artifact and what executions left (``FOLDERS``)
    over into ``target``, which is made where missing, and publish there. Raises StoreProblem; what has arrived until
    then stays, and the next call goes on."""
    source, target = Path(source).absolute(), Path(target).absolute()
    if not (source / segment.SPOOL).is_dir():
        raise StoreProblem(
            f"{source} is no data folder: it has no {segment.SPOOL}/",
            hints=("name the .jbts folder itself, or one that jbts ship has filled",),
        )
    if source == target:
        raise StoreProblem(f"{source} is this project's own data folder; name another one")
    try:
        spool = segment.make_spool(target)
        files, size = _files(source, target)  # before the rows that name them
        sealed, still_open = complete(source)
        taken = 0
        for part in missing(sealed, _held(target)):
            put(part, spool)
            taken, size = taken + 1, size + part.size
    except OSError as problem:
        raise StoreProblem(f"{source} could not be taken over into {target}: {problem}") from problem
    publish(target, wait=True)
    return Transfer(taken, files, size, len(sealed) - taken, still_open)


def complete(home: Path) -> tuple[list[Path], int]:
    """The segments of ``home`` that nobody writes any more, oldest first, and how many are still written."""
    sealed, still_open = segment.sealed(home / segment.SPOOL)
    retired = home / segment.SPOOL / segment.RETIRED
    return [retired / name for name in segment.names(retired)] + sealed, len(still_open)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a file of the log that another place has not, from ``start`` on, and the ``name`` under which
    they arrive there."""

    path: Path
    start: int
    size: int
    name: str


def missing(sealed: Iterable[Path], held: Mapping[str, int]) -> Iterator[Part]:
    """What of ``sealed`` a place has not that holds ``held`` (see :func:`held`). Part of a segment is told from the
    whole of it: by the bytes that were taken, wherever they lay in between."""
    sizes = dict(held)
    for path in sealed:
        whole, end = piece_of(path.name)
        size = path.stat().st_size
        first = end - size if end else 0  # where in the segment this file begins
        have = sizes.get(whole, 0)
        if first + size <= have:
            continue
        start = _line_start(path, have - first) if have > first else 0
        yield Part(path, start, size - start, _piece(whole, first + size) if have and not end else path.name)
        sizes[whole] = first + size


def held(segments: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How many bytes of each segment a place has, by the names and sizes of the files that arrived there."""
    sizes: dict[str, int] = {}
    for name, size in segments:
        whole, end = piece_of(name)
        sizes[whole] = max(sizes.get(whole, 0), end or size)
    return sizes


def _held(home: Path) -> Mapping[str, int]:
    """What ``home`` has of each segment: in its log, or published though long pruned."""
    sizes: list[tuple[str, int]] = []
    for folder in (home / segment.SPOOL / segment.RETIRED, home / segment.SPOOL):
        sizes += [(name, (folder / name).stat().st_size) for name in segment.names(folder)]
    if (home / DATABASE).exists():
        results = Results(home)
        kept = results.value("SELECT 1 FROM duckdb_columns() WHERE table_name = 'segments' AND column_name = 'bytes'")
        size = "coalesce(bytes, $most)" if kept else "$most"  # before sizes were kept all were merged whole
        found = results.rows(f"SELECT segment, {size} FROM internal.segments", {"most": _ALL}, limit=_ALL)  # noqa: S608
        sizes += [(str(name), int(count)) for name, count in found.rows]
    return held(sizes)


def put(part: Part, folder: Path) -> Path:
    """Put ``part`` into ``folder`` under its name; it appears whole and on the disk, or not at all."""
    place = folder / part.name
    _copy(part.path, place, part.start)
    return place


def _piece(name: str, end: int) -> str:
    """What the last part of the first ``end`` bytes of the segment ``name`` is called, a segment of its own."""
    return f"{name[:20]}-{segment.source_of(name)}+{end}-{name[-12:]}"


def piece_of(name: str) -> tuple[str, int]:
    """The segment that ``name`` is a piece of, and where in it the piece ends; itself and 0 for a whole one."""
    source, plus, end = segment.source_of(name).rpartition("+")
    return (f"{name[:20]}-{source}-{name[-12:]}", int(end)) if plus and end.isdigit() else (name, 0)


def _line_start(path: Path, position: int) -> int:
    """The beginning of the line that ``position`` is in: what was held may end in the middle of it."""
    with open(path, "rb") as file:
        file.seek(position)
        if position and file.read(1) == b"\n":
            return position + 1  # only its end was missing, and a reader does without
        while position > 0:
            begin = max(position - _CHUNK, 0)
            file.seek(begin)
            found = file.read(position - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            position = begin
    return 0


def _copy(path: Path, place: Path, start: int = 0) -> None:
    """Copy a file (from ``start`` on) so that it appears whole, is on the disk, and keeps its time."""
    part = place.with_name(f"{place.name}.{os.getpid()}.copy")
    try:
        with open(path, "rb") as left, open(part, "wb") as right:
            left.seek(start)
            shutil.copyfileobj(left, right, _CHUNK)
            right.flush()
            os.fsync(right.fileno())
        shutil.copystat(path, part)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)


def _files(source: Path, target: Path) -> tuple[int, int]:
    """Copy the files beside the log that ``target`` has not; their number and bytes. An artifact is named by its
    content; of what else there is one that grew meanwhile is copied again. What is one file under two names is so
    there too, if the artifact is there."""
    count = size = 0
    stored: dict[tuple[int, int], Path] = {}
    for folder in ("artifacts", *FOLDERS):
        for path in sorted((source / folder).rglob("*")) if (source / folder).is_dir() else ():
            if path.is_symlink() or not path.is_file() or path.suffix == ".part":
                continue
            found, place = path.stat(), target / path.relative_to(source)
            identity = (found.st_dev, found.st_ino)
            if folder == "artifacts" and found.st_nlink > 1:
                stored[identity] = place
            if place.exists() and (folder == "artifacts" or place.stat().st_size == found.st_size):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if not _link(stored.get(identity), place):
                _copy(path, place)
                size += found.st_size
            count += 1
    return count, size


def _link(stored: Path | None, place: Path) -> bool:
    """Give ``stored`` a second name; False where there is none such or no file system for it."""
    if stored is None or place.exists():
        return False
    try:
        os.link(stored, place)
    except OSError:
        return False
    return True
