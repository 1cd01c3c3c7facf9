"""Browsers kept warm, by everything that makes one different from another.

A lease is a session in a context nobody has used before; the browser under it is shared between
leases whose launch specs are equal, and replaced when it has died.
"""

from __future__ import annotations

import threading
from pathlib import Path

from .engine import Browser, Session
from .launch import LaunchSpec


class BrowserPool:
    """The browsers of this process. ``lease`` starts one where there is none for the spec."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._browsers: dict[LaunchSpec, Browser] = {}
        self._single: list[Browser] = []

    def lease(self, spec: LaunchSpec, name: str, downloads: Path) -> Session:
        """A clean session. Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        with self._lock:
            self._single = [single for single in self._single if not single.closed]
            browser = self._browsers.get(spec)
            if browser is not None and not browser.alive:
                self._browsers.pop(spec).close()
                browser = None
            if browser is None:
                browser = Browser.launch(spec)
                if browser.shares:
                    self._browsers[spec] = browser
                else:
                    self._single.append(browser)
            return browser.lease(name, downloads)

    @property
    def browsers(self) -> list[Browser]:
        """What is running."""
        with self._lock:
            return [*self._browsers.values(), *(single for single in self._single if not single.closed)]

    def discard(self, browser: Browser) -> None:
        """End a browser and forget it."""
        with self._lock:
            for spec, known in list(self._browsers.items()):
                if known is browser:
                    del self._browsers[spec]
        browser.close()

    def close(self) -> None:
        """End every browser. Can be called twice."""
        with self._lock:
            browsers, self._browsers, self._single = [*self._browsers.values(), *self._single], {}, []
        for browser in browsers:
            browser.close()
