"""Records of running browsers: who may take one over, who ends it, and what is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.processes import Process, drop_scratch, end, make_scratch
from jbts_kernel.browser.records import Record, Records, User, read

GONE = Process(2**22 + 1, 1.0)  # no system gives out such a process id


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its end."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def mine() -> Process:
    process = Process.of(os.getpid())
    assert process is not None
    return process


def record(owner: Process, **about: Any) -> Record:
    usual = Record("one", owner, "", 600.0, LaunchSpec(args=("--a",)), driver=GONE, browser=GONE)
    return replace(usual, **about)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Nothing is lost on the way to the file, and only its owner's user may read it."""
    kept = Records(tmp_path).write(
        record(mine(), users={"buyer": User("C", "T", "/d", (800, 600))}, current="buyer", notebook="a.ipynb")
    )
    (path,) = (tmp_path / "run").iterdir()
    assert read(path) == kept
    assert path.stat().st_mode & 0o077 == 0


def test_what_has_an_owner_is_left_alone(tmp_path: Path) -> None:
    """A browser whose process lives is nobody else's: not to take over, not to end."""
    records = Records(tmp_path)
    kept = records.write(record(mine()))
    assert list(records.orphans()) == []
    assert records.reap() == 0
    records.remove(kept)
    assert list((tmp_path / "run").iterdir()) == []


def test_an_orphan_waits_for_its_grace_and_is_ended_then(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """The time runs from when somebody noticed that the owner is gone; after it the process is ended."""
    records = Records(tmp_path)
    records.write(record(GONE, browser=Process.of(sleeper.pid)))
    assert 590 < records.reap() <= 600
    assert sleeper.poll() is None
    (path,) = (tmp_path / "run").glob("orphan-*.json")
    os.utime(path, (1, 1))
    assert records.reap() == 0
    assert sleeper.wait(20) != 0
    assert list((tmp_path / "run").iterdir()) == []


def test_only_one_takes_an_orphan_over(tmp_path: Path) -> None:
    """Of two who found it one gets it, and whoever ends what is left does not find it any more."""
    records = Records(tmp_path)
    records.write(record(GONE))
    ((path, found),) = records.orphans()
    taken = records.take(path, found, mine())
    assert taken is not None
    assert taken.owner == mine()
    assert Records(tmp_path).take(path, found, mine()) is None
    os.utime(next((tmp_path / "run").iterdir()), (1, 1))
    assert records.reap() == 0
    assert read(next((tmp_path / "run").iterdir())) == taken


def test_a_process_id_used_again_is_somebody_elses(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A process born at another time than the record says is not ended."""
    other = Process(sleeper.pid, mine().born - 5000)
    assert not other.alive
    end((other,))
    records = Records(tmp_path)
    records.write(record(GONE, browser=other, grace=0.0))
    records.reap()
    assert sleeper.poll() is None


def test_only_scratch_folders_are_taken_away(tmp_path: Path) -> None:
    """Whatever a record names, no folder goes but one that was made for a browser."""
    precious = tmp_path / "jbts-browser-precious"
    precious.mkdir()
    link = Path(tempfile.gettempdir()) / f"jbts-browser-link{os.getpid()}"
    link.symlink_to(precious)
    try:
        for folder in (str(tmp_path), str(precious), "", "/", str(link)):
            drop_scratch(folder)
        assert precious.is_dir()
    finally:
        link.unlink()
    scratch = make_scratch()
    (Path(scratch) / "file").write_text("x")
    drop_scratch(scratch)
    assert not Path(scratch).exists()


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    """A file that cannot be read as a record stops nobody."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "browser-1-x.json").write_text("{}")
    (run / "orphan-x.json").write_text('{"owner": 7}')
    assert Records(tmp_path).reap() == 0
