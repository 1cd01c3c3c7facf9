"""Text that is only pixels: on a canvas, and on pictures kept from earlier.

rapidocr carries its models in its package, so reading needs no network. It weighs some hundred megabytes with what it
stands on and is an extra of its own; where it is missing nothing is read, and the card says so.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..grammar import clip
from ..models import Box, Finding
from .looking import Page, Picture, ask
from .rules import RULES

if TYPE_CHECKING:
    from PIL.Image import Image

HOW = "pip install 'jbts-kernel[ocr]' reads it"
SURE = 0.85  # below that, a letter may be another one
MOST_CANVASES, MOST_LINES = 4, 300
_NEEDED = ("rapidocr", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture, in the picture's pixels."""

    text: str
    box: Box


def installed() -> bool:
    """Whether pictures can be read here. Imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


@cache
def _reader() -> Any:
    from rapidocr import RapidOCR

    reader = RapidOCR(params={"Global.log_level": "critical"})
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return reader


def read(image: Image) -> tuple[Line, ...]:
    """The lines of a picture that are read for sure, from top to bottom."""
    if image.width < 12 or image.height < 8:
        return ()
    seen = _reader()(image, return_word_box=False)
    if not seen.txts:
        return ()
    lines = []
    for text, score, corners in zip(seen.txts, seen.scores, seen.boxes, strict=True):
        xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
        if score >= SURE and text.strip():
            lines.append(Line(text.strip(), Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))))
    return tuple(sorted(lines, key=lambda line: line.box.y)[:MOST_LINES])


def judge(page: Page, lines: Sequence[Line]) -> list[tuple[Line, Finding]]:
    """What the rules for words say of lines that were read: the same rules that read a page."""
    if not lines:
        return []
    found = ask(page, "read", lines=[clip(line.text, 400) for line in lines])["findings"]
    return [(lines[f["line"]], _finding(f, lines[f["line"]])) for f in found]


def _finding(f: dict[str, Any], line: Line) -> Finding:
    rule = RULES[f["rule"]]
    return Finding(
        rule.category, rule.severity, str(f["message"]), "pixels", None, line.box,
        f"read in the picture: {clip(line.text, 300)}", rule=rule.id,
    )  # fmt: skip


def canvases(page: Page, picture: Picture, image: Image, places: Sequence[dict[str, Any]]) -> list[Finding]:
    """What is wrong with the words on the page's canvases, where the picture shows them."""
    from dataclasses import replace

    found = []
    for place in places[:MOST_CANVASES]:
        b, scale = place["box"], picture.scale
        left, top = max(0, round((b["x"] - picture.left) * scale)), max(0, round((b["y"] - picture.top) * scale))
        right = min(image.width, round((b["x"] - picture.left + b["width"]) * scale))
        bottom = min(image.height, round((b["y"] - picture.top + b["height"]) * scale))
        if right <= left or bottom <= top:
            continue
        for line, finding in judge(page, read(image.crop((left, top, right, bottom)))):
            x, y = (left + line.box.x) / scale + picture.left, (top + line.box.y) / scale + picture.top
            box = Box(x, y, line.box.width / scale, line.box.height / scale)
            found.append(replace(finding, locator=place["locator"], box=box))
    return found
