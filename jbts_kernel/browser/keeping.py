"""What a pool writes down of its browsers, so that somebody finds them when this process dies: one record a browser.

Without a project's folder nothing is written.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import BrowserUnavailable
from ..ids import new_id
from .engine import Browser
from .launch import LaunchSpec
from .processes import Process, drop_scratch
from .reaper import start_watcher
from .records import Record, Records, User
from .session import Session


class Keeping:
    """The records of one process. Those that it leaves can be taken over within ``grace`` seconds; ``notebook`` is what
    they say they belong to."""

    def __init__(self, home: Path | None, grace: float, notebook: str | None) -> None:
        self._home, self._grace, self._notebook = home, grace, notebook
        self._records = Records(home) if home is not None else None
        self._lock = threading.Lock()
        self._kept: dict[int, Record] = {}
        self._watcher: subprocess.Popen[bytes] | None = None
        self.trouble = ""
        """Why where the users stand could not be written down, as long as that is so."""

    def _begin(self, records: Records) -> None:
        """Before the first browser: end what nobody needs any more, and see that ours will be ended."""
        assert self._home is not None
        with self._lock:
            if self._watcher is not None and self._watcher.poll() is None:
                return
            self._watcher = start_watcher(self._home)
        records.reap()

    def announce(self, scratch: str, spec: LaunchSpec) -> Record | None:
        """Record a browser before it starts, because this process may be killed while it does. Raises
        :class:`~jbts_kernel.errors.BrowserUnavailable` where that cannot be done."""
        if self._records is None:
            return None
        try:
            self._begin(self._records)
            grace = 0.0 if spec.grid else self._grace  # nobody takes that over, and others wait for the slot
            return self._records.write(Record(new_id(), _myself(), scratch, grace, spec, self._notebook))
        except OSError as problem:
            drop_scratch(scratch)
            raise BrowserUnavailable(
                f"no browser is started, because {self._records.folder} cannot be written and nobody would find it when"
                f" this process dies: {problem.strerror}"
            ) from problem

    def keep(self, browser: Browser, record: Record) -> None:
        """Write down what runs. Where that cannot be done now the record of before serves on: it is enough to end
        the browser by, and the next step tries again."""
        assert self._records is not None
        found = replace(
            record,
            driver=browser.driver_process,
            browser=browser.process,
            address=browser.address,
            program=browser.program,
            session_id=str(browser.driver.session_id) if browser.spec.grid else "",
        )
        try:
            self._kept[id(browser)] = self._records.write(found)
            self.trouble = ""
        except OSError as problem:
            self._kept.setdefault(id(browser), record)
            self.trouble = f"where its users stand cannot be written down: {problem.strerror}"

    def holds(self, browser: Browser) -> bool:
        """Whether a browser would be found."""
        return id(browser) in self._kept

    def remember(self, browsers: Iterable[Browser], sessions: Mapping[str, Session], current: str) -> None:
        """Record where the users of browsers stand, for whoever takes them over."""
        for browser in browsers:
            record = self._kept.get(id(browser))
            if record is None:
                continue
            users = {name: _standing(s) for name, s in sessions.items() if s.browser is browser and not s.closed}
            if (record.users, record.current, record.driver) != (users, current, browser.driver_process):
                self.keep(browser, replace(record, users=users, current=current))

    def left(self) -> list[tuple[Path, Record]]:
        """What other processes left that can be taken over: of the same notebook first, then the one used last."""
        if self._records is None:
            return []
        found = sorted(self._records.orphans(), key=lambda one: one[1].notebook != self._notebook)
        return [(path, r) for path, r in found if r.browser is not None and r.browser.alive and r.address]

    def take(self, path: Path, record: Record) -> Record | None:
        """Make a record of another process's ours; None where somebody else was faster."""
        assert self._records is not None
        self._begin(self._records)
        return self._records.take(path, record, _myself())

    def taken(self, browser: Browser, record: Record) -> None:
        """A browser of a record that was taken is ours now."""
        self.keep(browser, replace(record, grace=self._grace, notebook=self._notebook))

    def drop(self, record: Record | None) -> None:
        """What a record tells of is not there any more."""
        if record is not None and self._records is not None:
            self._records.remove(record)

    def forget(self, browser: Browser) -> None:
        """A browser has ended."""
        self.drop(self._kept.pop(id(browser), None))

    def close(self, leave: bool) -> None:
        """Nothing is started any more; with ``leave`` what looks after the browsers goes on for those left."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.stdin is not None:
            watcher.stdin.close()
            if not leave:
                watcher.wait()


def _myself() -> Process:
    return Process.of(os.getpid()) or Process(os.getpid(), 0.0)


def _standing(session: Session) -> User:
    downloads = str(session.downloads) if session.downloads else None
    return User(session.context_id, session.handle, downloads, session.viewport)
