"""Pointing at a real page: what lies there, how it is named, and a panel that writes, drives and looks back."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from jbts_kernel import widgets
from jbts_kernel.browser import pointing
from jbts_kernel.completion import complete, live_locators
from jbts_kernel.errors import Interrupted
from jbts_kernel.models import StepResult
from jbts_kernel.pointing import INDENT
from jbts_kernel.widgets import LivePanel

from .conftest import Trial

NAMED = """
<style>body { margin: 0 } button, input, span, a { position: absolute; left: 10px; width: 200px; height: 20px }</style>
<button style="top: 0" data-testid="save" id="b1">Save</button>
<button style="top: 30px" aria-label="Close the box">x</button>
<label for=mail style="position: absolute; top: 60px; left: 300px">E-mail</label><input id=mail style="top: 60px">
<input style="top: 90px" placeholder="Search here">
<span style="top: 120px">Only once</span>
<span style="top: 150px" id=twice>Twice</span><span style="top: 180px">Twice</span>
<span style="top: 210px" id=react-12345><b></b></span>
<input type=password aria-label="Your password" style="top: 240px">
<canvas id=map style="position: absolute; left: 10px; top: 270px" width=200 height=60></canvas>
<input type=color aria-label=Colour style="top: 370px">
<a style="top: 340px" href="#there"><img alt="" width=20 height=20> Go there</a>
"""


FRAMED = """
<style>body { margin: 0 } iframe { margin: 50px; border: 10px solid }</style>
<iframe srcdoc="<style>body { margin: 0 }</style><button style='width: 80px; height: 30px'>In it</button>"></iframe>
<div id=host></div><script>host.attachShadow({ mode: "open" }).innerHTML = "<i><b>deep</b></i>"</script>
"""


def hit(trial: Trial, y: float, *, deep: bool = False, x: float = 20) -> dict[str, Any]:
    return pointing.hit(trial.bench.session, (x, y), "data-testid", deep=deep)


def test_the_best_name_comes_first(trial: Trial) -> None:
    """Test id, role and name, label, placeholder, text, then CSS; what means several is never first; ids that are
    counted up are not used; and each locator finds what was pointed at."""
    trial.open(NAMED)
    wanted = {
        10: "testid=save", 40: 'role=button[name="Close the box"]', 70: 'role=textbox[name="E-mail"]',
        100: 'role=textbox[name="Search here"]', 130: 'text="Only once"', 160: "#twice",
        250: 'role=textbox[name="Your password"]', 381: 'label="Colour"',
    }  # fmt: skip
    for y, best in wanted.items():
        assert hit(trial, y)["locators"][0]["locator"] == best
        every = hit(trial, y, deep=True)["locators"]
        assert every[0] == {**every[0], "locator": best, "count": 1}
        counts = [one["count"] for one in every]
        assert all(count == trial.page.count(one["locator"]) for one, count in zip(every, counts, strict=True))
        assert [n == 1 for n in counts] == sorted((n == 1 for n in counts), reverse=True)
    twice = hit(trial, 160, deep=True)["locators"]
    assert {"engine": "text", "locator": 'text="Twice"', "count": 2} in twice
    assert not [one for one in hit(trial, 220, deep=True)["locators"] if "react" in one["locator"]]
    assert hit(trial, 351)["tag"] == "a"  # not the picture in it
    assert hit(trial, 700)["state"] == "nothing"
    trial.js("b1.dataset.testid = 'kept', document.querySelector('[aria-label]').ariaLabel = 'Other'")
    assert [hit(trial, y)["locators"][0]["locator"] for y in (10, 40)] == ["testid=kept", 'role=button[name="Other"]']
    assert trial.js("'jbtsNames' in window") is False


def test_frames_and_shadow_roots(trial: Trial) -> None:
    """A point in the current frame is named within it, its box is on the tab's picture; a shadow root is entered."""
    trial.open(FRAMED)
    assert hit(trial, 70, x=70)["kind"] == "frame"
    trial("frame iframe")
    found = hit(trial, 70, x=70)
    assert found["locators"][0]["locator"] == 'role=button[name="In it"]'
    assert (found["box"]["x"], found["box"]["y"], found["box"]["width"]) == (60, 60, 80)
    trial("frame main")
    deep = pointing.hit(trial.bench.session, "#host >> b", "data-testid", deep=True)
    css = [one for one in deep["locators"] if one["engine"] == "css"]
    assert css[0]["locator"].startswith("#host >> ") and trial.page.count(css[0]["locator"]) == 1


def test_the_page_completes_locators(trial: Trial) -> None:
    """A line offers what is on the page, each locator as it has to be typed, and only what begins as was typed."""
    trial.open(NAMED)
    live = live_locators(trial.bench)
    lines = (
        "%click role=bu",
        "%click te",
        "%click '#",
        '%expect label="Your p',
        "%type ",
        '%click role=button[name="Cl',
    )
    answered = {line: complete(line, (), live=live) or ("", []) for line in lines}
    assert answered["%click role=bu"] == ("role=bu", ['role=button[name="Save"]', 'role=button[name="Close the box"]'])
    assert 'text="Only once"' not in str(answered["%click te"]) and "testid=" in answered["%click te"][1]
    assert answered["%click '#"] == ("'#", ["'#b1'", "'#mail'", "'#twice'", "'#map'"])
    assert answered['%expect label="Your p'] == ('label="Your p', ['label="Your password"'])
    assert {"testid=save", "role="} <= set(answered["%type "][1])
    assert answered['%click role=button[name="Cl'][1] == ['role=button[name="Close the box"]']
    assert [row["verb"] for row in trial.rows()] == ["navigate"]


class Panel(LivePanel):
    """A panel whose front end is this test."""

    def __init__(self, trial: Trial) -> None:
        self.said: list[tuple[dict[str, Any], list[bytes]]] = []
        self.heard = threading.Condition()
        super().__init__(trial.bench)
        trial.bench.panel = self

    def send(self, content: dict[str, Any], buffers: Any = None) -> None:
        with self.heard:
            self.said.append((content, list(buffers or [])))
            self.heard.notify_all()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Everything that is answered, by its kind; the newest of each."""
        self.said.clear()
        self._hear(self, {"do": do, **more}, [])
        return {content["is"]: content for content, _ in self.said}

    def insist(self, do: str, wanted: str, **more: Any) -> dict[str, Any]:
        """Ask until there is an answer that has what is wanted: a look gives up soon, so that a person can go on,
        and a slow engine on a loaded machine may not have looked by then."""
        deadline = time.monotonic() + 60
        while True:
            said = self.ask(do, **more)
            for content in said.values():
                if content.get(wanted):
                    return content
            assert time.monotonic() < deadline, said

    def wait(self, kind: str, number: int = 1) -> list[bytes]:
        with self.heard:
            assert self.heard.wait_for(lambda: sum(c["is"] == kind for c, _ in self.said) >= number, 20), self.said
            return [b for c, b in self.said if c["is"] == kind][number - 1]


@pytest.fixture
def panel(trial: Trial) -> Panel:
    trial.bench.settings.screenshots = "always"
    trial.bench.show = lambda result: None
    return Panel(trial)


def test_looking_leaves_no_trace(trial: Trial, panel: Panel) -> None:
    """Opening the panel, hovering, a picture, the list of elements and a pick are answered and recorded nowhere."""
    assert panel.ask("refresh")["picture"] == {"is": "picture", "none": True, "busy": False, "late": False}
    assert trial.bench.sessions == {}  # and no browser started for it
    trial.open(NAMED, title="<b>hostile</b>")
    before = len(trial.records())
    state = panel.ask("hello")["state"]
    assert (state["steps"][0]["status"], state["test"], state["running"]) == ("passed", "interactive", "")
    picture = panel.ask("refresh")["picture"]
    assert (picture["title"], picture["width"], picture["height"], picture["tabs"]) == (
        "<b>hostile</b>", 1280, 800, ["<b>hostile</b>"],
    )  # fmt: skip
    with Image.open(io.BytesIO(panel.wait("picture")[0])) as image:
        assert image.size == (1280, 800)
    assert panel.ask("hover", x=20, y=10)["hover"]["locators"] == [{"locator": "testid=save", "count": 1}]
    assert panel.ask("elements")["list"]["entries"][0]["ask"]["locator"] == "testid=save"
    pick = panel.ask("pick", x=20, y=10)["pick"]
    assert [offer["label"] for offer in pick["offers"]][:4] == ["click", "expect text", "expect visible", "read"]
    assert panel.ask("pick", locator="#map")["pick"]["kind"] == "canvas"
    assert "expect title" in str(panel.ask("pick", x=20, y=700)["pick"]["offers"])
    assert panel.ask("nonsense") == {} and panel.ask("pick", x=20, y=10, locator="//[")["note"]["tone"] == "error"
    assert len(trial.records()) == before


def test_what_changed_while_a_look_waited(trial: Trial, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that waits until a step has ended is a look after that step: what the step changed is offered then, and at
    the next look, too."""
    monkeypatch.setattr(widgets, "BUSY_SECONDS", 30)
    trial.open(NAMED + "<script>b1.onclick = () => { twice.textContent = 'Saved it' }</script>")
    panel.ask("suggest")
    waiting, looking = threading.Event(), trial.bench.looking

    def look(patience: float) -> Any:
        waiting.set()
        return looking(patience)

    monkeypatch.setattr(trial.bench, "looking", look)
    late = threading.Thread(target=lambda: panel._hear(panel, {"do": "suggest"}, []))
    with trial.bench.turn:
        late.start()
        assert waiting.wait(30)
        trial("click #b1")
    late.join(30)
    for _ in range(2):
        assert '%expect #twice text "Saved it"' in panel.ask("suggest")["suggest"]["lines"]


def test_what_is_chosen_runs_as_a_step(trial: Trial, panel: Panel) -> None:
    """Without a notebook to write into, a chosen line is run through the one pipeline, and shown to be copied."""
    trial.open(
        NAMED + "<script>b1.onclick = () => { document.title = 'saved'; twice.textContent = 'Saved it' }</script>"
    )
    panel.ask("suggest")
    said = panel.ask("write", head="click", locator="testid=save", run=True)
    assert said["wrote"] == {"is": "wrote", "line": "%click testid=save", "written": False}
    assert said["step"]["step"]["source"] == "click testid=save" and trial.js("document.title") == "saved"
    assert panel.ask("suggest")["suggest"]["lines"][:2] == ["%expect title saved", '%expect #twice text "Saved it"']
    assert panel.ask("expect", line='%expect #twice text "Saved it"', run=True)["step"]["step"]["status"] == "passed"
    assert panel.ask("drive", x=20, y=70)["fill"]["head"] == "type"
    panel.ask("write", head="type", locator="#mail", asks="text", given='a "b" ${HOME}', run=True)
    assert trial.js("mail.value") == 'a "b" ${HOME}'
    assert panel.ask("drive", x=60, y=290)["step"]["step"]["source"] == "click #map --at 50,20"
    trial.js("mail.focus()")
    assert panel.ask("drive", locator=":focus", typed="x")["fill"]["typed"] == "x"
    trial.js("document.activeElement.blur()")
    assert "no field" in panel.ask("drive", locator=":focus", typed="x")["note"]["text"]
    assert panel.ask("line", line="window 1000x700", record=True)["wrote"]["line"] == "%window 1000x700"
    assert panel.ask("refresh")["places"]["screens"] == "1000x700"
    assert "browser --device" in str(panel.ask("screens")["list"]["entries"])
    assert panel.ask("line", line="expect title other --timeout 0.1")["note"]["tone"] == "failed"
    assert "did you mean" in panel.ask("line", line="clik #map")["note"]["text"]
    assert [row["verb"] for row in trial.rows()] == ["navigate", "click", "expect", "type", "click", "window", "expect"]


def test_a_page_that_comes_late_is_looked_at_again(trial: Trial, panel: Panel) -> None:
    """What is new is told against the step before, however often the page is looked at; numbers are counted; and a
    picture says whether it is another one."""
    trial.open("<button id=b>b</button><ul id=l><li>one<li>two</ul>")
    panel.ask("suggest")
    trial.js("b.onclick = () => { l.innerHTML += '<li>three' }; 1")
    assert panel.ask("refresh")["picture"]["moved"] and not panel.ask("refresh")["picture"]["moved"]
    trial("click #b")
    wanted = ['%expect text="three" visible', "%expect role=listitem count 3"]
    assert panel.ask("suggest")["suggest"]["lines"] == panel.ask("suggest")["suggest"]["lines"]
    assert panel.ask("suggest")["suggest"]["lines"] == wanted
    trial(wanted[1].removeprefix("%"))
    assert panel.ask("suggest")["suggest"]["lines"] == []


def test_a_password_becomes_a_secret(trial: Trial, panel: Panel) -> None:
    """What is typed into a password field goes into the page and into nothing else: the line names it."""
    trial.open(NAMED)
    secret = "hunter2-and-more"
    fill = panel.ask("drive", x=20, y=250)["fill"]
    assert (fill["asks"], fill["name"]) == ("password", "Your password")
    said = panel.ask(
        "write", head="type", locator=fill["locator"], asks="password", given=secret, name=fill["name"], run=True
    )
    assert said["wrote"]["line"] == '%type role=textbox[name="Your password"] ${YOUR_PASSWORD}'
    assert trial.js("document.querySelector('[type=password]').value") == secret
    trial.js(f"document.title = {secret!r}")
    panel.ask("refresh")
    assert panel.ask("stream", on=True)["stream"] == {"is": "stream", "on": False}
    assert secret not in str(panel.said) and secret not in str(trial.records())


def test_looking_back_and_running_again(trial: Trial, panel: Panel) -> None:
    """A step of the timeline shows the page before and after it; run again from there, the page is as it was then."""
    trial.open("<input id=a><button onclick='a.value += 1; console.error(\"pressed\")'>Add</button>")
    for _ in range(2):
        trial('click role=button[name="Add"]')
    first, second = [r for r in trial.bench.history if r.step.verb == "click"]
    details = panel.ask("details", id=second.step_id)["details"]
    assert details["pictures"] == ["before", "after"] and ["Console", ["error: pressed"]] in details["rows"]
    assert trial.js("a.value") == "11"
    panel.ask("again", ordinal=second.ordinal)
    assert trial.js("a.value") == "11"  # back to 1, and once more
    panel.ask("again", ordinal=first.ordinal)
    assert [r.step.verb for r in trial.bench.history][-4:] == ["restore", "click", "click", "click"]


def test_stop_ends_the_step(trial: Trial, panel: Panel) -> None:
    """Stop, from another thread while a step waits, interrupts that step; the page and the next step are untouched."""
    trial.open("<button id=b>b</button>")

    def stop() -> None:
        while "GET /hang" not in trial.site.seen:
            threading.Event().wait(0.02)
        panel.ask("stop")

    trial.site.seen.clear()
    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    with pytest.raises(Interrupted):
        trial("navigate /hang --timeout 60")
    stopper.join(20)
    assert trial.last.status == "aborted"
    trial("click #b")
    assert panel.ask("stop") == {}


def test_a_look_does_not_meet_a_step(trial: Trial, panel: Panel) -> None:
    """While a step has the browser, hovering and pictures are told so at once, and disturb nothing."""
    trial.open("<button id=b>b</button>")
    seen: list[Any] = []

    def look(result: StepResult) -> None:
        thread = threading.Thread(target=lambda: seen.extend([panel.ask("hover", x=1, y=1), panel.ask("refresh")]))
        with trial.bench.turn:
            thread.start()
            thread.join(20)

    trial.bench.show = look
    trial("click #b")
    assert [seen[0]["hover"]["state"], seen[1]["picture"]["none"]] == ["busy", True]


def test_the_stream_waits_for_its_reader(trial: Trial, panel: Panel) -> None:
    """One picture is on its way at a time; the next comes when that was taken, and none after the end."""
    trial.open("<p id=p>0</p><script>setInterval(() => p.textContent = Number(p.textContent) + 1, 20)</script>")
    panel.said.clear()
    panel._hear(panel, {"do": "stream", "on": True}, [])
    with Image.open(io.BytesIO(panel.wait("frame")[0])) as image:
        assert image.format == "JPEG"
    trial.until("Number(p.textContent) > 20")
    sent = sum(content["is"] == "frame" for content, _ in panel.said)
    assert sent <= 3  # the browser itself keeps two on their way
    panel._hear(panel, {"do": "taken"}, [])
    panel.wait("frame", sent + 1)
    panel._hear(panel, {"do": "stream", "on": False}, [])
    assert trial.bench.session.browser.screencasts == {}


def test_other_engines_are_pointed_at_too(make_trial: Callable[..., Trial], tmp_path: Any) -> None:
    """An engine without a second channel answers the same questions, and says that it has no stream."""
    trial = make_trial(tmp_path / "plain", browser="webkitgtk")
    try:
        trial.open(NAMED)
        panel = Panel(trial)
        assert panel.insist("pick", "locators", x=20, y=10)["locators"][0]["locator"] == "testid=save"
        assert "DevTools" in panel.ask("stream", on=True)["note"]["text"]
        assert panel.insist("refresh", "width")["width"] > 0
    finally:
        trial.bench.close()


FRAMES = """
<style>iframe:not([hidden]) {{ display: block; width: 200px; height: 60px }}</style><button id=b>Outside</button>
<iframe name=pay title="Card details" srcdoc="<button>Pay</button>"></iframe>
<iframe srcdoc="<iframe id=inner srcdoc='<button>Deep</button>'></iframe>"></iframe>
<iframe src="{other}/frame-inner.html"></iframe><iframe src="{other}/frame-inner.html"></iframe>
<iframe hidden id=unseen></iframe>
"""


def test_tabs_are_chosen(trial: Trial, panel: Panel) -> None:
    """Where there are several tabs the panel says in which one steps run; choosing another is a line like any other."""
    trial.open("<h1>First</h1>", title="first")
    assert panel.ask("refresh")["places"]["tabs"] == ""
    trial("tab new")
    trial.open("<h1>Second</h1>", title="second")
    assert panel.ask("refresh")["places"]["tabs"] == "tab 1: second"
    entries = panel.ask("tabs")["list"]["entries"]
    assert [(one["text"], one["here"]) for one in entries] == [("first", False), ("second", True)]
    said = panel.ask(**entries[0]["ask"], record=True)
    assert said["wrote"]["line"] == "%tab 0" and said["step"]["step"]["status"] == "passed"
    assert panel.ask("refresh")["places"]["tabs"] == "tab 0: first"


def test_frames_are_entered_and_left(trial: Trial, panel: Panel) -> None:
    """The frames of the tab are listed, those in others below them and those of other sites too, each with the lines
    that go there from where the steps run; what can be seen by nobody is not, and looking leaves no trace."""
    trial.open(FRAMES.format(other=trial.site.other_url))
    trial.page.expect("iframe >> nth=3", "visible")
    before = len(trial.records())
    choices = panel.ask("frames")["list"]["entries"]
    other = trial.site.other_url.removeprefix("http://") + "/frame-inner.html"
    assert [one["text"].replace(INDENT, "> ") for one in choices] == [
        "the page", "> Card details", "> body > iframe:nth-of-type(2)", "> > inner",
        f"> {other} \u00b7 body > iframe:nth-of-type(3)", f"> {other} \u00b7 body > iframe:nth-of-type(4)",
    ]  # fmt: skip
    assert choices[3]["ask"]["line"] == 'frame "body > iframe:nth-of-type(2)"\nframe #inner'
    assert [round(choices[3]["box"][side]) for side in ("width", "height")] == [300, 150]
    assert panel.ask("refresh")["places"]["frames"] == "in the page" and len(trial.records()) == before
    for place in (3, 1, 4, 2, 3):
        asked = panel.ask("frames")["list"]["entries"][place]["ask"]
        said = panel.ask(**asked, record=True)
        assert said["wrote"]["line"] == "%" + asked["line"].replace("\n", "\n%")
        assert [one["here"] for one in panel.ask("frames")["list"]["entries"]].index(True) == place
    assert asked["line"] == "frame #inner" and panel.ask("refresh")["places"]["frames"] == "in inner"
    assert [row["status"] for row in trial.rows() if row["verb"] == "frame"] == ["passed"] * 9
    trial.js("document.querySelectorAll('iframe')[1].remove()")
    gone = panel.ask("frames")["list"]["entries"]
    assert (gone[-1]["text"].strip(), gone[0]["ask"]["line"]) == ("a frame that is gone", "frame main")
    panel.ask(**gone[0]["ask"])
    assert [one["here"] for one in panel.ask("frames")["list"]["entries"]] == [True, False, False, False]


PRESSED = """
<style>
  body { margin: 0; user-select: none } div, canvas { position: absolute; width: 100px; height: 40px; background: #ccd }
</style>
<div id=a></div><div id=z style="left: 200px"></div>
<div id=track style="top: 100px; width: 400px"><div id=thumb></div></div><canvas id=c style="top: 200px"></canvas>
<script>
  said = [];
  for (const name of ["click", "dblclick", "contextmenu"]) addEventListener(name, (e) => said.push(name + e.target.id));
  addEventListener("contextmenu", (e) => e.preventDefault());
  addEventListener("mousedown", (e) => { from = e.clientX; });
  addEventListener("mouseup", (e) => { if (e.clientX !== from) said.push(`drag ${e.target.id} ${e.clientX - from}`); });
</script>
"""


def test_other_presses_than_a_click(trial: Trial, panel: Panel) -> None:
    """A double press, the right button and a drag are lines of their own: onto another element by its name, along
    itself or within what holds it by the distance; the menu of an element has them too."""
    trial.open(PRESSED)
    done = {
        "click #a --double": {"x": 20, "y": 20, "how": "double"},
        "click #a --right": {"x": 20, "y": 20, "how": "right"},
        "click #c --at 30,20 --right": {"x": 30, "y": 220, "how": "right"},
        "drag #a #z": {"x": 20, "y": 20, "to": {"x": 240, "y": 10}},
        "drag #thumb --by 150,0": {"x": 50, "y": 120, "to": {"x": 200, "y": 120}},
        "drag #a --by 300,400": {"x": 50, "y": 20, "to": {"x": 350, "y": 420}},
    }  # fmt: skip
    for line, where in done.items():
        said = panel.ask("drive", **where, record=True)
        assert (said["wrote"]["line"], said["step"]["step"]["status"]) == (f"%{line}", "passed")
    told = trial.js("said.filter((line) => !line.startsWith('click'))")
    assert told == ["dblclicka", "contextmenua", "contextmenuc", "drag z 200", "drag track 150", "drag  300"]
    assert "nothing" in panel.ask("drive", x=700, y=700, how="double")["note"]["text"]
    offered = {one["label"]: one for one in panel.ask("pick", locator="#a")["pick"]["offers"]}
    assert {"double click", "right click", "drag onto \u2026"} <= set(offered)
    onto = offered["drag onto \u2026"]
    said = panel.ask("write", head=onto["head"], asks=onto["asks"], locator="#a", given="#z", run=True)
    assert said["step"]["step"]["source"] == "drag #a #z" and said["step"]["step"]["status"] == "passed"


def test_no_outline_on_another_page(trial: Trial, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the page goes on to another just as its picture is taken, the element pressed on the old one is outlined
    neither in the step's card nor in the panel; and a picture tells one document from the next, also at one address."""
    trial.open("<button id=b>b</button>")
    session = trial.bench.session
    born = panel.ask("refresh")["picture"]["born"]
    assert panel.ask("hover", x=12, y=12)["hover"]["born"] == born
    trial("click #b")
    assert trial.last.box is not None
    take = session.picture

    def late(timeout: float) -> bytes:
        trial.js("location.reload()")
        trial.until(f"performance.timeOrigin !== {born} && document.readyState === 'complete'")
        return take(timeout)

    monkeypatch.setattr(session, "picture", late)
    assert panel.ask("line", line="click #b")["step"]["step"]["box"] is None
    assert trial.last.screenshot is not None and trial.last.box is None and 'class="jbts-box' not in trial.card().html
    monkeypatch.undo()
    assert panel.ask("refresh")["picture"]["born"] != born


def test_a_busy_page_is_looked_at_again(trial: Trial, panel: Panel) -> None:
    """A page that did not answer in time is not given up: the next look shows it, and what hung is still looked into
    by the next step."""
    trial.open("<button id=b>b</button>")
    driver = trial.bench.session.browser.patience
    driver.suspect()
    picture = panel.ask("refresh")["picture"]
    assert picture["width"] == 1280 and driver.abandoned_at is not None
    assert panel.ask("hover", x=12, y=12)["hover"]["state"] == "ready"
    trial("click #b")
    assert driver.abandoned_at is None
