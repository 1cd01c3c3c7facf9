"""An executed notebook as a page to read, by the same template that ``jupyter nbconvert --template jbts`` uses."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter


def notebook_page(executed: Path) -> str:
    """The HTML of an executed notebook: it opens offline and runs nothing."""
    import nbformat

    body, _ = _exporter().from_notebook_node(
        nbformat.read(executed, as_version=4), {"metadata": {"name": executed.stem}}
    )
    return str(body)


@cache
def _exporter() -> HTMLExporter:
    """Made once: it compiles the template."""
    from nbconvert.exporters import HTMLExporter

    # The package's own copy, wherever a template of this name may be installed.
    folder = str(resources.files("jbts_kernel").joinpath("nbconvert"))
    return HTMLExporter(template_file="index.html.j2", template_name="base", extra_template_paths=[folder])
