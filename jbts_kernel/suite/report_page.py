"""The HTML of a report: one page, no address outside its folder, every text of a tested page escaped.

It reads without JavaScript; the script adds filters, keys and a viewer. The page's own policy allows that
one script, by its hash, and nothing else to run, so that even a text that slipped through unescaped could
do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from importlib import resources

from .progress import MARKS, duration
from .report_view import BAD, AttemptView, Change, ExecutionView, Picture, RunView, StepView, TestView, Trend

STEPS_SHOWN = 500
LINES_SHOWN = 60
_WORDS = {"not_run": "not run"}
_HEADLINES = {
    "passed": "All passed",
    "flaky": "Passed, with flaky tests",
    "quarantined": "Passed, but for quarantined tests",
    "failed": "Tests failed",
    "error": "Tests failed",
    "aborted": "Interrupted",
    "running": "Still running",
    "skipped": "Nothing ran",
}


def page(run: RunView) -> str:
    """The whole page."""
    script, style = _asset("report.js"), _asset("report.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline';"
        f" script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_text(_headline(run))} · test report</title><style>{style}</style></head><body>"
        f'<a class="skip" href="#tests">Skip to the tests</a>{_header(run)}'
        f'<main id="tests">{_filters(run)}{_tests(run)}'
        '<p class="none" id="no-match" hidden>No test matches.'
        ' <button type="button" data-all>Show all</button></p></main>'
        f"{_footer(run)}{_VIEWER}<script>{script}</script></body></html>"
    )


_VIEWER = (
    '<dialog id="viewer" aria-label="Picture of a step">'
    '<div class="viewer-bar"><span id="viewer-text"></span>'
    '<span class="viewer-keys"><button type="button" data-go="-1" aria-label="Step before">←</button>'
    '<button type="button" data-go="1" aria-label="Step after">→</button>'
    '<button type="button" data-close aria-label="Close">✕</button></span></div>'
    '<div class="viewer-shot"><img id="viewer-img" alt=""></div></dialog>'
)


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _text(value: object, limit: int = 2000) -> str:
    """A text as HTML: escaped, bounded."""
    text = str(value)
    return html.escape(text if len(text) <= limit else text[: limit - 1] + "…")


def _word(status: str) -> str:
    return _WORDS.get(status, status)


def _mark(status: str) -> str:
    sign = MARKS.get(status, ("~" if status == "quarantined" else "…", ""))[0]
    return f'<span class="mark {_text(status)}" aria-hidden="true">{sign}</span>'


def _overall(run: RunView) -> str:
    for status in ("flaky", "quarantined"):
        if run.status == "passed" and run.counts.get(status):
            return status
    return "skipped" if run.status == "passed" and not run.counts.get("passed") else run.status


def _headline(run: RunView) -> str:
    bad = sum(run.counts.get(status, 0) for status in BAD)
    if run.status in ("failed", "error") and bad:
        return f"{bad} of {len(run.tests)} {'test' if len(run.tests) == 1 else 'tests'} failed"
    return _HEADLINES.get(_overall(run), run.status)


def _header(run: RunView) -> str:
    total = max(1, len(run.tests))
    order = ("passed", "flaky", "quarantined", "skipped", "not_run", "aborted", "failed", "error")
    known = [s for s in order if run.counts.get(s)] + [s for s in run.counts if s not in order]
    bar = "".join(
        f'<span class="{_text(s)}" style="flex-grow:{run.counts[s] / total:.4f}"'
        f' title="{run.counts[s]} {_text(_word(s))}"></span>'
        for s in known
    )
    legend = "".join(f"<li>{_mark(s)}<b>{run.counts[s]}</b> {_text(_word(s))}</li>" for s in known)
    steps = sum(len(a.steps) for t in run.tests for a in t.attempts)
    facts = [
        ("Started", run.started_at),
        ("Took", duration(run.duration_ms)),
        ("Steps", str(steps)),
        *run.facts,
    ]
    about = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value, 300)}</dd></div>" for name, value in facts if value)
    notes = "".join(f'<p class="note">{_text(note)}</p>' for note in run.notes)
    return (
        f'<header class="{_text(_overall(run))}"><div class="wrap">'
        f"<h1>{_mark(_overall(run))}{_text(_headline(run))}</h1>"
        f'<div class="bar" role="img" aria-label="{_text(_summary(run))}">{bar}</div>'
        f'<ul class="legend">{legend}</ul><div class="summary"><dl class="facts">{about}</dl>{_trend(run.trend)}</div>'
        f"{notes}</div></header>"
    )


def _trend(trend: Sequence[Trend]) -> str:
    """The last runs of these tests as bars, the oldest first: how many passed, and above them how many did not."""
    if not trend:
        return ""
    most = max(1, *(run.passed + run.bad for run in trend))
    bars = "".join(
        f'<li class="{"now" if run.current else "then"}" title="{_text(_told(run))}">'
        f'<span class="failed" style="height:{run.bad / most * 100:.1f}%"></span>'
        f'<span class="passed" style="height:{run.passed / most * 100:.1f}%"></span>'
        f'<span class="said">{_text(_told(run))}</span></li>'
        for run in trend
    )
    green = sum(1 for run in trend if not run.bad)
    return (
        f'<figure class="trend"><figcaption>Last {len(trend)} runs, {green} green</figcaption>'
        f'<ol tabindex="0" aria-label="Last runs">{bars}</ol></figure>'
    )


def _told(run: Trend) -> str:
    failed = f"{run.bad} failed, " if run.bad else ""
    return f"{run.when}: {failed}{run.passed} passed, {duration(run.duration_ms)}"


def _summary(run: RunView) -> str:
    return ", ".join(f"{number} {_word(status)}" for status, number in run.counts.items()) or "no tests"


def _filters(run: RunView) -> str:
    if not run.tests:
        return '<p class="none">This run has no tests.</p>'
    names = [("all", "All", len(run.tests))]
    names += [
        (key, label, number)
        for key, label, number in (
            ("bad", "Failed", sum(run.counts.get(s, 0) for s in BAD)),
            ("flaky", "Flaky", run.counts.get("flaky", 0)),
            ("quarantined", "Quarantined", run.counts.get("quarantined", 0)),
            ("passed", "Passed", run.counts.get("passed", 0)),
            ("skipped", "Skipped", run.counts.get("skipped", 0)),
        )
        if number
    ]
    buttons = "".join(
        f'<button type="button" data-filter="{key}" aria-pressed="{"true" if key == "all" else "false"}">'
        f"{label} <span>{number}</span></button>"
        for key, label, number in names
    )
    return (
        f'<nav class="filters" aria-label="Filter"><div class="tabs">{buttons}</div>'
        '<input type="search" id="search" placeholder="Find a test, step or message" aria-label="Find"></nav>'
        '<p class="keys"><kbd>j</kbd> <kbd>k</kbd> next and previous test, <kbd>o</kbd> open or close,'
        " <kbd>/</kbd> find</p>"
    )


def _tests(run: RunView) -> str:
    return "".join(_test(number, test) for number, test in enumerate(run.tests))


def _test(number: int, test: TestView) -> str:
    opened = test.status in BAD and number < 20
    kind = "bad" if test.status in BAD else test.status
    browser = next((a.browser for a in reversed(test.attempts) if a.browser), "")
    tags = "".join(f'<span class="tag">{_text(tag, 60)}</span>' for tag in test.tags[:12])
    notebook = "" if test.name.startswith(test.notebook) else test.notebook
    attempts = f"{len(test.attempts)} attempts · " if len(test.attempts) > 1 else ""
    about = " · ".join(x for x in (_text(browser, 80), _text(notebook, 200)) if x)
    message = f'<span class="reason">{_text(test.message, 400)}</span>' if test.message else ""
    last = test.attempts[-1] if test.attempts else None
    # What is worth reading first: why it failed, also where it passed afterwards.
    shown = next((a for a in reversed(test.attempts) if a.status in BAD), last)
    body = (
        _about_attempts(test)
        + (_change(test.change, last) if last else "")
        + "".join(_attempt(attempt, len(test.attempts), opened=attempt is shown) for attempt in reversed(test.attempts))
    )
    return (
        f'<details class="test {_text(test.status)}" id="t{number}" data-kind="{_text(kind)}"'
        f"{' open' if opened else ''}>"
        f'<summary>{_mark(test.status)}<span class="title"><b>{_text(test.name, 200)}</b> {tags}'
        f'<span class="about">{about}</span>{message}{_history(test)}</span>'
        f'<span class="status">{_text(_word(test.status))}</span>'
        f'<span class="time">{attempts}{duration(test.duration_ms)}</span></summary>'
        f'<div class="body">{body or "<p>It was not run.</p>"}</div></details>'
    )


def _about_attempts(test: TestView) -> str:
    """Why it fails nothing, and what differed between its attempts."""
    quarantine = f"<p>Quarantined: {_text(test.quarantine, 300)}. It fails no run.</p>" if test.quarantine else ""
    lines = "".join(f"<li>{_text(line, 400)}</li>" for line in test.differences)
    differed = f"<p>Between the failing attempt and the passing one:</p><ul>{lines}</ul>" if lines else ""
    return f'<div class="change">{quarantine}{differed}</div>' if quarantine or differed else ""


def _history(test: TestView) -> str:
    """How the test ended in the last runs, the oldest first, as dots."""
    if not test.history:
        return ""
    shown = (*test.history[-11:], (test.status, "this run"))
    dots = "".join(f'<i class="{_text(s)}" title="{_text(f"{when}: {_word(s)}")}"></i>' for s, when in shown)
    passed = sum(1 for status, _ in shown if status in ("passed", "flaky"))
    return f'<span class="dots" role="img" aria-label="passed in {passed} of the last {len(shown)} runs">{dots}</span>'


def _change(change: Change | None, attempt: AttemptView | None) -> str:
    if change is None or attempt is None:
        return ""
    parts = [f"Last passed {_text(change.when)}"]
    if change.commit:
        parts.append(f"at <code>{_text(change.commit)}</code>")
    if change.duration_ms:
        parts.append(f"in {duration(change.duration_ms)}")
    items = "".join(
        f"<li>{label} <code>{_text(name, 160)}</code></li>"
        for label, names in (("new step", change.added), ("step gone", change.gone))
        for name in names[:8]
    )
    same = "" if items else " with the same steps"
    return f'<div class="change"><p>{" ".join(parts)}{same}.</p>{f"<ul>{items}</ul>" if items else ""}</div>'


def _attempt(attempt: AttemptView, count: int, *, opened: bool) -> str:
    links = [
        (attempt.notebook_page, "executed notebook"),
        (attempt.notebook, "as .ipynb" if attempt.notebook_page else "executed notebook (.ipynb)"),
    ]
    link = " · ".join(f'<a href="{_text(address)}">{name}</a>' for address, name in links if address)
    ran = "".join(_execution(execution, len(attempt.executions)) for execution in attempt.executions)
    inner = _why(attempt) + ran + _signals(attempt)
    foot = f'<p class="links">{link}</p>' if link else ""
    if count == 1:
        return inner + foot
    return (
        f'<details class="attempt"{" open" if opened else ""}><summary>{_mark(attempt.status)}Attempt {attempt.number}'
        f'<span class="time">{_text(_word(attempt.status))} · {duration(attempt.duration_ms)}</span>'
        "</summary>"
        f"{inner}{foot}</details>"
    )


def _execution(execution: ExecutionView, count: int) -> str:
    """One test of a notebook; its name is told where there are several."""
    inner = _strip(execution.steps) + _table(execution.steps)
    if execution.status == "not_run":
        inner = '<p class="none">The notebook ended before this test began.</p>'
    if count == 1:
        return inner
    message = f'<span class="reason">{_text(execution.message, 300)}</span>' if execution.message else ""
    took = _text(_word(execution.status)) if execution.status == "not_run" else duration(execution.duration_ms)
    return (
        f'<section class="execution {_text(execution.status)}"><h3>{_mark(execution.status)}'
        f"<span>{_text(execution.name, 200)}{message}</span>"
        f'<span class="time">{took}</span></h3>{inner}</section>'
    )


def _why(attempt: AttemptView) -> str:
    """Why an attempt failed: the reason and what to try beside the picture of it."""
    if attempt.status not in BAD:
        return ""
    broken = [step for step in attempt.steps if step.status in BAD]
    picture = next((step.picture for step in reversed(broken) if step.picture), None)
    several = [e.name for e in attempt.executions if broken and broken[-1] in e.steps and len(attempt.executions) > 1]
    where = "".join(f"in {_text(name, 200)}, " for name in several)
    if broken:
        where = f'<p class="at">{where}at step {broken[-1].ordinal}, <code>{_text(broken[-1].name, 200)}</code></p>'
    trace = "\n".join(_more(attempt.trace, attempt.message))
    shown = f'<pre tabindex="0">{_text(trace, 8000)}</pre>' if trace.strip() else ""
    page_at = f'<p class="at">on {_text(broken[-1].url, 200)}</p>' if broken and broken[-1].url else ""
    left = next((step.evidence for step in reversed(broken) if step.evidence), None)
    evidence = (
        f'<p class="evidence"><a href="{_text(left)}">Evidence</a>: source, outline, console, what was tried</p>'
        if left
        else ""
    )
    line = f'<p class="why-line">{_text(attempt.message, 600)}</p>'
    text = f'<div class="why-text">{line}{where}{page_at}{shown}{evidence}</div>'
    return f'<div class="why">{text}{_shot(picture, "the page when it failed")}</div>'


def _more(trace: Sequence[str], message: str) -> Sequence[str]:
    """The trace without a first line that only says the message again."""
    first = trace[0].strip() if trace else ""
    return trace[1:] if message in (first, first.partition(": ")[2]) else trace


def _shot(picture: Picture | None, alt: str) -> str:
    if picture is None:
        return ""
    return (
        f'<a class="shot" href="{_text(picture.whole)}" data-shot data-text="{_text(alt)}">'
        f'<img src="{_text(picture.whole)}" width="{picture.width}" height="{picture.height}"'
        f' alt="{_text(alt)}" loading="lazy"></a>'
    )


def _strip(steps: Sequence[StepView]) -> str:
    """The film strip: one small picture a step, in order."""
    frames = [(step, step.picture) for step in steps[:STEPS_SHOWN] if step.picture]
    if not frames:
        return ""
    items = "".join(_frame(step, picture) for step, picture in frames if picture)
    return f'<ol class="strip" tabindex="0" aria-label="Steps as pictures">{items}</ol>'


def _frame(step: StepView, picture: Picture) -> str:
    label = f"{step.ordinal}. {step.name}"
    return (
        f'<li class="{_text(step.status)}">'
        f'<a href="{_text(picture.whole)}" data-shot data-text="{_text(label, 200)}">'
        f'<img src="{_text(picture.small)}" width="160" alt="{_text(label, 200)}" loading="lazy">'
        f"<span>{_text(step.ordinal)} {_text(step.name, 60)}</span></a></li>"
    )


def _table(steps: Sequence[StepView]) -> str:
    if not steps:
        return '<p class="none">It recorded no steps.</p>'
    rows = "".join(_row(step) for step in steps[:STEPS_SHOWN])
    more = f'<p class="none">and {len(steps) - STEPS_SHOWN} more</p>' if len(steps) > STEPS_SHOWN else ""
    return (
        f'<details class="steps"><summary>{len(steps)} step{"" if len(steps) == 1 else "s"}</summary>'
        '<div class="scroll" tabindex="0"><table><thead><tr><th>#</th><th>Step</th><th>Status</th>'
        f'<th class="n">Time</th><th>Page</th></tr></thead><tbody>{rows}</tbody></table></div>{more}'
        "</details>"
    )


def _row(step: StepView) -> str:
    error = f'<div class="reason">{_text(step.error_message, 600)}</div>' if step.error_message else ""
    indent = f' style="padding-left:{step.depth * 18 + 8}px"' if step.depth else ""
    where = _text(step.title or step.url, 120)
    return (
        f'<tr class="{_text(step.status)}"><td class="n">{step.ordinal}</td>'
        f"<td{indent}><code>{_text(step.name, 300)}</code>{error}</td>"
        f"<td>{_mark(step.status)}{_text(_word(step.status))}</td>"
        f'<td class="n">{duration(step.duration_ms)}</td><td title="{_text(step.url, 300)}">{where}</td></tr>'
    )


def _signals(attempt: AttemptView) -> str:
    console = [f"<li><b>{_text(level)}</b> {_text(text, 500)}</li>" for level, text in attempt.console]
    requests = [
        f"<li><b>{_text(status, 80)}</b> {_text(method, 20)} {_text(url, 300)}</li>"
        for method, url, status in attempt.requests
    ]
    return _list("in the console", console) + _list(
        "failed request" if len(requests) == 1 else "failed requests", requests
    )


def _list(name: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f"<li>and {len(items) - LINES_SHOWN} more</li>" if len(items) > LINES_SHOWN else ""
    return (
        f'<details class="signals"><summary>{len(items)} {name}</summary>'
        f"<ul>{''.join(items[:LINES_SHOWN])}{more}</ul></details>"
    )


def _footer(run: RunView) -> str:
    return f"<footer><p>run <code>{_text(run.run_id)}</code> · JBTestSuite Workbench</p></footer>"
