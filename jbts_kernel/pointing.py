"""What a person may want of the element they point at, as lines of the grammar.

The page says what lies under the point and how it can be named; here that becomes steps. Whatever is offered is
a line like one typed by hand: it is written into a cell, parsed and run like any other, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .grammar import literal, locator_word

LONGEST = 80
"""A text longer than this is expected by its beginning."""
SECRET_NAME = "PASSWORD"  # noqa: S105 - the name, not the secret
INDENT = "\u2003"
"""What a frame in a frame stands in by."""
PRESSES = {"double": "double click", "right": "right click"}
"""Options of ``%click`` for the presses that are not the usual one, as they are offered."""
_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_PASSING = re.compile(r"\d{5,}|[0-9a-fA-F]{8}|.{80}")
"""What of a query is likely to be another one next time: a time, an id, a token."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to do: ``head`` and ``tail`` stand around the locator that is chosen. ``asks`` names what has to be
    put in still (text, option, file, or the locator of a target), in ``tail``'s place."""

    label: str
    head: str
    tail: str = ""
    asks: str = ""

    def line(self, locator: str, given: str = "") -> str:
        """The whole line."""
        put = locator_word(given) if self.asks == "target" else literal(given)
        words = [self.head, locator_word(locator) if locator else "", put if self.asks else self.tail]
        return " ".join(word for word in words if word)


def offers(found: Mapping[str, Any]) -> list[Offer]:
    """What an element is good for, the likeliest first: what the page script's ``hit`` said of it."""
    kind, words, value = found["kind"], str(found["words"]), str(found["value"])
    checks = [Offer("expect visible", "expect", "visible")]
    if kind == "field":
        private = bool(found["password"])
        first = [Offer("type", "type", asks="password" if private else "text"), Offer("click", "click")]
        shown = [] if private else [Offer("expect value", "expect", f"value {literal(value)}"), Offer("read", "value")]
        rest = [Offer("clear", "clear"), Offer("press Enter", "press Enter")]
        return [*first, *shown[:1], *checks, *shown[1:], *rest, *presses()]
    if kind == "choice":
        first = [Offer("select", "select", asks="option"), Offer("expect visible", "expect", "visible")]
        return [*first, Offer("read the choice", "value"), Offer("list the options", "options")]
    if kind == "tick":
        on = bool(found["checked"])
        state = "checked" if on else "unchecked"
        turns = [] if on and found["role"] == "radio" else [Offer(*(("untick",) * 2 if on else ("tick",) * 2))]
        return [*turns, Offer("click", "click"), Offer(f"expect {state}", "expect", state), *checks, *presses()]
    if kind == "file":
        return [Offer("upload", "upload", asks="file"), *checks]
    if kind == "frame":
        return [Offer("enter the frame", "frame"), *checks]
    if kind == "canvas" and found.get("at"):
        x, y = found["at"]
        at = f"--at {x:.0f},{y:.0f}"
        return [Offer("click this point", "click", at), *checks, Offer("hover", "hover"), *presses(at)]
    said = [Offer("expect text", "expect", expected_text(words)), *checks, Offer("read", "text")] if words else checks
    disabled = [Offer("expect disabled", "expect", "disabled")] if found["disabled"] else []
    return [Offer("click", "click"), *said, *disabled, Offer("hover", "hover"), *presses()]


def presses(at: str = "") -> list[Offer]:
    """What a mouse does besides a click; ``at`` is the option for the point, where that matters."""
    once = [Offer(label, "click", f"{at} --{how}".strip()) for how, label in PRESSES.items()]
    return [*once, Offer("drag onto \u2026", "drag", asks="target")]


def expected_text(words: str) -> str:
    """What to expect of an element that says this: the whole, or where it is long its beginning."""
    if len(words) <= LONGEST and not words.endswith("\u2026"):
        return f"text {literal(words)}"
    return f"contains {literal(words[: words.rfind(' ', 20, LONGEST) + 1 or LONGEST].strip())}"


def page_offers(url: str, title: str, base_url: str = "", *, framed: bool = False) -> list[Offer]:
    """What can be asked of the page itself, where a point has nothing on it."""
    found = [Offer("leave the frame", "frame main")] if framed else []
    address = literal(expected_url(url, base_url))
    found += [Offer("expect url", f"expect url {address}")] if url.startswith("http") else []
    found += [Offer("expect title", f"expect title {literal(title)}")] if title else []
    return [*found, Offer("screenshot", "screenshot"), Offer("expect a clean console", "expect console clean")]


def expected_url(url: str, base_url: str = "") -> str:
    """An address as an expectation says it: below ``base_url`` or any host, without what changes from run to run."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    lasting = not parts.fragment and "*" not in query and not _PASSING.search(query)
    anywhere = query if lasting else "**"
    base = base_url.rstrip("/")
    if not base:
        return f"{parts.path or '/'}{anywhere}"
    plain = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"
    return f"{plain[len(base) :] if plain.startswith(f'{base}/') else plain}{anywhere}"


def drag(found: Mapping[str, Any], target: Mapping[str, Any]) -> Offer:
    """What a drag from a point of one element to a point of another does: onto that, if it is one of its own; along
    itself, or within what holds it, the distance is what is meant."""
    inside = target["state"] != "ready" or not target["locators"] or _holds(target["box"], found["box"])
    if inside:
        (x, y), (to_x, to_y) = found["point"], target["point"]
        return Offer("drag", "drag", f"--by {to_x - x:.0f},{to_y - y:.0f}")
    return Offer("drag", "drag", locator_word(target["locators"][0]["locator"]))


def _holds(outer: Mapping[str, float], inner: Mapping[str, float]) -> bool:
    return all(
        outer[corner] <= inner[corner] and outer[corner] + outer[side] >= inner[corner] + inner[side]
        for corner, side in (("x", "width"), ("y", "height"))
    )


def frame_choices(frames: Sequence[Mapping[str, Any]], *, framed: bool) -> list[dict[str, Any]]:
    """The page and its frames to choose from, each with what it is called, where it lies, whether steps run in it,
    and what to ask for to go there from where they run. Of two that are called the same each is told by its locator."""
    here = next((tuple(one["way"]) for one in frames if one["current"]), None if framed else ())
    choices: list[dict[str, Any]] = [{"text": "the page", "box": None, "here": not framed, "ask": _ask(["frame main"])}]
    names = [one["name"] or _address(one["src"]) or one["way"][-1] for one in frames]
    for one, name in zip(frames, names, strict=True):
        way = tuple(one["way"])
        below = here is not None and way[: len(here)] == here and way != here
        lines = [Offer("", "frame").line(locator) for locator in (way[len(here or ()) :] if below else way)]
        choices.append({
            "text": INDENT * len(way) + (name if names.count(name) == 1 else f"{name} \u00b7 {way[-1]}"),
            "box": one["box"], "here": one["current"], "ask": _ask(lines if below else ["frame main", *lines]),
        })  # fmt: skip
    if here is None:
        choices.append({**choices[0], "text": f"{INDENT}a frame that is gone", "here": True})
    return choices


def _ask(lines: Sequence[str]) -> dict[str, str]:
    return {"do": "line", "line": "\n".join(lines)}


def _address(src: str) -> str:
    """Where a frame comes from, as it is told from others: host and path."""
    parts = urlsplit(src)
    return f"{parts.netloc}{parts.path}" if parts.netloc else ""


def act(found: Mapping[str, Any], how: str = "") -> Offer:
    """What a press on the element does, for a person who drives the page by hand; ``how`` is one of ``PRESSES``."""
    offered = offers(found)
    if how:
        at = offered[0].tail if found["kind"] == "canvas" else ""
        return next(one for one in presses(at) if one.label == PRESSES[how])
    if found["kind"] == "plain":
        return Offer("click", "click")
    return offered[0]


def secret_name(found: Mapping[str, Any], taken: Sequence[str]) -> str:
    """A name for what is typed into a password field: the field's own where it has one."""
    label = _PLAIN.sub("_", str(found.get("name", ""))).strip("_").upper()[:30]
    wanted = label if label and not label[0].isdigit() else SECRET_NAME
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
