"""Segments: the files of the log, their names and the lock that says whether one is still written.

A name is ``<nanoseconds, 20 digits>-<source>-<number, 6 digits>.jsonl``: sorting names sorts segments by
age, and the writer can be read off a name. A segment is created with the suffix ``.part``, locked and
only then renamed, so a file seen under its final name was locked from its first moment on: a shared
lock that succeeds proves that its writer rotated it or is dead (the kernel drops the lock of a killed
process), and that no byte will ever be added. A sealed segment is never written again.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Collection, Container
from pathlib import Path

SPOOL = "spool"
RETIRED = "merged"
PART = ".part"
SENTINEL = "0-empty.jsonl"
"""An empty file that is always there: a pattern that matches no file is an error to DuckDB."""

ROTATED = "segment.rotated"
CLOSED = "segment.closed"
"""Kinds of a segment's last line: its writer went on in another, or ended well. Neither: it died."""

_NAME = re.compile(r"(\d{20})-(.+)-(\d{6})\.jsonl(\.part)?")


def new_source(token: str) -> str:
    """A writer's name: host, process id and ``token`` (8 hexadecimal digits)."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "host"
    return f"{host}-{os.getpid()}-{token}"


def segment_name(nanoseconds: int, source: str, number: int) -> str:
    """The final file name of a segment."""
    return f"{nanoseconds:020d}-{source}-{number:06d}.jsonl"


def born_ns(name: str) -> int:
    """When the segment ``name`` was begun, nanoseconds since the epoch (0 for a name of other form)."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else 0


def source_of(name: str) -> str:
    """The writer of the segment ``name`` (empty for a name of other form)."""
    found = _NAME.fullmatch(name)
    return found[2] if found else ""


def names(folder: Path, *, parts: bool = False) -> list[str]:
    """Names of the segments in ``folder``, oldest first; none when there is no such folder. With
    ``parts`` those not yet visible to readers are listed too, under the name they will get."""
    try:
        listed = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = []
    for name in listed:
        match = _NAME.fullmatch(name)
        if match and (parts or not match[4]):
            found.append(name.removesuffix(PART))
    return sorted(set(found))


def make_spool(home: Path) -> Path:
    """The spool folder of ``home``, made with its sentinel where missing. Raises OSError."""
    spool = home / SPOOL
    spool.mkdir(parents=True, exist_ok=True)
    os.close(os.open(spool / SENTINEL, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    return spool


def is_sealed(path: Path) -> bool | None:
    """Whether nothing will be added to the segment any more; None when it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def writers(spool: Path, among: Collection[str]) -> set[str]:
    """Which of the writers in ``among`` still write: of a live one the newest segment is locked."""
    newest = {source_of(name): name for name in names(spool)}
    return {source for source in among if source in newest and is_sealed(spool / newest[source]) is False}


def dead(spool: Path) -> set[str]:
    """The writers of the segments in ``spool`` that write no more: of each the newest segment is sealed."""
    before = {source_of(name): name for name in names(spool)}
    quiet = {source: name for source, name in before.items() if is_sealed(spool / name)}
    # Who goes on in another segment shows it before letting go of the last: it is there by now.
    after = {source_of(name): name for name in names(spool, parts=True)} if quiet else {}
    return {source for source, name in quiet.items() if after.get(source, name) == name}


def sealed(spool: Path, known: Container[str] = ()) -> tuple[list[Path], list[Path]]:
    """The segments of ``spool`` that are not in ``known``: (sealed, still open), oldest first each.

    What was sealed before another segment was sealed is found sealed whenever that one is: a reader never
    takes the end of something without its beginning, even when another process wrote the end because
    the first had died.
    """
    done: list[str] = []
    still = [name for name in names(spool) if name not in known]
    while True:
        # Until a round finds nothing new: then all that is still open was so after all others were sealed.
        states = {name: is_sealed(spool / name) for name in still}
        found = [name for name in still if states[name]]
        still = [name for name in still if states[name] is False]
        done += found
        if not found:
            break
    # A process that dies drops its locks one after the other: between two of them its later segment can
    # look sealed before the earlier one does. A writer's segments are taken in their order.
    oldest: dict[str, str] = {}
    for name in reversed(still):
        oldest[source_of(name)] = name
    held = {name for name in done if name > oldest.get(source_of(name), "~")}
    return (
        [spool / name for name in sorted(done) if name not in held],
        [spool / name for name in sorted(held.union(still))],
    )
