"""Browsers, drivers and tabs that die: the step says so, the next one has another browser."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import pytest

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
    _, alive = psutil.wait_procs(expected, timeout=5)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    assert not left


@pytest.mark.parametrize("victim", ["driver", "browser"])
def test_death_between_steps(own_browser: Make, victim: str) -> None:
    """What died between two steps is replaced, and the step that found out says so and works."""
    trial = own_browser()
    trial.open("labels.html")
    driver, browser = processes(trial)
    kill(driver if victim == "driver" else browser)
    session = trial.bench.session
    if victim == "driver":
        driver.wait(5)
    else:
        session.browser.channel._thread.join(10)
        assert not session.browser.channel.open
    trial("navigate /buttons.html")
    assert (trial.row()["status"], trial.row()["title"]) == ("passed", "Buttons")
    assert "had died" in trial.last.note
    trial("click #one")
    assert trial.last.note == ""
    assert_ended(driver, browser)


@pytest.mark.parametrize("victim", ["driver", "browser"])
def test_death_during_a_step(own_browser: Make, victim: str) -> None:
    """A step that loses its browser fails as BrowserGone within its time; the next one starts anew."""
    trial = own_browser()
    trial.open("labels.html")
    process = processes(trial)[0 if victim == "driver" else 1]
    timer = threading.Timer(0.4, kill, (process,))
    timer.start()
    with pytest.raises(StepFailed) as caught:
        trial("wait #never --timeout 15")
    timer.join()
    row = trial.row()
    assert (row["status"], row["error_type"]) == ("error", "BrowserGone"), str(caught.value)
    assert "the next step starts a new one" in caught.value.message
    assert row["duration_ms"] < 12_000
    trial("navigate /labels.html")
    assert "had died" in trial.last.note
    assert trial.row()["status"] == "passed"


def test_a_tab_that_crashes(own_browser: Make) -> None:
    """A crashed page is told as such, and the test goes on."""
    trial = own_browser()
    trial.open("labels.html")
    with pytest.raises(StepFailed) as caught:
        trial("navigate chrome://crash --timeout 5")
    assert caught.value.result.error_type in ("BrowserGone", "TabGone", "NavigationFailed")
    trial("navigate /buttons.html")
    trial("click #one")


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
    """No browser, no driver, an unknown name: one line that says what to do, in a row of its own."""
    trial = own_browser(browser_path="/nonexistent/chrome")
    with pytest.raises(StepFailed) as caught:
        trial("navigate /labels.html")
    assert caught.value.result.error_type == "BrowserUnavailable"
    assert trial.row()["error_type"] == "BrowserUnavailable"
    trial.bench.settings.browser_path = ""
    trial.bench.settings.browser = "netscape"
    with pytest.raises(StepFailed, match="unknown browser 'netscape'"):
        trial("navigate /labels.html")
