"""The live form of an answer: pages, an order and a filter that the kernel makes, one page at a time.

A row that belongs to a step, an execution or a test opens: what happened there, with its pictures.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import display
from .frames import PAGE, holding, ordered, page, sortable
from .view import View, bar, button, number

if TYPE_CHECKING:
    import pandas

Details = Callable[[Mapping[str, Any]], str]
"""What a row opens to, as HTML; nothing for one that does not open."""


class Pager(View):
    """One table. ``hidden`` columns are not shown, and serve ``details``; ``picture`` makes the HTML of a value of
    the column ``screenshot``."""

    def __init__(
        self,
        frame: pandas.DataFrame,
        *,
        size: int = PAGE,
        hidden: Sequence[str] = (),
        details: Details | None = None,
        picture: Callable[[Any], str] | None = None,
    ) -> None:
        super().__init__()
        self._whole = self._held = self._shown = frame
        self._size = size
        self._details, self._picture = details, picture
        self._places = [i for i, name in enumerate(frame.columns) if str(name) not in hidden]
        self._page, self._sort, self._descending = 0, -1, False
        self._wanted, self._open = "", -1

    # ---- what is asked ------------------------------------------------------------------------------
    def do_sort(self, said: Mapping[str, Any]) -> None:
        """A press on a column: ascending, then descending, then as it came."""
        column = number(said, "column", len(self._whole.columns) - 1)
        if self._sort != column:
            self._sort, self._descending = column, False
        elif not self._descending:
            self._descending = True
        else:
            self._sort, self._descending = -1, False
        self._order()

    def do_filter(self, said: Mapping[str, Any]) -> None:
        """Rows that hold a text somewhere."""
        self._wanted = str(said.get("value", ""))[:200]
        self._held = holding(self._whole, self._wanted, self._places) if self._wanted.strip() else self._whole
        self._order()

    def do_turn(self, said: Mapping[str, Any]) -> None:
        """Another page."""
        self._page, self._open = number(said, "page", self.last), -1
        self._redraw()

    def do_open(self, said: Mapping[str, Any]) -> None:
        """Open a row, or close it where it is open."""
        row = number(said, "row", max(0, len(self._shown) - 1))
        self._open = -1 if row == self._open else row
        self._redraw()

    def _order(self) -> None:
        columns = list(self._whole.columns)
        sorts = self._sort >= 0 and sortable(columns)
        self._shown = ordered(self._held, columns[self._sort], self._descending) if sorts else self._held
        self._page, self._open = 0, -1
        self._redraw()

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(0, (len(self._shown) - 1) // self._size)

    def rows(self) -> list[list[Any]]:
        """The values of the page that is shown."""
        return page(self._shown, self._page * self._size, self._size)

    # ---- how it looks -------------------------------------------------------------------------------
    def body(self) -> str:
        named = 'data-do="filter" data-key="filter" placeholder="filter" aria-label="filter the rows"'
        field = f'<input type="search" {named} value="{display.text(self._wanted)}">'
        turning = f'<span data-part="turning">{self._turning()}</span>'
        return f'{bar(field, turning)}<div class="jbts-wide" data-part="table">{self._table()}</div>'

    def _redraw(self) -> None:
        self.draw_part("turning", self._turning())
        self.draw_part("table", self._table())

    def _turning(self) -> str:
        count, at, last = len(self._shown), self._page, self.last
        of = f" of {len(self._whole):,}" if count != len(self._whole) else ""
        told = f'<span role="status">{count:,}{of} row{"" if count == 1 and not of else "s"}</span>'
        if last == 0:
            return told
        turns = [
            ("«", "first page", 0),
            ("‹", "page before", at - 1),
            ("›", "next page", at + 1),
            ("»", "last page", last),
        ]
        made = [
            button(sign, "turn", key=about, about=about, page=to, off=to == at or not 0 <= to <= last)
            for sign, about, to in turns
        ]
        return f"{''.join(made[:2])} page {at + 1:,} of {last + 1:,} {''.join(made[2:])} {told}"

    def _table(self) -> str:
        if not len(self._whole):
            return '<div class="jbts-soft">no rows</div>'
        rows = self.rows()
        opens = self._details is not None
        lines = [self._line(self._page * self._size + i, row, opens) for i, row in enumerate(rows)]
        if not rows:
            lines = [f'<tr><td colspan="{len(self._places) + opens}">no row holds that</td></tr>']
        lead = '<td aria-label="open"></td>' if opens else ""
        heads = "".join(self._head(i) for i in self._places)
        return f"<table><thead><tr>{lead}{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def _head(self, i: int) -> str:
        name = str(self._whole.columns[i])
        sort = ("descending" if self._descending else "ascending") if i == self._sort else "none"
        sign = {"none": "", "ascending": "▲", "descending": "▼"}[sort]
        pressed = button(name, "sort", key=f"sort{i}", column=i).replace("</button>", f"<i>{sign}</i></button>")
        numeric = ' class="n"' if self._whole.dtypes.iloc[i].kind in "iuf" else ""
        return f'<th aria-sort="{sort}"{numeric}>{pressed}</th>'

    def _line(self, number: int, row: list[Any], opens: bool) -> str:
        cells = "".join(self._cell(i, row[i]) for i in self._places)
        if not opens:
            return f"<tr>{cells}</tr>"
        is_open = number == self._open
        sign, what = ("▾", "close") if is_open else ("▸", "open")
        lead = button(sign, "open", key=f"row{number}", about=f"{what} row {number + 1}", row=number, expanded=is_open)
        line = f"<tr><td>{lead}</td>{cells}</tr>"
        if is_open and self._details is not None:
            inside = self._details(dict(zip(map(str, self._whole.columns), row, strict=True)))
            inside = inside or '<div class="jbts-soft">nothing more is known of this row</div>'
            line += f'<tr><td></td><td colspan="{len(self._places)}" style="max-width:none">{inside}</td></tr>'
        return line

    def _cell(self, i: int, value: Any) -> str:
        if self._picture is not None and self._whole.columns[i] == "screenshot" and value:
            return f"<td>{self._picture(value) or html.escape(display.shown(value)[:8])}</td>"
        return display.cell(value)
