"""Pages that are hard to drive, on every engine: one scenario each, in the lines a person types.

What an engine cannot do is held to as well: an error with its name, and what does it instead.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from jbts_kernel.errors import StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial

PLAIN = ("webkitgtk", "firefox")


def steps(trial: Trial, lines: str) -> None:
    """Run each line; where it says ``=> value``, that is what it returns."""
    for line in lines.strip().splitlines():
        step, arrow, expected = (part.strip() for part in line.rpartition(" => "))
        value = trial(step if arrow else line.strip())
        assert not arrow or str(value) == expected, f"{step}: {value!r}"


# ---- frames -------------------------------------------------------------------------------------
def test_nested_frames(anywhere: Trial) -> None:
    """Presses, typing and reading reach a frame in a frame, also where the page is scrolled and pushed aside."""
    anywhere.open("frames.html")
    anywhere("evaluate document.body.style.padding = '900px 0 900px 120px'")
    steps(
        anywhere,
        """
        frame #outer
        click #press
        frame #inner
        text #where => inner
        click #press
        type #field "in the inner"
        press Control+A #field
        press Delete
        expect #field empty
        type #field again --delay 1
        value #field => again
        frame parent
        text #where => outer
        frame main
        expect #said text "inner pressed"
        text #where => main
        """,
    )


def test_frames_of_other_sites(anywhere: Trial) -> None:
    """A frame of another site, and one of ours inside that, take presses and keys; so does the page around them."""
    here, there = anywhere.site.url, anywhere.site.other_url
    middle = anywhere.site.page(
        f"<p id=where>there</p><iframe id=deep src='{here}/frame-inner.html' style='margin:25px;height:160px'></iframe>"
    )
    anywhere.open(
        f"<p id=said></p><iframe id=other src='{there}{middle}' style='margin:30px;width:500px;height:280px'></iframe>"
        "<script>addEventListener('message', (e) => { said.textContent = e.data })</script>"
    )
    steps(
        anywhere,
        """
        frame #other
        text #where => there
        frame #deep
        click #press
        type #field words
        value #field => words
        frame main
        expect #said text "inner pressed"
        screenshot #said
        """,
    )
    anywhere("frame #other")
    anywhere.fails("click #nowhere --timeout 0.3", "ElementNotFound", "%frame main leaves it")
    anywhere("frame main")


def test_a_frame_that_goes_away(anywhere: Trial) -> None:
    """A step in a frame that was taken out of its page says so and how to go on."""
    anywhere.open("frames.html")
    anywhere("frame #outer")
    anywhere.js("document.querySelector('#outer').remove()")
    anywhere.fails("click #press --timeout 1", "TabGone", "%frame main")
    steps(anywhere, "frame main\ntext #where => main")


# ---- shadow roots -------------------------------------------------------------------------------
def test_open_shadow_roots(anywhere: Trial) -> None:
    """Nested open roots are read, pressed, typed into, ticked and looked at like the page itself."""
    anywhere.open("shadow.html")
    steps(
        anywhere,
        """
        text "#card >> #amount" => 42 kr
        click "#card >> #buy"
        expect #said text bought
        click "#card >> text=Skip"
        expect #said text skipped
        type "#card >> #count" 12
        press Shift+Home "#card >> #count"
        press 7
        value "#card >> #count" => 7
        clear "#card >> #count"
        expect "#card >> #count" empty
        screenshot "#card >> #skip"
        """,
    )


def test_closed_shadow_roots(anywhere: Trial, engine: str) -> None:
    """Chromium enters a closed root; where a driver cannot, the error says that there may be one and what helps."""
    anywhere.open("shadow.html")
    anywhere("evaluate document.addEventListener('click', (e) => say('pressed in ' + e.target.id)); 0")
    if engine in PLAIN:
        anywhere.fails('click "#closed >> button" --timeout 0.3', "ElementNotFound", engine, "closed", "--at")
        anywhere("click #closed --at 10,10")
    else:
        anywhere('click "#closed >> button"')
    anywhere('expect #said text "pressed in closed"')


# ---- tabs and windows ---------------------------------------------------------------------------
@pytest.mark.parametrize("opener", ["#link", "#script", "#later"])
def test_tabs_the_page_opens(anywhere: Trial, opener: str) -> None:
    """A tab opened by a link, a script or a timer is waited for, used, closed by itself, and the opener goes on."""
    anywhere.open("tabs.html")
    anywhere(f"click {opener}")
    steps(
        anywhere,
        """
        wait --tab
        tab title:Opened
        expect title Opened
        evaluate [innerWidth, innerHeight].join() => 1280,800
        click #close
        """,
    )
    session = anywhere.bench.session
    assert session.browser.wait_for(lambda: len(session.handles_now()) == 1, 10)
    with pytest.raises(StepFailed, match="TabGone"):
        anywhere("text h1 --timeout 2")
    steps(anywhere, "tab 0\nexpect #link visible")


def test_a_window_of_a_size(anywhere: Trial) -> None:
    """A window with a size of its own is a tab like another, and talks to its opener."""
    child = anywhere.site.page("<button id=b onclick='opener.hear(innerWidth > 0)'>b</button>", title="Child")
    anywhere.open(
        f'<button id=o onclick=\'open("{child}", "w", "width=400,height=300")\'>o</button><p id=said></p>'
        "<script>function hear(what) { said.textContent = `heard ${what}` }</script>"
    )
    steps(
        anywhere,
        """
        click #o
        wait --tab
        tab 1
        click #b
        tab close
        expect #said text "heard true"
        """,
    )


# ---- dialogs ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("button", "answer", "text", "said"),
    [
        ("alert", "accept", "Take   care", "alerted"),
        ("alert", "dismiss", "Take   care", "alerted"),
        ("confirm", "accept", "Are you sure?", "true"),
        ("confirm", "dismiss", "Are you sure?", "false"),
        ("prompt", "accept", "Your name?", "nobody"),
        ("prompt", "dismiss", "Your name?", "null"),
        ("prompt", "answer 'Ada L'", "Your name?", "Ada L"),
        ("prompt", "answer ''", "Your name?", ""),
        ("late", "accept", "Late", "late"),
    ],
)
def test_dialogs(anywhere: Trial, button: str, answer: str, text: str, said: str) -> None:
    """Each kind of dialog stays until it is answered, and its answer reaches the page."""
    anywhere.open("dialogs.html")
    anywhere(f"click #{button}")
    assert anywhere("dialog " + answer) == text
    assert anywhere.row()["step_type"] == "dialog"
    anywhere(f'expect #said text "{said}"')


def test_a_dialog_stops_other_steps(anywhere: Trial) -> None:
    """Whatever is asked of a page behind a dialog names it, answers nothing by itself, and ends in time."""
    anywhere.open("dialogs.html")
    anywhere("click #confirm")
    for line in ("click #alert", "text h1", "expect #alert visible", "evaluate 1", "screenshot", "press Enter"):
        anywhere.fails(f"{line} --timeout 2", "UnexpectedDialog", "Are you sure?", "%dialog accept")
    anywhere("dialog accept")
    anywhere("expect #said text true")


def test_a_page_that_asks_before_it_is_left(anywhere: Trial) -> None:
    """A guarded page is left as WebDriver says: its question is answered with yes."""
    anywhere.open("dialogs.html")
    steps(
        anywhere,
        """
        click #leave
        expect #said text guarded
        navigate /labels.html
        expect title Labels
        expect no-dialog
        """,
    )


# ---- files --------------------------------------------------------------------------------------
def test_files_in(anywhere: Trial, tmp_path: Path) -> None:
    """One file, several at once with what is in them, and a file input that cannot be seen."""
    (tmp_path / "a.txt").write_text("alpha")
    (tmp_path / "b c.txt").write_text("beta is here")
    anywhere.open("files.html")
    anywhere(f'upload #many "{tmp_path / "a.txt"}" "{tmp_path / "b c.txt"}"')
    anywhere('expect #said text "a.txt 5, b c.txt 12"')
    read = "Promise.all([...document.querySelector('#many').files].map((f) => f.text())).then((t) => t.join('|'))"
    assert anywhere.page.evaluate(f"return {read}") == "alpha|beta is here"
    anywhere(f'upload #unseen "{tmp_path / "a.txt"}"')
    anywhere('expect #said text "a.txt 5"')
    anywhere.fails(f'upload #one "{tmp_path / "no.txt"}"', "StepProblem", "there is no file")
    anywhere.fails("upload #one u.txt v.bin", "NotActionable", "takes one file, not 2")


def test_files_out(anywhere: Trial, tmp_path: Path) -> None:
    """What the server sends, what the page makes, two of one name and a name with a path in it all come here, whole."""
    anywhere.open("files.html")
    to = f'--to "{tmp_path}"'
    first, second = anywhere(f"download #get {to}"), anywhere(f"download #twice {to}")
    assert (first.name, first.read_bytes()) == ("report.csv", b"x" * 2000)
    assert (second.name, second.read_bytes()) == ("report-1.csv", b"x" * 5)
    assert anywhere(f"download #made {to}").read_text() == "made in the page"
    sly = anywhere(f"download #sly {to}")
    assert sly.parent == tmp_path and sly.read_bytes() == b"x" * 10
    anywhere.fails("download #nothing --timeout 0.5", "StepTimeout", "started no download")
    assert anywhere.page.evaluate("[innerWidth, innerHeight].join()") == "1280,800"


# ---- drag and drop ------------------------------------------------------------------------------
def test_html5_drag(anywhere: Trial, engine: str) -> None:
    """Dragging drops with the page's own data, also onto a target further away than the screen; WebKitGTK's driver
    begins what it cannot end, so that is refused before it begins."""
    if engine == "webkitgtk":
        anywhere.open("drag.html")
        anywhere.fails("drag #card #bin", "Unsupported", engine, "%evaluate")
        assert anywhere.js("heard.length") == 0
        return
    anywhere.open("drag.html")
    anywhere("drag #card #bin")
    anywhere.until("heard.length === 2")
    assert list(anywhere.js("heard")) == ["dragstart", "drop the card on bin"]
    anywhere.open("drag.html")
    anywhere("drag #card #far")
    anywhere.until("heard.length === 2")
    assert list(anywhere.js("heard")) == ["dragstart", "drop the card on far"]


def test_pointer_drag(anywhere: Trial) -> None:
    """A page that follows the pointer by itself sees it move step by step, and may be drawn on by hand."""
    anywhere.open("drag.html")
    steps(
        anywhere,
        """
        drag #knob --by 130,-40
        evaluate heard.pop() => moved often to 150,160
        mouse move 190,190
        mouse down
        mouse move 200,200
        mouse move 210,210
        mouse move 220,220
        mouse up
        evaluate heard.pop() => moved often to 180,190
        """,
    )


# ---- keys and fields ----------------------------------------------------------------------------
def test_chords(anywhere: Trial) -> None:
    """The page hears each key of a chord with what was held."""
    anywhere.open("keys.html")
    for keys, heard in {
        "Enter": "Enter",
        "Control+B": "Control+b",
        "ctrl+shift+K": "Control+Shift+K",
        "esc": "Escape",
        "ArrowDown": "ArrowDown",
        "F2": "F2",
        "Alt+x": "Alt+x",
        "Space": " ",
    }.items():
        anywhere(f"press {keys} #button")
        assert anywhere.js("heard[heard.length - 1]") == heard, keys


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("date", "2026-11-30"),
        ("time", "13:45"),
        ("moment", "2026-11-30T13:45"),
        ("month", "2026-11"),
        ("week", "2026-W48"),
        ("color", "#33aa55"),
        ("range", "6"),
        ("number", "42"),
        ("email", "ada@example.test"),
        ("password", "s3cret word"),
        ("area", "two words"),
        ("text", "日本語 é 'x' \\ {y}"),
    ],
)
def test_each_kind_of_field(anywhere: Trial, field: str, text: str) -> None:
    """Fields take text in its ISO form or as it is, the page hears of it, and clear empties what can be empty."""
    if anywhere.js("location.pathname") != "/fields.html":
        anywhere.open("fields.html")
    anywhere.page.type(f"#{field}", text)
    anywhere.page.expect(f"#{field}", "value", text)
    assert anywhere.js(f"heard.includes('input {field}')")
    if field not in ("color", "range"):
        anywhere(f"clear #{field}")
        anywhere(f"expect #{field} empty")


def test_rich_text(anywhere: Trial) -> None:
    """What can be edited in place is replaced, added to, shortened by keys, and emptied."""
    anywhere.open("fields.html")
    steps(
        anywhere,
        """
        type #rich "new words"
        type #rich " more" --append
        text #rich => new words more
        press Backspace #rich
        expect #rich contains "new words"
        clear #rich
        expect #rich text ""
        """,
    )


def test_choices(anywhere: Trial) -> None:
    """Selects by label, value and place; several at once, taken back one by one; a choice that cannot be made."""
    anywhere.open("fields.html")
    steps(
        anywhere,
        """
        select #one value=no
        value #one => no
        select #one index=2
        value #one => pe
        select #many Alpha Gamma
        value #many => a,c
        select #many Beta
        value #many => b
        select #many Alpha Beta Gamma
        deselect #many Beta
        value #many => a,c
        deselect #many
        value #many =>
        tick #check
        expect #check checked
        tick label=Fancy
        expect #fancy checked
        tick #aria-box
        expect #aria-box checked
        """.replace("=>\n", "\n"),
    )
    assert anywhere.js("[...document.querySelectorAll('#many option')].every((o) => !o.selected)")
    anywhere.fails("select #one Nowhere --timeout 0.3", "NotActionable", "disabled")
    anywhere.fails("select #one Perux --timeout 0.3", "NotActionable", "closest: Peru")


# ---- where things are ---------------------------------------------------------------------------
def test_sticky_headers(anywhere: Trial) -> None:
    """An element under a fixed header or footer is moved out from under it and then pressed."""
    anywhere.open("scrolling.html")
    for row in (18, 0, 14):
        anywhere(f'click text="Row {row}"')
        assert anywhere.js("clicked") == f"Row {row}"
    anywhere("click #inside")
    assert anywhere.js("clicked") == "Inside the box"


def test_an_endless_list(anywhere: Trial) -> None:
    """Scrolling to the end again and again reaches what the page adds."""
    anywhere.open("scrolling.html")
    for rows in (40, 60):
        anywhere("scroll bottom")
        anywhere.until(f"document.querySelectorAll('.row').length >= {rows}")
    anywhere('click text="Row 59"')
    assert anywhere.js("clicked") == "Row 59"


def test_elements_that_move_hide_and_wait(anywhere: Trial) -> None:
    """A press waits for rest, for the cover to go, for what is enabled, shown or added late, and lands."""
    anywhere.open("late.html")
    anywhere.fails("click #moving --timeout 0.4", "NotActionable", "moving")
    anywhere.fails("click #covered --timeout 0.4", "NotActionable", "in the way", "covers it")
    anywhere("evaluate start(300)")
    for button in ("moving", "covered", "disabled", "hidden", "added"):
        anywhere(f"click #{button}")
        anywhere(f"expect #said text {button}")
    steps(anywhere, "type #readonly written\nselect #choice Second\nexpect #choice value Second")


def test_behind_a_modal_dialog(anywhere: Trial) -> None:
    """What a modal dialog of the page's own keeps away is named so, and pressed once that is closed."""
    anywhere.open(
        "<button id=b onclick='this.textContent = \"pressed\"'>b</button>"
        "<dialog id=d><button id=shut onclick='d.close()'>shut</button></dialog><script>d.showModal()</script>"
    )
    anywhere.fails("click #b --timeout 0.4", "NotActionable", "inert")
    steps(anywhere, "click #shut\nclick #b\nexpect #b text pressed")


def test_points_of_a_canvas(anywhere: Trial) -> None:
    """A press and a hover land on the point named, from the element's corner, also of one larger than the screen."""
    anywhere.open("canvas.html")
    steps(
        anywhere,
        """
        click #board --at 7,5
        expect #said text 7,5
        click #board --at 250,150
        expect #said text 250,150
        evaluate board.width = 3000; board.height = 2500
        click #board --at 2900,2400
        expect #said text 2900,2400
        """,
    )


def test_turned_and_scaled_frames(anywhere: Trial) -> None:
    """A press in a frame with borders, padding and a scale lands where the page drew the button."""
    inner = anywhere.site.page(
        "<body style='margin:0;height:900px'><button id=b style='position:absolute;top:700px;left:40px'>b</button>"
        "<script>b.onclick = () => { b.textContent = 'pressed' }</script>"
    )
    for style in ("border:17px solid;padding:20px 40px", "transform:scale(.5)"):
        anywhere.open(f"<p style='height:300px'><iframe id=f src='{inner}' style='height:200px;{style}'></iframe>")
        steps(anywhere, "frame #f\nclick #b\nexpect #b text pressed\nframe main")


# ---- pictures -----------------------------------------------------------------------------------
def test_secrets_are_painted_over(anywhere: Trial) -> None:
    """A secret is painted over in pictures of the page, whether it stands in it or in a frame of another site."""
    anywhere.bench.secrets.add("PW", "open-sesame")
    inner = anywhere.site.page(
        "<body style='margin:0;background:#fff'><p style='margin:0;font-size:40px'>open-sesame</p>"
    )
    anywhere.open(
        "<body style='margin:0;background:#fff'><p style='margin:0;height:60px;font-size:40px'>open-sesame</p>"
        f"<iframe id=f style='border:0;margin:0;display:block;height:80px;width:400px'"
        f" src='{anywhere.site.other_url}{inner}'></iframe>"
    )
    anywhere("frame #f")
    anywhere("expect p visible")
    for enter in ("frame main", "frame #f"):
        anywhere(enter)
        with Image.open(io.BytesIO(anywhere("screenshot").read_bytes())) as opened:
            image = opened.convert("RGB")
        assert image.getpixel((60, 25)) == (60, 60, 67), enter
        assert image.getpixel((60, 82)) == (60, 60, 67), enter
        assert image.getpixel((900, 600)) == (255, 255, 255), enter
    anywhere("frame main")


def test_masked_elements_of_a_failing_step(anywhere: Trial) -> None:
    """A failing step keeps its picture, and what was to be masked is covered in it."""
    anywhere.open("<body style='margin:0'><h1 style='margin:0;height:60px'>head</h1><p>text</p>")
    anywhere.fails("screenshot #nowhere --mask h1 --timeout 0.3", "ElementNotFound")
    with Image.open(io.BytesIO(anywhere.artifact("failure"))) as opened:
        image = opened.convert("RGB")
    assert (image.getpixel((30, 30)), image.getpixel((900, 600))) == ((60, 60, 67), (255, 255, 255))
    frame = anywhere.site.page("<body style='margin:0'><h1 style='margin:0;height:60px'>head</h1><p>text</p>")
    anywhere.open(
        f"<body style='margin:0'><h1>out</h1><iframe id=f src='{frame}' style='margin:70px;border:0'></iframe>"
    )
    anywhere("frame #f")
    with Image.open(io.BytesIO(anywhere("screenshot --mask h1").read_bytes())) as opened:
        image = opened.convert("RGB")
    top = anywhere.js("f.getBoundingClientRect().top")
    assert (image.getpixel((100, int(top) + 30)), image.getpixel((900, 30))) == ((60, 60, 67), (255, 255, 255))


# ---- what only a second channel does ------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mock **/echo --json '{\"a\": 1}'", "let the test's own server answer"),
        ("network offline", "slow the server down"),
        ("expect h1 aria", "use chrome"),
        ("checkpoint here", "use chrome"),
    ],
)
def test_what_needs_devtools(anywhere: Trial, engine: str, line: str, words: str) -> None:
    """Chromium does it here and through a grid; another engine says its name, what it lacks and what to use instead."""
    anywhere.open("<h1>head</h1>")
    if engine in PLAIN:
        anywhere.fails(line, "Unsupported", engine, words)
        return
    anywhere.bench.settings.update_baselines = True
    anywhere(line)
    undo: dict[str, Any] = {"mock": "mock --clear", "network": "network online", "checkpoint": "restore here"}
    if line.split()[0] in undo:
        anywhere(undo[line.split()[0]])
    anywhere("reload")
    assert anywhere("text h1") == "head"
