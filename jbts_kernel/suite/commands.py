"""``jbts run`` and ``jbts report``: thin skins over :func:`.runner.run` and :func:`.report.write_report`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import BrowserUnavailable, ClusterUnavailable, ConfigProblem, JBTSError, UsageProblem
from . import CELL_TIMEOUT
from .outcome import FAILURES, INFRASTRUCTURE, USAGE
from .parametrize import parameter


class _Workers(click.ParamType[int]):
    """A number of notebooks at a time, or ``auto``: as many as there are processors."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return os.cpu_count() or 1
        if not str(value).isdigit() or int(value) < 1:
            self.fail(f"{value!r} is neither a number from 1 on nor auto", param, ctx)
        return int(value)


class _Parameter(click.ParamType[tuple[str, Any]]):
    """``name=value``; :func:`.parametrize.parameter` reads it."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        try:
            return parameter(str(value))
        except UsageProblem as problem:
            self.fail(str(problem), param, ctx)


@click.command("run", short_help="Run notebooks as a suite of tests.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-n", "--workers", type=_Workers(), help="Notebooks at a time, or auto.  [default: 1]")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    type=_Parameter(),
    multiple=True,
    help="A parameter for every notebook.",
)
@click.option(
    "--browser",
    "browsers",
    multiple=True,
    help="Run every notebook in this browser; can be given several times.",
)
@click.option("--retries", type=click.IntRange(0), help="Try a notebook that did not pass so often again.")
@click.option(
    "--until-fail", type=click.IntRange(0), default=0, help="Run each notebook up to N times, until it fails."
)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write an HTML report into this folder.",
)
@click.option("--shard", metavar="I/N", help="Run the I-th of N parts only.")
@click.option("--dask", metavar="ADDRESS", help="Run on the workers of this Dask scheduler.")
@click.option("--tags", metavar="EXPR", help="Only notebooks with these tags: 'smoke and not slow'.")
@click.option("--timeout", type=click.FloatRange(0), help="Seconds for each notebook; 0 is no limit.")
@click.option(
    "--cell-timeout",
    type=click.FloatRange(0),
    help=f"Seconds for each cell; 0 is no limit.  [default: {CELL_TIMEOUT:g}]",
)
@click.option(
    "--allure",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write Allure results into this folder.",
)
@click.option("--warm/--no-warm", default=None, help="Fork kernels and lend warm browsers, where that can be done.")
@click.option("--update-baselines", is_flag=True, help="Snapshots that differ, or have no baseline yet, become it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print what happens, one JSON object a line; the last is the result."
)
@click.option("-q", "--quiet", is_flag=True, help="One line for each notebook that did not pass.")
def run_command(
    paths: tuple[str, ...],
    workers: int | None,
    parameters: tuple[tuple[str, Any], ...],
    browsers: tuple[str, ...],
    retries: int | None,
    until_fail: int,
    junit: Path | None,
    report: Path | None,
    shard: str | None,
    dask: str | None,
    tags: str | None,
    timeout: float | None,
    cell_timeout: float | None,
    allure: Path | None,
    warm: bool | None,
    update_baselines: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run notebooks as tests: PATHS are notebooks, and folders that hold some.

    A suite.toml beside or above them holds defaults for these options, a quarantine, and values to run with.

    Exit status: 0 all passed, 1 failures, 2 usage or nothing to run, 3 infrastructure (no browser, no
    kernel), 130 interrupted.
    """
    # Importing what checks a notebook's schema compiles a grammar of international addresses and two more, which takes
    # most of a second and which no notebook's schema needs. Without them they go unchecked, in this command's process.
    for needless in ("isoduration", "rfc3986_validator", "rfc3987_syntax", "uri_template"):
        sys.modules.setdefault(needless, None)  # type: ignore[arg-type]
    from ..config import find_home
    from .expectation import expected
    from .json_lines import JSONLines
    from .progress import Lines, Live, Progress
    from .runner import run
    from .settings import find_settings

    if not paths:
        _refuse("name the notebooks to run, or a folder that holds some: jbts run notebooks/", USAGE)
    progress: Progress
    if as_json:
        progress = JSONLines(_line)
    elif quiet or not sys.stdout.isatty():
        progress = Lines(_line, quiet=quiet)
    else:
        from rich.console import Console

        progress = Live(Console(highlight=False), expected=lambda cases: expected(find_home(), cases))
    try:
        usual = find_settings([Path(path) for path in paths]).run
        if retries is None:
            retries = 0 if until_fail else usual.retries or 0
        timeout = usual.timeout if timeout is None else timeout
        if cell_timeout is None:
            cell_timeout = CELL_TIMEOUT if usual.cell_timeout is None else usual.cell_timeout
        result = run(
            paths,
            parameters=dict(parameters),
            workers=workers or usual.workers or 1,
            browsers=browsers or usual.browser,
            retries=retries,
            until_fail=until_fail,
            junit=junit,
            report=report,
            shard=shard,
            tags=usual.tags if tags is None else tags,
            timeout=timeout or None,
            cell_timeout=cell_timeout or None,
            allure=allure,
            environ={**os.environ, "JBTS_UPDATE_BASELINES": "1"} if update_baselines else None,
            progress=progress,
            warm_starts=warm,
            dask=dask,
        )
    except (ConfigProblem, UsageProblem) as problem:
        _refuse(str(problem), USAGE)
    except (BrowserUnavailable, ClusterUnavailable) as problem:
        _refuse(str(problem), INFRASTRUCTURE)
    except (JBTSError, OSError) as problem:
        _refuse(str(problem), FAILURES)
    finally:
        if isinstance(progress, Live):
            progress.close()
    sys.exit(result.exit_code)


@click.command("report", short_help="Write the HTML report of a run.")
@click.argument("run_id", required=False)
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Into this folder.")
def report_command(run_id: str | None, folder: Path | None) -> None:
    """Write the HTML report of a run, the latest one if RUN_ID is left out, and print where it is.

    RUN_ID may be the beginning of one. The folder is .jbts/reports/RUN_ID unless --to names another.
    """
    from ..config import find_home
    from .report import find_run, write_report

    home = find_home()
    try:
        found = find_run(home, run_id)
        click.echo(str(write_report(home, found, folder or home / "reports" / found)))
    except UsageProblem as problem:
        _refuse(str(problem), USAGE)
    except (JBTSError, OSError) as problem:
        _refuse(str(problem), FAILURES)


@click.command("export-test", short_help="Write a notebook as a plain pytest file.")
@click.argument("notebook", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="The file to write; - is standard output.  [test_NOTEBOOK.py beside it]",
)
@click.option("-f", "--force", is_flag=True, help="Replace the file where there is one.")
def export_command(notebook: Path, output: Path | None, force: bool) -> None:
    """Write NOTEBOOK as a plain pytest file over the same Python API.

    Exit status 1 where something in it has no counterpart: it is named by its cell, and fails the test.
    """
    from .export_test import export_test

    target = output or notebook.with_name("test_" + re.sub(r"\W+", "_", notebook.stem).strip("_") + ".py")
    shown = str(target) == "-"
    try:
        if not shown and target.exists() and not force:
            raise UsageProblem(f"{target} is there already; name another file with -o, or replace it with --force")
        exported = export_test(notebook, Path.cwd() if shown else target.parent)
        if shown:
            click.echo(exported.source, nl=False)
        else:
            target.write_text(exported.source, encoding="utf-8")
            click.echo(str(target))
    except UsageProblem as problem:
        _refuse(str(problem), USAGE)
    except OSError as problem:
        _refuse(f"{target} could not be written: {problem.strerror}", FAILURES)
    for cell, reason in exported.missing:
        click.echo(f"jbts: cell {cell} could not be exported: {reason}", err=True)
    sys.exit(FAILURES if exported.missing else 0)


def _line(text: str) -> None:
    """Print a line. Where nobody reads any more (``| head``) the run goes on, and its results are kept."""
    try:
        click.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(message: str, status: int) -> None:
    click.echo(f"jbts: {message}", err=True)
    sys.exit(status)
