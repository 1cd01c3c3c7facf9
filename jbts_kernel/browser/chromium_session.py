"""One user of a Chromium browser: a browser context with its tabs, asked and shown over DevTools.

Questions about a page go into a world of their own (:mod:`.world`), pictures and sizes past the driver; the driver
presses, types and goes from page to page.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BrowserGone, StepTimeout, TabGone, UnexpectedDialog
from . import world
from .cdp import CommandRefused, Tab, answer
from .faults import dialog_open
from .interception import Interception
from .placement import TAB, Placement
from .session import PAGE_SCRIPT, Download, Session
from .signals import Dialog

if TYPE_CHECKING:
    from .chromium import ChromiumBrowser

SLICE = 4 * 2**20
SLICE_SECONDS = 30
_SLICE = """new Promise((go, fail) => {
  const reader = new FileReader();
  Object.assign(reader, { onload: () => go(reader.result), onerror: () => fail(reader.error) });
  reader.readAsDataURL(chosen.files[0].slice(%(start)d, %(end)d));
})"""
ALIVE_SECONDS = 5.0
STOP_SECONDS = 1.0
LOOK_SECONDS = 0.02
BLOCKED_SECONDS = 0.15
"""How long a page may need for nothing before it is taken to be blocked by a script of its own."""


class ChromiumSession(Session):
    """A browser context with its tabs."""

    enters_closed_roots = True
    apart = True

    browser: ChromiumBrowser

    def __init__(self, browser: ChromiumBrowser, name: str, context_id: str, handle: str) -> None:
        super().__init__(browser, name, handle)
        self.context_id = context_id

    @property
    def _target(self) -> str:
        """The DevTools session of the current tab."""
        return self.browser.target(self.handle).session_id

    @property
    def viewport(self) -> tuple[int, int] | None:
        return self.browser.viewports.get(self.context_id)

    def activate(self) -> None:
        """Make the driver look at this session's current tab and frame. Raises :class:`TabGone`."""
        from selenium.common.exceptions import (
            NoSuchElementException,
            NoSuchFrameException,
            StaleElementReferenceException,
        )

        if self.browser.active is not self:
            self.browser.driver.switch_to.window(self.handle)
            try:
                for frame in self.frames:
                    self.browser.driver.switch_to.frame(frame)
            except (NoSuchElementException, NoSuchFrameException, StaleElementReferenceException):
                self.browser.driver.switch_to.default_content()
                self.frames, self.placement = [], TAB
                raise TabGone(
                    "the current frame is gone; steps go on in the page itself, or in another %frame"
                ) from None
            self.browser.active = self
        if self.dialog is None and len(self.tabs) > 1:
            # a tab behind another one is not drawn: its picture would take seconds
            session_id = self.browser.target(self.handle).session_id
            self.browser.channel.call("Page.bringToFront", session=session_id)

    def titles(self) -> dict[str, tuple[str, str]]:
        """Title and address of each tab by handle, in the order the tabs opened."""
        infos = self.browser.channel.call("Target.getTargets")["targetInfos"]
        by_id = {info["targetId"]: (info.get("title", ""), info.get("url", "")) for info in infos}
        return {handle: by_id.get(handle, ("", "")) for handle in self.tabs}

    @property
    def tabs(self) -> list[str]:
        """The handles of this session's tabs, in the order they opened."""
        return [t.target_id for t in self.browser.targets(self.context_id)]

    @property
    def dialog(self) -> Dialog | None:
        """The dialog open in the current tab."""
        return self.browser.signals.dialog(self.handle)

    def settle_signals(self, expression: str = "0") -> Any:
        asked, command = self.browser.channel.post("Browser.getVersion"), "Browser.getVersion"
        said = None
        if self.dialog is None:
            # the document may be being replaced: then the messages of the old one are in already
            with contextlib.suppress(CommandRefused, TabGone, UnexpectedDialog):
                said = self.evaluate(expression)
        answer(asked, command, self.browser.channel.bounded(10))
        return said

    def evaluate(self, expression: str, timeout: float = 10) -> Any:
        """A JavaScript expression's plain value in the current tab's main frame, past the driver."""
        session_id = self.browser.target(self.handle).session_id
        command, browser = "Runtime.evaluate", self.browser
        asked = browser.channel.post(command, {"expression": expression, "returnByValue": True}, session_id)
        browser.wait_answered(asked, self, timeout)
        if not asked.done() and self.dialog is not None:  # the page stands still until it is answered
            raise dialog_open(self.dialog)
        if not asked.done():
            browser.patience.suspect()
            raise StepTimeout("the page does not answer; a script of it may be blocking the tab")
        return answer(asked, command, 0).get("result", {}).get("value")

    def unblock(self) -> str:
        try:
            tab = self.browser.target(self.handle, timeout=0).session_id
            # a frame of another site has a process, and an endless script, of its own
            asked = [self._unblocked(one) for one in (tab, *self.browser.inner_sessions(self.handle))]
            return max(asked)  # one line says enough
        except (CommandRefused, StepTimeout, TabGone):
            return ""

    def load_again(self) -> bool:
        try:
            call, url = self.browser.channel.call, self.titles()[self.handle][1]
            handle = self.open_tab()
            call("Page.navigate", {"url": url}, self.browser.target(handle).session_id, timeout=ALIVE_SECONDS)
            call("Target.closeTarget", {"targetId": self.handle}, timeout=ALIVE_SECONDS)
        except (CommandRefused, StepTimeout, TabGone):
            return False
        self.handle, self.frames, self.placement, self.browser.active = handle, [], TAB, None
        return True

    def _unblocked(self, session_id: str) -> str:
        browser = self.browser
        if self.dialog is not None:
            return ""
        asked = browser.channel.post("Runtime.evaluate", {"expression": "0"}, session_id)
        browser.wait_answered(asked, self, BLOCKED_SECONDS)
        if asked.done() or self.dialog is not None:
            return ""
        browser.stop_waiting(self)  # while a tab goes to another page, the one it leaves cannot be asked
        browser.wait_answered(asked, self, BLOCKED_SECONDS)
        if asked.done() or self.dialog is not None:
            return "the page that a step led to had not come and is no longer waited for"
        # Only now: where nothing runs, it would end whatever runs next.
        browser.channel.call("Runtime.terminateExecution", session=session_id, timeout=ALIVE_SECONDS)
        return "a script of the page that blocked its tab was stopped"

    def _page(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(self.frames, command, arguments)
        except CommandRefused:
            if not self.frames or arguments.get("framed", True):
                raise
            return self._ask([], command, arguments)  # the frame is gone; what is asked is of its page anyway

    def _ask(self, frames: list[Any], command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._in_world(PAGE_SCRIPT, frames, command, arguments)

    def _run(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._in_world(source, self.frames, command, arguments)

    def _in_world(self, source: str, frames: list[Any], command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return world.run(self, source, command, arguments, frames, self.browser.script_limit)
        except world.OutOfReach:  # a driver that names elements in its own way
            return super()._run(source, command, arguments)

    def place_frame(self) -> Placement:
        self.placement = TAB
        for depth, element in enumerate(self.frames):
            inset = self._ask(self.frames[:depth], "inset", {"el": element})
            self.placement = self.placement.holding(Placement(**inset))
        return self.placement

    @property
    def framed_apart(self) -> bool:
        try:
            return bool(self.frames) and world.place(self, self.frames).session != self._target
        except (CommandRefused, world.OutOfReach):
            return False

    def page_in(
        self, frames: list[Any], command: str, *, source: str = PAGE_SCRIPT, **arguments: Any
    ) -> dict[str, Any]:
        if self.dialog is not None:
            raise dialog_open(self.dialog)
        try:
            return world.run(self, source, command, arguments, frames, self.browser.script_limit)
        except world.OutOfReach:
            return super().page_in(frames, command, source=source, **arguments)

    def holds(self, element: Any) -> bool | None:
        named = world.NAMED.fullmatch(element.id)
        document = self.browser.worlds.document(named.group(1)) if named else ""
        return None if named is None or document == "" else document == named.group(2)

    def closed_roots(self, frames: list[Any] | None = None) -> list[Any]:
        return world.closed_roots(self, self.frames if frames is None else frames, self.browser.script_limit)

    def devtools(self, what: str, instead: str) -> Tab:
        return Tab(self.browser.channel, self._target)

    def intercept(self, what: str, instead: str) -> tuple[Interception, list[str]]:
        return self.browser.intercepting, [t.session_id for t in self.browser.targets(self.context_id)]

    def open_tab(self) -> str:
        opened = self.browser.channel.call(
            "Target.createTarget", {"url": "about:blank", "browserContextId": self.context_id}
        )
        return self.browser.target(opened["targetId"]).target_id

    def opener(self, handle: str) -> str | None:
        return self.browser.target(handle).opener

    def resize(self, width: int, height: int) -> None:
        self.browser.resize(self.context_id, width, height)

    def parses(self, body: str, timeout: float) -> bool:
        asked = {"expression": f"(async function () {{ {body} }})", "sourceURL": "", "persistScript": False}
        reply = self.browser.channel.call("Runtime.compileScript", asked, self._target, timeout)
        return "exceptionDetails" not in reply

    def begin(self, url: str) -> bool:
        return not self.browser.channel.post("Page.navigate", {"url": url}, self._target).done()

    def stop_loading(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            try:
                self.browser.channel.call("Page.stopLoading", session=self._target)
                return
            except CommandRefused:  # between two documents, where for a moment there is no page
                if time.monotonic() > deadline:
                    return
                self.browser.look_again(LOOK_SECONDS)

    def cookies(self, url: str) -> dict[str, str]:
        found = self.browser.channel.call("Network.getCookies", {"urls": [url]}, self._target)["cookies"]
        return {c["name"]: c["value"] for c in found}

    def picture(self, timeout: float) -> bytes:
        return self._captured({"optimizeForSpeed": True}, timeout)

    def picture_of(self, x: float, y: float, width: float, height: float, timeout: float) -> bytes:
        rectangle = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        return self._captured({"captureBeyondViewport": True, "clip": rectangle}, timeout)

    def _captured(self, asked: dict[str, Any], timeout: float) -> bytes:
        reply = self.browser.channel.call("Page.captureScreenshot", {"format": "png", **asked}, self._target, timeout)
        return base64.b64decode(reply["data"])

    def document_size(self, timeout: float) -> tuple[float, float]:
        size = self.browser.channel.call("Page.getLayoutMetrics", {}, self._target, timeout)["cssContentSize"]
        return float(size["width"]), float(size["height"])

    def files(self) -> dict[str, Download]:
        ours = ("", self.context_id)
        return {key: one for key, one in self.browser.downloads.known.copy().items() if one.context in ours}

    def fetch(self, download: Download, place: Path) -> None:
        if self.browser.spec.grid:
            self._fetch_from_node(download, place)
            return
        assert self.downloads is not None, "every session has a download folder"
        shutil.move(self.downloads / download.key, place)  # also to another disk

    def _fetch_from_node(self, download: Download, place: Path) -> None:
        """Read a file on the grid's node through a tab of this context: put into a file input of an empty
        page, its bytes come over the channel in slices."""
        folder = self.browser.place_on_node(self.context_id)
        path = f"{folder}{'/' if folder.startswith('/') else chr(92)}{download.key}"
        channel, tab = self.browser.channel, self.open_tab()
        try:
            session = self.browser.target(tab).session_id

            def ask(expression: str) -> Any:
                asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
                return channel.call("Runtime.evaluate", asked, session, SLICE_SECONDS)["result"].get("value")

            made = "globalThis.chosen = Object.assign(document.createElement('input'), {type: 'file'})"
            node = channel.call("Runtime.evaluate", {"expression": made}, session)["result"]["objectId"]
            channel.call("DOM.setFileInputFiles", {"files": [path], "objectId": node}, session)
            size = int(ask("chosen.files[0].size"))
            with place.open("xb") as file:
                for start in range(0, size, SLICE):
                    text = str(ask(_SLICE % {"start": start, "end": start + SLICE}))
                    file.write(base64.b64decode(text.partition(",")[2]))
        finally:
            channel.call("Target.closeTarget", {"targetId": tab})

    def close(self) -> None:
        """Drop the context with everything in it. Can be called twice."""
        if self.closed:
            return
        self.closed = True
        browser = self.browser
        with browser.lock:
            if browser.active is self:
                browser.active = None
            browser.released()
            browser.intercepting.forget(self.context_id)
            if browser.closed or not browser.channel.open:
                return
            try:
                browser.channel.call("Target.disposeBrowserContext", {"browserContextId": self.context_id})
            except (BrowserGone, StepTimeout):
                pass  # it is gone, and the context with it
            except CommandRefused:
                self._abandon_own_context()

    def _abandon_own_context(self) -> None:
        """The browser's own context cannot be disposed of; it is never leased again. Its pages must not run
        on, but a browser without a tab ends: an empty one stays."""
        channel, left = self.browser.channel, self.tabs
        with contextlib.suppress(BrowserGone, StepTimeout, CommandRefused):
            channel.call("Target.createTarget", {"url": "about:blank", "newWindow": True})
            for handle in left:
                channel.call("Target.closeTarget", {"targetId": handle})
