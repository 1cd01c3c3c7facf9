"""Two pictures of the same thing: what differs beyond how edges are smoothed.

Pixels are compared by their largest channel difference; Pillow does that for whole pictures. The few
that remain are looked at one by one: a pixel that only smooths an edge, in either picture, is no
difference. The test for that is the known one (V. Vysniauskas, "Anti-aliased Pixel and Intensity Slope
Detector", 2009).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

THRESHOLD = 26
"""Of 255: what an eye may notice."""
LOOKED_AT = 6000
"""More differing pixels than this are no matter of smoothing."""
_RED, _WHITE, _OUTSIDE = (220, 30, 40), (255, 255, 255), (255, 0, 255)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``differing`` pixels of ``pixels``; ``sizes`` are the expected and the actual width and height; ``diff`` is
    a PNG with the differing pixels in red, None where nothing differs."""

    differing: int
    pixels: int
    sizes: tuple[tuple[int, int], tuple[int, int]]
    diff: bytes | None

    @property
    def share(self) -> float:
        return self.differing / self.pixels

    def within(self, tolerance: float) -> bool:
        """Whether the pictures have one size and no more than this share of pixels differs."""
        return self.sizes[0] == self.sizes[1] and self.share <= tolerance


def compare(expected: bytes, actual: bytes) -> Comparison:
    """Compare two PNGs. Raises OSError where one is no picture."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(expected)) as first, Image.open(io.BytesIO(actual)) as second:
        a, b = first.convert("RGB"), second.convert("RGB")
    sizes = (a.size, b.size)
    if a.size != b.size:
        size = (max(a.width, b.width), max(a.height, b.height))
        a, b = (_padded(image, size) for image in (a, b))
    red, green, blue = ImageChops.difference(a, b).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    mask = most.point([255 if value > THRESHOLD else 0 for value in range(256)])
    count = mask.histogram()[255]
    if 0 < count <= LOOKED_AT:
        count -= _forgive(mask, a, b)
    return Comparison(count, a.width * a.height, sizes, _drawn(a, mask) if count else None)


def _padded(image: Any, size: tuple[int, int]) -> Any:
    from PIL import Image

    canvas = Image.new("RGB", size, _OUTSIDE)
    canvas.paste(image, (0, 0))
    return canvas


def _drawn(expected: Any, mask: Any) -> bytes:
    """The expected picture, faint, with what differs in red, widened so that one pixel can be seen."""
    from PIL import Image, ImageFilter

    faint = Image.blend(Image.new("RGB", expected.size, _WHITE), expected.convert("L").convert("RGB"), 0.25)
    faint.paste(_RED, mask=mask.filter(ImageFilter.MaxFilter(3)))
    buffer = io.BytesIO()
    faint.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _forgive(mask: Any, a: Any, b: Any) -> int:
    """Take pixels that only smooth an edge out of the mask; how many they were."""
    width, height = mask.size
    colours, greys, marks = (a.load(), b.load()), (a.convert("L").load(), b.convert("L").load()), mask.load()
    forgiven = 0
    for found in re.finditer(b"\xff", mask.tobytes()):
        y, x = divmod(found.start(), width)
        if _smooths(greys[0], colours, x, y, width, height) or _smooths(greys[1], colours, x, y, width, height):
            marks[x, y] = 0
            forgiven += 1
    return forgiven


def _around(x: int, y: int, width: int, height: int) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i in range(max(0, x - 1), min(width, x + 2))
        for j in range(max(0, y - 1), min(height, y + 2))
        if (i, j) != (x, y)
    ]


def _smooths(grey: Any, colours: tuple[Any, Any], x: int, y: int, width: int, height: int) -> bool:
    """Whether a pixel lies between a darker and a lighter side, one of which is an even surface in both pictures."""
    here, neighbours = grey[x, y], _around(x, y, width, height)
    same = sum(grey[n] == here for n in neighbours) + (len(neighbours) < 8)
    if same > 2:
        return False
    darkest, lightest = min(neighbours, key=lambda n: grey[n]), max(neighbours, key=lambda n: grey[n])
    if grey[darkest] >= here or grey[lightest] <= here:
        return False
    return any(all(_even(c, *side, width, height) for c in colours) for side in (darkest, lightest))


def _even(colours: Any, x: int, y: int, width: int, height: int) -> bool:
    neighbours = _around(x, y, width, height)
    return bool(sum(colours[n] == colours[x, y] for n in neighbours) + (len(neighbours) < 8) > 2)
