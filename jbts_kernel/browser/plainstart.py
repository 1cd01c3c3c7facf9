"""Start the engines that have WebDriver alone: WebKitGTK, Firefox, Safari."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BrowserUnavailable, GridUnavailable
from .grid import shown, wait_for_slot
from .launch import HOW_TO_GET, LaunchSpec, find_binary, find_driver, remote
from .ports import held_port


def start_plain(spec: LaunchSpec, folder: Path, display: str | None) -> Any:
    """Start the browser of ``spec`` and return its Selenium driver. ``folder`` takes its profile and
    its downloads, ``display`` names the X server where it is ours.

    Raises:
        BrowserUnavailable: no driver, or a start that failed; the message says what to install.
    """
    from selenium.common.exceptions import NoSuchDriverException, WebDriverException
    from urllib3.exceptions import HTTPError

    name = spec.browser
    downloads = folder / "downloads"
    downloads.mkdir()
    try:
        options = _OPTIONS[name](spec, downloads)
        options.unhandled_prompt_behavior = "ignore"  # a dialog is the tester's to answer
        for flag in spec.args:
            options.add_argument(flag)
        if spec.grid:
            wait_for_slot(spec.grid, name, spec.grid_timeout)
            return remote(spec.grid, options, spec.grid_timeout)
        driver = spec.driver or find_driver(name)
        if driver is None:
            raise BrowserUnavailable(f"there is no driver for {name}; {HOW_TO_GET[name]}")
        # Jupyter interrupts the kernel's whole process group; the driver must not be in it.
        keywords: dict[str, Any] = {"executable_path": driver, "popen_kw": {"start_new_session": True}}
        keywords["env"] = {**os.environ, "TMPDIR": str(folder)}  # how it is known to be ours: see .processes
        if name == "webkitgtk":
            keywords["env"] = webkit_environment(keywords["env"], folder, display)
        with held_port() as port:
            return _local(name, options, {**keywords, "port": port})
    except NoSuchDriverException:
        raise BrowserUnavailable(f"there is no driver for {name}; {HOW_TO_GET[name]}") from None
    except (WebDriverException, HTTPError, OSError) as error:
        first = (str(error).strip() or type(error).__name__).split("\n", 1)[0].removeprefix("Message: ")
        if spec.grid:
            raise GridUnavailable(f"the grid at {shown(spec.grid)} started no {name}: {first[:300]}") from None
        raise BrowserUnavailable(f"{name} did not start: {first[:300]}; {HOW_TO_GET[name]}") from None


def _webkitgtk(spec: LaunchSpec, downloads: Path) -> Any:
    from selenium import webdriver

    options = webdriver.WebKitGTKOptions()
    # With "eager" WebKitWebDriver 2.50 stops answering when it goes from a page to one that has frames, with
    # "normal" one picture that never arrives blocks every later command. So the session waits by itself.
    options.page_load_strategy = "none"
    options.overlay_scrollbars_enabled = True
    binary = spec.binary or find_binary("webkitgtk")
    if binary and not spec.grid:
        options.binary_location = binary
        options.add_argument("--automation")
    return options


def _firefox(spec: LaunchSpec, downloads: Path) -> Any:
    from selenium import webdriver

    options = webdriver.FirefoxOptions()
    options.page_load_strategy = "eager"
    if spec.headless:
        options.add_argument("-headless")
    binary = spec.binary or find_binary("firefox")
    if binary and not spec.grid:
        options.binary_location = binary
    for key, value in (
        ("browser.download.folderList", 2),
        ("browser.download.dir", str(downloads)),
        ("browser.download.manager.showWhenStarting", False),
        ("browser.download.alwaysOpenPanel", False),
    ):
        options.set_preference(key, value)
    return options


def _safari(spec: LaunchSpec, downloads: Path) -> Any:
    from selenium import webdriver

    return webdriver.SafariOptions()


_OPTIONS = {"webkitgtk": _webkitgtk, "firefox": _firefox, "safari": _safari}


def _local(name: str, options: Any, keywords: dict[str, Any]) -> Any:
    from selenium import webdriver

    if name == "webkitgtk":
        return _webkit_driver(options, webdriver.WebKitGTKService(**keywords))
    if name == "firefox":
        return webdriver.Firefox(options, webdriver.FirefoxService(**keywords))
    return webdriver.Safari(options=options, service=webdriver.SafariService(**keywords))


def _webkit_driver(options: Any, service: Any) -> Any:
    """What Selenium's WebKitGTK class does, without its warning about its own use of itself."""
    from selenium import webdriver
    from selenium.webdriver.remote.client_config import ClientConfig
    from selenium.webdriver.remote.file_detector import UselessFileDetector
    from selenium.webdriver.remote.remote_connection import RemoteConnection

    service.start()
    try:
        # a command that got no answer is not sent again: the driver is still at it
        once = {"init_args_for_pool_manager": {"retries": False}}
        config = ClientConfig(remote_server_addr=service.service_url, init_args_for_pool_manager=once)
        connection = RemoteConnection(client_config=config)
        driver: Any = webdriver.Remote(connection, file_detector=UselessFileDetector(), options=options)
    except BaseException:
        service.stop()
        raise
    driver.service = service
    return driver


def webkit_environment(environ: Mapping[str, str], folder: Path, display: str | None) -> dict[str, str]:
    """The environment of a WebKitGTK whose profile and downloads are in ``folder``, and nowhere else."""
    settings = folder / "config"
    settings.mkdir(exist_ok=True)
    (settings / "user-dirs.dirs").write_text(f'XDG_DOWNLOAD_DIR="{folder / "downloads"}"\n', encoding="utf-8")
    own = {f"XDG_{kind.upper()}_HOME": str(folder / kind) for kind in ("config", "data", "cache")}
    screen = {"DISPLAY": display, "WAYLAND_DISPLAY": "", "GDK_BACKEND": "x11"} if display else {}
    return {**environ, **own, **screen, "NO_AT_BRIDGE": "1"}
