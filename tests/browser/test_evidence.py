"""What a failure leaves behind: one folder, one HTML file, within two seconds, and nothing that is masked."""

from __future__ import annotations

import json
import re
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from jbts_kernel import evidence
from jbts_kernel.browser.trail import KEPT, Trail

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Trial

FILES = {
    "screenshot.png", "page.html", "accessibility.txt", "console.json", "network.json", "tried.txt", "evidence.html",
}  # fmt: skip


class Tags(HTMLParser):
    """The tags of a file with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def folder(trial: Trial) -> Path:
    """The newest step's evidence."""
    assert trial.last.evidence is not None
    return Path(trial.last.evidence).parent


def test_a_failure_s_folder(trial: Trial) -> None:
    """Everything of a failed step is in one folder, the card and the row name it, and a step that passes has none."""
    trial.open("<h1>Cart</h1><button id=b disabled>Pay</button><div id=over></div>", "Shop")
    trial("evaluate console.error('no stock'); return fetch('/status/503').then(() => 0)")
    assert trial.last.evidence is None
    trial.fails("click #b --timeout 0.4", "NotActionable")
    assert {p.name for p in folder(trial).iterdir()} == FILES
    assert folder(trial).name == f"{trial.last.ordinal}-click"
    assert (folder(trial) / "screenshot.png").read_bytes() == trial.artifact("failure")
    assert (folder(trial) / "page.html").read_bytes() == trial.artifact("source")
    assert '- heading "Cart" [level=1]\n- button "Pay" [disabled]\n' in trial.artifact("accessibility").decode()
    assert json.loads((folder(trial) / "console.json").read_text())[0]["text"] == "no stock"
    assert 503 in [r["status"] for r in json.loads((folder(trial) / "network.json").read_text())]
    assert re.search(r"found, disabled \(\d+ times, until \d+\.\d+ s\)", (folder(trial) / "tried.txt").read_text())
    (row,) = [r for r in trial.rows("artifact") if r["role"] == "evidence"]
    assert (trial.bench.home / row["path"]) == folder(trial) / "evidence.html"
    assert row["bytes"] == (folder(trial) / "evidence.html").stat().st_size
    assert str(folder(trial)) in trial.card().text and str(folder(trial)) in trial.card().plain
    assert "what was tried" in trial.card().text


def test_the_page_opens_by_itself(trial: Trial) -> None:
    """The file holds its picture, loads and runs nothing, whatever the page said, and fits a phone."""
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    quoted = json.dumps(evil)
    trial.open("<h1 id=h></h1><p id=p></p>", "x")
    trial(
        f"evaluate h.textContent = document.title = {quoted} + 'x'.repeat(900); p.setAttribute('aria-label', {quoted})"
    )
    trial(f"evaluate console.error({quoted}); return fetch('/echo?q=' + encodeURIComponent({quoted})).then(() => 0)")
    trial.page.expect("#h", "text", "other", timeout=0.2, continue_on_failure=True)
    text = (folder(trial) / "evidence.html").read_text()
    for tag, attributes in Tags(text).found:
        assert tag not in ("script", "iframe", "link", "object", "form", "a"), tag
        assert not [name for name in attributes if name.startswith("on")], attributes
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    file = folder(trial) / "evidence.html"
    trial("window 400x800")
    trial(f"navigate file://{file}")
    assert trial.js("document.documentElement.scrollWidth") <= 400
    assert trial.js("document.title.startsWith('expect: ExpectationFailed') && document.images[0].naturalWidth > 300")


def test_secrets_and_masks_are_in_no_file(trial: Trial) -> None:
    """A secret, and what the step masks in its picture, is neither in source nor outline nor anywhere else."""
    trial.bench.secrets.add("PW", "open-sesame")
    trial.open(
        "<input aria-label=Code value=open-sesame><p id=m title=4929-1234>4929-1234 <b>4929-1234</b></p>"
        "<button aria-label='open-sesame'>x</button><p id=p>left</p>"
    )
    trial("evaluate console.log('open-sesame'); return fetch('/echo?q=open-sesame').then(() => 0)")
    (trial.bench.folder / "b.png").write_bytes(trial("screenshot --mask #m").read_bytes())
    trial("evaluate p.style.background = 'red'")
    trial.fails("expect picture ./b.png --mask #m --timeout 0.2", "ExpectationFailed", status="failed")
    assert "left" in (folder(trial) / "page.html").read_text()
    assert "- masked" in (folder(trial) / "accessibility.txt").read_text()
    for path in folder(trial).iterdir():
        for hidden in (b"open-sesame", b"4929-1234"):
            assert hidden not in path.read_bytes(), path.name


def test_frames_are_in_the_outline(trial: Trial) -> None:
    """The outline has every frame, those of another site too."""
    inner = trial.site.page("<button>inside</button>")
    trial.open(f"<iframe src='{inner}'></iframe><iframe src='{trial.site.other_url}{inner}'></iframe>")
    trial.fails("click #nothing --timeout 0.1", "ElementNotFound")
    outline = trial.artifact("accessibility").decode()
    assert outline.count('- button "inside"') == 2
    assert f"# {trial.site.other_url}{inner}" in outline


def test_a_page_that_does_not_answer(own_browser: Callable[..., Trial]) -> None:
    """A page whose thread is blocked costs two seconds, and what it did not give is named."""
    trial = own_browser()
    trial.open("<h1>x</h1>")
    session, kept = trial.bench.session, []
    asking = "const ask = new XMLHttpRequest(); ask.open('GET', '/echo?blocked', false); ask.send();"
    trial.js(f"setTimeout(() => {{ {asking} const end = Date.now() + 20000; while (Date.now() < end); }}, 0)")
    while "GET /echo?blocked" not in trial.site.seen:  # then its thread is blocked until the end
        threading.Event().wait(0.02)
    stage: Any = SimpleNamespace(session=session, mask=str, masked_locators=(), keep=lambda *given: kept.append(given))
    found, begun = evidence.Gathered(), time.monotonic()
    evidence.gather(stage, found)
    assert time.monotonic() - begun < 15
    assert [line.split(" is not here")[0] for line in found.missing][:1] == ["the page's source"]
    assert found.source == ""


def test_a_page_behind_a_dialog(trial: Trial) -> None:
    """A page that stands still is not asked, and the file says so."""
    trial.open("<h1>x</h1>")
    trial("evaluate setTimeout(() => alert('stop'), 0); 0")
    trial.dialog()
    trial.fails("click h1", "UnexpectedDialog")
    assert "the page was not asked" in (folder(trial) / "evidence.html").read_text()
    trial("dialog accept")


def test_when_there_is_evidence(trial: Trial) -> None:
    """Not of an optional step, and not where nothing of the page is kept."""
    trial.open("<h1>x</h1>")
    trial("click #no --timeout 0.1 --optional")
    assert (trial.last.status, trial.last.evidence) == ("skipped", None)
    trial.fails("click #no --timeout 0.1 --no-screenshot", "ElementNotFound")
    assert trial.last.evidence is not None
    trial.bench.settings.screenshots = "never"
    trial.fails("click #no --timeout 0.1", "ElementNotFound")
    assert trial.last.evidence is None


def test_a_trail_is_bounded() -> None:
    """The same sight again is counted, and what never stops changing is cut."""
    trail = Trail()
    trail.tell("looking")
    for _ in range(500):
        trail.saw(0, {"seen": [{"state": "absent", "looks": 3, "at": 5}]})
    assert len(trail.lines()) == 2 and "1500 times" in trail.lines()[1]
    for n in range(500):
        trail.saw(0, {"state": "unmet", "actual": f"{n}"})
    assert len(trail.lines()) == KEPT + 1
    assert trail.lines()[-1].strip() == f"and {502 - KEPT} more sights"
