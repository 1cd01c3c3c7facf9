"""Browsers, drivers and tabs that die: the step says so, the next one has another browser."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from traitlets import TraitError

from jbts_kernel.errors import StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

Make = Callable[..., "Trial"]


def processes(trial: Trial) -> tuple[psutil.Process, psutil.Process]:
    """The driver and the browser of a trial."""
    driver = psutil.Process(trial.bench.session.driver.service.process.pid)
    (browser,) = driver.children()
    return driver, browser


def kill(process: psutil.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)


def assert_ended(*expected: psutil.Process) -> None:
    """These processes end by themselves; the ones that do not are ended, and named."""
    _, alive = psutil.wait_procs(expected, timeout=30)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    assert not left


def kill_during(trial: Trial, process: psutil.Process) -> threading.Thread:
    """Kill a process a moment after the next step has begun, however long that takes to begin."""
    begun = len(trial.rows("step.started"))

    def run() -> None:
        moment = threading.Event()
        while len(trial.rows("step.started")) == begun:
            moment.wait(0.02)
        moment.wait(0.4)
        kill(process)

    killer = threading.Thread(target=run, daemon=True)
    killer.start()
    return killer


def take_time(trial: Trial, line: str, error: str, *words: str) -> None:
    """The line fails with this error, within its 2 seconds and what a loaded machine adds to them."""
    with pytest.raises(StepFailed) as caught:
        trial(f"{line} --timeout 2")
    row = trial.row()
    assert (row["status"], row["error_type"]) == ("error", error), str(caught.value)
    for word in words:
        assert word in caught.value.message
    assert row["duration_ms"] < 20_000


def test_a_driver_that_dies_between_steps(own_browser: Make) -> None:
    """Only the driver is replaced: the page is as it was, and the step that found out says so."""
    trial = own_browser()
    trial.open("labels.html")
    trial("evaluate window.kept = 7")
    driver, browser = processes(trial)
    child = trial.bench.session.driver.service.process
    kill(driver)
    child.wait(20)
    assert trial("evaluate window.kept") == 7
    assert "the driver had died and was replaced" in trial.last.note
    trial("navigate /buttons.html")
    trial("click #one")
    assert trial.last.note == ""
    trial.bench.close()
    assert_ended(driver, browser)


def test_a_browser_that_dies_between_steps(own_browser: Make) -> None:
    """The browser is replaced, and the step that found out says so and works."""
    trial = own_browser()
    trial.open("labels.html")
    driver, browser = processes(trial)
    channel = trial.bench.session.browser.channel
    kill(browser)
    channel._thread.join(10)
    assert not channel.open
    trial("navigate /buttons.html")
    assert (trial.row()["status"], trial.row()["title"]) == ("passed", "Buttons")
    assert "the browser had died and was replaced" in trial.last.note
    trial("click #one")
    assert trial.last.note == ""
    assert_ended(driver, browser)


NEEDS = {"driver": "evaluate new Promise(() => {})", "browser": "wait #never"}
"""A step that needs it and takes all its time. Waiting for an element asks the browser, past the driver."""


@pytest.mark.parametrize(("victim", "line"), [*NEEDS.items(), ("driver", "wait #never")])
def test_death_during_a_step(own_browser: Make, victim: str, line: str) -> None:
    """A step that loses its browser or its driver, even one that only waits, fails as BrowserGone within its time;
    the next one works."""
    trial = own_browser()
    trial.open("labels.html")
    process = processes(trial)[0 if victim == "driver" else 1]
    killer = kill_during(trial, process)
    with pytest.raises(StepFailed) as caught:
        trial(f"{line} --timeout 60")
    killer.join()
    row = trial.row()
    assert (row["status"], row["error_type"]) == ("error", "BrowserGone"), str(caught.value)
    assert "the next step replaces it" in caught.value.message
    assert row["duration_ms"] < 50_000
    trial("navigate /labels.html")
    assert "had died and was replaced" in trial.last.note
    assert trial.row()["status"] == "passed"


def test_a_driver_that_is_seen_to_be_dead_a_moment_late(own_browser: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of a killed driver breaks before its process has ended: the page stays all the same."""
    trial = own_browser()
    trial.open("labels.html")
    trial("evaluate window.kept = 7")
    child = trial.bench.session.driver.service.process
    with monkeypatch.context() as patch:
        patch.setattr(child, "poll", lambda: None)
        killer = kill_during(trial, processes(trial)[0])
        with pytest.raises(StepFailed, match="the next step replaces it"):
            trial("evaluate new Promise(() => {}) --timeout 60")
        killer.join()
    assert trial("evaluate window.kept") == 7
    assert "the driver had died and was replaced" in trial.last.note


def test_a_page_that_crashes(own_browser: Make) -> None:
    """A crashed page is told as such; the browser and its other users go on, and so does the test."""
    trial = own_browser()
    trial.open("labels.html")
    trial.bench.line("browser --as other")
    trial("navigate /buttons.html")
    trial("evaluate window.kept = 7")
    trial.bench.line("use main")
    browser = trial.bench.session.browser
    take_time(trial, "navigate chrome://crash", "BrowserGone", "the page crashed")
    trial("navigate /buttons.html")
    assert "the page had crashed" in trial.last.note
    trial("click #one")
    trial.bench.line("use other")
    assert trial("evaluate window.kept") == 7
    assert trial.bench.session.browser is browser


def test_a_frame_that_blocks_its_process(own_browser: Make) -> None:
    """A frame of another site that runs in circles ends its step in time; the next one has that script stopped."""
    trial = own_browser()
    trial.open(f"<h1>main</h1><iframe id=f src='{trial.site.other_url}/frame-inner.html'></iframe>")
    trial("frame #f")
    trial("text #where")
    take_time(trial, "evaluate while (true) {}", "StepTimeout")
    assert trial("text #where") == "inner"
    assert "a script of the page that blocked its tab was stopped" in trial.last.note


@pytest.mark.parametrize("how", ["while acting", "by itself"])
def test_a_page_that_blocks_its_tab(own_browser: Make, how: str) -> None:
    """A step on a page whose script never ends fails in time; the next one has that script stopped, and works."""
    trial = own_browser()
    trial.open("<p>text</p><button onclick='while (true) {}'>go</button>")
    if how == "while acting":
        take_time(trial, "click button", "StepTimeout")
    else:
        trial("evaluate setTimeout(() => { while (true) {} }, 300)")
        take_time(trial, "wait #never", "StepTimeout")
    assert trial("text p") == "text"
    assert "a script of the page that blocked its tab was stopped" in trial.last.note


def test_a_page_that_keeps_asking(own_browser: Make) -> None:
    """An endless row of alerts stops every step by name; another tab, and the next test, are free of it."""
    trial = own_browser()
    trial.open("<p>text</p><button onclick='while (true) alert(1)'>go</button>")
    trial("click button")
    for _ in range(2):
        take_time(trial, "text p", "UnexpectedDialog", "%dialog accept")
        trial("dialog accept")
    trial("tab new")
    trial("navigate /buttons.html")
    trial("click #one")
    trial.bench.test("the next one")
    trial("navigate /labels.html")


@pytest.mark.parametrize("victim", NEEDS)
def test_one_that_stops_answering(own_browser: Make, victim: str) -> None:
    """A step ends in time although nobody answers; the next one replaces whoever it was."""
    trial = own_browser()
    trial.open("labels.html")
    trial("evaluate window.kept = 7")
    driver, browser = processes(trial)
    (driver if victim == "driver" else browser).suspend()
    take_time(trial, NEEDS[victim], "StepTimeout")
    kept = trial("evaluate window.kept")
    assert kept == (7 if victim == "driver" else None)
    assert "did not answer" in trial.last.note
    assert_ended(driver)
    if victim == "browser":
        assert_ended(browser)


def test_closing_never_stalls(own_browser: Make) -> None:
    """A workbench ends driver and browser although neither answers, and takes their files away."""
    trial = own_browser()
    trial.open("labels.html")
    scratch = Path(trial.bench.session.browser.scratch)
    both = processes(trial)
    for process in both:
        process.suspend()
    begun = time.monotonic()
    trial.bench.close()
    assert time.monotonic() - begun < 30
    assert_ended(*both)
    assert not scratch.exists()


def test_closing_leaves_nothing(own_browser: Make) -> None:
    """A workbench that is closed ends its browser and driver, also after one of them died."""
    trial = own_browser()
    trial.open("labels.html")
    driver, browser = processes(trial)
    kill(browser)
    trial.bench.close()
    assert_ended(driver, browser)
    trial.bench.close()


def test_a_browser_that_cannot_start(own_browser: Make) -> None:
    """No browser, no driver: one line that says what to do, in a row of its own; an unknown name is not taken."""
    trial = own_browser(browser_path="/nonexistent/chrome")
    with pytest.raises(StepFailed) as caught:
        trial("navigate /labels.html")
    assert caught.value.result.error_type == "BrowserUnavailable"
    assert trial.row()["error_type"] == "BrowserUnavailable"
    trial.bench.settings.browser_path = ""
    with pytest.raises(TraitError, match="unknown browser 'netscape'"):
        trial.bench.settings.browser = "netscape"
