"""The page as the vision layer meets it: scripts to ask, messages it sent, pictures of it.

This layer knows no browser. Whoever runs a step hands in a :class:`Page`; its scripts are the folder
``scripts``, put together here and sent whole, so that nothing of ours stays in the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from ..errors import ScriptFailed
from ..models import ConsoleMessage, NetworkRequest

_FOLDER = Path(__file__).with_name("scripts")
QUIET_MS, SLICE_MS, PATIENCE = 500.0, 125, 3.0


class Page(Protocol):
    """What this layer asks of a page."""

    def script(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The answer of a script, which runs out of the page's reach where the browser has such a place: the body
        of a function of the command, its arguments, and the function to answer with."""

    def in_flight(self) -> int:
        """How many requests have not been answered."""

    def messages(self) -> tuple[Sequence[ConsoleMessage], Sequence[NetworkRequest]]:
        """What the page wrote and requested since the test began."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page, secrets covered. ``left`` and ``top`` are where its corner lies in the viewport, in
    CSS pixels, ``width`` and ``height`` its size in them, ``scale`` the picture's pixels for each."""

    png: bytes
    left: float
    top: float
    width: float
    height: float
    scale: float = 1.0


@cache
def source(*names: str) -> str:
    """The scripts of these names, one behind the other."""
    return "\n".join((_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)


def ask(page: Page, command: str, **arguments: Any) -> dict[str, Any]:
    """One answer of the page. Raises :class:`ScriptFailed`."""
    names = ("dom", "settle", "geometry", "parts", "words", "values", "look")
    answer = page.script(source(*names), command, arguments)
    if answer.get("failed"):
        raise ScriptFailed(f"the page could not be looked at: {answer['failed']}")
    return answer


def settle(page: Page, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> bool:
    """Wait until nothing on the page changes, is requested or says that it loads for half a second; False if
    ``patience`` seconds were not enough."""
    end, quiet = clock() + patience, 0.0
    while (left := end - clock()) > 0:
        begun = clock()
        watched = ask(page, "settle", slice=max(1, min(SLICE_MS, round(left * 1000))))
        spent = (clock() - begun) * 1000
        quiet = float(watched["quiet"]) if watched["changed"] else quiet + spent
        if page.in_flight():
            quiet = 0.0
        if quiet >= QUIET_MS and not watched["busy"]:
            return True
    return False
