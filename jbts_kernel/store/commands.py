"""``jbts query``, ``publish``, ``export``, ``import``, ``ship`` and ``prune``: thin skins over this package."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..cli import console, home
from ..errors import StoreProblem, UsageProblem

ALL_ROWS = 1 << 31
SHAPES = ("table", "csv", "json", "parquet")
FORMATS = ("database", "parquet", "allure", "junit")
_NO_EXPORT = (".csv", ".json", ".parquet", ".html", ".txt", ".xlsx", ".zip")
_UNITS: Mapping[str, int] = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class _Age(click.ParamType[float]):
    """A time like ``90d``, in seconds."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write it like 90d, 12h or 4w", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


@click.command()
@click.argument("sql")
@click.option("-f", "--format", "shape", type=click.Choice(SHAPES), default="table", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("-l", "--limit", type=click.IntRange(0), default=None, help="Rows at most; 0 is all. [table: 100]")
def query(sql: str, shape: str, output: Path | None, limit: int | None) -> None:
    """Ask the results a question in SQL; - reads it from standard input.

    \b
    jbts query "select test_name, status, duration_ms from latest_executions"
    jbts query "from failures" --format json
    jbts query "from steps" --format parquet -o steps.parquet
    """
    from .queries import Results

    text = sys.stdin.read() if sql == "-" else sql
    if not text.strip():
        raise UsageProblem("there is no SQL to run; for example: jbts query 'from latest_executions'")
    most = limit if limit is not None else 100 if shape == "table" and output is None else 0
    results = Results(home())
    if shape == "parquet":
        _write_parquet(results, text, output, most)
        return
    from .. import tables

    table = results.rows(text, limit=most or ALL_ROWS)
    if output is None:
        tables.write(table, shape, sys.stdout, console)
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            tables.write(table, shape, file, console)
    except OSError as problem:
        raise StoreProblem(f"{output} could not be written: {problem.strerror}") from problem


def _write_parquet(results: Any, text: str, output: Path | None, most: int) -> None:
    if output is None and sys.stdout.isatty():
        raise UsageProblem("Parquet is no text; name a file: --output answer.parquet")
    table = results.arrow(text)
    from pyarrow import parquet

    table = table.slice(0, most) if most else table
    try:
        parquet.write_table(table, str(output) if output else sys.stdout.buffer, compression="zstd")
    except OSError as problem:
        raise StoreProblem(f"{output or 'standard output'} could not be written: {problem}") from problem


@click.command()
def publish() -> None:
    """Move what has been recorded into results.duckdb."""
    from .publish import publish as publish_now

    done = publish_now(home())
    if done is None:
        click.echo("another process is publishing at this moment")
    elif not done.changed:
        click.echo(f"nothing new; generation {done.generation} has everything that is complete")
    else:
        click.echo(f"generation {done.generation}: {done.lines} lines of {done.segments} segments added")


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "-f", "--format", "shape", type=click.Choice(FORMATS), help="What to write; told by the name, if left out."
)
@click.option("--run", "run_id", metavar="RUN_ID", help="For allure and junit: the run; the latest, if left out.")
def export(target: Path, shape: str | None, run_id: str | None) -> None:
    """Write results to TARGET, to be read without this project.

    \b
    jbts export results-2026.duckdb         everything, as one database that stands alone
    jbts export results/                    everything, as Parquet files
    jbts export junit.xml [--run RUN_ID]    one run, as JUnit XML
    jbts export allure-results/ -f allure   one run, as Allure result files
    """
    from . import documents
    from .export import export_database, export_parquet
    from .queries import Results

    if shape is None and target.suffix.lower() in _NO_EXPORT:
        raise UsageProblem(
            f"no export is a {target.suffix} file; name a .duckdb, an .xml (JUnit) or a folder (Parquet), or ask for"
            f" rows: jbts query 'from steps' -f csv|json|parquet -o {target}"
        )
    shape = shape or {".duckdb": "database", ".db": "database", ".xml": "junit"}.get(target.suffix, "parquet")
    if shape in ("database", "parquet"):
        if run_id is not None:
            raise UsageProblem(f"--run is for allure and junit; a {shape} export holds every run")
        count = (export_database if shape == "database" else export_parquet)(home(), target)
        click.echo(f"{target}: {_count(count, 'row')}")
        return
    results = Results(home())
    run_id = run_id or documents.latest_run(results)
    if shape == "junit":
        click.echo(f"{target}: {_count(documents.write_junit(results, run_id, target), 'test')} of run {run_id}")
    else:
        click.echo(f"{target}: {_count(documents.write_allure(results, run_id, target), 'execution')} of run {run_id}")


@click.command("import")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(sources: tuple[Path, ...]) -> None:
    """Take over the results of other machines from their .jbts folders, or from where they shipped to.

    What was taken over before is not taken again, so the same folder can be named as often as it grows.
    """
    from .transfer import transfer

    for source in sources:
        if source.is_file():
            raise UsageProblem(
                f"{source} is a file; name a .jbts folder, or one that jbts ship has filled"
                " (an exported database holds rows, not the log they are made from)"
            )
        click.echo(f"{source}: {_moved(transfer(source, home()), files=True)}")


@click.command()
@click.argument("target", required=False)
@click.option("--data", metavar="FOLDER", help="Where a new DuckLake keeps its files.")
@click.option("--prepare", is_flag=True, help="Install what shipping to a database needs, and end.")
def ship(target: str | None, data: str | None, prepare: bool) -> None:
    """Send what is complete to TARGET, each part once, however often and by however many machines.

    \b
    jbts ship /mnt/results                          a folder, also of a mounted share or bucket
    jbts ship postgres://HOST/DB --data /mnt/lake   a DuckLake with its catalogue in PostgreSQL
    jbts ship ducklake:/mnt/results.ducklake        a DuckLake with its catalogue in a file
    jbts ship quack:HOST:PORT                       a DuckDB that is served by Quack

    A folder becomes a data folder like this project's own: JBTS_HOME=TARGET jbts query ..., or jbts import TARGET
    on another machine. A database gets the tables and views of docs/store.md; files (pictures, evidence, downloads)
    stay where they are, and artifacts.path says where in this project's folder that is.
    A Quack server's token is read from JBTS_SHIP_TOKEN, PostgreSQL's password from PGPASSWORD or ~/.pgpass.
    """
    from .centre import TOKEN_VARIABLE, target_of
    from .centre import ship as ship_now
    from .extensions import prepare as prepare_now
    from .transfer import transfer

    if prepare:
        click.echo(f"ready: {prepare_now()}")
        return
    if target is None:
        raise UsageProblem("where to? for example: jbts ship /mnt/results, or jbts ship postgres://HOST/DATABASE")
    central = target_of(target, data, os.environ.get(TOKEN_VARIABLE))
    if central is None:
        click.echo(f"{target}: {_moved(transfer(home(), Path(target)), files=True)}")
    else:
        click.echo(f"{central.shown}: {_moved(ship_now(home(), central), files=False)}; files stay here")


@click.command()
@click.option("--keep", type=_Age(), required=True, help="What is younger stays: 90d, 12h, 4w.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(keep: float, dry_run: bool) -> None:
    """Delete executions that ended long ago, with their evidence, their part of the log, and files no row refers to.

    \b
    jbts prune --keep 90d
    """
    from .prune import prune as prune_now

    done = prune_now(home(), keep, dry_run=dry_run)
    before = datetime.fromtimestamp(datetime.now(UTC).timestamp() - keep, UTC)
    gone = f"{_count(done.executions, 'execution')} with {_count(done.steps, 'step')}"
    files = f"{_count(done.segments, 'segment')} and {_count(done.files, 'file')} ({_size(done.bytes)})"
    verb = "would go" if dry_run else "deleted"
    click.echo(f"{gone}, {files} {verb}: what ended before {before:%Y-%m-%d %H:%M} UTC")


def _moved(done: Any, *, files: bool) -> str:
    what = _count(done.segments, "segment") + (f" and {_count(done.files, 'file')}" if files else "")
    parts = [f"{what} taken over ({_size(done.bytes)})"]
    parts += [f"{done.known} known already"] if done.known else []
    parts += [f"{done.open_segments} still being written, left for the next time"] if done.open_segments else []
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    if size < 1_000:
        return f"{size:.0f} B"
    unit, divisor = ("kB", 1e3) if size < 1e6 else ("MB", 1e6) if size < 1e9 else ("GB", 1e9)
    return f"{size / divisor:.1f} {unit}"
