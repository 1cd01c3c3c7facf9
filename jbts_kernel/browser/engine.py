"""What a step may ask of a browser, whichever engine it is.

A :class:`Browser` is one process with its driver, a :class:`~.session.Session` one user in it. Verbs and the
pipeline know these two and nothing below them. Behind them are :mod:`.chromium`, which has a second
channel beside its driver, and :mod:`.plain`, which has WebDriver alone. What an engine cannot do is
:class:`~jbts_kernel.errors.Unsupported`, with the browser's name and what does it instead.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BrowserGone, Unsupported
from .launch import CHROMIUM_FAMILY, LaunchSpec, check_browser
from .patience import Patience
from .processes import Process, only_child
from .signals import Signals

if TYPE_CHECKING:
    from .session import Session

QUIT_SECONDS = 2.0


def driver_errors() -> tuple[type[BaseException], ...]:
    """What a driver command raises, besides our own errors."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    return (OSError, WebDriverException, HTTPError)


class Browser(ABC):
    """One browser process. Start it with :meth:`launch`; :meth:`close` ends it and can be called twice."""

    shares = True
    """Whether it holds several sessions apart; one that does not is started anew for each lease."""
    drops = True
    """Whether a drag by the pointer ends in a drop where the page uses HTML's own drag and drop."""

    def __init__(self, driver: Any, spec: LaunchSpec, scratch: str = "", process: Process | None = None) -> None:
        self.driver = driver
        self.spec = spec
        self.scratch = scratch
        """The folder of its temporary files, taken away with it."""
        service = getattr(driver, "service", None)
        self.program = str(service.path) if service is not None else ""
        self.driver_process = Process.of(service.process.pid) if service is not None else None
        self.process = process or (only_child(service.process.pid) if service is not None else None)
        self.patience = Patience(driver, self._given_up)
        self.sessions: list[Session] = []
        self.released: Callable[[], None] = lambda: None
        """Called whenever a session of it was closed."""
        self.started_at = time.perf_counter()
        self.lock = threading.RLock()
        self.signals = Signals()
        self.screencasts: dict[str, Callable[[dict[str, Any]], None]] = {}
        """Who takes the pictures a tab sends of itself, by its DevTools session."""
        self.active: Session | None = None
        self.closed = False
        self.lacks: dict[str, str] = {}  # what it cannot do: in a word, and in a sentence with what does it instead
        self._arrived = threading.Condition()
        self._timeouts: dict[str, float] = {}

    @classmethod
    def launch(cls, spec: LaunchSpec, scratch: str | None = None) -> Browser:
        """Start a browser of the engine that ``spec`` means, with its temporary files in ``scratch``.
        Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        if check_browser(spec.browser, spec.grid) in CHROMIUM_FAMILY:
            from .chromium import ChromiumBrowser

            return ChromiumBrowser.launch(spec, scratch)
        from .plain import PlainBrowser

        return PlainBrowser.launch(spec, scratch)

    @classmethod
    def attach(cls, spec: LaunchSpec, address: str, program: str, scratch: str, process: Process) -> Browser:
        """Take over a browser that was left running, with the contexts it has.
        Raises :class:`~jbts_kernel.errors.BrowserGone`."""
        from .chromium import ChromiumBrowser

        return ChromiumBrowser.attach(spec, address, program, scratch, process)

    @classmethod
    def borrow(cls, spec: LaunchSpec, place: str) -> Browser:
        """Borrow a warm browser from a lender, see :mod:`.lending`; closing it gives it back.
        Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        from .chromium import ChromiumBrowser

        return ChromiumBrowser.borrow(spec, place)

    @property
    def channel(self) -> Any:
        """The DevTools channel. Raises :class:`~jbts_kernel.errors.Unsupported` where there is none."""
        raise Unsupported(f"{self.name} has no DevTools protocol; use chrome, chromium or edge for this")

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it is there, as far as can be told without asking it."""

    @abstractmethod
    def lease(self, name: str = "main", downloads: Path | None = None) -> Session:
        """A session in a context nobody has used."""

    @abstractmethod
    def close(self, patience: float = QUIT_SECONDS) -> None:
        """End browser and driver, which have ``patience`` seconds to do it by themselves. Can be called twice."""

    # ---- lasting longer than its driver, and than its kernel ----------------------------------------
    @property
    def address(self) -> str:
        """Where another driver reaches this browser, as host:port; empty where none can."""
        return ""

    @property
    def driver_runs(self) -> bool:
        """Whether the driver's process is there; of one elsewhere that is taken for granted."""
        process = getattr(getattr(self.driver, "service", None), "process", None)
        return process is None or process.poll() is None

    def answers(self, seconds: float) -> bool:
        """Whether browser and driver answer; a driver that does not is replaced, where it can be."""
        return self.driver_runs and self.patience.free(seconds)

    def allow(self, seconds: float | None) -> None:
        """From now on there is this long for all that is asked of it; None: each its usual time."""
        self.patience.allow(seconds)

    def replace_driver(self) -> None:
        """Put a new driver in the place of one that is of no use. Raises :class:`BrowserGone`."""
        raise BrowserGone("the driver does not answer")

    def resume(self, name: str, context_id: str, handle: str, downloads: Path | None) -> Session:
        """A session in a context that a kernel before this one left, on its tab or the newest there is.
        Raises :class:`~jbts_kernel.errors.TabGone` where no tab of it is left."""
        raise Unsupported(f"{self.name} cannot be taken over; use chrome, chromium or edge for this")

    def leave(self) -> None:
        """Let go of a browser that somebody will take over: it and its driver live on."""
        raise Unsupported(f"{self.name} cannot be taken over; use chrome, chromium or edge for this")

    def _given_up(self, command: str) -> None:
        """Nobody waits for a driver command any more: end it where that disturbs nothing else."""
        self._timeouts.clear()  # it may have been the one that sets them

    def stop_waiting(self, session: Session) -> None:
        """Stop the load of a page that the driver may be waiting for, where that can be said past the driver."""
        return

    @property
    def untold(self) -> str:
        """What this browser does not tell, in one line; empty where it tells everything."""
        return f"{self.name} does not tell of {', '.join(self.lacks)}" if self.lacks else ""

    def need(self, feature: str) -> None:
        """Raise :class:`~jbts_kernel.errors.Unsupported` if this browser lacks it."""
        if feature in self.lacks:
            raise Unsupported(f"{self.name} {self.lacks[feature]}")

    # ---- facts ------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return str(self.driver.capabilities.get("browserName", self.spec.browser))

    @property
    def version(self) -> str:
        return str(self.driver.capabilities.get("browserVersion", ""))

    def limit(self, kind: str, seconds: float) -> None:
        """Set the driver's ``page_load`` or ``script`` time-out, telling it only what changed."""
        seconds = round(max(0.05, seconds), 1) or 0.1
        if self._timeouts.get(kind) != seconds:
            getattr(self.driver, {"page_load": "set_page_load_timeout", "script": "set_script_timeout"}[kind])(seconds)
            self._timeouts[kind] = seconds

    @property
    def script_limit(self) -> float:
        """Seconds a script may take, as :meth:`limit` told the driver."""
        return self._timeouts.get("script", 30.0)

    # ---- waiting ----------------------------------------------------------------------------------
    def wait_for(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Wait until ``condition()`` holds, looking again at every tab, dialog and download event."""
        with self._arrived:
            return bool(self._arrived.wait_for(condition, timeout))

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._arrived:
            self._arrived.notify_all()

    def look_again(self, seconds: float) -> None:
        """Return at the next tab, dialog or download event, at the latest after ``seconds``."""
        with self._arrived:
            self._arrived.wait(seconds)
