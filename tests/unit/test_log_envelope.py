"""A line of the log: whole, bounded, and never a reason for a step to fail."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.log.envelope import (
    MAX_LINE,
    MAX_TEXT,
    Record,
    decode,
    encode,
    event_data,
    event_type,
    room,
)
from jbts_kernel.models import Event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def written(data: Mapping[str, Any]) -> Record:
    """What comes back of an event with ``data``."""
    line = encode(Event("step.finished", data), "host-1-abcdef01", 1)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert len(line) <= MAX_LINE
    record = decode(line)
    assert record is not None
    return record


def test_a_line_holds_the_event_and_its_writer() -> None:
    """Everything emitted comes back, with the writer's name and number, under the keys readers rely on."""
    event = Event("step.finished", {"name": "click"}, "r", "e", "s", id="i", ts=12.5)
    line = encode(event, "host-1-abcdef01", 7)
    assert json.loads(line) == {
        "v": 1,
        "id": "i",
        "kind": "step.finished",
        "ts": 12.5,
        "source": "host-1-abcdef01",
        "seq": 7,
        "run_id": "r",
        "execution_id": "e",
        "step_id": "s",
        "data": {"name": "click"},
    }
    assert decode(line) == Record("i", "step.finished", 12.5, "host-1-abcdef01", 7, "r", "e", "s", {"name": "click"})


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_any_json_can_be_written(data: dict[str, Any]) -> None:
    """Whatever JSON a page yields makes one line that reads back; what is no valid text is replaced."""
    record = written(data)
    try:
        plain = json.dumps(data, ensure_ascii=False).encode()
        fits = all(abs(value) < 2**63 for value in _integers(data))
    except UnicodeEncodeError:
        return
    if fits and len(plain) < MAX_TEXT // 2:
        assert record.data == data


def _integers(value: object) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _integers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _integers(item)]
    return [value] if isinstance(value, int) else []


def test_long_texts_are_cut_with_a_mark() -> None:
    """A text is cut at 64 Ki characters and says how long it was; its neighbours stay whole."""
    record = written({"text": "x" * (MAX_TEXT + 5), "url": "http://a/"})
    assert record.data["text"] == "x" * MAX_TEXT + f" [cut: {MAX_TEXT + 5} characters]"
    assert record.data["url"] == "http://a/"


@pytest.mark.parametrize(
    "data",
    [
        {f"k{i}": "\x00" * MAX_TEXT for i in range(50)},
        {"k": ["\x01" * 500] * 100_000},
        {"k" * 100_000: 1, "\x02" * MAX_TEXT: "\x02" * MAX_TEXT},
        {"many": list(range(400_000))},
    ],
    ids=["texts", "list", "keys", "numbers"],
)
def test_a_line_is_bounded(data: dict[str, Any]) -> None:
    """No data makes a line longer than its bound, however it is spread."""
    written(data)


class Trap:
    """Breaks whoever runs its code."""

    def __str__(self) -> str:
        raise AssertionError("asked for its text")

    __repr__ = __str__


class TrapText(str):
    """A text that breaks whoever lets it format itself."""

    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("asked for its text")

    __format__ = __str__  # type: ignore[assignment]


def test_values_that_are_no_json_become_text() -> None:
    """Paths, dates, decimals and bytes are written out, the rest by type, and none of their code is run."""
    looped: dict[str, Any] = {}
    looped["self"] = looped
    data = {
        "path": Path("/a/b"),
        "when": datetime.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001
        "price": decimal.Decimal("1.50"),
        "raw": b"\xffab",
        "trap": Trap(),
        "text": TrapText("fine"),
        "nan": float("nan"),
        "set": {1},
        "view": MappingProxyType({"a": 1}),
        "big": 1 << 200,
        7: "number as key",
    }
    record = written(data)  # type: ignore[arg-type]
    assert record.data["path"] == "/a/b"
    assert str(record.data["when"]).startswith("2026-01-02")
    assert record.data["price"] == "1.50"
    assert record.data["raw"] == "\ufffdab"
    assert "Trap" in record.data["trap"]
    assert record.data["text"] == "fine"
    assert record.data["nan"] is None
    assert record.data["set"] == [1]
    assert record.data["view"] == {"a": 1}
    assert record.data["big"] == "[integer of 201 bits]"
    assert record.data["7"] == "number as key"
    assert "self" in written(looped).data


def test_half_a_character_is_replaced() -> None:
    """A lone surrogate, which JavaScript strings may hold, does not cost the line."""
    assert written({"title": "ok \ud83d!"}).data["title"] == "ok ?!"


def test_numpy_values_are_numbers() -> None:
    """A value read through numpy is written as the number it is."""
    numpy = pytest.importorskip("numpy")
    data = {"n": numpy.int64(5), "f": numpy.float64(1.5)}
    assert written(data).data == {"n": 5, "f": 1.5}
    assert written({**data, "bad": "\ud800"}).data == {"n": 5, "f": 1.5, "bad": "?"}


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_record(line: bytes) -> None:
    """Bytes that are not a line of the log are told apart, not raised about."""
    assert decode(line) is None


def test_a_torn_line_is_no_record() -> None:
    """However much of a line was written before its writer died, the rest is never taken for a record."""
    line = encode(Event("step.finished", {"a": {"b": ["c"]}}, "r", "e", "s"), "host-1-abcdef01", 1)
    assert [cut for cut in range(len(line) - 1) if decode(line[:cut])] == []


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"id": 5}, {"kind": None}, {"ts": "now"}, {"ts": True}, {"seq": "1"}, {"data": []}, {"step_id": 1}],
    ids=str,
)
def test_lines_of_another_form_are_skipped(change: dict[str, Any]) -> None:
    """A line of a later format, or with a field of another type, is no record."""
    line = json.loads(encode(Event("step.finished", {}), "host-1-abcdef01", 1))
    assert decode(json.dumps(line).encode()) is not None
    assert decode(json.dumps({**line, **change}).encode()) is None


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("execution.started", None, "started"),
        ("step.started", None, "progress"),
        ("step.finished", "failed", "progress"),
        ("execution.finished", "passed", "completed"),
        ("execution.finished", "skipped", "completed"),
        ("execution.finished", "failed", "failed"),
        ("execution.finished", "error", "failed"),
        ("execution.finished", "aborted", "failed"),
        ("run.started", None, None),
        ("artifact", None, None),
        ("segment.closed", None, None),
    ],
)
def test_what_subscribers_hear(kind: str, status: str | None, told: str | None) -> None:
    """Executions and steps are told of, under the four names; nothing else is."""
    assert event_type(kind, {"status": status} if status else {}) == told


def test_what_an_event_carries() -> None:
    """A broadcast event has the line's data and where it belongs; its room is its execution's."""
    record = written({"status": "passed"})
    assert event_data(record) == {
        "kind": "step.finished",
        "run_id": None,
        "step_id": None,
        "status": "passed",
    }
    assert room("e1") == "test_execution:e1"
