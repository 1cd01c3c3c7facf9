"""Shipping to a central database: a DuckLake (catalogue in a file, in PostgreSQL) and a DuckDB served by Quack. Each
line arrives once, whoever is killed, and what the centre answers is what the projects answer."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jbts_kernel.browser.ports import held_port
from jbts_kernel.cli import main
from jbts_kernel.errors import StoreProblem, UsageProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.centre import Target, ship, target_of
from jbts_kernel.store.extensions import PYTHON_VARIABLE, Carrier
from jbts_kernel.store.generation import quoted
from jbts_kernel.store.queries import Results
from jbts_kernel.store.schema import TABLES
from jbts_kernel.store.transfer import transfer
from jbts_kernel.store.views import VIEWS

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".tools" / "ship" / "bin" / "python"
TOKEN = "open-sesame"

pytestmark = pytest.mark.xdist_group("shipping")

SERVER = """
import sys, duckdb
sys.path.insert(0, sys.argv[1])
from carrier import load
connection = duckdb.connect(sys.argv[2])
for name in ("httpfs", "quack"):
    load(connection, name)
connection.execute(f"CALL quack_serve('quack:localhost:{sys.argv[3]}', token='open-sesame')")
print("up", flush=True)
sys.stdin.read()
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from jbts_kernel.store.centre import ship, target_of
from jbts_kernel.store.extensions import Carrier
home, stage, *given = sys.argv[1:]
ask = Carrier._ask
def orphaned(self, request):
    if request.get("run", [""])[-1].endswith(("COMMIT", "COMMIT')")) and "inserted" in seen:
        self._process.stdin.write(__import__("json").dumps(request).encode() + b"\\n")
        self._process.stdin.flush()
        os.kill(os.getpid(), signal.SIGKILL)  # alone: the statement is on its way
    return ask(self, request)
seen = set()
def at(now):
    seen.add(now)
    if now == stage:
        os.killpg(0, signal.SIGKILL)
if stage == "sent":
    Carrier._ask = orphaned
ship(Path(home), target_of(given[0], given[1] or None, given[2]), at=at)
"""


@pytest.fixture(autouse=True)
def _python(monkeypatch: pytest.MonkeyPatch) -> None:
    if not PYTHON.exists():
        pytest.skip("no DuckDB with its extensions in .tools/ship: scripts/ensure-engines makes it")
    monkeypatch.setenv(PYTHON_VARIABLE, str(PYTHON))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A PostgreSQL of its own, reached through a socket in the folder; nobody's, because it refuses root."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [str(Path(shutil.which("initdb") or "/").parent)]
    programs = Path(found[-1])
    if not (programs / "initdb").exists():
        pytest.skip("no PostgreSQL: apt install postgresql")
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="jbts-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if root:
            shutil.chown(folder, "nobody")

        def run(*command: object) -> None:
            subprocess.run(
                [str(word) for word in command], check=True, capture_output=True, cwd="/",
                **({"user": "nobody", "extra_groups": []} if root else {}),
            )  # fmt: skip

        data = folder / "data"
        run(programs / "initdb", "-D", data, "-U", "jbts", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -F"
        control = (programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
        run(*control, "-o", options, "start")
        try:
            yield folder
        finally:
            run(*control, "-m", "immediate", "stop")


class Centre:
    """A central database under test: what ``jbts ship`` is told, and a way to ask it. A catalogue in a file has one
    user at a time, so there each question is asked by a process of its own."""

    def __init__(self, address: str, data: str | None = None, token: str | None = None) -> None:
        self.given = (address, data or "", token or "")
        self.target: Target = target_of(address, data, token)  # type: ignore[assignment]
        self.shared = self.target.extensions[-1] != "ducklake"
        self._carrier: Carrier | None = None

    def ask(self, *statements: str) -> list[tuple[object, ...]]:
        if self._carrier is None:
            with Path(os.devnull).open() as nothing:
                self._carrier = Carrier(self.target.extensions, nothing.fileno())
            self._carrier.run(self.target.attach)
        if self.target.served:
            rows = self._carrier.run(f"FROM centre.query({quoted('; '.join(statements))})")
        else:
            rows = self._carrier.run("USE centre", *statements)
        if not self.shared:
            self.close()
        return [tuple(row) for row in rows]

    def close(self) -> None:
        if self._carrier is not None:
            self._carrier.close()
        self._carrier = None


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a DuckDB that is served by Quack."""
    store = REPOSITORY / "jbts_kernel" / "store"
    with held_port() as port:
        server = subprocess.Popen(
            [PYTHON, "-c", SERVER, store, tmp_path_factory.mktemp("served") / "central.duckdb", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None and server.stdin is not None
        assert server.stdout.readline() == b"up\n"
    yield f"quack:localhost:{port}"
    server.kill()
    server.communicate()


@pytest.fixture(params=["file", "postgres", "quack"])
def centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Centre]:
    """An empty central database of each kind."""
    if request.param == "file":
        made = Centre(f"ducklake:{tmp_path / 'central.ducklake'}")
    elif request.param == "postgres":
        folder: Path = request.getfixturevalue("cluster")
        name = f"lake_{os.urandom(4).hex()}"
        subprocess.run(["createdb", "-h", folder, "-U", "jbts", name], check=True, cwd="/")
        made = Centre(f"postgres://jbts:hush@/{name}?host={folder}", str(tmp_path / "lake"))
    else:
        made = Centre(request.getfixturevalue("served"), token=TOKEN)
        made.ask("DROP SCHEMA IF EXISTS internal CASCADE")
    yield made
    made.close()


def record(home: Path, name: str, *, rows: int = 1, close: bool = True, ends: bool = True) -> Log:
    """An execution of ``rows`` steps with something of every kind beside them, in a segment of its own."""
    log = Log(home)
    log.emit(Event("run.started", {"kind": "suite"}, f"r-{name}"))
    log.emit(Event("execution.started", {"test_name": "Pay", "history_id": "h"}, f"r-{name}", name))
    for number in range(rows):
        step = f"{name}-{number}"
        data = {"verb": "click", "name": "Pay", "ordinal": number, "status": "failed" if number == 0 else "passed"}
        log.emit(
            Event("step.started", {"verb": "click"}, f"r-{name}", name, step),
            Event("console", {"level": "error", "text": "it's \\\" ${x} 100 %; DROP TABLE"}, f"r-{name}", name, step),
            Event("network", {"method": "GET", "url": "http://127.0.0.1/", "status": 200}, f"r-{name}", name, step),
            Event("artifact", {"artifact": "a" * 64, "role": "after"}, f"r-{name}", name, step),
            Event("analysis", {"analysis_id": f"a-{step}", "provider": "offline"}, f"r-{name}", name, step),
            Event("finding", {"finding_id": f"f-{step}", "severity": "minor"}, f"r-{name}", name, step),
            Event("step.finished", {**data, "error_fingerprint": "f", "duration_ms": 5.0}, f"r-{name}", name, step),
        )
    log.emit(Event("test_case", {"test_case_id": name, "name": "é"}))
    if ends:
        end = {"test_name": "Pay", "history_id": "h", "status": "failed", "tags": ["a", "b"], "parameters": {"n": 1}}
        log.emit(Event("execution.finished", end, f"r-{name}", name), Event("run.finished", {}, f"r-{name}"))
    if close:
        log.close()
    return log


def steps(centre: Centre) -> list[object]:
    return [row[0] for row in centre.ask("SELECT step_id FROM steps ORDER BY 1")]


def test_the_centre_answers_what_the_projects_answer(centre: Centre, home: Path, tmp_path: Path) -> None:
    """Two machines' projects in one centre: every table and view has the rows it has where both were imported, the
    running ones and those whose process died too. What was there already is not sent again."""
    other, both = tmp_path / "other" / ".jbts", tmp_path / "both" / ".jbts"
    record(home, "a", rows=30)
    record(home, "dies", ends=False)
    record(other, "b", rows=3)
    done = ship(home, centre.target)
    assert (done.segments, done.known, done.open_segments) == (2, 0, 0)
    again = ship(home, centre.target)
    assert (again.segments, again.bytes, again.known) == (0, 0, 2)
    transfer(home, other)
    assert ship(other, centre.target).segments == 1, "the other machine's own; what it imported is known"
    transfer(other, both)
    names = [*(table.name for table in TABLES), *(view.name for view in VIEWS)]
    counts = "SELECT " + ", ".join(f"(SELECT count(*) FROM {name})" for name in names)
    states = "SELECT execution_id, status, CAST(tags AS VARCHAR), parameters FROM executions ORDER BY 1"
    local = Results(both)
    assert dict(zip(names, centre.ask(counts)[0], strict=True)) == dict(
        zip(names, local.rows(counts).rows[0], strict=True)
    )
    assert centre.ask(states) == list(local.rows(states).rows)
    assert ("dies", "aborted", None, None) in centre.ask(states)
    texts = "SELECT DISTINCT text FROM console_messages"
    assert centre.ask(texts) == list(local.rows(texts).rows)


def test_a_shipper_killed_anywhere_is_made_up_for(centre: Centre, home: Path) -> None:
    """Killed before the end of its transaction, and while that is on its way: the next shipment makes every line be
    there once."""
    expected: list[str] = []
    for stage in ("inserted", "sent"):
        record(home, stage, rows=2)
        expected += [f"{stage}-0", f"{stage}-1"]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, home, stage, *centre.given],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False, start_new_session=True,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, stage
    ship(home, centre.target)
    assert steps(centre) == sorted(expected)
    assert ship(home, centre.target).segments == 0
    assert centre.ask("SELECT count(*), count(DISTINCT segment) FROM internal.segments") == [
        (len(expected) // 2, len(expected) // 2)
    ]


@pytest.mark.parametrize("centre", ["postgres", "quack"], indirect=True)  # others have one user at a time
def test_two_who_hold_the_same_ship_at_once(centre: Centre, home: Path, tmp_path: Path) -> None:
    """Machines that have imported each other's results and ship at the same moment, to a centre that is new: one
    comes first, the other goes on with what is missing."""
    other = tmp_path / "other" / ".jbts"
    record(home, "a", rows=20)
    record(other, "b", rows=20)
    transfer(home, other)
    transfer(other, home)
    code = KILLED.replace("ship(Path", "print('up', flush=True); sys.stdin.readline(); ship(Path")
    shippers = [
        subprocess.Popen(
            [sys.executable, "-c", code, place, "", *centre.given],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for place in (home, other)
    ]  # fmt: skip
    for shipper in shippers:
        assert shipper.stdout is not None
        assert shipper.stdout.readline() == b"up\n"
    for shipper in shippers:
        assert shipper.stdin is not None
        shipper.stdin.write(b"\n")
        shipper.stdin.flush()
    for shipper in shippers:
        shipper.communicate()
    assert [shipper.returncode for shipper in shippers] == [0, 0]
    assert steps(centre) == sorted(f"{name}-{number}" for name in "ab" for number in range(20))


def test_a_copy_of_a_folder_in_use_can_come_again(home: Path, tmp_path: Path) -> None:
    """The beginning of a segment, then the whole of it from its own machine, then its pieces: each line once."""
    centre = Centre(f"ducklake:{tmp_path / 'central.ducklake'}")
    record(home, "a", rows=5)
    (whole,) = (home / "spool").glob("*-000001.jsonl")
    early = tmp_path / "early"
    (early / "spool").mkdir(parents=True)
    (early / "spool" / whole.name).write_bytes(whole.read_bytes()[:1500])
    pieces = tmp_path / "pieces"
    transfer(early, pieces)
    ship(early, centre.target)
    ship(home, centre.target)
    transfer(home, pieces)
    assert ship(pieces, centre.target).segments == 0
    assert transfer(pieces, home).segments == 0
    assert steps(centre) == [f"a-{number}" for number in range(5)]


def test_a_centre_of_another_version(home: Path, tmp_path: Path) -> None:
    """An older centre gets the columns it lacks; the views of a newer one are left as they are."""
    centre = Centre(f"ducklake:{tmp_path / 'central.ducklake'}")
    record(home, "a")
    ship(home, centre.target)
    centre.ask("ALTER TABLE internal.findings_sealed DROP COLUMN grounded")
    centre.ask("UPDATE internal.facts SET value = CASE name WHEN 'level' THEN '1' ELSE 'older' END")
    record(home, "b")
    ship(home, centre.target)
    assert centre.ask("SELECT count(*), count(grounded) FROM findings") == [(2, 0)]
    centre.ask("UPDATE internal.facts SET value = CASE name WHEN 'level' THEN '99' ELSE 'newer' END")
    centre.ask("CREATE OR REPLACE VIEW failures AS SELECT 'theirs' AS whose")
    record(home, "c")
    ship(home, centre.target)
    assert centre.ask("FROM failures") == [("theirs",)]
    assert len(steps(centre)) == 3


@pytest.mark.parametrize("centre", ["quack"], indirect=True)
def test_lines_put_aside_by_the_dead_are_swept(centre: Centre, home: Path) -> None:
    """What a killed shipper left in a served database goes after a day; what is younger may be in use."""
    record(home, "a")
    ship(home, centre.target)
    centre.ask(*(f"CREATE SCHEMA jbts_arriving_{moment}_0123abcd" for moment in (1700000000, 99999999999)))
    ship(home, centre.target)
    left = {name for (name,) in centre.ask("SELECT schema_name FROM duckdb_schemas()")}
    assert "jbts_arriving_99999999999_0123abcd" in left and "jbts_arriving_1700000000_0123abcd" not in left


@pytest.mark.parametrize(
    "address",
    [
        "postgres://me:hush%2Fhush@127.0.0.1:1/lake",
        "ducklake:postgres:host=127.0.0.1 port=1 user=me password='hush'",
        "ducklake:postgres:postgresql://127.0.0.1:1/lake?user=me&password=hush",
        "s3://me:hush@bucket/results",
    ],
)
def test_a_password_is_never_shown(
    address: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the message that a centre cannot be reached nor in the one that it is none."""
    record(home, "a")
    monkeypatch.setenv("JBTS_HOME", str(home))
    with pytest.raises(SystemExit) as ended:
        main(["ship", address])
    told = "".join(capsys.readouterr())
    assert ended.value.code != 0
    assert "***" in told and "hush" not in told


def test_a_refused_token_says_where_to_put_it(home: Path, tmp_path: Path) -> None:
    """A Quack server that refuses the token: the reason, the way out, and not the token."""
    record(home, "a")
    make: Callable[..., Target | None] = target_of
    wrong = make("quack:localhost:1", None, "not-the-token")
    assert wrong is not None
    with pytest.raises(StoreProblem, match="localhost:1 could not be shipped to") as problem:
        ship(home, wrong)
    assert "not-the-token" not in str(problem.value)


def test_what_is_not_there_is_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose DuckDB has no such extension: the message says which, and how to get it; nothing is fetched."""
    record(home, "a")
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    monkeypatch.setenv("HOME", str(tmp_path))
    lake = target_of(f"ducklake:{tmp_path / 'x'}")
    assert lake is not None
    with pytest.raises(StoreProblem, match="has no extension ducklake: jbts ship --prepare"):
        ship(home, lake)
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(StoreProblem, match="cannot be started"):
        ship(home, lake)
    with pytest.raises(UsageProblem, match="mount the bucket"):
        target_of("gs://bucket/x")
    assert target_of("/mnt/results") is None and target_of("results:2026") is None
