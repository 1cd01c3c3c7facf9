"""Pictures for a model: cut into tiles it will not shrink, and packed small without losing what an eye can see.

Lossless WebP at its second effort takes less than half the time and half the bytes of a PNG with ``optimize=True``;
below that effort it is larger, above it only slower. That holds for flat colours. Where photographs and gradients
fill a page, its lossless kind is no smaller than the PNG: those are packed lossy at quality 95. What lies in between
is packed with the last two bits rounded away and, where that is not small, lossy too; the smaller is sent. Servers
other than OpenAI's own may drop WebP without a word, so they are sent PNG.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pixels import opened

if TYPE_CHECKING:
    from PIL.Image import Image

TILE_WIDTH, TILE_HEIGHT, MOST_TILES = 1280, 1600, 6
FLAT, MIXED = 1024, 2048
"""Colours up to which a picture is taken to be drawn, and beyond which to be photographed."""
SPARSE = 24
"""Pixels for a byte from which a packed picture is small enough to look no further."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture, ready to send. ``top`` is where it begins, ``digest`` the hash of its pixels."""

    data: bytes
    mime: str
    width: int
    height: int
    top: int
    digest: str

    @property
    def url(self) -> str:
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"


def prepare(png: bytes, scale: float = 1.0, *, webp: bool = True) -> tuple[Tile, ...]:
    """The picture in CSS pixels as tiles of at most 1280 by 1600, from top to bottom, at most six."""
    from PIL import Image

    image = opened(png)
    factor = min(1.0 / scale, TILE_WIDTH / max(1, image.width))
    if factor < 0.999:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    tops = range(0, min(image.height, TILE_HEIGHT * MOST_TILES), TILE_HEIGHT)
    return tuple(
        _tile(image.crop((0, top, image.width, min(image.height, top + TILE_HEIGHT))), top, webp) for top in tops
    )


def _tile(part: Image, top: int, webp: bool) -> Tile:
    digest = hashlib.sha256(f"{part.size}".encode() + part.tobytes()).hexdigest()
    if webp:
        data, mime = _webp(part), "image/webp"
    else:
        data, mime = _packed(part, "PNG", compress_level=6), "image/png"
    return Tile(data, mime, part.width, part.height, top, digest)


_ROUNDED = [min(255, (value + 2) & 0x1FC) for value in range(256)] * 3


def _webp(part: Image) -> bytes:
    colours = part.getcolors(MIXED)
    if colours is not None and len(colours) <= FLAT:
        return _packed(part, "WEBP", lossless=True, quality=20, method=1)
    if colours is None:
        return _packed(part, "WEBP", quality=95, method=0)
    rounded = _packed(part.point(_ROUNDED), "WEBP", lossless=True, quality=20, method=1)
    if len(rounded) * SPARSE <= part.width * part.height:
        return rounded
    return min(rounded, _packed(part, "WEBP", quality=95, method=0), key=len)


def _packed(part: Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    part.save(buffer, kind, **options)
    return buffer.getvalue()


def tokens(tiles: Sequence[Tile], model: str) -> int:
    """What a picture costs at detail high, as OpenAI publishes it: patches of 32 pixels with a factor for the
    small models and gpt-5, tiles of 512 pixels for gpt-4o and its kin."""
    return sum(_patches(t, model) if _by_patch(model) else _squares(t, model) for t in tiles)


_FACTORS = (
    ("gpt-4.1-mini", 1.62),
    ("gpt-4.1-nano", 2.46),
    ("o4-mini", 1.72),
    ("gpt-5-mini", 1.62),
    ("gpt-5-nano", 2.46),
)
_SQUARES = (
    ("gpt-4o-mini", 2833, 5667), ("gpt-4o", 85, 170), ("gpt-4.1", 85, 170), ("gpt-4.5", 85, 170),
    ("o1", 75, 150), ("o3", 75, 150), ("gpt-5", 70, 140),
)  # fmt: skip


def _by_patch(model: str) -> bool:
    return any(model.startswith(name) for name, _ in _FACTORS) or not any(model.startswith(n) for n, _, _ in _SQUARES)


def _patches(tile: Tile, model: str) -> int:
    count = -(-tile.width // 32) * -(-tile.height // 32)
    factor = next((f for name, f in _FACTORS if model.startswith(name)), 1.0)
    return round(min(count, 1536) * factor)


def _squares(tile: Tile, model: str) -> int:
    base, each = next((b, e) for name, b, e in _SQUARES if model.startswith(name))
    fit = min(1.0, 2048 / max(tile.width, tile.height))
    short = min(tile.width, tile.height) * fit
    fit *= min(1.0, 768 / short)
    return base + each * -(-round(tile.width * fit) // 512) * -(-round(tile.height * fit) // 512)
