"""What the log adds up to, as Prometheus text (format 0.0.4).

Labels take a few known words each: a word nobody knows, which only a foreign line can carry, is counted as
``other``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..log.envelope import Record
from .tally import BUCKETS, STATUSES, TOKENS, Tally, number

MIME = "text/plain; version=0.0.4; charset=utf-8"

_POOL: Mapping[str, tuple[str, str]] = {
    "size": ("jbts_pool_browsers", "Browsers that run."),
    "in_use": ("jbts_pool_in_use", "Browsers that somebody uses."),
    "waiting": ("jbts_pool_waiting", "Who waits for a browser."),
    "max_size": ("jbts_pool_max_size", "Browsers there may be."),
}
_HUB: Mapping[str, tuple[str, str, str]] = {
    "total_connections": ("gauge", "jbts_hub_connections", "Clients connected to the hub."),
    "unique_users": ("gauge", "jbts_hub_users", "Users connected to the hub."),
    "active_rooms": ("gauge", "jbts_hub_rooms", "Rooms somebody listens to."),
    "lagging": ("gauge", "jbts_hub_lagging", "Clients that are behind."),
    "queued_messages": ("gauge", "jbts_hub_queued_messages", "Messages waiting for users who are not connected."),
    "kept_bytes": ("gauge", "jbts_hub_kept_bytes", "Bytes of events kept for clients that come back."),
    "events": ("counter", "jbts_hub_events", "Events this hub read from the log."),
    "delivered": ("counter", "jbts_hub_delivered", "Events this hub gave to clients."),
    "gap_events": ("counter", "jbts_hub_gap_events", "Events clients were told they missed."),
    "stalled": ("counter", "jbts_hub_stalled", "Connections ended because their side took nothing."),
    "bad_messages": ("counter", "jbts_hub_bad_messages", "Messages of clients answered with an error."),
}


class Metrics:
    """Counts the records it is given into ``tally``, and writes that out."""

    def __init__(self, tally: Tally, logger: logging.Logger | None = None) -> None:
        self._tally = tally
        self._logger = logger or logging.getLogger("jbts.hub")
        self._trouble = ""

    def take(self, records: Sequence[Record], *, replay: bool) -> None:
        """Count records, whether they are new or were there when this hub began."""
        try:
            self._tally.take(records)
        except OSError as problem:
            self._complain(problem)

    def busy(self) -> bool:
        """Never: counting is no reason for a hub to stay."""
        return False

    def close(self) -> None:
        """Keep what was counted for the next hub."""
        try:
            self._tally.save()
        except OSError as problem:
            self._complain(problem)

    def _complain(self, problem: OSError) -> None:
        """Say once what is wrong: a full disk stays full for a while."""
        if str(problem) != self._trouble:
            self._trouble = str(problem)
            self._logger.warning("the figures of /metrics cannot be kept for the next hub: %s", problem)

    def text(self, hub: Mapping[str, Any]) -> str:
        """Everything, with the hub's own figures."""
        tally = self._tally
        lines: list[str] = []

        def family(kind: str, name: str, about: str, samples: Iterable[tuple[str, float]]) -> None:
            full = f"{name}_total" if kind == "counter" else name
            lines.extend((f"# HELP {full} {about}", f"# TYPE {full} {kind}"))
            lines.extend(f"{full}{labels} {_written(value)}" for labels, value in samples)

        ended = {**dict.fromkeys(STATUSES, 0), **tally.executions}
        family(
            "counter", "jbts_executions", "Tests that ended, by status.",
            [(f'{{status="{status}"}}', count) for status, count in sorted(ended.items())],
        )  # fmt: skip
        family(
            "counter", "jbts_steps", "Steps that ended, by status and type.",
            [(f'{{status="{s}",step_type="{t}"}}', count) for (s, t), count in sorted(tally.steps.items())],
        )  # fmt: skip
        family("histogram", "jbts_step_duration_seconds", "How long steps took.", self._histogram())
        pool = tally.pool()
        for key, (name, about) in _POOL.items():
            family("gauge", name, about, [("", pool[key])])
        family("counter", "jbts_pool_leases", "Leases of a browser.", [("", tally.leases["leased"])])
        family(
            "counter", "jbts_pool_replaced", "Browsers given up because they died or did not answer.",
            [("", tally.leases["replaced"])],
        )  # fmt: skip
        family(
            "counter", "jbts_analyses", "Analyses, by status.",
            [(f'{{status="{status}"}}', count) for status, count in sorted(tally.analyses.items())],
        )  # fmt: skip
        family(
            "counter", "jbts_ai_tokens", "Tokens models reported, by kind.",
            [(f'{{kind="{kind}"}}', tally.tokens[kind]) for kind in TOKENS],
        )  # fmt: skip
        family("counter", "jbts_ai_cost_usd", "Known cost of analyses.", [("", tally.cost)])
        for key, (kind, name, about) in _HUB.items():
            family(kind, name, about, [("", number(hub.get(key)))])
        return "\n".join(lines) + "\n"

    def _histogram(self) -> Iterable[tuple[str, float]]:
        """The samples of the histogram; their names end in more than the family's."""
        total = 0
        for bound, count in zip((*BUCKETS, None), self._tally.buckets, strict=True):
            total += count
            yield f'_bucket{{le="{"+Inf" if bound is None else _written(bound)}"}}', total
        yield "_sum", self._tally.seconds
        yield "_count", total


def _written(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
