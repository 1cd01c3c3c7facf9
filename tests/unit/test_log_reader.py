"""The log's tail: every whole line once, in order, in bounded pieces, resumable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jbts_kernel.log import Log, Tail
from jbts_kernel.log.envelope import MAX_LINE, encode
from jbts_kernel.log.reader import QUIET_POLLS
from jbts_kernel.log.segment import names, sealed, segment_name
from jbts_kernel.models import Event


@pytest.fixture
def spool(home: Path) -> Path:
    (home / "spool").mkdir(parents=True)
    return home / "spool"


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    made = Log(home)
    yield made
    made.close()


def event(name: object) -> Event:
    return Event("step.finished", {}, "r", "e", str(name))


def line(name: object, seq: int = 1) -> bytes:
    return encode(event(name), "host-1-abcdef01", seq)


def read(tail: Tail) -> list[str | None]:
    """The step ids of one poll, without the log's own lines."""
    return [record.step_id for record in tail.poll() if record.step_id]


def test_lines_are_seen_as_they_are_written(spool: Path, log: Log) -> None:
    """Each poll gives what was written since the last, and nothing when nothing was."""
    tail = Tail(spool)
    assert tail.poll() == []
    log.emit(event(1), event(2))
    assert read(tail) == ["1", "2"]
    assert tail.poll() == []
    log.emit(event(3))
    assert read(tail) == ["3"]


def test_a_missing_folder_is_an_empty_log(home: Path) -> None:
    """A tail may be there before the first writer is."""
    tail = Tail(home / "spool")
    assert tail.poll() == []
    log = Log(home)
    log.emit(event(1))
    assert read(tail) == ["1"]
    log.close()


def test_segments_are_read_in_the_order_of_their_names(spool: Path) -> None:
    """The oldest segment comes first, whatever order the files were made in."""
    for number in (3, 1, 2):
        (spool / segment_name(number, "host-1-abcdef01", 1)).write_bytes(line(number))
    assert read(Tail(spool)) == ["1", "2", "3"]


def test_an_unfinished_line_waits_for_its_end(spool: Path) -> None:
    """Half a line is not given out, and the whole line is, once."""
    path = spool / segment_name(1, "host-1-abcdef01", 1)
    whole = line(1)
    tail = Tail(spool)
    with path.open("ab", buffering=0) as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)  # as its writer does: a segment nobody holds is complete
        file.write(whole[:30])
        assert tail.poll() == []
        file.write(whole[30:] + line(2)[:5])
        assert read(tail) == ["1"]
        file.write(line(2)[5:])
        assert read(tail) == ["2"]


def test_torn_and_foreign_lines_are_skipped(spool: Path) -> None:
    """Lines that do not parse cost nothing but themselves, even when nothing else was read before them."""
    path = spool / segment_name(1, "host-1-abcdef01", 1)
    path.write_bytes(b"\x00" * 50 + b"\n" + line(1)[:40] + b"\n" + line(1) + b'{"v":2}\n\n[1]\n\r\n' + line(2))
    assert read(Tail(spool)) == ["1", "2"]


def test_a_line_longer_than_any_of_ours_is_passed_over(spool: Path) -> None:
    """A foreign line of many megabytes is neither kept in memory nor in the way."""
    path = spool / segment_name(1, "host-1-abcdef01", 1)
    path.write_bytes(b"x" * (MAX_LINE * 5) + b"\n" + line(1))
    assert read(Tail(spool)) == ["1"]


def test_a_poll_is_bounded_and_nothing_is_missed(home: Path) -> None:
    """A long log comes in pieces that together are the log, in order."""
    log = Log(home, max_bytes=1 << 20)
    total = 12_000
    for number in range(0, total, 10):
        log.emit(*(Event("step.finished", {"pad": "x" * 500}, "r", "e", str(number + i)) for i in range(10)))
    log.close()
    tail = Tail(home / "spool", poll_bytes=1 << 20)
    pieces = []
    while piece := read(tail):
        pieces.append(piece)
    assert len(pieces) > 2
    assert max(map(len, pieces)) < total / 2
    assert [name for piece in pieces for name in piece] == [str(number) for number in range(total)]


def test_a_tail_goes_on_where_another_stopped(home: Path, log: Log) -> None:
    """A position taken from one tail lets another give exactly the rest."""
    log.emit(event(1))
    first = Tail(home / "spool")
    assert read(first) == ["1"]
    log.emit(event(2))
    later = Log(home)
    later.emit(event(3))
    second = Tail(home / "spool", first.position)
    assert read(second) == ["2", "3"]
    assert second.poll() == []
    later.close()


def test_many_ended_segments_cost_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments whose last line says that they ended are not looked at again."""
    for number in range(20):
        log = Log(home)
        log.emit(event(number))
        log.close()
    tail = Tail(home / "spool")
    assert len(read(tail)) == 20
    looked: list[str] = []
    stat = os.stat

    def watched(path: os.PathLike[str], **options: object) -> os.stat_result:
        looked.append(str(path))
        return stat(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", watched)
    assert tail.poll() == []
    assert not [path for path in looked if path.endswith(".jsonl")]


def test_the_segment_of_a_dead_writer_is_let_go(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that nobody holds any more is not polled for ever, though its writer left no last line."""
    path = spool / segment_name(1, "host-1-abcdef01", 1)
    path.write_bytes(line(1) + b'{"torn')
    tail = Tail(spool)
    assert read(tail) == ["1"]
    for _ in range(QUIET_POLLS + 1):
        assert tail.poll() == []
    opened: list[str] = []
    monkeypatch.setattr("builtins.open", lambda *arguments, **_: opened.append(arguments[0]))
    assert tail.poll() == []
    assert opened == []


def test_retired_segments_are_forgotten(home: Path) -> None:
    """A segment moved out of the spool is no error and leaves the position."""
    for number in range(2):
        log = Log(home)
        log.emit(event(number))
        log.close()
    spool = home / "spool"
    tail = Tail(spool)
    assert len(read(tail)) == 2
    oldest = names(spool)[0]
    (spool / "merged").mkdir()
    os.replace(spool / oldest, spool / "merged" / oldest)
    assert tail.poll() == []
    assert oldest not in tail.position and len(tail.position) == 1


def test_sealed_and_open_segments(home: Path, log: Log) -> None:
    """Those that ended are told from those still held; what is known is left out."""
    log.emit(event(1))
    other = Log(home)
    other.emit(event(2))
    ended = other.segment
    other.close()
    assert log.segment is not None and ended is not None
    assert sealed(home / "spool") == ([ended], [log.segment])
    assert sealed(home / "spool", {ended.name}) == ([], [log.segment])


def test_a_writers_segments_are_sealed_in_order(spool: Path) -> None:
    """While an earlier segment of a writer is held a later one is not given out, whatever its lock says."""
    import fcntl

    first, second = (spool / segment_name(number, "host-1-abcdef01", number) for number in (1, 2))
    other = spool / segment_name(3, "host-2-abcdef02", 1)
    for path in (first, second, other):
        path.touch()
    with first.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sealed(spool) == ([other], [first, second])
    assert sealed(spool) == ([first, second, other], [])


def test_an_end_is_never_taken_without_what_came_before(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that dies while the locks are tried is found dead if anything sealed later was found sealed."""
    from jbts_kernel.log import segment

    first, second = (spool / segment_name(number, f"host-{number}-abcdef01", 1) for number in (1, 2))
    for path in (first, second):
        path.touch()
    tried: list[str] = []

    def dying(path: Path) -> bool:
        tried.append(path.name)
        return path == second or tried.count(first.name) > 1  # the first dies after it was first tried

    monkeypatch.setattr(segment, "is_sealed", dying)
    assert segment.sealed(spool) == ([first, second], [])
