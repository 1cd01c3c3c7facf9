"""Rows of results that open: what happened in the step, the execution or the test that a row is about.

A row says which by its columns ``step_id``, ``execution_id`` or ``history_id``, whichever query it came from. Pictures
are small copies, made when they are looked at, of files that are found by their content hash and never by a path.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import display
from .browser.capture import thumbnail
from .pager import Pager

if TYPE_CHECKING:
    import pandas

    from .store.queries import Results

STEPS, EXECUTIONS = 200, 20
WITH_PICTURES = 12
"""Rows of a page that shows a picture in each."""
SMALL, LARGE = 160, 640
_STEPS = """
    select s.step_id, ordinal, coalesce(s.name, '') as name, verb, coalesce(locator, '') as locator, s.status,
        s.duration_ms, s.error_type, s.error_message, s.screenshot, s.url
    from steps s where s.execution_id = ? and verb <> 'group' order by ordinal limit ?
"""
_EXECUTION = (
    "select test_name, status, started_at, duration_ms, browser, notebook from executions where execution_id = ?"
)
_OF_STEP = "select execution_id from steps where step_id = ?"
_HISTORY = """
    select status, attempt, started_at, duration_ms, browser, error_message from executions
    where history_id = ? order by started_at desc limit ?
"""
_EVIDENCE = "select path from artifacts where step_id = ? and role = 'evidence' limit 1"


def rows_view(frame: pandas.DataFrame, results: Results, hidden: Sequence[str] = ()) -> Pager:
    """The view of some rows."""
    names = [str(name) for name in frame.columns]
    opens = any(name in names for name in ("step_id", "execution_id", "history_id"))
    pictured = "screenshot" in names
    sizes = {"size": WITH_PICTURES} if pictured else {}
    return Pager(
        frame,
        hidden=(*hidden, "step_id") if hidden else (),
        details=functools.partial(details, results) if opens else None,
        picture=functools.partial(picture, results.home) if pictured else None,
        **sizes,
    )


def details(results: Results, row: Mapping[str, Any]) -> str:
    """What a row is about: a test's executions, or an execution with its steps, the one asked for in full."""
    step, execution, history = (row.get(name) for name in ("step_id", "execution_id", "history_id"))
    if step and not execution:
        execution = results.value(_OF_STEP, [str(step)])
    if execution:
        return _execution(results, str(execution), str(step or ""))
    if history:
        found = results.rows(_HISTORY, [str(history), EXECUTIONS])
        return str(display.table(found.columns, found.rows)["text/html"]).removeprefix(display.STYLE)
    return ""


def _execution(results: Results, execution: str, step: str) -> str:
    about = results.rows(_EXECUTION, [execution]).rows
    steps = results.rows(_STEPS, [execution, STEPS]).dicts()
    if not about:
        return ""
    name, status, begun, ms, browser, notebook = about[0]
    took = f" in {display.duration(ms)}" if ms is not None else ""
    told = " · ".join(str(x) for x in (f"{status}{took}", display.shown(begun), browser, notebook) if x)
    bad = next((s for s in steps if s["step_id"] == step), None) or next((s for s in steps if _bad(s)), None)
    parts = [
        f'<div><b>{display.text(name or "interactive")}</b> <span class="jbts-soft">{display.text(told)}</span></div>'
    ]
    if bad is not None:
        parts.append(_in_full(results, bad))
    parts.append(_strip(results.home, steps))
    return "".join(parts)


def _bad(step: Mapping[str, Any]) -> bool:
    return step["status"] in ("failed", "error", "aborted")


def _said(step: Mapping[str, Any]) -> str:
    """A step as its line; one that was given a name by that and by what it did."""
    name, does = str(step["name"]), f"{step['verb']} {step['locator']}".strip()
    return name if name.startswith(str(step["verb"])) else f"{name} {does}".strip()


def _in_full(results: Results, step: Mapping[str, Any]) -> str:
    what = display.text(_said(step), 160)
    parts = [f'<div class="jbts-head">{display.mark(str(step["status"]))}<span><code>{what}</code></span></div>']
    if step["error_message"]:
        error = f"<b>{display.text(step['error_type'])}</b> {display.text(step['error_message'], 1200)}"
        parts.append(f'<div class="jbts-why">{error}</div>')
    if step["url"]:
        parts.append(f'<div class="jbts-soft"><code>{display.text(step["url"], 160)}</code></div>')
    parts.append(picture(results.home, step["screenshot"], LARGE, "the page at this step"))
    kept = results.value(_EVIDENCE, [step["step_id"]])
    if kept:
        parts.append(f'<div class="jbts-soft">evidence: <code>{display.text(results.home / str(kept))}</code></div>')
    return "".join(parts)


def _strip(home: Path, steps: Sequence[Mapping[str, Any]]) -> str:
    """Each step in a line, with its small picture."""
    lines = []
    for step in steps:
        shot = picture(home, step["screenshot"], SMALL, f"after step {step['ordinal']}")
        took = display.duration(step["duration_ms"]) if step["duration_ms"] is not None else ""
        lines.append(
            f"<tr><td>{display.mark(str(step['status']))}</td><td><code>{display.text(_said(step), 160)}</code></td>"
            f'<td class="n">{took}</td><td>{shot}</td></tr>'
        )
    return f"<table><tbody>{''.join(lines)}</tbody></table>" if lines else ""


def picture(home: Path, digest: Any, width: int = SMALL, alt: str = "the page then") -> str:
    """A stored picture, small; nothing where there is none by this hash."""
    if not re.fullmatch(r"[0-9a-f]{64}", str(digest)):
        return ""
    try:
        data = _small(home / "artifacts" / str(digest)[:2] / f"{digest}.png", width)
    except OSError:  # pruned, or no picture any more
        return ""
    return f'<img alt="{display.text(alt)}" src="data:image/webp;base64,{data}">'


@functools.lru_cache(maxsize=256)
def _small(path: Path, width: int) -> str:
    """The picture as base64. Raises OSError."""
    return base64.b64encode(thumbnail(path.read_bytes(), width)).decode("ascii")
