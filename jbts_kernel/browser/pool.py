"""Browsers kept warm, by everything that makes one different from another.

A lease is a session in a context nobody has used before. The browser under it is one whose launch spec is
equal in every part: a warm one that nobody uses, else a new one while there is room, else whoever asks
waits. So leases that run side by side never share a driver, which can do one thing at a time; the users
of one notebook, who take turns, share a browser (``shared``). What died or does not answer is replaced
before it is handed out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BrowserGone, PoolFull, StepProblem, TabGone
from .engine import Browser, driver_errors
from .faults import first_line
from .grid import shown
from .keeping import Keeping
from .launch import LaunchSpec
from .lease import Lease
from .lending import lendable
from .processes import kill, make_scratch
from .records import Record
from .session import Session

WAIT_SECONDS = 30.0
CHECK_SECONDS = 5.0
LEASE_SECONDS = 15.0
PROBE_SECONDS = 10.0
SLOW_MS = 5000.0
_PROBE = "data:text/html,<title>well</title>"


@dataclass(frozen=True, slots=True)
class Attached:
    """A browser taken over: its sessions by user, who was acting, and the records of others that were left."""

    sessions: Mapping[str, Session]
    current: str
    others: tuple[Record, ...]


class BrowserPool:
    """The browsers of this process, at most ``max_size``.

    ``home`` is the project's data folder: what runs is recorded there, so that a browser whose process was
    killed can be taken over within ``grace`` seconds, and is ended by whoever comes by after that. Without
    it nothing is recorded. ``notebook`` is what the records say they belong to. ``lender`` is the socket file of
    whoever lends warm browsers (:mod:`.lending`): what can be borrowed is not started. ``tell`` is called with
    the pool's figures whenever they changed: with a lease, its return, a wait, a replacement. ``secrets`` gives
    the texts that no picture of a lease may show.
    """

    def __init__(
        self,
        max_size: int = 5,
        *,
        home: Path | None = None,
        grace: float = 0.0,
        notebook: str | None = None,
        lender: str | None = None,
        tell: Callable[[Mapping[str, int]], None] | None = None,
        secrets: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        if max_size < 1:
            raise ValueError("a pool has room for one browser at least")
        self.max_size = max_size
        self._tell_figures = tell
        self._told: Mapping[str, int] = {}
        self._waiting = 0
        self.home = home
        self.grace = grace
        self.lender = lender
        self.secrets = secrets
        self._keeping = Keeping(home, grace, notebook)
        self._changed = threading.Condition(threading.RLock())
        self._browsers: list[Browser] = []
        self._claimed: list[Browser] = []
        self._starting = 0

    def __enter__(self) -> BrowserPool:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    # ---- leasing --------------------------------------------------------------------------------
    def lease(
        self,
        spec: LaunchSpec | None = None,
        name: str = "main",
        downloads: Path | None = None,
        *,
        timeout: float = WAIT_SECONDS,
    ) -> Lease:
        """A clean session for a block of code: ``with pool.lease(spec) as session``, or ``async with``."""
        asked = spec or LaunchSpec()
        return Lease(lambda: self.acquire(asked, name, downloads, timeout=timeout), self.home, self.secrets)

    def acquire(
        self,
        spec: LaunchSpec,
        name: str = "main",
        downloads: Path | None = None,
        *,
        timeout: float = WAIT_SECONDS,
        shared: bool = False,
    ) -> Session:
        """A clean session, until it is closed. ``shared`` takes a browser that others use as well.

        Raises:
            PoolFull: every browser is in use, and stayed so for ``timeout`` seconds.
            BrowserUnavailable: none could be started.
        """
        deadline = time.monotonic() + timeout
        troubles: tuple[type[BaseException], ...] = (StepProblem, *driver_errors())
        while True:
            browser = warm = self._warm(spec, deadline, timeout, shared)
            try:
                if browser is None:
                    browser = self._launch(spec)
                browser.allow(None)  # whoever had it before may have left it little time
                if warm is not None and not browser.answers(CHECK_SECONDS):
                    self.discard(browser, answers=False)
                    continue
                try:
                    browser.allow(LEASE_SECONDS)
                    session = self._enter(browser, browser.lease(name, downloads))
                    browser.allow(None)
                    self._tell(leased=1)
                    return session
                except troubles as problem:
                    self.discard(browser, answers=False)
                    if warm is None:
                        raise BrowserGone(f"the browser gives no clean context ({first_line(problem)[:160]})") from None
            finally:
                self._unclaim(browser)

    def _warm(self, spec: LaunchSpec, deadline: float, timeout: float, shared: bool) -> Browser | None:
        """A running browser of this spec, claimed; None where there is room to start one."""
        while True:
            with self._changed:
                for browser in self._browsers:
                    usable = browser.shares and browser.alive and browser.spec == spec
                    if usable and (shared or not self._used(browser)):
                        self._claimed.append(browser)
                        return browser
                if len(self._browsers) + self._starting < self.max_size:
                    self._starting += 1
                    return None
                idle = next((b for b in self._browsers if not b.alive or not self._used(b)), None)
                if idle is None:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise PoolFull(
                            f"all {self.max_size} browsers of the pool are in use, and none came free within"
                            f" {timeout:g} s; give one back, or make room with JBTS.pool_size"
                        )
                    self._await_change(left)
                    continue
            self.discard(idle)

    def _await_change(self, seconds: float) -> None:
        """Wait, with the lock held, until something comes free; it is told that somebody does."""
        self._waiting += 1
        self._tell()
        try:
            self._changed.wait(seconds)
        finally:
            self._waiting -= 1
            self._tell()

    def _tell(self, **happened: int) -> None:
        """Tell the figures as they are now, where they are others than before or something happened."""
        if self._tell_figures is None:
            return
        with self._changed:  # told in the order in which they were true
            used = sum(self._used(browser) for browser in self._browsers)
            size = len(self._browsers)
            figures = {"max_size": self.max_size, "size": size, "in_use": used, "waiting": self._waiting}
            if happened or figures != self._told:
                self._told = figures
                self._tell_figures({**figures, **happened})

    def _unclaim(self, browser: Browser | None) -> None:
        with self._changed:
            if browser in self._claimed:
                self._claimed.remove(browser)
            self._changed.notify_all()

    def _used(self, browser: Browser) -> bool:
        return browser in self._claimed or any(not session.closed for session in browser.sessions)

    def _enter(self, browser: Browser, session: Session) -> Session:
        browser.sessions = [known for known in browser.sessions if not known.closed] + [session]
        return session

    def _launch(self, spec: LaunchSpec) -> Browser:
        """Start a browser in the room that was kept for it; it is claimed."""
        record: Record | None = None
        try:
            if self.lender is not None and lendable(spec):
                browser = Browser.borrow(spec, self.lender)
            else:
                scratch = make_scratch()
                record = self._keeping.announce(scratch, spec)
                browser = Browser.launch(spec, scratch)
        except BaseException:
            self._keeping.drop(record)
            with self._changed:
                self._starting -= 1
            raise
        if record is not None:
            self._keeping.keep(browser, record)
        with self._changed:
            self._starting -= 1
            self._add(browser)
            self._claimed.append(browser)
        return browser

    def _add(self, browser: Browser) -> None:
        browser.released = self._wake
        self._browsers.append(browser)

    def _wake(self) -> None:
        """A session was closed, and with it perhaps its browser."""
        with self._changed:
            ended = [browser for browser in self._browsers if browser.closed]
            self._browsers = [browser for browser in self._browsers if not browser.closed]
            self._changed.notify_all()
            self._tell()
        for browser in ended:
            self._keeping.forget(browser)

    # ---- what others left -----------------------------------------------------------------------
    @property
    def unkept(self) -> str:
        """Why where the users stand could not be written down, as long as that is so."""
        return self._keeping.trouble

    def remember(self, sessions: Mapping[str, Session], current: str) -> None:
        """Record where the users stand, for whoever takes their browsers over."""
        self._keeping.remember(self.browsers, sessions, current)

    def attach(self) -> Attached | None:
        """Take over the browser a killed or restarted process left: one of the same notebook before others,
        the one used last before older ones. None where there is none."""
        left = self._keeping.left()
        for number, (path, record) in enumerate(left):
            taken = self._keeping.take(path, record)
            if taken is None:
                continue
            sessions = self._take_over(taken)
            if sessions:
                others = tuple(r for _, r in left[number + 1 :])
                return Attached(sessions, taken.current if taken.current in sessions else next(iter(sessions)), others)
        return None

    def _take_over(self, record: Record) -> dict[str, Session]:
        assert record.browser is not None
        sessions: dict[str, Session] = {}
        browser: Browser | None = None
        try:
            browser = Browser.attach(record.spec, record.address, record.program, record.scratch, record.browser)
            for name, user in record.users.items():
                try:
                    downloads = Path(user.downloads) if user.downloads else None
                    session = browser.resume(name, user.context_id, user.handle, downloads)
                    sessions[name] = self._enter(browser, session)
                except TabGone:
                    continue
                if user.viewport:
                    session.resize(*user.viewport)
        except StepProblem:
            sessions = {}  # it does not answer any more
        kill(record.driver)
        if browser is None or not sessions:
            if browser is not None:
                browser.close()
            record.end()
            self._keeping.drop(record)
            return {}
        self._keeping.taken(browser, record)
        with self._changed:
            self._add(browser)
        return sessions

    # ---- facts and ends -------------------------------------------------------------------------
    @property
    def browsers(self) -> tuple[Browser, ...]:
        """What is running."""
        with self._changed:
            return tuple(self._browsers)

    def health(self, spec: LaunchSpec | None = None) -> dict[str, Any]:
        """Whether a browser of this pool can be used, from a navigation in a fresh context.

        ``status`` is healthy; degraded where it works, but a browser of the pool died, every one is in use
        or the navigation was slow; unhealthy where it does not work.
        """
        if spec is None:
            spec = next((browser.spec for browser in self.browsers), LaunchSpec())
        dead = sum(not browser.alive for browser in self.browsers)
        begun, error = time.monotonic(), ""
        full = False
        try:
            self._navigate(spec)
        except PoolFull as problem:
            full, error = True, problem.message
        except StepProblem as problem:
            error = problem.message
        ms = (time.monotonic() - begun) * 1000
        with self._changed:
            size, used = len(self._browsers), sum(self._used(b) for b in self._browsers)
        status = "healthy"
        if error:
            status = "degraded" if full else "unhealthy"
        elif dead or used >= self.max_size or ms > SLOW_MS:
            status = "degraded"
        return {
            "status": status,
            "grid_url": shown(spec.grid) if spec.grid else None,
            "pool_size": size,
            "in_use": used,
            "max_size": self.max_size,
            "navigation": {"ok": not error, "ms": round(ms, 1), "error": error or None},
        }

    def _navigate(self, spec: LaunchSpec) -> None:
        session = self.acquire(spec, "health", timeout=0, shared=True)
        browser = session.browser
        try:
            with browser.lock:
                browser.patience.allow(PROBE_SECONDS)
                session.driver.get(_PROBE)
                if session.driver.title != "well":
                    raise BrowserGone("the browser opened a page and shows another")
        except driver_errors() as problem:
            raise BrowserGone(f"the browser does not open a page: {first_line(problem)[:160]}") from None
        finally:
            browser.patience.allow(None)
            session.close()

    def discard(self, browser: Browser, *, answers: bool = True) -> None:
        """End a browser and forget it; one that does not answer is not asked."""
        with self._changed:
            known = browser in self._browsers
            if known:
                self._browsers.remove(browser)
        if known and not answers:
            self._tell(replaced=1)
        if answers:
            browser.close()
        else:
            browser.close(0)
        self._keeping.forget(browser)
        self._wake()

    def close(self, leave: bool = False) -> None:
        """End every browser; with ``leave``, let those go that somebody can take over. Can be called twice."""
        with self._changed:
            browsers, self._browsers = self._browsers, []
        for browser in browsers:
            if leave and self.grace > 0 and browser.alive and self._keeping.holds(browser) and browser.address:
                browser.leave()
            else:
                browser.close()
                self._keeping.forget(browser)
        self._keeping.close(leave)
        self._wake()
