"""How a look at a page is shown: the sentence, the findings, and their numbers over the picture.

A finding and its box are one choice of a form that is never sent: a press on either, or the arrow keys, marks both,
with no script, so it works in an executed notebook and in a report as it does in JupyterLab. What a page or a model
said is text here and nothing else: escaped, bounded, and never a link.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from . import display
from .display import STEP_MIME, STYLE, Bundle, text
from .grammar import clip
from .models import Analysis, Finding, StepResult

SHOWN = 40
_TONES = {"critical": "#a1260d", "serious": "#c9372c", "moderate": "#8a6d1d", "minor": "#4a6fa5"}
_STYLE = display.style("analysis_card.css")


def card(r: StepResult, *, named: bool = False) -> Bundle:
    """The card of any step; that of a look at the page with what was seen. ``named`` as in :func:`.display.card`."""
    if r.analysis is None:
        return display.card(r, named=named)
    bundle = display.card(r, inside=body(r.analysis, r.thumbnail))
    bundle["text/plain"] = f"{bundle['text/plain']}\n{body_text(r.analysis)}"
    bundle[STEP_MIME] = {**bundle[STEP_MIME], "analysis": analysis_json(r.analysis)}
    return bundle


def alone(a: Analysis, title: str) -> Bundle:
    """A look that belongs to no step."""
    mark = display.mark("passed" if a.status == "ok" else "error")
    head = f'<div class="jbts-head">{mark}<span class="jbts-verb">{text(title)}</span></div>'
    return {"text/html": f'{STYLE}<div class="jbts">{head}{body(a)}</div>', "text/plain": f"{title}\n{body_text(a)}"}


def body(a: Analysis, picture: bytes | None = None) -> str:
    """Summary, claim, numbered findings over the picture, and what it cost."""
    sure = [f for f in a.findings if f.grounded]
    unsure = [f for f in a.findings if not f.grounded]
    parts = [_STYLE, f"<div>{text(a.summary, 600)}</div>"]
    if a.expected:
        because = f" &middot; {text(a.reason, 300)}" if a.reason else ""
        answer = {"true": "true", "false": "false"}.get(a.verdict or "", "not checked")
        parts.append(f'<div class="jbts-claim">&ldquo;{text(a.expected, 300)}&rdquo; <b>{answer}</b>{because}</div>')
    parts += [f'<div class="jbts-soft">! {text(w, 400)}</div>' for w in a.warnings[:6]]
    places = _places(picture, a, sure[:SHOWN]) if picture else {}
    ids = {number: f"jbts-{a.analysis_id}-{number}" for number in places}
    parts.append('<div class="jbts-look">')
    if picture:
        parts.append(_shot(picture, places, ids))
    parts.append(_list(sure[:SHOWN], 1, ids) + "</div>")
    if len(sure) > SHOWN:
        parts.append(f'<div class="jbts-soft">and {len(sure) - SHOWN} more, in the table findings</div>')
    if unsure:
        shown = _list(unsure[:SHOWN], len(sure) + 1)
        title = f"{len(unsure)} the page does not bear out (they never fail a test)"
        parts.append(f"<details><summary>{title}</summary>{shown}</details>")
    parts.append(f'<div class="jbts-soft">{text(spent(a), 400)}</div>')
    return "".join(parts)


def _list(found: Sequence[Finding], first: int, ids: Mapping[int, str] = MappingProxyType({})) -> str:
    rows = []
    for number, f in enumerate(found, first):
        tone = _TONES[f.severity]
        where = f" <code>{text(f.locator, 120)}</code>" if f.locator else ""
        said = bool(f.evidence) and f.evidence not in f.message
        evidence = f'<div class="jbts-soft">{text(f.evidence, 200)}</div>' if said else ""
        rule = f.rule or f.source
        by = "" if rule.replace("-", "_") == f.category else f" &middot; {text(rule, 60)}"
        about = f'<span class="jbts-soft">{text(f.severity)} {text(f.category)}{by}</span>'
        sign = f'<span class="jbts-no" style="background:{tone}">{number}</span>'
        content = f"{sign}<span>{text(f.message, 300)} {about}{where}{evidence}</span>"
        if number in ids:
            group = text(ids[number].rpartition("-")[0])
            # JupyterLab takes the arrow keys for its own unless the element that has the focus says that it needs them.
            named = f'name="{group}" id="{text(ids[number])}" data-lm-suppress-shortcuts="true"'
            chosen = f'<input type="radio" {named}>'
            content = f'{chosen}<label for="{text(ids[number])}">{content}</label>'
        rows.append(f"<li>{content}</li>")
    return f'<ul class="jbts-find">{"".join(rows)}</ul>' if rows else ""


def _places(picture: bytes, a: Analysis, found: Sequence[Finding]) -> dict[int, tuple[Finding, str, bool]]:
    """By its number each finding that lies on the picture: where, and whether at the upper edge."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        shown_width, shown_height = opened.size
    width, whole = a.size or (shown_width, shown_height)
    height = min(float(whole), width * shown_height / shown_width)  # a tall picture is cut
    places = {}
    for number, f in enumerate(found, 1):
        b = f.box
        if b is None or width <= 0 or height <= 0:
            continue
        left, top = max(0.0, 100 * b.x / width), max(0.0, 100 * b.y / height)
        right, bottom = min(100.0, 100 * (b.x + b.width) / width), min(100.0, 100 * (b.y + b.height) / height)
        if right <= left or bottom <= top:
            continue
        place = f"left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"
        places[number] = (f, place, top < 4)
    return places


def _shot(picture: bytes, places: Mapping[int, tuple[Finding, str, bool]], ids: Mapping[int, str]) -> str:
    """The picture with a numbered box for each finding that lies on it; large boxes below small ones, so that each
    can be pressed."""
    boxes = []
    beside: Counter[str] = Counter()
    for number, (f, place, at_edge) in sorted(places.items(), key=lambda one: -_area(one[1][0])):
        tone, inside = _TONES[f.severity], " jbts-in" if at_edge else ""
        corner = place.partition(";width")[0]
        shift = f";left:{18 * beside[corner] - 2}px" if beside[corner] else ""  # two findings about one element
        beside[corner] += 1
        tag = f'<span class="jbts-tag{inside}" style="background:{tone}{shift}">{number}</span>'
        named = f'for="{text(ids[number])}" title="{text(f.message, 160)}"'
        boxes.append(f'<label class="jbts-box" {named} style="{place};border-color:{tone}">{tag}</label>')
    chosen = ",".join(f".jbts:has(#{one}:checked) .jbts-box[for={one}]" for one in ids.values())
    style = f"<style>{chosen}{{{_CHOSEN}}}</style>" if ids else ""
    data = base64.b64encode(picture).decode("ascii")
    image = f'<img width="640" alt="the page with its findings" src="data:image/webp;base64,{data}">'
    return f'{style}<div class="jbts-shot">{image}{"".join(boxes)}</div>'


_CHOSEN = "outline-width:4px;background:rgba(232,89,12,.28);z-index:1"


def _area(f: Finding) -> float:
    return f.box.width * f.box.height if f.box else 0.0


def spent(a: Analysis) -> str:
    """Who looked, how long it took and what it cost, in one line."""
    lines = []
    for layer in a.layers or (a,):
        words = ["rules" if layer.provider == "offline" else layer.model or layer.provider]
        if layer.status != "ok":
            words.append(layer.status)
        if layer.cache_hit:
            words.append("from the cache")
        if layer.input_tokens is not None:
            cached = f" ({layer.cached_tokens:,} cached)" if layer.cached_tokens else ""
            words.append(f"{layer.input_tokens:,}{cached} + {layer.output_tokens or 0:,} tokens")
            words.append("price unknown" if layer.cost_usd is None else f"${layer.cost_usd:.4f}")
        if layer.latency_ms is not None:
            words.append(display.duration(layer.latency_ms))
        if layer.attempts > 1:
            words.append(f"{layer.attempts} requests")
        lines.append(" \u00b7 ".join(words))
    if len(lines) == 1 and a.provider == "offline":
        lines.append("no model was asked: it takes OPENAI_API_KEY or JBTS.vision_base_url, and JBTS.vision_mode live")
    return " | ".join(lines)


def body_text(a: Analysis) -> str:
    """The same for a terminal."""
    lines = [f"  {clip(a.summary, 300)}"]
    if a.expected:
        lines.append(f"  claim {a.expected!r}: {a.verdict or 'not_checked'} {clip(a.reason, 200)}".rstrip())
    lines += [f"  ! {clip(w, 300)}" for w in a.warnings[:6]]
    for number, f in enumerate(a.findings[:SHOWN], 1):
        doubt = "" if f.grounded else " (the page does not bear it out)"
        lines.append(f"  {number}. {f.severity} {f.category}: {clip(f.message, 200)} {f.locator or ''}{doubt}".rstrip())
    lines.append(f"  {spent(a)}")
    return "\n".join(lines)


def analysis_json(a: Analysis) -> dict[str, object]:
    """What a report reads back."""
    return {
        "analysis_id": a.analysis_id, "kind": a.kind, "provider": a.provider, "status": a.status,
        "summary": clip(a.summary, 400), "verdict": a.verdict,
        "findings": [
            {
                "category": f.category, "severity": f.severity, "message": clip(f.message, 200),
                "locator": f.locator, "grounded": f.grounded,
            }
            for f in a.findings[:SHOWN]
        ],
    }  # fmt: skip
