"""How a table is described, and how its rows are made from lines of the log.

A line is read once, as (id, kind, ts, source, seq, run_id, execution_id, step_id, data); ``data`` then
becomes the struct ``d`` that a table's columns ask for. A value of another type than expected becomes
NULL in its own column and spoils nothing else.

Runs, executions and steps are *spans*: a line when they start and one when they end. The end carries
everything, so finished spans are plain rows that are never joined or grouped; a start matters only
while its end is missing, and such rows are few and kept apart.
"""

# ruff: noqa: S608  (the SQL here is made of constants of this package and of quoted paths)

from __future__ import annotations

import json
from dataclasses import dataclass

LINE_COLUMNS = {
    "v": "INTEGER",
    "id": "VARCHAR",
    "kind": "VARCHAR",
    "ts": "DOUBLE",
    "source": "VARCHAR",
    "seq": "BIGINT",
    "run_id": "VARCHAR",
    "execution_id": "VARCHAR",
    "step_id": "VARCHAR",
    "data": "JSON",
}
"""The envelope of a line and its types in DuckDB."""

LAST_SECOND = 253_402_300_799  # the end of the year 9999: later is a broken clock, and breaks readers


def stamp(seconds: str) -> str:
    """SQL that makes the expression ``seconds`` (since the epoch) a TIMESTAMP in UTC, NULL when absurd."""
    return (
        f"CASE WHEN {seconds} BETWEEN 0 AND {LAST_SECOND} THEN make_timestamp(CAST({seconds} * 1000000 AS BIGINT)) END"
    )


@dataclass(frozen=True, slots=True)
class Column:
    """``source`` is SQL over a line; None means the field of the same name in its data. ``started`` is
    what stands in its place for a span that has only started (None: the same). ``field`` is the data
    field to read and ``field_type`` its type where they are not the column's own. ``storage`` says how
    the sealed column is kept, where DuckDB's choice is much worse."""

    name: str
    type: str
    doc: str
    source: str | None = None
    started: str | None = None
    field: str | None = None
    field_type: str | None = None
    storage: str = ""

    @property
    def reads(self) -> tuple[str, str] | None:
        """The field of the line's data this column needs and its type; None when it needs none."""
        if self.source is not None and self.field is None:
            return None
        return self.field or self.name, self.field_type or self.type

    @property
    def finished_sql(self) -> str:
        return self.source if self.source is not None else f'd."{self.name}"'

    @property
    def started_sql(self) -> str:
        return self.started if self.started is not None else self.finished_sql


@dataclass(frozen=True, slots=True)
class Relation:
    """A table made of the lines of ``kind``. Spans have a ``started_kind`` too, and a ``key`` that their
    two lines share. ``order`` clusters the sealed rows; ``where`` is a further condition on lines."""

    name: str
    doc: str
    kinds: tuple[str, ...]
    columns: tuple[Column, ...]
    key: str = ""
    started_kind: str | None = None
    order: str = ""
    where: str = ""

    @property
    def sealed(self) -> str:
        return f"internal.{self.name}_sealed"

    @property
    def unfinished(self) -> str:
        return f"internal.{self.name}_unfinished"

    @property
    def names(self) -> str:
        return ", ".join(f'"{column.name}"' for column in self.columns)

    @property
    def ddl(self) -> str:
        return ", ".join(f'"{column.name}" {column.type} {column.storage}' for column in self.columns)

    def select(self, lines: str, *, started: bool = False, extra: str = "") -> str:
        """SQL that makes rows of this table from ``lines`` (a relation with ``LINE_COLUMNS``): of the ends,
        or with ``started`` of the starts. ``extra`` is appended to the columns."""
        kinds = (self.started_kind or "",) if started else self.kinds
        wanted = ", ".join(f"'{kind}'" for kind in kinds)
        fields = dict(read for column in self.columns if (read := column.reads))
        struct = json.dumps({name: _json_type(kind) for name, kind in fields.items()})
        shape = f", json_transform(data, '{struct}') AS d" if fields else ""
        columns = ", ".join(
            f'{column.started_sql if started else column.finished_sql} AS "{column.name}"' for column in self.columns
        )
        where = f" AND {self.where}" if self.where else ""
        return f"SELECT {columns}{extra} FROM (SELECT *{shape} FROM {lines} WHERE kind IN ({wanted}){where})"


def _json_type(name: str) -> object:
    return [name.removesuffix("[]")] if name.endswith("[]") else name
