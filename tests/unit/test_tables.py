"""How answers look in a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from jbts_kernel import tables
from jbts_kernel.store.queries import Table


def answer(columns: str, *rows: tuple[Any, ...], truncated: bool = False) -> Table:
    """An answer of the store."""
    names = tuple(columns.split())
    return Table(names, ("VARCHAR",) * len(names), rows, truncated)


def drawn(table: Table, width: int = 80, *, terminal: bool = True) -> list[str]:
    """What the table looks like, without colours and the space at the ends of lines."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, no_color=True, color_system=None)
    tables.draw(table, console)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_is_a_line() -> None:
    """Names above, a line a row, numbers to the right, and how many there are."""
    lines = drawn(answer("name n", ("a", 5), ("bb", 500)))
    assert lines == ["name    n", "a       5", "bb    500", "2 rows"]


def test_long_texts_are_folded() -> None:
    """A text wider than the terminal is folded within its column."""
    lines = drawn(answer("a b", ("x " * 30, "y")), width=40)
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("x") == 30
    assert lines[-1] == "1 row"


def test_too_many_columns_become_a_block_a_row() -> None:
    """Where columns would become slivers, each row is a block with a line for each column."""
    names = [f"column_number_{i}" for i in range(8)]
    lines = drawn(answer(" ".join(names), tuple(range(8)), tuple(range(8))), width=60)
    assert [line.split() for line in lines[1:9]] == [[name, str(i)] for i, name in enumerate(names)]
    assert lines[0].startswith("row 1 ")
    assert lines[9].startswith("row 2 ")


def test_no_rows_of_many_columns_are_their_names() -> None:
    """Where nothing was found and the names alone do not fit, they stand one after the other."""
    names = [f"column_number_{i}" for i in range(8)]
    lines = drawn(answer(" ".join(names)), width=60)
    assert ", ".join(names) == " ".join(lines[:-1]) and lines[-1] == "0 rows"


def test_what_is_kept_is_not_folded() -> None:
    """Output that goes to a file has a line a row, however wide."""
    names = [f"column_number_{i}" for i in range(30)]
    lines = drawn(answer(" ".join(names), tuple(range(30))), width=60, terminal=False)
    assert lines[0].split() == names
    assert lines[1].split() == [str(i) for i in range(30)]


def test_no_rows_are_said() -> None:
    """An empty answer shows its columns and says so."""
    assert drawn(answer("name status")) == ["name  status", "0 rows"]


def test_truncation_is_said() -> None:
    """An answer that was cut tells how to see the rest."""
    assert drawn(answer("n", (1,), truncated=True))[-1] == "1 row; there are more: --limit 0 shows them"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1 / 3, "0.333333"),
        (12345678901234567890, "12345678901234567890"),
        (datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC), "2026-01-02 03:04:05.678+00:00"),
        (["a", "ä"], '["a", "ä"]'),
        ("\x1b]0;title\x07\r\n\u202eabc", r"\x1b]0;title\x07\r\n\u202eabc"),
        ("[red]text[/red]", "[red]text[/red]"),
        ("x" * 500, "x" * (tables.CELL - 1) + "…"),
    ],
)
def test_values(value: Any, shown: str) -> None:
    """Each kind of value has its form; what could steer the terminal is written out, and long texts are cut."""
    assert tables.cell(value).plain == shown
