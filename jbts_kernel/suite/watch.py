"""What the kernels of a run record, followed in the log while they run.

The runner learns from it which step is going on now, and in the end which executions a kernel recorded and
which of its steps failed: a cell can be green although a step in it was not (``--continue-on-failure``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..log import Record, Tail
from ..log.segment import SPOOL, names
from .comparison import StepNote

INTERVAL = 0.25
"""Seconds between two looks at the log."""

STEPS_KEPT = 500
"""Steps of one execution that are named in a result."""


@dataclass(frozen=True, slots=True)
class BadStep:
    """A step that ended badly: its status, error, and the cell it stood in."""

    name: str
    status: str
    error_type: str | None
    error_message: str
    cell_id: str | None
    source_hash: str | None


@dataclass(slots=True)
class Trail:
    """What one execution left in the log so far. ``finished`` is None while it runs, or its process died."""

    execution_id: str
    pid: int
    started: Mapping[str, Any]
    started_at: float
    finished: Mapping[str, Any] | None = None
    finished_at: float = 0.0
    steps: list[str] = field(default_factory=list)
    notes: list[StepNote] = field(default_factory=list)
    heard: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    """Console errors and failed requests of the steps that have not ended."""
    bad: list[BadStep] = field(default_factory=list)


class Watch:
    """Follows one run in ``home``'s log. ``on_step(pid, name)`` is called, from a thread of its own, when a
    step begins.

    Use it as a context manager: the thread runs inside it.
    """

    def __init__(self, home: Path, run_id: str, on_step: Callable[[int, str], None]) -> None:
        spool = home / SPOOL
        # What is in the log already belongs to other runs, and may be a lot.
        position = {name: (spool / name).stat().st_size for name in names(spool) if (spool / name).exists()}
        self._tail = Tail(spool, position)
        self._run_id = run_id
        self._on_step = on_step
        self._lock = threading.Lock()
        self._trails: dict[str, Trail] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="jbts-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def trails(self, pid: int) -> list[Trail]:
        """The executions of the process ``pid``, in order, with everything it had written before this
        call."""
        self._take()
        with self._lock:
            return [trail for trail in self._trails.values() if trail.pid == pid]

    def _follow(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._take()

    def _take(self) -> None:
        begun: list[tuple[int, str]] = []
        with self._lock:
            while records := self._tail.poll():
                for record in records:
                    if record.run_id == self._run_id and record.execution_id:
                        begun += self._note(record)
        for pid, name in begun:
            self._on_step(pid, name)

    def _note(self, record: Record) -> list[tuple[int, str]]:
        """Take one line in; the step it begins, if any."""
        data, execution = record.data, str(record.execution_id)
        if record.kind == "execution.started":
            self._trails[execution] = Trail(execution, _pid(record.source), data, record.ts)
            return []
        trail = self._trails.get(execution)
        if trail is None:
            return []
        if record.kind == "execution.finished":
            trail.finished, trail.finished_at = data, record.ts
        elif record.kind == "step.started":
            return [(trail.pid, str(data.get("name") or data.get("verb") or ""))]
        elif record.kind in ("console", "network"):
            _hear(trail.heard.setdefault(str(record.step_id), ([], [])), record.kind, data)
        elif record.kind == "step.finished":
            console, failed = trail.heard.pop(str(record.step_id), ([], []))
            status, name = str(data.get("status")), str(data.get("name") or data.get("verb") or "")
            if len(trail.steps) < STEPS_KEPT:
                trail.steps.append(f"{status} {name}")
                error = ": ".join(str(data[k]) for k in ("error_type", "error_message") if data.get(k))
                took = float(data.get("duration_ms") or 0)
                trail.notes.append(
                    StepNote(name, status, str(data.get("url") or ""), took, error, tuple(console), tuple(failed))
                )
            if status in ("failed", "error", "aborted"):
                trail.bad.append(
                    BadStep(
                        name,
                        status,
                        data.get("error_type"),
                        str(data.get("error_message") or ""),
                        data.get("cell_id"),
                        data.get("source_hash"),
                    )
                )
        return []


def _hear(heard: tuple[list[str], list[str]], kind: str, data: Mapping[str, Any]) -> None:
    """Keep what a page said while a step ran, if it is a sign of trouble."""
    console, failed = heard
    if kind == "console" and data.get("level") == "error":
        console.append(str(data.get("text") or "")[:200])
    status = data.get("status")
    if kind == "network" and (status is None or status == 0 or status >= 400):
        failed.append(f"{status or 'no answer'} {data.get('method') or ''} {data.get('url') or ''}"[:300])


def _pid(source: str) -> int:
    """The process that wrote a line: sources are host-pid-token."""
    number = source.rsplit("-", 2)[-2] if source.count("-") >= 2 else ""
    return int(number) if number.isdigit() else 0
