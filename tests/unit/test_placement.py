"""Frames in frames: points and boxes through every turn and scale."""

from __future__ import annotations

import pytest

from jbts_kernel.browser.placement import TAB, Placement
from jbts_kernel.models import Box


def test_the_tab_itself_changes_nothing() -> None:
    """Outside of frames a point is a point."""
    assert TAB.point(3, 4) == (3, 4)
    assert TAB.box(Box(1, 2, 3, 4)) == Box(1, 2, 3, 4)


def test_a_scaled_frame_in_a_moved_one() -> None:
    """A frame's points are scaled, then moved with the frame that holds it."""
    outer, inner = Placement(x=100, y=50), Placement(a=2, d=2, x=10, y=20)
    assert outer.holding(inner).point(5, 5) == (120, 80)
    assert outer.holding(inner).box(Box(0, 0, 10, 20)) == Box(110, 70, 20, 40)


def test_a_quarter_turn() -> None:
    """A turned box is the smallest box around it."""
    quarter = Placement(a=0, b=1, c=-1, d=0, x=100, y=0)
    assert quarter.point(10, 0) == pytest.approx((100, 10))
    assert quarter.box(Box(0, 0, 30, 10)) == Box(90, 0, 10, 30)
    assert quarter.holding(quarter).point(1, 2) == pytest.approx((99, 98))
