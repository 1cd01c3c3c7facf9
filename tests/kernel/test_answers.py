"""%query in a real kernel: a name gets a data frame, a cell gets a widget and then its plain twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.conftest import Kernel

pytestmark = pytest.mark.kernel


def test_an_answer_in_a_kernel(kernel: Kernel) -> None:
    """Assigned it is a frame and shows nothing; alone it is shown before its static twin, and a chart before both."""
    kept = kernel.run("found = %query select i from range(120) t(i)\nprint(len(found), found.i.sum())")
    assert (kept.status, kept.text.strip(), kept.bundles) == ("ok", "120 7140", [])
    view, twin = kernel.run("%query select i from range(120) t(i)").bundles
    assert "application/vnd.jupyter.widget-view+json" in view and "text/html" not in view
    assert "the first 50 of 120 rows" in twin["text/html"] and "<script" not in twin["text/html"]
    chart, _, answer = kernel.run("%%query --chart line i n\nselect i, i * i as n from range(9) t(i)").bundles
    assert "image/png" in chart and "<table>" in answer["text/html"]
