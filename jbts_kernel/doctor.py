"""What is installed, set and running here, and what to do about what is not.

Each check is a small function from the surroundings to one line; a line says what was found and, where
something is missing, what to do next. The browser is really started, because two programs of the right
version do not make a browser that runs (a missing library, no room in /dev/shm, a sandbox that cannot).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .browser.grid import count_slots, grid_status, shown
from .browser.launch import BROWSERS, LaunchSpec
from .browser.pool import BrowserPool
from .browser.records import Records
from .config import JBTS, find_home
from .errors import BrowserUnavailable, GridUnavailable
from .installation import VERSION_SECONDS, find_installation

if TYPE_CHECKING:
    from rich.console import Console

State = Literal["ok", "note", "problem"]

PACKAGES = ("selenium", "jupyterlab", "ipykernel", "papermill", "duckdb", "anywidget", "websockets", "openai")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "analyst": ("pandas", "altair", "vl-convert-python", "pyarrow"),
    "keyring": ("keyring",),
}
GRID_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at. ``note`` is something optional that is not there, ``problem`` something needed."""

    subject: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All lines, in the order to show them. ``usable`` says whether steps can run here."""

    lines: tuple[Line, ...]

    @property
    def usable(self) -> bool:
        return all(line.state != "problem" for line in self.lines)


def examine(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Examination:
    """Look at everything; takes a second or two, most of it one start of the browser.

    ``environ`` and ``folder`` (where the project is looked for) stand in for the process's own.

    Raises:
        ConfigProblem: a JBTS_ variable that cannot be read.
    """
    environ = os.environ if environ is None else environ
    settings = JBTS(environ=environ)
    home = find_home(folder, environ)
    grid = _grid(settings.grid, settings.browser)
    return Examination(
        (
            _python(),
            _packages(),
            *_extras(),
            _kernelspec(),
            grid,
            *(_browser(settings, environ) if grid.state == "ok" else ()),
            _left(home),
            _engines(),
            _java(),
            _openai(environ),
            _data(home),
            _hub(home),
        )
    )


def _python() -> Line:
    from . import __version__

    return Line("python", "ok", f"{platform.python_version()} ({sys.executable}), jbts-kernel {__version__}")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> Line:
    versions = {name: _installed(name) for name in PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        return Line("packages", "problem", f"missing: {', '.join(missing)}", "pip install jbts-kernel")
    return Line("packages", "ok", found)


def _extras() -> list[Line]:
    lines = []
    for extra, names in EXTRAS.items():
        versions = {name: _installed(name) for name in names}
        if all(versions.values()):
            lines.append(Line(extra, "ok", ", ".join(f"{name} {version}" for name, version in versions.items())))
        else:
            lines.append(Line(extra, "note", "not installed", f"pip install 'jbts-kernel[{extra}]'"))
    return lines


def _kernelspec() -> Line:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("jbts")
    except NoSuchKernel:
        return Line("kernel", "note", "jbts is not installed", "pip install jbts-kernel; %load_ext works without it")
    return Line("kernel", "ok", f"{spec.display_name} ({spec.resource_dir})")


def _browser(settings: JBTS, environ: Mapping[str, str]) -> list[Line]:
    """The browser steps would use, and whether it starts; with a grid only that grid's browser matters."""
    try:
        found = find_installation(settings.browser, binary=settings.browser_path, driver=settings.driver_path)
    except BrowserUnavailable as problem:
        return [Line("browser", "problem", str(problem), "set JBTS_BROWSER")]
    advice = "" if found.fits or settings.grid else _other_browser(found.browser) or "jbts doctor --install"
    lines = [Line("browser", "ok" if found.fits else "note", found.summary, advice)]
    if found.binary and found.driver and not found.fits:
        lines[0] = Line("browser", "note", found.summary, "install the driver of the browser's own version")
    spec = LaunchSpec(
        browser=found.browser,
        grid=settings.grid or None,
        binary=settings.browser_path or None,
        driver=settings.driver_path or None,
    )
    with BrowserPool(1) as pool:
        health = pool.health(spec)
        version = next((browser.version for browser in pool.browsers), "")
    navigation = health["navigation"]
    if not navigation["ok"]:
        return [*lines, Line("start", "problem", navigation["error"], advice)]
    where = "on the grid" if settings.grid else "headless"
    started = f"{found.browser} {version} starts {where} and opens a page, in {navigation['ms'] / 1000:.1f} s"
    return [*lines, Line("start", "ok" if health["status"] == "healthy" else "note", started)]


def _left(home: Path) -> Line:
    """Browsers of kernels that were killed: those nobody can take over any more are ended here."""
    records = Records(home)
    records.reap()
    waiting = [record for _, record in records.orphans()]
    if not waiting:
        return Line("left", "ok", "no browser of a killed kernel is left")
    names = ", ".join(f"{record.spec.browser} of {record.notebook or 'no notebook'}" for record in waiting)
    return Line(
        "left", "note", f"{len(waiting)} left by kernels that ended: {names}", "%browser --attach goes on in it"
    )


def _engines() -> Line:
    """What %browser could start here, beside the browser that is set."""
    there = []
    for name in BROWSERS:
        with contextlib.suppress(BrowserUnavailable):  # of another system
            if find_installation(name).fits and (name != "webkitgtk" or shutil.which("Xvfb")):
                there.append(name)
    return Line("engines", "ok", f"%browser can start {', '.join(there) or 'none'} here (docs/browsers.md)")


def _other_browser(wanted: str) -> str:
    for other in ("chrome", "edge", "firefox"):
        if other != wanted and find_installation(other).fits:
            return f"JBTS_BROWSER={other} uses the {other} that is installed"
    return ""


def _grid(address: str, browser: str) -> Line:
    if not address:
        return Line("grid", "ok", "not set (JBTS_GRID_URL); browsers run on this machine")
    try:
        status = grid_status(address, GRID_SECONDS)
    except GridUnavailable as problem:
        said, _, advice = problem.message.partition("; ")
        return Line("grid", "problem", said, advice)
    slots = count_slots(status, browser)
    if slots is not None and not slots.free and not slots.busy:
        has = f"has only {', '.join(slots.others)}" if slots.others else "has no node that is ready"
        return Line("grid", "problem", f"{shown(address)} {has}", f"add a node that has {browser}")
    room = f", {slots.free} of {slots.free + slots.busy} slots for {browser} free" if slots is not None else ""
    return Line("grid", "ok", f"{shown(address)} is ready{room}")


def _java() -> Line:
    program = shutil.which("java")
    if program is None:
        return Line("java", "ok", "not installed; only a Selenium Grid of your own needs it")
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Line("java", "note", f"{program} does not answer")
    version = re.search(r'"([^"]+)"', done.stderr)
    return Line("java", "ok", f"{version.group(1) if version else '?'} ({program})")


def _openai(environ: Mapping[str, str]) -> Line:
    if environ.get("OPENAI_API_KEY"):
        return Line("openai", "ok", "OPENAI_API_KEY is set")
    if environ.get("OPENAI_BASE_URL"):
        return Line("openai", "ok", "OPENAI_BASE_URL is set, without a key")
    return Line("openai", "note", "no key: analysis is offline only", "set OPENAI_API_KEY")


def _data(home: Path) -> Line:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        return Line("data", "problem", f"{home} cannot be written", "set JBTS_HOME to a folder that can")
    room = f"{shutil.disk_usage(place).free / 2**30:.1f} GiB free"
    if not home.exists():
        return Line("data", "ok", f"{home} will be made by the first step, {room}")
    results = home / "results.duckdb"
    size = f"{results.stat().st_size / 2**20:.1f} MiB of results" if results.exists() else "no results yet"
    return Line("data", "ok", f"{home}, {size}, {room}")


def _hub(home: Path) -> Line:
    from .broadcast.discovery import find

    hub = find(home)
    if hub is None:
        return Line("hub", "ok", "not running; the first step that runs starts it")
    return Line("hub", "ok", f"ws://{hub.address}/ws, process {hub.pid}")


def show(examination: Examination, console: Console) -> None:
    """Draw the table."""
    from rich.table import Table
    from rich.text import Text

    marks: Mapping[State, tuple[str, str]] = {
        "ok": ("✓", "green"),
        "note": ("–", "yellow"),
        "problem": ("✗", "bold red"),
    }
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(width=1)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for line in examination.lines:
        mark, style = marks[line.state]
        text = Text(line.found)
        if line.advice:
            text.append(f"\n→ {line.advice}", style=style)
        table.add_row(Text(mark, style=style), line.subject, text)
    console.print(table)
