"""Selenium Grid: a standalone one and a hub with two nodes, really running; and their errors by name."""

from __future__ import annotations

import base64
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import pytest

from jbts_kernel.browser.grid import count_slots, end_session
from jbts_kernel.errors import Interrupted, StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

pytestmark = pytest.mark.xdist_group("grid")
ROOT = Path(__file__).resolve().parents[2]


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


def test_a_script_that_nobody_waits_for(standalone_grid: Any, own_browser: Any) -> None:
    """One that blocks its tab is stopped and the page stays; for one that waits for ever the page is loaded again. The
    browser stays either way, and its other users; no slot is lost."""
    trial: Trial = own_browser(grid=standalone_grid.url)
    trial("navigate /labels.html")
    before = standalone_grid.sessions()
    trial("cookie set who buyer")
    trial("browser --as other")
    trial("navigate /texts.html")
    trial("evaluate window.kept = 7")
    trial("use main")
    for script, kept, said in (
        ("while (true) {}", 7, "was stopped"),
        ("return await new Promise(() => {})", None, "was loaded again"),
    ):
        trial("evaluate window.kept = 7")
        interrupted = threading.Timer(1.0, trial.bench.interrupt)
        interrupted.start()
        with pytest.raises(Interrupted):
            trial(f"evaluate {script} --timeout 60")
        interrupted.join()
        assert trial.row()["status"] == "aborted"
        assert trial("evaluate window.kept") == kept
        assert said in trial.last.note
        assert (trial("cookie get who"), trial.js("location.pathname")) == ("buyer", "/labels.html")
    trial("use other")
    assert trial("evaluate window.kept") == 7
    assert standalone_grid.sessions() == before


def test_a_killed_kernel_frees_its_slot(standalone_grid: Any, tmp_path: Path) -> None:
    """Nobody takes a session on a grid over, so it ends with its process, which was killed with -9."""
    before = standalone_grid.sessions()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / ".jbts"), standalone_grid.url], cwd=ROOT, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert b"begun" in killed.stdout
    standalone_grid.wait(lambda status: standalone_grid.sessions() == before)
    standalone_grid.wait(lambda status: not list((tmp_path / ".jbts" / "run").glob("*-*.json")))


KILLED = """
import os, pathlib, signal, sys
from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.pool import BrowserPool
BrowserPool(home=pathlib.Path(sys.argv[1]), grace=600).acquire(LaunchSpec(grid=sys.argv[2]))
print("begun", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class _Guarded(http.server.BaseHTTPRequestHandler):
    """A grid that asks who is there."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        known = self.headers.get("Authorization", "")
        self.asked.append((f"{self.command} {self.path}", known))
        body = b'{"value": {"ready": true, "nodes": []}}'
        self.send_response(200 if known == f"Basic {KNOWN}" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """The test says what it needs to know."""


KNOWN = base64.b64encode(b"ada:p@ss w:rd").decode()


@pytest.fixture
def guarded() -> Iterator[str]:
    """Where a grid with a password answers, as host:port."""
    _Guarded.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_password_of_a_grid_lets_in_and_is_not_shown(guarded: str, own_browser: Any) -> None:
    """It is sent and not repeated: not in the error, the row, the figures of health or any file."""
    for user, words in (("", "does not let us in (401)"), ("ada:p%40ss%20w%3Ard@", "had no node that is ready")):
        trial: Trial = own_browser(grid=f"http://{user}{guarded}/wd/hub", grid_timeout=0.1)
        with pytest.raises(StepFailed, match=re.escape(f"the grid at http://{guarded}/wd/hub {words}")):
            trial("navigate /labels.html")
        assert trial.bench.pool.health(trial.bench.spec)["grid_url"] == f"http://{guarded}/wd/hub"
        said = str(trial.bench.health()) + "".join(p.read_text() for p in trial.bench.home.rglob("*") if p.is_file())
        assert guarded in said and "p%40ss" not in said and "p@ss" not in said
    assert _Guarded.asked[0] == ("GET /status", "")
    assert _Guarded.asked[-1] == ("GET /status", f"Basic {KNOWN}")
    end_session(f"http://ada:p%40ss%20w%3Ard@{guarded}", "../a")
    assert _Guarded.asked[-1] == ("DELETE /session/..%2Fa", f"Basic {KNOWN}")


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
