"""Publications: every line is seen exactly once, before, during and after, whoever is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from jbts_kernel import workbench
from jbts_kernel.errors import StoreProblem
from jbts_kernel.log import Log
from jbts_kernel.log.segment import names
from jbts_kernel.models import Event
from jbts_kernel.store.migrations import MIGRATIONS
from jbts_kernel.store.publish import STAGES, ensure, publish
from jbts_kernel.store.publisher import start_publish
from jbts_kernel.store.queries import Results

from .logged import finished, python, started, steps, wrote


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    """A log that is closed afterwards."""
    made = Log(home)
    yield made
    made.close()


def sealed_steps(home: Path) -> int:
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM internal.steps_sealed").fetchall()[0][0])


def test_an_empty_project_can_be_queried(home: Path) -> None:
    """The first generation is made at once, read-only, and holds every table with no row."""
    assert ensure(home) == home / "results.duckdb"
    assert (home / "results.duckdb").stat().st_mode & 0o777 == 0o444
    assert steps(home) == []
    before = (home / "results.duckdb").stat().st_ino
    ensure(home)
    assert (home / "results.duckdb").stat().st_ino == before


def test_a_step_is_seen_the_moment_it_was_emitted(home: Path, log: Log) -> None:
    """A reader in another process finds a step that has just been emitted, without any publication."""
    ensure(home)
    reader = python(
        "import sys, duckdb\n"
        "for line in sys.stdin:\n"
        "    with duckdb.connect(sys.argv[1], read_only=True) as c:\n"
        "        print(c.execute('SELECT status FROM steps WHERE step_id = ?', [line.strip()]).fetchall(), flush=True)",
        home / "results.duckdb",
    )
    assert reader.stdin is not None and reader.stdout is not None
    with reader.stdin, reader.stdout:
        for number in range(3):
            log.emit(started(number))
            reader.stdin.write(f"{number}\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "[('running',)]\n"
            log.emit(finished(number))
            reader.stdin.write(f"{number}\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "[('passed',)]\n"
    reader.wait()


def test_publishing_moves_rows_without_doubling_them(home: Path, log: Log) -> None:
    """Rows look the same before and after their segment was published, and are stored once."""
    ensure(home)
    log.emit(finished("a"))
    wrote(home, finished("b"), finished("c", "failed"))
    before = steps(home)
    assert (before, sealed_steps(home)) == ([("a", "passed"), ("b", "passed"), ("c", "failed")], 0)
    done = publish(home)
    assert done is not None
    assert (done.changed, done.generation, done.segments, done.open_segments) == (True, 2, 1, 1)
    assert (steps(home), sealed_steps(home)) == (before, 2)
    log.close()
    publish(home)
    assert (steps(home), sealed_steps(home)) == (before, 3)


def test_every_column_survives_publication(home: Path) -> None:
    """The live half and the sealed half make the same rows of the same lines, in every table."""
    from jbts_kernel.store.schema import TABLES

    ensure(home)
    data = {
        "status": "passed", "started_at": 1_700_000_000.25, "duration_ms": 1.5, "name": "näme", "tags": ["a", "b"],
        "parameters": {"x": [1, None]}, "attempt": 2, "optional": True, "at": 1_700_000_001.5, "bytes": 1 << 40,
        "grounded": False, "x": 0.5, "definition": {"steps": []}, "cost_usd": 0.01, "input_tokens": 7, "level": "error",
        "artifact": "a" * 64, "analysis_id": "an", "finding_id": "f", "test_case_id": "t", "method": "GET",
    }  # fmt: skip
    kinds = [kind for table in TABLES for kind in (*table.kinds, table.started_kind) if kind]
    # Starts of spans with other ids than the ends, so that both kinds of rows are there.
    wrote(
        home,
        *(
            Event(kind, data, f"r{kind}", f"e{kind}", f"s{kind}")
            for kind in sorted(set(kinds))
            if not kind.endswith(".started")
        ),
    )
    results = Results(home)
    live = {table.name: results.rows(f"SELECT * FROM {table.name} ORDER BY ALL") for table in TABLES}
    assert publish(home) is not None
    for table in TABLES:
        assert live[table.name].rows, table.name
        assert results.rows(f"SELECT * FROM {table.name} ORDER BY ALL") == live[table.name]
        assert results.value(f"SELECT count(*) FROM internal.{table.name}_sealed") == len(live[table.name])


def test_an_old_generation_stays_whole(home: Path, log: Log) -> None:
    """A connection opened before publications goes on seeing every line once, also new ones."""
    ensure(home)
    wrote(home, finished("a"))
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as old:
        publish(home)
        wrote(home, finished("b"))
        publish(home)
        log.emit(finished("c"))
        found = old.execute("SELECT step_id FROM steps ORDER BY 1").fetchall()
    assert found == [("a",), ("b",), ("c",)]


def test_nothing_new_publishes_nothing(home: Path, log: Log) -> None:
    """With no segment sealed the file is left as it is; with fewer than asked for, too."""
    ensure(home)
    inode = (home / "results.duckdb").stat().st_ino
    log.emit(finished("a"))
    idle = publish(home)
    wrote(home, finished("b"))
    waiting = publish(home, min_segments=2)
    assert idle is not None and waiting is not None
    assert (idle.changed, waiting.changed) == (False, False)
    assert (home / "results.duckdb").stat().st_ino == inode
    assert len(steps(home)) == 2


def test_only_one_publishes(home: Path) -> None:
    """While another holds the lock a publication is skipped at once; the lock ends with its holder."""
    ensure(home)
    wrote(home, finished("a"))
    with (home / ".publish.lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert publish(home) is None
    assert publish(home) is not None


def test_torn_and_foreign_lines_spoil_nothing(home: Path) -> None:
    """Lines that do not parse, of other formats or with values of other types, cost only themselves."""
    ensure(home)
    wrote(home, finished("a"), Event("step.finished", {"duration_ms": "slow", "name": ["x"]}, "r", "e", "b"))
    name = names(home / "spool")[0]
    with (home / "spool" / name).open("ab") as file:
        file.write(b'{"v":1,"id":"torn","kind":"step.fin\n\x00\x00\x00\n[1]\n"text"\n5\n')
        file.write(b'{"v":2,"id":"x","kind":"step.finished","ts":1,"source":"s","seq":1,"step_id":"x","data":{}}\n')
        file.write(b'{"v":1,"id":"y","kind":"step.finished","ts":1,"source":"s","seq":1,"step_id":"y","data":5}\n')
        file.write(b'{"v":1,"id":"z","kind":"step.finished","ts":1e300,"source":"s","seq":1,"step_id":"z","data":{}}\n')
        file.write(b'{"v":1,"id":"\xff\xfe')
    live = Results(home).rows("SELECT step_id, status, duration_ms, started_at FROM steps ORDER BY 1")
    assert [row[0] for row in live.rows] == ["a", "b", "z"]
    assert live.rows[1][1:3] == (None, None) and live.rows[2][3] is None
    publish(home)
    assert Results(home).rows("SELECT step_id, status, duration_ms, started_at FROM steps ORDER BY 1") == live


@pytest.mark.parametrize("stage", STAGES)
def test_a_publisher_killed_at_any_moment_harms_nothing(home: Path, stage: str) -> None:
    """Whatever moment a publisher is killed at, rows are there once, and the next publication succeeds."""
    wrote(home, finished("a"))
    publish(home)
    wrote(home, finished("b"), started("c"))
    killed = python(
        "import os, signal, sys; from pathlib import Path; from jbts_kernel.store.publish import publish\n"
        "publish(Path(sys.argv[1]), retire_after_s=-1e9,\n"
        "  at=lambda stage: os.kill(os.getpid(), signal.SIGKILL) if stage == sys.argv[2] else None)",
        home,
        stage,
    )
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert [step for step, _ in steps(home)] == ["a", "b", "c"]
    wrote(home, finished("d"))
    assert [step for step, _ in steps(home)] == ["a", "b", "c", "d"]
    assert publish(home) is not None
    assert steps(home) == [("a", "passed"), ("b", "passed"), ("c", "aborted"), ("d", "passed")]
    assert sealed_steps(home) == 3
    assert not list(home.glob(".next*"))


@pytest.mark.parametrize("stage", STAGES)
def test_lines_written_during_a_publication_are_seen_once(home: Path, stage: str) -> None:
    """Segments begun and ended at any moment of a publication are live after it, none lost or doubled."""
    wrote(home, finished("a"))
    ensure(home)
    wrote(home, finished("b"))
    through = Log(home)
    through.emit(finished("c"))

    def meanwhile(now: str) -> None:
        if now == stage:
            wrote(home, finished("d"))
            through.emit(finished("e"))
            through.close()

    publish(home, at=meanwhile)
    assert [step for step, _ in steps(home)] == ["a", "b", "c", "d", "e"]
    publish(home)
    assert [step for step, _ in steps(home)] == ["a", "b", "c", "d", "e"]
    assert sealed_steps(home) == 5


@pytest.mark.parametrize("age", [0, 10_000], ids=["now", "long ago"])
def test_a_segment_shown_late_is_not_hidden(home: Path, monkeypatch: pytest.MonkeyPatch, age: float) -> None:
    """A publication between the choice of a segment's name and its appearance does not hide its lines."""
    ensure(home)
    flock = fcntl.flock

    def slow(fd: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and not operation & fcntl.LOCK_SH and os.fstat(fd).st_size == 0:
            monkeypatch.setattr(fcntl, "flock", flock)
            wrote(home, finished("a"))
            publish(home)
        flock(fd, operation)

    late = Log(home, clock=lambda: time.time() - age)
    monkeypatch.setattr(fcntl, "flock", slow)
    late.emit(finished("b"))
    assert steps(home) == [("a", "passed"), ("b", "passed")]
    late.close()
    publish(home)
    assert steps(home) == [("a", "passed"), ("b", "passed")]


def test_an_idle_writer_hides_and_doubles_nothing(home: Path) -> None:
    """A segment open for hours among many published since is live, and the published ones are not read again."""
    hours_ago = time.time() - 10_000
    idle = Log(home, clock=lambda: hours_ago, max_age_s=1e9)
    idle.emit(finished("idle"))
    for number in range(5):
        log = Log(home, clock=lambda number=number: hours_ago + 100 + number)  # type: ignore[misc]
        log.emit(finished(number))
        log.close()
    publish(home)
    assert [step for step, _ in steps(home)] == ["0", "1", "2", "3", "4", "idle"]
    assert Results(home).rows("SELECT DISTINCT segment FROM internal.lines").rows == ((idle.segment.name,),)  # type: ignore[union-attr]
    idle.emit(finished("later"))
    assert len(steps(home)) == 7
    idle.close()


@pytest.mark.parametrize("back", [60, 7_200, 400 * 86_400], ids=["a minute", "hours", "a year"])
def test_a_clock_set_back_hides_nothing(home: Path, back: int) -> None:
    """Steps recorded after the clock was set back are live at once and published once, whatever has retired."""
    wrote(home, finished("a"))
    publish(home)
    publish(home, min_segments=0, retire_after_s=-60)
    behind = Log(home, clock=lambda: time.time() - back)
    behind.emit(finished("b"))
    assert [step for step, _ in steps(home)] == ["a", "b"]
    publish(home, clock=lambda: time.time() - back)
    behind.emit(finished("c"))
    behind.close()
    assert [step for step, _ in steps(home)] == ["a", "b", "c"]
    publish(home, clock=lambda: time.time() - back)
    assert [step for step, _ in steps(home)] == ["a", "b", "c"]
    assert sealed_steps(home) == 3


def test_views_of_another_version_are_made_anew(home: Path) -> None:
    """Views stay from one generation to the next, unless another version of the package made them."""
    wrote(home, finished("a"))
    publish(home)
    database = home / "results.duckdb"
    for version, whose in (("another", "ours"), (None, "theirs")):
        database.chmod(0o644)
        with duckdb.connect(str(database)) as connection:
            connection.execute("CREATE OR REPLACE VIEW failures AS SELECT 'theirs' AS whose")
            if version:
                connection.execute("UPDATE internal.facts SET value = ? WHERE name = 'views'", [version])
        wrote(home, finished("b"))
        publish(home)
        columns = Results(home).rows("FROM failures").columns
        assert ("theirs" if columns == ("whose",) else "ours") == whose


def test_a_connection_held_for_longer_than_a_day(home: Path) -> None:
    """It goes on seeing what its generation holds and what is in the log; what was published after it was opened is
    gone from its sight, without an error, once those segments have left the folder. A new one sees everything."""
    wrote(home, finished("before"))
    publish(home)
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as held:
        asked = "SELECT step_id FROM steps ORDER BY 1"
        wrote(home, finished("meanwhile"))
        publish(home)
        assert held.execute(asked).fetchall() == [("before",), ("meanwhile",)]
        wrote(home, finished("now"))
        publish(home, retire_after_s=-60)  # as a day later
        assert held.execute(asked).fetchall() == [("before",), ("now",)]
        assert len(steps(home)) == 2, "in one process a second connection is the same one, as long as the first is open"
    assert steps(home) == [(name, "passed") for name in ("before", "meanwhile", "now")]


def test_merged_segments_retire_and_can_be_rebuilt_from(home: Path) -> None:
    """Long merged segments leave the spool; without the database everything comes back from both folders."""
    wrote(home, finished("a"))
    publish(home)
    wrote(home, finished("b"))
    publish(home, retire_after_s=-60)  # "a" was merged before this generation
    assert len(names(home / "spool")) == 1
    assert len(names(home / "spool" / "merged")) == 1
    assert steps(home) == [("a", "passed"), ("b", "passed")]
    (home / "results.duckdb").unlink()
    assert ensure(home).exists()
    assert steps(home) == [("a", "passed"), ("b", "passed")]
    assert sealed_steps(home) == 2


def test_a_moved_project_is_whole(home: Path, tmp_path: Path) -> None:
    """After the folder was moved a plain reader sees sealed and live rows there; writers and publications go on."""
    wrote(home, finished("a"))
    publish(home)
    wrote(home, finished("b"))
    moved = tmp_path / "else where" / "it's [new]"
    moved.parent.mkdir()
    shutil.move(home, moved)
    assert steps(moved) == [("a", "passed"), ("b", "passed")]
    log = Log(moved)
    log.emit(finished("c"))
    assert [step for step, _ in steps(moved)] == ["a", "b", "c"]
    assert [row[0] for row in Results(moved).rows("SELECT step_id FROM steps ORDER BY 1").rows] == ["a", "b", "c"]
    log.close()
    assert publish(moved) is not None
    assert [step for step, _ in steps(moved)] == ["a", "b", "c"]
    assert sealed_steps(moved) == 3


def test_a_moved_project_is_published_anew(home: Path, tmp_path: Path) -> None:
    """A publication where nothing is new still notes the new place, for readers that attach the file."""
    wrote(home, finished("a"))
    publish(home)
    moved = tmp_path / "moved"
    shutil.move(home, moved)
    again = publish(moved)
    assert again is not None and (again.changed, again.segments) == (True, 0)
    log = Log(moved)
    log.emit(finished("b"))
    with duckdb.connect() as other:
        other.execute(f"ATTACH '{moved}/results.duckdb' AS r (READ_ONLY)")
        assert other.execute("SELECT count(*) FROM r.steps").fetchall() == [(2,)]
    log.close()


def test_a_damaged_database_says_what_to_do(home: Path) -> None:
    """A publication on a damaged file fails with the way out, which works."""
    wrote(home, finished("a"))
    ensure(home)
    database = home / "results.duckdb"
    database.chmod(0o644)
    database.write_bytes(b"not a database" * 1_000)
    wrote(home, finished("b"))
    with pytest.raises(StoreProblem, match="could not be published") as caught:
        publish(home)
    assert "delete it" in caught.value.hints[0]
    database.unlink()
    publish(home)
    assert steps(home) == [("a", "passed"), ("b", "passed")]


def test_a_newer_database_is_left_alone(home: Path) -> None:
    """A database of a later version is not published over."""
    ensure(home)
    database = home / "results.duckdb"
    database.chmod(0o644)
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO internal.migrations VALUES ('9999-later', NULL)")
    wrote(home, finished("a"))
    with pytest.raises(StoreProblem, match="newer version"):
        publish(home)
    assert steps(home) == [("a", "passed")]


def test_what_an_analyst_left_behind_is_cleared(home: Path) -> None:
    """A write-ahead file of somebody who opened the database for writing does not spoil the next one."""
    ensure(home)
    (home / "results.duckdb.wal").write_bytes(b"left behind")
    wrote(home, finished("a"))
    publish(home)
    assert steps(home) == [("a", "passed")]
    assert not (home / "results.duckdb.wal").exists()


def test_a_full_disk_keeps_the_old_generation(home: Path) -> None:
    """A publication with no room left fails with a reason, and what was published stays readable."""
    wrote(home, finished("a"))
    publish(home)
    wrote(home, *(Event("console", {"text": os.urandom(500).hex()}, "r", "e", "a") for _ in range(3_000)))
    limited = python(
        "import resource, sys; from pathlib import Path; from jbts_kernel.errors import StoreProblem\n"
        "from jbts_kernel.store.publish import publish; import duckdb\n"
        "size = (Path(sys.argv[1]) / 'results.duckdb').stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500_000, resource.RLIM_INFINITY))\n"
        "try: publish(Path(sys.argv[1]))\n"
        "except StoreProblem as problem: print(problem)",
        home,
    )
    assert "could not be published" in limited.communicate()[0]
    assert limited.returncode == 0
    assert steps(home) == [("a", "passed")]
    assert not list(home.glob(".next*"))
    publish(home)
    assert Results(home).value("SELECT count(*) FROM console_messages") == 3_000


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A publication into an impossible place says which."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreProblem, match="cannot be published to"):
        publish(tmp_path / "file" / ".jbts")


def test_the_background_publisher(home: Path) -> None:
    """It publishes once, at low priority, and ends by itself without a word."""
    wrote(home, finished("a"))
    process = start_publish(home)
    assert process.wait(60) == 0
    assert sealed_steps(home) == 1
    assert (home / "run" / "publisher.log").read_bytes() == b""


def test_the_background_publisher_tells_what_went_wrong(home: Path) -> None:
    """What it could not do is in its log, in one line."""
    ensure(home)
    (home / "results.duckdb").unlink()
    (home / "results.duckdb").mkdir()
    process = start_publish(home)
    assert process.wait(60) == 1
    said = (home / "run" / "publisher.log").read_text()
    assert said.startswith("results could not be published") and said.count("\n") == 1


def test_names_of_migrations_are_kept(home: Path) -> None:
    """Each migration is applied once and remembered by name."""
    wrote(home, finished("a"))
    publish(home)
    wrote(home, finished("b"))
    publish(home)
    found = Results(home).rows("SELECT name FROM internal.migrations ORDER BY name").rows
    assert found == tuple((name,) for name, _ in MIGRATIONS)


def test_a_publication_that_has_ended_is_asked_after(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbench that publishes now and then leaves no process to Python, which would complain of it."""
    monkeypatch.setattr(workbench, "PUBLISH_EVERY", 0.0)
    bench = workbench.Workbench(home=home, environ={"JBTS_BROADCASTER": "off"})
    with bench.group("look"):
        pass
    first = bench._publication
    assert first is not None
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    bench._publish_soon()
    second = bench._publication
    assert second is not None and second is not first and first.returncode == 0
    second.wait(60)
    bench.close()
    assert bench._publication is not None
    bench._publication.wait(60)
