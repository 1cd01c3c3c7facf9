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
import io
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anywidget

from . import display
from .assets import asset
from .browser import pointing
from .browser.capture import thumbnail
from .browser.engine import driver_errors
from .browser.launch import DEVICES
from .browser.screencast import Screencast
from .errors import JBTSError, Unsupported
from .grammar import clip, literal
from .lab import Lab
from .models import StepResult
from .pipeline import glance
from .pointing import PRESSES, Offer, act, drag, frame_choices, offers, page_offers, secret_name
from .still_panel import KEPT, StillPanel, small, test_name
from .suggestions import suggestions
from .view import heard_where_it_was_sent, output_of

if TYPE_CHECKING:
    from .browser.engine import Session
    from .workbench import Workbench

PICTURES_KEPT = 40
"""Small pictures sent to a front end that opens the panel."""
BUSY_SECONDS = 0.25
"""How long a look waits for a step to end before it says that one runs."""
GROWS_AFTER = 0.5
"""Seconds from a step outside a cell until the plain picture has it."""
QUALITY = 78
SIZES = ("1280x800", "1920x1080", "1024x768", "768x1024", "390x844")
"""Viewports to choose from."""


class LivePanel(anywidget.AnyWidget):
    """The panel of one workbench, wherever it is shown."""

    _esm = asset("workbench.js")
    _css = asset("workbench.css")

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        heard_where_it_was_sent(self.comm)
        self._bench = bench
        self._lab = Lab()
        self._loop = _own_loop()
        self._before: dict[str, Any] | None = None
        self._survey: dict[str, Any] | None = None
        self._surveyed = ""
        self._seen = b""
        self._looked = False
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
        self._looked = False
        picture = [result.thumbnail] if result.thumbnail else None
        self.send({"is": "step", "test": test, "step": _entry(result)}, picture)
        if self.still is not None and self._loop is not None:
            self.still.add(result, test)
            if self._growing is None:
                self._growing = self._loop.call_later(GROWS_AFTER, self.settle)

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
        self.send({"is": "note", "text": clip(self._bench.secrets.mask(text), 400), "tone": tone})

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
        bench, results = self._bench, list(self._bench.history)[-KEPT:]
        self._lab.reveal()
        self.send({
            "is": "state", "test": test_name(bench), "steps": [_entry(r) for r in results], "running": bench.running,
        })  # fmt: skip
        for result in results[-PICTURES_KEPT:]:
            if made := small(bench.home, result):
                self.send({"is": "thumbnail", "id": result.step_id}, [made])

    def _refresh(self, content: dict[str, Any]) -> None:
        busy = bool(self._bench.running)  # then its end is told, and looked at
        late = bool(self._bench.sessions) and not busy  # a page that needs longer than a look has
        first, self._looked = not self._looked, True  # just after a step: what it set off may come a moment later
        answer: dict[str, Any] = {"is": "picture", "none": True, "busy": busy, "late": late}
        places = {}
        png = None
        try:
            with self._bench.looking(BUSY_SECONDS) as session:
                if session is not None:
                    png, facts = glance(self._bench.surroundings(), session)
                    self._follow(session)
                    dialog = session.dialog
                    told = f"{dialog.kind}: {clip(self._bench.secrets.mask(dialog.text), 200)}" if dialog else ""
                    several = len(facts["tabs"]) > 1
                    tab = f"tab {facts['tab']}: {facts['tabs'][facts['tab']]}" if several else ""
                    places = {"tabs": tab, "screens": self._screen(facts)}
                    moved = png is not None and png != self._seen
                    answer = {"is": "picture", **facts, "dialog": told, "moved": moved, "late": first}
                    self._seen = png or b""
        finally:
            self.send(answer, [_webp(png)] if png else None)  # the next is asked for when this one is answered
        if png is not None:
            choices = self._choices()
            here = next(one["text"] for one in choices if one["here"]) if len(choices) > 1 else ""
            self.send({"is": "places", **places, "frames": self._masked(here and f"in {here.strip()}")})

    def _choices(self) -> list[dict[str, Any]]:
        """The page and its frames; nothing where there is none to ask."""
        with self._bench.looking(BUSY_SECONDS) as session:
            if session is None:
                return []
            there = pointing.frames(session, self._bench.settings.testid_attribute)
            return frame_choices(there, framed=bool(session.frames))

    def _frames(self, content: dict[str, Any]) -> None:
        """What steps can run in: the page, and each frame in it."""
        entries = [{**one, "about": "steps run here" if one["here"] else ""} for one in self._choices()]
        self._list("Run steps in" if entries else "No page to ask now", entries)

    def _list(self, title: str, entries: list[dict[str, Any]]) -> None:
        """Something to choose from: each entry says what is asked when it is chosen."""
        self.send({"is": "list", "title": title, "entries": self._masked(entries)})

    def _screen(self, facts: Mapping[str, Any]) -> str:
        """The device, or the viewport; nothing where the page could not be asked."""
        return self._bench.spec.device or (f"{facts['width']}x{facts['height']}" if "width" in facts else "")

    def _screens(self, content: dict[str, Any]) -> None:
        """The viewports and devices there are."""
        lines = {size: f"window {size}" for size in SIZES} | {name: f"browser --device {name}" for name in DEVICES}
        self._list("Viewport or device", [
            {"text": text, "about": "", "ask": {"do": "line", "line": line}} for text, line in lines.items()
        ])  # fmt: skip

    def _tabs(self, content: dict[str, Any]) -> None:
        """The tabs there are."""
        with self._bench.looking(BUSY_SECONDS) as session:
            titles = session.titles() if session else {}
            current = session.handle if session else ""
        self._list("Tabs" if titles else "No page to ask now", [
            {"text": clip(title or url, 80), "about": "steps run here" if handle == current else f"{number}",
             "here": handle == current, "ask": {"do": "line", "line": f"tab {number}"}}
            for number, (handle, (title, url)) in enumerate(titles.items())
        ])  # fmt: skip

    def _hit(self, content: dict[str, Any], *, deep: bool) -> dict[str, Any] | None:
        """What lies under a point of the picture, or what a locator means, with its box on the picture; None where
        there is no page to ask now. Its ``state`` is nothing where nothing is there."""
        bench = self._bench
        with bench.looking(BUSY_SECONDS if deep else 0.0) as session:
            if session is None:
                return None
            named = content.get("locator")
            where = str(named) if named else (float(content["x"]), float(content["y"]))
            found = pointing.hit(session, where, bench.settings.testid_attribute, deep=deep)
            return {**found, "framed": bool(session.frames)}

    def _hover(self, content: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"is": "hover", "state": "busy"}
        try:
            found = self._hit(content, deep=False)
            if found is not None:
                answer |= {key: self._masked(found.get(key)) for key in ("state", "text", "box", "locators", "born")}
        finally:
            self.send(answer)  # the next move is asked for when this one is answered

    def _pick(self, content: dict[str, Any]) -> None:
        found = self._hit(content, deep=True)
        if found is None:
            self.note("a step is running, or no browser is; point again when there is a page", "error")
            return
        if found["state"] != "ready":
            with self._bench.looking(BUSY_SECONDS) as session:
                title, url = session.titles().get(session.handle, ("", "")) if session else ("", "")
            offered = page_offers(url, title, self._bench.base_url, framed=bool(found.get("framed")))
            found = {
                "text": "the page itself",
                "locators": [],
                "box": None,
                "options": [],
                "password": False,
                "kind": "",
            }
        else:
            offered = offers(found)
        kept = ("text", "box", "locators", "options", "password", "kind", "name")
        self.send({
            "is": "pick", **{key: self._masked(found.get(key)) for key in kept},
            "offers": self._masked([asdict(one) for one in offered]),
        })  # fmt: skip

    def _masked(self, value: Any) -> Any:
        """A value of the page's with every secret taken out of its texts."""
        if isinstance(value, str):
            return self._bench.secrets.mask(value)
        if isinstance(value, list):
            return [self._masked(one) for one in value]
        if isinstance(value, dict):
            return {key: self._masked(one) for key, one in value.items()}
        return value

    def _elements(self, content: dict[str, Any]) -> None:
        """Everything on the page that can be named, for who does not point with a mouse."""
        with self._bench.looking(BUSY_SECONDS) as session:
            found = pointing.offers(session, self._bench.settings.testid_attribute) if session else []
        title = "Drag onto" if content.get("onto") else "On the page"
        self._list(title if found else "Nothing on the page can be named", [
            {"text": one["locator"], "about": one["role"], "box": one["box"],
             "ask": {"do": "pick", "locator": one["locator"]}}
            for one in found
        ])  # fmt: skip

    # ---- acting -------------------------------------------------------------------------------------
    def _write(self, content: dict[str, Any]) -> None:
        """Write the line that was chosen, and run it if asked."""
        given, asks = str(content.get("given", "")), str(content.get("asks", ""))
        offer = Offer("", str(content.get("head", "")), str(content.get("tail", "")), asks)
        locator = str(content.get("locator", ""))
        if asks == "password":
            name = self._keep_secret(content, given)
            line = Offer("", offer.head, f"${{{name}}}").line(locator)
        else:
            line = offer.line(locator, given)
        if content.get("enter"):
            line += " --enter"
        self._perform(line, record=bool(content.get("record", True)), run=bool(content.get("run")), content=content)

    def _keep_secret(self, content: Mapping[str, Any], value: str) -> str:
        """Know what was typed into a password field; its name. The notebook gets the line that names it, never
        the value."""
        secrets = self._bench.secrets
        known = next((name for name in secrets.names if secrets.get(name) == value), None)
        if known is not None:
            return known
        name = secret_name(content, secrets.names)
        secrets.add(name, value)
        if content.get("record", True):
            self._lab.write(f"%secret {name}", run=False, here=bool(content.get("here")))
        return name

    def _drive(self, content: dict[str, Any]) -> None:
        """A press on the picture, as a hand would press the page."""
        found, typed, to = self._hit(content, deep=True), str(content.get("typed", "")), content.get("to")
        how = content.get("how") if content.get("how") in PRESSES else ""
        target = self._hit(to, deep=True) if isinstance(to, dict) else None
        nothing = "no field of the page has the focus; press one first" if typed else "nothing to press there"
        busy = found is None or (to is not None and target is None)
        if found is None or busy or found["state"] != "ready" or not found["locators"]:
            self.note("a step is running, or no browser is" if busy else nothing, "error")
            return
        offer = act(found, str(how)) if target is None else drag(found, target)
        locator = found["locators"][0]["locator"]
        if typed and offer.asks not in ("text", "password"):
            self.note(nothing, "error")
        elif offer.asks:
            kept = ("box", "options", "password", "value", "name", "kind")
            fields = {**{key: self._masked(found.get(key)) for key in kept}, "typed": typed}
            self.send({"is": "fill", "locator": locator, "head": offer.head, "asks": offer.asks, **fields})
        else:
            self._perform(offer.line(locator), record=bool(content.get("record")), run=True, content=content)

    def _do(self, content: dict[str, Any]) -> None:
        """A control of the panel: a line, or those that lead into a frame."""
        lines = str(content.get("line", "")).split("\n")
        self._perform(*lines, record=bool(content.get("record")), run=True, content=content)

    def _go(self, content: dict[str, Any]) -> None:
        line = f"navigate {literal(str(content.get('url', '')))}"
        self._perform(line, record=bool(content.get("record")), run=True, content=content)

    def _perform(self, *lines: str, record: bool, run: bool, content: Mapping[str, Any]) -> None:
        here = bool(content.get("here")) and content.get("asks") != "password"
        text = "\n".join(f"%{line}" for line in lines)
        written = record and self._lab.write(text, run=run, here=here)
        if run and not written:
            self._between_cells(lambda: self._run(lines))
        if record:
            self.send({"is": "wrote", "line": text, "written": written})

    def _run(self, lines: Sequence[str]) -> None:
        for line in lines:
            value = self._bench.line(line)
            if value is not None:
                self.note(f"{line}: {clip(str(value), 300)}")

    def _again(self, content: dict[str, Any]) -> None:
        """The page as it was before a step, then that step and those after it once more."""
        ordinal, bench = int(content.get("ordinal", 0)), self._bench
        execution = bench.recorder.execution
        if execution is None:
            self.note("that test has ended; run its cells again", "error")
            return
        same = [r for r in bench.history if r.execution_id == execution.execution_id and r.ordinal >= ordinal]
        steps = [r.step for r in same if r.step.verb not in ("restore", "checkpoint")]

        def run() -> None:
            bench.line(f"restore before:{ordinal}")
            for step in steps:
                bench.run(step)

        self._between_cells(run)

    def _between_cells(self, work: Callable[[], None]) -> None:
        """Do it on the main thread, when no cell runs there: a step is a step, whoever asks for it."""
        if threading.current_thread() is threading.main_thread():
            self._attended(work)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._attended, work)
        else:
            self.note("this kernel cannot run steps for the panel; run the line in a cell", "error")

    def _attended(self, work: Callable[[], None]) -> None:
        """Run steps with their cards in the panel, and ended by an interrupt as those of a cell are."""
        bench = self._bench
        shown, cell, emitted = bench.show, bench.cell, bench.emit_bundle
        bench.show, bench.cell = _in_the_panel, (None, None)
        bench.emit_bundle = lambda bundle: self.note(str(bundle.get("text/plain", "")))
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            work()
        except KeyboardInterrupt as stopped:
            self.note(str(stopped) or "stopped", "aborted")
        except JBTSError as problem:
            self.note(problem.message, "failed")
        finally:
            signal.signal(signal.SIGINT, handler)
            bench.show, bench.cell, bench.emit_bundle = shown, cell, emitted

    def _stop(self, content: dict[str, Any]) -> None:
        self._bench.interrupt()

    # ---- looking back, and ahead --------------------------------------------------------------------
    def _details(self, content: dict[str, Any]) -> None:
        """One step: the page before and after it, what it said, and where everything else is."""
        results, mask = list(self._bench.history), self._bench.secrets.mask
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
        path = self._bench.home / result.screenshot.path
        return thumbnail(path.read_bytes()) if path.is_file() else result.thumbnail

    def _suggest(self, content: dict[str, Any]) -> None:
        """What could be expected now, after what changed since the step before: a page may take its time, and be
        looked at more than once."""
        bench = self._bench
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

    def _expect(self, content: dict[str, Any]) -> None:
        """A suggestion was taken."""
        line = str(content.get("line", "")).removeprefix("%")
        self._perform(line, record=True, run=bool(content.get("run")), content=content)

    # ---- the stream ---------------------------------------------------------------------------------
    def _stream(self, content: dict[str, Any]) -> None:
        if self._cast is not None:
            self._cast.stop()
            self._cast = None
        if not content.get("on"):
            return
        if self._bench.secrets.values:
            self.note("secrets are known, and a stream cannot cover them: the picture after each step stays")
            self.send({"is": "stream", "on": False})
            return
        with self._bench.looking(BUSY_SECONDS) as session:
            if session is None:
                return
            try:
                self._cast = Screencast(session, self._frame)
            except Unsupported as problem:
                self.note(problem.message)
                self.send({"is": "stream", "on": False})

    def _frame(self, data: str) -> None:
        if self._bench.secrets.values:  # one became known meanwhile
            if self._cast is not None:
                self._cast.stop()
            self.send({"is": "stream", "on": False})
            return
        self.send({"is": "frame"}, [base64.b64decode(data)])

    def _taken(self, content: dict[str, Any]) -> None:
        if self._cast is not None:
            self._cast.taken()

    def _follow(self, session: Session) -> None:
        """The stream is of the tab that steps run in."""
        if self._cast is not None and self._cast.handle != session.handle:
            self._cast.stop()
            self._cast = Screencast(session, self._frame)

    # ---- where it is shown --------------------------------------------------------------------------
    def _aside(self, content: dict[str, Any]) -> None:
        if not self._lab.aside(self, "JBTS"):
            self.note("only JupyterLab has a side bar for the panel", "error")

    def _save(self, content: dict[str, Any]) -> None:
        self._lab.save()

    def bundle(self) -> display.Bundle:
        """The panel as an output; its plain picture stands below."""
        return output_of(self)


_ASKED: Mapping[str, Callable[[LivePanel, dict[str, Any]], None]] = {
    "hello": LivePanel._hello, "refresh": LivePanel._refresh, "hover": LivePanel._hover, "pick": LivePanel._pick,
    "elements": LivePanel._elements, "write": LivePanel._write, "drive": LivePanel._drive, "line": LivePanel._do,
    "go": LivePanel._go, "again": LivePanel._again, "stop": LivePanel._stop, "details": LivePanel._details,
    "suggest": LivePanel._suggest, "expect": LivePanel._expect, "stream": LivePanel._stream, "taken": LivePanel._taken,
    "aside": LivePanel._aside, "save": LivePanel._save, "frames": LivePanel._frames,
    "tabs": LivePanel._tabs, "screens": LivePanel._screens,
}  # fmt: skip


def _own_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs cells, on whose thread this is called; None outside a kernel."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _in_the_panel(result: StepResult) -> None:
    """The panel has shown it already."""


def _webp(png: bytes) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=0)
    return buffer.getvalue()


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
