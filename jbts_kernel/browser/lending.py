"""Warm browsers for kernels that come and go: whoever runs many notebooks owns them, each kernel borrows one.

A kernel asks over a socket file and keeps the connection for as long as it has the browser, so that it is given back
however the kernel ends: closing, ``exit()``, ``kill -9``. What it gets is a context nobody has used, made before it
asked. What comes back is emptied: every context is dropped with its cookies, storage, cache and tabs, and a driver
that does not answer at once is replaced. A browser that died, does not answer, or that the kernel says is broken, is
ended, and the next one who asks gets another.

Only browsers that hold contexts apart and are started like any other of their kind are lent: Chromium's family,
without a window and without arguments of its own, on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import BrowserGone, BrowserUnavailable, StepProblem
from ..ids import new_id
from .cdp import Channel, browser_url
from .engine import driver_errors
from .launch import CHROMIUM_FAMILY, SESSION_SECONDS, LaunchSpec, start
from .processes import Process, drop_scratch, end, make_scratch, only_child
from .processes import kill as kill_process
from .reaper import start_watcher
from .reconnect import connect, kill
from .records import Record, Records

ASK_SECONDS = 2 * SESSION_SECONDS + 5.0
EMPTY_SECONDS = 5.0
DRIVER_SECONDS = 2.0
LENT_AT_MOST = 200
"""How often one browser is lent: what it never gives back to the system is not kept for ever."""
BROKEN = b"broken\n"


def lendable(spec: LaunchSpec) -> bool:
    """Whether a browser of this kind can be lent."""
    return spec.browser in CHROMIUM_FAMILY and spec.headless and not spec.grid and not spec.args


@dataclass(frozen=True, slots=True)
class Loan:
    """A borrowed browser: where its DevTools and its driver's session are, its processes, and a context with a tab.
    The connection is what it is borrowed with."""

    address: str
    program: str
    scratch: str
    browser: Process
    driver: Process
    url: str
    session_id: str
    capabilities: Mapping[str, Any]
    context_id: str
    handle: str
    connection: socket.socket

    def give_back(self, *, broken: bool = False) -> None:
        """Give it back; ``broken`` has it ended. Can be called twice."""
        with contextlib.suppress(OSError):
            if broken:
                self.connection.sendall(BROKEN)
        self.connection.close()


def borrow(place: str, spec: LaunchSpec) -> Loan:
    """Borrow a browser from the lender whose socket file is ``place``.

    Raises:
        BrowserUnavailable: it has none and could start none, or there is no lender any more.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ASK_SECONDS)
        connection.connect(place)
        connection.sendall(json.dumps(asdict(spec)).encode() + b"\n")
        said = _line(connection)
        found: dict[str, Any] = json.loads(said)
    except (OSError, ValueError) as problem:
        connection.close()
        raise BrowserUnavailable(f"the suite that lends browsers does not answer ({problem})") from None
    if "error" in found:
        connection.close()
        raise BrowserUnavailable(found["error"])
    for name in ("browser", "driver"):
        found[name] = Process(**found[name])
    return Loan(**found, connection=connection)


def join(loan: Loan, edge: bool) -> Any:
    """A Selenium driver for the session that the lender began."""
    from selenium import webdriver
    from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
    from selenium.webdriver.remote.client_config import ClientConfig
    from selenium.webdriver.remote.file_detector import UselessFileDetector

    class Joined(webdriver.Remote):
        def start_session(self, capabilities: Any) -> None:
            self.session_id = loan.session_id
            self.caps = dict(loan.capabilities)

    prefix, name = ("ms", "MicrosoftEdge") if edge else ("goog", "chrome")
    executor = ChromiumRemoteConnection(loan.url, prefix, name, client_config=ClientConfig(loan.url))
    options = webdriver.EdgeOptions() if edge else webdriver.ChromeOptions()
    return Joined(executor, file_detector=UselessFileDetector(), options=options)


def _line(connection: socket.socket) -> bytes:
    """What was sent, up to the end of the line. Raises OSError when the other side is gone."""
    said = bytearray()
    while not said.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            raise OSError("the connection was closed")
        said += piece
    return bytes(said)


class Lender:
    """Lends browsers to the kernels of one run; at most ``keep`` that nobody uses stay warm.

    ``home`` is the project's data folder: what runs is recorded there, so that it is ended, too, when this process
    is killed. Use it as a context manager; :attr:`place` is what kernels are told.
    """

    def __init__(self, home: Path, keep: int) -> None:
        self._home = home
        self._keep = keep
        self._records = Records(home)
        self._changed = threading.Condition()
        self._due: dict[LaunchSpec, int] = {}
        self._idle: list[_Warm] = []
        self._lent: dict[_Warm, socket.socket] = {}
        self._starting = 0
        self._closed = False
        self._watcher: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="jbts-", ignore_cleanup_errors=True)
        self.place = os.path.join(self._folder.name, "browsers")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.place)
        self._listener.listen(64)
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="jbts-lender", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Lender:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def expect(self, spec: LaunchSpec, count: int, later: int = 0) -> None:
        """Start browsers of this kind in the background, since they will be asked for; ``later`` more as soon as one
        is lent. One that does not start is no concern before somebody asks."""
        if lendable(spec):
            self._due[spec] = later
            for _ in range(count):
                self._run(self._start_ahead, spec)

    def _start_ahead(self, spec: LaunchSpec) -> None:
        with contextlib.suppress(StepProblem):
            warm = self._start(spec)
            with self._changed:
                self._idle.append(warm)
                self._changed.notify_all()

    def _run(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name="jbts-lending", daemon=True)
        with self._changed:
            if self._closed:
                return
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            if work == self._start_ahead:
                self._starting += 1
            thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._run(self._serve, connection)

    # ---- one borrower ---------------------------------------------------------------------------
    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                asked: dict[str, Any] = json.loads(_line(connection))
                about: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items()}
                spec = LaunchSpec(**about)
            except (OSError, ValueError, TypeError):
                return  # it ended before it had asked
            try:
                warm = self._take(spec)
            except StepProblem as problem:
                with contextlib.suppress(OSError):
                    connection.sendall(json.dumps({"error": problem.message}).encode() + b"\n")
                return
            with self._changed:
                self._lent[warm] = connection
                due = self._due.pop(spec, 0)
            for _ in range(due):
                self._run(self._start_ahead, spec)
            broken = False
            try:
                connection.sendall(json.dumps(warm.terms()).encode() + b"\n")
                while piece := connection.recv(64):
                    broken = broken or piece == BROKEN
            except OSError:
                pass  # killed, or this lender closes: given back either way
            with self._changed:
                del self._lent[warm]
            self._take_back(warm, broken)

    def _take(self, spec: LaunchSpec) -> _Warm:
        while True:
            with self._changed:
                # One that is starting will be there sooner than one that is started now.
                self._changed.wait_for(lambda: self._closed or self._fitting(spec) or not self._starting)
                warm = self._fitting(spec)
                if warm is not None:
                    self._idle.remove(warm)
                elif self._closed:
                    raise BrowserGone("the suite ends")
            if warm is None:
                with self._changed:
                    self._starting += 1
                return self._start(spec)
            if warm.there():
                return warm
            self._end(warm)

    def _fitting(self, spec: LaunchSpec) -> _Warm | None:
        return next((warm for warm in self._idle if warm.spec == spec), None)

    def _take_back(self, warm: _Warm, broken: bool) -> None:
        fine = not broken and not self._closed and warm.lent < LENT_AT_MOST and warm.empty()
        surplus: list[_Warm] = []
        with self._changed:
            if fine and not self._closed:
                self._idle.append(warm)
                surplus, self._idle = self._idle[: -self._keep], self._idle[-self._keep :]
            else:
                surplus = [warm]
            self._changed.notify_all()
        for one in surplus:
            self._end(one)

    # ---- starts and ends ------------------------------------------------------------------------
    def _start(self, spec: LaunchSpec) -> _Warm:
        """Start one in the room that was kept for it. Raises BrowserUnavailable."""
        try:
            with self._changed:
                if self._watcher is None and not self._closed:
                    self._watcher = start_watcher(self._home)
            scratch = make_scratch()
            owner = Process.of(os.getpid()) or Process(os.getpid(), 0.0)
            record = self._records.write(Record(new_id(), owner, scratch, 0.0, spec))
            try:
                warm = _Warm(spec, scratch, record)
                self._records.write(warm.record)
            except BaseException:
                record.end()
                self._records.remove(record)
                raise
            return warm
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    def _end(self, warm: _Warm) -> None:
        warm.end()
        self._records.remove(warm.record)

    def close(self) -> None:
        """Take everything back and end it. Can be called twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            lent = list(self._lent.values())
            self._changed.notify_all()
        for connection in lent:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)
        for thread in self._threads:
            thread.join(SESSION_SECONDS)
        with self._changed:
            idle, self._idle = self._idle, []
        for warm in idle:
            self._end(warm)
        if self._watcher is not None and self._watcher.stdin is not None:
            self._watcher.stdin.close()
            self._watcher.wait()
        self._folder.cleanup()


class _Warm:
    """One browser of the lender's: its driver's session, a channel that listens to nothing, a clean tab."""

    def __init__(self, spec: LaunchSpec, scratch: str, record: Record) -> None:
        self.spec = spec
        self.scratch = scratch
        self.lent = 0
        self._driver = start(spec, scratch)
        self._service = self._driver.service
        self._program = str(self._service.path)
        options = self._driver.capabilities.get("goog:chromeOptions") or self._driver.capabilities["ms:edgeOptions"]
        self._address = str(options["debuggerAddress"])
        self._browser = only_child(self._service.process.pid)
        if self._browser is None:
            raise BrowserUnavailable("the browser ended while it started")
        self._channel = Channel(browser_url(self._address), lambda *about: None)
        self._driver_process = Process.of(self._service.process.pid)
        self.record = Record(
            record.id, record.owner, scratch, 0.0, spec, None, self._driver_process, self._browser, self._address,
            self._program,
        )  # fmt: skip
        self._make_tab()
        self._attend()

    def _make_tab(self) -> None:
        call = self._channel.call
        self._context = call("Target.createBrowserContext", {"disposeOnDetach": False})["browserContextId"]
        wanted = {"url": "about:blank", "browserContextId": self._context, "newWindow": True}
        self._handle = call("Target.createTarget", wanted)["targetId"]

    def _attend(self) -> None:
        """Have the driver look at the tab, which takes it a while the first time."""
        self._driver.switch_to.window(self._handle)

    def there(self) -> bool:
        """Whether browser and driver still run."""
        return bool(self._channel.open and self._driver_process and self._driver_process.alive)

    def terms(self) -> dict[str, Any]:
        """What a borrower is told; see :class:`Loan`."""
        assert self._browser is not None
        assert self._driver_process is not None
        self.lent += 1
        return {
            "address": self._address,
            "program": self._program,
            "scratch": self.scratch,
            "browser": asdict(self._browser),
            "driver": asdict(self._driver_process),
            "url": self._service.service_url,
            "session_id": self._driver.session_id,
            "capabilities": self._driver.capabilities,
            "context_id": self._context,
            "handle": self._handle,
        }

    def empty(self) -> bool:
        """Drop everything a borrower left, and make ready for the next; whether that went well."""
        troubles: tuple[type[BaseException], ...] = (StepProblem, *driver_errors())
        try:
            for context in self._channel.call("Target.getBrowserContexts", timeout=EMPTY_SECONDS)["browserContextIds"]:
                self._channel.call("Target.disposeBrowserContext", {"browserContextId": context}, timeout=EMPTY_SECONDS)
            self._make_tab()
            self._see_to_driver()
        except troubles:
            return False
        return True

    def _see_to_driver(self) -> None:
        """A driver that is gone, or busy with what nobody waits for any more, is replaced; the browser stays."""
        executor = self._driver.command_executor
        try:
            executor.client_config.timeout = DRIVER_SECONDS
            self._attend()
            return
        except driver_errors():
            executor._conn.clear()
        kill(self._service)
        kill_process(self._driver_process)
        self._driver = connect(self.spec, self._address, self._program, self.scratch)
        self._service = self._driver.service
        self._driver_process = Process.of(self._service.process.pid)

    def end(self) -> None:
        with contextlib.suppress(BrowserGone):
            self._channel.post("Browser.close")
        kill(self._service)
        end((self._browser, self._driver_process), DRIVER_SECONDS)
        self._channel.close()
        self._driver.command_executor._conn.clear()
        drop_scratch(self.scratch)
