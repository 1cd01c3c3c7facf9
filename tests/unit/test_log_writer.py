"""The log's writer: what was acknowledged is there, and nothing it meets reaches the step."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from jbts_kernel.log import Log, Record, Tail
from jbts_kernel.log.envelope import decode
from jbts_kernel.log.segment import CLOSED, ROTATED, SENTINEL, is_sealed, names, sealed
from jbts_kernel.models import Event

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    """A log that is closed afterwards."""
    made = Log(home)
    yield made
    made.close()


def event(number: int, **data: object) -> Event:
    return Event("step.finished", {"n": number, **data}, "r", "e", str(number))


def read(home: Path) -> list[Record]:
    """Every record of a project, in the order a reader gets them."""
    tail = Tail(home / "spool")
    found: list[Record] = []
    while batch := tail.poll():
        found += batch
    return found


def steps(home: Path) -> list[str | None]:
    return [record.step_id for record in read(home) if record.kind == "step.finished"]


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs ``script``."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_events_are_lines_in_order(home: Path, log: Log) -> None:
    """Events of one emission follow each other, numbered from 1, under the writer's name."""
    assert log.emit(event(1), event(2)) and log.emit(event(3))
    found = read(home)
    assert [(record.step_id, record.seq, record.source) for record in found] == [
        ("1", 1, log.source),
        ("2", 2, log.source),
        ("3", 3, log.source),
    ]
    host, pid, token = log.source.rsplit("-", 2)
    assert host and pid == str(os.getpid()) and len(token) == 8


def test_an_emission_is_one_write(home: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events are emitted together, the system is asked once."""
    log.emit(event(0))
    calls: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        calls.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    log.emit(*(event(number) for number in range(1, 50)))
    assert len(calls) == 1


def test_nothing_is_made_before_the_first_event(home: Path, log: Log) -> None:
    """A log that was never written to leaves no file; the first emission makes the folder and its sentinel."""
    assert not home.exists() and log.segment is None
    log.emit(event(1))
    assert log.segment is not None and log.segment.exists()
    assert (home / "spool" / SENTINEL).read_bytes() == b""


def test_closing_is_written_and_can_be_repeated(home: Path, log: Log) -> None:
    """A clean end is the segment's last line; afterwards it is sealed, and events are dropped with a reason."""
    log.emit(event(1))
    open_segment = log.segment
    assert open_segment is not None and is_sealed(open_segment) is False
    log.close()
    log.close()
    assert is_sealed(open_segment) is True
    assert [record.kind for record in read(home)] == ["step.finished", CLOSED]
    assert log.emit(event(2)) is False
    assert (log.dropped, log.last_error) == (1, "the log is closed")


def test_a_segment_ends_by_size(home: Path) -> None:
    """Each segment but the last ends with the line that says so, and names sort in the order of writing."""
    log = Log(home, max_bytes=2_000)
    for number in range(100):
        assert log.emit(event(number, pad="x" * 100))
    log.close()
    segments = names(home / "spool")
    assert len(segments) > 5
    ends = [(home / "spool" / name).read_bytes().splitlines()[-1] for name in segments]
    kinds = [record.kind for line in ends if (record := decode(line))]
    assert kinds == [ROTATED] * (len(segments) - 1) + [CLOSED]
    assert steps(home) == [str(number) for number in range(100)]
    assert [record.seq for record in read(home)] == sorted(record.seq for record in read(home))


def test_a_segment_ends_by_age(home: Path) -> None:
    """The first emission after the time is up is the last of its segment, also when the clock went back."""
    now = [1_000.0]
    log = Log(home, max_age_s=60, clock=lambda: now[0])
    for now[0] in (1_000.0, 1_030.0, 1_061.0, 1_062.0, 900.0, 901.0):
        log.emit(event(int(now[0])))
    log.close()
    counts = [
        [record.step_id for line in (home / "spool" / name).read_bytes().splitlines() if (record := decode(line))]
        for name in names(home / "spool")
    ]
    assert counts == [["1000", "1030", "1061", None], ["1062", "900", None], ["901", None]]


def test_names_follow_those_already_there(home: Path) -> None:
    """A process whose clock is behind still sorts after what readers have read."""
    ahead = Log(home, clock=lambda: 2_000.0)
    ahead.emit(event(1))
    ahead.close()
    behind = Log(home, clock=lambda: 1_000.0)
    behind.emit(event(2))
    behind.close()
    assert steps(home) == ["1", "2"]


def test_a_segment_is_locked_before_it_is_seen(home: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment of locking nobody can see the segment, so nobody can take it for sealed."""
    seen: list[list[str]] = []
    flock = fcntl.flock

    def watched(fd: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX:
            seen.append(names(home / "spool"))
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", watched)
    log.emit(event(1))
    assert seen == [[]]
    assert sealed(home / "spool") == ([], [log.segment])


def test_threads_share_a_log(home: Path, log: Log) -> None:
    """Lines of several threads never mix, and every number is used once."""

    def work(thread: int) -> None:
        for number in range(200):
            log.emit(event(thread * 1_000 + number))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(home)
    assert [record.seq for record in found] == list(range(1, 801))
    assert len({record.step_id for record in found}) == 800


def test_a_forked_child_writes_its_own_segment(home: Path, log: Log) -> None:
    """After a fork the two write to different segments under different names, and the parent's lock holds."""
    log.emit(event(1))
    parent, segment = log.source, log.segment
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        good = log.emit(event(2)) and log.source != parent and log.segment != segment
        os.write(writing, b"1" if good else b"0")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"1"
    os.waitpid(child, 0)
    assert segment is not None and is_sealed(segment) is False
    log.emit(event(3))
    found = read(home)
    assert Counter((record.step_id, record.seq) for record in found) == {("1", 1): 1, ("2", 1): 1, ("3", 2): 1}
    assert len({record.source for record in found}) == 2


def test_processes_write_side_by_side(home: Path) -> None:
    """Several processes at once lose nothing and double nothing, over many segments."""
    script = (
        "import sys; from pathlib import Path; from jbts_kernel.log import Log; from jbts_kernel.models import Event\n"
        "log = Log(Path(sys.argv[1]), max_bytes=5_000)\n"
        "for i in range(300): assert log.emit(Event('step.finished', {}, 'r', sys.argv[2], f'{sys.argv[2]}-{i}'))\n"
        "log.close()"
    )
    writers = [python(script, home, number) for number in range(4)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert Counter(steps(home)) == {f"{w}-{i}": 1 for w in range(4) for i in range(300)}


def test_what_was_acknowledged_survives_a_kill(home: Path) -> None:
    """A writer killed in the middle of its work has lost nothing that it was told is written."""
    script = (
        "import sys; from pathlib import Path; from jbts_kernel.log import Log; from jbts_kernel.models import Event\n"
        "log = Log(Path(sys.argv[1]), max_bytes=20_000); i = 0\n"
        "while True:\n"
        "    log.emit(Event('step.finished', {}, 'r', 'e', str(i))); print(i, flush=True); i += 1"
    )
    writer = python(script, home)
    assert writer.stdout is not None
    acknowledged = -1
    with writer.stdout:
        while acknowledged < 2_000:
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        for line in writer.stdout:
            acknowledged = int(line) if line.endswith("\n") else acknowledged
    writer.wait()
    found = steps(home)
    assert found[: acknowledged + 1] == [str(number) for number in range(acknowledged + 1)]
    assert len(found) == len(set(found)) <= acknowledged + 2
    done, still = sealed(home / "spool")
    assert still == [] and done


def test_a_torn_line_does_not_swallow_the_next(home: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """When half of an emission was written, the lines that are whole count as written and the next are whole."""
    log.emit(event(0))
    write = os.write
    cut = len(b"".join(_lines(home)))

    def half(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        return write(fd, data[: cut * 2 + 20])  # two lines and a bit

    monkeypatch.setattr(os, "write", half)
    assert log.emit(*(event(number) for number in range(1, 6))) is False
    assert log.dropped == 3
    assert "bytes could be written" in (log.last_error or "")
    assert log.emit(event(6))
    assert steps(home) == ["0", "1", "2", "6"]
    numbers = [record.seq for record in read(home)]
    assert numbers == [1, 2, 3, 7], "the dropped ones leave a hole"


def _lines(home: Path) -> list[bytes]:
    return [(home / "spool" / name).read_bytes() for name in names(home / "spool")]


def test_a_full_disk_costs_events_but_no_step(home: Path) -> None:
    """With no room left emissions are counted and explained, none raises, and what was written stays."""
    script = (
        "import sys, resource; from pathlib import Path; from jbts_kernel.log import Log\n"
        "from jbts_kernel.models import Event\n"
        "log = Log(Path(sys.argv[1])); resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))\n"
        "good = [log.emit(Event('step.finished', {'pad': 'x' * 100}, 'r', 'e', str(i))) for i in range(200)]\n"
        "written = sum(good); assert good == [True] * written + [False] * (200 - written), good\n"
        "assert 0 < written < 200 and log.dropped == 200 - written and log.last_error\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "assert log.emit(Event('step.finished', {}, 'r', 'e', 'after')); log.close(); print(written)"
    )
    writer = python(script, home)
    written = int(writer.communicate()[0])
    assert writer.returncode == 0
    assert steps(home) == [*(str(number) for number in range(written)), "after"]


def test_rotation_on_a_full_disk_keeps_the_old_segment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no new segment can be made the old one serves on, and a later emission tries again."""
    log = Log(home, max_bytes=100)
    opened = os.open

    def full(path: os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".part"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, mode)

    log.emit(event(0))  # its size calls for a new segment at once
    monkeypatch.setattr(os, "open", full)
    segment = log.segment
    assert all(log.emit(event(number)) for number in range(1, 4))
    assert log.segment == segment
    monkeypatch.undo()
    assert log.emit(event(4))
    assert log.segment != segment
    log.close()
    assert steps(home) == ["0", "1", "2", "3", "4"]


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """Where no log can be kept the steps go on; the log says why it is empty."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    log = Log(blocked / ".jbts")
    assert log.emit(event(1)) is False
    assert log.dropped == 1 and "Not a directory" in (log.last_error or "")
    log.close()


def test_a_removed_folder_is_made_again(home: Path, log: Log) -> None:
    """Events after the data folder was deleted are not written into a file nobody can read."""
    log.emit(event(1))
    shutil.rmtree(home)
    assert log.emit(event(2))
    assert steps(home) == ["2"]


def test_a_descriptor_taken_away_is_left_alone(home: Path, log: Log, tmp_path: Path) -> None:
    """When other code closed our descriptor and its number is another file's, that file is not written to."""
    log.emit(event(1))
    assert log.segment is not None
    inode = log.segment.stat().st_ino
    ours = [fd for fd in range(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0]) if _inode(fd) == inode]
    other = tmp_path / "other"
    with other.open("wb") as file:
        os.dup2(file.fileno(), ours[0])
        assert log.emit(event(2))
        log.close()
        os.close(ours[0])
    assert other.read_bytes() == b""
    assert sorted(filter(None, steps(home))) == ["1", "2"]


def _inode(fd: int) -> int:
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return 0


def test_durable_means_synced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A durable log has every emission on the disk before it is acknowledged."""
    synced: list[int] = []
    monkeypatch.setattr("jbts_kernel.log.writer._to_disk", synced.append)
    log = Log(home, durable=True)
    log.emit(event(1), event(2))
    log.emit(event(3))
    assert len(synced) == 2
    log.close()


def test_a_signal_handler_may_emit(home: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emission from inside an emission of the same thread neither hangs nor mixes lines."""
    write = os.write

    def interrupted(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        log.emit(event(2))
        return write(fd, data)

    log.emit(event(0))
    monkeypatch.setattr(os, "write", interrupted)
    assert log.emit(event(1))
    assert sorted(filter(None, steps(home))) == ["0", "1", "2"]
