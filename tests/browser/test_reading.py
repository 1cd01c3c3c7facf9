"""What reading verbs return: texts, values, tables, scripts' results, pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


# ---- texts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("#folded", "one two three"),
        ("#cased", "QUIET WORDS"),
        ("#split", "Hello big World"),
        ("#partly", "seen again"),
        ("#nbsp", "12 000 kr"),
        ("#long", "ligature ﬁ and é, 日本語, 😀"),
        ("#outer", "Order now"),
        ("#submit", "Go ahead"),
        ("#typed", "typed text"),
        ("#area", "line one\nline two"),
    ],
)
def test_text(reader: Trial, locator: str, expected: str) -> None:
    """text returns what a person sees; of a field, what it holds."""
    if not reader.bench.sessions or reader.js("document.title") != "Texts":
        reader.open("texts.html")
    assert reader(f"text {locator}") == expected
    row = reader.row()
    assert (row["step_type"], row["locator"], row["status"]) == ("read", locator, "passed")


def test_text_of_what_is_not_seen(trial: Trial) -> None:
    """The text of a hidden element is not read; its value and attributes are."""
    trial.open('<p id=p style="display:none" data-x=1>hidden</p><input id=i type=hidden value=v>')
    trial.fails("text #p --timeout 0.1", "NotActionable", "not visible")
    assert trial("attribute #p data-x") == "1"
    assert trial("value #i") == "v"


def test_value_attribute_count(trial: Trial) -> None:
    """value is what a field holds now, attribute what the markup says, count never waits."""
    trial.open('<input id=i value=markup><a id=a href="/x?y=1">a</a><p class=p>1<p class=p>2')
    trial("type #i typed")
    assert trial("value #i") == "typed"
    assert trial("attribute #i value") == "markup"
    assert trial("attribute #a href") == "/x?y=1"
    assert trial("attribute #a title") is None
    assert (trial("count .p"), trial("count .nothing")) == (2, 0)
    trial.fails("value #nothing --timeout 0.1", "ElementNotFound", "#nothing")
    trial.fails("attribute .p id", "ElementAmbiguous")
    trial.fails("count ##", "LocatorInvalid", "not a valid selector")


def test_table(trial: Trial) -> None:
    """A table is a list of rows of texts, whether made of tags or of roles."""
    trial.open(
        "<table id=t><thead><tr><th>Name<th>Sum<tbody><tr><td>Ada  <b>L</b><td>3<tr><td colspan=2>all</table>"
        "<div id=g role=table><div role=row><span role=columnheader>A</span><span role=cell>1</span></div></div>"
    )
    assert trial("table #t") == [["Name", "Sum"], ["Ada L", "3"], ["all"]]
    assert trial("table #g") == [["A", "1"]]
    trial.bench.namespace["rows"] = trial("table #t")
    assert trial("expect '#t >> td >> nth=1' text ${rows[1][1]}") is None


def test_what_is_no_table(trial: Trial) -> None:
    """Rows of an element that has none would be an empty answer: it says so, with the tables there are. A table
    without rows is one."""
    trial.open("<h1 id=t>Sums</h1><table id=sums><caption>Sums of the day</caption></table><p id=p>Text</p>")
    assert trial("table #sums") == []
    trial.fails("table #t", "StepProblem", "#t is no table; there is #sums", "Sums of the day")
    trial.open("<p id=p>Text</p>")
    trial.fails("table #p", "StepProblem", "#p is no table, and there is none on the page")


# ---- evaluate -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("1 + 1", 2),
        ("document.title", "a page"),
        ("({a: [1, null, 'x']})", {"a": [1, None, "x"]}),
        ("[1, 2].map((n) => n * 2);", [2, 4]),
        ("return 7", 7),
        ("const x = 3; return x * 2;", 6),
        ("if (true) { return 'yes' } return 'no'", "yes"),
        ("[1, 2].map(function (n) { return n + 1 })", [2, 3]),
        ("[1, 2].map((n) => { return n + 1 })", [2, 3]),
        ("'return'", "return"),
        ("'a // b'", "a // b"),
        ("1 // return", 1),
        ("(() => { return 5 })()", 5),
        ("new Promise((go) => setTimeout(() => go('late'), 30))", "late"),
        ("await Promise.resolve(4)", 4),
        ("const r = await fetch('/echo?n=1'); return (await r.json()).query.n", "1"),
        ("undefined", None),
        ("null", None),
        ("'😀 <b>'", "😀 <b>"),
        ("`a\\nb`", "a\nb"),
        ('"quoted"', "quoted"),
        ("{ }", {}),
        ("const x = 1; window.kept = x", None),
        ("for (const x of [1, 2]) { if (x === 2) return x }", 2),
    ],
)
def test_evaluate(reader: Trial, script: str, value: Any) -> None:
    """An expression, or a body with return, gives its value back as a plain Python one."""
    if not reader.bench.sessions or reader.js("document.title") != "a page":
        reader.open("<h1>x</h1>")
    assert reader("evaluate", script) == value
    row = reader.row()
    assert (row["step_type"], row["input"], row["status"]) == ("evaluate", script, "passed")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("nothing.here", "nothing is not defined"),
        ("throw new Error('on purpose')", "on purpose"),
        ("(", "Unexpected token"),
        ("const = 1", "Unexpected"),
        ("JSON.parse('{')", "JSON"),
        ("Promise.reject(new Error('later'))", "later"),
    ],
)
def test_evaluate_that_throws(trial: Trial, script: str, words: str) -> None:
    """A script that throws, or cannot be parsed, is ScriptFailed with what JavaScript said."""
    trial.open("<h1>x</h1>")
    trial.fails("evaluate", "ScriptFailed", words, body=script)


def test_evaluate_options_and_time(trial: Trial) -> None:
    """Options stand before or after the script; a script that never ends is stopped."""
    trial.open("<h1>x</h1>")
    assert trial("evaluate --timeout 3 1 + 1") == 2
    assert trial("evaluate 1 + 1 --name sum --no-screenshot") == 2
    assert trial.row()["name"] == "sum"
    assert trial('evaluate "quoted text".length') == 11
    trial.fails("evaluate new Promise(() => 0) --timeout 0.3", "StepTimeout", "0.3 s")
    assert trial("evaluate 2") == 2


def test_evaluate_what_navigates(trial: Trial) -> None:
    """A script that leads elsewhere passes, and the step ends on the new page."""
    trial.open("<h1>x</h1>")
    trial("evaluate location.href = '/status/200'")
    trial("expect h1 text 'status 200'")


# ---- pictures -----------------------------------------------------------------------------------
def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


TALL = """<style>body{margin:0}</style><div style="height:1500px;background:#0f0"></div><div id=b
style="margin-left:50px;width:120px;height:80px;background:#00f"></div>
<div style="height:500px;background:#f00"></div>"""


def test_screenshots(trial: Trial) -> None:
    """A picture shows the viewport, the whole document, or one element wherever it is."""
    trial.open(TALL)
    trial("window 600x400")
    path = trial("screenshot")
    image = pixels(path.read_bytes())
    assert (image.size, image.getpixel((300, 200))) == ((600, 400), (0, 255, 0))
    image = pixels(trial("screenshot --full-page").read_bytes())
    assert (image.size, image.getpixel((300, 2000))) == ((600, 2080), (255, 0, 0))
    assert [a.role for a in trial.last.artifacts] == ["full_page"]
    image = pixels(trial("screenshot #b --name box").read_bytes())
    assert (image.size, image.getpixel((2, 2)), image.getpixel((118, 78))) == ((120, 80), (0, 0, 255), (0, 0, 255))
    row = trial.row()
    assert (row["step_type"], row["locator"], row["name"]) == ("screenshot", "#b", "box")
    assert row["screenshot"] == trial.last.artifacts[0].artifact
    assert (trial.last.artifacts[0].width, trial.last.artifacts[0].height) == (120, 80)


def test_masked_screenshots(trial: Trial) -> None:
    """--mask paints over elements, several of them, in every kind of picture."""
    trial.open(
        TALL + '<p class=m id="a b" style="position:fixed;top:0;left:0;width:50px;height:50px;background:#fff">x</p>'
    )
    for line, at in {
        "screenshot --mask .m": (25, 25),
        "screenshot --full-page --mask #b": (100, 1540),
        'screenshot --full-page --mask .m --mask "#b"': (100, 1540),
        'screenshot --mask [id="a b"]': (25, 25),
        'screenshot --mask text="x"': (25, 25),
        'screenshot --mask=[id="a b"]': (25, 25),
    }.items():
        image = pixels(trial(line).read_bytes())
        assert image.getpixel(at) == (60, 60, 67), line
    trial.fails("screenshot --mask ##", "LocatorInvalid", "not a valid selector")


def test_pictures_after_steps(trial: Trial) -> None:
    """With pictures always on, each step has one with the element's box; the card shows it outlined."""
    trial.bench.settings.screenshots = "always"
    trial.bench.show = trial.shown.append
    trial.open("buttons.html")
    assert trial.last.screenshot is None, "--no-screenshot"
    trial("click #two")
    kept = trial.last.screenshot
    assert kept is not None and trial.row()["screenshot"] == kept.artifact
    box = trial.js("(({x, y, width, height}) => [x, y, width, height])(two.getBoundingClientRect())")
    shown = trial.last.box
    assert shown is not None and [shown.x, shown.y, shown.width, shown.height] == box
    card = trial.card()
    card.assert_harmless()
    assert (len(card.pictures), "jbts-box" in card.html) == (1, True)
    assert pixels(card.pictures[0]).size == (640, 400)
    assert [r.step.verb for r in trial.shown] == ["navigate", "click"]


def test_pictures_of_failures(trial: Trial) -> None:
    """A failed step keeps a picture, the page's source and outline, as the page is then, and a file of all."""
    trial.open("<h1 id=h>before</h1>")
    trial("evaluate h.textContent = 'after'")
    assert not trial.last.artifacts
    trial.fails("expect #h text before --timeout 0.1", "ExpectationFailed", status="failed")
    kept = {"failure", "source", "accessibility", "evidence"}
    assert {artifact.role for artifact in trial.last.artifacts} == kept
    assert b'<h1 id="h">after</h1>' in trial.artifact("source")
    assert trial.artifact("failure").startswith(b"\x89PNG")
    assert {r["role"] for r in trial.rows("artifact")} == kept
