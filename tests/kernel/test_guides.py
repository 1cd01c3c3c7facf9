"""The guides in docs/: every command in them is run, in the order in which a person would.

A block without a language is a cell of steps, ``python`` a cell of Python, ``sh`` lines for a terminal. A comment
above a block says what cannot be told from it: ``fails: ERROR`` for a cell that must fail with that error,
``needs: NAME`` for a notebook that the reader has saved by then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from .conftest import Kernel

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("first-test", "waiting", "secrets", "results", "scaling-out", "troubleshooting")
NOT_HERE = ("pip ", "jbts lab", "voila ")
"""What begins like this installs something, or opens a window or a server and stays."""

pytestmark = [pytest.mark.kernel, pytest.mark.browser, pytest.mark.slow]


@dataclass(frozen=True)
class Block:
    """One fenced block and what the comment above it says."""

    language: str
    text: str
    fails: str = ""
    needs: str = ""


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found = re.finditer(r"(?:<!-- (fails|needs): (\S+) -->\n)?^```(\w*)\n(.*?)^```$", document, re.M | re.S)
    return [Block(m[3], m[4].rstrip("\n"), **({m[1]: m[2]} if m[1] else {})) for m in found]


def notebook(cells: list[Block]) -> nbformat.NotebookNode:
    """What the reader has by now, without the cells that failed."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block.text) for block in cells if not block.fails])
    made.metadata.kernelspec = {"name": "jbts", "display_name": "JBTS (Python 3)", "language": "python"}
    return made


def in_a_terminal(lines: str, folder: Path) -> None:
    """Each line as it stands, with the commands of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "JBTS_HOME": str(folder / ".jbts"), "JBTS_BROADCASTER": "off"}
    for line in lines.splitlines():
        if not line.startswith(NOT_HERE):
            done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_of_a_guide_does_what_it_says(
    guide: str, start_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    """Cells pass, those that are said to fail fail with that error, and lines for a terminal exit with 0."""
    kernel: Kernel | None = None
    cells: list[Block] = []
    found = blocks((ROOT / "docs" / f"{guide}.md").read_text(encoding="utf-8"))
    assert found
    for block in found:
        if block.language == "sh":
            if block.needs:
                nbformat.write(notebook(cells), tmp_path / block.needs)
            in_a_terminal(block.text, tmp_path)
        elif block.language in ("", "python"):
            kernel = kernel or start_kernel("--ext=jbts_kernel")
            cells.append(block)
            reply = kernel.run(block.text)
            wanted = "error" if block.fails else "ok"
            assert (reply.status, block.fails in reply.error) == (wanted, True), f"{block.text}\n{reply.error}"
