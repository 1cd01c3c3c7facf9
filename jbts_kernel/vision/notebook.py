"""A generated test as a notebook that papermill runs as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UsageProblem


def check(place: Path) -> None:
    """Whether a notebook can be written there, before anything is asked for it. Raises :class:`UsageProblem`."""
    if place.suffix != ".ipynb":
        raise UsageProblem(f"{place.name} is no notebook; name it like {place.stem}.ipynb")
    if place.exists():
        raise UsageProblem(f"{place} exists already; name another file")


def write(place: Path, case: Mapping[str, Any], lines: Sequence[str], url: str) -> None:
    """Write the notebook: parameters, setup, and a cell for each line. Raises :class:`UsageProblem` where it
    cannot be written, or would replace a file."""
    from nbformat import v4, writes

    check(place)
    parts = urlsplit(url)
    parameters = v4.new_code_cell(f'base_url = "{parts.scheme}://{parts.netloc}"', metadata={"tags": ["parameters"]})
    cells = [v4.new_markdown_cell(f"# {case['name']}\n\n{case['description']}".strip()), parameters]
    cells += [v4.new_code_cell(text) for text in ("%load_ext jbts_kernel", *(f"%{line}" for line in lines), "%endtest")]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "JBTS (Python 3)", "language": "python", "name": "jbts"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(writes(notebook))
    except FileExistsError:
        raise UsageProblem(f"{place} exists already; name another file") from None
    except OSError as error:
        raise UsageProblem(f"{place} cannot be written: {error.strerror or error}") from None
