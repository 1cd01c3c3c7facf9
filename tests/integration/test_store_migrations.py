"""Schemas of before: a project folder that an older version left opens, upgrades and loses nothing."""

from __future__ import annotations

import tarfile
from pathlib import Path

import duckdb
import pytest

from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.migrations import MIGRATIONS
from jbts_kernel.store.publish import publish
from jbts_kernel.store.queries import Results
from jbts_kernel.store.schema import TABLES

KEPT = Path(__file__).resolve().parents[1] / "data"
SCHEMAS = sorted(KEPT.glob("schema-*.tar.xz"))
STEPS = (("s-e1", "passed"), ("s-e2", "failed"), ("s-e3", "aborted"), ("s-e4", "passed"))


@pytest.fixture(params=SCHEMAS, ids=lambda path: path.name.removesuffix(".tar.xz"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data folder as a version with that schema left it: three runs published, one only in the log."""
    with tarfile.open(request.param) as kept:
        kept.extractall(tmp_path)  # ours: Python 3.11.2 knows no filters yet
    return tmp_path / ".jbts"


def applied(home: Path) -> list[str]:
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM internal.migrations ORDER BY 1").fetchall()]


def test_a_fixture_is_kept_for_every_schema_but_the_last() -> None:
    """Whoever adds a migration keeps a folder of the schema before it."""
    assert len(SCHEMAS) == len(MIGRATIONS) - 1


def test_an_old_folder_can_be_asked_before_it_is_upgraded(old: Path) -> None:
    """Reading changes nothing: sealed, live and aborted steps are there in the old generation."""
    before = applied(old)
    assert Results(old).rows("SELECT step_id, status FROM steps ORDER BY 1").rows == STEPS
    assert applied(old) == before


def test_an_old_folder_is_upgraded_by_the_next_publication(old: Path) -> None:
    """Every row of every table comes through, and new rows join them."""
    with duckdb.connect(str(old / "results.duckdb"), read_only=True) as connection:
        before = {t.name: connection.execute(f"SELECT count(*) FROM {t.name}").fetchall() for t in TABLES}
    log = Log(old)
    log.emit(Event("step.finished", {"status": "passed"}, "r9", "e9", "s-e9"))
    log.close()
    assert publish(old) is not None
    assert applied(old) == [name for name, _ in MIGRATIONS]
    results = Results(old)
    assert results.rows("SELECT step_id, status FROM steps ORDER BY 1").rows == (*STEPS, ("s-e9", "passed"))
    for table in TABLES:
        count = results.value(f"SELECT count(*) FROM {table.name}")
        assert count == before[table.name][0][0] + {"steps": 1, "events": 1}.get(table.name, 0), table.name
    assert results.value("SELECT count(*) FROM run_summary") == 4


def test_columns_of_later_are_empty_until_the_database_is_made_again(tmp_path: Path) -> None:
    """What was published without a column has NULL there, what comes from the log has its value, and a database
    made again from the log has all of them."""
    with tarfile.open(KEPT / "schema-0002.tar.xz") as kept:
        kept.extractall(tmp_path)
    home = tmp_path / ".jbts"
    publish(home)
    took, rules = "SELECT step_id, browser_ms FROM steps WHERE browser_ms > 0 ORDER BY 1", "SELECT rule FROM findings"
    results = Results(home)
    assert results.rows(took).rows == (("s-e4", 812.5),)
    assert results.rows(rules).rows == ((None,), (None,), ("axe:label",))
    (home / "results.duckdb").unlink()
    publish(home)
    assert results.rows(took).rows == (("s-e1", 812.5), ("s-e2", 812.5), ("s-e4", 812.5))
    assert results.rows(rules).rows == (("axe:label",),) * 3


def test_an_old_folder_with_nothing_new_is_upgraded_too(old: Path) -> None:
    """One publication is enough, whether or not there is anything to add."""
    publish(old)
    done = publish(old)
    assert done is not None and not done.changed
    assert applied(old) == [name for name, _ in MIGRATIONS]


def test_migrations_end_at_the_described_schema(home: Path) -> None:
    """What the migrations make is what the schema describes: a new column needs a migration that adds it."""
    publish(home)
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        for table in TABLES:
            found = connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [f"{table.name}_sealed"]
            ).fetchall()
            assert set(found) == {(column.name, column.type) for column in table.columns}, table.name
