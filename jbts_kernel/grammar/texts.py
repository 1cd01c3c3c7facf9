"""Texts for a person's eyes: near names, what a terminal only shows, what fits on one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], count: int = 1) -> str:
    """The closest names, comma separated; empty where none is close."""
    listed = [n for n in names if not n.startswith("_")]
    return ", ".join(difflib.get_close_matches(word, listed, n=count, cutoff=0.6))


# C0 and C1 control characters, and the marks that turn the direction of writing around
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters written out (``\\x1b``), so that a terminal only shows them."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def clip(text: str, limit: int = 80) -> str:
    """The text on one line, cut in the middle to ``limit`` characters, for messages and cards."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= limit else f"{text[: limit - 20]}...{text[-17:]}"
