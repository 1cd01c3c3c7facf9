"""Charts of answers: a picture that needs no script, so it is the same in JupyterLab, in an executed notebook, in
a report and in a mail.

Altair describes the chart and vl-convert draws it, without a browser and without the network. Ground is left
transparent and colours are of middle brightness, so that a picture made once reads in a light and in a dark
theme; where a page says that it is dark, its style sheet makes the whole picture brighter (``--jbts-lift``).
"""

from __future__ import annotations

import base64
import importlib.util
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .display import STYLE, Bundle, text
from .errors import UsageProblem
from .grammar import clip, nearest

if TYPE_CHECKING:
    import pandas

KINDS = ("bar", "line", "heat")
MOST = 5_000
"""Rows that are drawn; more is a question for SQL (group by), not for a picture."""

INK, GRID = "#6f7681", "#7f889440"
"""Words are 4.6 to 1 on white, and brightened as card.css does 6.1 to 1 on JupyterLab's dark ground. No one grey is
4.5 to 1 on both."""
STATUS_COLOURS = {
    "passed": "#2e9d62", "failed": "#d9483b", "error": "#d9483b", "aborted": "#8d73c9", "skipped": "#b08d2f",
    "running": "#5b86c4", "flaky": "#d98a2b", "high": "#d9483b", "medium": "#d98a2b", "low": "#b08d2f",
}  # fmt: skip
SERIES = ("#4c8fd6", "#e08a3c", "#2e9d62", "#b065c0", "#c9a227", "#d9483b", "#4fb0ae", "#8d8d8d")
_MANY, _LABEL = 25, 34


def available() -> bool:
    """Whether charts can be drawn here."""
    return all(importlib.util.find_spec(name) for name in ("altair", "pandas", "vl_convert"))


def chart(kind: str, frame: pandas.DataFrame, x: str, y: str, *, title: str = "") -> Bundle:
    """A chart of two columns of an answer, as a mimebundle with HTML, PNG and text.

    ``bar`` draws ``y`` for each ``x``, ``line`` too, joined, and ``heat`` a field for each pair, coloured by the
    first further column that is a number (how many rows there are, without one). A further column of words gives
    bars and lines their colours.

    Raises:
        UsageProblem: a column that is not there, or nothing to draw with.
    """
    if not available():
        raise UsageProblem("a chart needs altair, pandas and vl-convert: pip install 'jbts-kernel[analyst]'")
    if kind not in KINDS:
        raise UsageProblem(f"there is no chart {clip(kind)!r}; use {', '.join(KINDS)}", word=kind)
    for column in (x, y):
        if column not in frame.columns:
            near = nearest(column, list(frame.columns))
            there = f"did you mean {near}?" if near else "it has " + ", ".join(map(str, frame.columns))
            raise UsageProblem(f"the answer has no column {clip(column)!r} for the chart; {there}", word=column)
    shown = _drawable(frame.head(MOST))
    note = f"the first {MOST:,} of {len(frame):,} rows; group them in SQL to see all" if len(frame) > MOST else ""
    others = [c for c in shown.columns if c not in (x, y)]
    if kind == "heat":
        drawn = _heat(shown, x, y, next((c for c in others if _type(shown, c) == "quantitative"), None))
    else:
        words = [c for c in others if _type(shown, c) == "nominal" and shown[c].nunique() <= len(SERIES)]
        drawn = _marks(kind, shown, x, y, words[0] if words else None)
    return picture(drawn, f"{kind} chart of {y} by {x}, {len(shown):,} rows", title=title, note=note)


def bars(frame: pandas.DataFrame, label: str, value: str, *, title: str, colour: str | None = None) -> Bundle:
    """Horizontal bars, one a row in the order of the rows: names are read without turning the head."""
    import altair

    shown = _drawable(frame.head(_MANY))
    shown[label] = [clip(str(name), _LABEL) for name in shown[label]]
    order = list(dict.fromkeys(shown[label]))
    drawn = (
        altair.Chart(shown)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=altair.Y(f"{_safe(label)}:N", sort=order, title=None),
            x=altair.X(f"{_safe(value)}:Q", title=value),
            color=_colour(shown, colour),
        )
        .properties(width=320, height=altair.Step(18))
    )
    return picture(drawn, f"{title}: {len(shown)} bars of {value}", title=title)


def picture(drawn: Any, alt: str, *, title: str = "", note: str = "") -> Bundle:
    """A chart as a mimebundle: PNG at twice the size, HTML that shows it at its own, and a sentence."""
    styled = (
        drawn.configure(background="transparent", font="system-ui, sans-serif", padding=6)
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor=GRID, domainColor=INK, tickColor=INK,
            labelLimit=200, labelFontSize=12, titleFontSize=12,
        )
        .configure_legend(labelColor=INK, titleColor=INK, orient="top", labelFontSize=12, titleFontSize=12)
        .configure_view(strokeWidth=0)
    )  # fmt: skip
    width, drawn_png = _png(styled)
    png = base64.b64encode(drawn_png).decode("ascii")
    head = f'<div class="jbts-verb">{text(title)}</div>' if title else ""
    foot = f'<div class="jbts-soft">{text(note)}</div>' if note else ""
    shape = f"width:{width}px;max-width:100%;height:auto"
    image = f'<img class="jbts-chart" alt="{text(alt)}" style="{shape}" src="data:image/png;base64,{png}">'
    return {
        "text/html": f'{STYLE}<div class="jbts">{head}{image}{foot}</div>',
        "image/png": png,
        "text/plain": f"{title + ': ' if title else ''}{alt}",
    }


def _png(styled: Any) -> tuple[int, bytes]:
    """The width a chart has at its own size, and its picture at twice that, in few colours: a third of the bytes."""
    from PIL import Image

    file, small = io.BytesIO(), io.BytesIO()
    styled.save(file, format="png", scale_factor=2)
    with Image.open(file) as image:
        image.convert("RGBA").quantize(128, method=Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
        return image.width // 2, small.getvalue()


def _marks(kind: str, shown: pandas.DataFrame, x: str, y: str, group: str | None) -> Any:
    import altair

    from .frames import midnights

    horizontal = kind == "bar" and _type(shown, x) == "nominal"
    if horizontal:
        return (
            altair.Chart(shown)
            .mark_bar(cornerRadiusEnd=2)
            .encode(
                y=altair.Y(f"{_safe(x)}:N", sort=list(dict.fromkeys(shown[x]))[:_MANY], title=x),
                x=altair.X(f"{_safe(y)}:{_type(shown, y)[0].upper()}", title=y),
                color=_colour(shown, group),
            )
            .transform_filter(altair.FieldOneOfPredicate(field=_safe(x), oneOf=list(dict.fromkeys(shown[x]))[:_MANY]))
            .properties(width=320, height=altair.Step(18))
        )
    base = altair.Chart(shown)
    # Days get the width of a day; of a moment a bar would be a hair.
    along = (
        f"yearmonthdate({_safe(x)}):T"
        if kind == "bar" and midnights(shown[x])
        else f"{_safe(x)}:{_type(shown, x)[0].upper()}"
    )
    made = base.mark_bar() if kind == "bar" else base.mark_line(point={"size": 30}, strokeWidth=2)
    return made.encode(
        x=altair.X(along, title=x),
        y=altair.Y(f"{_safe(y)}:{_type(shown, y)[0].upper()}", title=y),
        color=_colour(shown, group),
    ).properties(width=400, height=220)


def _heat(shown: pandas.DataFrame, x: str, y: str, value: str | None) -> Any:
    import altair

    shown = shown.copy()
    shown[x] = [str(value).removesuffix(" 00:00:00") for value in shown[x]]
    shown[y] = [clip(str(name), _LABEL) for name in shown[y]]
    counted = f"mean({_safe(value)}):Q" if value else "count():Q"
    return (
        altair.Chart(shown)
        .mark_rect(cornerRadius=2)
        .encode(
            x=altair.X(f"{_safe(x)}:N", title=x, axis=altair.Axis(labelAngle=-45)),
            y=altair.Y(f"{_safe(y)}:N", title=None, sort=list(dict.fromkeys(shown[y]))),
            color=altair.Color(
                counted, title=value or "rows", scale=altair.Scale(range=["#d9483b", "#d9b23b", "#2e9d62"])
            ),
        )
        .properties(width=altair.Step(22), height=altair.Step(18))
    )


def _colour(shown: pandas.DataFrame, group: str | None) -> Any:
    import altair

    if group is None:
        return altair.value(SERIES[0])
    found: Sequence[str] = [str(value) for value in dict.fromkeys(shown[group])]
    if set(found) <= set(STATUS_COLOURS):
        scale = altair.Scale(domain=list(found), range=[STATUS_COLOURS[name] for name in found])
    else:
        scale = altair.Scale(range=list(SERIES))
    return altair.Color(f"{_safe(group)}:N", title=group, scale=scale)


def _type(frame: pandas.DataFrame, column: str) -> str:
    """How a column is drawn: quantitative, temporal or nominal."""
    kind = frame[column].dtype.kind
    return "quantitative" if kind in "iuf" else "temporal" if kind == "M" else "nominal"


def _drawable(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The answer with values a chart can hold: dates as moments, decimals as numbers, everything else as text."""
    import datetime
    import decimal

    import pandas

    made = {}
    for column in frame.columns:
        values = frame[column]
        first = next((value for value in values if value is not None), None)
        if values.dtype.kind in "iufbM":
            made[column] = values
        elif isinstance(first, (datetime.date, datetime.datetime)):
            made[column] = pandas.to_datetime(values, errors="coerce")
        elif isinstance(first, decimal.Decimal):
            made[column] = values.astype(float)
        else:
            made[column] = pandas.Series([None if v is None else clip(str(v), 120) for v in values], dtype=object)
    return pandas.DataFrame(made)


def _safe(column: str) -> str:
    """A column's name as Altair's shorthand and Vega's paths take it."""
    return "".join(f"\\{c}" if c in ".[]:'\"\\" else c for c in column)
