"""The jbts command: what it prints, what it ends with, and how little it loads."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyarrow import parquet

from jbts_kernel import __version__, cli, errors
from jbts_kernel.log import Log
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from jbts_kernel.cli import main; main()"]
Jbts = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command printed and ended with."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def jbts(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Jbts:
    """The command as its entry point runs it, in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JBTS_HOME", str(home))

    def call(*arguments: str, stdin: str = "", **environ: str) -> Done:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main(arguments)
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture
def recorded(home: Path) -> Path:
    """A project that has one execution, whose test has a name nobody should have chosen."""
    log = Log(home)
    about = {"test_name": "\x1b[31m[red]danger", "history_id": "h", "attempt": 1, "tags": ["a", "b"]}
    log.emit(
        Event("execution.finished", {**about, "status": "passed", "started_at": 1.0, "duration_ms": 1500.0},
              run_id="r", execution_id="e", ts=2.5)
    )  # fmt: skip
    log.close()
    return home


def test_help_lists_every_command(jbts: Jbts) -> None:
    """--help names all commands and ends with 0."""
    done = jbts("--help")
    assert done.returncode == 0
    for name in ("demo", "run", "report", "query", "events", "hub", "publish", "lab", "doctor"):
        assert f"\n  {name} " in done.stdout


def test_help_loads_nothing_heavy() -> None:
    """--help answers at once because nothing but Click is loaded for it."""
    program = (
        "import sys\nfrom jbts_kernel.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    loaded = set(json.loads(done.stderr.replace("'", '"')))
    heavy = {
        "duckdb",
        "selenium",
        "openai",
        "papermill",
        "PIL",
        "IPython",
        "rich",
        "traitlets",
        "websockets",
        "pandas",
    }
    assert not loaded & heavy


def test_version(jbts: Jbts) -> None:
    """--version tells the package's version."""
    assert jbts("--version").stdout == f"jbts, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qurey"], "did you mean query?"),
        (["query"], "SQL"),
        (["query", "select 1", "--format", "xml"], "xml"),
        (["query", "   "], "there is no SQL to run"),
        (["demo", "--port", "70000"], "70000"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_misuse_is_one_line(jbts: Jbts, arguments: list[str], words: str) -> None:
    """What is not understood ends with 2 and one line on stderr that names the word at fault."""
    done = jbts(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_settings_that_cannot_be_read_are_misuse(jbts: Jbts) -> None:
    """A JBTS_ variable with a bad value ends with 2 and is named."""
    done = jbts("doctor", JBTS_TIMEOUT="soon")
    assert done.returncode == 2
    assert "JBTS_TIMEOUT" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageProblem("x"), 2),
        (errors.ConfigProblem("x"), 2),
        (errors.StoreProblem("x"), 1),
        (errors.HubProblem("x"), 3),
        (errors.BrowserUnavailable("x"), 3),
        (errors.GridUnavailable("x"), 3),
        (errors.JBTSError("x"), 1),
        (errors.StepFailed("x", result=SimpleNamespace(error_type="BrowserUnavailable")), 3),  # type: ignore[arg-type]
        (errors.StepFailed("x", result=SimpleNamespace(error_type="ElementNotFound")), 1),  # type: ignore[arg-type]
    ],
)
def test_exit_codes(error: errors.JBTSError, code: int) -> None:
    """Every kind of error has its exit code."""
    assert cli.exit_code(error) == code


def test_query_draws_a_table(jbts: Jbts, recorded: Path) -> None:
    """The table shows the row; control characters and markup in it are shown, not obeyed."""
    done = jbts("query", "select test_name, status from executions")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["test_name", "status"]
    assert lines[1].split() == [r"\x1b[31m[red]danger", "passed"]
    assert lines[2] == "1 row"


def test_query_as_json_and_csv_is_exact(jbts: Jbts, recorded: Path) -> None:
    """JSON and CSV carry the values as they are: types, lists, NULL, control characters."""
    sql = "select test_name, duration_ms, tags, base_url, started_at from executions"
    (row,) = json.loads(jbts("query", sql, "--format", "json").stdout)
    assert row == {
        "test_name": "\x1b[31m[red]danger",
        "duration_ms": 1500.0,
        "tags": ["a", "b"],
        "base_url": None,
        "started_at": "1970-01-01T00:00:01",
    }
    header, values = csv.reader(io.StringIO(jbts("query", sql, "--format", "csv").stdout))
    assert header == list(row)
    assert values == ["\x1b[31m[red]danger", "1500.0", '["a", "b"]', "", "1970-01-01T00:00:01"]


def test_query_reads_standard_input(jbts: Jbts) -> None:
    """- is SQL from standard input, and a project without results answers too."""
    done = jbts("query", "-", "-f", "csv", stdin="select count(*) as n from steps")
    assert (done.returncode, done.stdout) == (0, "n\n0\n")


def test_query_limits_a_table_and_says_so(jbts: Jbts) -> None:
    """A table stops at a hundred rows and tells how to see the rest; a file gets everything."""
    done = jbts("query", "from range(150)")
    assert "100 rows; there are more: --limit 0 shows them" in done.stdout
    assert "\n149" not in done.stdout.replace(" ", "")
    assert len(jbts("query", "from range(150)", "-f", "csv").stdout.splitlines()) == 151


def test_query_explains_its_errors(jbts: Jbts) -> None:
    """A wrong name ends with 1, with names that are near, and with the place in the question."""
    done = jbts("query", "from stepz")
    assert done.returncode == 1
    first, where, mark = done.stderr.splitlines()
    assert first.startswith("jbts: ") and "steps" in first
    assert where.startswith("  LINE 1: ") and set(mark.strip()) == {"^"}


def test_query_into_a_closed_pipe_is_quiet(home: Path, tmp_path: Path) -> None:
    """A reader that goes away (| head) ends the command without a traceback."""
    process = subprocess.Popen(
        [*COMMAND, "query", "from range(200000)", "-f", "csv"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "JBTS_HOME": str(home), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), complaint) == (1, "")


def test_publish_tells_what_it_did(jbts: Jbts, recorded: Path) -> None:
    """publish moves the sealed segments once, and says when there is nothing left to move."""
    assert "segments added" in jbts("publish").stdout
    assert "nothing new" in jbts("publish").stdout


def test_colours_are_left_out_for_no_color(jbts: Jbts, recorded: Path) -> None:
    """NO_COLOR is respected even where colours are forced on."""
    done = jbts("query", "select status from executions", FORCE_COLOR="1", NO_COLOR="1")
    assert "\x1b[3" not in done.stdout
    assert "\x1b[3" in jbts("query", "select status from executions", FORCE_COLOR="1").stdout


@pytest.mark.browser
def test_doctor_starts_the_browser(jbts: Jbts, home: Path) -> None:
    """doctor ends with 0 where steps can run, having started the browser, and keeps the key to itself."""
    done = jbts("doctor", OPENAI_API_KEY="sk-very-secret")
    assert done.returncode == 0, done.stdout
    assert "starts headless" in done.stdout
    assert "OPENAI_API_KEY is set" in done.stdout
    assert "sk-very-secret" not in done.stdout + done.stderr
    assert not home.exists()


def test_doctor_says_what_is_missing(jbts: Jbts, tmp_path: Path) -> None:
    """Without a browser doctor ends with 3, and the line about it says what to do."""
    done = jbts("doctor", PATH=str(tmp_path), SE_OFFLINE="true")
    assert done.returncode == 3
    assert "no chrome is installed" in done.stdout
    assert "jbts doctor --install" in done.stdout


def test_doctor_looks_for_the_grid(jbts: Jbts) -> None:
    """A grid that does not answer is a problem, named by its address."""
    done = jbts("doctor", JBTS_GRID_URL="http://127.0.0.1:9/wd/hub")
    assert done.returncode == 3
    assert "http://127.0.0.1:9/wd/hub does not answer" in done.stdout


def test_query_into_a_file(jbts: Jbts, recorded: Path, tmp_path: Path) -> None:
    """--output writes every row in each form; Parquet reads back with its types."""
    for shape in ("csv", "json", "table", "parquet"):
        file = tmp_path / f"answer.{shape}"
        done = jbts("query", "select test_name, duration_ms, tags from executions", "-f", shape, "-o", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert file.stat().st_size > 0
    with (tmp_path / "answer.parquet").open("rb") as file_:
        rows = parquet.read_table(file_).to_pylist()
    assert rows == [{"test_name": "\x1b[31m[red]danger", "duration_ms": 1500.0, "tags": ["a", "b"]}]
    assert json.loads((tmp_path / "answer.json").read_text())[0]["duration_ms"] == 1500.0


def test_a_file_that_cannot_be_written_is_named(jbts: Jbts, recorded: Path, tmp_path: Path) -> None:
    """An output in a folder that is not there ends with 1 and one line."""
    for shape in ("csv", "parquet"):
        done = jbts("query", "from executions", "-f", shape, "-o", str(tmp_path / "no" / "file"))
        assert done.returncode == 1 and "could not be written" in done.stderr and done.stderr.count("\n") == 1


def test_export_goes_by_the_name(jbts: Jbts, recorded: Path, tmp_path: Path) -> None:
    """A .duckdb is a database, an .xml is JUnit, a folder is Parquet; --format says otherwise, and a file
    of another kind is refused."""
    log = Log(recorded)
    log.emit(Event("run.finished", {"kind": "suite", "status": "passed", "started_at": 1.0}, run_id="r"))
    log.close()
    said = jbts("export", str(tmp_path / "a.duckdb"))
    assert (said.returncode, said.stdout) == (0, f"{tmp_path / 'a.duckdb'}: 3 rows\n")
    assert jbts("export", str(tmp_path / "parquet")).returncode == 0
    assert (tmp_path / "parquet" / "executions.parquet").exists()
    assert jbts("export", str(tmp_path / "j.xml")).stdout.endswith("1 test of run r\n")
    assert "<testcase" in (tmp_path / "j.xml").read_text()
    assert jbts("export", str(tmp_path / "allure"), "--format", "allure").stdout.endswith("1 execution of run r\n")
    assert (tmp_path / "allure" / "e-result.json").exists()
    assert jbts("export", str(tmp_path / "b.duckdb"), "--run", "r").returncode == 2
    refused = jbts("export", str(tmp_path / "steps.csv"))
    assert refused.returncode == 2 and "no export is a .csv file" in refused.stderr
    assert f"-o {tmp_path / 'steps.csv'}" in refused.stderr and not (tmp_path / "steps.csv").exists()


def test_ship_and_import(jbts: Jbts, recorded: Path, tmp_path: Path) -> None:
    """What is shipped to a folder can be imported elsewhere, and is known there the second time."""
    central = tmp_path / "central"
    assert jbts("ship", str(central)).stdout.startswith(f"{central}: 1 segment and 0 files taken over")
    elsewhere = {"JBTS_HOME": str(tmp_path / "elsewhere")}
    assert "1 segment" in jbts("import", str(central), **elsewhere).stdout
    assert "1 known already" in jbts("import", str(central), **elsewhere).stdout
    assert '"n": 1' in jbts("query", "select count(*) as n from executions", "-f", "json", **elsewhere).stdout
    assert jbts("ship", "s3://bucket/results").returncode == 2
    assert jbts("import", str(tmp_path / "nowhere")).returncode == 1


def test_prune(jbts: Jbts, recorded: Path) -> None:
    """--dry-run says what would go and deletes nothing; a time without a unit is not understood."""
    assert "1 execution with 0 steps" in jbts("prune", "--keep", "90d", "--dry-run").stdout
    assert '"n": 1' in jbts("query", "select count(*) as n from executions", "-f", "json").stdout
    assert "deleted" in jbts("prune", "--keep", "90d").stdout
    assert '"n": 0' in jbts("query", "select count(*) as n from executions", "-f", "json").stdout
    wrong = jbts("prune", "--keep", "90")
    assert wrong.returncode == 2 and "90d" in wrong.stderr
