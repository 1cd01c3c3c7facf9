"""Frames, tabs, windows and dialogs: where a step acts, and what it says when that place is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jbts_kernel.errors import StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


# ---- frames -------------------------------------------------------------------------------------
def test_nested_frames(trial: Trial) -> None:
    """Steps act in the frame entered, presses included, until main or parent leaves it."""
    trial.open("frames.html")
    trial("frame #outer")
    assert trial("text #where") == "outer"
    trial("click #press")
    trial("frame #inner")
    assert trial("text #where") == "inner"
    trial("click #press")
    trial.until("said.textContent === 'inner pressed'")
    trial("type #field 'in the inner'")
    trial("expect #field value 'in the inner'")
    trial("frame parent")
    assert trial("text #where") == "outer"
    trial("frame main")
    assert trial("text #where") == "main"
    assert {r["step_type"] for r in trial.rows() if r["verb"] == "frame"} == {"frame"}


def test_presses_in_frames_land(trial: Trial) -> None:
    """The page heard the press of each frame, also when the page is scrolled and pushed aside."""
    trial.open("frames.html")
    trial("evaluate document.body.style.padding = '900px 0 900px 120px'")
    for frames, said in ((("#outer",), "outer pressed"), (("#outer", "#inner"), "inner pressed")):
        trial("frame main")
        for frame in frames:
            trial(f"frame {frame}")
        trial("click #press")
        trial.until(f"said.textContent === '{said}'")


def test_the_outline_of_an_element_in_a_frame(trial: Trial) -> None:
    """The box in the card is where the picture shows the element, frames' insets added."""
    trial.bench.settings.screenshots = "always"
    trial.open("frames.html")
    trial("frame #outer")
    trial("frame #inner")
    trial("hover #press")
    shown = trial.last.box
    inside = """(() => { const o = document.querySelector('#outer'), i = o.contentDocument.querySelector('#inner'),
      b = i.contentDocument.querySelector('#press').getBoundingClientRect();
      const at = (e) => { const r = e.getBoundingClientRect(); return [r.x + e.clientLeft, r.y + e.clientTop]; };
      return [at(o)[0] + at(i)[0] + b.x, at(o)[1] + at(i)[1] + b.y]; })()"""
    assert shown is not None
    assert [shown.x, shown.y] == pytest.approx(trial.js(inside), abs=1)


def test_a_frame_of_another_site(trial: Trial) -> None:
    """A frame that lives in another process is entered, pressed and read like any other."""
    trial.open(
        f'<p id=said></p><iframe id=other src="{trial.site.other_url}/frame-inner.html"'
        ' style="margin:30px;height:200px"></iframe>'
        "<script>addEventListener('message', (e) => { said.textContent = e.data })</script>"
    )
    trial("frame #other")
    assert trial("text #where") == "inner"
    trial("click #press")
    trial.until("said.textContent === 'inner pressed'")
    trial("type #field words")
    trial("expect #field value words")
    trial.fails("click #nothing --timeout 0.1", "ElementNotFound")
    trial("frame main")
    trial("expect #said text 'inner pressed'")


@pytest.mark.parametrize("host", ["url", "other_url"])
def test_a_frame_that_goes_away(trial: Trial, host: str) -> None:
    """A step in a frame that was removed says so; frame main goes on."""
    trial.open(f'<h1>main</h1><iframe id=f src="{getattr(trial.site, host)}/frame-inner.html"></iframe>')
    trial("frame #f")
    trial("expect #where text inner")
    trial.js("f.remove()")
    trial.fails("click #press --timeout 1", "TabGone", "%frame main")
    trial("frame main")
    assert trial("text h1") == "main"


def test_a_frame_that_loads_another_page(trial: Trial) -> None:
    """A frame that navigates stays entered, and what it shows then is found."""
    trial.open("frames.html")
    trial("frame #outer")
    trial("evaluate setTimeout(() => { location = '/frame-inner.html' }, 100)")
    trial("expect #field visible")
    assert trial("text #where") == "inner"


def test_frames_that_are_none(trial: Trial) -> None:
    """frame takes an iframe; anything else is named."""
    trial.open("frames.html")
    trial.fails("frame #where", "StepProblem", "is a h1, not an iframe")
    trial.fails("frame #nothing --timeout 0.1", "ElementNotFound")
    trial("frame parent")
    trial("frame main")
    assert trial("text #where") == "main"


# ---- tabs ---------------------------------------------------------------------------------------
def test_tabs(trial: Trial) -> None:
    """Tabs open, are counted from 0, found by title, listed, and closed back to their opener."""
    trial.open("tabs.html")
    trial("click #link")
    trial("wait --tab")
    trial("tab title:opened")
    trial("expect h1 text Opened")
    assert [(t["tab"], t["title"], t["current"]) for t in trial("tabs")] == [(0, "Tabs", False), (1, "Opened", True)]
    trial("tab 0")
    trial("expect #link visible")
    trial("tab 1")
    trial("tab close")
    assert trial.row()["title"] == "Tabs"
    trial("click #script")
    trial("wait --tab")
    trial("tab 1")
    trial("expect url **by=script")
    assert trial.row()["url"].endswith("by=script")


def test_a_tab_of_ones_own(trial: Trial) -> None:
    """tab new opens a blank tab in the same context: cookies and storage are shared."""
    trial.open("tabs.html")
    trial("storage local set who ada")
    trial("tab new")
    assert trial.row()["url"] == "about:blank"
    trial("navigate /labels.html")
    assert trial("storage local get who") == "ada"
    trial("tab close")
    trial("expect #link visible")


def test_background_tabs_take_steps(trial: Trial) -> None:
    """A tab behind another is as usable as the one in front, and not slow."""
    trial.open("tabs.html")
    trial("click #script")
    trial("wait --tab")
    trial("click #script --timeout 60")
    assert trial.last.duration_ms < 30_000
    trial.bench.session.browser.wait_for(lambda: len(trial.bench.session.handles_now()) == 3, 5)
    assert trial("tabs")[2]["tab"] == 2


def test_a_tab_that_closes_itself(trial: Trial) -> None:
    """A step in a tab the page has closed says so; another tab goes on."""
    trial.open("tabs.html")
    trial("click #script")
    trial("wait --tab")
    trial("tab 1")
    trial("click #close")
    session = trial.bench.session
    assert session.browser.wait_for(lambda: len(session.handles_now()) == 1, 5)
    with pytest.raises(StepFailed, match="TabGone") as caught:
        trial("click #close --timeout 1")
    assert "%tab 0" in caught.value.message
    assert trial.row()["error_type"] == "TabGone"
    trial("tab 0")
    trial("expect #link visible")


def test_tabs_that_are_not_there(trial: Trial) -> None:
    """Wrong numbers, titles and words are named with what there is."""
    trial.open("tabs.html")
    trial.fails("tab 3", "TabGone", "there is no tab 3", "there are 1")
    trial.fails("tab title:nowhere --timeout 0.2", "TabGone", "'nowhere'", "'Tabs'")
    trial.fails("tab close", "StepProblem", "only tab")
    trial.refuses("tab sideways", "title:TEXT")
    trial.refuses("tab ²", "title:TEXT")
    trial.fails("wait --tab --timeout 0.2", "StepTimeout", "no tab opened")


def test_messages_of_other_tabs_belong_to_the_test(trial: Trial) -> None:
    """The console of a tab opened by the page is looked at too."""
    trial.open("tabs.html")
    trial("click #script")
    trial("wait --tab")
    trial("tab 1")
    trial("evaluate console.error('from the second tab')")
    trial("tab 0")
    trial("expect console contains 'from the second tab'")


def test_window(trial: Trial) -> None:
    """The window's size is the viewport's, in every tab."""
    trial.open("<h1>x</h1>")
    trial("window 390x844")
    assert trial.js("[innerWidth, innerHeight]") == [390, 844]
    trial("tab new")
    assert trial.js("[innerWidth, innerHeight]") == [390, 844]
    trial.refuses("window big", "WIDTHxHEIGHT")


# ---- dialogs ------------------------------------------------------------------------------------
def test_an_open_dialog_stops_other_steps(trial: Trial) -> None:
    """Every kind of step says that a dialog is open and how to go on, and none answers it by itself."""
    trial.open("dialogs.html")
    trial("click #confirm")
    assert "%dialog accept" in trial.last.note
    for line in (
        "click #alert",
        "type #x y",
        "text h1",
        "expect #alert visible",
        "evaluate 1",
        "screenshot",
        "wait #alert",
        "press Enter",
        "scroll top",
        "cookie get",
        "storage local get",
        "frame #x",
        "count button",
    ):
        trial.fails(f"{line} --timeout 60", "UnexpectedDialog", "confirm 'Are you sure?' is open", "%dialog accept")
        assert trial.row()["duration_ms"] < 30_000, line
    assert trial("dialog accept") == "Are you sure?"
    trial.until("said.textContent === 'true'")
    trial("click #alert")
    trial("dialog accept")


def test_dialogs_that_are_not_there(trial: Trial) -> None:
    """Answering nothing, or with a text where none fits, is an error."""
    trial.open("dialogs.html")
    trial.fails("dialog accept --timeout 0.2", "StepTimeout", "no dialog opened")
    trial.refuses("dialog answer", "needs a text")
    trial("click #alert")
    trial.fails("dialog answer yes", "StepProblem", "alert 'Take care' takes no text")
    trial("dialog accept")


def test_dialogs_that_open_at_any_moment(trial: Trial) -> None:
    """A dialog that opens while a step looks at the page delays no step and loses none."""
    trial.open("<h1>x</h1>")
    for ms in (0, 1, 3, 7, 15, 30, 60):
        trial(f"evaluate setTimeout(() => alert({ms}), {ms}) --timeout 60")
        assert trial.last.duration_ms < 9_000  # what looks at the page after a step gives up after 10 s
        assert trial("dialog accept --timeout 20") == str(ms)


def test_a_page_that_asks_before_it_is_left(trial: Trial) -> None:
    """A guarded page is left as WebDriver says: its question is answered with yes."""
    trial.open("dialogs.html")
    trial("click #leave")
    trial("navigate /labels.html")
    trial("expect title Labels")
    trial("expect no-dialog")


def test_dialogs_in_a_row(trial: Trial) -> None:
    """Each of several dialogs is answered by a step of its own."""
    trial.open(
        "<button id=b onclick=\"said.textContent = [prompt('one'), confirm('two'), prompt('three')].join()\">b</button>"
        "<p id=said></p>"
    )
    trial("click #b")
    assert trial("dialog answer 1") == "one"
    assert trial("dialog accept") == "two"
    assert trial("dialog answer 3") == "three"
    trial("expect #said text 1,true,3")


def test_a_script_that_opens_a_dialog(trial: Trial) -> None:
    """evaluate that ends in a dialog leaves it open for the next step."""
    trial.open("<h1>x</h1>")
    trial("evaluate alert('from a script') --optional")
    assert trial.row()["error_type"] in (None, "UnexpectedDialog")
    assert trial("dialog accept") == "from a script"
    assert trial("evaluate 1") == 1
