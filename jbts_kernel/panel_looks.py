"""What the panel shows of the page as it is now: its picture, where it is, and what lies under a point of it.

Each function answers one question of the panel's front end; nothing here runs a step.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .browser import pointing
from .browser.launch import DEVICES
from .grammar import clip
from .observing import glance
from .pointing import frame_choices, offers, page_offers

if TYPE_CHECKING:
    from .widgets import LivePanel

BUSY_SECONDS = 0.25
"""How long a look waits for a step to end before it says that one runs."""
QUALITY = 78
SIZES = ("1280x800", "1920x1080", "1024x768", "768x1024", "390x844")
"""Viewports to choose from."""


def refresh(panel: LivePanel, content: dict[str, Any]) -> None:
    """A new picture of the page, and where the page is."""
    busy = bool(panel.bench.running)  # then its end is told, and looked at
    late = bool(panel.bench.sessions) and not busy  # a page that needs longer than a look has
    first, panel.looked = not panel.looked, True  # just after a step: what it set off may come a moment later
    answer: dict[str, Any] = {"is": "picture", "none": True, "busy": busy, "late": late}
    places = {}
    png = None
    try:
        with panel.bench.looking(BUSY_SECONDS) as session:
            if session is not None:
                png, facts = glance(panel.bench.surroundings(), session)
                panel.follow(session)
                dialog = session.dialog
                told = f"{dialog.kind}: {clip(panel.bench.secrets.mask(dialog.text), 200)}" if dialog else ""
                several = len(facts["tabs"]) > 1
                tab = f"tab {facts['tab']}: {facts['tabs'][facts['tab']]}" if several else ""
                places = {"tabs": tab, "screens": _screen(panel, facts)}
                moved = png is not None and png != panel.seen
                answer = {"is": "picture", **facts, "dialog": told, "moved": moved, "late": first}
                panel.seen = png or b""
    finally:
        panel.send(answer, [_webp(png)] if png else None)  # the next is asked for when this one is answered
    if png is not None:
        choices = _choices(panel)
        here = next(one["text"] for one in choices if one["here"]) if len(choices) > 1 else ""
        panel.send({"is": "places", **places, "frames": panel.masked(here and f"in {here.strip()}")})


def _choices(panel: LivePanel) -> list[dict[str, Any]]:
    """The page and its frames; nothing where there is none to ask."""
    with panel.bench.looking(BUSY_SECONDS) as session:
        if session is None:
            return []
        there = pointing.frames(session, panel.bench.settings.testid_attribute)
        return frame_choices(there, framed=bool(session.frames))


def frames(panel: LivePanel, content: dict[str, Any]) -> None:
    """What steps can run in: the page, and each frame in it."""
    entries = [{**one, "about": "steps run here" if one["here"] else ""} for one in _choices(panel)]
    _list(panel, "Run steps in" if entries else "No page to ask now", entries)


def _list(panel: LivePanel, title: str, entries: list[dict[str, Any]]) -> None:
    """Something to choose from: each entry says what is asked when it is chosen."""
    panel.send({"is": "list", "title": title, "entries": panel.masked(entries)})


def _screen(panel: LivePanel, facts: Mapping[str, Any]) -> str:
    """The device, or the viewport; nothing where the page could not be asked."""
    return panel.bench.spec.device or (f"{facts['width']}x{facts['height']}" if "width" in facts else "")


def screens(panel: LivePanel, content: dict[str, Any]) -> None:
    """The viewports and devices there are."""
    lines = {size: f"window {size}" for size in SIZES} | {name: f"browser --device {name}" for name in DEVICES}
    _list(panel, "Viewport or device", [
        {"text": text, "about": "", "ask": {"do": "line", "line": line}} for text, line in lines.items()
    ])  # fmt: skip


def tabs(panel: LivePanel, content: dict[str, Any]) -> None:
    """The tabs there are."""
    with panel.bench.looking(BUSY_SECONDS) as session:
        titles = session.titles() if session else {}
        current = session.handle if session else ""
    _list(panel, "Tabs" if titles else "No page to ask now", [
        {"text": clip(title or url, 80), "about": "steps run here" if handle == current else f"{number}",
         "here": handle == current, "ask": {"do": "line", "line": f"tab {number}"}}
        for number, (handle, (title, url)) in enumerate(titles.items())
    ])  # fmt: skip


def hit(panel: LivePanel, content: dict[str, Any], *, deep: bool) -> dict[str, Any] | None:
    """What lies under a point of the picture, or what a locator means, with its box on the picture; None where
    there is no page to ask now. Its ``state`` is nothing where nothing is there."""
    bench = panel.bench
    with bench.looking(BUSY_SECONDS if deep else 0.0) as session:
        if session is None:
            return None
        named = content.get("locator")
        where = str(named) if named else (float(content["x"]), float(content["y"]))
        found = pointing.hit(session, where, bench.settings.testid_attribute, deep=deep)
        return {**found, "framed": bool(session.frames)}


def hover(panel: LivePanel, content: dict[str, Any]) -> None:
    answer: dict[str, Any] = {"is": "hover", "state": "busy"}
    try:
        found = hit(panel, content, deep=False)
        if found is not None:
            answer |= {key: panel.masked(found.get(key)) for key in ("state", "text", "box", "locators", "born")}
    finally:
        panel.send(answer)  # the next move is asked for when this one is answered


def pick(panel: LivePanel, content: dict[str, Any]) -> None:
    found = hit(panel, content, deep=True)
    if found is None:
        panel.note("a step is running, or no browser is; point again when there is a page", "error")
        return
    if found["state"] != "ready":
        with panel.bench.looking(BUSY_SECONDS) as session:
            title, url = session.titles().get(session.handle, ("", "")) if session else ("", "")
        offered = page_offers(url, title, panel.bench.base_url, framed=bool(found.get("framed")))
        found = {
            "text": "the page itself",
            "locators": [],
            "box": None,
            "options": [],
            "password": False,
            "kind": "",
        }
    else:
        offered = offers(found)
    kept = ("text", "box", "locators", "options", "password", "kind", "name")
    panel.send({
        "is": "pick", **{key: panel.masked(found.get(key)) for key in kept},
        "offers": panel.masked([asdict(one) for one in offered]),
    })  # fmt: skip


def elements(panel: LivePanel, content: dict[str, Any]) -> None:
    """Everything on the page that can be named, for who does not point with a mouse."""
    with panel.bench.looking(BUSY_SECONDS) as session:
        found = pointing.offers(session, panel.bench.settings.testid_attribute) if session else []
    title = "Drag onto" if content.get("onto") else "On the page"
    _list(panel, title if found else "Nothing on the page can be named", [
        {"text": one["locator"], "about": one["role"], "box": one["box"],
         "ask": {"do": "pick", "locator": one["locator"]}}
        for one in found
    ])  # fmt: skip


def _webp(png: bytes) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=0)
    return buffer.getvalue()
