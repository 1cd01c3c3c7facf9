"""WebKitGTK, Firefox and Safari: what WebDriver gives, and nothing beside it.

A driver here knows one user, so a lease is a driver session of its own, with a new profile. Nobody
tells this side of dialogs, tabs and downloads: they are asked for. What WebDriver has no words for
is in :attr:`PlainBrowser.lacks`, and said where it is asked for, with what does it instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import StepProblem, Unsupported
from .engine import QUIT_SECONDS, Browser, driver_errors
from .launch import LaunchSpec
from .plain_session import LOOK_SECONDS, PlainSession
from .plainstart import start_plain
from .processes import drop_scratch, end_all_in, make_scratch
from .xserver import XServer

STUCK_SECONDS = 6.0

_LACKS: Mapping[str, str] = {
    "console": "does not tell what the console says; read the page with %evaluate, or use chrome for this test",
    "requests": "does not tell what the page requests; ask the server with %request, or use chrome for this test",
    "status": "does not tell the HTTP status of a page; ask with %request GET URL --expect-status",
}
_DOWNLOADS = "keeps its downloads on the grid's node; get the file with %request GET URL, or use chrome"
_SAFARI_DOWNLOADS = "does not tell of its downloads; get the file with %request GET URL, or use chrome"


class PlainBrowser(Browser):
    """A driver process with one browser, and the X server it may need."""

    shares = False

    def __init__(self, driver: Any, spec: LaunchSpec, scratch: str, screen: XServer | None) -> None:
        super().__init__(driver, spec, scratch)
        self.folder = Path(scratch)
        self._screen = screen
        self.leased = False
        self.stuck = False
        self.lacks = dict(_LACKS)
        self.drops = spec.browser != "webkitgtk"  # there a drag begins, and GTK never hears of the pointer's way
        if spec.grid or spec.browser == "safari":
            self.lacks["downloads"] = _DOWNLOADS if spec.grid else _SAFARI_DOWNLOADS
        if spec.browser == "firefox":  # it has the status in the page, as Chromium does
            del self.lacks["status"]

    @classmethod
    def launch(cls, spec: LaunchSpec, scratch: str | None = None) -> PlainBrowser:
        """Start a browser whose files are in ``scratch``, a folder that is dropped with it.
        Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        if spec.device:
            raise Unsupported(f"{spec.browser} cannot be another device; use chrome, or %window 390x844 for the size")
        scratch = scratch or make_scratch()
        screen = None
        try:
            if spec.browser == "webkitgtk" and not spec.grid and (spec.headless or not os.environ.get("DISPLAY")):
                screen = XServer()
            driver = start_plain(spec, Path(scratch), screen.display if screen else None)
            return cls(driver, spec, scratch, screen)
        except BaseException:
            end_all_in(scratch)
            if screen is not None:
                screen.close()
            drop_scratch(scratch)
            raise

    @property
    def name(self) -> str:
        return self.spec.browser

    @property
    def _process(self) -> subprocess.Popen[Any] | None:
        found: subprocess.Popen[Any] | None = getattr(getattr(self.driver, "service", None), "process", None)
        return found

    @property
    def alive(self) -> bool:
        process = self._process
        return not self.closed and not self.stuck and (process is None or process.poll() is None)

    def answers(self, seconds: float) -> bool:
        """Also of a page that runs in circles the driver knows the time-outs, so the page is asked too."""
        if super().answers(seconds):
            self.check_answers()
            self.allow(None)
        return self.driver_runs and not self.stuck

    def check_answers(self) -> None:
        """Find out whether a page that was too late ever answers: one that runs in circles takes the whole
        browser with it, which is then replaced as if it had died."""
        from selenium.common.exceptions import UnexpectedAlertPresentException

        self.allow(STUCK_SECONDS)
        try:
            self.driver.execute_script("return 0")
        except UnexpectedAlertPresentException:
            pass
        except driver_errors():
            self.stuck = True

    def wait_for(self, condition: Callable[[], Any], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            threading.Event().wait(min(LOOK_SECONDS, left))  # the driver is asked: it tells nothing by itself
        return True

    def lease(self, name: str = "main", downloads: Path | None = None) -> PlainSession:
        with self.lock:
            if self.leased:
                raise StepProblem(f"{self.name} holds one session at a time; start another browser for {name}")
            self.leased = True
            session = PlainSession(self, name, self.driver.current_window_handle)
            if downloads is not None:
                downloads.mkdir(parents=True, exist_ok=True)
                session.downloads = downloads
            session.activate()
            session.resize(*self.spec.viewport)
            return session

    def close(self, patience: float = QUIT_SECONDS) -> None:
        with self.lock:
            if self.closed:
                return
            self.closed = True
            process = self._process
            self.allow(patience)
            with contextlib.suppress(*driver_errors()):  # dead already is what was wanted
                self.driver.quit()
            if process is not None:
                _end_group(process)
            if self._screen is not None:
                self._screen.close()
            self.patience.close()
            drop_scratch(self.scratch)
            for session in self.sessions:
                session.closed = True


def _end_group(driver: subprocess.Popen[Any]) -> None:
    """End a driver and what it has started and left: it began a process group of its own. Waits until that is empty."""
    deadline = time.monotonic() + QUIT_SECONDS
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.poll()  # a process that has ended stays in its group until it is asked
            threading.Event().wait(0.01)  # nobody tells when a process that is no child of ours has ended
    for stream in (driver.stdin, driver.stdout, driver.stderr):
        if stream is not None:
            stream.close()
