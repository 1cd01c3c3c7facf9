"""Pages that bend what scripts rely on, forbid scripts, or are no HTML at all: steps go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jbts_kernel.browser.session import PAGE_SCRIPT

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Trial

BENT = {
    "queries": "for (const k of [Document, Element]) k.prototype.querySelectorAll = () => []",
    "styles": "window.getComputedStyle = () => ({}); Element.prototype.getBoundingClientRect = () => ({})",
    "a clock that stands": "window.setTimeout = window.requestAnimationFrame = () => 1; performance.now = () => 5",
    "promises": "window.Promise = function () {}; window.Map = window.Set = window.Error = null",
    "arrays": "Array.prototype.map = () => []; Array.prototype[Symbol.iterator] = function* () {}",
    "all objects": "for (const k of ['value', 'get', 'set', 'el', 'state']) Object.prototype[k] = 7",
}


@pytest.mark.parametrize("script", BENT.values(), ids=BENT)
def test_a_page_that_bends_what_scripts_rely_on(trial: Trial, script: str) -> None:
    """A page's own querySelectorAll, clock, promises or prototypes change nothing for the steps."""
    trial.open(
        f"<script>{script}</script><button id=b onclick='this.name = 1'>Go</button>"
        "<select id=s><option>a<option>b</select>"
    )
    trial("click text=Go")
    trial("select #s b")
    trial("expect #s value b")
    assert trial.js("b.name") == "1"


def test_a_page_that_replaces_json(trial: Trial) -> None:
    """Where the driver itself needs what the page took away, the error says so; reading goes on."""
    trial.open("<script>JSON.stringify = () => 'x'</script><button id=b>Go</button>")
    trial.fails("click #b", "StepProblem", "replaced JSON", "reading")
    assert trial("text #b") == "Go"


@pytest.mark.parametrize(
    "policy", ["sandbox", "default-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"]
)
def test_pages_that_forbid_scripts(trial: Trial, site: Site, policy: str) -> None:
    """A sandbox without scripts and a strict content policy stop the page's scripts, not the steps."""
    trial("navigate " + site.page("<button id=b>Go</button><input id=i>", Content_Security_Policy=policy))
    trial("click #b")
    trial("type #i words")
    trial("expect #i value words")
    assert trial("evaluate 1 + 1") == 2


XHTML = b"""<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>X</title></head><body>
<p>Hi <b>there</b></p><input id="i" type="date"/><select id="s"><option>a</option></select></body></html>"""
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><title>S</title>
<line id="l" x1="10" y1="50" x2="200" y2="50" stroke="red" stroke-width="6"/><text x="10" y="100">Hello</text></svg>"""


@pytest.mark.parametrize(
    ("content", "mime", "lines"),
    [
        (XHTML, "application/xhtml+xml", ["expect 'text=hi there' visible", "type #i 2026-01-02", "select #s a"]),
        (SVG, "image/svg+xml", ["expect title S", "wait --text hello", "click #l", "expect text=hello visible"]),
        (b"plain words", "text/plain", ["wait --text 'plain words'", "expect 'text=plain words' visible"]),
        (b'{"a": 1}', "application/json", ["expect pre text '{\"a\": 1}'"]),
        (b"<title>Q</title><p id=P>quirks<div style=height:3000px></div><button id=e>e", "text/html", ["click #e"]),
        (b"", "text/html", ["expect body empty", "expect #b gone"]),
    ],
    ids=["xhtml", "svg", "text", "json", "quirks", "empty"],
)
def test_documents_of_every_kind(trial: Trial, site: Site, content: bytes, mime: str, lines: list[str]) -> None:
    """Steps work in XHTML, SVG, text, JSON, quirks mode and an empty document."""
    trial("navigate " + site.document(content, mime))
    for line in lines:
        trial(line)


def test_a_frameset(trial: Trial, site: Site) -> None:
    """Old frames are entered like inline ones."""
    inner = site.page("<button id=b>b</button>")
    trial("navigate " + site.document(f"<frameset cols='1*,1*'><frame><frame id=r src={inner}>".encode(), "text/html"))
    trial("frame #r")
    trial("click #b")
    trial("expect #b focused")


def test_nothing_of_ours_is_left_in_the_page(trial: Trial) -> None:
    """The page cannot see the script that finds its elements, nor what it keeps."""
    trial.open("<button id=b>b</button><script>const before = Object.keys(window).length</script>")
    trial("expect role=button[name=b] visible")
    trial("focus #b")
    assert trial.js("Object.keys(window).length - before") == 0
    assert "jbts" not in PAGE_SCRIPT.lower()


def test_what_was_found_before_is_not_mistaken_for_another(trial: Trial, site: Site) -> None:
    """What is kept of one question is about that element and that document, also when both were replaced since."""
    trial.open("<input id=a><input id=b>")
    trial("type #a one")
    kept = trial.bench.session.page("element", chain=[{"engine": "css", "value": "#a"}], wants=[])["el"]
    other = trial.bench.session.page("element", chain=[{"engine": "css", "value": "#b"}], wants=[])["el"]
    assert trial.bench.session.page("read", el=kept, what="value")["value"] == "one"
    assert trial.bench.session.page("read", el=other, what="value")["value"] == ""
    trial.js("a.remove()")
    assert trial.bench.session.page("read", el=kept, what="value")["state"] == "stale"
    assert trial.bench.session.page("read", el=other, what="value")["value"] == ""
    trial("navigate " + site.page("<input id=b value=two>"))
    trial("expect #b value two")
    trial("back")
    trial("expect #b value ''")


def test_nothing_is_rendered_beside_the_tested_page(trial: Trial) -> None:
    """The browser opens no pages of its own, which would be rendered anew for each context."""
    found = trial.bench.session.browser.channel.call("Target.getTargets", {"filter": [{}]})["targetInfos"]
    assert {one["type"] for one in found} <= {"page", "tab", "browser"}


def test_what_a_frame_of_another_site_says(trial: Trial, site: Site) -> None:
    """Console lines and requests of a frame in another process belong to the step that met them."""
    source = site.other_url + site.page("<p>inner</p>")
    trial.open(f"<iframe id=f src='{source}'></iframe>")
    trial("frame #f")
    trial("evaluate console.error('from inside'); return fetch('/status/404').then(() => 1)")
    trial("expect console contains 'from inside'")
    trial("expect request **/status/404 --status 404")
