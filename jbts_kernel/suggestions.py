"""What to expect after a step: said by what changed on the page since the one before.

A step without an expectation passes as long as nothing stands in its way. What a tester would look at is what
came, what went and where the browser is now; each is offered as a line to take or leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .grammar import literal, locator_word
from .models import StepResult
from .pointing import LONGEST, expected_url

MOST = 6
_PASSING = re.compile(r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}|\b(ago|seconds?|loading|please wait)\b|%$", re.IGNORECASE)


def suggestions(
    before: Mapping[str, Any] | None, now: Mapping[str, Any], last: StepResult | None, base_url: str = ""
) -> list[str]:
    """Lines that hold now and did not before the last step. ``before`` and ``now`` are surveys of the page."""
    found: list[str] = []
    came = before or ({"url": "", "title": ""} if last is not None and last.step.verb == "navigate" else now)
    if now["url"] != came["url"] and str(now["url"]).startswith("http"):
        found.append(f"expect url {literal(expected_url(now['url'], base_url))}")
    if now["title"] != came["title"] and now["title"]:
        found.append(f"expect title {literal(now['title'])}")
    found += _of_step(last) if last is not None and last.ok else []
    if before is not None:
        fresh = sorted(now["fresh"], key=lambda one: (not one["loud"], bool(_PASSING.search(one["text"]))))
        found += [_appeared(one) for one in fresh]
        if before["url"] == now["url"]:
            gone = [text for text in now["gone"] if len(text) <= 49 and not text.endswith("\u2026")]
            found += [f"expect {locator_word(f'text={_quoted(text)}')} hidden" for text in gone[:1]]
    numbers = _numbers(before, now) if before is not None else []
    return [*list(dict.fromkeys(found))[: MOST - len(numbers)], *numbers]


def _of_step(last: StepResult) -> list[str]:
    """What a field holds after it was filled in; never of a secret."""
    step = last.step
    private = step.arguments.get("secret") or "${" in step.source or last.input != step.arguments.get("text")
    if step.verb == "type" and last.locator and not private and not step.arguments.get("enter"):
        return [f"expect {locator_word(last.locator)} value {literal(str(step.arguments['text']))}"]
    if step.verb in ("tick", "untick") and last.locator:
        return [f"expect {locator_word(last.locator)} {'checked' if step.verb == 'tick' else 'unchecked'}"]
    return []


def _numbers(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """How many there are now of what there was another number of, the first two. Another page has other things, so
    there only what both have counts."""
    stayed = urlsplit(before["url"]).path == urlsplit(now["url"]).path
    known: Mapping[str, int] = before["counts"]
    there = {name: number for name, number in now["counts"].items() if stayed or (number and name in known)}
    return [
        f"expect {locator_word(name)} count {number}" for name, number in there.items() if known.get(name) != number
    ][:2]


def _appeared(one: Mapping[str, Any]) -> str:
    locator, text = str(one["locator"]), str(one["text"])
    if text and _quoted(text) in locator:  # it is named by what it says
        return f"expect {locator_word(locator)} visible"
    if one["whole"] and len(text) <= LONGEST:
        return f"expect {locator_word(locator)} text {literal(text)}"
    return f"expect {locator_word(locator)} contains {literal(text[:LONGEST].rsplit(' ', 1)[0])}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
