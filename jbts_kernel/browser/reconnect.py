"""A new driver for a browser that runs already.

A driver that is busy with something nobody waits for, that has died or does not answer, or whose kernel
is gone, is not worth talking to: another one takes its place in a tenth of a second, and the browser with
its contexts and tabs stays as it is. Chromium alone can do this.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import Any

from ..errors import BrowserGone
from .faults import first_line
from .launch import LaunchSpec
from .ports import held_port

CONNECT_SECONDS = 10


def connect(spec: LaunchSpec, address: str, program: str, scratch: str) -> Any:
    """A Selenium driver for the browser whose DevTools answer at ``address`` (host:port of this machine).
    ``program`` is the driver to start, ``scratch`` the browser's folder for temporary files.

    Raises:
        BrowserGone: it does not answer there, or no driver could be started.
    """
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
    from selenium.webdriver.remote.client_config import ClientConfig
    from selenium.webdriver.remote.file_detector import UselessFileDetector
    from urllib3.exceptions import HTTPError

    host, _, port = address.rpartition(":")
    if host not in ("localhost", "127.0.0.1") or not port.isdecimal():
        raise BrowserGone(f"a browser at {address!r} is none of this machine")
    edge = spec.browser == "edge"
    options: Any = webdriver.EdgeOptions() if edge else webdriver.ChromeOptions()
    options.debugger_address = address
    options.page_load_strategy = "eager"
    options.unhandled_prompt_behavior = "ignore"
    kind: Any = webdriver.EdgeService if edge else webdriver.ChromeService
    own = {"popen_kw": {"start_new_session": True}, "env": {**os.environ, "TMPDIR": scratch}}
    with held_port() as taken:
        service = kind(program, port=taken, **own)
        try:
            service.start()
            config = ClientConfig(service.service_url, timeout=CONNECT_SECONDS)
            prefix, name = ("ms", "MicrosoftEdge") if edge else ("goog", "chrome")
            executor = ChromiumRemoteConnection(service.service_url, prefix, name, client_config=config)
            driver: Any = webdriver.Remote(executor, file_detector=UselessFileDetector(), options=options)
        except BaseException as error:
            kill(service)
            if isinstance(error, (WebDriverException, HTTPError, OSError)):
                raise BrowserGone(f"no driver reaches the browser any more ({first_line(error)[:160]})") from None
            raise
    driver.service = service
    return driver


def kill(service: Any) -> None:
    """Kill a driver's process without a word to it, so that its browser stays."""
    process = service.process
    service.process = None  # or Selenium would ask it, for up to half a minute, to end
    if process is not None:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it ends when the system finds the time
            process.wait(5)
        with contextlib.suppress(OSError):
            process.stdin.close()
