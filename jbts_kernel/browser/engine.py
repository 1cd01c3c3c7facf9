"""What a step may ask of a browser, whichever engine it is.

A :class:`Browser` is one process with its driver, a :class:`Session` one user in it. Verbs and the
pipeline know these two and nothing below them. Behind them are :mod:`.chromium`, which has a second
channel beside its driver, and :mod:`.plain`, which has WebDriver alone. What an engine cannot do is
:class:`~jbts_kernel.errors.Unsupported`, with the browser's name and what does it instead.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import BrowserGone, StepProblem, Unsupported
from .cdp import Tab
from .checkpoints import Checkpoints
from .faults import dialog_open
from .interception import Interception
from .launch import CHROMIUM_FAMILY, LaunchSpec, check_browser
from .patience import Patience
from .placement import TAB, Placement
from .processes import Process, only_child
from .signals import Dialog, Signals

PAGE_SCRIPT = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("roles.js", "page.js"))


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way. ``key`` tells it from every other of its session; ``url``, and the ``context`` it belongs to,
    are empty where they are not known."""

    key: str
    name: str
    url: str
    state: Literal["running", "completed", "canceled"]
    context: str = ""


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


class Session(ABC):
    """One user: a context of its own in a browser. Verbs act through it."""

    apart = False
    """Whether scripts run in a world of their own, which the page cannot see."""

    enters_closed_roots = False
    """Whether :meth:`closed_roots` tells of them."""

    def __init__(self, browser: Browser, name: str, handle: str) -> None:
        self.browser = browser
        self.name = name
        self.context_id = ""
        self.handle = handle
        self.frames: list[Any] = []
        self.placement = TAB
        self.downloads: Path | None = None
        self.tabs_before: set[str] = set()
        self.checkpoints = Checkpoints()
        self.pointer = (0, 0)
        self.left_loading = False
        self.points_in_frame = False  # whether the driver counts a pointer's points from the current frame's corner
        self.closed = False
        self._introduced = False

    @property
    def driver(self) -> Any:
        """The browser's driver. Sessions of one browser take turns: see :meth:`activate`."""
        return self.browser.driver

    @property
    def viewport(self) -> tuple[int, int] | None:
        """The size its tabs were given, if it is not the browser's."""
        return None

    def introduce(self) -> str:
        """What this browser lacks, in one line, the first time; nothing after that."""
        told, self._introduced = self._introduced, True
        return "" if told else self.browser.untold

    # ---- places -----------------------------------------------------------------------------------
    @abstractmethod
    def activate(self) -> None:
        """Make the driver look at this session's current tab and frame."""

    def switch(self, handle: str) -> None:
        """Make a tab the current one."""
        self.driver.switch_to.window(handle)
        self.handle, self.frames, self.placement = handle, [], TAB
        self.browser.active = self

    def enter(self, element: Any) -> None:
        """Go into a frame of the current one."""
        self.driver.switch_to.frame(element)
        self.frames.append(element)

    def leave(self, count: int | None = None) -> None:
        """Leave ``count`` frames, or all of them."""
        kept = self.frames[: len(self.frames) - count] if count else []
        self.driver.switch_to.default_content()
        self.frames = []
        for element in kept:
            self.enter(element)

    def place_frame(self) -> Placement:
        """Where the current frame's own viewport lies in the tab's, now. Pages scroll and move, so it is
        measured when it is needed."""
        self.placement = TAB
        if self.frames:
            self.driver.switch_to.default_content()
            for element in self.frames:
                self.placement = self.placement.holding(Placement(**self.page("inset", el=element)))
                self.driver.switch_to.frame(element)
        return self.placement

    @property
    def framed_apart(self) -> bool:
        """Whether the current frame is drawn by another process than its tab's page."""
        return False

    @property
    @abstractmethod
    def tabs(self) -> list[str]:
        """The handles of this session's tabs, in the order they opened."""

    def handles_now(self) -> list[str]:
        """Like :attr:`tabs`, for use inside :meth:`Browser.wait_for`."""
        return self.tabs

    @abstractmethod
    def titles(self) -> dict[str, tuple[str, str]]:
        """Title and address of each tab by handle, in the order the tabs opened."""

    @abstractmethod
    def open_tab(self) -> str:
        """Open an empty tab, which is not the current one yet; its handle."""

    @abstractmethod
    def opener(self, handle: str) -> str | None:
        """The tab that opened this one, where that is known."""

    @abstractmethod
    def resize(self, width: int, height: int) -> None:
        """Give every tab this viewport, in CSS pixels."""

    @property
    @abstractmethod
    def dialog(self) -> Dialog | None:
        """The dialog open in the current tab."""

    # ---- the page ---------------------------------------------------------------------------------
    def page(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run one command of the page script in the current frame; the answer is its dict.

        Raises what the driver raises; :mod:`.actionability` decides what may be tried again.
        """
        if self.dialog is not None:
            raise dialog_open(self.dialog)
        return self._page(command, arguments)

    def script(self, source: str, command: str, **arguments: Any) -> dict[str, Any]:
        """Run one command of another script made like the page script, where that runs: out of the page's reach,
        if the browser has such a place."""
        if self.dialog is not None:
            raise dialog_open(self.dialog)
        return self._run(source, command, arguments)

    def _page(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._run(PAGE_SCRIPT, command, arguments)

    def _run(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.driver.execute_async_script(source, command, arguments)
        if not isinstance(found, dict):
            raise StepProblem(f"the page answered {command} with {type(found).__name__}; is it a web page?")
        return found

    def page_in(
        self, frames: list[Any], command: str, *, source: str = PAGE_SCRIPT, **arguments: Any
    ) -> dict[str, Any]:
        """Like :meth:`page`, or :meth:`script` with its ``source``, in the frame that a chain of elements leads to
        from the tab's page."""
        self._go_into(frames)
        try:
            return self.script(source, command, **arguments)
        finally:
            self._come_back()

    def _come_back(self) -> None:
        """Into the current frame again. Where it is gone that is the page, as drivers have it: the page script
        notices, and the step that asks it says so."""
        from selenium.common.exceptions import (
            NoSuchElementException,
            NoSuchFrameException,
            StaleElementReferenceException,
        )

        try:
            self._go_into(self.frames)
        except (NoSuchElementException, NoSuchFrameException, StaleElementReferenceException):
            self.driver.switch_to.default_content()

    def _go_into(self, frames: list[Any]) -> None:
        self.driver.switch_to.default_content()
        for element in frames:
            self.driver.switch_to.frame(element)

    def holds(self, element: Any) -> bool | None:
        """Whether the document an element was found in is still there, as far as is known without asking the page;
        None where it is not."""
        return None

    def closed_roots(self, frames: list[Any] | None = None) -> list[Any]:
        """The closed shadow roots of a frame's document, the current one's if none is named, where the browser
        tells; the page script takes them as ``closed``."""
        return []

    @abstractmethod
    def evaluate(self, expression: str, timeout: float = 10) -> Any:
        """A JavaScript expression's plain value in the current tab's main frame."""

    def unblock(self) -> str:
        """End what keeps the current tab from everything else: a script of its page, or the page that it goes to and
        that does not come. What it was, as a line for the card; empty where there was nothing."""
        return ""

    def load_again(self) -> bool:
        """Give up the current tab, whose script a driver waits for, and load its page again in another; whether that
        was done."""
        return False

    @abstractmethod
    def parses(self, body: str, timeout: float) -> bool:
        """Whether JavaScript, as the body of a function, can be read at all; nothing of it runs."""

    @abstractmethod
    def settle_signals(self, expression: str = "0") -> Any:
        """Return once every message the page sent so far has been received; the page is asked for a JavaScript
        expression's value meanwhile, which is None where it was not answered."""

    def travel(self, go: Callable[[], None], seconds: float) -> None:
        """Run a driver's navigation command; return when the new document is there. Raises what the driver raises."""
        go()

    @abstractmethod
    def begin(self, url: str) -> bool:
        """Begin to go to an address, waiting for nothing; whether it goes on loading."""

    @abstractmethod
    def stop_loading(self) -> None:
        """Give up on what the current tab is loading."""

    @abstractmethod
    def cookies(self, url: str) -> dict[str, str]:
        """The cookies a request to ``url`` would carry."""

    # ---- the second channel -----------------------------------------------------------------------
    def devtools(self, what: str, instead: str) -> Tab:
        """The current tab over Chromium's own protocol, for what WebDriver cannot do.

        Raises :class:`Unsupported` where there is none: ``what`` needs it, and what to do ``instead``.
        """
        raise Unsupported(f"{what} needs Chromium's DevTools protocol, which {self.browser.name} lacks; {instead}")

    def intercept(self, what: str, instead: str) -> tuple[Interception, list[str]]:
        """The browser's rules for requests, and the DevTools sessions of this user's tabs. Raises as
        :meth:`devtools` does."""
        self.devtools(what, instead)
        raise NotImplementedError("an engine with a second channel says how it intercepts")

    # ---- pictures and files -----------------------------------------------------------------------
    @abstractmethod
    def picture(self, timeout: float) -> bytes:
        """The current tab's viewport as PNG bytes."""

    @abstractmethod
    def picture_of(self, x: float, y: float, width: float, height: float, timeout: float) -> bytes:
        """A rectangle of the document (CSS pixels from its top left corner), also beyond the viewport, as PNG."""

    @abstractmethod
    def document_size(self, timeout: float) -> tuple[float, float]:
        """Width and height of the whole document, in CSS pixels."""

    def choose(self, element: Any, paths: list[Path]) -> None:
        """Choose files of this machine in a file input; a browser on a grid is sent them first."""
        text = "\n".join(str(path) for path in paths)
        if self.browser.spec.grid:
            from selenium.webdriver.remote.file_detector import LocalFileDetector

            with self.driver.file_detector_context(LocalFileDetector):
                element.send_keys(text)
        else:
            element.send_keys(text)

    @abstractmethod
    def files(self) -> dict[str, Download]:
        """The downloads of this session so far, by key. Raises :class:`Unsupported` where nobody can tell."""

    @abstractmethod
    def fetch(self, download: Download, place: Path) -> None:
        """Move a completed download to ``place``, on this machine."""

    @abstractmethod
    def close(self) -> None:
        """Drop the context with everything in it. Can be called twice."""
