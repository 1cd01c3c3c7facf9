"""The live form of an answer: pages and an order that the kernel makes, one page at a time.

A live layer only: the cell keeps the first page as plain HTML for when no kernel is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import display
from .assets import asset
from .frames import PAGE, ordered, page, sortable

if TYPE_CHECKING:
    import pandas


class Pager(anywidget.AnyWidget):
    """The state of one table. The front end sets ``page``, ``sort`` and ``descending``; the kernel answers with
    ``rows``, the texts of that page. ``numbers`` are the columns that stand to the right."""

    _esm = asset("table.js")
    _css = asset("table.css")

    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    numbers = traitlets.List(traitlets.Bool()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    size = traitlets.Int(PAGE).tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    sort = traitlets.Int(-1).tag(sync=True)
    descending = traitlets.Bool(False).tag(sync=True)

    def __init__(self, frame: pandas.DataFrame, twin: display.Bundle) -> None:
        self._whole = self._shown = frame
        self._twin = twin
        numbers = [dtype.kind in "iuf" for dtype in frame.dtypes]
        super().__init__(columns=[str(column) for column in frame.columns], numbers=numbers, total=len(frame))
        self._turn()
        self.observe(self._sorted, names=["sort", "descending"])
        self.observe(self._turned, names=["page"])

    def _sorted(self, change: Any) -> None:
        columns = list(self._whole.columns)
        if 0 <= self.sort < len(columns) and sortable(columns):
            self._shown = ordered(self._whole, columns[self.sort], self.descending)
        else:
            self._shown = self._whole
        self.page = 0
        self._turn()

    def _turned(self, change: Any) -> None:
        self._turn()

    def _turn(self) -> None:
        """Show the page asked for; a number that is none is the nearest there is."""
        last = max(0, (self.total - 1) // self.size)
        start = min(max(self.page, 0), last) * self.size
        self.rows = [[display.shown(value) for value in row] for row in page(self._shown, start, self.size)]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = super()._repr_mimebundle_(**kwargs)
        bundle = dict(made[0] if isinstance(made, tuple) else made or {})
        bundle |= self._twin
        return (bundle, made[1]) if isinstance(made, tuple) else bundle
