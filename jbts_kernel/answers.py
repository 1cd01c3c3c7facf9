"""What commands answer: lines and tables under the cell, and questions to the results."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from . import display
from .errors import UsageProblem

HIDDEN = ("run_id", "execution_id", "history_id", "step_id", "step_type")
"""Columns that serve joins, not eyes; ``%query`` shows them."""
PICTURES = 12
"""Rows of ``%results failures`` that show their picture; it stays in the notebook."""
TWIN_ROWS, LIVE_ROWS = 50, 1000
"""Rows of the usual questions: in a plain table, and in a view."""
PLAIN_ROWS = 200
"""Rows of an answer where there is no pandas to hold more."""

if TYPE_CHECKING:
    from .browser.launch import LaunchSpec
    from .browser.pool import BrowserPool
    from .config import JBTS
    from .log import Log
    from .recorder import Recorder
    from .store.queries import Results


Live = Callable[[dict[str, Any]], dict[str, Any]]
"""Shows a view, given its plain twin; what to show as the twin."""

_NONE = {"usage": "no AI call was made yet", "failures": "nothing failed", "flaky": "no test is flaky"}


_SQL_PART = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \$\$.*?\$\$ | \$\{[^{}]*\}""", re.DOTALL | re.VERBOSE
)
"""What a ``${name}`` may stand in, or be: a text, a name, a comment, itself."""


def _bindable(value: Any) -> Any:
    """A value as DuckDB takes it; what it does not know is a text."""
    if hasattr(value, "item") and not isinstance(value, str):  # a number of numpy's
        value = value.item()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_bindable(one) for one in value]
    known = (str, bool, int, float, bytes, Decimal, datetime, date, time, timedelta, UUID)
    return value if value is None or isinstance(value, known) else str(value)


class Shown:
    """A table that shows itself in a cell and can be read: ``columns`` and ``rows``. ``live`` shows a view of it
    before it, where a person looks on."""

    def __init__(
        self, bundle: Mapping[str, Any], columns: tuple[str, ...], rows: list[tuple[Any, ...]], live: Live | None = None
    ) -> None:
        self._bundle = bundle
        self._live = live
        self.columns = columns
        self.rows = rows

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = dict(self._bundle)
        return bundle if self._live is None else self._live(bundle)

    def __repr__(self) -> str:
        return str(self._bundle["text/plain"])

    def __len__(self) -> int:
        return len(self.rows)


class Answers:
    """The part of a workbench that speaks. ``emit_bundle`` shows a mimebundle, ``next_cell`` offers a text in a
    new cell; nothing is shown or offered without."""

    home: Path
    environ: Mapping[str, str]
    settings: JBTS
    log: Log
    recorder: Recorder
    emit_bundle: Callable[[Mapping[str, Any]], None] | None
    next_cell: Callable[[str], None] | None = None
    unpublished: str
    _pool: BrowserPool | None

    if TYPE_CHECKING:

        @property
        def results(self) -> Results: ...

        @property
        def pool(self) -> BrowserPool: ...

        @property
        def spec(self) -> LaunchSpec: ...

        def interpolate(self, text: str) -> str: ...

        def value_of(self, expression: str) -> Any: ...

    def emit(self, bundle: Mapping[str, Any]) -> None:
        """Show a mimebundle under the cell."""
        if self.emit_bundle is not None:
            self.emit_bundle(bundle)

    def offer(self, text: str) -> None:
        """Put a text into a new cell below, where a front end can; it is for a person to read and run."""
        if self.next_cell is not None:
            self.next_cell(text)

    def tell(self, message: str, *, detail: str = "", tone: str = "passed") -> None:
        """Show one line."""
        self.emit(display.note(message, detail=detail, tone=tone))

    def tabulate(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "nothing") -> Shown:
        """A table as a value that shows itself."""
        bundle = display.table(columns, rows, empty=empty)
        return Shown(bundle, tuple(columns), [tuple(row) for row in rows])

    def answer(
        self,
        table: Any,
        *,
        empty: str = "no rows",
        without: Sequence[str] = (),
        instead: Mapping[Any, Any] | None = None,
    ) -> Shown:
        """A query's answer as a value that shows itself, but for the columns ``without``, and with what is to be seen
        ``instead`` of a screenshot's hash."""
        places = [i for i, column in enumerate(table.columns) if column not in without]
        columns = [table.columns[i] for i in places]
        rows = [[row[i] for i in places] for row in table.rows]
        if instead:
            place = columns.index("screenshot")
            rows = [[*row[:place], instead.get(row[place]), *row[place + 1 :]] for row in rows]
        bundle = display.table(columns, rows, empty=empty, truncated=table.truncated)
        return Shown(bundle, tuple(table.columns), list(table.rows))

    def ask(
        self, sql: str, limit: int | None = None, *, chart: Sequence[str] | None = None, arrow: bool = False
    ) -> Any:
        """Ask the results in SQL: a data frame that shows itself, or with ``arrow`` an Arrow table; without pandas
        a :class:`Shown` of the first rows. ``${name}`` becomes a bound parameter, never SQL text, and so does a quoted
        text that holds one. ``chart`` draws the answer too: its kind and two columns."""
        if limit is not None and limit < 1:
            raise UsageProblem(f"--limit takes a number from 1 on, not {limit}")
        statement, parameters = self._bound(sql)
        if arrow:
            table = self.results.arrow(statement, parameters)
            return table.slice(0, limit) if limit else table
        if importlib.util.find_spec("pandas") is None:
            if chart is not None:
                raise UsageProblem("a chart needs pandas and altair: pip install 'jbts-kernel[analyst]'")
            return self.answer(self.results.rows(statement, parameters, limit=limit or PLAIN_ROWS))
        from .frames import MOST, Answer

        most = limit or MOST
        found = self.results.df(statement, parameters, limit=most + 1)
        answer = Answer(found.iloc[:most], truncated=len(found) > most, live=self._rows if self.attended else None)
        if chart is not None:
            from .charts import chart as draw

            self.emit(draw(chart[0], answer, chart[1], chart[2]))
        return answer

    def _bound(self, sql: str) -> tuple[str, list[Any] | None]:
        """A question with ``?`` for each value of the notebook's, and these values."""
        bound: list[Any] = []

        def bind(match: re.Match[str]) -> str:
            found = match.group()
            if found.startswith("${"):
                bound.append(_bindable(self.value_of(found[2:-1].strip())))
            elif found.startswith("'") and "${" in found:
                bound.append(self.interpolate(found[1:-1].replace("''", "'")))
            else:
                return found
            return "?"

        return _SQL_PART.sub(bind, sql), bound or None

    def _rows(self, frame: Any, twin: display.Bundle, hidden: Sequence[str] = ()) -> display.Bundle:
        """Show rows as a view; their twin."""
        from .rowviews import rows_view
        from .view import with_twin

        return with_twin(rows_view(frame, self.results, hidden), twin, self.emit)

    @property
    def attended(self) -> bool:
        """Whether a person's front end is there to show a widget in."""
        from .origin import interactive

        return self.emit_bundle is not None and interactive(self.environ) and "JPY_SESSION_NAME" in self.environ

    def show_results(self, view: str) -> Shown:
        """One of the usual questions: its chart under the cell, its table as a value; for a person a table that
        sorts, filters and opens."""
        from . import charts

        live = self.attended and importlib.util.find_spec("pandas") is not None
        table = getattr(self.results, view)(LIVE_ROWS) if live else getattr(self.results, view)()
        if table.rows and charts.available():
            from .result_charts import result_chart

            if drawn := result_chart(view, self.results):
                self.emit(drawn)
        elif table.rows:
            self.tell("charts need altair, pandas and vl-convert", detail="pip install 'jbts-kernel[analyst]'")
        empty = _NONE.get(view, "no results yet; run a step")
        pictures = self._pictures(table) if "screenshot" in table.columns else {}
        without = HIDDEN if pictures else (*HIDDEN, "screenshot")
        listed = replace(table, rows=table.rows[:TWIN_ROWS])
        found = self.answer(listed, empty=empty, without=without, instead=pictures)
        if not (live and table.rows):
            return found
        import pandas

        frame = pandas.DataFrame(list(table.rows), columns=list(table.columns), dtype=object)
        return Shown(
            found._repr_mimebundle_(), table.columns, list(table.rows), lambda twin: self._rows(frame, twin, HIDDEN)
        )

    def _pictures(self, table: Any) -> dict[Any, display.Thumbnail | None]:
        """Small pictures of the first rows by what stands for them, the hash of the content; None for the others."""
        from .browser import capture

        place = table.columns.index("screenshot")
        found: dict[Any, display.Thumbnail | None] = {}
        for digest in dict.fromkeys(row[place] for row in table.rows if row[place]):
            path = capture.stored(self.home, str(digest), "image/png")
            found[digest] = _thumbnail(path) if path is not None and len(found) < PICTURES else None
        return found if any(found.values()) else {}

    def health(self) -> list[tuple[str, str, str]]:
        """Part, state and detail of everything this workbench runs; a browser opens a page for it."""
        well = self.pool.health(self.spec)
        execution = self.recorder.execution
        results = self.home / "results.duckdb"
        lost = self.log.dropped
        rows = [
            ("browser", well["status"], "; ".join(filter(None, (_browser_detail(well), *self._shortcomings())))),
            ("test", self.recorder.status if execution else "none", execution.test_name if execution else ""),
            ("log", f"{lost} events lost" if lost else "ok", self.log.last_error or str(self.home)),
            ("store", "published" if results.exists() else "empty", self.unpublished or str(results)),
        ]
        if self.settings.broadcaster == "off":
            return [*rows, ("hub", "off", "JBTS.broadcaster is off")]
        from .broadcast.discovery import find

        hub = find(self.home)
        state = "running" if hub else "not running"
        return [*rows, ("hub", state, f"port {hub.port}, pid {hub.pid}" if hub else "%events start")]

    def _shortcomings(self) -> list[str]:
        """What the browsers that run do not tell, and what could not be written down of them."""
        return [*dict.fromkeys(browser.untold for browser in self.pool.browsers), self.pool.unkept]


def _thumbnail(path: Path) -> display.Thumbnail | None:
    """A stored picture made small; None where it is gone or is none."""
    from .browser import capture

    try:
        return display.Thumbnail(capture.thumbnail(path.read_bytes(), 160, 6_000))
    except OSError:
        return None


def _browser_detail(well: Mapping[str, Any]) -> str:
    """One line of what :meth:`BrowserPool.health` found."""
    navigation = well["navigation"]
    opened = f"a page opened in {navigation['ms']:.0f} ms" if navigation["ok"] else str(navigation["error"])
    grid = f", grid {well['grid_url']}" if well["grid_url"] else ""
    return f"{opened}; {well['in_use']} of {well['pool_size']} in use, room for {well['max_size']}{grid}"
