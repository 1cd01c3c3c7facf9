"""Notebooks on a Dask cluster: a real scheduler, two real workers, browsers from a real Selenium Grid."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from jbts_kernel.demo import Shop
from jbts_kernel.errors import ClusterUnavailable, JBTSError, UsageProblem
from jbts_kernel.store.queries import Results
from jbts_kernel.suite.interruption import Interruption
from jbts_kernel.suite.runner import run

from .written import notebook

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("grid")]
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    ends, tick = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        tick.wait(0.05)


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers with one thread each; its address, and the workers' processes."""
    place = folder / "scheduler.json"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def start(*words: str) -> subprocess.Popen[bytes]:
        log = (folder / "dask.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", *words], cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )

    local = ("--host", "127.0.0.1", "--no-dashboard")
    started = [start("distributed.cli.dask_scheduler", *local, "--port", "0", "--scheduler-file", str(place))]
    try:
        until(lambda: place.exists() and place.stat().st_size)
        address = str(json.loads(place.read_text())["address"])
        one = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        for _ in range(workers):
            started.append(start("distributed.cli.dask_worker", address, *local, *one))
        yield address, started[1:]
    finally:
        below = [child for one in started if one.poll() is None for child in psutil.Process(one.pid).children(True)]
        for process in reversed(started):
            process.kill()
            process.wait()
        _, alive = psutil.wait_procs(below, 30)  # a kernel notices within a second that its parent is gone
        assert not alive, [process.cmdline()[:4] for process in alive]


def grids() -> Any:
    """The module of the browser tests that starts grids."""
    spec = importlib.util.spec_from_file_location("grids", ROOT / "tests" / "browser" / "grids.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Cluster = tuple[str, list[subprocess.Popen[bytes]]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, of which a test may kill one."""
    from distributed import Client

    with dask(tmp_path_factory.mktemp("dask"), 2) as (address, workers):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, 60)
        yield address, workers


def test_ctrl_c_reaches_notebooks_on_workers(cluster: Cluster, tmp_path: Path) -> None:
    """Their cells are interrupted, teardown cells run, what was recorded comes home, and nothing of the run stays on
    the workers, whose kernels were forked from a warm process as they are here."""
    address, workers = cluster
    begun, torn = tmp_path / "begun", tmp_path / "torn"
    begun.mkdir()
    torn.mkdir()
    work = f"""
import os, psutil, time
from pathlib import Path
from jbts_kernel import jbts
with jbts.group("look"):
    forked = "jbts_kernel.suite.forkserver" in psutil.Process().parent().cmdline()
(Path({str(begun)!r}) / f"{{os.environ['JBTS_NOTEBOOK'].replace('/', '-')}} {{forked}}").touch()
time.sleep(300)
"""
    tidy = f"(Path({str(torn)!r}) / os.environ['JBTS_NOTEBOOK'].replace('/', '-')).touch()"
    for name in "abc":
        notebook(tmp_path / "suite" / f"{name}.ipynb", work, "print('never')", (tidy, "teardown"))
    home, asked, found = tmp_path / "home", Interruption(), list[Any]()
    running = threading.Thread(
        target=lambda: found.append(run([tmp_path / "suite"], dask=address, home=home, interruption=asked))
    )
    running.start()
    until(lambda: list(begun.iterdir()))
    asked.ask()
    running.join(120)
    [result] = found
    assert (result.exit_code, result.status) == (130, "aborted")
    assert {case.status for case in result.results} == {"aborted", "not_run"}
    ran = [case for case in result.results if case.attempts]
    assert all(case.attempts[0].steps == ("passed look",) for case in ran if case.verdict.message.endswith("cell 1"))
    assert {path.name.split()[1] for path in begun.iterdir()} == {"True"}
    assert {path.name for path in torn.iterdir()} == {path.name.split()[0] for path in begun.iterdir()}
    asked_for = "select distinct e.status, r.status from latest_executions e join runs r using (run_id)"
    rows = Results(home).rows(asked_for).rows
    assert rows == (("aborted", "aborted"),)
    alive = [psutil.Process(worker.pid) for worker in workers if worker.poll() is None]
    until(lambda: not [child for worker in alive for child in worker.children(recursive=True)])


def test_a_cluster_runs_a_suite_though_a_worker_dies(cluster: Cluster, tmp_path: Path, shop: Shop) -> None:
    """Two workers, browsers from a grid. One is killed in the middle of a notebook: it runs again on the other, and
    the run says so. What was recorded comes home once, with pictures and the executed notebooks."""
    address, workers = cluster
    pids, go = tmp_path / "pids", tmp_path / "go"
    pids.mkdir()
    wait = f"""
import os, time
from pathlib import Path
import psutil
(Path({str(pids)!r}) / str(psutil.Process().parent().ppid())).touch()
deadline = time.monotonic() + 60
while not Path({str(go)!r}).exists() and time.monotonic() < deadline:
    time.sleep(0.05)
"""
    use = f"from jbts_kernel import page\npage.navigate('{shop.url}/')\npage.expect('h1', 'visible')"
    suite = tmp_path / "suite"
    notebook(suite / "a_waits.ipynb", wait, use)
    notebook(suite / "b_fails.ipynb", use, "page.expect('h1', 'text', 'nothing like it', timeout=0.3)")
    home, starts = tmp_path / "home", grids()
    if starts.missing():
        pytest.skip(starts.missing())
    (tmp_path / "grid").mkdir()
    grid = starts.standalone(tmp_path / "grid")
    try:
        found: list[Any] = []
        environ = {**os.environ, "JBTS_GRID_URL": grid.url}
        work = threading.Thread(target=lambda: found.append(run([suite], dask=address, home=home, environ=environ)))
        work.start()
        until(lambda: list(pids.iterdir()))
        victim = next(w for w in workers if str(w.pid) in {p.name for p in pids.iterdir()})
        victim.kill()
        go.touch()
        work.join(180)
        [result] = found
    finally:
        grid.close()
    assert [(case.case.test_name, case.status) for case in result.results] == [
        ("a_waits", "passed"), ("b_fails", "failed"),
    ]  # fmt: skip
    assert any("a_waits.ipynb, attempt 1: its worker" in note and "run again" in note for note in result.notes)
    assert all(case.attempts[0].executed.is_file() for case in result.results)
    rows = Results(home).rows("select test_name, status, run_id from executions order by 1").dicts()
    assert [(r["test_name"], r["status"]) for r in rows] == [("a_waits", "passed"), ("b_fails", "failed")]
    assert {r["run_id"] for r in rows} == {result.run_id}
    asked = (
        "select count(*) as n, count(distinct step_id) as d, count(screenshot) as p from steps where verb <> 'group'"
    )
    assert Results(home).rows(asked).dicts() == [{"n": 5, "d": 5, "p": 5}]
    kept = Results(home).rows("select distinct path from artifacts").dicts()
    assert kept
    assert [r["path"] for r in kept if not (home / r["path"]).is_file()] == []
    assert list((home / "run").glob("incoming-*")) == []


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("tcp://127.0.0.1:1", ClusterUnavailable, "no scheduler answers there"),
        ("tcp://nowhere.invalid:8786", ClusterUnavailable, "no scheduler answers there"),
        ("nonsense", UsageProblem, "is no address"),
    ],
)
def test_a_scheduler_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, error: type[JBTSError], said: str
) -> None:
    """One line that says how to start one; nothing is recorded."""
    monkeypatch.setattr("jbts_kernel.suite.cluster.CONNECT_SECONDS", 1.0)
    path = notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(error, match=said):
        run([path], dask=address, home=tmp_path / "home")
    assert not (tmp_path / "home" / "runs").exists()
