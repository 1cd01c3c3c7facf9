"""%workbench in a real kernel: live for a person, and a strip that grows where nobody looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.conftest import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.browser]


TWIN = '<div class="jbts-twin">'


def test_the_panel_for_a_person(kernel: Kernel, silent: str) -> None:
    """A widget that says nothing by itself, and below it a plain twin that runs nothing and has a cell's steps when
    the cell ends: a notebook that is saved then is whole, and stays saved."""
    live, still = kernel.run("%workbench").bundles
    assert set(live) == {"application/vnd.jupyter.widget-view+json", "text/plain"} and live["text/plain"] == ""
    assert "no test is open" in still["text/html"] and TWIN in still["text/html"]
    said = kernel.run(f"%navigate {silent}\n%screenshot").bundles
    grown = [one["text/html"] for one in said if TWIN in one.get("text/html", "")]
    assert len(grown) == 1 and f"navigate</span> <code>{silent}" in grown[0] and "screenshot</span>" in grown[0]
    assert "data:image/webp;base64," in grown[0]
    assert "<script" not in grown[0] + still["text/html"]


def test_the_panel_where_nobody_looks_on(start_kernel: Callable[..., Kernel], silent: str) -> None:
    """Under a runner the cell keeps the steps that come after it, with the page's picture."""
    kernel = start_kernel("--ext=jbts_kernel", JBTS_MODE="suite")
    assert "vnd.jupyter.widget" not in str(kernel.run("%workbench").bundles)
    grown = kernel.run(f"%navigate {silent}").bundles[0]["text/html"]
    assert f"navigate</span> <code>{silent}" in grown and "data:image/webp;base64," in grown
