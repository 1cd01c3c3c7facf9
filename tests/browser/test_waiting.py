"""What a step waits for before it acts, and what it says when waiting did not help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.errors import StepFailed
from jbts_kernel.verbs import VERBS

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


# ---- stuck --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("click #hidden", ["not visible", "something has to open first", '<button id="hidden">']),
        ("click #invisible", ["not visible"]),
        ("click #flat", ["not visible"]),
        ("click #disabled", ["it is disabled"]),
        ('click text="Disabled words"', ["it is disabled"]),
        ("click #fenced", ["it is disabled"]),
        ("click #aria", ["it is disabled"]),
        ("type #readonly x", ["cannot be edited"]),
        ("type #plain x", ["cannot be edited"]),
        ("click #covered", ['<div id="cover"', "a cookie banner", "covers it", "close what covers it"]),
        ("hover #covered", ["covers it"]),
        ("click #moving", ["keeps moving"]),
        ("click #behind", ["cannot be scrolled into view"]),
        ("click #through", ["the pointer passes through it"]),
    ],
)
def test_the_error_names_the_state(trial: Trial, line: str, words: list[str]) -> None:
    """A step that never could act says which state the element was in, for how long, and what stood there."""
    trial.open("states.html")
    failed = trial.fails(f"{line} --timeout 0.4", "NotActionable", *words)
    waited = re.search(r"for (\d+\.\d) s", failed.message)
    assert waited is not None and 0.3 <= float(waited.group(1)) < 30
    assert trial.js("said.textContent") == ""
    assert trial.row()["wait_ms"] == pytest.approx(0, abs=trial.row()["duration_ms"])
    trial("click #plain")
    assert trial.js("said.textContent") == "plain"


@pytest.mark.parametrize("line", ["click {}", "wait {} --state clickable"])
def test_the_state_is_one_that_could_be_seen(trial: Trial, line: str) -> None:
    """A last look that has no time to tell whether the element rests, on a large page, takes another one instead of
    saying that it moves."""
    trial.bench.settings.screenshots = "never"
    trial.open(
        "<button>Pay now</button><div style='position:absolute;inset:0 50% 50% 0'></div><ul id=l></ul><script>"
        "l.innerHTML = Array.from({length: 3000}, (_, i) => `<li>Item ${i}`).join('')</script>"
    )
    for _ in range(10):
        with pytest.raises(StepFailed, match="cover"):
            trial(line.format("'text=\"Pay now\"' --timeout 0.001"))


def test_far_elements_are_scrolled_to(trial: Trial) -> None:
    """What is in the document but not on the screen is scrolled into view and pressed."""
    trial.open("states.html")
    trial("click #far")
    assert (trial.js("said.textContent"), trial.js("scrollY > 1000")) == ("far", True)
    trial("click #plain")
    assert trial.js("said.textContent") == "plain"


def test_a_press_goes_through_no_cover(trial: Trial) -> None:
    """The page never hears a click on what another element covers, not even at the end of the time."""
    trial.open("states.html")
    trial.fails("click #covered --timeout 0.1", "NotActionable")
    trial("click #covered --at 2,2 --optional --timeout 0.1")
    assert trial.last.status == "skipped"
    assert trial.js("said.textContent") == ""


def test_every_verb_waits_for_what_it_needs(trial: Trial) -> None:
    """What the registry says a verb's element must be is what the step looks for."""
    trial.open("<h1>nothing else</h1>")
    trial.bench.settings.screenshots = "never"
    words = {"drag": "#a #b", "press": "Enter #a", "type": "#a x", "select": "#a x", "attribute": "#a id"}
    for name, signature in VERBS.items():
        if signature.needs:
            line = f"{name} {words.get(name, '#a')}" + (f" {__file__}" if name == "upload" else "")
            with pytest.raises(StepFailed, match="ElementNotFound"):
                trial(f"{line} --timeout 0")
            wishes = [{"point": "at rest, in view and not covered"}.get(need, need) for need in signature.needs]
            looking = "expecting #a present" if wishes == ["present"] else f"looking for #a: {', '.join(wishes)}"
            assert looking in "\n".join(trial.last.tried), name


# ---- late ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("click #added", "said.textContent === 'added'"),
        ("click #hidden", "said.textContent === 'hidden'"),
        ("click #disabled", "said.textContent === 'disabled'"),
        ("click #covered", "said.textContent === 'covered'"),
        ("click #moving", "said.textContent === 'moving'"),
        ("type #readonly words", "document.querySelector('#readonly').value === 'words'"),
        ("select #choice Second", "choice.value === 'Second'"),
        ("hover #covered", "document.querySelector('#covered:hover') !== null"),
        ('click text="Added late"', "said.textContent === 'added'"),
        ("click role=button[name=added]", "said.textContent === 'added'"),
        ("wait #added", "true"),
        ("wait #hidden --state visible", "true"),
        ("wait #added --state present", "true"),
        ("wait #leaving --state hidden", "true"),
        ("wait #leaving --state gone", "true"),
        ("wait #covered --state clickable", "document.querySelector('#cover') === null"),
        ("wait #disabled --state clickable", "true"),
        ("wait --url **/late.html?now=later", "true"),
        ('wait --text "added LATE"', "true"),
        ("expect #text text new", "true"),
        ("expect #text contains e", "text.textContent === 'new'"),
        ("expect #text not text old", "true"),
        ("expect #field value new", "true"),
        ("expect #field focused", "true"),
        ("expect #list >> li count 3", "true"),
        ("expect #list not empty", "true"),
        ("expect #box checked", "true"),
        ("expect #box not unchecked", "true"),
        ("expect #leaving gone", "true"),
        ("expect #leaving hidden", "true"),
        ("expect #leaving not visible", "true"),
        ("expect #leaving not present", "true"),
        ("expect #hidden visible", "true"),
        ("expect #disabled enabled", "true"),
        ("expect #disabled not disabled", "true"),
        ("expect #readonly editable", "true"),
        ("expect #added present", "true"),
        ("expect #styled attribute data-state new", "true"),
        ("expect #styled css color rgb(1, 2, 3)".replace("rgb(1, 2, 3)", '"rgb(1, 2, 3)"'), "true"),
        ("expect title Later", "true"),
        ("expect url /late.html?now=later", "true"),
        ('expect console contains "later has come"', "true"),
        ("expect request **/echo?later=1 --status 200 --method get", "true"),
    ],
)
def test_waits_until_it_is_so(trial: Trial, line: str, result: str) -> None:
    """A step begun too early succeeds as soon as the page is ready for it, and not before."""
    trial.open("late.html")
    trial("evaluate start(350)")
    trial(line)
    assert trial.last.status == "passed"
    assert trial.js("document.title") == "Later"
    assert trial.js(result) is True
    assert trial.row()["wait_ms"] <= trial.row()["duration_ms"]


@pytest.mark.parametrize("state", ["visible", "hidden", "present", "gone", "clickable"])
def test_wait_says_what_did_not_come(trial: Trial, state: str) -> None:
    """A wait that runs out is an error (not a failed expectation) naming state and time."""
    trial.open("states.html")
    locator = {"visible": "#hidden", "hidden": "#plain", "present": "#nope", "gone": "#plain", "clickable": "#covered"}
    trial.fails(
        f"wait {locator[state]} --state {state} --timeout 0.3", "StepTimeout", locator[state], state, "after ", " s"
    )


def test_waiting_for_text_address_and_time_that_do_not_come(trial: Trial) -> None:
    """Each kind of wait has its own message with what was there instead."""
    trial.open("states.html")
    trial.fails("wait --url /other.html --timeout 0.2", "StepTimeout", "/other.html", "/states.html")
    trial.fails("wait --text nowhere --timeout 0.2", "StepTimeout", "nowhere")
    trial.refuses("wait", "needs what to wait for")
    trial.refuses("wait #nope --text Plain", "%wait waits for one thing, not for #nope and --text; give each a line")
    trial.refuses("wait 3s --url **", "not for 3s and --url")
    trial.refuses("wait --text Plain --state hidden", "--state hidden is what an element comes to")
    trial.refuses("wait 3s --state gone", "--state gone is what an element comes to")
    trial.open("<p>In  Stock</p>")
    trial("wait --text 'in stock'")
    trial.fails("wait --text instock --timeout 0.2", "StepTimeout", "instock")
    trial.open("states.html")
    trial.fails("wait #plain --state gone --timeout 0.1 --retries 1", "StepTimeout")


def test_waiting_for_a_time(trial: Trial) -> None:
    """500ms and 0.2s are times, not locators."""
    trial.open("<h1>x</h1>")
    trial("wait 120ms")
    assert 120 <= trial.last.duration_ms < 20_000
    trial("wait 0.2s")
    assert 200 <= trial.last.duration_ms < 20_000


# ---- changing underfoot -------------------------------------------------------------------------
def test_an_element_replaced_all_the_time_is_still_found(trial: Trial) -> None:
    """A page that draws a list anew at every frame can be read and, once it rests, pressed."""
    trial.open(
        "<div id=home></div><p id=said></p><script>let n = 0, go = true; setTimeout(() => { go = false }, 500);"
        "(function draw() { home.innerHTML ="
        "`<button id=b onclick=\"said.textContent='pressed'\">${n++}</button>`;"
        "if (go) requestAnimationFrame(draw); })()</script>"
    )
    trial("expect #b visible")
    assert int(trial("text #b")) >= 0
    trial("click #b")
    assert trial.js("said.textContent") == "pressed"


def test_an_element_removed_and_added_again(trial: Trial) -> None:
    """An element that goes away while it is waited for is met again as the new one."""
    trial.open(
        "<button id=b disabled>old</button><p id=said></p><script>setTimeout(() => b.remove(), 150);"
        "setTimeout(() => document.body.insertAdjacentHTML('beforeend',"
        "'<button id=b onclick=\"said.textContent=`new one`\">new</button>'), 400)</script>"
    )
    trial("click #b")
    assert trial.js("said.textContent") == "new one"


def test_a_page_replaced_while_waiting(trial: Trial) -> None:
    """A wait goes on into the page that replaces this one, whichever kind of step waits."""
    after = trial.site.page("<h1 id=there>arrived</h1><button id=b onclick=\"this.textContent='pressed'\">new</button>")
    for line in ("expect #there text arrived", "click #b", "wait #there", "expect #b present", "text #there"):
        trial.open(f"<h1>leaving</h1><script>setTimeout(() => {{ location = '{after}' }}, 200)</script>")
        trial(line)
        assert trial.js("location.pathname") == after, line


def test_pages_that_replace_each_other(trial: Trial) -> None:
    """A chain of pages, each gone after a moment, does not confuse a step that waits for the last."""
    path = trial.site.page("<h1 id=last>last</h1>")
    for _ in range(4):
        path = trial.site.page(f"<h1>on the way</h1><script>setTimeout(() => {{ location = '{path}' }}, 60)</script>")
    trial(f"navigate {path}")
    trial("expect #last visible")


def test_steps_wait_for_the_page_they_caused(trial: Trial) -> None:
    """After a click that leads elsewhere the step is over when the new page is there, and its row says where."""
    slow = trial.site.page("<h1>late</h1>")
    trial.open(f'<a id=go href="/redirect?to=/slow?ms=250">go</a><a id=back href="{slow}">back</a>')
    trial("click #go")
    assert trial.row()["url"] == f"{trial.site.url}/slow?ms=250"
    assert trial.row()["title"] == "slow"


def test_steps_wait_for_the_form_they_sent(trial: Trial) -> None:
    """A form's answer is there when the click that sent it is over, pictures and all, every time."""
    trial.bench.settings.screenshots = "always"
    for n in range(6):
        trial.open(f"<form action=/echo><input name=n value={n}><button>send</button></form>")
        trial("click text=send")
        assert trial.row()["url"] == f"{trial.site.url}/echo?n={n}"
        assert trial.last.screenshot is not None


def test_an_interrupted_wait_ends_at_once(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt during a long wait aborts the step in its row, and the next one works."""
    from jbts_kernel.browser import actionability

    trial.open("<h1>x</h1>")
    original, calls = actionability.attempt, []

    def interrupted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(actionability, "attempt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trial("click #never --timeout 30")
    monkeypatch.undo()
    assert (trial.row()["status"], trial.row()["error_type"]) == ("aborted", "KeyboardInterrupt")
    trial("expect h1 text x")
