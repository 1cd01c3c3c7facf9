"""The browser that is installed here, and how to get one where there is none.

``python -m jbts_kernel.installation`` is what ``make`` calls before anything that needs a browser: it looks
first and touches nothing when a browser and its driver are there, so that calling it every time costs
milliseconds. Otherwise it tries, in this order, the system's packages (as root, or with a sudo that asks
nothing) and Selenium Manager, which downloads a browser into the user's cache. Nothing is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .browser.launch import CHROMIUM_FAMILY, HOW_TO_GET, check_browser, find_binary, find_driver
from .errors import BrowserUnavailable, JBTSError

APT_PACKAGES = ("chromium", "chromium-driver", "fonts-liberation")
DEBIAN_CHROMIUM = "/usr/bin/chromium"
VERSION_SECONDS = 20.0
APT_SECONDS = 900.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installation:
    """A browser as found on this machine. Versions are as the programs print them, such as
    ``156.0.8078.73``; None where a program is missing or does not say."""

    browser: str
    binary: str | None
    version: str | None
    driver: str | None
    driver_version: str | None

    @property
    def fits(self) -> bool:
        """Whether both programs are here and of the same major version (Firefox's driver counts apart)."""
        if self.binary is None or self.driver is None:
            return False
        if self.browser not in CHROMIUM_FAMILY or self.version is None or self.driver_version is None:
            return True
        return self.version.split(".")[0] == self.driver_version.split(".")[0]

    @property
    def summary(self) -> str:
        """One line: ``chromium 156.0.1.2 (/usr/bin/chromium), driver 156.0.1.2 (/usr/bin/chromedriver)``."""
        if self.binary is None:
            return f"no {self.browser} is installed"
        driver = f"driver{_after(self.driver_version)} ({self.driver})" if self.driver else "no driver on PATH"
        return f"{self.browser}{_after(self.version)} ({self.binary}), {driver}"


def _after(version: str | None) -> str:
    return f" {version}" if version else ""


def version_of(program: str) -> str | None:
    """The version a browser or driver prints of itself, or None if it prints none within the time."""
    if program.endswith(("MiniBrowser", "WebKitWebDriver")):
        return None  # WebKitGTK's do not tell, or want a screen for it
    try:
        # A browser started by root refuses to do more than print its version, which is all that is asked.
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    return found.group() if found else None


def find_installation(browser: str = "chrome", *, binary: str = "", driver: str = "") -> Installation:
    """What is installed of a browser. ``binary`` and ``driver`` name programs in place of those on PATH.

    Raises:
        BrowserUnavailable: there is no browser of that name.
    """
    browser = check_browser(browser)
    found = binary or find_binary(browser)
    found_driver = driver or find_driver(browser)
    return Installation(
        browser,
        found,
        version_of(found) if found else None,
        found_driver,
        version_of(found_driver) if found_driver else None,
    )


def apt_prefix(run: Callable[[Sequence[str]], bool]) -> tuple[str, ...] | None:
    """What goes before ``apt-get`` to use it unasked: nothing for root, ``sudo -n`` where that works;
    None where packages cannot be installed. ``run`` says whether a command succeeded."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and run(("sudo", "-n", "true")):
        return ("sudo", "-n")
    return None


def _quietly(command: Sequence[str]) -> bool:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def install_with_apt(say: Say) -> bool:
    """Install Debian's Chromium, its driver and a font. False, having said why, where that cannot be done."""
    prefix = apt_prefix(_quietly)
    if prefix is None:
        return False
    say(f"browser: installing {' '.join(APT_PACKAGES)} with apt-get (a minute or two)")
    # The lock is waited for: on a new machine unattended upgrades often hold it.
    apt = (
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
    )
    for command in ((*apt, "update"), (*apt, "install", "-y", "--no-install-recommends", *APT_PACKAGES)):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=APT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            say(f"browser: {' '.join(command)} did not end within {APT_SECONDS:.0f} s")
            return False
        # A failed update may still leave an older list that is good enough to install from.
        if done.returncode and "install" in command:
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            say(f"browser: apt-get could not install it: {reason[0]}")
            return False
    return True


def start_once(browser: str, environ: Mapping[str, str] | None = None) -> str:
    """Start the browser and end it again; its version. Selenium Manager downloads what is missing.

    Raises:
        BrowserUnavailable: it did not start; the message says why.
    """
    from .browser.engine import Browser
    from .browser.launch import LaunchSpec
    from .config import JBTS

    settings = JBTS(environ=os.environ if environ is None else environ)
    spec = LaunchSpec(
        browser=browser,
        grid=settings.grid or None,
        binary=settings.browser_path or None,
        driver=settings.driver_path or None,
    )
    started = Browser.launch(spec)
    try:
        return started.version
    finally:
        started.close()


def ensure_browser(say: Say, environ: Mapping[str, str] | None = None) -> str:
    """Have a browser that steps can use; one line that says which. Installs one where there is none.

    Raises:
        BrowserUnavailable: none is here and none could be had; the message says what to install.
        ConfigProblem: a JBTS_ variable that cannot be read.
    """
    from .config import JBTS

    environ = os.environ if environ is None else environ
    settings = JBTS(environ=environ)
    if settings.grid:
        from .browser.grid import shown

        return f"the grid at {shown(settings.grid)}"

    def look() -> Installation:
        return find_installation(settings.browser, binary=settings.browser_path, driver=settings.driver_path)

    found = look()
    if found.fits:
        return found.summary
    chromium = found.browser in ("chrome", "chromium")
    # A browser that is there and lacks its driver must not get one of another version beside it.
    if chromium and found.binary is None and install_with_apt(say):
        found = look()
        if found.fits:
            return found.summary
    say(f"browser: {found.summary}; asking Selenium Manager")
    # Selenium Manager says why it failed on its own; the error below names what helps.
    with contextlib.suppress(BrowserUnavailable):
        return f"{found.browser} {start_once(found.browser, environ)}, found by Selenium Manager"
    # Debian keeps driver and browser in step, so here the driver of the installed browser can be had.
    if chromium and found.driver is None and found.binary == DEBIAN_CHROMIUM and install_with_apt(say):
        found = look()
        if found.fits:
            return found.summary
    raise BrowserUnavailable(
        f"{found.summary}, and neither the system's packages nor Selenium Manager gave one; "
        f"install it and its driver ({HOW_TO_GET[found.browser]}) or set JBTS_GRID_URL"
    )


def main() -> int:
    """Print what was found; 0, or 3 where there is no browser and none can be had."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    try:
        say(f"browser: {ensure_browser(say)}")
    except JBTSError as problem:
        say(f"browser: {problem}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
