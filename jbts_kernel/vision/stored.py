"""Pictures that were kept: found by file or hash, and made ready to be looked at like one of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import StepProblem
from ..grammar import clip
from .looking import Picture

MOST_PIXELS = 40_000_000
_HASH = re.compile(r"[0-9a-f]{12,64}")


def opened(home: Path, name: str, file: Path) -> Picture:
    """The picture of a file, or of an artifact by its hash or the beginning of it.

    Raises:
        StepProblem: there is none, or it is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    place = file
    if _HASH.fullmatch(name) and not file.is_file():
        kept = [p for p in (home / "artifacts" / name[:2]).glob(f"{name}*") if p.suffix in (".png", ".jpg", ".webp")]
        place = kept[0] if len(kept) == 1 else file
    try:
        with Image.open(place) as image:
            if image.width * image.height > MOST_PIXELS:
                raise StepProblem(f"{clip(name, 120)} has more than {MOST_PIXELS // 10**6} million pixels; cut it")
            png = io.BytesIO()
            image.convert("RGB").save(png, "PNG", compress_level=1)
            return Picture(png.getvalue(), 0, 0, image.width, image.height)
    except FileNotFoundError:
        raise StepProblem(
            f"there is no picture {clip(name, 120)}; give a file, or the hash of one (column artifact of artifacts)"
        ) from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise StepProblem(f"{clip(name, 120)} cannot be read as a picture: {clip(str(error), 120)}") from None


def without(picture: Picture, items: Sequence[Mapping[str, Any]], mask: Callable[[str], str]) -> Picture:
    """The picture with the lines painted over that hold a secret."""
    from dataclasses import replace

    from PIL import Image, ImageDraw

    secret = [item["box"] for item in items if mask(item["text"]) != item["text"]]
    if not secret:
        return picture
    with Image.open(io.BytesIO(picture.png)) as image:
        pen = ImageDraw.Draw(image)
        for b in secret:
            pen.rectangle((b["x"] - 3, b["y"] - 3, b["x"] + b["width"] + 3, b["y"] + b["height"] + 3), fill="black")
        png = io.BytesIO()
        image.save(png, "PNG", compress_level=1)
    return replace(picture, png=png.getvalue())
