"""What only the picture tells: that it is empty, and how far a text's colour is from what lies behind it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..models import Box, Finding
from .looking import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_LARGE, _LARGE_BOLD = 24.0, 18.66  # CSS pixels from which WCAG asks for 3:1 only
_DOUBT = 0.75  # a picture's colours are no exact science: what is nearer to the limit passes
_MOST = 40
_ALIKE = 6


def opened(png: bytes) -> Image:
    """The decoded picture, without transparency."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")


def one_colour(image: Image) -> bool:
    """Whether no pixel differs from another by more than an eye would see."""
    for band in "RGB":
        low, high = image.getchannel(band).getextrema()
        assert isinstance(low, (int, float)) and isinstance(high, (int, float))
        if high - low > _ALIKE:
            return False
    return True


def luminance(colour: tuple[int, ...]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def measured_contrast(picture: Picture, image: Image, undecided: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    """Texts whose contrast a rule could not compute, and whose surroundings in the picture show that it is too
    low. ``undecided`` are their elements with colour, size and lines."""
    for node in list(undecided)[:_MOST]:
        colour = re.findall(r"[\d.]+", str(node.get("color", "")))
        lines, box, text = node.get("lines") or [], node.get("box"), " ".join(str(node.get("text", "")).split())
        if len(colour) < 3 or (len(colour) > 3 and float(colour[3]) < 0.99) or not lines or not text or not box:
            continue
        ink = tuple(int(float(c)) for c in colour[:3])
        behind = [pixel for line in lines[:4] for pixel in _around(picture, image, line)]
        if len(behind) < 40:
            continue
        ratios = sorted(contrast(ink, pixel) for pixel in behind)
        ratio = ratios[len(ratios) // 2]
        large = node["size"] >= _LARGE or (node["size"] >= _LARGE_BOLD and node["weight"] >= 700)
        wanted = 3.0 if large else 4.5
        if ratio < wanted * _DOUBT:
            yield Finding(
                category="contrast",
                severity="serious",
                message=f"text is hard to read there: {ratio:.1f}:1, {wanted:g}:1 is needed: \u201c{text[:60]}\u201d",
                source="pixels",
                locator=" >> ".join(node["target"]),
                box=Box(box["x"], box["y"], box["width"], box["height"]),
                evidence=f"median contrast {ratio:.2f}:1 of {len(behind)} pixels around the text",
                rule="contrast-measured",
            )


def _around(picture: Picture, image: Image, line: list[float]) -> Iterator[tuple[int, ...]]:
    """Pixels just above, below and beside a line of text: what the text stands on, without the text."""
    left, top, right, bottom = (
        (v - o) * picture.scale for v, o in zip(line, (picture.left, picture.top) * 2, strict=True)
    )
    rows, columns = (top + 1, bottom - 2), (left - 2, right + 1)
    step = max(1.0, (right - left) / 60)
    points = [(left + i * step, row) for row in rows for i in range(int((right - left) / step))]
    points += [(column, top + i) for column in columns for i in range(0, int(bottom - top), 2)]
    for x, y in points:
        if 0 <= x < image.width and 0 <= y < image.height:
            pixel = image.getpixel((int(x), int(y)))
            if isinstance(pixel, tuple):
                yield pixel
