"""Selenium Grid: a standalone one and a hub with two nodes, really running; and their errors by name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from jbts_kernel.browser.grid import count_slots
from jbts_kernel.errors import StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

pytestmark = pytest.mark.xdist_group("grid")


def error_of(caught: pytest.ExceptionInfo[StepFailed]) -> tuple[str | None, str]:
    return caught.value.result.error_type, caught.value.message


def test_hub_down(own_browser: Any) -> None:
    """A grid that does not answer is GridUnavailable, in a row of its own, and says what to do."""
    trial: Trial = own_browser(grid="http://127.0.0.1:9")
    with pytest.raises(StepFailed) as caught:
        trial("navigate /labels.html")
    kind, message = error_of(caught)
    assert kind == trial.row()["error_type"] == "GridUnavailable"
    assert "the grid at http://127.0.0.1:9 does not answer" in message
    assert "start it, or unset JBTS_GRID_URL" in message


def test_no_free_slot(hub_grid: Any, make_trial: Any, tmp_path: Path) -> None:
    """With both nodes busy a third browser waits its time, then says that slots are busy; when one is free it comes."""
    holders = [make_trial(tmp_path / f"holder{n}", grid=hub_grid.url) for n in range(2)]
    late = make_trial(tmp_path / "late", grid=hub_grid.url, grid_timeout=0.5)
    try:
        for holder in holders:
            holder("navigate /labels.html")
        assert hub_grid.sessions() == 2
        with pytest.raises(StepFailed) as caught:
            late("navigate /labels.html")
        kind, message = error_of(caught)
        assert kind == "GridUnavailable"
        assert "no free slot for chrome (all 2 are busy) for 0.5 s" in message
        holders[0].bench.close()
        late.bench.settings.grid_timeout = 60.0
        late("navigate /labels.html")
        assert late.row()["status"] == "passed"
        assert hub_grid.sessions() == 2
    finally:
        for trial in (*holders, late):
            trial.bench.close()
    hub_grid.wait(lambda status: not any(slot.get("session") for n in status["nodes"] for slot in n["slots"]))


def test_a_browser_the_grid_does_not_have(hub_grid: Any, own_browser: Any) -> None:
    """What no node has is said at once, with what there is instead."""
    trial: Trial = own_browser(grid=hub_grid.url, browser="firefox")
    with pytest.raises(StepFailed, match="has no firefox, only chrome"):
        trial("navigate /labels.html")


def test_a_node_dies(hub_grid: Any, own_browser: Any) -> None:
    """The step that loses its node is BrowserGone and names the grid; the next one has a session on another node."""
    trial: Trial = own_browser(grid=hub_grid.url)
    trial("navigate /labels.html")
    busy = next(n for n in hub_grid.status()["nodes"] if any(s.get("session") for s in n["slots"]))
    port = busy["uri"].rpartition(":")[2]
    next(node for node in hub_grid.nodes if node.port == port).kill()
    with pytest.raises(StepFailed) as caught:
        trial("wait #never --timeout 20")
    kind, message = error_of(caught)
    assert kind == trial.row()["error_type"] == "BrowserGone"
    assert f"it ran on the grid at {hub_grid.url}" in message
    assert "\n" not in message
    trial("navigate /buttons.html")
    assert "had died" in trial.last.note
    trial("click #one")


def status(**node: Any) -> dict[str, Any]:
    slots = [
        {"stereotype": {"browserName": name}, "session": {} if busy is None else busy} for name, busy in node["slots"]
    ]
    return {"nodes": [{"availability": node.get("up", "UP"), "maxSessions": node.get("room", 9), "slots": slots}]}


@pytest.mark.parametrize(
    ("node", "free", "busy", "others"),
    [
        ({"slots": [("chrome", None), ("firefox", None)]}, 1, 0, ("firefox",)),
        ({"slots": [("chrome", {"id": 1}), ("chrome", None)]}, 1, 1, ()),
        ({"slots": [("chrome", None), ("firefox", {"id": 1})], "room": 1}, 0, 1, ("firefox",)),
        ({"slots": [("chrome", None)], "up": "DRAINING"}, 0, 0, ()),
        ({"slots": []}, 0, 0, ()),
    ],
)
def test_slots_are_counted(node: dict[str, Any], free: int, busy: int, others: tuple[str, ...]) -> None:
    """A slot is free if its node is up and has room for one session more, of whatever browser."""
    slots = count_slots(status(**node), "chromium")
    assert slots is not None
    assert (slots.free, slots.busy, slots.others) == (free, busy, others)


def test_a_service_without_slots_is_just_asked() -> None:
    """A status that tells nothing of nodes says nothing against a session."""
    assert count_slots({"ready": True}, "chrome") is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_runs_on_a_grid_as_the_guide_says(standalone_grid: Any, tmp_path: Path) -> None:
    """The line of docs/browsers.md: every example notebook passes, each in sessions of the grid."""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "browsers.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^JBTS_GRID_URL=.* jbts demo$", guide, re.M)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "JBTS_HOME": str(tmp_path / ".jbts"), "JBTS_BROADCASTER": "off"}
    line = line.replace("http://127.0.0.1:4444", standalone_grid.url)
    log = standalone_grid.parts[0].log
    before = log.read_text(errors="replace").count("Session created")
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(tmp_path / ".jbts" / "results.duckdb"), read_only=True) as store:
        found = store.execute("select distinct status from executions").fetchall()
    assert found == [("passed",)]
    assert log.read_text(errors="replace").count("Session created") - before >= 6
