"""One user in a browser: what verbs and the pipeline may ask of a context of its own, whichever engine it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import StepProblem, Unsupported
from .cdp import Tab
from .checkpoints import Checkpoints
from .faults import dialog_open
from .interception import Interception
from .placement import TAB, Placement
from .signals import Dialog

if TYPE_CHECKING:
    from .engine import Browser

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
        self.taken: set[str] = set()
        """Downloads that were moved to where a step wanted them, by key."""
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
