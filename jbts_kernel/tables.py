"""Answers of the store in a terminal, as CSV and as JSON.

What is in a cell came from somebody's web page, so a table shows control characters as they are written
instead of sending them to the terminal, and reads no markup in them. CSV and JSON are for programs and stay
exact.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from .grammar import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

CELL = 120
MOST_NAMES = 10_000
_GAP = 2
_SLIVER = 18

STATUS_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "aborted": "yellow",
    "flaky": "yellow",
    "running": "cyan",
    "skipped": "dim",
}


class Rows(Protocol):
    """What is shown: :class:`jbts_kernel.store.queries.Table`."""

    @property
    def columns(self) -> Any: ...
    @property
    def rows(self) -> Any: ...
    @property
    def truncated(self) -> bool: ...


def cell(value: Any, width: int = CELL) -> Text:
    """One value for a terminal; a text longer than ``width`` characters is cut, with a mark."""
    from rich.text import Text

    if value is None:
        return Text("null", style="dim")
    if isinstance(value, bool):
        return Text(str(value).lower())
    if isinstance(value, float):
        return Text(f"{value:.6g}")
    if isinstance(value, datetime):
        return Text(value.isoformat(sep=" ", timespec="milliseconds"))
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(value, ensure_ascii=False, default=plain)
    text = printable(str(value))
    if len(text) > width:
        text = text[: width - 1] + "…"
    return Text(text, style=STATUS_STYLES.get(text, ""))


def draw(answer: Rows, console: Console) -> None:
    """Draw an answer: a line a row, or, where its columns do not fit the terminal, a block a row with a line
    for each column. A last line says how many rows there are. What goes to no terminal is never folded."""
    from rich.table import Table
    from rich.text import Text

    names = [cell(column) for column in answer.columns]
    drawn = [[cell(value) for value in row] for row in answer.rows]
    widths = [max(name.cell_len, *(row[i].cell_len for row in drawn), 0) + _GAP for i, name in enumerate(names)]
    if not console.is_terminal:
        console.width = max(console.width, sum(widths))
    # Folding a long text is fine; folding every column into slivers is not.
    if not drawn and sum(widths) > console.width:
        console.print(Text(", ").join(names))
    elif sum(min(width, _SLIVER) for width in widths) <= console.width:
        table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, name in enumerate(names):
            numbers = any(row[index] is not None for row in answer.rows) and all(
                isinstance(row[index], (int, float, type(None))) and not isinstance(row[index], bool)
                for row in answer.rows
            )
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in drawn:
            table.add_row(*row)
        console.print(table)
    else:
        for number, row in enumerate(drawn, 1):
            console.rule(f"row {number}", align="left", style="dim")
            block = Table(box=None, padding=(0, _GAP, 0, 0), show_header=False)
            block.add_column(style="bold", no_wrap=True)
            block.add_column(overflow="fold")
            for name, value in zip(names, row, strict=True):
                block.add_row(name, value)
            console.print(block)
    count = len(drawn)
    more = "; there are more: --limit 0 shows them" if answer.truncated else ""
    console.print(f"{count} row{'' if count == 1 else 's'}{more}", style="dim", markup=False)


def event_line(event: Mapping[str, Any], names: dict[str, str]) -> str:
    """One event of the broadcast for a terminal: when, what, how it went, and in which test. ``names`` keeps
    the names of tests from their start to their end."""
    data = event.get("data") if isinstance(event.get("data"), dict) else {}
    assert isinstance(data, dict)
    when, kind = str(event.get("timestamp", ""))[11:19], str(event.get("event_type") or event.get("type"))
    if kind == "gap":
        return f"{when:8}  gap        events {event.get('from')} to {event.get('to')} are no longer kept"
    ident = str(event.get("test_execution_id") or "")
    test = names.pop(ident, "") if kind in ("completed", "failed") else names.get(ident, "")
    if kind == "started" and len(names) < MOST_NAMES:
        names[ident] = str(data.get("test_name") or ident)[:60]
    what = data.get("name") or data.get("test_name") or event.get("text") or ""
    status = data.get("status") or kind
    problem = f"  {data['error_message']}" if data.get("error_message") else ""
    beside = f"  [{test}]" if test and test != what else ""
    return printable(f"{when:8}  {status!s:10.10} {what!s:.120}{beside}{problem!s:.300}")


def plain(value: Any) -> Any:
    """A value JSON has no form for, as the nearest it has: times in ISO 8601, anything else as text."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def write_json(answer: Rows, out: TextIO) -> None:
    """One JSON array of objects, a row each."""
    names = list(answer.columns)
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    json.dump(rows, out, ensure_ascii=False, indent=2, default=plain)
    out.write("\n")


def write_csv(answer: Rows, out: TextIO) -> None:
    """A header line and a line a row; NULL is an empty field, nested values are JSON."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(answer.columns)
    for row in answer.rows:
        writer.writerow(
            json.dumps(value, ensure_ascii=False, default=plain)
            if isinstance(value, (list, tuple, dict))
            else plain(value)
            if isinstance(value, (datetime, date, time, bytes))
            else value
            for value in row
        )


def write(answer: Rows, shape: str, out: TextIO, console: Callable[..., Console]) -> None:
    """Write an answer as ``csv``, ``json`` or ``table``; ``console`` makes the console a table is drawn on."""
    if shape == "csv":
        write_csv(answer, out)
    elif shape == "json":
        write_json(answer, out)
    else:
        draw(answer, console(out))
