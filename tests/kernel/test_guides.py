"""The guides in docs/: every command in them is run, in the order in which a person would.

A block without a language is a cell of steps, ``python`` a cell of Python, ``sh`` lines for a terminal. A comment
above a block says what cannot be told from it: ``fails: ERROR`` for a cell that must fail with that error,
``needs: NAME`` for a notebook that the reader has saved by then, ``on: HTML`` for the page a cell is run on.
README.md is one of them; what it says of sites elsewhere is done on a page or a shop of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest

from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.demo import Shop
from jbts_kernel.log import Log
from jbts_kernel.models import Event

from .conftest import Kernel

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("first-test", "waiting", "secrets", "results", "scaling-out", "troubleshooting")
REFERENCES = ("locators", "snapshots", "vision")
NOT_HERE = ("pip ", "make ", "jupyter lab", "jbts lab", "voila ", "jbts accept ", "duckdb ")
"""What begins like this installs something, or opens a window or a server and stays, or waits for a snapshot
that differs (tests/integration and tests/browser have one), or is a program of others."""

pytestmark = [pytest.mark.kernel, pytest.mark.browser, pytest.mark.slow]


@dataclass(frozen=True)
class Block:
    """One fenced block and what the comment above it says."""

    language: str
    text: str
    fails: str = ""
    needs: str = ""
    on: str = ""


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found = re.finditer(r"(?:<!-- (fails|needs|on): (.+?) -->\n)?^```(\w*)\n(.*?)^```$", document, re.M | re.S)
    return [Block(m[3], m[4].rstrip("\n"), **({m[1]: m[2]} if m[1] else {})) for m in found]


def notebook(cells: list[Block]) -> nbformat.NotebookNode:
    """What the reader has by now, without the cells that failed."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block.text) for block in cells if not block.fails])
    made.metadata.kernelspec = {"name": "jbts", "display_name": "JBTS (Python 3)", "language": "python"}
    return made


def in_a_terminal(lines: str, folder: Path, **more: str) -> None:
    """Each line as it stands, with the commands of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "JBTS_HOME": str(folder / ".jbts"), "JBTS_BROADCASTER": "off"} | more
    for line in lines.splitlines():
        if not line.startswith(NOT_HERE):
            done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("guide", GUIDES + REFERENCES)
def test_every_command_of_a_guide_does_what_it_says(
    guide: str, start_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    """Cells pass, those that are said to fail fail with that error, and lines for a terminal exit with 0."""
    kernel: Kernel | None = None
    cells: list[Block] = []
    by_hand = {"JBTS_UPDATE_BASELINES": "1"} if guide in REFERENCES else {}  # as a first run by hand writes them
    found = blocks((ROOT / "docs" / f"{guide}.md").read_text(encoding="utf-8"))
    assert found
    for block in found:
        if block.language == "sh":
            if block.needs:
                nbformat.write(notebook(cells), tmp_path / block.needs)
            in_a_terminal(block.text, tmp_path)
        elif block.language in ("", "python"):
            kernel = kernel or start_kernel("--ext=jbts_kernel", **by_hand)
            if block.on:
                assert kernel.run(f"%navigate data:text/html,{quote(block.on)}").status == "ok"
            cells.append(block)
            reply = kernel.run(block.text)
            wanted = "error" if block.fails else "ok"
            assert (reply.status, block.fails in reply.error) == (wanted, True), f"{block.text}\n{reply.error}"


EXAMPLE = f"data:text/html,{quote('<h1>Example Domain</h1><a href=%23more>Learn more</a>', safe='%')}"


def test_every_command_of_the_readme_does_what_it_says(
    start_kernel: Callable[..., Kernel], shop: Shop, tmp_path: Path
) -> None:
    """In one folder with one notebook of the demo, as somebody would who goes through it from the top."""
    document = (ROOT / "README.md").read_text(encoding="utf-8")
    document = document.replace("https://example.com", EXAMPLE).replace("https://staging.example.com", shop.url)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "shop_checkout.ipynb", tmp_path / "notebooks")
    environ = {"JBTS_BASE_URL": shop.url, "PASSWORD": "copper-pine"}
    kernel = start_kernel("--ext=jbts_kernel", **environ)
    assert kernel.run("%secret PASSWORD").status == "ok"
    for block in blocks(document):
        assert kernel.run("%test readme").status == "ok"  # each is an example of its own
        if block.language == "sh":
            in_a_terminal(block.text, tmp_path, **environ)
        elif "async for" not in block.text:  # it listens until somebody stops it: see the next test
            reply = kernel.run(block.text)
            assert reply.status == "ok", f"{block.text}\n{reply.error}"


@pytest.mark.parametrize("document", ["README.md", "docs/events.md"])
def test_what_is_written_about_events_in_python_is_so(
    document: str, start_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    """The loop hears of what happens, here to its first event; messages and figures come and go."""
    hub, log = HubThread.start(tmp_path / ".jbts"), Log(tmp_path / ".jbts")
    assert hub is not None
    heard = threading.Event()

    def happen() -> None:
        while not heard.wait(0.05):
            log.emit(Event("execution.started", {"test_name": "red", "name": "red"}, None, "e1"))

    thread = threading.Thread(target=happen)
    try:
        kernel = start_kernel("--ext=jbts_kernel")
        cells = [b for b in blocks((ROOT / document).read_text(encoding="utf-8")) if "jbts.events" in b.text]
        assert cells
        for block in cells:
            loops = "async for" in block.text
            if loops:
                thread.start()
            reply = kernel.run(f"{block.text}\n    break" if loops else block.text)
            assert reply.status == "ok", f"{block.text}\n{reply.error}"
            assert not loops or reply.text == "started red\n"
    finally:
        heard.set()
        if thread.ident is not None:
            thread.join()
        log.close()
        hub.stop()
