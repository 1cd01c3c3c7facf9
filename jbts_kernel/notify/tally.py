"""What the log adds up to, each line once, whichever hub reads it.

A hub ends when nobody needs it, another one begins, and a day of the log is there for it to read again.
Counters that began anew with each would be too low by what the last one had seen, and with all of the log too
high by what Prometheus had from the last one already. So the sums are kept in a file together with the
number of the last line counted of each writer: a hub goes on where the one before it was, also after
``kill -9``, since what is not in the file yet is still in the log.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..log.envelope import Record
from ..log.segment import SPOOL, names, source_of, writers

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram of step durations, in seconds."""

TOKENS = ("input", "cached", "output")
POOL = ("max_size", "size", "in_use", "waiting")
PLAIN = ("executions", "analyses", "tokens", "leases")
"""Sums by a single word."""

VERSION = 1
SAVE_S = 5.0

STATUSES = ("passed", "failed", "error", "skipped", "aborted")
_STEP_TYPES = (
    *("navigate", "click", "type", "wait", "assert", "screenshot", "custom", "select", "hover", "press", "drag"),
    *("scroll", "upload", "dialog", "frame", "tab", "cookie", "storage", "evaluate", "request", "read", "analyze"),
)
_ANALYSES = (
    *("ok", "incomplete", "refused", "bad_json", "unauthorized", "not_found", "quota", "rate_limited"),
    *("server_error", "connection_error", "timeout", "cancelled", "over_budget", "replay_miss"),
)


class Tally:
    """The sums of the project in ``home``, kept in ``file`` (of nothing where both are left out)."""

    def __init__(
        self, home: Path | None = None, file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.executions: Counter[str] = Counter()
        self.steps: Counter[tuple[str, str]] = Counter()
        self.analyses: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.leases: Counter[str] = Counter()
        self.cost = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.pools: dict[str, dict[str, int]] = {}
        """The last figures of each process that has, or had, a pool of browsers."""
        self._spool = None if home is None else home / SPOOL
        self._file = file
        self._clock = clock
        self._seen: dict[str, int] = {}
        self._saved = clock()
        if file is not None:
            self._load(file)

    def take(self, records: Sequence[Record]) -> None:
        """Count those that were not counted before. Raises OSError when the sums cannot be kept."""
        for record in records:
            if record.seq <= self._seen.get(record.source, 0):
                continue
            self._seen[record.source] = record.seq
            if record.kind == "step.finished":
                self._step(record.data)
            elif record.kind == "execution.finished":
                self.executions[_known(record.data.get("status"), STATUSES)] += 1
            elif record.kind == "analysis":
                self._analysis(record.data)
            elif record.kind == "pool":
                self._pool(record.source, record.data)
        if self._clock() - self._saved >= SAVE_S:
            self.save()

    def pool(self) -> dict[str, int]:
        """The figures of all pools together; those of a process that is gone are forgotten."""
        if self._spool is not None and self.pools:
            there = writers(self._spool, self.pools)
            self.pools = {source: found for source, found in self.pools.items() if source in there}
        return {name: sum(found[name] for found in self.pools.values()) for name in POOL}

    def save(self) -> None:
        """Keep the sums for the next hub. Raises OSError."""
        self._saved = self._clock()
        if self._file is None or self._spool is None:
            return
        kept = {source_of(name) for name in names(self._spool)}  # what was moved away is not read again
        self._seen = {source: seq for source, seq in self._seen.items() if source in kept}
        self.pool()
        fresh = self._file.with_name(f"{self._file.name}.new")
        fresh.write_text(json.dumps(self._state()), "utf-8")
        os.replace(fresh, self._file)

    def _state(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "bounds": BUCKETS,
            "seen": self._seen,
            "steps": [[status, kind, count] for (status, kind), count in self.steps.items()],
            **{name: getattr(self, name) for name in PLAIN},
            "cost": self.cost,
            "buckets": self.buckets,
            "seconds": self.seconds,
            "pools": self.pools,
        }

    def _load(self, file: Path) -> None:
        """Go on from what the last hub kept. A file of another format, or one that was damaged, is as good as
        none: then what is left of the log is counted."""
        try:
            kept = json.loads(file.read_text("utf-8"))
            if kept["version"] != VERSION or kept["bounds"] != list(BUCKETS):
                return
            seen = {str(source): int(seq) for source, seq in kept["seen"].items()}
            steps = {(str(status), str(kind)): int(count) for status, kind, count in kept["steps"]}
            pools = {str(source): {n: int(found[n]) for n in POOL} for source, found in kept["pools"].items()}
            buckets = [int(count) for count in kept["buckets"]]
            cost, seconds = float(kept["cost"]), float(kept["seconds"])
            plain = {name: {str(word): int(count) for word, count in kept[name].items()} for name in PLAIN}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return
        self._seen, self.pools, self.buckets, self.cost, self.seconds = seen, pools, buckets, cost, seconds
        self.steps.update(steps)
        for name, counts in plain.items():
            getattr(self, name).update(counts)

    def _step(self, data: Mapping[str, Any]) -> None:
        self.steps[_known(data.get("status"), STATUSES), _known(data.get("step_type"), _STEP_TYPES)] += 1
        seconds = number(data.get("duration_ms")) / 1000
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def _analysis(self, data: Mapping[str, Any]) -> None:
        self.analyses[_known(data.get("status"), _ANALYSES)] += 1
        for kind in TOKENS:
            self.tokens[kind] += int(number(data.get(f"{kind}_tokens")))
        self.cost += number(data.get("cost_usd"))

    def _pool(self, source: str, data: Mapping[str, Any]) -> None:
        self.pools[source] = {name: int(number(data.get(name))) for name in POOL}
        for what in ("leased", "replaced"):
            self.leases[what] += int(number(data.get(what)))


def number(value: object) -> float:
    """A number as it can be summed up: what is none, or below nothing, is nothing."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else 0.0


def _known(word: object, words: Sequence[str]) -> str:
    return word if isinstance(word, str) and word in words else "other"
