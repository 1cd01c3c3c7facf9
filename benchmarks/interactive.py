"""What a person waits for in a real JupyterLab, measured in its page, from the key or press to what is seen.

A step: Shift+Enter on ``%click`` until its card's picture stands, beside the same step in bare Selenium with an
inline picture (find, click, ``get_screenshot_as_png``, display), alternating in one run. The panel: from choosing
an offer to the written cell, from a move of the mouse to the outline on a page of 5,000 elements, from Shift+Enter on
``%workbench`` to its picture. Absolute times mean little on a shared machine; the ratio does.

    python benchmarks/interactive.py [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from jbts_kernel.demo import Shop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "lab"))
from conftest import PICTURE, Server, Tester

BARE = """from selenium import webdriver
from selenium.webdriver.common.by import By
from IPython.display import Image, display
options = webdriver.ChromeOptions()
for word in ("--headless=new", "--no-sandbox", "--window-size=1280,800"):
    options.add_argument(word)
driver = webdriver.Chrome(options=options)
driver.get("{url}")"""
BARE_STEP = """driver.find_element(By.CSS_SELECTOR, "#q").click()
display(Image(driver.get_screenshot_as_png()))"""
MANY = """%%evaluate
document.body.innerHTML = Array.from({length: 2500}, (_, i) => "<div><button>Buy " + i + "</button></div>").join("")
return document.querySelectorAll("*").length"""
CLOCK = """
window.begun = window.ended = 0;
window.clock = (event, wanted) => {
  window.begun = window.ended = 0;
  addEventListener(event, () => { window.begun = performance.now(); }, { capture: true, once: true });
  const look = () => {
    if (window.begun && wanted()) window.ended = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
};
return 1"""
FRESH = """clock("keydown", (() => {
  const cell = document.querySelectorAll(".jp-Notebook .jp-Cell")[%d];
  const picture = () => cell.querySelector(".jp-OutputArea-output img"), before = picture();
  return () => picture() && picture() !== before && picture().complete && picture().naturalWidth;
})()); return 1"""
WRITTEN = "[...document.querySelectorAll('.cm-content')].filter((c) => c.textContent.includes('%expect')).length"
CORNER = f"(b => [b.left, b.top, b.width])(document.querySelector({PICTURE!r}).getBoundingClientRect())"
TIP = "document.querySelector('.jbp-tip').textContent"


def timed(tester: Tester, what: str) -> float:
    """What the clock in the page measured, in milliseconds."""
    tester.until(what, "window.ended > 0")
    return float(tester.page.evaluate("window.ended - window.begun"))


def step(tester: Tester, cell: int) -> float:
    """Shift+Enter on a cell until its new picture stands."""
    tester.page.click(f".jp-Notebook .jp-Cell >> nth={cell}", at="200,12")
    tester.page.evaluate(FRESH % cell)
    tester.page.press("Control+Enter")
    return timed(tester, "a card")


def middle(name: str, found: list[float], goal: str = "") -> None:
    print(f"{name:58} {statistics.median(found):7.0f} ms   ({min(found):.0f} to {max(found):.0f}) {goal}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="jbts-interactive-"))
    server = Server(folder / "lab")
    tester = Tester(server, folder)
    try:
        with Shop(latency_ms=0) as shop:
            measure(tester, shop.url, rounds)
    finally:
        tester.close()
        server.close()


def measure(tester: Tester, url: str, rounds: int) -> None:
    field, *_ = tester.measure(url, "#q")
    cells = (f"%navigate {url}", BARE.format(url=url), '%click "#q"', BARE_STEP, MANY, "%workbench")
    tester.open("interactive.ipynb", *cells)
    tester.page.evaluate(CLOCK)
    for cell in (0, 1):
        tester.run_cell(cell)
        tester.until(
            "an idle kernel", f"document.querySelectorAll('.jp-InputPrompt')[{cell}].innerText.includes('[{cell + 1}]')"
        )
    ours, bare = [], []
    for number in range(rounds + 1):
        pair = step(tester, 2), step(tester, 3)
        if number:  # the first of each pays for imports
            ours.append(pair[0])
            bare.append(pair[1])
    middle("Shift+Enter on %click to the card", ours)
    middle("the same in bare Selenium, to its inline picture", bare)
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    print(f"{'ratio':58} {statistics.median(ratios):7.2f}        (goal: at most 1.15)")
    panel(tester, field, rounds)


def panel(tester: Tester, field: tuple[float, float], rounds: int) -> None:
    tester.page.click(".jp-Notebook .jp-Cell >> nth=5", at="200,12")
    tester.page.evaluate(
        f"clock('keydown', () => document.querySelector({PICTURE!r} + ' img')?.naturalWidth > 0); return 1"
    )
    tester.page.press("Control+Enter")
    middle("Shift+Enter on %workbench to its picture", [timed(tester, "the panel")], "goal: under 1000")
    tester.page.click('.jbts-panel >> label="Run"')
    written: list[float] = []
    for number in range(rounds):
        tester.point(field)
        tester.page.expect(".jbp-offers", "visible")
        wanted = f"{WRITTEN} > {number}"
        tester.page.evaluate(f"clock('pointerdown', () => {wanted}); return 1")
        tester.choose("expect visible")
        written.append(timed(tester, "a written cell"))
    middle("from the press on an offer to the written cell", written, "goal: under 300")
    tester.page.click(".jp-Notebook .jp-Cell >> nth=4 >> .cm-content")
    tester.page.press("Control+Enter")
    tester.until("an idle kernel", "document.querySelector('#jp-main-statusbar').innerText.includes('| Idle')")
    tester.page.expect(".jbp-status", "contains", "evaluate")
    tester.page.scroll(PICTURE)
    found: list[float] = []
    for number in range(rounds):
        box = tester.page.evaluate(CORNER)
        before = tester.page.evaluate(TIP)
        wanted = f"{TIP} !== {before!r}"
        tester.page.evaluate(f"clock('pointermove', () => {wanted}); return 1")
        y = 20 + 39 * (number % 18)  # a button each
        tester.page.mouse("move", f"{box[0] + 30 / 1280 * box[2]:.0f},{box[1] + y / 1280 * box[2]:.0f}")
        found.append(timed(tester, "an outline"))
    middle("a move on a page of 5,000 elements to its outline", found, "goal: under 50")


if __name__ == "__main__":
    main()
