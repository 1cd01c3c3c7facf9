"""Chrome, Chromium and Edge: a driver, a DevTools channel beside it, and clean contexts leased from it.

A session is a browser context of its own (cookies, storage, cache, tabs). The first session takes
the new browser's own context, every later one a fresh context; no context is ever handed out twice,
so nothing of one test can reach the next.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import BrowserGone, StepTimeout, TabGone, UnexpectedDialog, Unsupported
from .cdp import Channel, CommandRefused, answer, browser_url
from .engine import Browser, Download, Session
from .faults import dialog_open
from .launch import DEVICES, LaunchSpec, start
from .signals import Dialog

DOWNLOADS_KEPT = 200
SLICE = 4 * 2**20
SLICE_SECONDS = 30
_SLICE = """new Promise((go, fail) => {
  const reader = new FileReader();
  Object.assign(reader, { onload: () => go(reader.result), onerror: () => fail(reader.error) });
  reader.readAsDataURL(chosen.files[0].slice(%(start)d, %(end)d));
})"""
_DOMAINS = ("Page.enable", "Runtime.enable", "Network.enable", "Log.enable")


@dataclass(slots=True)
class Target:
    """A tab: its DevTools session and the context it lives in."""

    target_id: str
    session_id: str
    context_id: str
    opener: str | None


class ChromiumBrowser(Browser):
    """A browser process with a channel to it."""

    def __init__(self, driver: Any, spec: LaunchSpec) -> None:
        super().__init__(driver, spec)
        self._targets: dict[str, Target] = {}
        self._gone: set[str] = set()
        self._by_session: dict[str, str] = {}
        self._viewports: dict[str, tuple[int, int]] = {}
        self._own_context_used = False
        self.downloads: dict[str, Download] = {}
        self._node_places: list[str] = []
        self._connect()

    @classmethod
    def launch(cls, spec: LaunchSpec) -> ChromiumBrowser:
        """Start a browser. Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        driver = start(spec)
        try:
            return cls(driver, spec)
        except BaseException:
            driver.quit()
            raise

    # ---- channel ------------------------------------------------------------------------------
    @property
    def channel(self) -> Channel:
        return self._channel

    def _connect(self) -> None:
        capabilities = self.driver.capabilities
        address = next(
            (
                capabilities[key]["debuggerAddress"]
                for key in ("goog:chromeOptions", "ms:edgeOptions")
                if key in capabilities
            ),
            None,
        )
        url = capabilities.get("se:cdp") or (browser_url(address) if address else None)
        if url is None:
            raise Unsupported(f"{self.name} has no DevTools channel")
        channel = self._channel = Channel(url, self._listen)
        channel.call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        channel.call(
            "Target.setAutoAttach",
            {
                "autoAttach": True,
                # a tab the page opens waits until we listen; without this the driver never gets it
                "waitForDebuggerOnStart": True,
                "flatten": True,
                "filter": [{"type": "page"}],
            },
        )

    def _listen(self, method: str, params: dict[str, Any], session_id: str | None) -> None:
        if method == "Target.attachedToTarget":
            info = params["targetInfo"]
            target = Target(
                info["targetId"], params["sessionId"], info.get("browserContextId", ""), info.get("openerId")
            )
            self._prepare(target)
            with self._arrived:
                self._targets[target.target_id] = target
                self._by_session[target.session_id] = target.target_id
                self._arrived.notify_all()
        elif method in ("Target.targetDestroyed", "Target.detachedFromTarget"):
            gone = params.get("targetId") or self._by_session.get(params.get("sessionId", ""), "")
            with self._arrived:
                self._gone.add(gone)
                target_gone = self._targets.pop(gone, None)
                self._arrived.notify_all()
                if target_gone:
                    self._by_session.pop(target_gone.session_id, None)
            self.signals.forget(gone)
        elif method in ("Browser.downloadWillBegin", "Browser.downloadProgress"):
            with self._arrived:
                self._note_download(params)
                self._arrived.notify_all()
        elif session_id is not None:
            self.signals.receive(self._by_session.get(session_id, ""), method, params)
            if method.startswith("Page.javascriptDialog"):
                with self._arrived:
                    self._arrived.notify_all()

    def _note_download(self, event: dict[str, Any]) -> None:
        key, state = event["guid"], event.get("state")
        if "suggestedFilename" in event:
            self.downloads[key] = Download(key, event["suggestedFilename"], event.get("url", ""), "running")
            for old in list(self.downloads)[:-DOWNLOADS_KEPT]:
                del self.downloads[old]
        elif key in self.downloads and state in ("completed", "canceled"):
            self.downloads[key] = replace(self.downloads[key], state=state)

    def _prepare(self, target: Target) -> None:
        for domain in _DOMAINS:
            self.channel.post(domain, session=target.session_id)
        self._emulate(target, self._viewports.get(target.context_id, self.spec.viewport))
        self.channel.post("Runtime.runIfWaitingForDebugger", session=target.session_id)

    def _emulate(self, target: Target, viewport: tuple[int, int]) -> None:
        device = DEVICES.get(self.spec.device or "")
        width, height = (device.width, device.height) if device else viewport
        if not self.spec.headless and device is None:
            return  # a window that a person looks at keeps its own size
        metrics = {
            "width": width,
            "height": height,
            "deviceScaleFactor": device.scale if device else 1,
            "mobile": bool(device and device.mobile),
        }
        self.channel.post("Emulation.setDeviceMetricsOverride", metrics, target.session_id)
        if device:
            self.channel.post("Emulation.setUserAgentOverride", {"userAgent": device.agent}, target.session_id)
            self.channel.post("Emulation.setTouchEmulationEnabled", {"enabled": device.mobile}, target.session_id)

    def target(self, target_id: str, timeout: float = 5) -> Target:
        """The tab's DevTools session; waits for it to be attached. Raises :class:`TabGone`."""
        with self._arrived:
            known = {target_id}
            self._arrived.wait_for(
                lambda: known & self._targets.keys() or known & self._gone or not self.channel.open, timeout
            )
            if target_id not in self._targets and self.channel.open:
                raise TabGone("the current tab was closed; go on with %tab 0 or %tab new (%tabs lists them)")
            if target_id not in self._targets:
                raise BrowserGone("the browser closed its DevTools connection; the next step starts a new one")
            return self._targets[target_id]

    def targets(self, context_id: str) -> list[Target]:
        """The tabs of a context, in the order they opened."""
        with self._arrived:
            return [t for t in self._targets.values() if t.context_id == context_id]

    # ---- facts --------------------------------------------------------------------------------
    @property
    def alive(self) -> bool:
        """Whether the driver process and the DevTools connection are there; asks neither anything."""
        service = getattr(self.driver, "service", None)
        process = getattr(service, "process", None)
        return not self.closed and self.channel.open and (process is None or process.poll() is None)

    # ---- sessions -----------------------------------------------------------------------------
    def lease(self, name: str = "main", downloads: Path | None = None) -> ChromiumSession:
        """A session in a context nobody has used."""
        with self.lock:
            if not self._own_context_used:
                self._own_context_used = True
                handle = self.driver.current_window_handle
                context = self.target(handle).context_id
            else:
                context = self.channel.call("Target.createBrowserContext", {"disposeOnDetach": False})[
                    "browserContextId"
                ]
                handle = self.channel.call(
                    "Target.createTarget",
                    {"url": "about:blank", "browserContextId": context, "newWindow": True},
                )["targetId"]
            session = ChromiumSession(self, name, context, handle)
            if self.spec.grid:
                self._node_places.append(self.place_on_node(context))
            if downloads is not None:
                downloads.mkdir(parents=True, exist_ok=True)
                self.channel.call(
                    "Browser.setDownloadBehavior",
                    {
                        "behavior": "allowAndName",
                        "browserContextId": context,
                        "downloadPath": self.place_on_node(context) if self.spec.grid else str(downloads),
                        "eventsEnabled": True,
                    },
                )
                session.downloads = downloads
            session.activate()
            return session

    def place_on_node(self, context_id: str) -> str:
        """A folder for a context's downloads, on the machine of the grid that runs the browser."""
        windows = "windows" in str(self.driver.capabilities.get("platformName", "")).lower()
        return rf"C:\Windows\Temp\jbts-{context_id}" if windows else f"/tmp/jbts-{context_id}"  # noqa: S108

    def resize(self, context_id: str, width: int, height: int) -> None:
        """Give every tab of a context this viewport, in CSS pixels."""
        self._viewports[context_id] = (width, height)
        for target in self.targets(context_id):
            self._emulate(target, (width, height))

    def close(self) -> None:
        """End browser and driver. Ends the channel first, so that quitting never waits for it."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            for place in self._node_places:  # where the node is this machine, its folders are ours to clear
                shutil.rmtree(place, ignore_errors=True)
            service = getattr(self.driver, "service", None)
            process = getattr(service, "process", None)
            if process is not None and process.poll() is not None and self.channel.open:
                self._end_without_driver()
            self.channel.close()
            try:
                self.driver.quit()
            except _driver_errors():
                pass  # it was dead already, which is what was wanted
            finally:
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait(5)

    def _end_without_driver(self) -> None:
        """The driver died and left the browser running: ask the browser itself."""
        with contextlib.suppress(BrowserGone, StepTimeout):  # it ends, or hangs up while it does
            self.channel.call("Browser.close", timeout=5)


def _driver_errors() -> tuple[type[BaseException], ...]:
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    return (OSError, WebDriverException, HTTPError)


class ChromiumSession(Session):
    """A browser context with its tabs."""

    browser: ChromiumBrowser

    def __init__(self, browser: ChromiumBrowser, name: str, context_id: str, handle: str) -> None:
        super().__init__(browser, name, handle)
        self.context_id = context_id

    @property
    def _target(self) -> str:
        """The DevTools session of the current tab."""
        return self.browser.target(self.handle).session_id

    def activate(self) -> None:
        """Make the driver look at this session's current tab and frame."""
        if self.browser.active is not self:
            self.driver.switch_to.window(self.handle)
            self.browser.active = self
            for frame in self.frames:
                self.driver.switch_to.frame(frame)
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

    def settle_signals(self) -> None:
        """Return once every message the page sent so far has been received."""
        self.browser.channel.call("Browser.getVersion")
        if self.dialog is None:
            try:
                self.evaluate("0")
            except (CommandRefused, TabGone, UnexpectedDialog):
                return  # the document is being replaced: the messages of the old one are in already

    def evaluate(self, expression: str, timeout: float = 10) -> Any:
        """A JavaScript expression's plain value in the current tab's main frame, past the driver."""
        session_id = self.browser.target(self.handle).session_id
        command, browser = "Runtime.evaluate", self.browser
        asked = browser.channel.post(command, {"expression": expression, "returnByValue": True}, session_id)
        asked.add_done_callback(lambda _: browser.wake())
        browser.wait_for(lambda: asked.done() or self.dialog is not None, timeout)
        if not asked.done() and self.dialog is not None:  # the page stands still until it is answered
            raise dialog_open(self.dialog)
        return answer(asked, command, 0 if asked.done() else 0.01).get("result", {}).get("value")

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
        self.browser.channel.call("Page.stopLoading", session=self._target)

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
        return dict(self.browser.downloads)

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
            if browser.closed or not browser.channel.open:
                return
            try:
                browser.channel.call("Target.disposeBrowserContext", {"browserContextId": self.context_id})
            except (BrowserGone, StepTimeout):
                pass  # it is gone, and the context with it
            except CommandRefused:
                # The browser's own context cannot be disposed of; it is never leased again, and its
                # last tab must stay, or the browser would end.
                for handle in self.tabs[1:]:
                    browser.channel.call("Target.closeTarget", {"targetId": handle})
