"""``%events tail`` for a person: the list goes on while tests run, newest on top, and what failed stands out.

The hub tells; a thread of its own listens. What is in the list is bounded here and in the front end, and rests while
somebody looks closely or has the keyboard in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import display
from .broadcast.follower import Follower
from .errors import HubProblem
from .view import View, bar, button

KEPT = 200
MOST_NAMES = 1000
BAD = ("failed", "error", "aborted")
Follow = Callable[[Callable[[Sequence[dict[str, Any]]], None], Callable[[HubProblem], None]], Follower]


_OF_TEST = {"started": "test begins", "completed": "test has ended", "failed": "test has ended"}


class Line(NamedTuple):
    """A row of the list: what it is about, whether that is a failure, and its HTML."""

    ident: str
    bad: bool
    html: str


class EventsView(View):
    """The live list. ``follow`` begins to listen and gives what ends it."""

    most_live = 1

    def __init__(self, known: Sequence[Mapping[str, Any]], follow: Follow) -> None:
        self._lines: dict[str, Line] = {}
        self._tests: dict[str, str] = {}
        self._only_bad = False
        super().__init__()
        self._keep(known)
        self._follower = follow(self._arrived, self._lost)

    def close(self) -> None:
        """End the list and its listening."""
        self._follower.stop()
        super().close()

    def do_bad(self, said: Mapping[str, Any]) -> None:
        """Show failures alone, or everything again."""
        self._only_bad = not self._only_bad
        self.draw()

    def body(self) -> str:
        chosen = button("failures only", "bad", pressed=self._only_bad)
        shown = "".join(one.html for one in reversed(list(self._lines.values())) if self._wanted(one))
        listed = f'<ul class="jbts-lines" data-part="lines" tabindex="0" aria-label="events, newest first">{shown}</ul>'
        return f"{bar(chosen, '<span data-part=held></span>')}{listed}"

    def _wanted(self, one: Line) -> bool:
        return one.bad or not self._only_bad

    def _arrived(self, events: Sequence[dict[str, Any]]) -> None:
        self.add_lines([(one.ident, one.html) for one in self._keep(events) if self._wanted(one)])

    def _keep(self, events: Sequence[Mapping[str, Any]]) -> list[Line]:
        """Take events in; a step that is over takes the place of the step that ran."""
        fresh = [line(event, self._tests) for event in events]
        for one in fresh:
            self._lines.pop(one.ident, None)
            self._lines[one.ident] = one
        for ident in list(self._lines)[:-KEPT]:
            del self._lines[ident]
        return fresh

    def _lost(self, problem: HubProblem) -> None:
        self.tell(f"not live any more: {problem.message}")


def line(event: Mapping[str, Any], tests: dict[str, str]) -> Line:
    """An event's row. ``tests`` keeps names from the start of a test to its end."""
    found = event.get("data")
    data: Mapping[str, Any] = found if isinstance(found, dict) else {}
    kind, when = str(event.get("event_type") or event.get("type")), str(event.get("timestamp", ""))[11:19]
    ident = str(event.get("test_execution_id") or "")
    offset = f"{event.get('epoch')}-{event.get('offset') or event.get('to')}"
    about = str(data.get("step_id") or (ident if kind in _OF_TEST else "") or offset)
    if kind == "gap":
        return _row(about, "skipped", when, f"events {event.get('from')} to {event.get('to')} are no longer kept", "")
    if kind == "started" and len(tests) < MOST_NAMES:
        tests[ident] = str(data.get("test_name") or ident)
    test = tests.pop(ident, "") if kind in ("completed", "failed") else tests.get(ident, "")
    what = str(data.get("name") or data.get("test_name") or event.get("text") or "")
    status = str(data.get("status") or {"started": "running", "completed": "passed"}.get(kind, kind))
    beside = f"in {test}" if test and test != what else _OF_TEST.get(kind, "")
    return _row(about, status, when, what, beside, str(data.get("error_message") or ""))


def _row(ident: str, status: str, when: str, what: str, beside: str, problem: str = "") -> Line:
    why = f'<div class="jbts-why">{display.text(problem, 300)}</div>' if problem else ""
    return Line(
        ident,
        status in BAD,
        f'<li data-line="{display.text(ident)}"><div class="jbts-head">{display.mark(status)}'
        f'<span>{display.text(what, 120)} <span class="jbts-soft">{display.text(beside, 80)}</span></span>'
        f'<span class="jbts-time jbts-soft">{display.text(when)}</span></div>{why}</li>',
    )
