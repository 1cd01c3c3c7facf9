"""The one HTML file of a failure: opens offline, runs nothing, loads nothing, reads well on a phone.

Everything in it was said by a page, so everything is escaped, and the file forbids itself scripts and
network besides.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import display
from .browser.capture import thumbnail
from .models import Box, StepResult

if TYPE_CHECKING:
    from .evidence import Gathered

STYLE = Path(__file__).with_name("evidence.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PICTURE_BYTES = 1_500_000
SOURCE_SHOWN = 200_000
OUTLINE_SHOWN = 100_000
ROWS_SHOWN = 100


def page(home: Path, r: StepResult, gathered: Gathered) -> str:
    """The file's text."""
    title = f"{r.step.verb}: {r.error_type or r.status}"
    parts = [
        _head(r),
        _why(r),
        _compared(home, r),
        _screenshot(home, r),
        _facts(r),
        _tried(r),
        _console(r, gathered),
        _network(r, gathered),
    ]
    parts += [_text("Accessibility tree", gathered.outline, OUTLINE_SHOWN, "accessibility.txt")]
    parts += [_text("Page source", gathered.source, SOURCE_SHOWN, "page.html")]
    parts += [f'<p class="soft">{_e(line)}</p>' for line in gathered.missing]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_e(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{STYLE}</style><main>{"".join(parts)}</main></html>\n'
    )


def _e(text: object, limit: int = 4000) -> str:
    shown = str(text)
    return html.escape(shown if len(shown) <= limit else shown[: limit - 1] + "\u2026")


def _head(r: StepResult) -> str:
    name = f"<p>{_e(r.step.options.name, 200)}</p>" if r.step.options.name else ""
    return f"<header>{display.mark(r.status)}<h1><code>{_e(r.source, 600)}</code></h1></header>{name}"


def _why(r: StepResult) -> str:
    hints = "".join(f"<li>{_hint(h)}</li>" for h in r.hints[:12])
    listed = f"<ul>{hints}</ul>" if hints else ""
    return f'<section class="why"><b>{_e(r.error_type)}</b> {_e(r.error_message)}{listed}</section>'


def _hint(hint: str) -> str:
    locator, gap, meaning = hint.partition("   ")
    return f"<code>{_e(locator, 300)}</code> <span class=soft>{_e(meaning, 300)}</span>" if gap else _e(hint, 600)


def _picture(home: Path, r: StepResult, role: str) -> str:
    """A stored picture of this step as a data address; a smaller copy of one that is too large. Empty where
    there is none."""
    found = next((a for a in r.artifacts if a.role == role and a.mime == "image/png"), None)
    if found is None:
        return ""
    data, mime = (home / found.path).read_bytes(), "image/png"
    if len(data) > PICTURE_BYTES:
        data, mime = thumbnail(data, 1280, PICTURE_BYTES), "image/webp"
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _compared(home: Path, r: StepResult) -> str:
    pictures = [(role, _picture(home, r, role)) for role in ("expected", "actual", "diff")]
    figures = "".join(
        f'<figure><img alt="{role}" src="{source}"><figcaption>{role}</figcaption></figure>'
        for role, source in pictures
        if source
    )
    shown = f'<div class="figures">{figures}</div>' if figures else ""
    return shown + display.difference(r.difference, 400)


def _screenshot(home: Path, r: StepResult) -> str:
    source = _picture(home, r, "failure")
    if not source:
        return ""
    return f'<div class="shot"><img alt="the page at the failure" src="{source}">{_outline(r.box, r.viewport)}</div>'


def _outline(box: Box | None, viewport: tuple[int, int] | None) -> str:
    if box is None or not viewport or not all(viewport):
        return ""
    left, top = 100 * box.x / viewport[0], 100 * box.y / viewport[1]
    width, height = 100 * box.width / viewport[0], 100 * box.height / viewport[1]
    return f'<span style="left:{left:.2f}%;top:{top:.2f}%;width:{width:.2f}%;height:{height:.2f}%"></span>'


def _facts(r: StepResult) -> str:
    began = datetime.fromtimestamp(r.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [
        ("page", r.title), ("address", r.url), ("HTTP status", r.http_status), ("began", began),
        ("took", f"{display.duration(r.duration_ms)} ({display.spent(r)})"),
        ("tried", f"{r.retries + 1} times" if r.retries else ""),
        ("viewport", f"{r.viewport[0]}x{r.viewport[1]}" if r.viewport else ""),
        ("note", r.note), ("step", f"{r.ordinal} of execution {r.execution_id}"), ("step id", r.step_id),
    ]  # fmt: skip
    rows = "".join(f"<dt>{name}</dt><dd>{_e(value)}</dd>" for name, value in facts if value not in (None, ""))
    return f"<dl>{rows}</dl>"


def _tried(r: StepResult) -> str:
    if not r.tried:
        return ""
    return f"<h2>What was tried</h2><pre>{_e(chr(10).join(r.tried), 20_000)}</pre>"


def _tone(r: StepResult, at: float, bad: bool) -> str:
    """How a row is shown: what went wrong stands out, what was before the step steps back."""
    return "bad" if bad else "before" if at and at < r.started_at else ""


def _console(r: StepResult, gathered: Gathered) -> str:
    rows = [
        (_tone(r, m.ts, m.level in ("error", "warning")), (_clock(m.ts), m.level, m.text, m.url))
        for m in gathered.console
    ]
    return _table("Console", ("time", "level", "text", "from"), rows)


def _network(r: StepResult, gathered: Gathered) -> str:
    rows = [
        (
            _tone(r, q.ts, q.failed),
            (
                _clock(q.ts), "none" if q.status is None else q.status, f"{q.method} {q.url}",
                "" if q.duration_ms is None else display.duration(q.duration_ms), q.text,
            ),
        )
        for q in gathered.requests
    ]  # fmt: skip
    return _table("Requests", ("time", "status", "request", "took", ""), rows)


def _clock(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%H:%M:%S.%f")[:-3] if ts else ""


def _table(title: str, columns: Iterable[str], rows: Sequence[tuple[str, tuple[object, ...]]]) -> str:
    if not rows:
        return f'<h2>{title}</h2><p class="soft">nothing since the test began</p>'
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(
        f'<tr class="{tone}">' + "".join(f"<td>{_e(value, 500)}</td>" for value in row) + "</tr>"
        for tone, row in rows[-ROWS_SHOWN:]
    )
    more = f'<p class="soft">{len(rows) - ROWS_SHOWN} before these, in the folder</p>' if len(rows) > ROWS_SHOWN else ""
    since = ' <span class="soft">since the test began; before this step in grey</span>'
    return f'<h2>{title}{since}</h2>{more}<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _text(title: str, text: str, limit: int, file: str) -> str:
    if not text:
        return ""
    cut = f'<p class="soft">cut here; the whole is in {file}</p>' if len(text) > limit else ""
    return f"<details><summary>{title}</summary><pre>{html.escape(text[:limit])}</pre>{cut}</details>"
