"""Find a browser and its driver, and start them.

A :class:`LaunchSpec` says everything that makes one browser different from another; two leases share
a browser only when their specs are equal.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BrowserUnavailable, ConfigProblem, GridUnavailable
from ..grammar import nearest
from .grid import Address, shown, wait_for_slot
from .ports import held_port

SESSION_SECONDS = 30
COMMAND_SECONDS = 120
BROWSERS = ("chrome", "chromium", "firefox", "edge", "webkitgtk", "safari")
CHROMIUM_FAMILY = ("chrome", "chromium", "edge")

_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "chrome": ("google-chrome", "google-chrome-stable", "chrome", "chromium", "chromium-browser"),
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "edge": ("microsoft-edge", "microsoft-edge-stable", "msedge"),
    "firefox": ("firefox", "firefox-esr"),
}
_MAC_APPS: Mapping[str, tuple[str, ...]] = {
    "chrome": ("Google Chrome", "Chromium"),
    "chromium": ("Chromium", "Google Chrome"),
    "edge": ("Microsoft Edge",),
    "firefox": ("Firefox",),
}
_DRIVERS = {
    "chrome": "chromedriver",
    "chromium": "chromedriver",
    "edge": "msedgedriver",
    "firefox": "geckodriver",
    "webkitgtk": "WebKitWebDriver",
    "safari": "safaridriver",
}

HOW_TO_GET: Mapping[str, str] = {
    "chrome": "Debian: apt install chromium chromium-driver",
    "chromium": "Debian: apt install chromium chromium-driver",
    "edge": "install Edge and msedgedriver, and put both on PATH",
    "firefox": "install Firefox and geckodriver, and put both on PATH",
    "webkitgtk": "Debian: apt install webkit2gtk-driver xvfb",
    "safari": "allow it once: safaridriver --enable",
}

# Quiet on the network and steady in the background; none of these changes what a page may do.
CHROMIUM_FLAGS = (
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-quic",
    "--disable-renderer-backgrounding",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    # What its makers try out in builds like Debian's: among it two pages of the browser's own, rendered anew for the
    # address bar of every window, which cost half a second of a processor each time. Chrome has them by name.
    "--disable-field-trial-config",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "SpareRendererForSitePerProcess",  # a process ahead for each context; a test stays on one site and never takes it
    "--hide-scrollbars",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--password-store=basic",
)


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What to start. ``viewport`` is width and height in CSS pixels; ``device`` a name of
    :data:`DEVICES`; ``binary`` and ``driver`` name programs where the ones on PATH are not meant;
    ``grid_timeout`` is how many seconds a free slot of the grid is waited for."""

    browser: str = "chrome"
    headless: bool = True
    viewport: tuple[int, int] = (1280, 800)
    grid: str | None = None
    args: tuple[str, ...] = ()
    device: str | None = None
    binary: str | None = None
    driver: str | None = None
    grid_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Device:
    """An emulated screen; sizes in CSS pixels."""

    width: int
    height: int
    scale: float
    mobile: bool
    agent: str


_PHONE = (
    "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
_IOS = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
DEVICES: Mapping[str, Device] = {
    "iphone": Device(390, 844, 3, True, _IOS.format("iPhone; CPU iPhone OS 17_0 like Mac OS X")),
    "iphone-se": Device(375, 667, 2, True, _IOS.format("iPhone; CPU iPhone OS 17_0 like Mac OS X")),
    "ipad": Device(820, 1180, 2, True, _IOS.format("iPad; CPU OS 17_0 like Mac OS X")),
    "pixel": Device(412, 915, 2.625, True, _PHONE.format("Pixel 8")),
    "galaxy": Device(360, 780, 3, True, _PHONE.format("SM-S911B")),
}


LARGEST_VIEWPORT = 8192
"""A picture of more takes longer than a step."""


def parse_viewport(text: str) -> tuple[int, int]:
    """``1280x800``, or ``1280,800``, as (1280, 800). Raises :class:`ConfigProblem` with an example otherwise."""
    match = re.fullmatch(r"\s*(\d{2,5})\s*[xX×,]\s*(\d{2,5})\s*", text)
    if match is not None and max(int(size) for size in match.groups()) > LARGEST_VIEWPORT:
        raise ConfigProblem(f"a viewport is at most {LARGEST_VIEWPORT} pixels wide and high, not {text!r}")
    if match is None:
        raise ConfigProblem(f"a viewport is WIDTHxHEIGHT in pixels, like 1280x800, not {text!r}")
    return int(match.group(1)), int(match.group(2))


def check_browser(name: str, grid: str | None = None) -> str:
    """The name in lower case, or :class:`BrowserUnavailable` listing the ones there are. A grid may have
    what this machine cannot have."""
    name = name.lower()
    if name not in BROWSERS:
        near = nearest(name, BROWSERS)
        did = f"did you mean {near}? There are" if near else "use one of"
        raise BrowserUnavailable(f"unknown browser {name!r}; {did} {', '.join(BROWSERS)}")
    if grid:
        return name
    if name == "safari" and platform.system() != "Darwin":
        raise BrowserUnavailable("safari runs on macOS only; use chrome, firefox, edge or webkitgtk here")
    if name == "webkitgtk" and platform.system() != "Linux":
        raise BrowserUnavailable("webkitgtk runs on Linux only; use chrome, firefox, edge or safari here")
    return name


def find_binary(browser: str) -> str | None:
    """The installed program of a browser, or None."""
    for command in _COMMANDS.get(browser, ()):
        found = shutil.which(command)
        if found:
            return found
    if browser == "webkitgtk":
        return _find_minibrowser()
    if platform.system() == "Darwin":
        for app in _MAC_APPS.get(browser, ()):
            path = Path(f"/Applications/{app}.app/Contents/MacOS/{app}")
            if path.exists():
                return str(path)
    return None


def _find_minibrowser() -> str | None:
    """WebKitGTK's own small browser, which distributions keep out of PATH."""
    places = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/libexec"))
    found = [p for place in places for depth in ("", "*/") for p in place.glob(f"{depth}webkit2gtk-4.*/MiniBrowser")]
    return shutil.which("MiniBrowser") or (str(max(found)) if found else None)


def find_driver(browser: str) -> str | None:
    """The driver on PATH, or None (Selenium Manager then looks for one, where there is a network)."""
    return shutil.which(_DRIVERS.get(browser, ""))


def needs_no_sandbox() -> bool:
    """Chromium's sandbox cannot start as root, nor in a container without user namespaces."""
    if platform.system() != "Linux":
        return False
    return os.geteuid() == 0 or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def start(spec: LaunchSpec, scratch: str | None = None) -> Any:
    """Start the browser of ``spec`` and return its Selenium driver. ``scratch`` is a folder for its temporary files.

    Raises:
        BrowserUnavailable: no such browser, no driver, versions that do not fit, or a start that failed;
            the message says which and what to install.
    """
    return _start_chromium(spec, check_browser(spec.browser, spec.grid), scratch)


def remote(grid: str, options: Any, timeout: float) -> Any:
    """A session on a grid that has a free slot. Raises what the driver raises."""
    from selenium import webdriver
    from selenium.webdriver.remote.client_config import ClientConfig
    from selenium.webdriver.remote.file_detector import UselessFileDetector

    address = Address.of(grid)
    # a slot that is free now may be another's a moment later: then the grid lets it wait
    config = ClientConfig(
        remote_server_addr=address.url,
        timeout=max(round(timeout), SESSION_SECONDS),
        username=address.user or None,
        password=address.password or None,
    )
    # text that happens to name a local file is text: only %upload sends files
    driver = webdriver.Remote(address.url, file_detector=UselessFileDetector(), options=options, client_config=config)
    config.timeout = COMMAND_SECONDS
    return driver


def _start_chromium(spec: LaunchSpec, name: str, scratch: str | None) -> Any:
    from selenium import webdriver
    from selenium.common.exceptions import (
        NoSuchDriverException,
        SessionNotCreatedException,
        WebDriverException,
    )
    from urllib3.exceptions import HTTPError

    edge = name == "edge"
    options: Any = webdriver.EdgeOptions() if edge else webdriver.ChromeOptions()
    options.page_load_strategy = "eager"  # the load event is waited for by the step that wants it
    options.unhandled_prompt_behavior = "ignore"  # a dialog is the tester's to answer
    for flag in (*CHROMIUM_FLAGS, f"--window-size={spec.viewport[0]},{spec.viewport[1]}", *spec.args):
        options.add_argument(flag)
    if spec.headless:
        options.add_argument("--headless=new")
    if needs_no_sandbox():
        options.add_argument("--no-sandbox")
        options.add_argument("--disable-dev-shm-usage")
    options.add_experimental_option(
        "prefs", {"credentials_enable_service": False, "download.prompt_for_download": False}
    )
    try:
        if spec.grid:
            wait_for_slot(spec.grid, name, spec.grid_timeout)
            return remote(spec.grid, options, spec.grid_timeout)
        binary = spec.binary or find_binary(name)
        # Selenium Manager may still fetch a browser, where there is a network and it may use it
        if binary is None and find_driver(name) is None and os.environ.get("SE_OFFLINE", "").lower() == "true":
            raise BrowserUnavailable(_NOT_INSTALLED.format(name=name))
        if binary:
            options.binary_location = binary
        # Jupyter interrupts the kernel's whole process group; the driver must not be in it.
        keywords: dict[str, Any] = {"popen_kw": {"start_new_session": True}}
        if scratch:
            keywords["env"] = {**os.environ, "TMPDIR": scratch}
        driver = spec.driver or find_driver(name)
        if driver:
            keywords["executable_path"] = driver
        with held_port() as port:
            if edge:
                return webdriver.Edge(options, webdriver.EdgeService(port=port, **keywords))
            return webdriver.Chrome(options, webdriver.ChromeService(port=port, **keywords))
    except NoSuchDriverException:
        if spec.binary is None and find_binary(name) is None:
            raise BrowserUnavailable(_NOT_INSTALLED.format(name=name)) from None
        raise BrowserUnavailable(
            f"there is no driver for {name}; install one (Debian: apt install chromium-driver) or put it on PATH"
        ) from None
    except SessionNotCreatedException as error:
        if spec.grid:
            raise GridUnavailable(
                f"the grid at {shown(spec.grid)} started no {name}: {_session_refused(name, str(error.msg or ''))}"
            ) from None
        if not spec.headless and not _screen():
            raise BrowserUnavailable(f"{name} has no screen for a window here; use --headless or set DISPLAY") from None
        raise BrowserUnavailable(_session_refused(name, str(error.msg or ""))) from None
    except (WebDriverException, HTTPError, OSError) as error:
        first = (str(error).strip() or type(error).__name__).split("\n", 1)[0].removeprefix("Message: ")
        if spec.grid:
            raise GridUnavailable(f"the grid at {shown(spec.grid)} started no {name}: {first[:300]}") from None
        raise BrowserUnavailable(f"{name} did not start: {first[:300]}") from None


def _screen() -> bool:
    """Whether a window can be shown; only Linux may be without a screen and know it."""
    return platform.system() != "Linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


_NOT_INSTALLED = (
    "no {name} is installed; install one (Debian: apt install chromium chromium-driver), or set JBTS.browser"
)


def _session_refused(name: str, message: str) -> str:
    wanted = re.search(r"only supports \w+ version (\d+)", message)
    current = re.search(r"Current browser version is (\d+)", message)
    if wanted:
        have = f" but {name} is version {current.group(1)}" if current else ""
        return f"the driver is for version {wanted.group(1)}{have}; install the driver of the same version"
    first = message.strip().split("\n", 1)[0]
    if "cannot find" in message and "binary" in message:
        return (
            f"no {name} is installed; install one (Debian: apt install chromium chromium-driver), or set JBTS.browser"
        )
    return f"{name} did not start: {first[:300]}"
