"""Secrets: named values that a step may use and nothing may show."""

from __future__ import annotations

import base64
import getpass
import html
import json
import os
import re
from collections.abc import Mapping

from .errors import UsageProblem

MARK = "\u2022\u2022\u2022\u2022\u2022"
SHORTEST = 3
CUT = "\u2026|\\.\\.\\."  # what a text that was cut for a message has at the cut
MESSAGE = 20_000  # characters; nothing longer has been cut
CUT_SHORTEST = 4
CUT_LONGEST = 48  # grouped into each other, one a character


class Secrets:
    """The secrets of one workbench. Values of fewer than three characters are refused: masking them
    would take every "a" out of every text."""

    def __init__(self) -> None:
        self._named: dict[str, str] = {}
        self._patterns: list[re.Pattern[str]] = []
        self._cuts: list[re.Pattern[str]] = []
        self.values: tuple[str, ...] = ()

    def add(self, name: str | None, value: str) -> None:
        """Know a value from now on; ``name`` makes it available as ``${name}``."""
        if len(value) < SHORTEST:
            raise UsageProblem(f"a secret needs at least {SHORTEST} characters to be masked; this one has {len(value)}")
        if name is not None:
            self._named[name] = value
        if value not in self.values:
            self.values = (*self.values, value)
            longest_first = sorted(self.values, key=len, reverse=True)
            self._patterns = [_whole(v) for v in longest_first]
            self._cuts = [_cut(v) for v in longest_first if len(v) > CUT_SHORTEST]

    def get(self, name: str) -> str:
        """A secret's value. Raises KeyError."""
        return self._named[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._named)

    def mask(self, text: str) -> str:
        """The text with every secret taken out, also as it is written in addresses, HTML, JSON, Python and
        base64, and what is left of one where the text was cut."""
        for pattern in (*self._patterns, *(self._cuts if len(text) <= MESSAGE else ())):
            text = pattern.sub(MARK, text)
        return text


def _spellings(value: str) -> list[str]:
    """For each character the pattern of all the ways it may be written down; they may be mixed, since
    browsers leave other characters of an address alone than Python does."""
    return [
        r"(?:\s|\+|%20|%2520|&nbsp;|\\[nrt])+" if piece.isspace() else _character(piece)
        for piece in re.findall(r"\s+|.", value)
    ]


def _character(c: str) -> str:
    if c.isascii() and c.isalnum():
        return c
    percent = "".join(f"%{byte:02X}" for byte in c.encode())
    escaped = json.dumps(c)[1:-1]
    ways = {
        c,
        percent,
        percent.lower(),
        percent.replace("%", "%25"),
        escaped,
        f"&#{ord(c)};",
        f"&#x{ord(c):x};",
        f"&#x{ord(c):X};",
    }
    ways |= {html.escape(c), f"\\{c}"} if c.isascii() else {escaped.upper().replace("\\U", "\\u")}
    return f"(?:{'|'.join(re.escape(way) for way in sorted(ways, key=len, reverse=True))})"


def _whole(value: str) -> re.Pattern[str]:
    return re.compile("|".join(["".join(_spellings(value)), *map(re.escape, _base64(value.encode()))]))


def _base64(raw: bytes) -> list[str]:
    """What base64 makes of a value, wherever in a longer text it stands: of its first and last characters
    only those that are the value's alone."""
    found = [base64.b64encode(raw).decode()]
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        inner = base64.b64encode(bytes(before) + raw).decode()[first:last]
        found += [inner] if len(inner) > CUT_SHORTEST else []
    return sorted({way for f in found for way in (f, f.replace("+", "-").replace("/", "_"))}, key=len, reverse=True)


def _cut(value: str) -> re.Pattern[str]:
    """The beginning of a secret before a cut, and its end after one."""
    pieces = _spellings(value)
    certain, further = pieces[:CUT_SHORTEST], pieces[CUT_SHORTEST:CUT_LONGEST]
    rest = f".{{0,{6 * len(pieces[CUT_LONGEST:])}}}?"
    head = "".join(certain) + "".join(f"(?:{piece}" for piece in further) + rest + ")?" * len(further)
    certain, further = pieces[-CUT_SHORTEST:], pieces[-CUT_LONGEST:-CUT_SHORTEST]
    tail = "(?:" * len(further) + "".join(f"{piece})?" for piece in further) + "".join(certain)
    return re.compile(f"{head}(?={CUT})|(?:(?<=\u2026)|(?<=\\.\\.\\.)){tail}")


class Masked(str):
    """A text that was read from the page and holds a secret: usable as it is, shown masked."""

    shown: str

    def __new__(cls, value: str, shown: str) -> Masked:
        self = super().__new__(cls, value)
        self.shown = shown
        return self

    def __repr__(self) -> str:
        return repr(self.shown)


def obtain(
    name: str, *, env: str | None, prompt: bool, keyring: str | None, environ: Mapping[str, str] | None = None
) -> str:
    """A secret's value from where the tester said: the environment (the default), a prompt, a keyring.

    Raises :class:`UsageProblem` that says what is missing.
    """
    environ = os.environ if environ is None else environ
    if prompt:
        value = getpass.getpass(f"{name}: ")
        if not value:
            raise UsageProblem(f"nothing was entered for {name}")
        return value
    if keyring is not None:
        try:
            import keyring as store
        except ImportError:
            raise UsageProblem("--keyring needs the keyring package: pip install keyring") from None
        found = store.get_password(keyring, name)
        if found is None:
            raise UsageProblem(
                f"the keyring has no {name} for the service {keyring}; add it: keyring set {keyring} {name}"
            )
        return str(found)
    variable = env or name
    if variable not in environ:
        raise UsageProblem(
            f"the environment has no {variable}; set it before the kernel starts, or use %secret {name} --prompt"
        )
    return environ[variable]
