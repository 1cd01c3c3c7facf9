"""Locator text to a chain the page script understands.

A locator is a chain of parts joined by ``>>``; each part is searched inside what the part before it
found, and into open shadow roots. Parts: CSS (the default), ``//xpath`` or ``xpath=``, ``id=``,
``name=``, ``testid=``, ``text=``, ``label=``, ``placeholder=``, ``role=button[name="Sign in"]`` and
``nth=N`` (from 0; negative counts from the end). A quoted value is exact, an unquoted one is a
case-insensitive substring.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from ..errors import LocatorInvalid
from ..grammar import clip, nearest

ENGINES = ("css", "xpath", "id", "name", "testid", "text", "label", "placeholder", "role", "nth")
_ROLE_ATTRIBUTES = ("name", "level", "checked", "selected", "expanded", "pressed", "disabled")

_ROLE_WORDS = (
    "alert alertdialog application article banner blockquote button caption cell checkbox code columnheader "
    "combobox comment complementary contentinfo definition deletion dialog directory document emphasis feed figure "
    "form generic grid gridcell group heading img image insertion link list listbox listitem log main mark marquee "
    "math menu menubar menuitem menuitemcheckbox menuitemradio meter navigation none note option paragraph "
    "presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator "
    "slider spinbutton status strong subscript suggestion superscript switch tab table tablist tabpanel term "
    "textbox time timer toolbar tooltip tree treegrid treeitem"
)
ROLES = frozenset(_ROLE_WORDS.split())
"""The roles there are, as roles.js has them; another one would be waited for in vain."""


@dataclass(frozen=True, slots=True)
class Part:
    """One link of the chain. ``exact`` means whole and case-sensitive; ``attributes`` are a role's."""

    engine: str
    value: str
    exact: bool = False
    attributes: tuple[tuple[str, str, bool], ...] = ()


def split_chain(text: str) -> list[str]:
    """Split at ``>>`` outside quotes and brackets. A ``>`` of CSS stays where it is."""
    parts, depth, quote, start, i = [], 0, "", 0, 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
        elif quote:
            quote = "" if c == quote else quote
        elif c in "'\"" and (depth or i == start or not text[i - 1].isalnum()):
            quote = c
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth = max(0, depth - 1)
        elif depth == 0 and text.startswith(">>", i):
            parts.append(text[start:i].strip())
            i += 2
            start = i
            continue
        i += 1
    parts.append(text[start:].strip())
    return parts


@lru_cache(maxsize=512)
def parse_locator(text: str) -> tuple[Part, ...]:
    """The chain of a locator.

    Raises:
        LocatorInvalid: empty, an empty link, an unknown prefix of ours, or a role that is malformed or none.
    """
    if not text.strip():
        raise LocatorInvalid('the locator is empty; name an element, e.g. "#go" or text=Save')
    chain = split_chain(text)
    if "" in chain:
        raise LocatorInvalid(f"{clip(text)} has nothing on one side of >>; write A >> B")
    parts = tuple(_part(link) for link in chain)
    if parts[0].engine == "nth":
        raise LocatorInvalid(f"{clip(text)} must name elements before nth=; write LOC >> nth=0")
    return parts


def _part(link: str) -> Part:
    if link.startswith(("//", "(//", "./", "(./", "..")):
        return Part("xpath", link)
    engine, equals, value = link.partition("=")
    if not equals or engine not in ENGINES:
        return Part("css", link)
    if value == "" or (engine not in ("text", "css", "xpath") and value.strip() in ('""', "''")):
        raise LocatorInvalid(f"{clip(link)} has no value after {engine}=")
    if engine == "nth":
        if not re.fullmatch(r"-?\d+", value):
            raise LocatorInvalid(f"nth= takes a whole number from 0, not {clip(value)!r}")
        return Part("nth", value)
    if engine == "role":
        return _role(link, value)
    if engine in ("css", "xpath"):
        return Part(engine, value)
    text, exact = unquote(value)
    return Part(engine, text, exact)


def _role(link: str, value: str) -> Part:
    match = re.match(r"([A-Za-z]+)\s*", value)
    if match is None:
        raise LocatorInvalid(f'{clip(link)} names no role; write role=button or role=button[name="Go"]')
    attributes: list[tuple[str, str, bool]] = []
    position = match.end()
    while position < len(value):
        found = re.match(
            r"""\[\s*([\w-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\]]*?)\s*)?\]\s*""",
            value[position:],
        )
        if found is None:
            raise LocatorInvalid(f'{clip(link)}: cannot read {clip(value[position:])}; write role=button[name="Go"]')
        key, raw = found.group(1), found.group(2)
        key = key.removeprefix("aria-")
        if key not in _ROLE_ATTRIBUTES:
            raise LocatorInvalid(f"{clip(link)}: roles have {', '.join(_ROLE_ATTRIBUTES)}, not {key}")
        text, exact = ("true", True) if raw is None else unquote(raw)
        attributes.append((key, text, exact))
        position += found.end()
    role = match.group(1).lower()
    if role not in ROLES:
        near = nearest(role, sorted(ROLES))
        what = f"did you mean role={near}?" if near else "there are button, link, textbox, checkbox, heading and others"
        raise LocatorInvalid(f"{clip(link)}: there is no role {clip(role)}; {what}")
    return Part("role", role, attributes=tuple(attributes))


def unquote(value: str) -> tuple[str, bool]:
    """The value without its quotes, and whether it had some (so is exact)."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", value[1:-1]), True
    return value, False


def as_json(text: str) -> list[dict[str, Any]]:
    """The chain as plain values for the page script."""
    return [asdict(part) for part in parse_locator(text)]
