"""Questions of somebody who points at a page: what is here, what is it called, what can be named, what changed.

They only read, run out of the page's reach like a step's, and are no part of the script that every step sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import LocatorInvalid, StepProblem, StepTimeout
from ..grammar import clip
from ..models import Box
from .actionability import Deadline
from .engine import driver_errors
from .locators import as_json
from .placement import TAB, Placement
from .session import Session

FRAMES = 30
"""Frames that are listed; nobody chooses among more."""
FRAME_SECONDS = 1.0
"""How long one frame may take to answer."""
FRAMES_SECONDS = 3.0
"""After how long no further one is looked into."""
SCRIPT = "".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("roles.js", "pointing.js", "page.js")
)


def ask(session: Session, command: str, **arguments: Any) -> dict[str, Any]:
    """One answer of pointing.js about the current frame. Raises what the driver raises, and
    :class:`~jbts_kernel.errors.LocatorInvalid`."""
    answer = session.script(SCRIPT, command, **arguments)
    if answer.get("state") == "invalid":
        raise LocatorInvalid(clip(str(answer.get("message", "")), 200))
    return answer


def hit(session: Session, where: tuple[float, float] | str, testid: str, *, deep: bool = False) -> dict[str, Any]:
    """What lies at a point of the tab, or what a locator means. Its ``box`` is in the tab, its ``locators`` begin
    with the best; with ``deep`` there are all of them, each with its number of matches. ``state`` is nothing where
    nothing is there. ``point`` is the point as the current frame counts it."""
    frame = session.place_frame()
    place: dict[str, Any]
    point: tuple[float, float] | None = None
    if isinstance(where, str):
        place = {"chain": as_json(where)}
    else:
        point = x, y = frame.inside(*where)
        place = {"x": x, "y": y}
    found = ask(session, "hit", deep=deep, apart=session.apart, testid=testid, **place)
    if found.get("box"):
        found["box"] = asdict(frame.box(Box(**found["box"])))
    return {**found, "point": point}


def frames(session: Session, testid: str) -> list[dict[str, Any]]:
    """The frames of the tab that a step can enter, each before those in it: ``way`` are the locators that lead to it
    from the page, one a frame, ``box`` is in the tab, ``current`` says whether steps run in it. One that does not
    answer is listed, what is in it is not."""
    return list(islice(_frames_in(session, testid, [], (), TAB, Deadline(FRAMES_SECONDS)), FRAMES))


def _inner(session: Session, path: list[Any], number: int, testid: str) -> dict[str, Any]:
    """A frame of the document that ``path`` leads to. One of another site may hang by itself: it gets little time, and
    what is known of the driver stays as it was, which was asked nothing."""
    browser = session.browser
    limit, abandoned = browser.script_limit, browser.patience.abandoned_at
    if not path:
        return session.page_in(path, "inner", source=SCRIPT, number=number, testid=testid)
    browser.limit("script", FRAME_SECONDS)
    try:
        return session.page_in(path, "inner", source=SCRIPT, number=number, testid=testid)
    except StepTimeout:
        if session.apart:
            browser.patience.abandoned_at = abandoned
        raise
    finally:
        browser.limit("script", limit)


def _frames_in(
    session: Session, testid: str, path: list[Any], way: tuple[str, ...], at: Placement, deadline: Deadline
) -> Iterator[dict[str, Any]]:
    passing: tuple[type[BaseException], ...] = (StepProblem, *driver_errors())
    for number in range(FRAMES if deadline.left > 0 else 0):
        try:
            one = _inner(session, path, number, testid)
        except passing:  # it does not answer, or is being replaced
            return
        if "el" not in one:
            return
        if one["locator"]:
            inside, further = [*path, one["el"]], (*way, one["locator"])
            place = at.holding(Placement(**one["inset"]))
            box = asdict(place.box(Box(0, 0, one["width"], one["height"])))
            current = [element.id for element in inside] == [element.id for element in session.frames]
            yield {"name": one["named"], "src": one["src"], "way": further, "box": box, "current": current}
            yield from _frames_in(session, testid, inside, further, place, deadline)


def offers(
    session: Session, testid: str, *, word: str = "", engine: str = "", limit: int = 150
) -> list[dict[str, Any]]:
    """What on the page can be named by a locator that begins like ``word`` (of one ``engine``, if given), each with
    its ``locator``, ``role``, ``name`` and ``box`` in the tab."""
    frame = session.place_frame()
    found = ask(session, "offers", word=word, engine=engine, limit=limit, testid=testid).get("offers", [])
    return [{**one, "box": asdict(frame.box(Box(**one["box"])))} for one in found]
