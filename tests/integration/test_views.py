"""Live views: what each shows, what its controls do, and the plain twin that a cell keeps of it."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from PIL import Image

from jbts_kernel import baselines
from jbts_kernel.broadcast.follower import Follower
from jbts_kernel.browser import capture
from jbts_kernel.config import JBTS
from jbts_kernel.dashboardview import DashboardView
from jbts_kernel.errors import HubProblem
from jbts_kernel.eventview import KEPT, EventsView
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.view import VIEW_MIME, View
from jbts_kernel.workbench import Workbench

HOSTILE = "<img src=x onerror=alert(1)>"
LINES = {
    "results latest": "&lt;img",
    "results failures": "&lt;img",
    "query from steps": "&lt;img",
    "dashboard": "&lt;img",
    "events tail 5": "&lt;img",
    "accept --review": "%accept",
    "health": "headless",
}
"""What a person types for each view, and what its twin says."""


class Sitting:
    """A workbench with a person at it, what its cells showed and what its views sent."""

    def __init__(self, home: Path, sent: list[dict[str, Any]]) -> None:
        self.shown: list[dict[str, Any]] = []
        self.sent = sent
        settings = JBTS(environ={}, broadcaster="thread")
        self.bench = Workbench(settings, home=home, environ={"JPY_SESSION_NAME": "/x.ipynb"})
        self.bench.emit_bundle = lambda bundle: self.shown.append(dict(bundle))

    def cell(self, line: str) -> list[dict[str, Any]]:
        """The outputs of a cell, in their order."""
        self.shown.clear()
        value = self.bench.line(line)
        if value is not None:
            self.shown.append(dict(value._repr_mimebundle_()))
        return list(self.shown)

    def view(self, line: str) -> View:
        """The view that a line shows."""
        self.cell(line)
        ident = next(b[VIEW_MIME]["model_id"] for b in reversed(self.shown) if VIEW_MIME in b)
        return next(v for kind in View._living.values() for v in kind if v.model_id == ident)


def active(html: str) -> list[str]:
    """What in some HTML would run, or load from somewhere."""
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            said = dict(attrs)
            bad = [name for name in said if name.startswith("on") or name in ("href", "action", "srcset")]
            foreign = not str(said.get("src", "data:")).startswith("data:")
            if tag in ("script", "iframe", "object", "link", "form") or bad or foreign:
                found.append(f"{tag} {attrs}")

    Parser().feed(html)
    return found


def press(view: View, do: str, **data: object) -> None:
    """What the front end sends when somebody presses a control."""
    view._hear(None, {"do": do, **{name: str(value) for name, value in data.items()}}, [])


@pytest.fixture
def sit(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sitting]:
    """A project with a failed test of a hostile name, a picture of it, and two snapshots that differ."""
    png = io.BytesIO()
    Image.new("RGB", (300, 200), (200, 30, 30)).save(png, "PNG")
    digest = capture.store(home, png.getvalue(), "failure", "image/png").artifact
    log = Log(home)
    error = {"error_type": "E", "error_message": HOSTILE, "error_fingerprint": "f", "status": "failed"}
    step = {"verb": "click", "name": HOSTILE, "locator": "#go", "duration_ms": 10.0, "screenshot": digest, "ordinal": 1}
    about = {"test_name": HOSTILE, "history_id": "h", "attempt": 1, "duration_ms": 1500.0}
    log.emit(
        Event("step.finished", {**step, **error}, "r", "e1", "s1"),
        Event("execution.finished", {**about, **error}, "r", "e1"),
    )
    log.close()
    for name, suffix, old, new in (
        ("shop", ".png", _png(60), _png(40)),
        (HOSTILE, ".aria.yml", b"- old <b>\n", b"- new <script>\n"),
    ):
        baseline = home.parent / "__snapshots__" / f"{baselines.slug(name)}{suffix}"
        baselines.write(baseline, old)
        kept = capture.store(home, new, "actual", "image/png" if suffix == ".png" else "text/plain")
        baselines.differs(home, name, baseline, home / kept.path)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(View, "send", lambda self, content, buffers=None: sent.append(content))
    sitting = Sitting(home, sent)
    yield sitting
    sitting.bench.close()
    for living in View._living.values():
        while living:
            living.pop().close()


def _png(height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (90, height), (height, 200, 30)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.browser
@pytest.mark.parametrize("line", LINES)
def test_every_view_has_a_plain_twin(sit: Sitting, line: str) -> None:
    """The view is an output of its own and says nothing as text; its twin comes next, runs nothing, and is what an
    exported notebook shows, once, with what a page said as text."""
    outputs = sit.cell(line)
    place = next(i for i, bundle in enumerate(outputs) if VIEW_MIME in bundle)
    assert set(outputs[place]) == {VIEW_MIME, "text/plain"} and outputs[place]["text/plain"] == ""
    twin = outputs[place + 1]
    assert VIEW_MIME not in twin and twin["text/plain"].strip()
    html = twin["text/html"]
    assert '<div class="jbts-twin">' in html and LINES[line] in html
    assert not active(html) and "<button" not in html and "<input" not in html
    cells = [nbformat.v4.new_output("display_data", data=data) for data in outputs]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line, outputs=cells)])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(made)
    assert page.count('<div class="jbts-twin">') == 1 and VIEW_MIME not in page
    assert not active(next(v for kind in View._living.values() for v in kind).body())


def test_where_nobody_looks_on_there_are_twins_alone(sit: Sitting) -> None:
    """A run that nobody watches makes no widget at all."""
    sit.bench.environ = {"JBTS_MODE": "suite", "JPY_SESSION_NAME": "/x.ipynb"}
    for line in ("results latest", "query from steps", "dashboard", "accept --review"):
        assert not any(VIEW_MIME in bundle for bundle in sit.cell(line))


def test_a_row_opens_to_its_evidence(sit: Sitting) -> None:
    """A failure shows its picture small in the row; opened, what went wrong, where, and the steps of its test."""
    view = sit.view("results failures")
    assert 'src="data:image/webp;base64,' in view.body() and "e1" not in view.body()
    press(view, "open", row=0)
    opened = view.body()
    assert 'aria-expanded="true"' in opened and "click #go" in opened and "&lt;img src=x" in opened
    assert opened.count('src="data:image/webp') == 3
    press(view, "open", row=0)
    assert 'aria-expanded="true"' not in view.body()
    latest = sit.view("results latest")
    press(latest, "open", row="0")
    assert "click #go" in latest.body()


def test_the_dashboard_takes_other_days(sit: Sitting) -> None:
    """Days are chosen from a few, and a number that is none is the nearest there is."""
    view = sit.view("dashboard --days 14")
    assert '<button type="button" data-do="days" data-days="14" data-key="days14" aria-pressed="true">' in view.body()
    for asked, days in ((7, 7), (0, 1), (10**9, 92)):
        press(view, "days", days=asked)
        assert re.search(rf'data-days="{days}"[^>]*aria-pressed="true"', view.body())


def test_a_snapshot_is_accepted_where_it_is_seen(sit: Sitting, home: Path) -> None:
    """Expected, actual and what is different; accepted, the baseline is what was seen, the log says so, and the other
    one still waits."""
    view = sit.view("accept --review")
    body = view.body()
    assert body.count("<figure>") == 3 and '<span class="jbts-new">+- new &lt;script&gt;</span>' in body
    one = next(p for p in baselines.pending(home) if p.name == "shop")
    press(view, "slide", which=one.record.stem)
    assert 'type="range"' in view.body()
    press(view, "accept", which=one.record.stem)
    assert one.baseline.read_bytes() == _png(40)
    assert [p.name for p in baselines.pending(home)] == [HOSTILE]
    assert '"kind":"baseline"' in "".join(p.read_text() for p in (home / "spool").glob("*.jsonl"))
    press(view, "accept", which=one.record.stem)
    assert "does not wait any more" in str(sit.sent[-1])


def event(offset: int, kind: str, **data: Any) -> dict[str, Any]:
    return {
        "type": "test_execution_event", "event_type": kind, "test_execution_id": "e9", "data": data,
        "timestamp": "2026-01-02T03:04:05Z", "epoch": "x", "offset": offset,
    }  # fmt: skip


def test_events_go_on(sit: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens in the project arrives in the list, a step that is over in the place of the step that ran; a new
    list ends the one before."""
    arrived = threading.Event()
    take = EventsView._arrived

    def heard(view: EventsView, events: Sequence[dict[str, Any]]) -> None:
        take(view, events)
        if "failed" in view.body() and "fresh" in view.body():
            arrived.set()

    monkeypatch.setattr(EventsView, "_arrived", heard)
    view = sit.view("events tail 5")
    for kind, status in (("step.started", "running"), ("step.finished", "failed")):
        sit.bench.log.emit(Event(kind, {"verb": "click", "name": "fresh", "status": status}, "r", "e1", "s9"))
    assert arrived.wait(30)
    assert view.body().count("fresh") == 1
    assert any("fresh" in html for told in sit.sent if told["is"] == "lines" for _, html in told["lines"])
    first = view._follower._thread  # type: ignore[attr-defined]
    sit.view("events tail 5")
    assert not first.is_alive()


def quiet(take: Callable[..., None], lost: Callable[[HubProblem], None]) -> Follower:
    class Nobody:
        def stop(self) -> None:
            """There is nothing to end."""

    return Nobody()  # type: ignore[return-value]


def test_events_are_bounded_and_failures_stand_out(sit: Sitting) -> None:
    """The newest are kept, whatever comes; failures alone can be shown; a gap is told."""
    view = EventsView([], quiet)
    view._arrived([event(i, "progress", name=f"step {i}", step_id=f"s{i}", status="passed") for i in range(500)])
    view._arrived([event(500, "progress", name="bad", step_id="b", status="failed", error_message=HOSTILE)])
    view._arrived([{"type": "gap", "from": 1, "to": 9, "epoch": "x"}, {"type": "other", "data": 3}])
    assert view.body().count("<li") == KEPT and "step 499" in view.body() and "step 100<" not in view.body()
    assert "events 1 to 9 are no longer kept" in view.body()
    press(view, "bad")
    assert view.body().count("<li") == 1 and "&lt;img" in view.body() and 'aria-pressed="true"' in view.body()


def test_views_that_live_are_bounded(sit: Sitting) -> None:
    """A cell that runs again and again leaves no more than a few views alive; the oldest end."""
    made = [DashboardView(sit.bench.results, 7) for _ in range(View.most_live + 3)]
    assert [view.comm is None for view in made] == [True] * 3 + [False] * View.most_live
