"""A real JupyterLab, and a Chromium of our own verbs that looks at it as a tester would.

The Lab is started once, with folders of its own; each test opens a notebook of its own in it. What it is driven
with is the product itself: a workbench whose application under test is JupyterLab.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import psutil
import pytest

from jbts_kernel.config import JBTS
from jbts_kernel.current import Page
from jbts_kernel.workbench import Workbench

PATIENCE = 90.0
TOKEN = "lab-under-test"
PICTURE = ".jp-Notebook .jbp-picture"
SIZE = f"document.querySelector({PICTURE!r}).getBoundingClientRect()"
TIP = "document.querySelector('.jbp-tip').textContent"
IDLE = "document.querySelector('#jp-main-statusbar')?.innerText.includes('| Idle')"
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a real browser and a kernel, and shares one Lab."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.kernel)
            item.add_marker(pytest.mark.xdist_group("lab"))


class Server:
    """JupyterLab on a port of its own choice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        runtime, settings = folder / "runtime", folder / "settings" / "@jupyterlab" / "apputils-extension"
        for made in (self.notebooks, runtime, settings):
            made.mkdir(parents=True)
        self._settings = settings
        self.set("notification", fetchNews="false")
        person = {name: value for name, value in os.environ.items() if name != "CI"}  # who sits at a Lab is no pipeline
        environment = {
            **person, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "IPYTHONDIR": str(folder / "ipython"),
            "JBTS_BROADCASTER": "off", "JBTS_HOME": str(folder / ".jbts"), "JUPYTER_PLATFORM_DIRS": "1",
        }  # fmt: skip
        words = ["-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--port-retries=0"]
        words += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.notebooks}"]
        words += [
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]
        self.log = (folder / "lab.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self.url = self._address(runtime)

    def _address(self, runtime: Path) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            for found in runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, ConnectionRefusedError):  # half written; said before it listens
                    port = json.loads(found.read_text())["port"]
                    socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                    return f"http://127.0.0.1:{port}"
            time.sleep(0.05)
        raise AssertionError(f"JupyterLab did not start: {(self.folder / 'lab.log').read_text()[-2000:]}")

    def set(self, plugin: str, **values: Any) -> None:
        """Change a setting of JupyterLab's, for pages opened from now on."""
        (self._settings / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))

    def notebook(self, name: str, *cells: str | tuple[str, ...]) -> str:
        """A notebook of these cells, each its text or its text and its tags, for the jbts kernel; where JupyterLab
        opens it alone."""
        made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "jbts", "display_name": "JBTS (Python 3)"}})
        written = [(cell,) if isinstance(cell, str) else cell for cell in cells]
        made.cells = [nbformat.v4.new_code_cell(text, metadata={"tags": tags}) for text, *tags in written]
        nbformat.write(made, self.notebooks / name)
        return f"{self.url}/lab/tree/{quote(name)}?reset&token={TOKEN}"

    def close(self) -> None:
        """End it with its kernels and their browsers."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        _, alive = psutil.wait_procs(children, timeout=20)
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.log.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab for all of these tests."""
    server = Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


class Bench(Workbench):
    """A workbench whose results nobody asks for."""

    def _publish(self) -> None:
        self._published_at = time.monotonic()


class Tester:
    """Somebody at JupyterLab: opens notebooks, runs cells, points at the picture. Everything waits for itself."""

    def __init__(self, server: Server, folder: Path, size: str = "1500x1000") -> None:
        self.server, self.size = server, size
        settings = JBTS(environ={}, viewport=size, broadcaster="off", timeout=40.0, navigation_timeout=60.0)
        self.bench = Bench(settings, home=folder / ".jbts", environ={})
        self.page: Any = Page(lambda: self.bench)

    def open(self, name: str, *cells: str | tuple[str, ...]) -> None:
        """Open a notebook of these cells, with its kernel idle."""
        self.page.navigate(self.server.notebook(name, *cells))
        self.page.expect(".jp-NotebookPanel-notebook .jp-Cell", "visible", first=True)
        self.until("an idle kernel", IDLE)

    def run_cell(self, number: int) -> None:
        """Run a cell as Shift+Enter does. What it comes to is for the caller to wait for."""
        self.page.click(f".jp-Notebook .jp-Cell >> nth={number}", at="200,12")
        self.page.press("Shift+Enter")

    def cells(self) -> list[str]:
        """The text of every cell."""
        script = (
            "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .cm-content')].map((c) => "
            "[...c.querySelectorAll('.cm-line')].map((l) => l.textContent).join('\\n'))"
        )
        return list(self.page.evaluate(script))

    def until(self, what: str, holds: str) -> Any:
        """Wait until a JavaScript expression holds; its value."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            found = self.bench.session.evaluate(holds)
            if found:
                return found
            self.bench.session.browser.look_again(0.05)
        self.picture("never")
        raise AssertionError(f"never: {what}; cells {self.cells()}")

    def measure(self, url: str, *selectors: str, press: bool = False) -> list[tuple[float, float]]:
        """The middle of elements of the application under test, in a viewport as the panel's browser has it; with
        ``press`` each is pressed before the next is looked for."""
        self.page.window("1280x800")
        self.page.navigate(url)
        found = []
        for selector in selectors:
            self.page.expect(selector, "visible")
            box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
            found.append(tuple(self.page.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")))
            if press:
                self.page.click(selector)
        self.page.window(self.size)
        return found

    def point(self, place: tuple[float, float]) -> None:
        """Press a point of the page on the panel's picture."""
        self.page.scroll(PICTURE)
        self.until("a whole picture", f"document.querySelector({PICTURE!r})?.querySelector('img').naturalWidth > 1000")
        width, height = self.page.evaluate(f"(({{width, height}}) => [width, height])({SIZE})")
        self.page.click(PICTURE, at=f"{place[0] / 1280 * width:.0f},{place[1] / 800 * height:.0f}")

    def go(self, url: str) -> None:
        """Type an address into the panel's."""
        self.page.type(".jbts-panel >> label=address", url, enter=True)
        self.until("a picture", f"document.querySelector({PICTURE!r})?.querySelector('img').naturalWidth > 1000")

    def press(self, name: str) -> None:
        """Press a button of the panel's."""
        self.page.click(f'.jbts-panel >> role=button[name="{name}"]')

    def fill(self, text: str) -> None:
        """Type into the field that has opened on the picture, and put it in."""
        self.page.type(".jbp-fill input", text)
        self.page.click(".jbp-fill button >> nth=0")

    def over(self, place: tuple[float, float], locator: str) -> None:
        """Move over a point of the page until the panel names what is there so, as a person waits for a page."""
        self.page.scroll(PICTURE)
        x, y, width, height = self.page.evaluate(f"(b => [b.x, b.y, b.width, b.height])({SIZE})")
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and self.bench.session.evaluate(TIP) != locator:
            self.page.mouse("move", f"{x + place[0] / 1280 * width:.0f},{y + place[1] / 800 * height:.0f}")
            self.bench.session.browser.look_again(0.2)
        assert self.bench.session.evaluate(TIP) == locator

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one point of the page to another on the panel's picture."""
        self.page.scroll(PICTURE)
        x, y, width, height = self.page.evaluate(f"(b => [b.x, b.y, b.width, b.height])({SIZE})")
        for action, place in (("move", start), ("down", start), ("move", end), ("up", end)):
            self.page.mouse(action, f"{x + place[0] / 1280 * width:.0f},{y + place[1] / 800 * height:.0f}")

    def choose(self, label: str) -> None:
        """Take one of the offers."""
        self.page.click(f'.jbp-offers >> role=button[name="{label}"]')

    def written(self, *lines: str) -> None:
        """Wait until these are the notebook's last lines, and have been run."""
        self._until_run(lines, "cells.slice(-lines.length).every((cell, n) => cell === lines[n])")

    def shown(self, *lines: str, ran: bool = True) -> None:
        """Wait until these lines follow one another in the notebook, and have been run."""
        self._until_run(lines, "cells.join('\\n').includes(lines.join('\\n'))", ran)

    def _until_run(self, lines: tuple[str, ...], there: str, ran: bool = True) -> None:
        """Wait until cells are there and the last has a number: a kernel is idle before it is asked, too."""
        script = f"""(() => {{
            const lines = {json.dumps(lines)}, codes = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
            const text = (code) => [...code.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\\n');
            const number = (code) => /\\[\\d+\\]/.test(code.querySelector('.jp-InputPrompt')?.textContent);
            const ran = (code) => {json.dumps(not ran)} || number(code);
            const cells = codes.map(text);
            return {there} && ran(codes[cells.findLastIndex((cell) => cell.endsWith(lines.at(-1)))]);
        }})()"""
        self.until(f"{lines} written and run", script)
        self.until("an idle kernel", IDLE)

    def save(self) -> None:
        """Save the notebook, with the panel's own key."""
        self.page.press("Control+S", ".jbts-panel")
        self.until("a saved notebook", "!document.querySelector('.jp-mod-dirty')")

    def keys(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.page.type(".jp-Notebook .jp-Cell.jp-mod-active .cm-content", text)

    def picture(self, name: str) -> None:
        """Keep a picture of what is seen; where LAB_PICTURES says, or with the rest of the test's files."""
        self.page.screenshot()
        assert self.bench.last is not None and self.bench.last.screenshot is not None
        folder = Path(os.environ.get("LAB_PICTURES", self.server.folder / "pictures"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes((self.bench.home / self.bench.last.screenshot.path).read_bytes())

    def close(self) -> None:
        self.bench.close()


@pytest.fixture(scope="session")
def tester(lab: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tester]:
    """Somebody at the Lab, with a browser of their own."""
    tester = Tester(lab, tmp_path_factory.mktemp("tester"))
    yield tester
    tester.close()
