"""What must not be seen in a picture: secrets, wherever on the page they stand, and the elements a step masks.

Each frame is asked by itself, in the process that draws it, so it makes no difference whose frame it is nor
which one the step is in. A frame that cannot be asked is covered as a whole, and so is everything where the
page was replaced meanwhile: too much paint is a nuisance, too little a leak.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import StepProblem
from ..models import Box
from .actionability import Deadline, attempt
from .locators import as_json
from .placement import TAB, Placement
from .session import Session

PAINT = (60, 60, 67)
FRAMES = 50
"""Frames that are looked into; of a page that has more, the others are covered."""
FRAME_SECONDS = 2.0
EVERYTHING = Box(-1e5, -1e5, 2e5, 2e5)


@dataclass(frozen=True, slots=True)
class Hidden:
    """Boxes in the tab's viewport, and how far its document is scrolled."""

    boxes: tuple[Box, ...]
    x: float = 0.0
    y: float = 0.0


def hidden(
    session: Session,
    deadline: Deadline,
    secrets: Sequence[str],
    locators: Sequence[str] = (),
    testid: str = "data-testid",
) -> Hidden:
    """Where secrets and the elements that ``locators`` mean in the current frame are, now."""
    answer = attempt(session, deadline, "covers", within=[], secrets=list(secrets))
    if answer.get("state") == "stale":  # which page the picture shows, and where, cannot be told any more
        return Hidden((EVERYTHING,))
    boxes = [Box(**box) for box in answer["boxes"]]
    if secrets:
        boxes += _in_frames(session, [], TAB, list(secrets), [FRAMES])
    masked = masks(session, deadline, locators, testid)
    if masked is None:
        return Hidden((EVERYTHING,))
    frame = session.place_frame() if masked else TAB
    return Hidden((*boxes, *map(frame.box, masked)), answer["x"], answer["y"])


def masks(session: Session, deadline: Deadline, locators: Sequence[str], testid: str) -> list[Box] | None:
    """The boxes of the elements that locators mean, in the current frame's own viewport; None where it was
    replaced meanwhile."""
    if not locators:
        return []
    chains = [as_json(locator) for locator in locators]
    answer = attempt(session, deadline, "masks", chains=chains, testid=testid)
    return None if answer.get("state") == "stale" else [Box(**box) for box in answer["boxes"]]


def _in_frames(session: Session, path: list[object], at: Placement, secrets: list[str], left: list[int]) -> list[Box]:
    """The boxes in the frames of the document that ``path`` leads to, and in the frames of those."""
    boxes: list[Box] = []
    for number in range(FRAMES + 1):
        frame = attempt(session, Deadline(FRAME_SECONDS), "frame", within=path, number=number)
        if frame.get("state") == "stale":
            return [EVERYTHING]
        if "el" not in frame:
            return boxes
        place, whole = at.holding(Placement(**frame["inset"])), Box(0, 0, frame["width"], frame["height"])
        left[0] -= 1
        inside = [*path, frame["el"]]
        try:
            found = None if left[0] < 0 else _boxes_in(session, inside, place, secrets, left)
        except StepProblem:  # it does not answer, or nobody may ask it
            found = None
        boxes += [place.box(whole)] if found is None else found
    return [*boxes, EVERYTHING]


def _boxes_in(
    session: Session, path: list[object], at: Placement, secrets: list[str], left: list[int]
) -> list[Box] | None:
    """The boxes in one frame and in those inside it; None where it was replaced meanwhile."""
    answer = attempt(session, Deadline(FRAME_SECONDS), "covers", within=path, secrets=secrets)
    if "boxes" not in answer:
        return None
    return [*(at.box(Box(**box)) for box in answer["boxes"]), *_in_frames(session, path, at, secrets, left)]


def paint(session: Session, png: bytes, found: Hidden, corner: tuple[float, float]) -> bytes:
    """The picture with everything that was found painted over. ``corner`` is the picture's top left corner in
    the tab's viewport."""
    if not found.boxes:
        return png
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    scale = float(session.evaluate("devicePixelRatio") or 1)
    draw = ImageDraw.Draw(image)
    for box in found.boxes:
        left, top = (box.x - corner[0]) * scale - 2, (box.y - corner[1]) * scale - 2
        right, bottom = left + box.width * scale + 4, top + box.height * scale + 4
        if right > left and bottom > top:
            draw.rectangle((left, top, right, bottom), fill=PAINT)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
