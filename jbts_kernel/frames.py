"""The answer to ``%query``: a pandas DataFrame that shows itself as a table a person can page and sort.

``name = %query ...`` is therefore a data frame like any other, whole up to ``MOST`` rows; what shows it is a page of
plain HTML, which needs no script and is what an executed notebook and a report keep. Where a person is at
the keyboard a widget stands in its place, which asks the kernel for one page at a time, so that a million
rows cost a browser no more than fifty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas

from . import display

MOST = 1_000_000
"""Rows an answer holds unless told otherwise."""
PAGE = 50

Live = Callable[[pandas.DataFrame, display.Bundle], display.Bundle]
"""Shows a live form of an answer before its plain twin; what to show as the twin."""


class Answer(pandas.DataFrame):
    """A query's answer. Whatever is made from it is a plain DataFrame."""

    _truncated: bool
    _live: Live | None

    def __init__(self, frame: Any, *, truncated: bool = False, live: Live | None = None) -> None:
        pandas.DataFrame.__init__(self, frame)  # type: ignore[call-arg]
        # Past pandas, which would look for columns of these names.
        object.__setattr__(self, "_truncated", truncated)
        object.__setattr__(self, "_live", live)

    @property
    def _constructor(self) -> Any:
        return pandas.DataFrame

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        twin = static(self, truncated=self._truncated)
        return twin if self._live is None or not len(self) else self._live(self, twin)

    def __repr__(self) -> str:
        return str(static(self, truncated=self._truncated)["text/plain"])


def static(frame: pandas.DataFrame, *, truncated: bool = False) -> display.Bundle:
    """The first page of an answer, and how many rows there are, as plain HTML and as text."""
    columns = [str(column) for column in frame.columns]
    bundle = display.table(columns, page(frame, 0, PAGE))
    count = len(frame)
    if count > PAGE or truncated:
        more = f"the first {count:,} rows were taken; --limit N takes more" if truncated else f"{count:,} rows"
        about = f"the first {min(PAGE, count)} of {more}"
        bundle["text/html"] = bundle["text/html"].removesuffix("</div>") + f'<div class="jbts-soft">{about}</div></div>'
        bundle["text/plain"] += f"\n{about}"
    return bundle


def page(frame: pandas.DataFrame, start: int, count: int) -> list[list[Any]]:
    """Some rows as plain values. Pandas has no days, only moments: where all are midnight they are days again."""
    part = frame.iloc[start : start + count]
    columns = [
        [moment if moment is pandas.NaT else moment.date() for moment in part.iloc[:, place]]
        if midnights(part.iloc[:, place])
        else part.iloc[:, place]
        for place in range(len(part.columns))
    ]
    return [[_plain(value) for value in row] for row in zip(*columns, strict=True)]


def midnights(values: pandas.Series[Any]) -> bool:
    """Whether a column holds days: moments that all are midnight."""
    return bool(values.dtype.kind == "M" and (values.dropna() == values.dropna().dt.normalize()).all())


def _plain(value: Any) -> Any:
    """A value of a data frame as Python has it; what stands for nothing is None."""
    if isinstance(value, (str, bool, int)):
        return value
    if value is None or value is pandas.NaT or value is pandas.NA:
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if isinstance(value, float) and value != value else value


def ordered(frame: pandas.DataFrame, column: str, descending: bool) -> pandas.DataFrame:
    """The rows sorted by a column, empty ones last; texts and mixed values by how they are written."""
    try:
        return frame.sort_values(column, ascending=not descending, kind="stable", na_position="last")
    except TypeError:
        return frame.sort_values(column, ascending=not descending, kind="stable", na_position="last", key=_as_text)


def holding(frame: pandas.DataFrame, wanted: str, places: Sequence[int]) -> pandas.DataFrame:
    """The rows in which one of these columns, as it is written, holds a text, whatever its case."""
    found = pandas.Series(False, index=frame.index)
    for place in places:
        found |= frame.iloc[:, place].astype(str).str.contains(wanted.strip(), case=False, regex=False)
    return frame[found]


def _as_text(values: pandas.Series[Any]) -> pandas.Series[Any]:
    return values.map(str)


def sortable(columns: Sequence[Any]) -> bool:
    """Whether columns can be told apart by name; two of one name cannot."""
    return len(set(columns)) == len(columns)
