"""Notebooks that a test writes for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat


def notebook(path: Path, *cells: str | tuple[str, ...], **about: Any) -> Path:
    """Write a notebook; a cell is its source, or its source and its tags. ``about`` is what the notebook's own
    metadata say under ``jbts``."""
    made = []
    for number, cell in enumerate(cells):
        source, *tags = (cell,) if isinstance(cell, str) else cell
        made.append(nbformat.v4.new_code_cell(source, id=f"cell-{number}", metadata={"tags": tags}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    found = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel, "jbts": about})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(found, path)
    return path
