"""Saying what should be: every word of expect, true and false, and what a failure tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jbts_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

TRUE = [
    "#text visible",
    "#check not checked",
    "#check unchecked",
    "#text enabled",
    "#off disabled",
    "#text editable",
    "#fixed not editable",
    "#text not focused",
    "#empty empty",
    "#text not empty",
    "#gap empty",
    "#picture not empty",
    "#said text 'Hello World'",
    '#said text "Hello   World"',
    "#said not text hello",
    "#said text not other",
    "#said contains 'lo Wo'",
    "#said not contains xyz",
    "#text text old",
    "#text value old",
    "#text not value new",
    "#text value not new",
    "#said attribute title",
    "#said attribute title 'A  title'",
    "#said attribute title not other",
    "#said not attribute lang",
    "#said css color 'rgb(255, 0, 0)'",
    "#said css display not none",
    "#said css font-weight 700",
    "#glass css background-color 'rgba(0, 0, 0, 0.5)'",
    ".item count 3",
    ".item count not 2",
    ".item not count 4",
    "#nothing count 0",
    "#nothing hidden",
    "#nothing gone",
    "#nothing not visible",
    "#nothing not present",
    "#away hidden",
    "#away present",
    "#away not gone",
    ".item not hidden",
    "#two selected",
    "#first not selected",
    "#many value a,c",
    "#fields text ''",
    '".item >> nth=-1" text Three',
    "text=hello present",
    "label=agree not checked",
    "role=button[name=go] enabled",
    "url /made/*",
    "url **",
    "url http://*/made/*.html",
    "title 'The title'",
    "title not Other",
    "url not /other",
    "no-dialog",
    "console clean",
    "not-a-tag count 0",
    "#said css color rgb(255,0,0)",
    "#said css fontWeight 700",
    "#glass css color rgb(189,65,65)",
]

PAGE = """
<p id=said title="A  title" style="color:red;font-weight:700">Hello
   <b>World</b></p><p id=empty></p><p id=gap>  &nbsp; </p><p id=picture><img src="data:,"></p>
<p id=away style="display:none">away</p><div id=glass style="background:#00000080; color:oklch(0.55 0.16 24)">x</div>
<input id=text value=old><input id=fixed value=x readonly><input id=off disabled>
<label><input id=check type=checkbox> I agree</label>
<button>Go</button><input id=fields value="">
<ul><li class=item>One<li class=item>Two<li class=item>Three</ul>
<select id=one><option id=first>1<option id=two selected>2</select>
<select id=many multiple><option value=a selected>A<option value=b>B<option value=c selected>C</select>
"""


@pytest.fixture
def opened(reader: Trial) -> Trial:
    """The page all of these look at."""
    if not reader.bench.sessions or reader.js("document.title") != "The title":
        reader.open(PAGE, "The title")
    return reader


@pytest.mark.parametrize("words", TRUE)
def test_what_is_so_passes(opened: Trial, words: str) -> None:
    """Each true expectation passes, and its row says what was expected."""
    if "not hidden" in words:
        words = words.replace(".item", "'.item >> nth=0'")
    opened(f"expect {words} --timeout 1")
    row = opened.row()
    assert (row["step_type"], row["verb"], row["status"]) == ("assert", "expect", "passed")
    assert row["expected"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("#text hidden", ["#text hidden", "it is visible"]),
        ("#away visible", ["#away visible", "it is hidden"]),
        ("#text not visible", ["not visible", "it is visible"]),
        ("#check checked", ["it is unchecked"]),
        ("#said unchecked", ["it is nothing that can be ticked"]),
        ("#text disabled", ["it is enabled"]),
        ("#off enabled", ["it is disabled"]),
        ("#text focused", ["it is not focused"]),
        ("#fixed editable", ["it is not editable"]),
        ("#text empty", ["it is not empty"]),
        ("#said text Hello", ["text 'Hello'", "it is 'Hello World'"]),
        ("#said text 'hello world'", ["it is 'Hello World'"]),
        ("#said contains xyz", ["contains 'xyz'", "'Hello World'"]),
        ("#said not contains Hello", ["not contains 'Hello'"]),
        ("#text value new", ["value 'new'", "it is 'old'"]),
        ("#said attribute lang en", ["attribute lang 'en'", "it has none"]),
        ("#said attribute title Other", ["it is 'A title'"]),
        ("#said not attribute title", ["not attribute title"]),
        ("#said css color blue", ["css color 'blue'", "rgb(255, 0, 0)"]),
        (".item count 4", ["count '4'", "it is '3'"]),
        (".item not count 3", ["not count '3'"]),
        ("#nothing visible", ["nothing matches #nothing"]),
        ("#nothing text x", ["nothing matches #nothing"]),
        ("#nothing present", ["nothing matches #nothing"]),
        ("#sad text x", ["closest on the page", "#said"]),
        ("#text gone", ["gone", "it is present"]),
        (".item gone", ["it is present"]),
        (".item not present", ["not present", "it is present"]),
        (".item not visible", ["it is visible"]),
        ("url /other/*", ["'/other/*'", "/made/"]),
        ("url not /made/*", ["not '/made/*'"]),
        ("title Other", ["title 'Other'", "'The title'"]),
        ("title 'the title'", ["'The title'"]),
        ("dialog", ["expected dialog", "none is open"]),
        ("console contains nowhere", ["the console to contain 'nowhere'"]),
        ("request **/nothing", ["request **/nothing", "since the last action"]),
        ("console not clean", ["there is no error"]),
        ("request **/nothing --method post --status 200", ["request **/nothing by POST with status 200"]),
    ],
)
def test_what_is_not_so_fails(opened: Trial, words: str, told: list[str]) -> None:
    """Each false expectation is status failed, with what was expected, what was there, and for how long."""
    opened.bench.settings.screenshots = "never"
    opened.fails(f"expect {words} --timeout 0.15", "ExpectationFailed", *told, status="failed")
    assert opened.row()["duration_ms"] < 30_000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("#text", "what?"),
        ("#text visibel", "did you mean visible"),
        ("#text visible yes", "one word too many"),
        ("#text text", "needs a value"),
        ("#text text a b", "one word too many"),
        ("#text count many", "whole number"),
        ("#text attribute", "needs a name"),
        ("#text css color", "needs a value"),
        ("title", "takes one value"),
        ("console", "expect console clean"),
        ("console clean now", "one word too many"),
        ("no-dialog now", "one word too many"),
        ("no-dialog not", "one word too many"),
        ("not #text", "does not know"),
        ("dialog a b", "one word too many"),
        ("request", "takes one address"),
        ("#text visible --tolerance 0.5", "--tolerance goes with expect picture alone"),
        ("#text value x --status 200", "--status goes with expect request alone"),
        ("title x --method GET", "--method goes with expect request alone"),
        ("#said aria --mask #glass", "--mask goes with expect picture alone"),
    ],
)
def test_expectations_nobody_can_understand(opened: Trial, words: str, told: str) -> None:
    """A word that expect does not know is bad syntax, told with the one that was meant, and no step."""
    opened.refuses(f"expect {words}", told)


def test_one_line_that_nobody_can_understand_stops_all(opened: Trial) -> None:
    """A bad line of %%steps is told before the first one runs; one that hangs on a variable, when it is filled in."""
    before = len(opened.rows())
    with pytest.raises(UsageProblem, match="line 2: expect does not know 'visibel'; did you mean visible"):
        opened("steps", "expect #text visible\nexpect #text visibel")
    assert len(opened.rows()) == before
    opened.bench.namespace["word"] = "visibel"
    with pytest.raises(UsageProblem, match="did you mean visible"):
        opened("steps", "expect #text visible\nexpect #text ${word}")
    assert len(opened.rows()) == before + 1


def test_what_the_browser_itself_says_has_a_level_of_the_table(opened: Trial) -> None:
    """A hint of Chromium's own is debug, as docs/store.md has the levels."""
    opened.bench.session.browser.signals.receive(
        opened.bench.session.handle,
        "Log.entryAdded",
        {"entry": {"source": "recommendation", "level": "verbose", "text": "a hint", "timestamp": 0}},
    )
    opened("expect console contains 'a hint'")
    assert [r["level"] for r in opened.rows("console") if r["text"] == "a hint"] == ["debug"]


def test_not_may_stand_before_a_word_of_the_page(opened: Trial) -> None:
    """expect not title X is expect title not X, and its row holds all of it."""
    opened("expect not title Nothing")
    assert (opened.row()["locator"], opened.row()["expected"]) == (None, "not title Nothing")
    opened("expect not url **/nothing")
    opened.fails("expect not console clean", "ExpectationFailed", "there is no error", status="failed")


def test_several_matches(opened: Trial) -> None:
    """A state of one element cannot be asked of three, unless one is picked."""
    opened.fails("expect .item visible", "ElementAmbiguous", "matches 3 elements")
    opened("expect .item visible --first")
    opened("expect .item text One --first")
    opened.fails("expect .item hidden --timeout 0.1", "ExpectationFailed", "it is visible", status="failed")


def test_the_row_of_an_expectation(opened: Trial) -> None:
    """Locator and expected columns hold what was said of an element; of the page, all of it is expected."""
    opened("expect '#said' contains Hello")
    assert (opened.row()["locator"], opened.row()["expected"]) == ("#said", "contains Hello")
    opened("expect title 'The title'")
    assert (opened.row()["locator"], opened.row()["expected"]) == (None, "title The title")


# ---- addresses ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ("/shop/pots/3?sort=price#top", True),
        ("/shop/pots/*", True),
        ("/shop/*/3*", True),
        ("/shop/*", False),
        ("/shop/**", True),
        ("**/pots/**", True),
        ("**?sort=price#top", True),
        ("*://127.0.0.1:*/shop/pots/*", True),
        ("/shop/pots/3", False),
        ("/Shop/**", False),
        ("/shop/pots/.?sort=price#top", False),
        ("**price", False),
        ("/shop/(pots)/**", False),
    ],
)
def test_address_globs(reader: Trial, glob: str, fits: bool) -> None:
    """* stays within a path segment, ** crosses them, and nothing else means anything but itself."""
    reader.bench.settings.screenshots = "never"
    if not reader.bench.sessions or reader.js("location.hash") != "#top":
        reader.open("<h1>x</h1>")
        reader.page.evaluate("history.replaceState(null, '', '/shop/pots/3?sort=price#top')")
    if fits:
        reader.page.expect("url", glob, timeout=1)
    else:
        reader.fails(f"expect url '{glob}' --timeout 0.05", "ExpectationFailed", status="failed")


def test_a_full_address(trial: Trial) -> None:
    """A full address is compared whole; one without a path means the root."""
    trial("navigate /echo")
    trial(f"expect url {trial.site.url}/echo")
    trial("navigate /")
    trial(f"expect url {trial.site.url}")


# ---- console, requests, dialogs -----------------------------------------------------------------
def test_console(trial: Trial) -> None:
    """clean means no error since the test began; contains looks at every level."""
    trial.open("<h1>x</h1><script>console.log('three', 3, {a: 1}); console.warn('careful')</script>")
    trial("expect console clean")
    trial('expect console contains "three 3 {a: 1}"')
    trial("expect console contains careful")
    trial("expect console not contains careless")
    trial("evaluate setTimeout(() => { window.thrown = true; throw new TypeError('torn') }, 0)")
    trial.until("window.thrown")
    failed = trial.fails("expect console clean", "ExpectationFailed", "1 error(s)", "torn", status="failed")
    assert "TypeError" in failed.message
    trial("expect console not clean")
    trial.open("<button onclick=\"setTimeout(() => console.error('late'), 300)\">go</button>")
    trial("click button")
    trial("expect console not clean")
    assert [m["level"] for m in trial.rows("console")].count("error") >= 1


def test_requests(trial: Trial) -> None:
    """A request is looked for since the last step that acted, by address, status and method."""
    trial.open(
        "<button id=go onclick=\"fetch('/status/404'); fetch('/echo?x=1', {method: 'POST', body: '{}'})\">go</button>"
    )
    trial("expect request **/made/*.html --status 200")
    trial("click #go")
    trial("expect request **/status/404 --status 404")
    for quiet in ("evaluate 1", "hover #go", "scroll bottom", "text #go"):
        trial(quiet)
    trial("expect request /echo?x=1 --method post --status 200")
    trial("expect request not /echo?x=2")
    trial.fails(
        "expect request **/made/*.html --timeout 0.1", "ExpectationFailed", "GET", "/status/404", status="failed"
    )
    trial.fails(
        "expect request **/echo* --status 500 --timeout 0.1",
        "ExpectationFailed",
        "POST",
        "with status 500",
        status="failed",
    )
    sent = {(r["method"], r["status"]) for r in trial.rows("network")}
    assert {("GET", 404), ("POST", 200)} <= sent


def test_what_comes_between_two_steps_is_in_the_second_one_s_row(trial: Trial) -> None:
    """A request that is answered and a line that is written after a step has ended are recorded, once."""
    trial.open("<h1>here</h1>")
    trial("text h1")
    trial.js("void fetch('/status/404').then(() => { console.error('late'); globalThis.answered = true; })")
    trial.until("globalThis.answered")
    trial.bench.session.settle_signals()
    trial("text h1")
    trial("text h1")
    asked = [(r["step_id"], r["status"]) for r in trial.rows("network") if r["url"].endswith("/status/404")]
    said = [r["step_id"] for r in trial.rows("console") if r["text"] == "late"]
    second = trial.rows()[-2]["step_id"]
    assert (asked, said) == ([(second, 404)], [second])


def test_dialogs(trial: Trial) -> None:
    """expect dialog waits for one and may say its text, folded; no-dialog fails while one is open."""
    trial.open("dialogs.html")
    trial("expect no-dialog")
    trial("click #late")
    trial("expect dialog")
    trial("expect dialog Late")
    trial.fails(
        "expect dialog Other --timeout 0.1", "ExpectationFailed", "'Other'", "alert 'Late' is open", status="failed"
    )
    trial.fails("expect no-dialog", "ExpectationFailed", "alert 'Late' is open", status="failed")
    trial("dialog accept")
    trial("expect no-dialog")
    trial("expect dialog not Late")
