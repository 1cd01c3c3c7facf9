"""A tester's day in a real JupyterLab: point at the picture, and the step writes itself; stop, restart, go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.demo import Shop

from .conftest import IDLE

if TYPE_CHECKING:
    from .conftest import Server, Tester

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HELP = ".lm-MenuBar-item:last-child"


def test_a_test_built_by_pointing(lab: Server, tester: Tester) -> None:
    """JupyterLab itself is tested without a locator being typed: an address, presses on the picture, an expectation
    of what changed. The notebook then passes headless under papermill."""
    url = f"{lab.url}/lab/workspaces/tried?reset&token=lab-under-test"
    items = ".lm-Menu-item[data-command='help:about']", ".jp-Dialog button"
    help_, about, dismiss = tester.measure(url, HELP, *items, press=True)
    tester.open("pointed.ipynb", "%workbench")
    tester.run_cell(0)
    tester.go(url)
    tester.written("%workbench", f"%navigate {url}")
    tester.press("Drive")
    tester.over(help_, 'role=menuitem[name="Help"]')
    lines = ['%click role=menuitem[name="Help"]', '%click role=menuitem[name="About JupyterLab"]']
    for place, line in zip((help_, about), lines, strict=True):
        tester.point(place)
        tester.written(line)
    tester.page.expect(".jbp-expects", "contains", "ABOUT PROJECT JUPYTER")
    tester.picture("itself")
    tester.press('write %expect role=link[name=\\"ABOUT PROJECT JUPYTER\\"] visible')
    tester.written('%expect role=link[name="ABOUT PROJECT JUPYTER"] visible')
    tester.point(dismiss)
    tester.written('%click role=button[name="Close"]')
    tester.save()
    words = [sys.executable, "-m", "papermill", str(lab.notebooks / "pointed.ipynb"), str(lab.folder / "out.ipynb")]
    environment = {**os.environ, "JBTS_HOME": str(lab.folder / "headless"), "JBTS_BROADCASTER": "off"}
    done = subprocess.run(
        [*words, "-k", "jbts"], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outputs = [o for c in json.loads((lab.folder / "out.ipynb").read_text())["cells"] for o in c["outputs"]]
    twins = [o for o in outputs if '<div class="jbts-rows' in "".join(o.get("data", {}).get("text/html", ""))]
    assert "About JupyterLab" in "".join(twins[0]["data"]["text/html"])  # the panel's own cell keeps the whole strip


LATE = """
import jbts_kernel.panel_looks as panels
from jbts_kernel.errors import StepTimeout
looks, glance = [], panels.glance
def late(*about):
    looks.append(1)
    if len(looks) < 3:
        raise StepTimeout("the page does not answer")
    return glance(*about)
panels.glance = late
"""


def test_a_picture_that_is_late_comes(lab: Server, tester: Tester, shop: Shop) -> None:
    """A page that needs longer than a look after its step is looked at again, without anybody asking for it."""
    tester.open("late.ipynb", LATE, "%workbench", "len(looks) > 2")
    tester.run_cell(0)
    tester.run_cell(1)
    tester.go(f"{shop.url}/")
    tester.run_cell(2)
    tester.page.expect(".jp-Notebook .jp-Cell >> nth=2", "contains", "True")


PROMPTS = "[...document.querySelectorAll('.jp-Notebook .jp-InputPrompt')].map((one) => one.innerText)"


def test_what_is_done_becomes_cells(lab: Server, tester: Tester, shop: Shop) -> None:
    """Pointing offers what to do, and writes it without running it where Run is off; what is done on the picture is
    recorded, a password as a secret, a drag and the way into a frame; what changed is offered; a step of the timeline
    tells its story, and everything fits 400 pixels."""
    lamp, box = tester.measure(f"{shop.url}/tools/drag", "#item-lamp", "#drop")
    email, password, button = tester.measure(f"{shop.url}/signin", "[type=email]", "[type=password]", "form button")
    tester.open("recorded.ipynb", "%workbench", "%dashboard")
    tester.run_cell(0)
    tester.go(f"{shop.url}/signin")
    tester.point(email)
    tester.page.expect(".jbp-choice li >> nth=0", "contains", "1 match")
    tester.picture("point")
    tester.choose("expect visible")
    tester.shown("%expect testid=email visible")
    tester.page.untick('.jbts-panel >> label="Run"')
    tester.point(password)
    tester.choose("expect visible")
    tester.shown("%expect testid=password visible", ran=False)
    tester.page.tick('.jbts-panel >> label="Run"')
    tester.point(email)
    tester.choose("type")
    tester.page.type(".jbp-asked input", "ada@example.com", enter=True)
    tester.shown("%type testid=email ada@example.com")
    assert tester.page.evaluate(PROMPTS)[-3:] == ["[3]:", "[ ]:", "[4]:"]
    tester.press("Drive")
    tester.point(password)
    tester.fill("copper-pine")
    tester.shown("%secret PASSWORD", "%type testid=password ${PASSWORD}")
    tester.point(button)
    tester.shown("%click testid=signin")
    tester.press('write %expect testid=welcome text \\"Welcome back, Ada\\"')
    tester.shown('%expect testid=welcome text "Welcome back, Ada"')
    tester.go(f"{shop.url}/tools/drag")
    tester.shown(f"%navigate {shop.url}/tools/drag")
    tester.drag(lamp, box)
    tester.shown("%drag testid=item-lamp testid=dropped")
    tester.page.expect(".jbp-expects", "contains", "Copper Desk Lamp")
    tester.go(f"{shop.url}/tools/frames")
    tester.press("in the page")
    tester.picture("frames")
    tester.press("\u2003\u2003Preferences")
    tester.shown("%frame testid=newsletter", "%frame testid=preferences")
    tester.page.expect('.jbts-panel >> role=button[name="in Preferences"]', "visible")
    tester.page.click(".jbts-panel ol li >> nth=2 >> button")
    tester.page.expect(".jbp-details", "contains", "Run again from here")
    tester.picture("details")
    narrow = "document.querySelector('.jbts-panel')"
    tester.page.evaluate(f"{narrow}.style.width = '400px'")
    assert tester.page.evaluate(f"{narrow}.scrollWidth <= {narrow}.clientWidth")
    tester.picture("narrow")
    tester.save()
    saved = (lab.notebooks / "recorded.ipynb").read_text()
    assert "copper-pine" not in saved
    kept = json.dumps(json.loads(saved)["cells"][0]["outputs"])  # the panel's cell, for when its kernel is gone
    assert "testid=welcome" in kept and "data:image/webp" in kept
    tester.run_cell(1)
    tester.page.expect(".jp-Notebook .jp-Cell >> nth=1", "contains", "Pass rate")
    tester.page.scroll(".jp-Notebook .jp-Cell >> nth=1")
    tester.picture("dashboard")


def test_complete_stop_restart(lab: Server, tester: Tester, shop: Shop) -> None:
    """A locator completes against the page and is lit up; Stop ends a step that waits; after a restart the browser is
    taken over where it was; the panel works in the side bar, narrow and dark. A cell for CI is left out."""
    lab.set("themes", theme="JupyterLab Dark")
    for_ci = ("1 / 0", "only-ci")
    tester.open("restarted.ipynb", f"%navigate {shop.url}", "%workbench", "", "%wait '#never' --timeout 60", for_ci)
    tester.run_cell(4)
    tester.page.expect(".jp-Notebook", "contains", "left out: tagged only-ci")
    tester.run_cell(0)
    tester.run_cell(1)
    tester.until("a picture", "document.querySelector('.jbp-picture img')?.naturalWidth > 1000")
    tester.page.click(".jp-Notebook .jp-Cell .cm-content >> nth=2")
    tester.keys("%click role=but")
    tester.page.press("Tab")
    tester.page.expect(".jp-Completer", "contains", 'role=button[name="Search"]')
    tester.page.expect(".jbp-lights i", "visible", first=True)
    tester.picture("complete")
    tester.page.press("Escape")
    tester.run_cell(3)
    tester.page.expect(".jbp-status", "contains", "running wait")
    tester.page.click(".jbp-stop")
    tester.page.expect(".jp-Notebook", "contains", "KeyboardInterrupt: interrupted in wait '#never'")
    tester.picture("stopped")

    tester.page.click(".jp-Notebook .jp-Cell .cm-content >> nth=2")
    tester.keys("%browser --attach\n%workbench")
    tester.page.click('.jp-NotebookPanel-toolbar >> role=button[name="Restart the kernel"]')
    tester.page.click(".jp-Dialog .jp-mod-accept")
    tester.page.expect(".jbp-status", "contains", "has gone")
    tester.until("an idle kernel", IDLE)
    tester.run_cell(2)
    tester.page.expect(".jp-Notebook .jp-Cell >> nth=2", "contains", "attached to")
    shown = ".jp-Notebook .jp-Cell:nth-child(3) .jbts-panel"
    tester.until("the page again", f"document.querySelectorAll({shown!r} + ' img')[0]?.naturalWidth > 1000")
    assert tester.page.value(f"{shown} >> label=address") == f"{shop.url}/"

    tester.run_cell(3)
    tester.page.click(f"{shown} >> .jbp-stop")  # the front end knows this kernel's loops no more: it is interrupted
    tester.page.expect(f"{shown} >> .jbp-status", "contains", "interrupted")

    tester.page.click(f'{shown} >> role=button[name="move to the side bar"]')
    tester.page.expect("#jp-right-stack .jbts-panel", "visible")
    narrow = "document.querySelector('#jp-right-stack .jbts-panel')"
    tester.until("the page at the side", f"{narrow}.querySelector('img').naturalWidth > 1000")
    assert tester.page.evaluate(f"{narrow}.scrollWidth <= {narrow}.clientWidth")
    tester.picture("aside")
