"""What a step waited for, what it saw meanwhile and how often, in order: read when the step fails.

A step looks at the page many times a second. The same sight again is counted, not kept, so a long wait
costs a few lines, and a page that never stops changing costs a bounded number of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..grammar import clip

KEPT = 60
_SIGHTS = {
    "absent": "nothing matches",
    "hidden": "found, not visible",
    "disabled": "found, disabled",
    "readonly": "found, cannot be edited",
    "moving": "found, still moving",
    "redrawn": "found, another one each time",
    "beyond": "found, the point lies outside of it",
    "offscreen": "found, cannot be scrolled into view",
    "stale": "the page was being replaced",
    "interactive": "the document is there, not all that belongs to it",
    "loading": "the document was loading",
    "ready": "ready",
    "differs": "seen, not as the baseline says",
}


@dataclass(slots=True)
class _Entry:
    at: float
    what: str
    until: float
    looks: int


class Trail:
    """One step's. Times are seconds since it was made."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._entries: list[_Entry] = []
        self._left_out = 0
        self._told = ""

    @property
    def now(self) -> float:
        return time.monotonic() - self._begun

    def tell(self, what: str) -> None:
        """The step begins something; the same once more is no news."""
        if what == self._told:
            return
        self._told = what
        self._add(self.now, what, 0, self.now)

    def saw(self, begun: float, answer: Mapping[str, Any]) -> None:
        """What the page script saw from ``begun`` on: its last sight, and those before it where it lists them."""
        sights = [s for s in answer.get("seen") or (answer,) if "state" in s]
        for i, sight in enumerate(sights):
            last = i + 1 == len(sights)
            if sight["state"] == "moving" and sight.get("looks") == 1 and not last:
                continue  # one look alone cannot tell
            until = self.now if last else begun + float(sights[i + 1].get("at", 0)) / 1000
            self._add(begun + float(sight.get("at", 0)) / 1000, seen(sight), int(sight.get("looks", 1)), until)

    def _add(self, at: float, what: str, looks: int, until: float) -> None:
        last = self._entries[-1] if self._entries else None
        if looks and last is not None and last.what == what:
            last.until, last.looks = until, last.looks + looks
        elif len(self._entries) < KEPT:
            self._entries.append(_Entry(at, what, until, looks))
        else:
            self._left_out += 1

    def lines(self) -> tuple[str, ...]:
        """The trail as text, a line each."""
        found = []
        for entry in self._entries:
            often = f" ({entry.looks} times, until {entry.until:.2f} s)" if entry.looks > 1 else ""
            indent = "  " if entry.looks else ""
            found.append(f"{entry.at:6.2f} s  {indent}{entry.what}{often}")
        if self._left_out:
            found.append(f"         and {self._left_out} more sights")
        return tuple(found)


def seen(sight: Mapping[str, Any]) -> str:
    """What the page script saw, in words."""
    state = str(sight["state"])
    if state == "covered":
        return f"covered by {clip(str(sight.get('by')), 160)}"
    if state == "ambiguous":
        return f"{sight.get('count', 'several')} elements match"
    if state == "unmet":
        actual = sight.get("actual")
        return "not so: " + ("there is none" if actual is None else clip(repr(actual), 160))
    return _SIGHTS.get(state, state)
