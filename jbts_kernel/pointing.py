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
_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_PASSING = re.compile(r"\d{5,}|[0-9a-fA-F]{8}|.{80}")
"""What of a query is likely to be another one next time: a time, an id, a token."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to do: ``head`` and ``tail`` stand around the locator that is chosen. ``asks`` names what has to be
    put in still (text, option or file), in ``tail``'s place."""

    label: str
    head: str
    tail: str = ""
    asks: str = ""

    def line(self, locator: str, given: str = "") -> str:
        """The whole line."""
        words = [self.head, locator_word(locator) if locator else "", literal(given) if self.asks else self.tail]
        return " ".join(word for word in words if word)


def offers(found: Mapping[str, Any]) -> list[Offer]:
    """What an element is good for, the likeliest first: what the page script's ``hit`` said of it."""
    kind, words, value = found["kind"], str(found["words"]), str(found["value"])
    checks = [Offer("expect visible", "expect", "visible")]
    if kind == "field":
        private = bool(found["password"])
        first = [Offer("type", "type", asks="password" if private else "text"), Offer("click", "click")]
        shown = [] if private else [Offer("expect value", "expect", f"value {literal(value)}"), Offer("read", "value")]
        return [*first, *shown[:1], *checks, *shown[1:], Offer("clear", "clear"), Offer("press Enter", "press Enter")]
    if kind == "choice":
        first = [Offer("select", "select", asks="option"), Offer("expect visible", "expect", "visible")]
        return [*first, Offer("read the choice", "value"), Offer("list the options", "options")]
    if kind == "tick":
        on = bool(found["checked"])
        state = "checked" if on else "unchecked"
        turns = [] if on and found["role"] == "radio" else [Offer(*(("untick",) * 2 if on else ("tick",) * 2))]
        return [*turns, Offer("click", "click"), Offer(f"expect {state}", "expect", state), *checks]
    if kind == "file":
        return [Offer("upload", "upload", asks="file"), *checks]
    if kind == "frame":
        return [Offer("enter the frame", "frame"), *checks]
    if kind == "canvas" and found.get("at"):
        x, y = found["at"]
        return [Offer("click this point", "click", f"--at {x:.0f},{y:.0f}"), *checks, Offer("hover", "hover")]
    said = [Offer("expect text", "expect", expected_text(words)), *checks, Offer("read", "text")] if words else checks
    disabled = [Offer("expect disabled", "expect", "disabled")] if found["disabled"] else []
    return [Offer("click", "click"), *said, *disabled, Offer("hover", "hover")]


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


def act(found: Mapping[str, Any]) -> Offer:
    """What a press on the element does, for a person who drives the page by hand."""
    offered = offers(found)
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
