"""Queries from Python: live, bound, bounded, and with nothing of the machine in reach."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from jbts_kernel.errors import StoreProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store import queries
from jbts_kernel.store.publish import ensure
from jbts_kernel.store.queries import Results

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    """A log with three steps."""
    made = Log(home)
    for number in range(3):
        data = {"ordinal": number, "status": "passed", "duration_ms": 1.5, "name": f"it's {number}"}
        made.emit(Event("step.finished", data, "r", "e", f"s{number}"))
    yield made
    made.close()


@pytest.fixture
def results(home: Path, log: Log) -> Results:
    return Results(home)


def test_a_first_query_needs_no_publication(results: Results) -> None:
    """Asking is enough: the database is made when it is not there."""
    assert results.value("SELECT count(*) FROM steps") == 3


def test_rows_are_a_plain_table(results: Results) -> None:
    """Names, types and values come back as plain Python."""
    table = results.rows("SELECT step_id, ordinal, duration_ms FROM steps ORDER BY 1")
    assert table.columns == ("step_id", "ordinal", "duration_ms")
    assert table.types == ("VARCHAR", "INTEGER", "DOUBLE")
    assert table.rows == (("s0", 0, 1.5), ("s1", 1, 1.5), ("s2", 2, 1.5))
    assert not table.truncated and len(table) == 3
    assert table.dicts()[0] == {"step_id": "s0", "ordinal": 0, "duration_ms": 1.5}


def test_rows_are_bounded(results: Results) -> None:
    """No more rows than asked for come back, and the table says that there were more."""
    table = results.rows("SELECT * FROM range(1_000_000_000)", limit=5)
    assert len(table) == 5 and table.truncated
    exact = results.rows("FROM steps", limit=3)
    assert len(exact) == 3 and not exact.truncated


def test_parameters_are_bound(results: Results) -> None:
    """Values go in by position or name and are never part of the text."""
    assert results.value("SELECT step_id FROM steps WHERE name = ?", ["it's 1"]) == "s1"
    assert results.value("SELECT step_id FROM steps WHERE ordinal = $n", {"n": 2}) == "s2"
    assert results.value("SELECT step_id FROM steps WHERE name = ?", ["' OR true --"]) is None


def test_data_frames_and_arrow(results: Results) -> None:
    """A query as a DataFrame and as an Arrow table."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert list(results.df("SELECT ordinal FROM steps ORDER BY 1")["ordinal"]) == [0, 1, 2]
    assert results.arrow("SELECT ordinal FROM steps ORDER BY 1").to_pydict() == {"ordinal": [0, 1, 2]}


def test_a_missing_library_is_named(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas the error says what to install and what works without it."""
    monkeypatch.setattr(queries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StoreProblem, match=r"pandas.*jbts-kernel\[analyst\].*rows\(\)"):
        results.df("FROM steps")


def test_an_unknown_table_lists_near_names(results: Results) -> None:
    """A misspelt table names those meant, a hopeless one all there are; neither tells of internals."""
    with pytest.raises(StoreProblem, match=r"no table or view stps: did you mean steps") as near:
        results.rows("SELECT * FROM stps")
    assert "\n" not in near.value.message
    with pytest.raises(StoreProblem, match=r"there are runs, executions, steps.*run_summary") as far:
        results.rows("SELECT * FROM zzzzzz")
    assert "internal" not in far.value.message


def test_errors_are_one_line_with_the_databases_hint(results: Results) -> None:
    """An unknown column lists candidates; the place of a mistake is in the hints."""
    with pytest.raises(StoreProblem, match=r'"nme" not found.*"name"') as caught:
        results.rows("SELECT nme\nFROM steps")
    assert "\n" not in caught.value.message
    assert caught.value.hints[0].startswith("LINE 1:")
    with pytest.raises(StoreProblem, match=r"[Ss]yntax"):
        results.rows("SELEC 1")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO internal.steps_sealed(step_id) VALUES ('x')",
        "INSERT INTO steps VALUES (1)",
        "CREATE TABLE mine (a INTEGER)",
        "DROP VIEW steps",
        "DELETE FROM internal.segments",
        "DELETE FROM steps",
        "UPDATE steps SET status = 'passed'",
    ],
)
def test_results_cannot_be_changed(results: Results, sql: str) -> None:
    """Whatever the statement, results stay as they are, and the error says that they are read-only."""
    with pytest.raises(StoreProblem, match="read-only"):
        results.rows(sql)
    assert results.value("SELECT count(*) FROM steps") == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '{other}/secret.csv'",
        "SELECT * FROM read_csv('{home}/spool/../../other/secret.csv')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{other}/out.csv'",
        "ATTACH '{other}/new.duckdb'",
        "INSTALL httpfs",
        "LOAD '{other}/evil.duckdb_extension'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "EXPORT DATABASE '{other}/dump'",
    ],
)
def test_a_query_reaches_nothing_but_results(results: Results, home: Path, tmp_path: Path, sql: str) -> None:
    """Files, extensions and settings are out of reach: the text of a query may be somebody else's."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "secret.csv").write_text("a\n1\n")
    with pytest.raises(StoreProblem):
        results.rows(sql.format(home=home, other=other))
    assert [path.name for path in other.iterdir()] == ["secret.csv"]


def test_a_users_own_connection_changes_nothing(results: Results, home: Path, log: Log) -> None:
    """While the same process holds the file open itself, with its own settings, queries work and are live."""
    ensure(home)
    with duckdb.connect(str(home / "results.duckdb"), read_only=True, config={"threads": "1"}) as own:
        assert own.execute("SELECT count(*) FROM steps").fetchall() == [(3,)]
        assert results.value("SELECT count(*) FROM steps") == 3
        log.emit(Event("step.finished", {}, "r", "e", "s3"))
        assert results.value("SELECT count(*) FROM steps") == 4
        assert own.execute("SELECT count(*) FROM steps").fetchall() == [(4,)]
        with pytest.raises(StoreProblem):
            results.rows("SELECT * FROM read_text('/etc/hostname')")


def test_several_statements_answer_with_the_last(results: Results) -> None:
    """A cell may hold several statements; their settings do not outlive it."""
    sql = "CREATE TEMP TABLE t AS SELECT step_id FROM steps; SELECT count(*) FROM t"
    assert results.value(sql) == 3
    assert results.value(sql) == 3


def test_a_damaged_database_says_what_to_do(results: Results, home: Path) -> None:
    """A file that is no database is named, with the way out."""
    (home / "results.duckdb").write_bytes(b"not a database" * 1_000)
    with pytest.raises(StoreProblem, match=r"results\.duckdb cannot be read") as caught:
        results.rows("FROM steps")
    assert "delete" in caught.value.hints[0]


@pytest.mark.parametrize("folder", ["with space", "it's", "a[1]*", "ünï ☃", 'quo"te'])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    """A data folder may be called anything the system takes: nothing in a name is SQL or a pattern."""
    home = tmp_path / folder / ".jbts"
    log = Log(home)
    log.emit(Event("step.finished", {}, "r", "e", "a"))
    assert Results(home).value("SELECT step_id FROM steps") == "a"
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as plain:
        assert plain.execute("SELECT step_id FROM steps").fetchall() == [("a",)]
    log.close()


def test_variables_of_the_caller_are_no_tables(results: Results) -> None:
    """A name in a query is a table of the results, never a data frame that happens to be called so."""
    pandas = pytest.importorskip("pandas")
    mine = pandas.DataFrame({"a": [1]})
    with pytest.raises(StoreProblem, match=r"no table or view mine"):
        results.rows("SELECT * FROM mine")
    assert len(mine) == 1


def test_importing_the_store_imports_no_database() -> None:
    """Neither duckdb nor pandas is imported before the first query."""
    script = (
        "import sys, jbts_kernel.store.queries, jbts_kernel.store.publisher, jbts_kernel.store.views\n"
        "sys.exit(' '.join({'duckdb', 'pandas', 'pyarrow', 'numpy'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
