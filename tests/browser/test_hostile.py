"""Pages that put markup where reports show text, and pages that would not let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jbts_kernel import display
from jbts_kernel.errors import StepFailed

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


@pytest.fixture
def hostile(trial: Trial) -> Trial:
    trial.bench.show = trial.shown.append
    trial.open("hostile.html")
    return trial


def test_the_page_s_words_are_only_words(hostile: Trial) -> None:
    """Title, address, console, requests and errors with markup in them stay text in the card."""
    hostile("wait --text press")
    card = hostile.card()
    card.assert_harmless()
    assert "<script>window.evil=1</script>" in card.text
    hostile("evaluate console.error('<img src=x onerror=alert(0)>')")
    card = hostile.card()
    card.assert_harmless()
    assert "<img src=x onerror=alert(0)>" in card.text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("click .evil --timeout 0.1", "onerror=alert(2)"),
        ("click #walled --timeout 0.1", "onerror=alert(8)"),
        ("expect #same text no --timeout 0.1", "<b onclick=alert(5)>press</b>"),
        ("expect title no --timeout 0.1", "<script>window.evil=1</script>"),
        ("select #choice 'no such' --timeout 0.1", "<script>alert(7)</script>"),
        ("click 'text=<script>alert(0)</script>' --timeout 0.1", "<script>alert(0)</script>"),
        ("type #nothing '<img src=x onerror=alert(0)>' --timeout 0.1", "<img src=x onerror=alert(0)>"),
        ("navigate 'http://<img src=x onerror=alert(0)>/'", "onerror=alert(0)"),
        ("evaluate throw new Error('<img src=x onerror=alert(0)>')", "<img src=x onerror=alert(0)>"),
        ("request GET '/status/404?<script>' --expect-status 200", "<script>"),
        ("wait --tab --timeout 0.1 --name '<img src=x onerror=alert(0)>'", "<img src=x onerror=alert(0)>"),
    ],
)
def test_errors_about_hostile_pages(hostile: Trial, line: str, shown: str) -> None:
    """What a failure quotes of the page is escaped in the card and whole in the text."""
    with pytest.raises(StepFailed):
        hostile(line)
    card = hostile.card()
    card.assert_harmless()
    assert shown in card.text
    assert "window.evil" not in [name for _, attributes in card.tags for name in attributes]


def test_dialogs_with_markup(hostile: Trial) -> None:
    """A dialog's text is shown as text, in the note and in the error."""
    hostile("click #ask")
    card = hostile.card()
    card.assert_harmless()
    assert "<img src=x onerror=alert(6)>" in card.text
    hostile.fails("click #same", "UnexpectedDialog", "onerror=alert(6)")
    hostile.card().assert_harmless()
    assert hostile("dialog accept") == "<img src=x onerror=alert(6)>"


def test_nothing_of_it_runs(hostile: Trial) -> None:
    """Looking at a hostile page from all sides runs none of what it holds, and opens no dialog."""
    for line in (
        "tabs",
        "text h1",
        "options #choice",
        "attribute #same aria-label",
        "screenshot",
        "count .evil",
    ):
        hostile(line)
    with pytest.raises(StepFailed, match="no table"):
        hostile("table body")
    assert hostile.js("window.evil") is None
    assert hostile.bench.session.dialog is None


def test_tables_of_the_page_s_words(hostile: Trial) -> None:
    """The table, note and strip displays escape as the card does."""
    rows = [[t["title"], t["url"]] for t in hostile("tabs")]
    for bundle in (
        display.table(["<b>", "url"], rows),
        display.note(rows[0][0], detail=rows[0][1]),
        display.strip(rows[0][0], hostile.shown),
    ):
        card = hostile.read(bundle)
        card.assert_harmless()
        assert "<script>window.evil=1</script>" in card.text


def test_a_very_large_page(trial: Trial) -> None:
    """Titles, texts and messages of any size are cut in cards, and the row stays small."""
    trial.bench.show = trial.shown.append
    trial.open("<p id=p></p>")
    trial(
        "evaluate document.title = 't'.repeat(1e6); p.textContent = 'p'.repeat(1e6); "
        "console.error('c'.repeat(1e6)); p.className = 'k'.repeat(1e5)"
    )
    trial.fails("expect #p text no --timeout 0.1", "ExpectationFailed", status="failed")
    card = trial.card()
    assert len(card.text) < 20_000
    assert len(trial.row()["title"]) <= 500
    assert sum(len(str(r.data)) for r in trial.records()) < 100_000


def test_a_page_that_never_stops_talking(trial: Trial) -> None:
    """A page that floods the console costs a bounded number of lines."""
    trial.open("<p>x</p>")
    trial("evaluate for (let i = 0; i < 6000; i += 1) console.log('line', i)")
    assert len(trial.rows("console")) <= 200
    trial("expect console contains 'line 5999'")


def test_a_page_that_blocks(trial: Trial) -> None:
    """A script that never ends fails the steps that meet it in their time, and the tab can be left."""
    trial.open(
        '<button id=b onclick="const end = Date.now() + 2500; while (Date.now() < end);">b</button><p id=p>x</p>'
    )
    trial("evaluate setTimeout(() => b.click(), 50)")
    trial("expect #p text x --timeout 6")
    trial("navigate /labels.html")
    trial("expect title Labels")


def test_a_page_that_changes_the_ground(trial: Trial) -> None:
    """A page that adds to what all objects and arrays inherit is still driven."""
    trial.open(
        "<script>Object.prototype.extra = 1; Array.prototype.more = [1]; String.prototype.extra = 1;"
        "Array.prototype.toJSON = () => 'x'; window.find = window.all = window.done = 1;</script>"
        "<button id=b>b</button>"
    )
    trial("click #b")
    assert trial("text #b") == "b"


def test_frames_on_clickjacking_pages(trial: Trial) -> None:
    """A transparent layer over a button is something in the way, not something to press through."""
    trial.open("<button id=b>Pay</button><div id=layer style='position:fixed;inset:0;opacity:0'></div>")
    trial.fails("click #b --timeout 0.2", "NotActionable", '<div id="layer"', "covers it")


def test_escapes_for_terminals_are_written_out(trial: Trial) -> None:
    """Control characters and marks that turn the writing around are shown in cards and errors, never sent on."""
    trial.bench.show = trial.shown.append
    trial.open("<p id=p></p>")
    trial(
        r"evaluate p.textContent = document.title = '\u001b[31mred\u001b[0m \u202eevil'; console.error(p.textContent)"
    )
    failed = trial.fails("expect #p text no --timeout 0.1", "ExpectationFailed", r"\x1b[31mred", status="failed")
    card = trial.card()
    for shown in (failed.message, card.plain, card.text):
        assert not {"\x1b", "\u202e"} & set(shown)
