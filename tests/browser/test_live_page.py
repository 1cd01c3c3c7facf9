"""The live page in a real browser: what happens is on it, in the right order, and nothing on it runs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from jbts_kernel.broadcast import discovery
from jbts_kernel.broadcast.server import Options
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.log import Log
from jbts_kernel.models import Event

from .conftest import Trial

HOSTILE = '<script>document.title = "gone"</script><img src=x onerror="document.title = 1">'
NAMES = "[...document.querySelectorAll('.test b')].map((b) => b.textContent)"
PATIENCE = 30


class Project:
    """A project of its own with a hub that can be taken away and brought back."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = Log(home)
        self.hub = HubThread.start(home, Options(heartbeat_s=0.2))

    @property
    def page(self) -> str:
        info = discovery.find(self.home)
        assert info is not None
        return info.page

    def stop(self) -> None:
        assert self.hub is not None
        self.hub.stop()

    def start(self) -> None:
        self.hub = HubThread.start(self.home, Options(heartbeat_s=0.2))

    def begin(self, ident: str, name: str) -> None:
        self.log.emit(Event("execution.started", {"test_name": name, "attempt": 1}, "r1", ident))

    def step(self, ident: str, number: int, status: str, **data: object) -> None:
        kind = "step.started" if status == "running" else "step.finished"
        about = {"name": f"click #b{number}", "ordinal": number, "status": status, **data}
        self.log.emit(Event(kind, about, "r1", ident, f"{ident}-{number}"))

    def end(self, ident: str, name: str, status: str, **data: object) -> None:
        about = {"test_name": name, "attempt": 1, "status": status, "duration_ms": 1200.0, **data}
        self.log.emit(Event("execution.finished", about, "r1", ident))

    def picture(self) -> str:
        made = io.BytesIO()
        Image.new("RGB", (64, 40), "teal").save(made, "PNG")
        digest = hashlib.sha256(made.getvalue()).hexdigest()
        folder = self.home / "artifacts" / digest[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{digest}.png").write_bytes(made.getvalue())
        return digest


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "shop & <b>more" / ".jbts")
    yield made
    made.log.close()
    made.stop()


@pytest.fixture
def until(trial: Trial) -> Callable[[str], object]:
    """Look at the page until it is so."""
    return lambda expression: trial.until(expression, PATIENCE)


def test_tests_are_seen_as_they_happen(trial: Trial, project: Project, until: Callable[[str], object]) -> None:
    """An empty page says what to do; then tests, steps and pictures come by themselves, failures first."""
    trial(f'navigate "{project.page}"')
    until("document.getElementById('link').textContent === 'live'")
    assert trial.js("document.getElementById('empty').checkVisibility()")
    assert trial.js("document.title") == "shop & <b>more · live tests"
    project.begin("x1", "First")
    project.step("x1", 1, "running")
    until("document.querySelector('.test.running .now')?.textContent === 'click #b1'")
    assert not trial.js("document.getElementById('empty').checkVisibility()")
    project.step("x1", 1, "passed", screenshot=project.picture(), duration_ms=12.0)
    until("document.querySelector('.strip .passed img')?.naturalWidth === 64")
    project.end("x1", "First", "passed")
    project.begin("x2", "Second")
    project.begin("x3", "Third")
    project.step("x3", 1, "error", error_type="ElementNotFound", error_message="nothing matches #b1")
    project.end("x3", "Third", "error")
    until(f"{NAMES}.join() === 'Third,Second,First'")
    assert (
        trial.js("document.querySelector('.test.error .reason').textContent") == "ElementNotFound: nothing matches #b1"
    )
    assert trial.js("[...document.querySelectorAll('.test')].map((one) => one.open)") == [True, True, False]
    assert trial.js("document.getElementById('legend').innerText.replace(/\\s+/g, ' ')").split() == [
        "✗", "1", "failed", "●", "1", "running", "✓", "1", "passed",
    ]  # fmt: skip


def test_the_page_outlives_its_hub(trial: Trial, project: Project, until: Callable[[str], object]) -> None:
    """When the hub is gone the page says so; when it is back, what was missed is there, each test once."""
    project.begin("x1", "Before")
    trial(f'navigate "{project.page}"')
    until(f"{NAMES}.join() === 'Before'")
    project.stop()
    until("document.getElementById('link').textContent.startsWith('reconnecting')")
    project.end("x1", "Before", "passed")
    project.begin("x2", "Meanwhile")
    project.start()
    until(f"{NAMES}.join() === 'Meanwhile,Before' && !!document.querySelector('.test.passed')")
    project.end("x2", "Meanwhile", "passed")
    until("document.querySelectorAll('.test.passed').length === 2")


def test_nothing_that_a_page_said_runs(trial: Trial, project: Project, until: Callable[[str], object]) -> None:
    """Names, steps and errors full of markup are text; even a script that got in could not run."""
    project.begin("x1", HOSTILE)
    project.step("x1", 1, "error", name=HOSTILE, error_type="E", error_message=HOSTILE, screenshot='x" onerror="1')
    project.step("x1", 2, "passed", name="w" * 5_000, screenshot="0" * 64)
    project.end("x1", HOSTILE, "error", error_message=HOSTILE)
    trial(f'navigate "{project.page}"')
    until("document.querySelectorAll('.strip li').length === 2 && document.querySelector('.reason').textContent")
    until("[...document.querySelectorAll('.blank')].some((one) => one.textContent === 'picture is gone')")
    assert trial.js(NAMES) == [HOSTILE]
    assert trial.js("document.querySelectorAll('main script, main img').length") == 0
    assert "live tests" in trial.js("document.title")
    ran = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
    assert trial.js(f"(() => {{ {ran} return window.ran ?? null }})()") is None
    assert not trial.js("document.documentElement.scrollWidth > innerWidth")


def test_the_page_needs_no_network_and_no_other_host(trial: Trial, project: Project) -> None:
    """Everything it loads comes from the hub itself, by a relative address."""
    project.begin("x1", "One")
    trial(f'navigate "{project.page}"')
    trial.until(f"{NAMES}.length === 1", PATIENCE)
    loaded = trial.js("performance.getEntriesByType('resource').map((one) => one.name)")
    origin = trial.js("location.origin")
    assert len(loaded) >= 4 and all(name.startswith(origin) for name in loaded)
    written = trial.js(
        "[...document.querySelectorAll('[src],[href]')].map((e) => e.getAttribute('src') || e.getAttribute('href'))"
    )
    assert not [name for name in written if name.startswith(("/", "http", "//"))]
