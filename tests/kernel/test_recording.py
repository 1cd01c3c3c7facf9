"""What a notebook's steps leave behind: rows for another process, events for a client, an honest verdict."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.broadcast import client, discovery
from jbts_kernel.demo import Shop

from .conftest import Kernel

pytestmark = pytest.mark.kernel

READER = """
import duckdb, json, sys
c = duckdb.connect(sys.argv[1], read_only=True)
print(json.dumps(c.execute(sys.argv[2]).fetchall()))
"""


def ask(home: Path, sql: str) -> Any:
    """What a process of its own reads with nothing but duckdb."""
    command = [sys.executable, "-c", READER, str(home / "results.duckdb"), sql]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def test_another_process_reads_the_step_while_the_kernel_runs(kernel: Kernel, shop: Shop, tmp_path: Path) -> None:
    """A plain read-only connection sees each step as soon as its cell has returned."""
    home = tmp_path / ".jbts"
    kernel.run(f"base_url = {shop.url!r}")
    kernel.run("%test Reading --tags a,b --priority low")
    for number, line in enumerate(("%navigate /", "%expect h1 visible", "%text h1"), 1):
        kernel.run(line)
        assert ask(home, "select count(*) from steps where status = 'passed'") == [[number]]
    assert ask(home, "select test_name, status, tags, priority, browser from executions") == [
        ["Reading", "running", ["a", "b"], "low", None]
    ]
    kernel.run("%endtest")
    assert ask(home, "select status, browser, attempt from executions") == [["passed", "chrome", 1]]


def test_a_client_hears_every_step(start_kernel: Callable[..., Kernel], shop: Shop, tmp_path: Path) -> None:
    """A WebSocket client in test_events gets started, progress and the end, with the step's data."""
    home = tmp_path / ".jbts"
    kernel = start_kernel("--ext=jbts_kernel", JBTS_BROADCASTER="process")
    try:
        kernel.run(f"base_url = {shop.url!r}")
        kernel.run("%test Good")
        kernel.run("%navigate /")
        kernel.run("%test Bad")
        kernel.run("%expect h1 count 9 --timeout 0.1")
        kernel.run("%endtest")

        async def listen() -> list[dict[str, Any]]:
            heard = []
            async for event in client.subscribe(home, "test_events", history=True):
                heard.append(event)
                if event["event_type"] == "failed":
                    return heard
            return heard

        heard = asyncio.run(asyncio.wait_for(listen(), 60))
    finally:
        discovery.stop(home)
    kinds = [
        (e["event_type"], e["data"].get("verb") or e["data"].get("test_name"), e["data"].get("status")) for e in heard
    ]
    assert kinds == [
        ("started", "Good", None),
        ("progress", "navigate", "running"),
        ("progress", "navigate", "passed"),
        ("completed", "Good", "passed"),
        ("started", "Bad", None),
        ("progress", "expect", "running"),
        ("progress", "expect", "failed"),
        ("failed", "Bad", "failed"),
    ]
    assert [e["offset"] for e in heard] == list(range(1, 9))
    assert heard[2]["data"]["url"] == f"{shop.url}/"


def test_an_expected_error_does_not_fail_the_execution(kernel: Kernel, shop: Shop, tmp_path: Path) -> None:
    """What fails in a cell that may fail is a failed step of a passed test; elsewhere it fails the test."""
    home = tmp_path / ".jbts"
    kernel.run(f"base_url = {shop.url!r}")
    kernel.run("%test Expected")
    kernel.run("%navigate /")
    kernel.run("%expect h1 count 9 --timeout 0.1", stop_on_error=False)
    kernel.run("%test Unexpected")
    kernel.run("1 / 0")
    kernel.run("%endtest")
    rows = ask(home, "select test_name, status, error_type from executions order by started_at")
    assert rows == [["Expected", "passed", None], ["Unexpected", "error", "ZeroDivisionError"]]


INTERRUPT = """
import os, signal, threading, time
def interrupt():
    while jbts.recorder.ordinal < 2:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
%wait #never
"""


AT_ONCE = """
emit = jbts.recorder.emit
def interrupted(*about):
    del jbts.recorder.emit
    emit(*about)
    raise KeyboardInterrupt
jbts.recorder.emit = interrupted
%wait #never
"""


@pytest.mark.parametrize("interrupt", [INTERRUPT, AT_ONCE], ids=["waiting", "beginning"])
def test_an_interrupt_is_recorded_as_aborted(kernel: Kernel, shop: Shop, tmp_path: Path, interrupt: str) -> None:
    """Ctrl-C in a step ends the step, in its place, and leaves the browser to the next one; also while it begins."""
    home = tmp_path / ".jbts"
    kernel.run(f"base_url = {shop.url!r}")
    kernel.run("%navigate /")
    kernel.run(interrupt)
    assert kernel.run("%text h1").status == "ok"
    rows = ask(home, "select verb, status, error_type from steps order by ordinal")
    assert rows == [["navigate", "passed", None], ["wait", "aborted", "KeyboardInterrupt"], ["text", "passed", None]]
