"""Everything a person sees in a cell, as one mimebundle each: HTML for the notebook, text for the
terminal, JSON for reports. All escaping of what pages say happens here.

HTML stands alone: no script, no link to anywhere, colours from JupyterLab's variables with values of
its own for every other place. Pictures are small copies; the full ones are on disk.
"""

from __future__ import annotations

import base64
import html
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .grammar import clip
from .models import StepResult

STEP_MIME = "application/vnd.jbts.step+json"
Bundle = dict[str, Any]
NAMED = re.compile(r'src="jbts:([0-9a-f]{64})"')
"""A picture that whoever runs the notebook puts in, named by its hash. No page can write one: quotes are escaped."""
PLAIN_WIDTH = 80
"""Columns of a terminal."""

MARKS: Mapping[str, str] = {
    "passed": "\u2713",
    "failed": "\u2717",
    "error": "!",
    "skipped": "\u2013",
    "aborted": "\u25a0",
    "running": "\u2026",
}
_TONES: Mapping[str, str] = {
    "passed": "#1a7f4b", "failed": "#c9372c", "error": "#c9372c", "skipped": "#8a6d1d",
    "aborted": "#6e56a8", "running": "#4a6fa5",
}  # fmt: skip


def style(name: str) -> str:
    """A style sheet as it goes into an output, without its comments and its white space."""
    css = Path(__file__).with_name(name).read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s*([{};,])\s*", r"\1", " ".join(css.split()))
    return f"<style>{css}</style>"


STYLE = style("card.css")


def text(value: object, limit: int = 300) -> str:
    """A value as HTML text: on one line, bounded, escaped."""
    return html.escape(clip(str(value), limit))


def duration(ms: float) -> str:
    """Milliseconds as a person reads them."""
    return (
        f"{ms:.0f} ms"
        if ms < 1000
        else f"{ms / 1000:.1f} s"
        if ms < 60_000
        else f"{ms // 60_000:.0f} min {ms % 60_000 / 1000:.0f} s"
    )


def spent(r: StepResult) -> str:
    """Where a step's time went."""
    acted = max(0.0, r.duration_ms - r.browser_ms - r.wait_ms - r.picture_ms)
    parts = [
        (r.browser_ms, "starting the browser"),
        (r.wait_ms, "waiting"),
        (acted, "acting"),
        (r.picture_ms, "looking"),
    ]
    return " \u00b7 ".join(f"{duration(ms)} {what}" for ms, what in parts if ms >= 1)


def mark(status: str) -> str:
    """The round sign of a status."""
    tone = _TONES.get(status, "#6b7280")
    sign = MARKS.get(status, "?")
    return f'<span class="jbts-mark" style="background:{tone}" title="{html.escape(status)}">{sign}</span>'


def card(r: StepResult, *, inside: str | None = None, named: bool = False) -> Bundle:
    """One step: what it did, how it went, what the page looked like, and on failure why and what next.
    ``inside`` is HTML to show in the picture's place; with ``named`` a picture that is not here is named."""
    failed = r.status in ("failed", "error", "aborted") or (r.status == "skipped" and r.error_message)
    parts = [STYLE, '<div class="jbts">', _head(r)]
    if failed and r.error_message:
        parts.append(_why(r))
    about = " \u00b7 ".join(x for x in (spent(r), f"tried {r.retries + 1} times" if r.retries else "") if x)
    shown_url = not r.url.startswith(("data:", "about:", "chrome-error:")) and r.url
    where = f"{text(r.title, 80)} <code>{text(r.url, 120)}</code>" if shown_url else ""
    parts.append(f'<div class="jbts-soft">{where}{" &middot; " if where and about else ""}{about}</div>')
    if r.note:
        parts.append(f'<div class="jbts-soft">{text(r.note)}</div>')
    parts.append(_compared(r))
    if inside is not None:
        parts.append(inside)
    elif r.thumbnail:
        parts.append(_shot(inline(r.thumbnail), r))
    elif named and r.screenshot is not None:
        parts.append(_shot(f"jbts:{r.screenshot.artifact}", r))
    parts.append(_signals(r))
    parts.append(_evidence(r))
    parts.append("</div>")
    return {"text/html": "".join(parts), "text/plain": card_text(r), STEP_MIME: step_json(r)}


def _title(r: StepResult) -> str:
    rest = r.source.removeprefix(r.step.verb).strip()
    words = [f'<span class="jbts-verb">{text(r.step.verb)}</span>', f"<code>{text(rest, 200)}</code>"]
    if "${" in rest:
        words.append(f'<span class="jbts-soft">{text(r.input or r.expected or r.locator, 160)}</span>')
    if r.step.options.name:
        words.insert(0, f"<em>{text(r.step.options.name, 80)}</em>")
    return " ".join(words)


def _head(r: StepResult) -> str:
    status = "" if r.status == "passed" else f" {r.status}"
    http = f" &middot; HTTP {r.http_status}" if r.http_status else ""
    return (
        f'<div class="jbts-head">{mark(r.status)}<span>{_title(r)}</span>'
        f'<span class="jbts-time jbts-soft">{html.escape(status)} {duration(r.duration_ms)}{http}</span></div>'
    )


def _why(r: StepResult) -> str:
    hints = "".join(f"<li>{_hint(h)}</li>" for h in r.hints[:8])
    listed = f"<ul>{hints}</ul>" if hints else ""
    return f'<div class="jbts-why"><b>{text(r.error_type)}</b> {text(r.error_message, 1200)}{listed}</div>'


def _hint(hint: str) -> str:
    """A locator and what it means, or a sentence."""
    locator, gap, meaning = hint.partition("   ")
    return (
        f'<code>{text(locator, 160)}</code> <span class="jbts-soft">{text(meaning, 160)}</span>'
        if gap
        else text(hint, 300)
    )


def inline(picture: bytes) -> str:
    """A small picture as an address that holds it."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode('ascii')}"


def _shot(address: str, r: StepResult) -> str:
    outline, box, viewport = "", r.box, r.viewport
    if box and viewport and viewport[0] > 0 and viewport[1] > 0:
        left, top = 100 * box.x / viewport[0], 100 * box.y / viewport[1]
        width, height = 100 * box.width / viewport[0], 100 * box.height / viewport[1]
        if left < 100 and top < 100 and left + width > 0 and top + height > 0:
            place = f"left:{left:.2f}%;top:{top:.2f}%;width:{width:.2f}%;height:{height:.2f}%"
            outline = f'<span class="jbts-box" style="{place}"></span>'
    image = f'<img width="480" alt="{text(f"the page after {r.source}", 120)}" src="{address}">'
    return f'<div class="jbts-shot">{image}{outline}</div>'


def _compared(r: StepResult) -> str:
    """What a snapshot has to show: pictures side by side, or the lines that differ."""
    figures = "".join(
        f'<figure><img alt="{text(name, 40)}" src="{inline(data)}"><figcaption>{text(name, 40)}</figcaption></figure>'
        for name, data in r.pictures
    )
    shown = f'<div class="jbts-compared">{figures}</div>' if figures else ""
    return shown + difference(r.difference)


def difference(lines: str, limit: int = 60) -> str:
    """A unified diff as HTML: what went in red, what came in green."""
    listed = lines.splitlines()
    if not listed:
        return ""
    tones = {"+": "jbts-new", "-": "jbts-old"}
    rows = [f'<span class="{tones.get(line[:1], "")}">{html.escape(line[:300])}</span>' for line in listed[:limit]]
    if len(listed) > limit:
        rows.append(f"<span>and {len(listed) - limit} more lines</span>")
    return f'<pre class="jbts-diff">{"".join(rows)}</pre>'


def _signals(r: StepResult) -> str:
    errors = [m for m in r.console if m.level in ("error", "warning")]
    asked = r.step_type == "request" and r.status == "passed"  # the status was what the step wanted
    mocked = [q for q in r.requests if q.text.startswith("mocked: ")]
    failed = [q for q in r.requests if q.failed and not asked and q not in mocked]
    kinds = (
        folded(f"{text(m.level)}: {text(m.text, 300)}" for m in errors),
        folded(f"{text(q.method)} {text(q.url, 200)} {text(q.status or q.text)}" for q in failed),
        folded(f"{text(q.method)} {text(q.url, 200)} {text(q.text)}" for q in mocked),
    )
    lines = [f"<div>{line}</div>" for kind in kinds for line in kind[:6]]
    more = sum(map(len, kinds)) - len(lines)
    if not lines:
        return ""
    if more > 0:
        lines.append(f"<div>and {more} more</div>")
    head = ", ".join(
        x
        for x in (
            f"{len(errors)} in the console" if errors else "",
            _count(len(failed), "failed request"),
            _count(len(mocked), "mocked request"),
        )
        if x
    )
    opened = " open" if r.status in ("failed", "error") else ""
    return f'<details class="jbts-soft"{opened}><summary>{head}</summary>{"".join(lines)}</details>'


def _evidence(r: StepResult) -> str:
    """What was tried, and where everything else about the failure is."""
    lines = [f"<pre>{html.escape(chr(10).join(line[:200] for line in r.tried[:30]))}</pre>"] if r.tried else []
    tried = f'<details class="jbts-soft"><summary>what was tried</summary>{lines[0]}</details>' if lines else ""
    named = f'<div class="jbts-soft">evidence: <code>{text(r.evidence, 300)}</code></div>' if r.evidence else ""
    return tried + named


def folded(lines: Iterable[str]) -> list[str]:
    """The lines without their repeats, each with how often it came."""
    return [f"{line} \u00d7{often}" if often > 1 else line for line, often in Counter(lines).items()]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def card_text(r: StepResult) -> str:
    """The card for a terminal and for text-only readers."""
    words = [MARKS.get(r.status, "?"), clip(r.source or r.step.verb, 100), f"({duration(r.duration_ms)})"]
    lines = [" ".join(words)]
    if r.error_message:
        lines.append(f"  {r.error_type}: {r.error_message}")
        lines += [f"    {clip(h, 200)}" for h in r.hints[:8]]
        lines += [f"    {line[:160]}" for line in r.difference.splitlines()[2:32]]
    if r.note:
        lines.append(f"  {clip(r.note, 200)}")
    if r.evidence:
        lines.append(f"  evidence: {r.evidence}")
    lines += folded(f"  console {m.level}: {clip(m.text, 200)}" for m in r.console if m.level == "error")[:5]
    lines += folded(f"  request {q.method} {clip(q.url, 160)} {q.status or q.text}" for q in r.requests if q.failed)[:5]
    return "\n".join(lines)


def step_json(r: StepResult) -> dict[str, Any]:
    """What reports read back from an executed notebook."""
    return {
        "step_id": r.step_id, "execution_id": r.execution_id, "ordinal": r.ordinal, "verb": r.step.verb,
        "locator": r.locator, "input": r.input, "expected": r.expected, "status": r.status,
        "duration_ms": round(r.duration_ms, 1),
        "url": r.url, "title": clip(r.title, 200), "error_type": r.error_type, "error_message": r.error_message,
        "screenshot": r.screenshot.path if r.screenshot else None, "evidence": r.evidence,
    }  # fmt: skip


def strip(
    title: str,
    results: Sequence[StepResult],
    pictures: Sequence[bytes] = (),
    *,
    status: str | None = None,
    under_way: str = "",
) -> Bundle:
    """Several steps as rows, with a film strip below; for ``%%steps`` and groups. ``status`` is that of all together,
    for their heading, and ``under_way`` says what the next one waits for."""
    rows = "".join(
        f"<div>{mark(r.status)}<span>{_title(r)}</span>"
        f'<span class="jbts-time jbts-soft">{duration(r.duration_ms)}</span></div>'
        for r in results
    )
    if under_way:
        rows += f'<div class="jbts-soft">{text(under_way)}</div>'
    images = "".join(f'<img alt="after step {i + 1}" src="{inline(p)}">' for i, p in enumerate(pictures))
    took = duration(sum(r.duration_ms for r in results))
    count = _count(len(results), "step")
    head = ""
    if title and status:
        head = (
            f'<div class="jbts-head jbts-title">{mark(status)}<span class="jbts-verb">{text(title, 120)}</span>'
            f'<span class="jbts-time jbts-soft">{count} &middot; {took}</span></div>'
        )
    elif title:
        head = f'<div class="jbts-verb">{text(title, 120)}</div>'
    film = f'<div class="jbts-strip">{images}</div>' if images else ""
    under = " jbts-under" if head else ""
    body = f'{STYLE}<div class="jbts">{head}<div class="jbts-rows{under}">{rows}</div>{film}</div>'
    plain = "\n".join(filter(None, (title, *map(card_text, results))))
    return {
        "text/html": body,
        "text/plain": plain,
        STEP_MIME: {"steps": [step_json(r) for r in results]},
    }


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str = "",
    empty: str = "no rows",
    truncated: bool = False,
) -> Bundle:
    """A table of values; numbers to the right, texts bounded, everything escaped."""
    listed = [list(row) for row in rows]
    note = f'<div class="jbts-soft">the first {len(listed)} rows are shown</div>' if truncated else ""
    title = f'<div class="jbts-verb">{text(caption)}</div>' if caption else ""
    if not listed:
        body = f'<div class="jbts-soft">{text(empty)}</div>'
    else:
        head = "".join(f"<th>{text(c)}</th>" for c in columns)
        cells = "".join("<tr>" + "".join(cell(v) for v in row) + "</tr>" for row in listed)
        made = f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"
        body = f'<div class="jbts-wide" tabindex="0">{made}</div>'
    plain = _plain_table(*_without_pictures(columns, listed)) if listed else empty
    return {
        "text/html": f'{STYLE}<div class="jbts">{title}{body}{note}</div>',
        "text/plain": f"{caption}\n{plain}" if caption else plain,
    }


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture (WebP) as a value of a table, where a table can show it."""

    data: bytes


def shown(value: Any) -> str:
    """A value of a table as text."""
    if value is None or isinstance(value, Thumbnail):
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(sep=" ", timespec="seconds")) if hasattr(value, "hour") else str(value)
    return clip(str(value), 200)


def cell(value: Any) -> str:
    """A cell of a table: a picture, or text; numbers to the right."""
    if isinstance(value, Thumbnail):
        return f'<td><img alt="the page then" src="{inline(value.data)}"></td>'
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    kind = " class=n" if number else " class=t" if hasattr(value, "isoformat") else ""
    return f"<td{kind}>{html.escape(shown(value))}</td>"


def _without_pictures(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[list[str], list[list[Any]]]:
    """What of a table is text."""
    places = [i for i in range(len(columns)) if not any(isinstance(row[i], Thumbnail) for row in rows)]
    return [columns[i] for i in places], [[row[i] for i in places] for row in rows]


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows for a terminal; the last column is folded where the line would be longer than that."""
    listed = [[str(c) for c in columns], *([shown(v) for v in row] for row in rows[:200])]
    cells = [[*(clip(value, 40) for value in row[:-1]), clip(row[-1], 200)] for row in listed]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns) - 1)]
    indent = " " * sum(width + 2 for width in widths)
    lines = []
    for row in cells:
        head = "".join(f"{value:<{width}}  " for value, width in zip(row, widths, strict=False))
        lines.append(folded_text(row[-1], head, indent) or head)
    return "\n".join(line.rstrip() for line in lines)


def folded_text(words: str, head: str = "", indent: str = "") -> str:
    """A text in lines of a terminal, no word broken: the first line after ``head``, the others after ``indent``."""
    width = max(PLAIN_WIDTH, len(indent) + 40)
    return textwrap.fill(
        words, width, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def waiting(line: str) -> Bundle:
    """A step that is not done yet; its card takes this one's place."""
    return {"text/html": f'{STYLE}<div class="jbts jbts-soft">{text(line)}</div>', "text/plain": line}


def note(message: str, *, detail: str = "", tone: str = "passed") -> Bundle:
    """One line about what a command did."""
    extra = f' <span class="jbts-soft">{text(detail, 400)}</span>' if detail else ""
    line = f"{mark(tone)}<span>{text(message, 400)}{extra}</span>"
    body = f'{STYLE}<div class="jbts"><div class="jbts-head">{line}</div></div>'
    return {"text/html": body, "text/plain": f"{message} {detail}".strip()}
