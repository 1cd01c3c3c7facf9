"""The one user of a plain browser: its tabs, dialogs and downloads are asked for, its pictures pieced together."""

from __future__ import annotations

import contextlib
import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BrowserGone, NavigationFailed, StepProblem, StepTimeout, UnexpectedDialog
from .faults import dialog_open, translate
from .session import PAGE_SCRIPT, Download, Session
from .signals import Dialog

if TYPE_CHECKING:
    from .plain import PlainBrowser

ANSWER_SECONDS = 3.0
LOOK_SECONDS = 0.05
"""How long to wait before what tells nothing by itself is asked again."""
ASK_AGAIN_SECONDS = 1.0
_SCROLL = """
    const [x, y, done] = arguments;
    const frame = () => new Promise((go) => { requestAnimationFrame(go); setTimeout(go, 500); });
    scrollTo({ left: x, top: y, behavior: "instant" });
    frame().then(frame).then(frame).then(() => done([scrollX, scrollY]));
"""
_PARTIAL = (".wkdownload", ".part", ".download", ".crdownload")


class PlainSession(Session):
    """The one user of a plain browser."""

    browser: PlainBrowser

    def __init__(self, browser: PlainBrowser, name: str, handle: str) -> None:
        super().__init__(browser, name, handle)
        self.points_in_frame = browser.spec.browser == "firefox"
        self._size = browser.spec.viewport
        self._loaded_down = False
        self._order: list[str] = [handle]
        self._openers: dict[str, str] = {}

    @contextlib.contextmanager
    def _told(self, timeout: float = 10) -> Iterator[None]:
        """The driver's exceptions as ours. One that came too late leaves the browser in doubt."""
        from selenium.common.exceptions import UnexpectedAlertPresentException, WebDriverException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except UnexpectedAlertPresentException:
            raise dialog_open(self.dialog) from None
        except (WebDriverException, HTTPError, OSError) as error:
            problem = translate(error, timeout)
            if isinstance(problem, StepTimeout):
                self.browser.check_answers()
            raise problem from error

    # ---- places -----------------------------------------------------------------------------------
    def activate(self) -> None:
        if self.browser.active is not self:
            self.driver.switch_to.window(self.handle)
            self.browser.active = self
            for frame in self.frames:
                self.driver.switch_to.frame(frame)
        if self._loaded_down:  # MiniBrowser shows a bar with its downloads for a while, and takes it from the page
            self._fit()

    def switch(self, handle: str) -> None:
        super().switch(handle)
        self._fit()  # a window that a page opens has a size of its own

    @property
    def tabs(self) -> list[str]:
        try:
            with self._told():
                now = self.driver.window_handles  # in no order
        except StepProblem:  # a driver without its browser has no name for that
            raise BrowserGone("the browser is gone; the next step replaces it") from None
        for handle in now:
            if handle not in self._order:
                self._order.append(handle)
                self._openers[handle] = self.handle
        self._order = [handle for handle in self._order if handle in now]
        return list(self._order)

    def titles(self) -> dict[str, tuple[str, str]]:
        from selenium.common.exceptions import UnexpectedAlertPresentException

        found = {}
        for handle in self.tabs:
            with self._told():
                if handle != self.handle or self.frames:
                    self.driver.switch_to.window(handle)
                try:
                    found[handle] = (self.driver.title, self.driver.current_url)
                except UnexpectedAlertPresentException:  # a page behind a dialog is not asked
                    found[handle] = ("", "")
        if len(found) > 1 or self.frames:
            self._come_back()
        return found

    def _come_back(self) -> None:
        self.driver.switch_to.window(self.handle)
        super()._come_back()

    def open_tab(self) -> str:
        from selenium.webdriver.remote.command import Command

        # a tab of a WebKitGTK window is not drawn while another one is in front; a window is
        kind = "window" if self.browser.spec.browser == "webkitgtk" else "tab"
        handle = str(self.driver.execute(Command.NEW_WINDOW, {"type": kind})["value"]["handle"])
        self._order.append(handle)
        return handle

    def opener(self, handle: str) -> str | None:
        return self._openers.get(handle)

    def resize(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._fit()

    def _fit(self) -> None:
        """Give the current tab the viewport that every tab has."""
        if self.dialog is not None:
            return
        width, height = self._size
        for _ in range(2):  # what stands around the page may itself depend on the width
            inside = [int(n) for n in str(self.evaluate("[innerWidth, innerHeight].join()")).split(",")]
            if inside == [width, height]:
                return
            outside = self.driver.get_window_size()
            self.driver.set_window_size(outside["width"] + width - inside[0], outside["height"] + height - inside[1])

    @property
    def dialog(self) -> Dialog | None:
        from selenium.common.exceptions import NoAlertPresentException, NoSuchWindowException

        with self._told():
            try:
                return Dialog("dialog", self.driver.switch_to.alert.text)
            except (NoAlertPresentException, NoSuchWindowException):
                return None

    # ---- the page ---------------------------------------------------------------------------------
    def page(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Like :meth:`Session.page`. A dialog in the way is met by the script, without being asked for first."""
        return self._run(PAGE_SCRIPT, command, arguments)

    def script(self, source: str, command: str, **arguments: Any) -> dict[str, Any]:
        return self._run(source, command, arguments)

    def _run(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from selenium.common.exceptions import NoSuchFrameException

        elements: list[Any] = []
        if arguments.get("el") is not None:  # WebKit's driver knows elements only where they are arguments of their own
            elements.append(arguments.pop("el"))
            arguments["loose"] = True
        try:
            found = self.driver.execute_async_script(source, command, arguments, *elements)
        except NoSuchFrameException:
            if self.frames:
                raise
            return {"state": "stale", "again": True}  # WebKit's word for a document that is being replaced
        if found is None:  # WebKit's answer when a dialog opens meanwhile
            dialog = self.dialog
            if dialog is not None:
                raise dialog_open(dialog)
        if not isinstance(found, dict):
            raise StepProblem(f"the page answered {command} with {type(found).__name__}; is it a web page?")
        return found

    def evaluate(self, expression: str, timeout: float = 10) -> Any:
        from selenium.common.exceptions import JavascriptException, NoSuchFrameException

        deadline = time.monotonic() + timeout
        with self._told(timeout):
            self.browser.limit("script", min(timeout, ANSWER_SECONDS))
            if self.frames:
                self.driver.switch_to.default_content()
            try:
                while True:
                    try:
                        return self.driver.execute_script(f"return (\n{expression}\n)")
                    except NoSuchFrameException:  # WebKit's word for a document that is being replaced
                        if time.monotonic() > deadline:
                            raise
                        threading.Event().wait(LOOK_SECONDS)
            except JavascriptException:
                return None
            finally:
                if self.frames:
                    self._come_back()

    def parses(self, body: str, timeout: float) -> bool:
        from selenium.common.exceptions import JavascriptException

        try:
            self.driver.execute_script(f"if (false) {{ {body}\n }}")
        except JavascriptException:
            return False
        return True

    def settle_signals(self, expression: str = "0") -> Any:
        """There are none, so nothing is asked."""
        return None

    def travel(self, go: Callable[[], None], seconds: float) -> None:
        """A driver that waits for a page waits with every later command, too; so it does not wait, and the
        document itself tells when there is another one. What a page was asked when it went into WebKit's page cache
        is never answered, so it is asked again soon."""
        if self.browser.spec.browser != "webkitgtk":
            go()
            return
        known, begun = self.files().keys(), self._document()
        go()

        def arrived() -> bool:
            fresh = self.files().keys() - known
            if fresh:
                raise NavigationFailed(f"that is a download ({min(fresh)}), not a page; use %download with its link")
            try:
                with self.browser.patience.at_most(ASK_AGAIN_SECONDS):
                    now = self._document()
            except UnexpectedDialog:
                return True  # opened by the new page
            except StepTimeout:
                return False  # between two pages nobody answers; a browser that never does is found out elsewhere
            return now is not None and now[:2] != (begun or ("", ""))[:2] and now[2] != "loading"

        if not self.browser.wait_for(arrived, seconds):
            self.stop_loading()
            raise StepTimeout(f"no new page within {seconds:.1f} s")

    def _document(self) -> tuple[str, str, str] | None:
        """What tells a document from the one before: its root element, where it is, and how far it is.

        Not when it began: WebKit works ``timeOrigin`` out anew from two clocks each time it is asked, and on a busy
        machine the answers differ.
        """
        from selenium.webdriver.remote.webelement import WebElement

        found = self.evaluate("[document.documentElement, location.href, document.readyState]", ANSWER_SECONDS)
        if not isinstance(found, list):
            return None
        root = found[0]
        return (root.id if isinstance(root, WebElement) else "", str(found[1]), str(found[2]))

    def begin(self, url: str) -> bool:
        self.driver.execute_script("location.href = arguments[0]", url)
        return True

    def stop_loading(self) -> None:
        self.driver.execute_script("window.stop()")

    def cookies(self, url: str) -> dict[str, str]:
        return {c["name"]: c["value"] for c in self.driver.get_cookies()}

    # ---- pictures and files -----------------------------------------------------------------------
    def picture(self, timeout: float) -> bytes:
        with self._told(timeout):
            png: bytes = self.driver.get_screenshot_as_png()
        return png

    def picture_of(self, x: float, y: float, width: float, height: float, timeout: float) -> bytes:
        """Pieced together from viewports, scrolling, since WebDriver draws nothing beyond one. What is
        fixed to the viewport is in every piece."""
        from PIL import Image

        deadline = time.monotonic() + timeout
        left, top, across, down, scale = self._numbers("[scrollX, scrollY, innerWidth, innerHeight, devicePixelRatio]")
        whole = Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))
        try:
            for row in _starts(y, height, down):
                for column in _starts(x, width, across):
                    if time.monotonic() > deadline:
                        raise BrowserGone(f"{self.browser.name} did not draw the page within {timeout:g} s")
                    at = self._scroll(column, row)
                    with Image.open(io.BytesIO(self.picture(timeout))) as piece:
                        whole.paste(piece, (round((at[0] - x) * scale), round((at[1] - y) * scale)))
        finally:
            self._scroll(left, top)
        buffer = io.BytesIO()
        whole.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def _scroll(self, x: float, y: float) -> tuple[float, float]:
        """Scroll the tab's own document and wait until it is drawn so; where it has come to."""
        with self._told():
            if self.frames:
                self.driver.switch_to.default_content()
            at = self.driver.execute_async_script(_SCROLL, x, y)
            if self.frames:
                self._come_back()
        return float(at[0]), float(at[1])

    def _numbers(self, expression: str) -> list[float]:
        return [float(n) for n in str(self.evaluate(f"({expression}).join()")).split(",")]

    def document_size(self, timeout: float) -> tuple[float, float]:
        root = "document.documentElement"
        width, height = self._numbers(f"[{root}.scrollWidth, {root}.scrollHeight]")
        return width, height

    def files(self) -> dict[str, Download]:
        folder = self.browser.folder / "downloads"
        if "downloads" in self.browser.lacks or not folder.is_dir():
            return {}
        names = {path.name for path in folder.iterdir()}
        whole = {name: name for name in names if not name.endswith(_PARTIAL)}
        begun = {name.removesuffix(suffix) for name in names for suffix in _PARTIAL if name.endswith(suffix)}
        return {
            name: Download(name, name, "", "running" if name in begun else "completed") for name in {*whole, *begun}
        }

    def fetch(self, download: Download, place: Path) -> None:
        shutil.move(self.browser.folder / "downloads" / download.key, place)
        self._loaded_down = self.browser.spec.browser == "webkitgtk"

    def close(self) -> None:
        """The driver session ends with its user, and the browser with it."""
        if not self.closed:
            self.closed = True
            self.browser.close()
            self.browser.released()


def _starts(begin: float, length: float, step: float) -> list[float]:
    """Where pieces of ``step`` begin that cover a length."""
    return [begin + k * step for k in range(max(1, -int(-length // max(1, step))))]
