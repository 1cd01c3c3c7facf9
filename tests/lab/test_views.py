"""Live views in a real JupyterLab: sort, filter, open, slide, accept and choose by mouse and by keyboard; and what is
left of them without a kernel."""

from __future__ import annotations

import json
import urllib.request
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.demo import Shop

from .conftest import IDLE, TOKEN

if TYPE_CHECKING:
    from .conftest import Server, Tester

pytestmark = pytest.mark.slow

CHANGED = "%evaluate document.querySelector('h1').textContent = 'Something else'; return 1"
BROKEN = (
    "%evaluate document.body.insertAdjacentHTML('afterbegin', `<p>undefined</p><img src=/none.png width=99>`); return 1"
    "\n%analyze"
)
CHOSEN = "[...document.querySelectorAll('.jbts-find input')].findIndex((one) => one.checked)"
TWINS = "[...document.querySelectorAll('.jp-OutputArea-child:has(.jbts-twin)')]"
AXE = """
const done = arguments[arguments.length - 1];
const include = [...document.querySelectorAll(".jbts-live, .jbts-look")];
axe.run({ include }).then(({ violations }) => done(violations.filter((v) => /serious|critical/.test(v.impact))
  .map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 200)} ${v.nodes[0].failureSummary}`)));
"""


def request(lab: Server, path: str, method: str = "GET") -> bytes:
    asked = urllib.request.Request(f"{lab.url}{path}", method=method, headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(asked) as answer:
        return bytes(answer.read())


def test_views_by_mouse_and_keyboard(lab: Server, tester: Tester, shop: Shop) -> None:
    """A table is filtered, sorted and opened; a baseline laid over what was seen, and accepted; events arrive; a
    finding and its box are marked together. Nothing in it is a serious obstacle to a screen reader. Opened again
    without a kernel, the notebook shows the twins and no error."""
    page = tester.page
    tester.open(
        "views.ipynb",
        f"%config JBTS.broadcaster = 'thread'\n%navigate {shop.url}\n%expect h1 picture hero\n{CHANGED}\n"
        "%expect h1 picture hero --timeout 0.5 --continue-on-failure",
        "%query select execution_id, verb, status from steps order by ordinal",
        "%accept --review",
        "%events tail",
        BROKEN,
        "%workbench",
    )
    tester.run_cell(0)
    for _ in range(4):
        page.press("Shift+Enter")
    page.expect(".jbts-find label >> nth=1", "visible", timeout=90)
    tester.until("an idle kernel", IDLE)

    table = ".jbts-live:has(input[type=search])"
    page.type(f"{table} >> input", "expect")
    page.expect(f"{table} >> tbody tr", "count", 2)
    page.click(f"{table} >> th button >> nth=2")
    page.expect(f"{table} >> tbody tr >> nth=0", "contains", "failed")
    page.focus(f"{table} >> tbody button >> nth=0")
    page.press("Enter")
    page.expect(table, "contains", "the picture differs from")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    tester.picture("views-open")

    review = ".jbts-live >> nth=1"
    page.click(f'{review} >> role=button[name="lay expected and actual of hero over each other"]')
    page.focus(f"{review} >> input")
    page.press("ArrowRight")
    assert page.evaluate("document.querySelector('.jbts-slide').style.getPropertyValue('--at')") == "51%"
    page.click(f'{review} >> role=button[name="accept hero"]')
    page.expect(review, "contains", "no snapshot waits")

    page.expect(".jbts-lines li >> nth=0", "contains", "analyze")
    page.click(".jbts-look label:last-child > .jbts-tag")
    first = page.evaluate(CHOSEN)
    page.press("ArrowUp")
    assert first >= 0 and page.evaluate(CHOSEN) not in (-1, first)
    outlines = "[...document.querySelectorAll('label.jbts-box')].map((one) => getComputedStyle(one).outlineWidth)"
    assert sorted(page.evaluate(outlines))[-2:] == ["2px", "4px"]
    tester.picture("views-analyze")
    axe = next(Path(str(one.locate())) for one in files("selenium-axe-python") or () if one.name == "axe.min.js")
    driver = tester.bench.session.driver
    assert driver.execute_async_script(axe.read_text(encoding="utf-8") + AXE) == []

    page.click(".jp-Notebook .jp-Cell .cm-content >> nth=4")  # in an input of an output JupyterLab's keys do nothing
    page.press("Control+B")
    page.window("400x900")
    wide = "[...document.querySelectorAll('.jbts-live')].every((one) => one.scrollWidth <= one.clientWidth)"
    tester.until("views that fit", wide)
    tester.picture("views-narrow")
    page.window("1500x1000")

    tester.run_cell(5)
    page.expect(".jbts-panel", "visible")
    hidden = f"{TWINS}.length == 4 && {TWINS}.every((one) => !one.offsetHeight)"
    tester.until("twins below what lives", hidden)
    page.press("Control+S")
    tester.until("a saved notebook", "!document.querySelector('.jp-mod-dirty')")
    for session in json.loads(request(lab, "/api/sessions")):
        request(lab, f"/api/sessions/{session['id']}", "DELETE")
    page.navigate(f"{lab.url}/lab/tree/views.ipynb?reset&token={TOKEN}&kernel=none")
    page.expect(".jp-Notebook", "contains", "%accept hero")
    broken = "[...document.querySelectorAll('.jp-OutputArea-child')].filter((one) => /Error disp/.test(one.innerText))"
    tester.until("the four twins", f"{TWINS}.length == 4 && {TWINS}.every((one) => one.offsetHeight > 0)")
    tester.until("no error that is seen", f"!{broken}.some((one) => one.offsetHeight)")
    assert "expect h1 picture hero" in page.evaluate(f"{TWINS}[3].textContent")
    tester.picture("views-without-a-kernel")
