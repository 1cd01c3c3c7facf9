"""Notebooks on a Dask cluster: a real scheduler, two real workers, browsers from a real Selenium Grid."""

from __future__ import annotations

import importlib.util
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
from jbts_kernel.errors import UsageProblem
from jbts_kernel.store.queries import Results
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
        import json

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


def test_a_cluster_runs_a_suite_though_a_worker_dies(tmp_path: Path, shop: Shop) -> None:
    """Two workers, browsers from a grid. One is killed in the middle of a notebook: it runs again on the other, and
    the run says so. What was recorded comes home once, with pictures and the executed notebooks."""
    from distributed import Client

    pids, go = tmp_path / "pids", tmp_path / "go"
    pids.mkdir()
    wait = f"""
import os, time
from pathlib import Path
(Path({str(pids)!r}) / str(os.getppid())).touch()
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
        with dask(tmp_path, 2) as (address, workers):
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(2, 60)
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


def test_a_scheduler_that_is_not_there_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says how to start one; nothing is recorded."""
    monkeypatch.setattr("jbts_kernel.suite.cluster.CONNECT_SECONDS", 1.0)
    path = notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(UsageProblem, match="no scheduler answers there"):
        run([path], dask="tcp://127.0.0.1:1", home=tmp_path / "home")
    assert not (tmp_path / "home" / "runs").exists()
