"""The live panel: the page as it is, what can be done on it, and the steps that led there, while they run.

A live layer only: everything it shows is in the cards and the store as well, and the cell that made it keeps a
plain picture of it for when no kernel is there, which grows with the steps. It talks in messages, never in synced
state, so nothing of a page is saved as a widget.

Its messages arrive on a thread of their own, also while a cell runs. Looking (hovering, pictures, surveys) happens
there, under the workbench's lock and without a record. Acting happens on the main thread, between cells, by running
a line of the grammar; or JupyterLab writes that line into a cell and runs it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anywidget

from . import display, panel_acts, panel_looks
from .assets import asset
from .browser import pointing
from .browser.capture import thumbnail
from .browser.engine import driver_errors
from .browser.screencast import Screencast
from .errors import JBTSError, Unsupported
from .grammar import clip
from .lab import Lab
from .models import StepResult
from .panel_looks import BUSY_SECONDS
from .still_panel import KEPT, StillPanel, small, test_name
from .suggestions import suggestions
from .view import heard_where_it_was_sent, output_of

if TYPE_CHECKING:
    from .browser.session import Session
    from .workbench import Workbench

PICTURES_KEPT = 40
"""Small pictures sent to a front end that opens the panel."""
GROWS_AFTER = 0.5
"""Seconds from a step outside a cell until the plain picture has it."""


class LivePanel(anywidget.AnyWidget):
    """The panel of one workbench, wherever it is shown."""

    _esm = asset("workbench.js")
    _css = asset("workbench.css")

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        heard_where_it_was_sent(self.comm)
        self.bench = bench
        self.lab = Lab()
        self.loop = _own_loop()
        self._before: dict[str, Any] | None = None
        self._survey: dict[str, Any] | None = None
        self._surveyed = ""
        self.seen = b""
        self.looked = False
        self._cast: Screencast | None = None
        self._passing: tuple[type[BaseException], ...] = (JBTSError, *driver_errors())
        self.still: StillPanel | None = None
        self._growing: asyncio.TimerHandle | None = None
        self.on_msg(self._hear)

    # ---- what a step tells ------------------------------------------------------------------------
    def begin(self, source: str) -> None:
        """A step begins."""
        self.send({"is": "begin", "source": clip(source, 300)})

    def show(self, result: StepResult, test: str) -> None:
        """A step has ended."""
        self.looked = False
        picture = [result.thumbnail] if result.thumbnail else None
        self.send({"is": "step", "test": test, "step": _entry(result)}, picture)
        if self.still is not None and self.loop is not None:
            self.still.add(result, test)
            if self._growing is None:
                self._growing = self.loop.call_later(GROWS_AFTER, self.settle)

    def settle(self) -> None:
        """Draw the plain picture below where it lacks steps: with the end of their cell, so that what is saved then has
        them and stays saved; a while after steps outside one. Nobody sees it now: many steps are one drawing."""
        if self._growing is not None and self.still is not None:
            self._growing.cancel()
            self._growing = None
            self.still.draw()

    def light(self, boxes: Sequence[Mapping[str, float]]) -> None:
        """Outline elements on the picture, those that a completion offers."""
        self.send({"is": "lit", "boxes": list(boxes)})

    def note(self, text: str, tone: str = "passed") -> None:
        """A line about what was asked for."""
        self.send({"is": "note", "text": clip(self.bench.secrets.mask(text), 400), "tone": tone})

    # ---- what the front end asks --------------------------------------------------------------------
    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        asked = content.get("do") if isinstance(content, dict) else None
        handler = _ASKED.get(str(asked))
        if handler is None:
            return
        try:
            handler(self, content)
        except self._passing as problem:
            message = problem.message if isinstance(problem, JBTSError) else "the page is being replaced; try again"
            self.note(message, "error")

    def _hello(self, content: dict[str, Any]) -> None:
        bench, results = self.bench, list(self.bench.history)[-KEPT:]
        self.lab.reveal()
        self.send({
            "is": "state", "test": test_name(bench), "steps": [_entry(r) for r in results], "running": bench.running,
        })  # fmt: skip
        for result in results[-PICTURES_KEPT:]:
            if made := small(bench.home, result):
                self.send({"is": "thumbnail", "id": result.step_id}, [made])

    def masked(self, value: Any) -> Any:
        """A value of the page's with every secret taken out of its texts."""
        if isinstance(value, str):
            return self.bench.secrets.mask(value)
        if isinstance(value, list):
            return [self.masked(one) for one in value]
        if isinstance(value, dict):
            return {key: self.masked(one) for key, one in value.items()}
        return value

    def _stop(self, content: dict[str, Any]) -> None:
        self.bench.interrupt()

    # ---- looking back, and ahead --------------------------------------------------------------------
    def _details(self, content: dict[str, Any]) -> None:
        """One step: the page before and after it, what it said, and where everything else is."""
        results, mask = list(self.bench.history), self.bench.secrets.mask
        place = next((i for i, r in enumerate(results) if r.step_id == content.get("id")), None)
        if place is None:
            return
        r = results[place]
        before = next((b for b in reversed(results[:place]) if b.screenshot and b.execution_id == r.execution_id), None)
        pictures = [self._stored(one) for one in (before, r)]
        took = " \u00b7 ".join(part for part in (r.status, display.duration(r.duration_ms), display.spent(r)) if part)
        about = took, f"{r.title}  {r.url}".strip(), r.note
        rows = {
            "What to do": list(r.hints[:8]),
            "Console": [f"{m.level}: {clip(mask(m.text), 300)}" for m in r.console[:30]],
            "Requests": [f"{q.method} {clip(q.url, 200)} {q.status or q.text}" for q in r.requests[:30]],
            "What was tried": list(r.tried[:30]),
            "Evidence": [r.evidence] if r.evidence else [],
        }
        self.send({
            "is": "details", **_entry(r), "about": [text for text in about if text],
            "rows": [[title, lines] for title, lines in rows.items() if lines],
            "pictures": [name for name, data in zip(("before", "after"), pictures, strict=True) if data],
        }, [data for data in pictures if data])  # fmt: skip

    def _stored(self, result: StepResult | None) -> bytes | None:
        if result is None or result.screenshot is None:
            return None
        path = self.bench.home / result.screenshot.path
        return thumbnail(path.read_bytes()) if path.is_file() else result.thumbnail

    def _suggest(self, content: dict[str, Any]) -> None:
        """What could be expected now, after what changed since the step before: a page may take its time, and be
        looked at more than once."""
        bench = self.bench
        with bench.looking(BUSY_SECONDS) as session:
            if session is None:
                return
            last = bench.last  # a step may have ended while we waited for our turn
            latest = last.step_id if last is not None else ""
            before = self._before if latest == self._surveyed else self._survey
            asked = {"before": before["texts"], "counted": list(before["counts"])} if before else {}
            now = pointing.ask(session, "survey", testid=bench.settings.testid_attribute, **asked)
        self._before, self._survey, self._surveyed = before, now, latest
        lines = suggestions(before, now, last, bench.base_url)
        self.send({"is": "suggest", "lines": [f"%{line}" for line in lines if bench.secrets.mask(line) == line]})

    # ---- the stream ---------------------------------------------------------------------------------
    def _stream(self, content: dict[str, Any]) -> None:
        if self._cast is not None:
            self._cast.stop()
            self._cast = None
        if not content.get("on"):
            return
        if self.bench.secrets.values:
            self.note("secrets are known, and a stream cannot cover them: the picture after each step stays")
            self.send({"is": "stream", "on": False})
            return
        with self.bench.looking(BUSY_SECONDS) as session:
            if session is None:
                return
            try:
                self._cast = Screencast(session, self._frame)
            except Unsupported as problem:
                self.note(problem.message)
                self.send({"is": "stream", "on": False})

    def _frame(self, data: str) -> None:
        if self.bench.secrets.values:  # one became known meanwhile
            if self._cast is not None:
                self._cast.stop()
            self.send({"is": "stream", "on": False})
            return
        self.send({"is": "frame"}, [base64.b64decode(data)])

    def _taken(self, content: dict[str, Any]) -> None:
        if self._cast is not None:
            self._cast.taken()

    def follow(self, session: Session) -> None:
        """The stream is of the tab that steps run in."""
        if self._cast is not None and self._cast.handle != session.handle:
            self._cast.stop()
            self._cast = Screencast(session, self._frame)

    # ---- where it is shown --------------------------------------------------------------------------
    def _aside(self, content: dict[str, Any]) -> None:
        if not self.lab.aside(self, "JBTS"):
            self.note("only JupyterLab has a side bar for the panel", "error")

    def _save(self, content: dict[str, Any]) -> None:
        self.lab.save()

    def bundle(self) -> display.Bundle:
        """The panel as an output; its plain picture stands below."""
        return output_of(self)


_ASKED: Mapping[str, Callable[[LivePanel, dict[str, Any]], None]] = {
    "hello": LivePanel._hello, "stop": LivePanel._stop, "details": LivePanel._details, "suggest": LivePanel._suggest,
    "stream": LivePanel._stream, "taken": LivePanel._taken, "aside": LivePanel._aside, "save": LivePanel._save,
    "refresh": panel_looks.refresh, "hover": panel_looks.hover, "pick": panel_looks.pick,
    "elements": panel_looks.elements, "frames": panel_looks.frames, "tabs": panel_looks.tabs,
    "screens": panel_looks.screens,
    "write": panel_acts.write, "drive": panel_acts.drive, "line": panel_acts.lines, "go": panel_acts.go,
    "again": panel_acts.again, "expect": panel_acts.expect,
}  # fmt: skip


def _own_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs cells, on whose thread this is called; None outside a kernel."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _entry(result: StepResult) -> dict[str, Any]:
    return {
        "id": result.step_id,
        "ordinal": result.ordinal,
        "status": result.status,
        "mark": display.MARKS.get(result.status, "?"),
        "source": result.source[:300],
        "took": display.duration(result.duration_ms),
        "error": (result.error_message or "")[:500],
        "box": asdict(result.box) if result.box and result.viewport else None,
    }
