"""%workbench in a real kernel: live for a person, and a strip that grows where nobody looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.conftest import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.browser]


def test_the_panel_for_a_person(kernel: Kernel) -> None:
    """A widget, with a plain twin in the same output that runs nothing."""
    (shown,) = kernel.run("%workbench").bundles
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "no test is open" in shown["text/html"] and "<script" not in shown["text/html"]


def test_the_panel_where_nobody_looks_on(start_kernel: Callable[..., Kernel], silent: str) -> None:
    """Under a runner the cell keeps the steps that come after it, with the page's picture."""
    kernel = start_kernel("--ext=jbts_kernel", JBTS_MODE="suite")
    assert "vnd.jupyter.widget" not in str(kernel.run("%workbench").bundles)
    grown = kernel.run(f"%navigate {silent}").bundles[0]["text/html"]
    assert f"navigate</span> <code>{silent}" in grown and "data:image/webp;base64," in grown
