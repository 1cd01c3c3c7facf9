"""Chrome, Chromium and Edge: a driver, a DevTools channel beside it, and clean contexts leased from it.

A session is a browser context of its own (cookies, storage, cache, tabs). The first session takes
the new browser's own context, every later one a fresh context; no context is ever handed out twice,
so nothing of one test can reach the next.
"""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..errors import BrowserGone, StepTimeout, TabGone, Unsupported
from . import world
from .cdp import GONE, Channel, browser_url
from .chromium_session import ChromiumSession
from .engine import QUIT_SECONDS, Browser, driver_errors
from .grid import Address
from .interception import Interception
from .launch import DEVICES, LaunchSpec, start
from .lending import Loan, borrow, join
from .patience import SLACK, Patience
from .processes import Process, drop_scratch, end, end_all_in, make_scratch
from .processes import kill as kill_process
from .reconnect import connect, kill
from .session import Session
from .targets import Downloads, Target, Targets

# A tab the page opens waits until we listen; without this the driver never gets it.
_ATTACH = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
_DOMAINS = ("Page.enable", "Runtime.enable", "Network.enable", "Log.enable")
ALIVE_SECONDS = 5.0
DRIVER_SECONDS = 2.0
_NAVIGATIONS = ("get", "refresh", "goBack", "goForward")


def _unwanted(params: dict[str, Any]) -> None:
    """A picture that was on its way when nobody wanted any more."""


class ChromiumBrowser(Browser):
    """A browser process with a channel to it."""

    def __init__(self, driver: Any, spec: LaunchSpec, scratch: str = "", process: Process | None = None) -> None:
        super().__init__(driver, spec, scratch, process)
        self._tabs = Targets(self._arrived)
        self.downloads = Downloads(self._arrived)
        self.worlds = world.Worlds()
        self.viewports: dict[str, tuple[int, int]] = {}
        self._own_context_used = False
        self._loan: Loan | None = None
        self._tab_ready: tuple[str, str] | None = None
        self._node_places: list[str] = []
        self._connect()

    @classmethod
    def launch(cls, spec: LaunchSpec, scratch: str | None = None) -> ChromiumBrowser:
        """Start a browser whose temporary files are in ``scratch``, a folder that is dropped with it.
        Raises :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        scratch = scratch or make_scratch()
        try:
            return cls(start(spec, scratch), spec, scratch)
        except BaseException:  # an interrupt, too, must not leave half a browser behind
            end_all_in(scratch)
            drop_scratch(scratch)
            raise

    @classmethod
    def attach(cls, spec: LaunchSpec, address: str, program: str, scratch: str, process: Process) -> ChromiumBrowser:
        """Take over a browser that was left running: a new driver, a new channel, the contexts as they are.
        Raises :class:`BrowserGone`."""
        driver = connect(spec, address, program, scratch)
        try:
            browser = cls(driver, spec, scratch, process)
        except BaseException:
            kill(driver.service)
            raise
        browser._own_context_used = True
        return browser

    @classmethod
    def borrow(cls, spec: LaunchSpec, place: str) -> ChromiumBrowser:
        """Borrow a warm browser; closing it gives it back. Raises
        :class:`~jbts_kernel.errors.BrowserUnavailable`."""
        loan = borrow(place, spec)
        try:
            browser = cls(join(loan, spec.browser == "edge"), spec, loan.scratch, loan.browser)
        except BaseException:
            loan.give_back(broken=True)
            raise
        browser._loan, browser._tab_ready, browser._own_context_used = loan, (loan.context_id, loan.handle), True
        browser.program, browser.driver_process = loan.program, loan.driver
        return browser

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
        headers = Address.of(self.spec.grid).headers if self.spec.grid else None
        channel = self._channel = Channel(url, self._listen, headers=headers)
        self.intercepting = Interception(channel, self.signals)
        channel.call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        channel.call(
            "Target.setAutoAttach",
            # a service worker of the browser's own context waits, too, whether it is asked for or not
            {**_ATTACH, "filter": [{"type": "page"}, {"type": "service_worker"}]},
        )

    def _listen(self, method: str, params: dict[str, Any], session_id: str | None) -> None:
        if method == "Fetch.requestPaused":
            self.intercepting.receive(params, session_id or "")
        elif method == "Page.screencastFrame":
            self.screencasts.get(session_id or "", _unwanted)(params)
        elif method == "Target.attachedToTarget" and params["targetInfo"]["type"] != "page":
            self._enter(params["targetInfo"], params["sessionId"], session_id)
        elif method == "Target.attachedToTarget":
            target = Target.of(params)
            self._prepare(target)
            self._tabs.add(target)
        elif method == "Target.detachedFromTarget" and self._tabs.leave(params["sessionId"]):
            self._forget(params["sessionId"])
        elif method in ("Target.targetDestroyed", "Target.detachedFromTarget"):
            gone = params.get("targetId") or self._tabs.tab_of(params.get("sessionId", ""))
            closed = self._tabs.remove(gone)
            if closed is not None:
                self._forget(closed.session_id)
            self.signals.forget(gone)
        elif method in ("Browser.downloadWillBegin", "Browser.downloadProgress"):
            self.downloads.note(params)
        elif method == "Page.downloadWillBegin":
            tab = self._tabs.get(self._tabs.tab_of(session_id or ""))
            if tab is not None:
                self.downloads.announce(params["guid"], tab.context_id)
        elif session_id is not None:
            self.worlds.receive(session_id, method, params)
            self.signals.receive(self._tabs.tab_of(session_id), method, params)
            if method.startswith("Page.javascriptDialog"):
                self.wake()

    def _forget(self, session_id: str) -> None:
        self.worlds.forget(session_id)
        self.intercepting.leave(session_id)

    def _enter(self, info: dict[str, Any], session_id: str, parent: str | None) -> None:
        """A frame of another site or a worker of a tab has a process and a session of its own; what it says
        is its tab's. A service worker of the browser's own context has no parent, and waits too."""
        if parent is None:
            self.channel.post("Runtime.runIfWaitingForDebugger", session=session_id)
            return
        self._tabs.enter(session_id, parent, info["targetId"] if info["type"] == "iframe" else None)
        self._listen_to(session_id)
        self.intercepting.enter(session_id, parent)

    def frame_session(self, frame_id: str) -> str | None:
        """The DevTools session of a frame that lives in a process of its own."""
        return self._tabs.frame(frame_id)

    def inner_sessions(self, handle: str) -> list[str]:
        """The DevTools sessions of a tab's workers, and of its frames that live in processes of their own."""
        return self._tabs.inside(handle)

    def _listen_to(self, session_id: str) -> None:
        for domain in _DOMAINS:
            self.channel.post(domain, session=session_id)
        self.channel.post("Target.setAutoAttach", {**_ATTACH, "filter": [{"type": "iframe"}]}, session_id)

    def _prepare(self, target: Target) -> None:
        self._listen_to(target.session_id)
        self.intercepting.announce(target.session_id, target.context_id)
        self._emulate(target, self.viewports.get(target.context_id, self.spec.viewport))
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
        self.wait_for(lambda: self._tabs.settled(target_id) or not self.channel.open, timeout)
        found = self._tabs.get(target_id)
        if found is None and self.channel.open:
            raise TabGone("the current tab was closed; go on with %tab 0 or %tab new (%tabs lists them)")
        if found is None:
            raise BrowserGone(GONE)
        return found

    def targets(self, context_id: str) -> list[Target]:
        """The tabs of a context, in the order they opened."""
        return self._tabs.of_context(context_id)

    def wait_answered(self, asked: Future[dict[str, Any]], session: Session, timeout: float) -> None:
        """Wait until a posted command is answered, or a dialog makes its tab stand still."""
        asked.add_done_callback(lambda _: self.wake())
        self.wait_for(lambda: asked.done() or session.dialog is not None, self.channel.bounded(timeout))

    # ---- facts --------------------------------------------------------------------------------
    @property
    def alive(self) -> bool:
        """Whether the browser is there; asks it nothing. A driver that died can be replaced."""
        return not self.closed and self.channel.open and (self.driver_runs or self._can_reconnect)

    @property
    def address(self) -> str:
        """Where the browser's DevTools answer, as host:port; empty where they do not or are not ours to use."""
        options = self.driver.capabilities.get("goog:chromeOptions") or self.driver.capabilities.get("ms:edgeOptions")
        return str(options.get("debuggerAddress", "")) if options and not self.spec.grid else ""

    @property
    def driver_runs(self) -> bool:
        if self._loan is not None and getattr(self.driver, "service", None) is None:
            return self._loan.driver.alive
        return super().driver_runs

    def _end_driver(self, driver: Any) -> None:
        """End a driver without a word to it, so that its browser stays."""
        if getattr(driver, "service", None) is not None:
            kill(driver.service)
        elif self._loan is not None:
            kill_process(self._loan.driver)

    @property
    def _can_reconnect(self) -> bool:
        return bool(self.address) and self.process is not None

    def answers(self, seconds: float) -> bool:
        try:
            self.channel.call("Browser.getVersion", timeout=seconds)
            # a driver with nothing to do answers at once, and another in its place disturbs nothing
            if not self.driver_runs or not self.patience.free(min(seconds, DRIVER_SECONDS)):
                self.replace_driver()
        except (BrowserGone, StepTimeout):
            return False
        return True

    def _given_up(self, command: str) -> None:
        """Nobody waits for a driver command any more: end it where that disturbs nothing else. Who presses stop while
        a press or a script leads to a page that does not come means that page, and the driver would wait for it."""
        super()._given_up(command)
        if (command in _NAVIGATIONS or self.patience.interrupted) and self.active is not None:
            self.stop_waiting(self.active)

    def stop_waiting(self, session: Session) -> None:
        with contextlib.suppress(BrowserGone):
            target = self._tabs.get(session.handle)
            if target is not None:
                self.channel.post("Page.stopLoading", session=target.session_id)

    def replace_driver(self) -> None:
        if not self._can_reconnect:
            raise BrowserGone("the driver does not answer")
        old = self.driver
        self.driver = connect(self.spec, self.address, self.program, self.scratch)
        self.patience.close()
        self._end_driver(old)
        self.patience = Patience(self.driver, self._given_up)
        self.driver_process = Process.of(self.driver.service.process.pid)
        self.active, self._timeouts = None, {}

    def allow(self, seconds: float | None) -> None:
        super().allow(seconds)
        self.channel.allow(None if seconds is None else seconds + SLACK)

    # ---- sessions -----------------------------------------------------------------------------
    def lease(self, name: str = "main", downloads: Path | None = None) -> ChromiumSession:
        """A session in a context nobody has used."""
        with self.lock:
            if not self._own_context_used:
                self._own_context_used = True
                handle = self.driver.current_window_handle
                context = self.target(handle).context_id
            elif self._tab_ready is not None:
                (context, handle), self._tab_ready = self._tab_ready, None
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
                self._take_downloads(session, downloads)
            session.activate()
            return session

    def _take_downloads(self, session: ChromiumSession, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.channel.call(
            "Browser.setDownloadBehavior",
            {
                "behavior": "allowAndName",
                "browserContextId": session.context_id,
                "downloadPath": self.place_on_node(session.context_id) if self.spec.grid else str(folder),
                "eventsEnabled": True,
            },
        )
        session.downloads = folder

    def resume(self, name: str, context_id: str, handle: str, downloads: Path | None) -> ChromiumSession:
        with self.lock:
            self.wait_for(lambda: self.targets(context_id), 5)
            handles = [target.target_id for target in self.targets(context_id)]
            if not handles:
                raise TabGone(f"no tab of user {name} is left")
            session = ChromiumSession(self, name, context_id, handle if handle in handles else handles[-1])
            if downloads is not None:
                self._take_downloads(session, downloads)
            return session

    def place_on_node(self, context_id: str) -> str:
        """A folder for a context's downloads, on the machine of the grid that runs the browser."""
        windows = "windows" in str(self.driver.capabilities.get("platformName", "")).lower()
        return rf"C:\Windows\Temp\jbts-{context_id}" if windows else f"/tmp/jbts-{context_id}"  # noqa: S108

    def resize(self, context_id: str, width: int, height: int) -> None:
        """Give every tab of a context this viewport, in CSS pixels."""
        self.viewports[context_id] = (width, height)
        for target in self.targets(context_id):
            self._emulate(target, (width, height))

    def close(self, patience: float = QUIT_SECONDS) -> None:
        with self.lock:
            if self.closed:
                return
            self.closed = True
            if self._loan is not None:
                self._give_back(self._loan, broken=patience == 0)
                return
            for place in self._node_places:  # where the node is this machine, its folders are ours to clear
                shutil.rmtree(place, ignore_errors=True)
            self.allow(patience)
            # The browser itself is asked: a driver may be busy, and takes its time to end one.
            with contextlib.suppress(BrowserGone):
                self.channel.post("Browser.close")
            if not self._can_reconnect:
                self.patience.allow(max(patience, QUIT_SECONDS))  # or a grid would keep the slot
                with contextlib.suppress(*driver_errors()):  # it was dead already, which is what was wanted
                    self.driver.execute("quit")
            if getattr(self.driver, "service", None) is not None:
                kill(self.driver.service)
            end((self.process, self.driver_process), patience)
            self.channel.close()  # last, because a browser that stands still would not let go of it
            self.intercepting.close()
            self.patience.close()
            if self.scratch:
                drop_scratch(self.scratch)
            for session in self.sessions:
                session.closed = True

    def _give_back(self, loan: Loan, broken: bool) -> None:
        """End what is this process's own; the contexts are dropped by the lender."""
        if getattr(self.driver, "service", None) is not None:
            kill(self.driver.service)
        self.channel.close()
        self.intercepting.close()
        self.patience.close()
        for session in self.sessions:
            session.closed = True
        loan.give_back(broken=broken)

    def leave(self) -> None:
        with self.lock:
            self.closed = True
            self.channel.close()
            self.intercepting.close()
            self.patience.close()
            self.driver.service.process = None  # or Selenium would end it with this process
