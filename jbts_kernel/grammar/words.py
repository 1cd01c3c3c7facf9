"""A line as words, and a word as it must be typed.

Quotes are shell quotes, with one mercy: a locator that does not begin with a quote is taken as it is
written, since ``[name="q"]`` and ``role=button[name="Sign in"]`` need their own quotes. A line may
also nest locators without quoting the whole: ``#form >> text=Go`` is one locator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageProblem
from .texts import clip


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a line. ``raw`` keeps its quotes; ``start`` and ``end`` are offsets in the line."""

    value: str
    raw: str
    start: int
    end: int

    @property
    def locator(self) -> str:
        """The word read as a locator: inner quotes stay, a pair around the whole goes."""
        return self.value if self.raw[:1] in "'\"" else self.raw


def tokenize(line: str) -> list[Token]:
    """Split like a POSIX shell does, without comments (``#`` begins an id) and without expansion.

    Raises :class:`UsageProblem` for a quote that is never closed, naming the word.
    """
    found: list[Token] = []
    i, n = 0, len(line)
    while i < n:
        if line[i].isspace():
            i += 1
            continue
        start, value, quote = i, "", ""
        while i < n:
            c = line[i]
            if quote:
                if c == quote:
                    quote = ""
                elif c == "\\" and quote == '"' and i + 1 < n and line[i + 1] in '"\\':
                    i += 1
                    value += line[i]
                else:
                    value += c
            elif c in "'\"":
                quote = c
            elif c.isspace():
                break
            elif c == "\\" and i + 1 < n:
                i += 1
                value += line[i]
            else:
                value += c
            i += 1
        if quote:
            word = line[start:]
            raise UsageProblem(
                f"the quote {quote} in {clip(word)} is never closed; close it, or put a \\ before it",
                word=word,
            )
        found.append(Token(value, line[start:i], start, i))
    return found


def join_nesting(tokens: Sequence[Token]) -> list[Token]:
    """Words around a free-standing ``>>`` become one word, so a nested locator needs no quotes."""
    joined: list[Token] = []
    for token in tokens:
        nested = token.raw == ">>" or (joined and joined[-1].raw.endswith(">>"))
        if nested and joined:
            last = joined.pop()
            text = f"{last.locator} {token.locator}"
            joined.append(Token(text, text, last.start, token.end))
        else:
            joined.append(token)
    return joined


def quote(word: str) -> str:
    """The word as it must be typed so that it stays one word."""
    if word and re.fullmatch(r"[\w#.,:/@%+=\[\]()*$^~|!?&;-]+", word) and not word.startswith("--"):
        return word
    if '"' not in word and "\\" not in word:
        return f'"{word}"'
    if "'" not in word:
        return f"'{word}'"
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A text that nobody of the notebook wrote, quoted so that it is one word and names no variable or secret."""
    return quote(" ".join(text.split()).replace("${", "$${"))


def locator_word(locator: str) -> str:
    """A locator as it must be typed: as it is where that is read back the same, else quoted as a whole."""
    try:
        words = join_nesting(tokenize(locator))
    except UsageProblem:
        words = []
    alike = len(words) == 1 and words[0].locator == locator and not locator.startswith(("--", "#!"))
    return (locator if alike else quote(locator)).replace("${", "$${")
