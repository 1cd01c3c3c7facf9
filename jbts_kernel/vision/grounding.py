"""Whether the page bears out what a model says of it.

A finding is grounded when the text it quotes is on the page, or, where it quotes none, when its box lies on an
element. The box is then snapped to that element, whose edges are known to the pixel; a model's are not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ..models import Box, Finding

SHORTEST = 2
_ENOUGH = 0.5  # of intersection over union: the box means this element


def folded(text: str) -> str:
    """A text for comparison: one case, one kind of quote and dash, no white space at all."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = plain.translate(str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2026", "''\"\"--."))
    return "".join(plain.replace("...", ".").split())


def ground(row: Mapping[str, Any], items: Sequence[Mapping[str, Any]], text: str) -> Finding:
    """The finding of one row of an answer. ``items`` are the page's elements with text and box (from the
    picture's corner), ``text`` all of its text."""
    quoted, box = folded(str(row["evidence"])), row["box"]
    quotes = len(quoted) >= SHORTEST
    holding = [i for i in items if quotes and quoted in folded(str(i["text"]))]
    on_page = bool(holding) or (quotes and quoted in folded(text))
    element = _nearest(box, holding) if holding else None
    if element is None and box is not None and not quotes:
        best = max(items, key=lambda i: overlap(box, _box(i)), default=None)
        element = best if best is not None and overlap(box, _box(best)) >= _ENOUGH else None
    grounded = on_page if quotes else element is not None
    return Finding(
        category=row["category"],
        severity=row["severity"],
        message=row["message"],
        source="ai",
        locator=str(element["locator"]) if element is not None else None,
        box=_box(element) if element is not None else box,
        evidence=str(row["evidence"]),
        grounded=grounded,
        rule="model",
    )


def overlap(one: Box | None, other: Box | None) -> float:
    """Intersection over union of two boxes."""
    if one is None or other is None:
        return 0.0
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def _box(item: Mapping[str, Any]) -> Box:
    b = item["box"]
    return Box(float(b["x"]), float(b["y"]), float(b["width"]), float(b["height"]))


def _nearest(box: Box | None, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several elements that hold the text the one the box lies on; without a box the smallest."""
    if box is None:
        return min(items, key=lambda i: len(str(i["text"])))

    def far(item: Mapping[str, Any]) -> float:
        b = _box(item)
        return float(abs(b.x + b.width / 2 - box.x - box.width / 2) + abs(b.y + b.height / 2 - box.y - box.height / 2))

    return min(items, key=lambda i: (-overlap(box, _box(i)), far(i)))
