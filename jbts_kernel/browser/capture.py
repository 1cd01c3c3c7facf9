"""Pictures of the page, and files kept by content hash."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TabGone
from ..models import Artifact
from .covering import hidden, paint
from .session import Session

if TYPE_CHECKING:
    from ..stage import Stage

SUFFIXES = {
    "image/png": "png",
    "image/webp": "webp",
    "image/jpeg": "jpg",
    "text/html": "html",
    "application/json": "json",
    "text/plain": "txt",
}
THUMBNAIL_WIDTH = 640
THUMBNAIL_BYTES = 40_000
MAX_FULL_PAGE = 16_384


def viewport(session: Session, timeout: float = 10) -> bytes | None:
    """The current tab's viewport as PNG bytes, or None while a dialog keeps it from being drawn."""
    if session.dialog is not None:
        return None
    return session.picture(timeout)


def clip(session: Session, x: float, y: float, width: float, height: float, timeout: float = 20) -> bytes:
    """A rectangle of the document (CSS pixels from its top left corner), also beyond the viewport, as PNG."""
    if session.dialog is not None:
        raise TabGone("a dialog is open, so nothing can be drawn; answer it first: %dialog accept")
    return session.picture_of(x, y, width, min(height, MAX_FULL_PAGE), timeout)


def full_page(session: Session, timeout: float = 20) -> bytes:
    """The whole document as PNG, at most 16,384 pixels high (what the graphics stack can draw)."""
    width, height = session.document_size(timeout)
    return clip(session, 0, 0, max(1, width), max(1, height), timeout)


def taken(stage: Stage, locator: str | None, timeout: float, *, whole: bool = False) -> bytes | None:
    """The element's picture, or the viewport's, or the whole document's; covered, ready to be kept. None
    while a dialog keeps the page from being drawn."""
    session = stage.session
    if session.dialog is not None:
        return None
    if locator is not None:
        found = stage.find(locator)
        stage.ask("scroll", el=found.element)
        found = stage.find(locator)
        origin = session.evaluate("[scrollX, scrollY].join()").split(",")
        box = session.place_frame().box(found.box)
        left, top = box.x + float(origin[0]), box.y + float(origin[1])
        png = clip(session, left, top, max(1, box.width), max(1, box.height), timeout)
        return covered(stage, png, (left, top), document=True)
    if whole:
        return covered(stage, full_page(session, timeout), (0, 0), document=True)
    shot = viewport(session, timeout)
    return None if shot is None else covered(stage, shot, (0, 0), document=False)


def covered(stage: Stage, png: bytes, origin: tuple[float, float], *, document: bool) -> bytes:
    """The picture with secrets and masked elements painted over, before it is kept anywhere.

    ``origin`` is the picture's top left corner: in the document where ``document`` is true, else in
    the viewport.
    """
    if not stage.secrets and not stage.masked_locators:
        return png
    found = hidden(stage.session, stage.deadline, stage.secrets, stage.masked_locators, stage.settings.testid_attribute)
    scrolled = (found.x, found.y) if document else (0.0, 0.0)
    return paint(stage.session, png, found, (origin[0] - scrolled[0], origin[1] - scrolled[1]))


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height from a PNG's header (PNG specification, 11.2.2)."""
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


@functools.lru_cache(maxsize=2)
def thumbnail(png: bytes, width: int = THUMBNAIL_WIDTH, limit: int = THUMBNAIL_BYTES) -> bytes:
    """A small WebP of a picture, at most ``limit`` bytes, for the notebook. Tall pictures are cut.

    Making it small costs more than all else the kernel does for a step, and an expectation commonly leaves the
    page as the step before it did, to the byte.
    """
    # The format is imported by name: saving would look for it by importing all there are.
    from PIL import Image, WebPImagePlugin  # noqa: F401

    with Image.open(io.BytesIO(png)) as opened:
        cut = (0, 0, opened.width, min(opened.height, opened.width * 2))
        plain = opened if opened.mode in ("RGB", "RGBA") else opened.convert("RGB")
        # Made small before anything else: a copy of the whole picture costs as much as reading it.
        image = plain.reduce(max(1, opened.width // width), box=cut).convert("RGB")
    if image.width > width:
        height = max(1, round(image.height * width / image.width))
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    for quality in (70, 45, 20, 5):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=0)
        if buffer.tell() <= limit:
            break
    return buffer.getvalue()


def stored(home: Path, digest: str, mime: str) -> Path | None:
    """Where the content of this hash is kept; None for a text that is no hash, which may come from elsewhere."""
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        return None
    return home / "artifacts" / digest[:2] / f"{digest}.{SUFFIXES.get(mime, 'bin')}"


def store(home: Path, data: bytes, role: str, mime: str, size: tuple[int, int] | None = None) -> Artifact:
    """Keep bytes under their SHA-256 below ``home/artifacts``; the same bytes are kept once."""
    digest = hashlib.sha256(data).hexdigest()
    path = Path("artifacts") / digest[:2] / f"{digest}.{SUFFIXES.get(mime, 'bin')}"
    place = home / path
    if place.exists():
        os.utime(place)  # in use again: pruning leaves what is recent alone
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_bytes(data)
            part.replace(place)
        except OSError:
            part.unlink(missing_ok=True)  # a disk that is full stays so when what is begun stays
            raise
    width, height = size or (None, None)
    return Artifact(digest, role, mime, path.as_posix(), len(data), width, height)
