"""The same steps on every engine: Chromium, Chromium on a grid, WebKitGTK, and Firefox and Edge where they are.

One table of scenarios drives every verb; an engine that cannot do a thing says so by name, and what does it instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jbts_kernel.errors import StepFailed
from jbts_kernel.verbs import VERBS

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

# Lines of steps; what a reading verb returns stands after =>.
SCENARIOS = {
    "pointer": """
        navigate /buttons.html
        click #one
        click text=Two --double
        hover #pad --at 5,6
        mouse move 30,30
        mouse down
        mouse up
        evaluate heard.filter((h) => h.on === "one" && h.kind === "click" && h.real).length => 1
        evaluate heard.filter((h) => h.on === "two" && h.kind === "dblclick").length => 1
        evaluate heard.some((h) => h.on === "pad" && h.kind === "mouseover") => True
    """,
    "history": """
        navigate /labels.html
        navigate /texts.html
        back
        expect url **/labels.html
        forward
        expect url **/texts.html
        reload
        expect title not Labels
        navigate /buttons.html --wait none
        wait --url **/buttons.html
        wait 10ms
    """,
    "roles": """
        navigate /roles.html
        text 'role=heading[level=1]' => Accounts
        count role=listitem => 2
        click 'role=button[name="Sign in"]'
        expect 'role=button[name="Archive"]' disabled
        expect '#news' checked
        expect 'role=checkbox[name=News]' checked
        expect "role=table >> role=cell >> nth=1" text 3
    """,
    "locators": """
        navigate /lists.html
        count .item => 4
        click "#fruit >> text=Buy >> nth=1"
        expect #said text Pear
        click "//section[@id='roots']//button"
        expect #said text Beet
        expect .item count 4
        navigate /labels.html
        count css=body => 1
    """,
    "text": """
        navigate /texts.html
        text #folded => one two three
        expect #cased contains QUIET
        value #typed => typed text
        attribute #submit type => submit
        options #choice => ['Chosen', 'Other']
        navigate /roles.html
        table table => [['Name', 'Sum'], ['Ada', '3']]
    """,
    "fields": """
        navigate /fields.html
        type #text hello
        type #text " you" --append
        value #text => hello you
        clear #text
        expect #text empty
        type #date 2026-11-30
        value #date => 2026-11-30
        type #area "two words" --delay 1
        value #area => two words
        type #rich new
        text #rich => new
        tick #check
        untick #check
        tick #radio-b
        expect #radio-b checked
        select #one Peru
        value #one => pe
        select #many Alpha Gamma
        deselect #many Alpha
        value #many => c
        focus #email
        expect #email focused
        blur
        expect #email not focused
    """,
    "keys": """
        navigate /keys.html
        press Control+A #field
        press Delete
        expect #field value ""
        press Tab
        expect #next focused
        press Shift+Tab
        expect #field focused
    """,
    "waiting": """
        navigate /late.html
        evaluate start(200)
        click #disabled
        wait #leaving --state gone
        wait --text new
        expect "#list li" count 3
        expect #styled css color "rgb(1, 2, 3)"
    """,
    "drag": """
        navigate /drag.html
        drag #knob --by 130,-40
        evaluate heard.pop() => moved often to 150,160
    """,
    "scrolling": """
        navigate /scrolling.html
        scroll bottom
        scroll top
        evaluate scrollY => 0
        scroll 0,120
        evaluate scrollY => 120
    """,
    "frames": """
        navigate /frames.html
        frame #outer
        text #where => outer
        click #press
        frame #inner
        text #where => inner
        frame parent
        frame main
        expect #said text "outer pressed"
    """,
    "tabs": """
        navigate /tabs.html
        click #link
        wait --tab
        tab 1
        expect title Opened
        tab close
        expect title Tabs
        tab new
        navigate /labels.html
        tabs
        tab title:Tabs
        expect #link visible
        tab 1
        tab close
    """,
    "dialogs": """
        navigate /dialogs.html
        expect no-dialog
        click #alert
        expect dialog "Take care"
        dialog accept => Take   care
        expect #said text alerted
        click #confirm
        dialog dismiss => Are you sure?
        expect #said text false
        click #prompt
        dialog answer Ada => Your name?
        expect #said text Ada
        click #late
        dialog accept => Late
    """,
    "shadow": """
        navigate /shadow.html
        text "#card >> #amount" => 42 kr
        click "#card >> text=Skip"
        expect #said text skipped
        type "#card >> #count" 7
        value "#card >> #count" => 7
    """,
    "memory": """
        navigate /labels.html
        cookie set taste sweet
        cookie get taste => sweet
        request GET /echo
        cookie clear taste
        cookie get taste => None
        storage local set key word
        storage local get key => word
        storage session set key other
        storage session get key => other
        storage local clear
        storage local get key => None
    """,
    "window": """
        navigate /labels.html
        window 640x480
        evaluate [innerWidth, innerHeight].join() => 640,480
        window 1280x800
        evaluate [innerWidth, innerHeight].join() => 1280,800
    """,
    "files": """
        navigate /files.html
        upload #one u.txt
        expect #said text "u.txt 5"
        upload #many u.txt v.bin
        expect #said text "u.txt 5, v.bin 9"
        download #get
        download #made
    """,
    "pictures": """
        navigate /roles.html
        screenshot --name roles
        screenshot --full-page
        screenshot h1 --mask h1
    """,
    "script": """
        navigate /labels.html
        evaluate 1 + 1 => 2
        evaluate const two = 2; return two * 3 => 6
        evaluate document.title.length > 0 => True
    """,
}
# Verbs of Chromium's second channel alone, which have tests of their own.
ELSEWHERE = {"mock", "network", "checkpoint", "restore", "analyze", "triage", "generate"}
PLAIN = ("webkitgtk", "firefox")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_steps(anywhere: Trial, scenario: str) -> None:
    """Every verb does the same on every engine."""
    for line in SCENARIOS[scenario].strip().splitlines():
        step, _, expected = (part.strip() for part in line.partition("=>" if " => " in line else "\0"))
        if step.startswith("evaluate") and " => " in line:
            step, _, expected = (part.strip() for part in line.rpartition(" => "))
        value = anywhere(step)
        assert not expected or str(value) == expected, f"{step}: {value!r}"


def test_back_and_forth(anywhere: Trial) -> None:
    """Each step of a history ends on its own page, also where an engine loses what it was asked in between."""
    anywhere("navigate /labels.html")
    anywhere("navigate /texts.html")
    for _ in range(8):
        anywhere("back")
        assert anywhere.js("location.pathname") == "/labels.html"
        anywhere("forward")
        assert anywhere.js("location.pathname") == "/texts.html"


def test_every_verb_is_in_the_table() -> None:
    """No verb is left out of the scenarios, a new one neither."""
    driven = {line.split()[0] for lines in SCENARIOS.values() for line in lines.strip().splitlines()}
    assert {verb for verb, signature in VERBS.items() if not signature.command} - driven <= ELSEWHERE


def test_files_come_here(anywhere: Trial, tmp_path: Path) -> None:
    """A download ends on this machine with all its bytes, from a grid's node too."""
    anywhere("navigate /files.html")
    path = anywhere(f'download #big --to "{tmp_path}"')
    assert (path, path.read_bytes()) == (tmp_path / "big.bin", b"x" * 3_000_000)


def test_text_that_names_a_file_stays_text(anywhere: Trial) -> None:
    """Typing a path types it; only upload sends a file, to a grid's node too."""
    anywhere("navigate /fields.html")
    anywhere.page.type("#text", str(anywhere.bench.folder / "u.txt"))
    assert anywhere.page.value("#text") == str(anywhere.bench.folder / "u.txt")


def test_a_full_page_is_the_whole_document(anywhere: Trial) -> None:
    """However an engine draws, the picture has the document's size and its colours where they are."""
    import io

    from PIL import Image

    body = (
        '<body style="margin:0"><div style="height:1500px;background:#fff"></div>'
        '<div id="end" style="height:700px;background:rgb(0,128,0)"></div>'
    )
    anywhere.open(body)
    path = anywhere("screenshot --full-page")
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.size == (1280, 2200)
        assert image.convert("RGB").getpixel((600, 1490)) == (255, 255, 255)
        assert image.convert("RGB").getpixel((600, 1510)) == (0, 128, 0)
        assert image.convert("RGB").getpixel((600, 2190)) == (0, 128, 0)
    part = anywhere("screenshot #end")
    with Image.open(io.BytesIO(part.read_bytes())) as image:
        assert image.size == (1280, 700)
        assert all(image.convert("RGB").getpixel((600, y)) == (0, 128, 0) for y in (2, 350, 697))
    assert anywhere.js("scrollY + innerHeight") >= 800


def test_looking_is_the_same(anywhere: Trial) -> None:
    """The rules and axe see a page alike in every engine, and one element alone."""
    anywhere.open("<p id=out>Total: NaN</p><input id=bare><section id=part><p>Hello {{name}}</p></section>")
    found = {(f.rule, f.locator) for f in anywhere("analyze").findings}
    assert {("placeholder", "#out"), ("axe:label", "#bare")} <= found
    (part,) = anywhere("analyze #part").findings
    assert part.evidence == "{{name}}"


def test_failures_are_the_same(anywhere: Trial) -> None:
    """What is wrong with a step has the same name on every engine, and the next step works."""
    anywhere.open("states.html")
    anywhere.fails("click #nowhere --timeout 0.3", "ElementNotFound", "nothing matches")
    anywhere.fails("click #covered --timeout 0.3", "NotActionable", "covers it")
    anywhere.fails("click button --timeout 0.3", "ElementAmbiguous", "matches")
    anywhere.fails('click "a[" --timeout 0.3', "LocatorInvalid", "not a valid selector")
    anywhere.fails('evaluate throw new Error("oh")', "ScriptFailed", "oh")
    anywhere.fails("evaluate 1 +", "ScriptFailed")
    anywhere.fails("navigate http://127.0.0.1:64999/", "NavigationFailed", "127.0.0.1:64999")
    anywhere.open("dialogs.html")
    anywhere("click #alert")
    anywhere.fails("text #said", "UnexpectedDialog", "answer it first")
    anywhere("dialog accept")
    assert anywhere("text #said") == "alerted"


def test_console_and_requests(anywhere: Trial, engine: str) -> None:
    """Chromium tells of both, through a grid too; an engine that cannot says so by name, with what does it instead."""
    anywhere.open('<script>console.log("said so"); fetch("/echo?asked=1")</script>')
    if engine in PLAIN:
        anywhere.fails("expect console clean", "Unsupported", engine, "%evaluate")
        anywhere.fails("expect request **/echo*", "Unsupported", engine, "%request")
        return
    anywhere('expect console contains "said so"')
    anywhere("expect request **/echo?asked=1 --status 200")
    anywhere("navigate /status/404 --expect-status 404")


def test_users_are_apart(settings: dict[str, Any], make_trial: Any, tmp_path: Path, engine: str) -> None:
    """Two users of one notebook, and a test after another, share nothing."""
    trial = make_trial(tmp_path, **settings)
    try:
        trial("navigate /labels.html")
        trial("cookie set who buyer")
        trial("storage local set who buyer")
        trial("browser --as seller")
        trial("navigate /labels.html")
        assert trial("cookie get who") is None
        assert trial("storage local get who") is None
        trial("use main")
        assert trial("cookie get who") == "buyer"
        trial("test another")
        trial("navigate /labels.html")
        assert trial("cookie get who") is None
    finally:
        trial.bench.close()


# ---- WebKitGTK alone ----------------------------------------------------------------------------
@pytest.mark.parametrize("engine", ["webkitgtk"], indirect=True)
def test_what_webkit_lacks_is_said_once(own_browser: Any, engine: str) -> None:
    """The first card says what this engine does not tell, the next ones do not; health says it whenever asked."""
    trial = own_browser(browser=engine)
    trial("navigate /labels.html")
    assert trial.last.note == "webkitgtk does not tell of console, requests, status"
    assert trial.row()["url"].endswith("/labels.html")
    trial("navigate /buttons.html")
    assert trial.last.note == ""
    assert any("does not tell of console" in detail for _, _, detail in trial.bench.health())
    trial.fails("navigate /labels.html --expect-status 200", "Unsupported", "webkitgtk", "%request")
    with pytest.raises(Exception, match="webkitgtk has no DevTools protocol"):
        _ = trial.bench.session.browser.channel


@pytest.mark.parametrize("engine", ["webkitgtk"], indirect=True)
def test_webkit_hangs(own_browser: Any, engine: str) -> None:
    """A page that never comes, a picture that never comes and a page that runs in circles end their step by name;
    the next step works, on another browser where it has to."""
    trial = own_browser(browser=engine)
    trial.open("labels.html")
    trial.fails("navigate /hang --timeout 1", "StepTimeout")
    page = trial.site.page('<h1>here</h1><img src="/hang">')
    trial.fails(f"navigate {page} --timeout 4", "StepTimeout", "--wait dom")
    assert trial("text h1") == "here"
    with pytest.raises(StepFailed, match="StepTimeout"):
        trial("evaluate while (true) {} --timeout 1")
    trial("navigate /labels.html")
    assert "replaced" in trial.last.note


@pytest.mark.parametrize("engine", ["webkitgtk"], indirect=True)
@pytest.mark.parametrize("victim", ["driver", "browser"])
def test_webkit_dies(own_browser: Any, engine: str, victim: str) -> None:
    """A step that finds its browser dead says so, the next one has another, and nothing is left of the first."""
    import psutil

    trial = own_browser(browser=engine)
    trial("navigate /labels.html")
    session = trial.bench.session
    driver = psutil.Process(session.driver.service.process.pid)
    family = [driver, *driver.children(recursive=True)]
    folder = session.browser.folder
    named = {p.pid: p.info["name"] for p in psutil.process_iter(["name"])}
    next(p for p in family if (named.get(p.pid) == "MiniBrowser") == (victim == "browser")).kill()
    if victim == "browser":
        with pytest.raises(StepFailed, match=r"BrowserGone.*the next step replaces it"):
            trial("click #nothing --timeout 3")
    else:
        driver.wait(10)
    trial("navigate /buttons.html")
    assert "had died" in trial.last.note
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    assert not folder.exists()
