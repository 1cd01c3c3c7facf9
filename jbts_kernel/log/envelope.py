"""One line of the log: how an event becomes bytes and how bytes become a record again.

A line is a JSON object that ends with a newline. The newline is what makes it complete: a writer that
died in the middle leaves a line that does not parse, and every reader skips it. Lines are bounded,
because what a page says goes into them: a text is cut at 64 Ki characters, a whole line at 1 MiB, so a
reader needs a buffer of known size. Encoding runs no code of the values it is given (no ``__str__`` of
a stranger), so it can neither hang nor raise on the way of a step.

Which events the outside world hears of, and under which name, is decided here too: the hub and the
``events`` table read the same few functions.
"""

from __future__ import annotations

import datetime
import decimal
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import orjson

from ..models import EVENT_SCHEMA, Event

EventType = Literal["started", "progress", "completed", "failed"]

MAX_TEXT = 65_536
"""Characters of one text; what is longer is cut and says so."""

MAX_LINE = 1 << 20
"""Bytes of one line, newline included."""

PROGRESS_KINDS = frozenset({"step.started", "step.finished"})
GOOD_ENDS = frozenset({"passed", "skipped"})

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
# Texts, values and depth allowed when a line has to be rebuilt, tried until it fits in MAX_LINE; a
# control character takes six bytes, so the last one stays below 500 * 2 * 64 * 6 bytes.
_LADDER = ((MAX_TEXT, 20_000, 32), (4_096, 4_000, 16), (64, 500, 8))
_WRITTEN_OUT = (os.PathLike, decimal.Decimal, complex, datetime.timedelta, datetime.date, datetime.time)
_TRUSTED = frozenset({"pathlib", "decimal", "builtins", "datetime", "pandas"})


@dataclass(frozen=True, slots=True)
class Record:
    """A line that was read back. ``source`` is its writer, ``seq`` counts that writer's lines from 1
    (a hole in it is an event that could not be written); the rest is the :class:`Event` as emitted."""

    id: str
    kind: str
    ts: float
    source: str
    seq: int
    run_id: str | None
    execution_id: str | None
    step_id: str | None
    data: Mapping[str, Any]


def encode(event: Event, source: str, seq: int) -> bytes:
    """``event`` as one line, newline included, at most ``MAX_LINE`` bytes. Never raises.

    Values that are not JSON are written as text where that is harmless (paths, dates, decimals), else
    as ``<module.Type>``; NaN and infinities become null.
    """
    record = {
        "v": EVENT_SCHEMA,
        "id": event.id,
        "kind": event.kind,
        "ts": event.ts,
        "source": source,
        "seq": seq,
        "run_id": event.run_id,
        "execution_id": event.execution_id,
        "step_id": event.step_id,
        "data": event.data if isinstance(event.data, dict) else dict(event.data),
    }
    try:
        line = orjson.dumps(record, default=_replacement, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Lone surrogates, huge integers, keys that are no text, cycles: all of it can come from a page.
        line = b""
    if line and len(line) <= MAX_TEXT:
        return line
    for longest, values, depth in _LADDER:
        line = orjson.dumps(_Trim(longest, values)(record, depth), option=_OPTIONS)
        if len(line) <= MAX_LINE:
            break
    return line


def decode(line: bytes) -> Record | None:
    """The record of one line, or None when it is torn, foreign or of a format not known here."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or found.get("v") != EVENT_SCHEMA:
        return None
    ident, kind, ts, source, seq = (found.get(key) for key in ("id", "kind", "ts", "source", "seq"))
    data = found.get("data")
    links = [found.get(key) for key in ("run_id", "execution_id", "step_id")]
    if not (isinstance(ident, str) and isinstance(kind, str) and isinstance(source, str)):
        return None
    if not isinstance(ts, (int, float)) or isinstance(ts, bool) or not isinstance(seq, int):
        return None
    if not isinstance(data, dict) or not all(link is None or isinstance(link, str) for link in links):
        return None
    return Record(ident, kind, float(ts), source, seq, links[0], links[1], links[2], data)


def event_type(kind: str, data: Mapping[str, Any]) -> EventType | None:
    """What subscribers call an event of this ``kind``; None for the kinds they do not hear of."""
    if kind in PROGRESS_KINDS:
        return "progress"
    if kind == "execution.started":
        return "started"
    if kind == "execution.finished":
        return "completed" if data.get("status") in GOOD_ENDS else "failed"
    return None


def event_data(record: Record) -> dict[str, Any]:
    """The ``data`` of a broadcast event and of a row in ``events``: the line's own, and where it
    belongs (kind, run_id, step_id)."""
    return {"kind": record.kind, "run_id": record.run_id, "step_id": record.step_id, **record.data}


def room(execution_id: str) -> str:
    """The room that carries one execution's events."""
    return f"test_execution:{execution_id}"


def _replacement(value: object) -> object:
    """What stands for a value JSON does not have. Only code of known types runs here."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value[:MAX_TEXT]).decode("utf-8", "replace")
    if isinstance(value, float):
        return float.__add__(value, 0.0)
    module = type(value).__module__.partition(".")[0]
    if isinstance(value, _WRITTEN_OUT) and module in _TRUSTED:
        return str(value)
    if module == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    return f"<{type(value).__module__}.{type(value).__qualname__}>"[:200]


class _Trim:
    """A copy of a value made of plain JSON values only, bounded in depth, number and length.

    Methods are called on the base classes, so that a subclass has no say in what is written.
    """

    def __init__(self, longest: int, values: int) -> None:
        self.longest = longest
        self.left = values

    def __call__(self, value: object, depth: int) -> object:
        self.left -= 1
        if self.left < 0 or depth < 0:
            return "[cut]"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            plain = int.__add__(value, 0)
            return plain if -(1 << 63) <= plain < 1 << 63 else f"[integer of {plain.bit_length()} bits]"
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, MappingProxyType):
            value = dict(value)
        if isinstance(value, dict):
            copy: dict[str, object] = {}
            for key, item in dict.items(value):
                if self.left <= 0:
                    break
                copy[self._key(key)] = self(item, depth - 1)
            return copy
        if isinstance(value, (set, frozenset)):
            value = list(value)
        if isinstance(value, (list, tuple)):
            items: list[object] = []
            for item in tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value):
                if self.left <= 0:
                    break
                items.append(self(item, depth - 1))
            return items
        plain_value = _replacement(value)
        return self._text(plain_value) if isinstance(plain_value, str) else plain_value

    def _text(self, text: str) -> str:
        if len(text) > self.longest:
            text = f"{str.__getitem__(text, slice(0, self.longest))} [cut: {len(text)} characters]"
        return str.encode(text, "utf-8", "replace").decode("utf-8")

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return self._text(key)
        if key is None or isinstance(key, (bool, int, float)):
            return repr(key)[:64]
        return str(_replacement(key))[:200]
