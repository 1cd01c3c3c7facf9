"""Pointing at a real page: what lies there, how it is named, and a panel that writes, drives and looks back."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from jbts_kernel.browser import pointing
from jbts_kernel.completion import complete, live_locators
from jbts_kernel.errors import Interrupted
from jbts_kernel.models import StepResult
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
    assert panel.ask("elements")["elements"]["elements"][0]["locator"] == "testid=save"
    pick = panel.ask("pick", x=20, y=10)["pick"]
    assert [offer["label"] for offer in pick["offers"]][:4] == ["click", "expect text", "expect visible", "read"]
    assert panel.ask("pick", locator="#map")["pick"]["kind"] == "canvas"
    assert "expect title" in str(panel.ask("pick", x=20, y=700)["pick"]["offers"])
    assert panel.ask("nonsense") == {} and panel.ask("pick", x=20, y=10, locator="//[")["note"]["tone"] == "error"
    assert len(trial.records()) == before


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
    assert panel.ask("refresh")["picture"]["screen"] == "window 1000x700"
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
    assert details["pictures"] == ["before", "after"] and details["console"] == ["error: pressed"]
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
