"""A tester's day in a real JupyterLab: point at the picture, and the step writes itself; stop, restart, go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from jbts_kernel.demo import Shop

if TYPE_CHECKING:
    from .conftest import Server, Tester

pytestmark = pytest.mark.slow

KERNELS = "/api/kernels"


def test_a_test_built_by_pointing(lab: Server, tester: Tester, shop: Shop) -> None:
    """Five steps are written and run without a locator being typed: chosen on the picture, driven by hand, taken from
    what changed. The notebook then passes headless under papermill."""
    field, button = tester.measure(shop.url, "#q", "[data-testid=search-button]")
    tester.open("pointed.ipynb", f"%navigate {shop.url}", "%workbench")
    tester.run_cell(0)
    tester.run_cell(1)
    tester.point(field)
    tester.page.expect(".jbp-choice li >> nth=0", "contains", "1 match")
    tester.picture("point")
    tester.choose("expect visible")
    tester.written("%workbench", "%expect testid=q visible")
    tester.point(field)
    tester.choose("type")
    tester.page.type(".jbp-asked input", "lamp")
    tester.page.press("Enter")
    tester.written("%expect testid=q visible", "%type testid=q lamp")
    tester.page.click('.jbts-panel >> role=button[name="Drive"]')
    tester.point(button)
    tester.written("%type testid=q lamp", "%click testid=search-button")
    tester.page.click('.jbp-expects >> role=button[name="write %expect testid=result-count text \\"1 product\\""]')
    tester.written("%click testid=search-button", '%expect testid=result-count text "1 product"')
    tester.point(field)
    tester.page.type(".jbp-fill input", "ruler")
    tester.page.press("Enter")
    tester.written("%type testid=q ruler --enter")
    tester.page.click(".jbts-panel ol li >> nth=1 >> button")
    tester.page.expect(".jbp-details", "contains", "Run again from here")
    tester.picture("details")
    tester.page.press("Control+S")
    notebook = lab.notebooks / "pointed.ipynb"
    tester.until("a saved notebook", "!document.querySelector('.jp-mod-dirty')")
    words = [sys.executable, "-m", "papermill", str(notebook), str(lab.folder / "out.ipynb"), "-k", "jbts"]
    environment = {**os.environ, "JBTS_HOME": str(lab.folder / "headless"), "JBTS_BROADCASTER": "off"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outputs = [o for c in json.loads((lab.folder / "out.ipynb").read_text())["cells"] for o in c["outputs"]]
    twins = [o for o in outputs if '<div class="jbts-rows">' in "".join(o.get("data", {}).get("text/html", ""))]
    assert "search-button" in "".join(twins[0]["data"]["text/html"])  # the panel's own cell keeps the whole strip


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

    asked = urllib.request.Request(f"{lab.url}{KERNELS}", headers={"Authorization": "token lab-under-test"})
    kernel = json.load(urllib.request.urlopen(asked))[-1]["id"]
    tester.page.click(".jp-Notebook .jp-Cell .cm-content >> nth=2")
    tester.keys("%browser --attach\n%workbench")
    again = urllib.request.Request(
        f"{lab.url}{KERNELS}/{kernel}/restart", method="POST", headers={"Authorization": "token lab-under-test"}
    )
    urllib.request.urlopen(again).close()
    tester.page.press("Shift+Enter")
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
    assert tester.page.evaluate(f"{narrow}.scrollWidth <= {narrow}.clientWidth")
    tester.picture("aside")
