"""Questions of somebody who points at a page: what is here, what is it called, what can be named, what changed.

They only read, run out of the page's reach like a step's, and are no part of the script that every step sends.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import LocatorInvalid
from ..grammar import clip
from ..models import Box
from .engine import Session
from .locators import as_json

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
    nothing is there."""
    frame = session.place_frame()
    place: dict[str, Any]
    if isinstance(where, str):
        place = {"chain": as_json(where)}
    else:
        x, y = frame.inside(*where)
        place = {"x": x, "y": y}
    found = ask(session, "hit", deep=deep, apart=session.apart, testid=testid, **place)
    if found.get("box"):
        found["box"] = asdict(frame.box(Box(**found["box"])))
    return found


def offers(
    session: Session, testid: str, *, word: str = "", engine: str = "", limit: int = 150
) -> list[dict[str, Any]]:
    """What on the page can be named by a locator that begins like ``word`` (of one ``engine``, if given), each with
    its ``locator``, ``role``, ``name`` and ``box`` in the tab."""
    frame = session.place_frame()
    found = ask(session, "offers", word=word, engine=engine, limit=limit, testid=testid).get("offers", [])
    return [{**one, "box": asdict(frame.box(Box(**one["box"])))} for one in found]
