"""What is worth telling: records of the log in, occasions out. No I/O.

Texts of a tested page go into other people's chats from here, so they are cut, freed of control characters,
and what a chat would take for a call to everybody is broken up.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..log.envelope import GOOD_ENDS, Record

MOST_A_RUN = 20
"""Failures of one run that are told one by one; after that only its end is."""

T = TypeVar("T")
Tone = Literal["success", "warning", "failure"]
"""How a chat colours an occasion, as apprise names it."""

_MOST_KEPT = 1_000
_MENTION = re.compile(r"@(?=\w)|<(?=[!@#])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something to tell. ``ident`` is the id of its record; ``picture`` is an artifact's hash."""

    when: str
    ident: str
    ts: float
    run_id: str | None
    title: str
    lines: tuple[str, ...]
    picture: str | None = None

    @property
    def tone(self) -> Tone:
        """How good it is; a flaky test is a warning."""
        marks: dict[str, Tone] = {"✓": "success", "↻": "warning"}
        return marks.get(self.title[:1], "failure")


@dataclass(slots=True)
class _Run:
    """What is known of a run: how each of its tests stands, and how many failures were told."""

    tests: dict[str, str] = field(default_factory=dict)
    told: int = 0


class Occasions:
    """Finds the occasions in the records it is given, in the log's order."""

    def __init__(self) -> None:
        self._steps: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def take(self, record: Record) -> Occasion | None:
        """The occasion a record is, if it is one."""
        if record.kind == "step.finished" and record.execution_id:
            if not _bad(self._steps.get(record.execution_id, {})):
                _keep(self._steps, record.execution_id, record.data)
            return None
        if record.kind == "execution.finished":
            return self._test(record)
        return self._end(record) if record.kind == "run.finished" else None

    def _test(self, record: Record) -> Occasion | None:
        data, run_id = record.data, record.run_id or ""
        run = self._runs.get(run_id) or _keep(self._runs, run_id, _Run())
        status = str(data.get("status"))
        given = data.get("attempt")
        attempt = given if isinstance(given, int) else 1
        bad = status not in GOOD_ENDS
        flaky = status == "passed" and attempt > 1
        run.tests[str(data.get("history_id") or data.get("test_name"))] = "flaky" if flaky else status
        step = self._steps.pop(record.execution_id or "", {})
        if not bad and not flaky:
            return None
        run.told += 1
        if run.told > MOST_A_RUN:
            return None
        name = text(data.get("test_name"), 120) or "a test"
        title = f"✗ {name} failed" if bad else f"↻ {name} passed on attempt {attempt}"
        at_fault = _bad(step)
        if flaky:
            step = {}
        error = step if at_fault and step.get("error_message") else data
        lines = [
            _line("step" if at_fault else "last step", step.get("name")),
            _line("error", ": ".join(filter(None, (text(error.get(k), 600) for k in ("error_type", "error_message"))))),
            _line("page", step.get("url")),
            _line("notebook", data.get("notebook")),
            _line("attempt", str(attempt)) if bad and attempt > 1 else "",
            "further failures of this run are told at its end" if run.told == MOST_A_RUN else "",
        ]
        picture = step.get("screenshot")
        return Occasion(
            "failed" if bad else "flaky",
            record.id,
            record.ts,
            record.run_id,
            title,
            tuple(filter(None, lines)),
            picture if isinstance(picture, str) else None,
        )

    def _end(self, record: Record) -> Occasion:
        run = self._runs.pop(record.run_id or "", _Run())
        counts: dict[str, int] = {}
        for status in run.tests.values():
            word = status if status in ("passed", "flaky", "skipped") else "failed"
            counts[word] = counts.get(word, 0) + 1
        said = ", ".join(
            f"{counts[word]} {word}" for word in ("failed", "flaky", "passed", "skipped") if word in counts
        )
        mark = "✗" if counts.get("failed") or record.data.get("status") not in GOOD_ENDS else "✓"
        where = (_line("branch", record.data.get("git_branch")), _line("host", record.data.get("host")))
        return Occasion(
            "finished", record.id, record.ts, record.run_id,
            f"{mark} run finished: {said or 'no test ran'}", tuple(filter(None, where)),
        )  # fmt: skip


def _bad(step: Mapping[str, Any]) -> bool:
    return step.get("status") in ("failed", "error")


def text(value: object, most: int) -> str:
    """A text as it may go to a chat: one line, cut, calling nobody."""
    if not isinstance(value, str):
        return ""
    line = _CONTROL.sub(" ", value.replace("\n", " ⏎ ")).strip()
    line = line if len(line) <= most else line[:most] + "…"
    return _MENTION.sub(lambda found: found[0] + "\u200b", line)


def _line(label: str, value: object) -> str:
    found = text(value, 600)
    return f"{label}: {found}" if found else ""


def _keep(where: OrderedDict[str, T], key: str, value: T) -> T:
    where[key] = value
    if len(where) > _MOST_KEPT:
        where.popitem(last=False)
    return value
