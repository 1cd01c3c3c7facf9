"""What the log adds up to, as Prometheus text (format 0.0.4).

Counters begin at zero with the hub, which Prometheus expects of a process; what happened in the half minute
before counts too, because the first steps are what starts a hub. Labels take a few known words each: a word
nobody knows, which only a foreign line can carry, is counted as ``other``.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..log.envelope import Record

MIME = "text/plain; version=0.0.4; charset=utf-8"
BEFORE_S = 30.0
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_STATUSES = frozenset({"passed", "failed", "error", "skipped", "aborted"})
_STEP_TYPES = frozenset(
    [
        "navigate",
        "click",
        "type",
        "wait",
        "assert",
        "screenshot",
        "custom",
        "select",
        "hover",
        "press",
        "drag",
        "scroll",
        "upload",
        "dialog",
        "frame",
        "tab",
        "cookie",
        "storage",
        "evaluate",
        "request",
        "read",
        "analyze",
    ]
)
_ANALYSIS = frozenset(
    [
        "ok",
        "incomplete",
        "refused",
        "bad_json",
        "unauthorized",
        "not_found",
        "quota",
        "rate_limited",
        "server_error",
        "connection_error",
        "timeout",
        "cancelled",
        "over_budget",
        "replay_miss",
    ]
)
_TOKENS = ("input", "cached", "output")

_HUB: Mapping[str, tuple[str, str, str]] = {
    "total_connections": ("gauge", "jbts_hub_connections", "Clients connected to the hub."),
    "unique_users": ("gauge", "jbts_hub_users", "Users connected to the hub."),
    "active_rooms": ("gauge", "jbts_hub_rooms", "Rooms somebody listens to."),
    "lagging": ("gauge", "jbts_hub_lagging", "Clients that are behind."),
    "queued_messages": ("gauge", "jbts_hub_queued_messages", "Messages waiting for users who are not connected."),
    "kept_bytes": ("gauge", "jbts_hub_kept_bytes", "Bytes of events kept for clients that come back."),
    "events": ("counter", "jbts_hub_events", "Events read from the log."),
    "delivered": ("counter", "jbts_hub_delivered", "Events given to clients."),
    "gap_events": ("counter", "jbts_hub_gap_events", "Events clients were told they missed."),
    "stalled": ("counter", "jbts_hub_stalled", "Connections ended because their side took nothing."),
    "bad_messages": ("counter", "jbts_hub_bad_messages", "Messages of clients answered with an error."),
}


class Metrics:
    """Counts the records it is given."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._since = clock() - BEFORE_S
        self._executions: Counter[str] = Counter()
        self._steps: Counter[tuple[str, str]] = Counter()
        self._analyses: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._cost = 0.0
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def take(self, records: Sequence[Record], *, replay: bool) -> None:
        """Count new records, and of those that were there already the newest."""
        for record in records:
            if replay and record.ts < self._since:
                continue
            if record.kind == "step.finished":
                self._step(record.data)
            elif record.kind == "execution.finished":
                self._executions[_known(record.data.get("status"), _STATUSES)] += 1
            elif record.kind == "analysis":
                self._analysis(record.data)

    def busy(self) -> bool:
        """Never: counting is no reason for a hub to stay."""
        return False

    def close(self) -> None:
        """Nothing to close."""

    def _step(self, data: Mapping[str, Any]) -> None:
        self._steps[_known(data.get("status"), _STATUSES), _known(data.get("step_type"), _STEP_TYPES)] += 1
        seconds = _number(data.get("duration_ms")) / 1000
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def _analysis(self, data: Mapping[str, Any]) -> None:
        self._analyses[_known(data.get("status"), _ANALYSIS)] += 1
        for kind in _TOKENS:
            self._tokens[kind] += int(_number(data.get(f"{kind}_tokens")))
        self._cost += _number(data.get("cost_usd"))

    def text(self, hub: Mapping[str, Any]) -> str:
        """Everything, with the hub's own figures."""
        lines: list[str] = []

        def family(kind: str, name: str, about: str, samples: Iterable[tuple[str, float]]) -> None:
            full = f"{name}_total" if kind == "counter" else name
            lines.extend((f"# HELP {full} {about}", f"# TYPE {full} {kind}"))
            lines.extend(f"{full}{labels} {_written(value)}" for labels, value in samples)

        family(
            "counter", "jbts_executions", "Tests that ended, by status.",
            [(f'{{status="{status}"}}', count) for status, count in sorted(self._executions.items())],
        )  # fmt: skip
        family(
            "counter", "jbts_steps", "Steps that ended, by status and type.",
            [(f'{{status="{s}",step_type="{t}"}}', count) for (s, t), count in sorted(self._steps.items())],
        )  # fmt: skip
        family("histogram", "jbts_step_duration_seconds", "How long steps took.", self._histogram())
        family(
            "counter", "jbts_analyses", "Analyses, by status.",
            [(f'{{status="{status}"}}', count) for status, count in sorted(self._analyses.items())],
        )  # fmt: skip
        family(
            "counter", "jbts_ai_tokens", "Tokens models reported, by kind.",
            [(f'{{kind="{kind}"}}', self._tokens[kind]) for kind in _TOKENS],
        )  # fmt: skip
        family("counter", "jbts_ai_cost_usd", "Known cost of analyses.", [("", self._cost)])
        for key, (kind, name, about) in _HUB.items():
            family(kind, name, about, [("", _number(hub.get(key)))])
        return "\n".join(lines) + "\n"

    def _histogram(self) -> Iterable[tuple[str, float]]:
        """The samples of the histogram; their names end in more than the family's."""
        total = 0
        for bound, count in zip((*BUCKETS, None), self._buckets, strict=True):
            total += count
            yield f'_bucket{{le="{"+Inf" if bound is None else _written(bound)}"}}', total
        yield "_sum", self._seconds
        yield "_count", total


def _known(word: object, words: frozenset[str]) -> str:
    return word if isinstance(word, str) and word in words else "other"


def _number(value: object) -> float:
    """A number as it can be summed up: what is none, or below nothing, is nothing."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else 0.0


def _written(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
