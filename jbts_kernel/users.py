"""The users of a notebook and their browsers: who acts, who has which session, and what becomes of one that dies."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BrowserGone

if TYPE_CHECKING:
    from .browser.launch import LaunchSpec
    from .browser.pool import Attached, BrowserPool
    from .browser.session import Session
    from .config import JBTS
    from .recorder import Recorder
    from .secrets import Secrets
    from .surroundings import Marks

GLANCE_SECONDS = 3.0
"""What a look at the page may take, between steps."""


class Users:
    """The part of the workbench that has browsers. Nothing starts before the first session is asked for."""

    environ: Mapping[str, str]
    home: Path
    recorder: Recorder
    secrets: Secrets
    settings: JBTS

    def __init__(self) -> None:
        self.turn = threading.RLock()
        """Held by whoever speaks to a browser of this workbench: a step, or the panel looking at the page."""
        self.user = "main"
        self.sessions: dict[str, Session] = {}
        self.specs: dict[str, LaunchSpec] = {}
        self._pool: BrowserPool | None = None
        self.pool_figures: dict[str, int] = {}
        """What the pool told last, and how many leases and replacements there were; nothing before it runs."""
        self._marks: dict[str, Marks] = {}
        self._lost_browser = ""

    @property
    def pool(self) -> BrowserPool:
        if self._pool is None:
            from .browser.pool import BrowserPool

            origin = self.recorder.origin
            self._pool = BrowserPool(
                self.settings.pool_size,
                home=self.home,
                grace=self.settings.browser_grace if origin.kind == "interactive" else 0.0,
                notebook=origin.notebook,
                lender=self.environ.get("JBTS_LENDER") or None,
                tell=self._told_of_pool,
                secrets=lambda: self.secrets.values,
            )
        return self._pool

    def _told_of_pool(self, figures: Mapping[str, int]) -> None:
        """The pool's figures changed; what happened in it adds up."""
        happened = {name: self.pool_figures.get(name, 0) + figures.get(name, 0) for name in ("leased", "replaced")}
        self.pool_figures = {**figures, **happened}
        self.recorder.emit("pool", figures)

    @property
    def spec(self) -> LaunchSpec:
        """What the current user's browser is started with."""
        if self.user in self.specs:
            return self.specs[self.user]
        return self.settings.launch_spec()

    @property
    def session(self) -> Session:
        """The current user's session; its browser starts if it has to, and is replaced if it died."""
        from .browser.recovery import recover

        session = self.sessions.get(self.user)
        if session is not None and session.browser.alive:
            try:
                self._lost_browser = recover(session.browser, session) or self._lost_browser
            except BrowserGone:
                self._lost(session, gone=True)
        elif session is not None:
            self._lost(session)
        session = self.sessions.get(self.user)
        if session is None or session.closed:
            execution = self.recorder.execution
            folder = self.home / "downloads" / (execution.execution_id if execution else "interactive")
            # A wait would be for oneself: whatever else is leased here belongs to this notebook.
            session = self.pool.acquire(self.spec, self.user, folder, timeout=0, shared=True)
            self._arrive(self.user, session)
            self.pool.remember(self.sessions, self.user)
        return session

    def _arrive(self, user: str, session: Session) -> None:
        """A user has a session; what its page says from now on belongs to this test."""
        from .surroundings import Marks

        self.sessions[user] = session
        mark = session.browser.signals.mark()
        self._marks[user] = Marks(mark, mark, mark)

    def open_browser(self, user: str, spec: LaunchSpec) -> Session:
        """Give a user this browser, a clean context of it, and go on as that user. Where it does not start,
        everything stays as it was."""
        with self.turn:
            return self._open_browser(user, spec)

    def _open_browser(self, user: str, spec: LaunchSpec) -> Session:
        before = self.user, self.specs, self.sessions
        old = self.sessions.get(user)
        self.user, self.specs = user, {**self.specs, user: spec}
        self.sessions = {name: known for name, known in self.sessions.items() if name != user}
        try:
            session = self.session
        except BaseException:
            self.user, self.specs, self.sessions = before
            raise
        if old is not None:
            old.close()
        return session

    def _lost(self, session: Session, gone: bool = False) -> None:
        """A browser died, or a page in it: forget it and everything in it; the next step starts anew and
        says so. Where only the driver died, the next step replaces that. ``gone`` means it was tried."""
        from .browser.processes import ended
        from .browser.recovery import ALIVE_SECONDS, DYING_SECONDS

        browser = session.browser
        answered = not gone and browser.patience.abandoned_at is None
        dying = not gone and browser.alive and not answered  # its connection breaks before it has ended
        driver_died = not browser.driver_runs or (dying and ended(browser.driver_process, DYING_SECONDS))
        if browser.alive and driver_died and not gone:
            return
        # A grid's node ends without a word: it has to be asked.
        there = browser.alive and (not browser.spec.grid or browser.answers(ALIVE_SECONDS))
        if there and answered and browser.shares:
            self.sessions = {user: known for user, known in self.sessions.items() if known is not session}
            session.close()
            self._lost_browser = "the page had crashed; it starts anew in a fresh context"
            return
        self.sessions = {user: known for user, known in self.sessions.items() if known.browser is not browser}
        died = "did not answer any more" if there and not answered else "had died"
        self.pool.discard(browser, answers=False)
        self._lost_browser = f"the browser {died} and was replaced; the page starts anew"

    def attach(self) -> Attached | None:
        """Take over the browser a killed or restarted kernel left, with all its users; None where there is
        none. The sessions there were are closed."""
        found = self.pool.attach()
        if found is None:
            return None
        for user, session in found.sessions.items():
            old = self.sessions.get(user)
            if old is not None:
                old.close()
            self.specs[user] = session.browser.spec
            self._arrive(user, session)
        self.user = found.current
        self.pool.remember(self.sessions, self.user)
        return found

    @contextlib.contextmanager
    def looking(self, patience: float = 0.0) -> Iterator[Session | None]:
        """The current user's session for a look at its page, which records nothing and starts nothing. None where
        there is none, or a step has not ended within ``patience`` seconds. Where something did not answer before, it is
        asked first whether the driver does."""
        if not self.turn.acquire(timeout=patience):
            yield None
            return
        try:
            session = self.sessions.get(self.user)
            if session is None or session.closed or not session.browser.alive:
                yield None
                return
            driver = session.browser.patience
            given_up = driver.abandoned_at
            if given_up is not None and not driver.free(patience):
                yield None
                return
            session.browser.allow(GLANCE_SECONDS)
            try:
                session.activate()
                yield session
            finally:
                session.browser.allow(None)
                driver.abandoned_at = given_up or driver.abandoned_at  # what hung is for the next step to end
        finally:
            self.turn.release()
