"""Keeping and leaving: transfers apply each line once, exports stand alone, pruning takes what is old and no more."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as Xml

import duckdb
import pytest

from jbts_kernel.errors import StoreProblem
from jbts_kernel.log import Log
from jbts_kernel.log.segment import is_sealed, names
from jbts_kernel.models import Event
from jbts_kernel.store.documents import latest_run, write_allure, write_junit
from jbts_kernel.store.export import export_database, export_parquet
from jbts_kernel.store.prune import prune
from jbts_kernel.store.publish import publish
from jbts_kernel.store.queries import Results
from jbts_kernel.store.schema import TABLES
from jbts_kernel.store.transfer import transfer
from jbts_kernel.store.views import VIEWS

DAY = 86_400.0
NOW = time.time()
REPOSITORY = Path(__file__).resolve().parents[2]


def picture(home: Path, content: bytes, age: float = 0.0) -> str:
    """A stored file; its name."""
    digest = hashlib.sha256(content).hexdigest()
    place = home / "artifacts" / digest[:2] / f"{digest}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    os.utime(place, (NOW - age, NOW - age))
    return digest


def record(
    home: Path,
    execution: str,
    status: str = "passed",
    *,
    age: float = 0.0,
    run: str = "r",
    attempt: int = 1,
    close: bool = True,
    content: bytes | None = None,
    **about: object,
) -> Log:
    """One execution with a group, a step and its picture, as a process writes it that ended ``age`` seconds ago."""
    ts = NOW - age
    log = Log(home, clock=lambda: ts)
    digest = picture(home, content or execution.encode(), age)
    path = f"artifacts/{digest[:2]}/{digest}.png"
    test = {"test_name": "Login", "history_id": "h", "attempt": attempt, "notebook": "shop/login.ipynb", **about}
    error: dict[str, object] = {}
    if status != "passed":
        error = {"error_type": "ExpectationFailed", "error_message": "no <b>\x01", "error_fingerprint": "f"}
    ended = {"status": status, "started_at": ts}
    group = {"verb": "group", "name": "Sign in", "ordinal": 1}
    step = {"verb": "click", "name": "Click & go", "locator": "#go", "ordinal": 2, "parent_step_id": f"g-{execution}"}

    def event(kind: str, data: dict[str, object], step_id: str | None = None) -> Event:
        return Event(kind, data, run, execution, step_id, ts=ts)

    log.emit(
        event("run.started", {"kind": "suite", "started_at": ts}),
        event("execution.started", test),
        event("step.finished", {**group, **ended}, f"g-{execution}"),
        event("artifact", {"artifact": digest, "role": "after", "mime": "image/png", "path": path}, f"s-{execution}"),
        event("console", {"level": "error", "text": "boom", "at": ts}, f"s-{execution}"),
        event("step.finished", {**step, **ended, **error, "duration_ms": 5.0, "screenshot": digest}, f"s-{execution}"),
        event("execution.finished", {**test, **error, **ended, "duration_ms": 20.0, "parameters": {"n": 1}}),
        event("run.finished", {"kind": "suite", **ended}),
    )
    if close:
        log.close()
    for name in names(home / "spool"):
        path = home / "spool" / name
        if is_sealed(path):
            os.utime(path, (ts, ts)) if log.source in name else None
    return log


def steps(home: Path) -> list[str]:
    rows = Results(home).rows("SELECT step_id FROM steps ORDER BY 1").rows
    return [row[0] for row in rows]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another machine's data folder."""
    return tmp_path / "other" / ".jbts"


# ---- transfer ------------------------------------------------------------------------------------


def test_a_transfer_is_applied_once(home: Path, other: Path) -> None:
    """Rows and pictures arrive, a second call takes nothing, and what is new since then is taken by the third."""
    record(home, "mine")
    record(other, "a")
    first, second = transfer(other, home), transfer(other, home)
    assert (first.segments, first.files, first.known) == (1, 1, 0)
    assert (second.segments, second.files, second.bytes, second.known) == (0, 0, 0, 1)
    record(other, "b")
    assert transfer(other, home).segments == 1
    assert steps(home) == ["g-a", "g-b", "g-mine", "s-a", "s-b", "s-mine"]
    found = Results(home).rows("SELECT path FROM artifacts").rows
    assert len(found) == 3 and all((home / path).is_file() for (path,) in found)


def evidence(home: Path, execution: str, age: float = 0.0) -> Path:
    """What a failed step of an execution left: its page, and its picture, which is an artifact too."""
    folder = home / "evidence" / execution / "2-click"
    folder.mkdir(parents=True)
    (folder / "evidence.html").write_text(f"<p>{execution}")
    digest = hashlib.sha256(execution.encode()).hexdigest()
    os.link(home / "artifacts" / digest[:2] / f"{digest}.png", folder / "screenshot.png")
    (home / "downloads" / execution).mkdir(parents=True)
    (home / "downloads" / execution / "bill.pdf").write_bytes(b"%PDF")
    for path in (*folder.iterdir(), home / "downloads" / execution / "bill.pdf"):
        os.utime(path, (NOW - age, NOW - age))
    return folder


def test_evidence_and_downloads_arrive_too(home: Path, other: Path) -> None:
    """What executions left comes along, a picture that is an artifact still once, and what has grown comes again."""
    record(other, "a", "failed")
    folder = evidence(other, "a")
    assert transfer(other, home).files == 4, "the artifact, its second name, the page and the download"
    taken = home / folder.relative_to(other)
    assert (taken / "evidence.html").read_text() == "<p>a"
    assert (taken / "screenshot.png").stat().st_nlink == 2
    (folder / "evidence.html").write_text("<p>whole")
    os.symlink("/etc/hostname", folder / "linked.txt")
    assert transfer(other, home).files == 1
    assert {path.name for path in taken.iterdir()} == {"evidence.html", "screenshot.png"}
    assert (taken / "evidence.html").read_text() == "<p>whole"


def test_old_segments_arrive_too(home: Path, other: Path) -> None:
    """What was recorded long before the last publication here is not taken for what it holds already."""
    record(home, "mine")
    publish(home)
    record(other, "old", age=400 * DAY)
    publish(other)
    transfer(other, home)
    assert steps(home) == ["g-mine", "g-old", "s-mine", "s-old"]


def test_retired_segments_are_taken(home: Path, other: Path) -> None:
    """Segments the other machine has long published and put aside are part of its results."""
    record(other, "a", age=3 * DAY)
    publish(other)
    record(other, "b")
    publish(other)
    assert names(other / "spool" / "merged")
    assert transfer(other, home).segments == 2
    assert steps(home) == ["g-a", "g-b", "s-a", "s-b"]


def test_what_is_still_written_waits(home: Path, other: Path) -> None:
    """A segment whose writer lives is left, told of, and taken whole when its writer has ended."""
    log = record(other, "a", close=False)
    assert (done := transfer(other, home)).segments == 0 and done.open_segments == 1
    log.emit(Event("step.finished", {"status": "passed"}, "r", "a", "later"))
    log.close()
    transfer(other, home)
    assert steps(home) == ["g-a", "later", "s-a"]


@pytest.mark.parametrize("cut", [-1, -60, 1, 200], ids=["newline", "line", "first byte", "second line"])
def test_a_copy_of_a_folder_in_use_can_come_again(home: Path, other: Path, tmp_path: Path, cut: int) -> None:
    """The beginning of a segment, torn anywhere, and later the whole of it: every line is applied once."""
    record(other, "a")
    name = names(other / "spool")[0]
    whole = (other / "spool" / name).read_bytes()
    early = tmp_path / "early"
    (early / "spool").mkdir(parents=True)
    (early / "spool" / name).write_bytes(whole[:cut])
    transfer(early, home)
    middle = len(whole) - 40
    (early / "spool" / name).write_bytes(whole[:middle])
    transfer(early, home)
    transfer(other, home)
    assert transfer(other, home).segments == 0
    results = Results(home)
    assert steps(home) == ["g-a", "s-a"]
    assert results.rows("SELECT count(*), any_value(status) FROM executions").rows == ((1, "passed"),)
    assert results.value("SELECT count(*) FROM console_messages") == 1
    (home / "results.duckdb").unlink()
    assert steps(home) == ["g-a", "s-a"], "a database made again from the log has it once, too"


def test_many_machines_ship_to_one_folder(home: Path, other: Path, tmp_path: Path) -> None:
    """A folder two machines have shipped to is a data folder with the results of both, and can be imported."""
    central = tmp_path / "central"
    record(home, "a")
    record(other, "b")
    for source in (home, other, home):
        transfer(source, central)
    assert steps(central) == ["g-a", "g-b", "s-a", "s-b"]
    with duckdb.connect(str(central / "results.duckdb"), read_only=True) as plain:
        assert plain.execute("SELECT count(*) FROM run_summary").fetchall() == [(2,)]
    third = tmp_path / "third"
    transfer(central, third)
    transfer(other, third)
    assert steps(third) == ["g-a", "g-b", "s-a", "s-b"]


def test_a_transfer_killed_anywhere_is_finished_by_the_next(home: Path, other: Path) -> None:
    """Killed at each of its system calls that put something in place, a transfer loses and doubles nothing."""
    for number in range(3):
        record(other, f"e{number}")
    script = (
        "import os, signal, sys; from pathlib import Path; from jbts_kernel.store.transfer import transfer\n"
        "replace, left = os.replace, int(sys.argv[3])\n"
        "def counted(a, b):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    replace(a, b)\n"
        "os.replace = counted\n"
        "transfer(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for moment in range(7):
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run([sys.executable, "-c", script, other, home, str(moment)], env=environment, check=False)
        assert done.returncode in (0, -signal.SIGKILL)
    transfer(other, home)
    assert steps(home) == ["g-e0", "g-e1", "g-e2", "s-e0", "s-e1", "s-e2"]
    assert len(list((home / "artifacts").rglob("*.png"))) == 3


def test_what_is_no_data_folder_is_named(home: Path, tmp_path: Path) -> None:
    """A folder without a log is refused, and so is the project's own."""
    with pytest.raises(StoreProblem, match="no data folder"):
        transfer(tmp_path, home)
    record(home, "a")
    with pytest.raises(StoreProblem, match="own data folder"):
        transfer(home, home)


# ---- prune ---------------------------------------------------------------------------------------


def test_pruning_takes_what_is_old(home: Path) -> None:
    """Old executions go with everything that hangs on them, their segments and their pictures; the rest stays."""
    record(home, "old", age=100 * DAY, run="r1")
    record(home, "new", age=10 * DAY, run="r2")
    record(home, "live", run="r3", close=False)
    would = prune(home, 90 * DAY, dry_run=True)
    assert steps(home) == ["g-live", "g-new", "g-old", "s-live", "s-new", "s-old"]
    done = prune(home, 90 * DAY)
    assert (done.executions, done.steps, done.segments, done.files) == (1, 2, 1, 1)
    assert (would.executions, would.steps, would.files) == (1, 2, 1)
    assert steps(home) == ["g-live", "g-new", "s-live", "s-new"]
    results = Results(home)
    for table in TABLES:
        key = "execution_id" if any(column.name == "execution_id" for column in table.columns) else "run_id"
        if any(column.name == key for column in table.columns):
            found = results.rows(f"SELECT DISTINCT {key} FROM {table.name}").rows
            assert not {("old",), ("r1",)} & set(found), table.name
    assert len(list((home / "artifacts").rglob("*.png"))) == 2
    again = prune(home, 90 * DAY)
    assert (again.executions, again.segments, again.files) == (0, 0, 0)


def test_evidence_goes_with_its_execution(home: Path) -> None:
    """Its folder and its downloads go when the execution goes, and not as long as something in them is new; the bytes
    of a picture are counted once."""
    for name, age in (("old", 100 * DAY), ("new", 0.0)):
        record(home, name, "failed", age=age)
        evidence(home, name, age)
    fresh = home / "downloads" / "nobody"
    fresh.mkdir()
    would, size = prune(home, 90 * DAY, dry_run=True), len("old") + len("<p>old") + len(b"%PDF")
    done = prune(home, 90 * DAY)
    assert (would.files, done.files) == (4, 4)
    assert would.bytes == done.bytes and done.bytes > size
    assert [path.name for path in (home / "evidence").iterdir()] == ["new"]
    assert sorted(path.name for path in (home / "downloads").iterdir()) == ["new", "nobody"]
    assert (home / "evidence" / "new" / "2-click" / "screenshot.png").stat().st_nlink == 2


def test_a_pruned_project_goes_on(home: Path, other: Path) -> None:
    """After pruning, publications, imports and a database made anew work, and nothing pruned comes back."""
    record(home, "old", age=100 * DAY)
    record(home, "new")
    transfer(home, other)
    prune(home, 90 * DAY)
    assert transfer(other, home).segments == 0, "what was published once is known, though it is gone"
    record(home, "later")
    publish(home)
    assert steps(home) == ["g-later", "g-new", "s-later", "s-new"]
    (home / "results.duckdb").unlink()
    publish(home)
    assert steps(home) == ["g-later", "g-new", "s-later", "s-new"]


def test_a_picture_in_use_stays(home: Path) -> None:
    """A file is kept as long as any row refers to it, however old it is, and so is a file just stored."""
    record(home, "old", age=100 * DAY, content=b"same")
    record(home, "new", content=b"same")
    digest = hashlib.sha256(b"same").hexdigest()
    place = home / "artifacts" / digest[:2] / f"{digest}.png"
    os.utime(place, (NOW - 100 * DAY,) * 2)
    fresh = picture(home, b"its row is about to come")
    prune(home, 90 * DAY)
    assert place.exists() and (home / "artifacts" / fresh[:2] / f"{fresh}.png").exists()


def test_pruning_shrinks_the_database(home: Path) -> None:
    """The space of what was pruned is given back."""
    log = Log(home, clock=lambda: NOW - 100 * DAY)
    for number in range(30):
        log.emit(
            *(Event("console", {"text": os.urandom(300).hex()}, "r", "e", "s", ts=NOW - 100 * DAY) for _ in range(200))
        )
        del number
    log.close()
    publish(home)
    before = (home / "results.duckdb").stat().st_size
    prune(home, 90 * DAY)
    assert Results(home).value("SELECT count(*) FROM console_messages") == 0
    assert (home / "results.duckdb").stat().st_size < before - 1_000_000


def test_a_reader_of_the_old_generation_is_left_alone(home: Path) -> None:
    """A connection opened before a pruning goes on seeing what it saw, its segments gone or not."""
    record(home, "old", age=100 * DAY)
    publish(home)
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        prune(home, 90 * DAY)
        assert connection.execute("SELECT count(*) FROM steps").fetchall() == [(2,)]


# ---- export --------------------------------------------------------------------------------------


@pytest.fixture
def recorded(home: Path) -> Path:
    """A project with a failure, a pass on retry, a row in the log alone and one that runs."""
    record(home, "e1", "failed", run="r1", tags=["smoke"], priority="high")
    record(home, "e2", "passed", run="r1", attempt=2, tags=["smoke"], priority="high", browser="chrome")
    record(home, "e3", "error", run="r1", test_name="Cart", history_id="h2")
    publish(home)
    return home


def test_an_exported_database_stands_alone(recorded: Path, tmp_path: Path) -> None:
    """Every table and view is in it with the same rows, without the folder it came from."""
    log = record(recorded, "e4", run="r2", close=False)
    results = Results(recorded)
    names = [table.name for table in TABLES] + [view.name for view in VIEWS]
    wanted = {name: results.rows(f"SELECT * FROM {name} ORDER BY ALL").rows for name in names}
    target = tmp_path / "out" / "results.duckdb"
    assert export_database(recorded, target) == sum(len(wanted[table.name]) for table in TABLES)
    log.close()
    shutil.rmtree(recorded)
    with duckdb.connect(str(target)) as alone:
        for name in names:
            assert tuple(alone.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()) == wanted[name], name
    assert [path.name for path in target.parent.iterdir()] == ["results.duckdb"]


def test_an_export_replaces_the_one_before(recorded: Path, tmp_path: Path) -> None:
    """Exporting to the same place again leaves one whole export; the project's own database is refused."""
    target = tmp_path / "results.duckdb"
    export_database(recorded, target)
    assert export_database(recorded, target) > 0
    with pytest.raises(StoreProblem, match="own database"):
        export_database(recorded, recorded / "results.duckdb")


def test_parquet_has_every_table_and_view(recorded: Path, tmp_path: Path) -> None:
    """A folder with one file each, which any reader of Parquet opens."""
    target = tmp_path / "parquet"
    export_parquet(recorded, target)
    assert {path.stem for path in target.iterdir()} == {t.name for t in TABLES} | {v.name for v in VIEWS}
    found = duckdb.connect().execute(f"SELECT count(*) FROM '{target}/steps.parquet'").fetchall()
    assert found == [(6,)]
    assert export_parquet(recorded, target) > 0


def test_allure_results(recorded: Path, tmp_path: Path) -> None:
    """One result an execution, attempts joined by historyId, steps nested, the picture beside, errors told."""
    target = tmp_path / "allure"
    assert write_allure(Results(recorded), "r1", target) == 3
    found = {f.name.split("-")[0]: json.loads(f.read_text()) for f in target.glob("*-result.json")}
    assert found["e1"]["historyId"] == found["e2"]["historyId"] != found["e3"]["historyId"]
    assert [found[e]["status"] for e in ("e1", "e2", "e3")] == ["failed", "passed", "broken"]
    group = found["e1"]["steps"][0]
    assert (group["name"], len(found["e1"]["steps"]), group["steps"][0]["name"]) == ("Sign in", 1, "Click & go")
    attachment = group["steps"][0]["attachments"][0]
    assert (target / attachment["source"]).read_bytes() == b"e1"
    assert {"name": "tag", "value": "smoke"} in found["e1"]["labels"]
    assert {"name": "severity", "value": "critical"} in found["e1"]["labels"]
    assert "ExpectationFailed" in found["e1"]["statusDetails"]["message"]
    assert found["e1"]["stop"] >= found["e1"]["start"] > 0


def test_an_attachment_stays_inside_the_project(recorded: Path, tmp_path: Path) -> None:
    """A row that names a file elsewhere, as a foreign log may, attaches nothing."""
    (tmp_path / "private").write_text("not yours")
    log = Log(recorded)
    log.emit(
        Event("execution.finished", {"status": "passed"}, "r9", "e9"),
        Event("artifact", {"artifact": "x", "mime": "text/plain", "path": "../private"}, "r9", "e9", "s9"),
        Event("step.finished", {"status": "passed", "screenshot": "x"}, "r9", "e9", "s9"),
    )
    log.close()
    write_allure(Results(recorded), "r9", tmp_path / "allure")
    assert [path.name for path in (tmp_path / "allure").iterdir()] == ["e9-result.json"]


def test_junit_counts_tests_not_attempts(recorded: Path, tmp_path: Path) -> None:
    """A pass on retry is one passed test with a flaky property; control characters do not spoil the file."""
    file = tmp_path / "ci" / "junit.xml"
    assert write_junit(Results(recorded), "r1", file) == 2
    suite = Xml.parse(file).getroot()[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors")} == {"tests": "2", "failures": "0", "errors": "1"}
    login, cart = suite.iter("testcase")
    assert (login.get("name"), login.get("classname")) == ("Login", "shop.login")
    properties = {p.get("name"): p.get("value") for p in login.iter("property")}
    assert (properties["flaky"], properties["attempts"]) == ("true", "2")
    error = cart.find("error")
    assert error is not None and error.get("type") == "ExpectationFailed" and "no <b>" in str(error.get("message"))


def test_the_latest_run_is_exported_unless_told(recorded: Path, home: Path, tmp_path: Path) -> None:
    """Without a run there is a reason; with several the one that began last is taken; an unknown one is named."""
    with pytest.raises(StoreProblem, match="no run to export"):
        latest_run(Results(tmp_path / "empty"))
    record(home, "e5", run="r5", age=-10)
    assert latest_run(Results(home)) == "r5"
    with pytest.raises(StoreProblem, match="no execution of a run nowhere"):
        write_junit(Results(home), "nowhere", tmp_path / "x.xml")


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A path nothing can be written below: a file is in the way."""
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "below"


def test_what_cannot_be_written_is_named(recorded: Path, unwritable: Path) -> None:
    """Every export names the place it could not write to."""
    results = Results(recorded)
    with pytest.raises(StoreProblem, match="below"):
        export_database(recorded, unwritable / "x.duckdb")
    with pytest.raises(StoreProblem, match="below"):
        export_parquet(recorded, unwritable)
    with pytest.raises(StoreProblem, match="below"):
        write_allure(results, "r1", unwritable)
    with pytest.raises(StoreProblem, match="below"):
        write_junit(results, "r1", unwritable / "x.xml")
    with pytest.raises(StoreProblem, match="below"):
        transfer(recorded, unwritable)
