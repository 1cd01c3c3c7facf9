"""What a step may ask of a browser, whichever engine it is.

A :class:`Browser` is one process with its driver, a :class:`Session` one user in it. Verbs and the
pipeline know these two and nothing below them. Behind them are :mod:`.chromium`, which has a second
channel beside its driver, and :mod:`.plain`, which has WebDriver alone. What an engine cannot do is
:class:`~jbts_kernel.errors.Unsupported`, with the browser's name and what does it instead.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import StepProblem, Unsupported
from .faults import dialog_open
from .launch import CHROMIUM_FAMILY, LaunchSpec, check_browser
from .signals import Dialog, Signals

PAGE_SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way. ``key`` tells it from every other of its session, ``url`` is empty where it is not known."""

    key: str
    name: str
    url: str
    state: Literal["running", "completed", "canceled"]


class Browser(ABC):
    """One browser process. Start it with :meth:`launch`; :meth:`close` ends it and can be called twice."""

    shares = True
    """Whether it holds several sessions apart; one that does not is started anew for each lease."""

    def __init__(self, driver: Any, spec: LaunchSpec) -> None:
        self.driver = driver
        self.spec = spec
        self.lock = threading.RLock()
        self.signals = Signals()
        self.active: Session | None = None
        self.closed = False
        self.lacks: dict[str, str] = {}  # what it cannot do: in a word, and in a sentence with what does it instead
        self._arrived = threading.Condition()
        self._timeouts: dict[str, float] = {}

    @classmethod
    def launch(cls, spec: LaunchSpec) -> Browser:
        """Start a browser of the engine that ``spec`` means.
        Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        if check_browser(spec.browser, spec.grid) in CHROMIUM_FAMILY:
            from .chromium import ChromiumBrowser

            return ChromiumBrowser.launch(spec)
        from .plain import PlainBrowser

        return PlainBrowser.launch(spec)

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
    def close(self) -> None:
        """End browser and driver. Can be called twice."""

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

    def __init__(self, browser: Browser, name: str, handle: str) -> None:
        self.browser = browser
        self.name = name
        self.handle = handle
        self.frames: list[Any] = []
        self.frame_offset = (0.0, 0.0)
        self.downloads: Path | None = None
        self.tabs_before: set[str] = set()
        self.pointer = (0, 0)
        self.left_loading = False
        self.points_in_frame = False  # whether the driver counts a pointer's points from the current frame's corner
        self.closed = False
        self._introduced = False

    @property
    def driver(self) -> Any:
        return self.browser.driver

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
        self.handle, self.frames, self.frame_offset = handle, [], (0.0, 0.0)
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

    def place_frame(self) -> tuple[float, float]:
        """Where the current frame's own viewport begins in the tab's, now, in CSS pixels. Pages scroll
        and move, so it is measured when it is needed."""
        if self.frames:
            left = top = 0.0
            self.driver.switch_to.default_content()
            for element in self.frames:
                inset = self.page("inset", el=element)
                left, top = left + float(inset["x"]), top + float(inset["y"])
                self.driver.switch_to.frame(element)
            self.frame_offset = (left, top)
        else:
            self.frame_offset = (0.0, 0.0)
        return self.frame_offset

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
        found = self.driver.execute_async_script(PAGE_SCRIPT, command, arguments)
        if not isinstance(found, dict):
            raise StepProblem(f"the page answered {command} with {type(found).__name__}; is it a web page?")
        return found

    @abstractmethod
    def evaluate(self, expression: str, timeout: float = 10) -> Any:
        """A JavaScript expression's plain value in the current tab's main frame."""

    @abstractmethod
    def parses(self, body: str, timeout: float) -> bool:
        """Whether JavaScript, as the body of a function, can be read at all; nothing of it runs."""

    @abstractmethod
    def settle_signals(self) -> None:
        """Return once every message the page sent so far has been received."""

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
