"""The offline layer: every rule, run over the page as it is. No key, no model, and no request
of our own: what the page did is all there is to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ..grammar import clip
from ..ids import new_id
from ..models import Analysis, Box, ConsoleMessage, Finding, NetworkRequest
from . import axe, ocr, pixels
from .looking import Page, Picture, ask
from .rules import RULES, SEVERITIES

MOST = 200
_ABORTED = ("net::ERR_ABORTED", "ERR_BLOCKED_BY_CLIENT", "NS_BINDING_ABORTED")
_OF_ERRORS = frozenset(
    (
        "http_error", "error_text", "blank", "console", "network", "broken_image", "placeholder", "encoding",
        "spinner",
    )
)  # fmt: skip
_MISPLACED = frozenset(("overlap", "covered", "text-spills"))
_SKEW = 0.05  # seconds by which the browser's two clocks may differ


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen: the finished analysis, and the picture it belongs to."""

    analysis: Analysis
    picture: Picture
    facts: dict[str, Any]


def analyze(
    page: Page,
    picture: Picture,
    kind: str = "general",
    *,
    scope: Any = None,
    settled: bool = True,
    with_axe: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Sight:
    """Look at the page with every rule.

    Args:
        picture: as the page was when it had settled.
        kind: ``error`` leaves out axe and the layout; ``general`` and ``ui_validation`` look at everything.
        scope: an element; what lies outside it is not looked at.
        settled: whether the page came to rest.
    """
    begun = clock()
    with ThreadPoolExecutor(1, "jbts-picture") as pool:
        decoding = pool.submit(pixels.opened, picture.png)  # the browser works meanwhile
        seen = ask(page, "look", el=scope)
        image = decoding.result()
    found = [*_of_page(seen), *_of_dom(seen)]
    if scope is None and not seen["empty"] and pixels.one_colour(image):
        found.append(_finding("blank-picture", "the page has text, but its picture is one colour", str(seen["url"])))
    if with_axe and kind != "error" and not seen["empty"]:
        answer = axe.run(page, scope)
        found += axe.findings(answer)
        doubts = [node for rule in answer["incomplete"] if rule["id"] == "color-contrast" for node in rule["nodes"]]
        misplaced = [f.box for f in found if f.rule in _MISPLACED and f.box]  # what lies behind it is not its own
        measured = pixels.measured_contrast(picture, image, doubts)
        found += [f for f in measured if f.box and not any(_meet(f.box, box) for box in misplaced)]
    unread = ""
    if seen["canvases"] and ocr.installed():
        found += ocr.canvases(page, picture, image, seen["canvases"])
    elif seen["canvases"]:
        unread = f"the text of {_counted(len(seen['canvases']), 'canvas', 'canvases')} was not read: {ocr.HOW}"
    if scope is None:
        console, requests = page.messages()
        found += _of_messages(seen, console, requests)
    if kind == "error":
        found = [f for f in found if f.category in _OF_ERRORS]
    placed = tuple(placed_on(picture, f) for f in ordered(found)[:MOST])
    took = (clock() - begun) * 1000
    return Sight(_analysis(kind, placed, summary(placed, settled), took, unread), picture, seen)


def of_picture(
    page: Page, picture: Picture, kind: str = "general", clock: Callable[[], float] = time.perf_counter
) -> Sight:
    """Look at a picture that is all there is: whether it is empty, and what its words say, where they can be read.
    ``page`` lends its rules for words; nothing of it is looked at. The facts are an outline of what was read."""
    begun = clock()
    image, unread = pixels.opened(picture.png), ""
    found: list[Finding] = []
    lines: tuple[ocr.Line, ...] = ()
    if pixels.one_colour(image):
        found.append(_finding("blank-picture", "the picture is one colour"))
    elif ocr.installed():
        lines = ocr.read(image)
        found += [finding for _, finding in ocr.judge(page, lines)]
    else:
        unread = f"the text of the picture was not read: {ocr.HOW}"
    if kind == "error":
        found = [f for f in found if f.category in _OF_ERRORS]
    placed = tuple(ordered(found)[:MOST])
    told = summary(placed) if placed or lines else "no text was read in the picture"
    outline = {
        "url": "", "title": "", "text": "\n".join(line.text for line in lines),
        "items": [
            {"text": n.text, "tag": "picture", "locator": "",
             "box": {"x": n.box.x, "y": n.box.y, "width": n.box.width, "height": n.box.height}}
            for n in lines
        ],
    }  # fmt: skip
    return Sight(_analysis(kind, placed, told, (clock() - begun) * 1000, unread), picture, outline)


def _analysis(kind: str, found: tuple[Finding, ...], told: str, took: float, unread: str) -> Analysis:
    return Analysis(
        analysis_id=new_id(),
        kind=kind,
        provider="offline",
        status="ok",
        summary=told,
        findings=found,
        latency_ms=took,
        warnings=(unread,) if unread else (),
    )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _meet(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def ordered(found: Sequence[Finding]) -> list[Finding]:
    """Worst first; what two rules say of the same element in the same words once."""
    once: dict[tuple[str, str | None, str], Finding] = {}
    for f in found:
        once.setdefault((f.category, f.locator, f.message), f)
    return sorted(once.values(), key=lambda f: (not f.grounded, SEVERITIES.index(f.severity)))


def placed_on(picture: Picture, finding: Finding) -> Finding:
    """The finding with its box measured from the picture's corner."""
    if finding.box is None:
        return finding
    b = finding.box
    return replace(
        finding,
        box=Box(round(b.x - picture.left, 1), round(b.y - picture.top, 1), round(b.width, 1), round(b.height, 1)),
    )


def summary(found: Sequence[Finding], settled: bool = True) -> str:
    """The findings in a sentence."""
    late = "" if settled else "; the page was still changing"
    if not found:
        return f"nothing wrong was found{late}"
    counts = {s: sum(f.severity == s for f in found) for s in SEVERITIES}
    told = ", ".join(f"{n} {s}" for s, n in counts.items() if n)
    return f"{len(found)} finding{'' if len(found) == 1 else 's'} ({told}): {clip(found[0].message, 160)}{late}"


def _finding(rule: str, message: str, evidence: str = "", **more: Any) -> Finding:
    known = RULES[rule]
    fields: dict[str, Any] = {"category": known.category, "severity": known.severity, "source": known.source} | more
    return Finding(message=message, evidence=clip(evidence, 400), rule=rule, **fields)


def _of_page(seen: dict[str, Any]) -> Iterator[Finding]:
    status = seen["status"]
    if str(seen["url"]).startswith("chrome-error:"):
        yield _finding("http-status", "the page could not be opened at all", str(seen["url"]))
    elif status is not None and int(status) >= 400:
        yield _finding(
            "http-status", f"the page was answered with HTTP status {int(status)}", f"{status} {seen['url']}"
        )


def _of_dom(seen: dict[str, Any]) -> Iterator[Finding]:
    for f in seen["findings"]:
        box = f["box"]
        place = Box(box["x"], box["y"], box["width"], box["height"])
        yield _finding(f["rule"], str(f["message"]), str(f["evidence"]), locator=f["locator"] or None, box=place)


def _of_messages(
    seen: dict[str, Any], console: Sequence[ConsoleMessage], requests: Sequence[NetworkRequest]
) -> Iterator[Finding]:
    """Errors and failed requests of this page: what was said before it began belongs to another."""
    began, told = float(seen["began"]) - _SKEW, set()
    for m in console:
        if m.level == "error" and m.ts >= began and m.text not in told:
            told.add(m.text)
            yield _finding("console", f"an error in the console: {clip(m.text, 120)}", f"{m.text} {m.url}")
    broken, here = set(seen["broken"]), str(seen["url"]).partition("#")[0]
    for q in requests:
        if not q.failed or q.ts < began or q.url in broken or q.url in told or q.url.partition("#")[0] == here:
            continue
        if any(word in q.text for word in _ABORTED):
            continue
        told.add(q.url)
        how = f"answered {q.status}" if q.status else q.text or "had no answer"
        severity = "serious" if q.status is None or q.status >= 500 else "moderate"
        yield _finding(
            "request",
            f"a request failed: {q.method} {clip(q.url, 100)} {how}",
            f"{q.method} {q.url} {how}",
            severity=severity,
        )
