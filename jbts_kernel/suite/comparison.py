"""What differed between an attempt that failed and one that passed: where a flaky test is explained, if anywhere.

Steps are compared in the order they ran. What is told is the first step that went differently, and the messages and
requests of the failing attempt that the passing one did not have: pure values, from what the log says of each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SLOWER = 3.0
SLOWER_MS = 1000.0
"""A step that took so many times as long, and so much longer, is worth telling."""
TOLD = 3
"""Messages, requests and slow steps that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class StepNote:
    """A step as the log tells of it. ``console`` has its errors, ``failed`` its requests that were not answered well,
    as "status method url"."""

    name: str
    status: str
    url: str = ""
    duration_ms: float = 0.0
    error: str = ""
    console: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def differences(failing: Sequence[StepNote], passing: Sequence[StepNote]) -> tuple[str, ...]:
    """The differences as lines; empty where neither recorded a step, or all went the same way."""
    lines = [*_first(failing, passing)]
    same = [(f, p) for f, p in zip(failing, passing, strict=False) if f.name == p.name]
    for kind, name in (("console", "console error"), ("failed", "failed request")):
        known = {text for step in passing for text in getattr(step, kind)}
        new = dict.fromkeys(text for step in failing for text in getattr(step, kind) if text not in known)
        lines += _some([f"{name} only in the failing attempt: {text}" for text in new])
    slow = [
        f"{f.name} took {f.duration_ms / 1000:.1f} s in the failing attempt,"
        f" {p.duration_ms / 1000:.1f} s in the passing"
        for f, p in same
        if f.duration_ms > SLOWER * p.duration_ms and f.duration_ms - p.duration_ms > SLOWER_MS
    ]
    return (*lines, *_some(slow))


def _first(failing: Sequence[StepNote], passing: Sequence[StepNote]) -> Sequence[str]:
    """The first step that went differently, and how."""
    for number, (f, p) in enumerate(zip(failing, passing, strict=False), 1):
        if f.name != p.name:
            return [f"step {number} was {f.name!r} in the failing attempt, {p.name!r} in the passing"]
        told = []
        if f.status != p.status:
            told.append(f"{f.status} in the failing attempt ({f.error or 'no message'}), {p.status} in the passing")
        if f.url != p.url:
            told.append(f"at {f.url or 'no page'} in the failing attempt, {p.url or 'no page'} in the passing")
        if told:
            return [f"step {number}, {f.name}: {'; '.join(told)}"]
    if len(failing) != len(passing):
        return [f"{len(failing)} steps ran in the failing attempt, {len(passing)} in the passing"]
    return []


def _some(lines: Sequence[str]) -> list[str]:
    left = len(lines) - TOLD
    return [*lines[:TOLD], *([f"and {left} more of these"] if left > 0 else [])]
