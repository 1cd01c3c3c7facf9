"""A suite: notebooks through papermill, several at a time, into one run. How one of them is run: :mod:`.attempts`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..browser.records import Records
from ..config import find_home
from ..errors import BrowserUnavailable, UsageProblem
from ..ids import new_id
from ..log import Log
from . import CELL_TIMEOUT
from .account import Account
from .attempts import Attempts, prepare_papermill
from .interruption import Interruption
from .outcome import Attempt, SuiteResult
from .progress import Progress, Silent
from .selection import Case, check_parameters, collect
from .warmth import Warmth, warm


def run(
    paths: Sequence[str | Path],
    *,
    parameters: Mapping[str, Any] | None = None,
    workers: int = 1,
    browsers: Sequence[str] = (),
    retries: int = 0,
    until_fail: int = 0,
    junit: Path | None = None,
    report: Path | None = None,
    shard: str | None = None,
    tags: str | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = CELL_TIMEOUT,
    allure: Path | None = None,
    home: Path | None = None,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    warm_starts: bool | None = None,
    dask: str | None = None,
) -> SuiteResult:
    """Run notebooks as tests and record them as one run.

    Args:
        paths: notebooks, and folders to look for them in.
        parameters: papermill parameters for every notebook.
        workers: how many notebooks run at the same time.
        browsers: run every notebook once in each of these.
        retries: how often a notebook that did not pass is tried again; every attempt is kept.
        until_fail: run each notebook up to so many times, until it fails for the first time.
        junit: write a JUnit XML file here.
        report: write an HTML report into this folder.
        shard: ``i/n``: only the i-th of n parts.
        tags: only notebooks whose tags fulfil this expression.
        timeout: seconds for each notebook, without its teardown cells; None is no limit.
        cell_timeout: seconds for each cell; None is no limit.
        allure: write Allure result files into this folder.
        home: the project's data folder; found from the working folder if left out.
        progress: told what happens, from several threads.
        interruption: asks the run to end; Ctrl-C does, in the main thread, if left out.
        environ, clock: stand in for the environment kernels inherit, and for the time.
        warm_starts: fork kernels from a warm process and lend them warm browsers, where that can be done; if left
            out, unless ``JBTS_WARM=0``.
        dask: the address of a Dask scheduler whose workers run the notebooks, as many at a time as they have threads,
            and warm up as this machine would.

    Raises:
        UsageProblem: the arguments make no sense, a parameter is one no notebook uses, or there is nothing to run.
        BrowserUnavailable: this machine cannot have a browser of ``browsers``.
        OSError: a file that was asked for cannot be written.
    """
    if retries and until_fail:
        raise UsageProblem("--retries and --until-fail exclude each other: one wants a pass, the other a failure")
    environ = os.environ if environ is None else environ
    folder = Path.cwd()
    home = home.absolute() if home is not None else find_home(environ=environ)
    browsers = tuple(dict.fromkeys(_browser(name, environ) for name in browsers))
    parameters = dict(parameters or {})
    cases = collect(paths, folder=folder, home=home, browsers=browsers, tags=tags, shard=shard, given=parameters)
    if not cases:
        raise UsageProblem(_nothing(paths, tags, shard))
    check_parameters(cases, parameters)
    progress = progress or Silent()
    run_id = new_id()
    Records(home).reap()  # what a suite or notebook that was killed left behind
    log = Log(home)
    asked = interruption or Interruption()
    attempts = Attempts(
        home, run_id, folder, parameters, log, progress, asked, retries, until_fail, timeout, cell_timeout
    )
    attempts.environ, attempts.clock = environ, clock
    started_at, began = clock(), time.perf_counter()
    account = Account(home, run_id, folder, parameters, log, environ, clock)
    warms = environ.get("JBTS_WARM") != "0" if warm_starts is None else warm_starts
    if dask is not None:
        from .cluster import Cluster

        attempts.cluster = Cluster(dask, home, run_id, environ, warm=warms)
    account.begin(report)
    with contextlib.ExitStack() as warmed, ThreadPoolExecutor(1, thread_name_prefix="jbts-ending") as beside:
        try:
            with contextlib.ExitStack() as stack:
                if attempts.cluster is not None:
                    stack.enter_context(attempts.cluster)
                    workers = attempts.cluster.size
                elif warms:
                    said = attempts.folder_of_run / "forkserver.log"
                    attempts.warmth = warmed.enter_context(warm(home, environ, cases, workers, said))
                stack.enter_context(asked.on_signals())
                stack.enter_context(attempts.watch)
                stack.enter_context(attempts.pictures)
                progress.begin(run_id, cases, workers)
                results = attempts.work(cases, workers)
                if attempts.cluster is not None:
                    account.notes += attempts.cluster.moved()
            result = SuiteResult(
                run_id=run_id,
                home=home,
                results=results,
                started_at=started_at,
                duration_ms=(time.perf_counter() - began) * 1000,
                interrupted=asked.level > 0,
                parameters=parameters,
            )
            account.end(result)
        finally:
            log.close()
        ended = beside.submit(warmed.close)  # browsers take a moment to end, in which the results are published
        result = account.kept(result, junit=junit, report=report, allure=allure)
        ended.result()
    progress.finish(result)
    return result


@contextmanager
def one_by_one(
    home: Path,
    run_id: str,
    *,
    folder: Path,
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = CELL_TIMEOUT,
    environ: Mapping[str, str] | None = None,
    interruption: Interruption | None = None,
    warmth: Warmth | None = None,
) -> Iterator[Callable[..., Attempt]]:
    """For whoever decides elsewhere which notebook comes next and whether it is tried again, as pytest and the
    workers of a cluster do: a function that runs one attempt at a case, exactly as :func:`run` does. It is given the
    case, the attempt's number and, where they are others than the run's, the limits for notebook and cell.

    The run itself is the caller's: :class:`.account.Account`. Without ``interruption`` Ctrl-C winds the notebook up,
    teardown cells included, and raises KeyboardInterrupt then. What is warm is the caller's, too, if given.
    """
    prepare_papermill()
    environ = os.environ if environ is None else environ
    log = Log(home)
    asked = interruption or Interruption()
    attempts = Attempts(
        home, run_id, folder, dict(parameters or {}), log, Silent(), asked, 0, 0, timeout or None, cell_timeout or None
    )
    attempts.environ = environ
    attempts.folder_of_run.mkdir(parents=True, exist_ok=True)

    def attempt(case: Case, number: int, limits: tuple[float | None, float | None] | None = None) -> Attempt:
        if limits is not None:
            attempts.timeout, attempts.cell_timeout = limits
        if interruption is not None:
            return attempts.attempt(case, number)
        with asked.on_signals():
            made = attempts.attempt(case, number)
        if asked.level:
            raise KeyboardInterrupt
        return made

    try:
        with contextlib.ExitStack() as stack:
            if warmth is not None:
                attempts.warmth = warmth
            elif environ.get("JBTS_WARM") != "0":
                said = attempts.folder_of_run / f"forkserver.{os.getpid()}.log"
                attempts.warmth = stack.enter_context(warm(home, environ, (), 1, said))
            stack.enter_context(attempts.watch)
            stack.enter_context(attempts.pictures)
            yield attempt
    finally:
        log.close()


def _browser(name: str, environ: Mapping[str, str]) -> str:
    """A browser by a name there is; one that this machine cannot have may be had from a grid."""
    from ..browser.launch import BROWSERS, check_browser
    from ..config import JBTS

    try:
        return check_browser(name, JBTS(environ=environ).grid)
    except BrowserUnavailable as problem:
        if name.lower() in BROWSERS:
            raise
        raise UsageProblem(str(problem), word=name) from None


def _nothing(paths: Sequence[str | Path], tags: str | None, shard: str | None) -> str:
    where = ", ".join(map(str, paths)) or "no path"
    limits = [f"tags {tags!r}"] * bool(tags) + [f"shard {shard}"] * bool(shard)
    return f"nothing to run in {where}" + (
        f" with {' and '.join(limits)}" if limits else ": there is no notebook in it"
    )
