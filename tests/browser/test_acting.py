"""Doing what a user does, seen from the page: what it heard, and what the row says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


def columns(trial: Trial) -> tuple[str, str | None, str | None, str | None, str]:
    """What the newest row says was done."""
    row = trial.row()
    return row["step_type"], row["locator"], row["input"], row["expected"], row["status"]


def heard(trial: Trial, kind: str) -> list[dict[str, Any]]:
    """The mouse events of a kind that buttons.html heard."""
    said: list[dict[str, Any]] = trial.js("heard")
    return [event for event in said if event["kind"] == kind]


# ---- the mouse ----------------------------------------------------------------------------------
def test_click_is_a_real_press(trial: Trial) -> None:
    """A click is one trusted press and release of the left button in the middle of the element."""
    trial.open("buttons.html")
    trial('click "#one"')
    (click,) = heard(trial, "click")
    assert (click["on"], click["button"], click["keys"], click["real"]) == ("one", 0, "", True)
    assert [len(heard(trial, kind)) for kind in ("mousedown", "mouseup", "dblclick")] == [1, 1, 0]
    assert columns(trial) == ("click", "#one", None, None, "passed")


def test_kinds_of_click(trial: Trial) -> None:
    """--double, --right, --middle and held keys reach the page as they do from a mouse."""
    trial.open("buttons.html")
    trial("click #one --double")
    assert (len(heard(trial, "dblclick")), len(heard(trial, "click"))) == (1, 2)
    trial("click #two --right")
    assert [e["on"] for e in heard(trial, "contextmenu")] == ["two"]
    trial("click #two --middle")
    assert [e["button"] for e in heard(trial, "auxclick")][-1] == 1
    trial("click #two --modifier shift,alt")
    assert heard(trial, "click")[-1]["keys"] == "shift+alt"
    trial("click #two")
    assert heard(trial, "click")[-1]["keys"] == ""


def test_a_held_control_opens_another_tab(trial: Trial) -> None:
    """Control and a click on a link open it in a tab beside this one."""
    trial.open("buttons.html")
    trial("click #away --modifier ctrl")
    trial("wait --tab")
    assert trial.js("location.pathname") == "/buttons.html"


@pytest.mark.parametrize(("at", "x", "y"), [("0,0", 0, 0), ("12,30", 12, 30), ("199,119", 199, 119), (" 5 , 7 ", 5, 7)])
def test_click_at_a_point(trial: Trial, at: str, x: int, y: int) -> None:
    """--at counts from the element's own top left corner."""
    trial.open("buttons.html")
    trial.page.click("#pad", at=at)
    (click,) = heard(trial, "click")
    assert (click["on"], click["x"], click["y"]) == ("pad", x, y)


@pytest.mark.parametrize("at", ["5", "a,b", "1;2", ""])
def test_a_bad_point_is_named(trial: Trial, at: str) -> None:
    """A position that is none is refused before anything is pressed."""
    trial.open("buttons.html")
    if at:
        trial.refuses(f'click #pad --at "{at}"', "x,y in pixels", at)
    assert heard(trial, "mousedown") == []


def test_canvas(trial: Trial) -> None:
    """A canvas is pressed where --at says, its border included in the count."""
    trial.open("canvas.html")
    for point in ("10,20", "150,100", "300,200"):
        trial(f"click #board --at {point}")
        assert trial.js("said.textContent") == point
    trial.bench.line("window 200x150")
    trial("click #board --at 290,190")
    assert trial.js("said.textContent") == "290,190"


def test_hover(trial: Trial) -> None:
    """Hovering moves the pointer over the element and presses nothing."""
    trial.open("buttons.html")
    trial("hover #two")
    assert [e["on"] for e in heard(trial, "mouseover")][-1] == "two"
    assert heard(trial, "mousedown") == []
    trial("hover #pad --at 3,4")
    assert (heard(trial, "mouseover")[-1]["x"], heard(trial, "mouseover")[-1]["y"]) == (3, 4)
    assert columns(trial)[:2] == ("hover", "#pad")


def test_mouse_by_hand(trial: Trial) -> None:
    """mouse down, move and up make a gesture over several steps."""
    trial.open("buttons.html")
    box = trial.js("(({x, y}) => ({x, y}))(document.querySelector('#pad').getBoundingClientRect())")
    x, y = round(box["x"]), round(box["y"])
    trial(f"mouse move {x + 10},{y + 10}")
    trial("mouse down")
    assert heard(trial, "mousedown")[-1]["on"] == "pad"
    trial(f"mouse up {x + 50},{y + 60}")
    assert (heard(trial, "mouseup")[-1]["on"], len(heard(trial, "click"))) == ("pad", 1)
    trial.refuses("mouse move", "needs a position")


def test_wrapped_links_and_labels_are_pressed_where_they_are(trial: Trial) -> None:
    """A link broken over two lines is pressed on a line, and a label's words press its box."""
    trial.open(
        '<div style="width:200px"><span style="display:inline-block;width:150px">.</span>'
        '<a id=link href="#there" style="font-size:20px">a link broken over lines</a></div>'
        '<label><input id=box type=checkbox style="opacity:0;width:1px;height:1px"> <b>Agree</b></label>'
    )
    trial("click #link")
    assert trial.js("location.hash") == "#there"
    trial("click text=Agree")
    assert trial.js("box.checked") is True


# ---- dragging -----------------------------------------------------------------------------------
def test_html5_drag(trial: Trial) -> None:
    """Dragging onto another element drops with the data the page put in."""
    trial.open("drag.html")
    trial("drag #card #bin")
    trial.until("heard.length === 2")
    assert trial.js("heard") == ["dragstart", "drop the card on bin"]
    assert columns(trial)[:2] == ("drag", "#card #bin")


def test_pointer_drag(trial: Trial) -> None:
    """--by moves by a distance, in several moves, as a hand does."""
    trial.open("drag.html")
    trial("drag #knob --by 130,-40")
    assert trial.js("heard") == ["moved often to 150,160"]


def test_drag_further_than_the_screen(trial: Trial) -> None:
    """A target that cannot be seen together with the source is scrolled to while the button is held."""
    trial.open("drag.html")
    trial("drag #card #far")
    trial.until("heard.length === 2")
    assert trial.js("heard") == ["dragstart", "drop the card on far"]


def test_drag_needs_somewhere(trial: Trial) -> None:
    """A drag without a target is refused; one whose target is not there names the target."""
    trial.open("drag.html")
    trial.refuses("drag #card", "needs where to")
    trial.fails("drag #card #nowhere --timeout 0.2", "ElementNotFound", "#nowhere")
    trial.refuses("drag #card --by far", "x,y in pixels")


# ---- the keyboard -------------------------------------------------------------------------------
def test_chords(trial: Trial) -> None:
    """Chords hold their keys; names are known in any case; a plain letter keeps its own."""
    trial.open("keys.html")
    for keys, said in {
        "Enter": "Enter",
        "Control+A": "Control+a",
        "Control + A": "Control+a",
        "Shift+Tab": "Shift+Tab",
        "ctrl+shift+K": "Control+Shift+K",
        "esc": "Escape",
        "a": "a",
        "A": "Shift+A",
        "F2": "F2",
        "ArrowDown": "ArrowDown",
        "Space": " ",
        "+": "Shift++",
        "-": "-",
        "Alt+x": "Alt+x",
        "é": "é",
    }.items():
        trial.page.evaluate("heard.length = 0")
        trial.page.press(keys, "#button")
        assert trial.js("heard")[-1] == said, keys
    trial.page.press("Control+A", "#field")
    assert columns(trial) == ("press", "#field", "Control+A", None, "passed")


def test_press_works_on_what_has_the_focus(trial: Trial) -> None:
    """Without a locator keys go to the focused element: select all, delete, go to the next field."""
    trial.open("keys.html")
    trial("focus #field")
    trial("press Control+A")
    trial("press Delete")
    assert trial.js("field.value") == ""
    trial("press Tab")
    assert trial.js("document.activeElement.id") == "next"
    trial("press Shift+Tab")
    assert trial.js("document.activeElement.id") == "field"
    trial("blur")
    assert trial.js("document.activeElement === document.body") is True
    assert trial.row()["step_type"] == "press"


@pytest.mark.parametrize(
    ("keys", "words"), [("Entre", "did you mean enter"), ("Control+Foo", "'Foo'"), ("a+b", "can be held")]
)
def test_unknown_keys(trial: Trial, keys: str, words: str) -> None:
    """A key that does not exist is named, with the one that was probably meant."""
    trial.open("keys.html")
    trial.fails(f"press {keys}", "StepProblem", words)


# ---- typing -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("text", "Ada Lovelace"),
        ("text", "tab\\and {braces} $1 100% 'single'"),
        ("text", "日本語 é 😀 ﬁ"),
        ("password", "s3cret"),
        ("email", "ada@example.test"),
        ("number", "42"),
        ("search", "pots"),
        ("tel", "+47 123"),
        ("url", "http://x.test/"),
        ("area", "two\nlines"),
        ("date", "2026-11-30"),
        ("time", "13:45"),
        ("moment", "2026-11-30T13:45"),
        ("month", "2026-11"),
        ("week", "2026-W48"),
        ("color", "#b4622d"),
        ("range", "8"),
    ],
)
def test_type_replaces_what_a_field_holds(trial: Trial, field: str, text: str) -> None:
    """Whatever the kind of field, it holds exactly the text afterwards and the page heard of it."""
    trial.open("fields.html")
    trial.page.type(f"#{field}", text)
    assert trial.js(f"document.querySelector('#{field}').value") == text
    said = trial.js("heard")
    assert f"input {field}" in said
    assert columns(trial) == ("type", f"#{field}", text, None, "passed")
    trial.page.type(f"#{field}", text)
    assert trial.js(f"document.querySelector('#{field}').value") == text


@pytest.mark.parametrize(
    ("field", "text", "held"),
    [
        ("color", "#FF00aa", "#ff00aa"),
        ("moment", "2026-11-30T13:45:00", "2026-11-30T13:45"),
        ("moment", "2026-11-30 13:45", "2026-11-30T13:45"),
    ],
)
def test_type_takes_what_the_field_takes(trial: Trial, field: str, text: str, held: str) -> None:
    """A value that the browser writes in its own way was taken."""
    trial.open("fields.html")
    trial.page.type(f"#{field}", text)
    assert trial.js(f"document.querySelector('#{field}').value") == held


def test_type_options(trial: Trial) -> None:
    """--append writes after what is there, --delay types key by key, --enter presses Enter."""
    trial.open("fields.html")
    trial("type #text er --append")
    assert trial.js("text.value") == "older"
    trial('type #area " more" --append --delay 1')
    assert trial.js("area.value") == "old more"
    trial("type #text slow --delay 5")
    assert trial.js("text.value") == "slow"
    assert [k for k in trial.js("heard") if k == "keydown text s"]
    trial("type #text done --enter")
    assert trial.js("heard.includes('keydown text Enter')") is True
    trial('type #text ""')
    assert trial.js("text.value") == ""


def test_type_into_rich_text(trial: Trial) -> None:
    """contenteditable takes text like a field: replaced, appended, cleared."""
    trial.open("fields.html")
    trial('type #rich "new words"')
    assert trial.js("rich.innerText.trim()") == "new words"
    trial("type #rich ! --append")
    assert trial.js("rich.innerText.trim()") == "new words!"
    trial("clear #rich")
    assert trial.js("rich.innerText.trim()") == ""


@pytest.mark.parametrize("field", ["text", "email", "number", "area", "date", "color"])
def test_clear(trial: Trial, field: str) -> None:
    """clear empties any field (a colour goes back to black) and the page hears it."""
    trial.open("fields.html")
    trial.page.type(
        f"#{field}", {"number": "5", "date": "2026-01-02", "color": "#112233", "email": "a@b.c"}.get(field, "x")
    )
    trial.page.evaluate("heard.length = 0")
    trial(f"clear #{field}")
    assert trial.js(f"document.querySelector('#{field}').value") == ("#000000" if field == "color" else "")
    assert f"input {field}" in trial.js("heard")
    trial(f"clear #{field}")


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("type #date 30.11.2026", "StepProblem", "write it like 2026-11-30"),
        ("type #color red", "StepProblem", "#rrggbb"),
        ("type #time noon", "StepProblem", "13:45"),
        ("type #check yes", "StepProblem", "%tick"),
        ("type #radio-a yes", "StepProblem", "%tick"),
        ("type #file x.txt", "StepProblem", "%upload"),
        ("type #one Peru", "StepProblem", "%select"),
        ("type #button x", "NotActionable", "cannot be edited"),
        ("clear #check", "StepProblem", "checkbox"),
        ("clear #one", "StepProblem", "select"),
        ("tick #button", "StepProblem", "button"),
        ("tick #text", "StepProblem", "text"),
        ("untick #radio-a", "StepProblem", "radio"),
        ("select #text Peru", "StepProblem", "not a select"),
        ("select #one Peru Norway", "StepProblem", "takes one choice"),
        ("select #one Nowhere", "NotActionable", "disabled"),
        ("select #one Pru --timeout 0.1", "NotActionable", "closest: Peru"),
        ("select #one value=zz --timeout 0.1", "NotActionable", "no option 'value=zz'"),
        ("select #one index=9 --timeout 0.1", "NotActionable", "no option"),
        ("deselect #one Peru", "StepProblem", "takes one choice"),
        ("options #text", "StepProblem", "not a select"),
    ],
)
def test_the_wrong_verb_for_an_element(trial: Trial, line: str, error: str, words: str) -> None:
    """A verb that does not fit the element says so at once, and which one does."""
    trial.open("fields.html")
    trial("evaluate document.querySelector('#radio-a').checked = true")
    trial.fails(f"{line} --timeout 1" if "--timeout" not in line else line, error, words)


# ---- choosing -----------------------------------------------------------------------------------
def test_tick_and_untick(trial: Trial) -> None:
    """Ticking is done once and only once, for boxes, radios, styled boxes and ARIA boxes."""
    trial.open("fields.html")
    trial("tick #check")
    assert trial.js("check.checked") is True
    trial("tick #check")
    assert (trial.js("check.checked"), trial.last.note) == (True, "was ticked already")
    trial("untick #check")
    assert trial.js("check.checked") is False
    trial("untick #check")
    assert trial.last.note == "was not ticked already"
    trial("tick #radio-b")
    assert trial.js("document.querySelector('#radio-b').checked") is True
    trial("tick #fancy")
    assert trial.js("fancy.checked") is True
    trial("tick #aria-box")
    assert trial.js("box.getAttribute('aria-checked')") == "true"
    trial("tick label=Fancy")
    assert columns(trial) == ("click", "label=Fancy", None, None, "passed")
    assert all(row["wait_ms"] <= row["duration_ms"] for row in trial.rows())


def test_select(trial: Trial) -> None:
    """A choice is meant by label (any case), value or index, and the page hears of it."""
    trial.open("fields.html")
    for choice, value in {
        "Peru": "pe",
        "norway": "no",
        "value=pe": "pe",
        "index=1": "no",
        "label=Peru": "pe",
        "Choose": "",
    }.items():
        trial.page.select("#one", choice)
        assert trial.js("one.value") == value, choice
    assert "change one" in trial.js("heard")
    trial.page.select("#one", "Peru")
    assert columns(trial) == ("select", "#one", "Peru", None, "passed")
    assert trial("options #one") == ["Choose", "Norway", "Peru", "Nowhere"]
    trial.fails("select #one Nowhere --timeout 0.2", "NotActionable", "the option 'Nowhere' of #one is disabled")
    trial("evaluate setTimeout(() => { one.options[3].disabled = false }, 300)")
    trial("select #one Nowhere")
    assert trial.js("one.selectedIndex") == 3


def test_select_several(trial: Trial) -> None:
    """A multiple select holds exactly the options given; deselect takes some or all away."""
    trial.open("fields.html")
    chosen = "[...many.selectedOptions].map((o) => o.value).join('')"
    trial("select #many Alpha Gamma")
    assert (trial.js(chosen), trial.row()["input"]) == ("ac", "Alpha Gamma")
    trial("select #many Beta value=c")
    assert trial.js(chosen) == "bc"
    trial("deselect #many Beta")
    assert trial.js(chosen) == "c"
    trial("select #many Alpha Beta Gamma")
    trial("deselect #many")
    assert trial.js(chosen) == ""


# ---- scrolling ----------------------------------------------------------------------------------
def test_scroll(trial: Trial) -> None:
    """Scrolling goes to an element, to either end, or to a point of the document."""
    trial.open("scrolling.html")
    trial("scroll bottom")
    assert trial.js("scrollY > 100") is True
    trial("scroll top")
    assert trial.js("scrollY") == 0
    trial("scroll 0,150")
    assert trial.js("scrollY") == 150
    trial("scroll #inside")
    assert trial.js("box.scrollTop > 500") is True
    assert columns(trial)[:2] == ("scroll", "#inside")
