"""What a suite costs beside what a team would switch to: the same ten-step shop scenario, a picture after each step.

Every tool runs the same number of tests in one start of the tool, all tools in turn, several rounds; the shop is a
process of its own. Seconds a scenario are the tool's whole time divided by the number of tests, and, to take its
start out, the difference between a long and a short run divided by the tests between them. On a shared machine only
the ratios mean something: they are made within each round.

    python benchmarks/suite.py [--tests N] [--rounds N] [--peers DIR] [--only NAME ...]

The peers (papermill, nbmake, Robot Framework with SeleniumLibrary, pytest-playwright, SeleniumBase) are installed
into a virtual environment of the benchmark's own, once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".tools" / "bench-peers"
PACKAGES = (
    "papermill",
    "nbmake",
    "ipykernel",
    "pytest",
    "pytest-playwright",
    "robotframework",
    "robotframework-seleniumlibrary",
    "selenium",
    "seleniumbase",
)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,800", "--hide-scrollbars")
STEPS = """
navigate /signin
type #email ada@example.com
type #password copper-pine
click #signin
expect #welcome contains Ada
navigate /
click #add-copper-desk-lamp
expect #cart-count text 1
click #nav-cart
expect #total text $89.00
""".strip().splitlines()

# One cell a step, as a careful Selenium user writes them.
SELENIUM = [
    f"""
    import itertools, os, tempfile
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
    options = webdriver.ChromeOptions()
    options.binary_location = {shutil.which("chromium")!r}
    for flag in {FLAGS!r}:
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService({shutil.which("chromedriver")!r}))
    wait = WebDriverWait(driver, 10, poll_frequency=0.05)
    folder, number = tempfile.mkdtemp(), itertools.count()
    find = lambda selector: wait.until(lambda d: d.find_element(By.CSS_SELECTOR, selector))
    picture = lambda: driver.save_screenshot(f"{{folder}}/{{next(number)}}.png")
    base_url = os.environ["BASE_URL"]
    """,
    'driver.get(base_url + "/signin"); picture()',
    'find("#email").send_keys("ada@example.com"); picture()',
    'find("#password").send_keys("copper-pine"); picture()',
    'find("#signin").click(); picture()',
    'wait.until(lambda d: "Ada" in d.find_element(By.CSS_SELECTOR, "#welcome").text); picture()',
    'driver.get(base_url + "/"); picture()',
    """
    wait.until(lambda d: d.find_element(By.CSS_SELECTOR, "#add-copper-desk-lamp").is_displayed())
    find("#add-copper-desk-lamp").click(); picture()
    """,
    'wait.until(lambda d: d.find_element(By.CSS_SELECTOR, "#cart-count").text == "1"); picture()',
    'find("#nav-cart").click(); picture()',
    'wait.until(lambda d: d.find_element(By.CSS_SELECTOR, "#total").text == "$89.00"); picture()',
    "driver.quit()",
]

PLAYWRIGHT = """
import os
import pytest
from playwright.sync_api import Error, expect

@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {{"executable_path": {chromium!r}, "args": ["--no-sandbox", "--hide-scrollbars"]}}

@pytest.fixture(scope="session")
def browser_context_args():
    return {{"viewport": {{"width": 1280, "height": 800}}}}

@pytest.mark.parametrize("number", range({count}))
def test_shop(page, number, tmp_path):
    base, taken = os.environ["BASE_URL"], iter(range(10))

    def picture():
        path = tmp_path / f"{{next(taken)}}.png"
        try:
            page.screenshot(path=path)
        except Error:  # it takes none while a page is being replaced
            page.wait_for_load_state()
            page.screenshot(path=path)

    page.goto(base + "/signin"); picture()
    page.locator("#email").fill("ada@example.com"); picture()
    page.locator("#password").fill("copper-pine"); picture()
    page.locator("#signin").click(); picture()
    expect(page.locator("#welcome")).to_contain_text("Ada"); picture()
    page.goto(base + "/"); picture()
    page.locator("#add-copper-desk-lamp").click(); picture()
    expect(page.locator("#cart-count")).to_have_text("1"); picture()
    page.locator("#nav-cart").click(); picture()
    expect(page.locator("#total")).to_have_text("$89.00"); picture()
"""

ROBOT = """
*** Settings ***
Library    SeleniumLibrary    timeout=10    screenshot_root_directory=EMBED
Suite Teardown    Close All Browsers

*** Keywords ***
Open Shop
    ${{options}}=    Evaluate    selenium.webdriver.ChromeOptions()    modules=selenium.webdriver
    Set Variable    ${{options.binary_location}}    {chromium}
    FOR    ${{flag}}    IN    {flags}
        Call Method    ${{options}}    add_argument    ${{flag}}
    END
    ${{service}}=    Evaluate    selenium.webdriver.ChromeService("{driver}")    modules=selenium.webdriver
    Create Webdriver    Chrome    options=${{options}}    service=${{service}}

Shop
    Open Shop
    Go To    %{{BASE_URL}}/signin
    Capture Page Screenshot
    Input Text    css:#email    ada@example.com
    Capture Page Screenshot
    Input Password    css:#password    copper-pine
    Capture Page Screenshot
    Click Element    css:#signin
    Capture Page Screenshot
    Wait Until Element Contains    css:#welcome    Ada
    Capture Page Screenshot
    Go To    %{{BASE_URL}}/
    Capture Page Screenshot
    Wait Until Element Is Visible    css:#add-copper-desk-lamp
    Click Element    css:#add-copper-desk-lamp
    Capture Page Screenshot
    Wait Until Element Contains    css:#cart-count    1
    Capture Page Screenshot
    Click Element    css:#nav-cart
    Capture Page Screenshot
    Wait Until Element Contains    css:#total    $89.00
    Capture Page Screenshot
    Close Browser

*** Test Cases ***
"""

SELENIUMBASE = """
import os
import pytest
from seleniumbase import BaseCase

class TestShop(BaseCase):
    def scenario(self):
        base, taken = os.environ["BASE_URL"], iter(range(10))
        picture = lambda: self.save_screenshot(f"{{next(taken)}}.png", folder=os.environ["PICTURES"])
        self.open(base + "/signin"); picture()
        self.type("#email", "ada@example.com"); picture()
        self.type("#password", "copper-pine"); picture()
        self.click("#signin"); picture()
        self.assert_text("Ada", "#welcome"); picture()
        self.open(base + "/"); picture()
        self.click("#add-copper-desk-lamp"); picture()
        self.assert_text("1", "#cart-count"); picture()
        self.click("#nav-cart"); picture()
        self.assert_text("$89.00", "#total"); picture()

for number in range({count}):
    setattr(TestShop, f"test_shop_{{number}}", lambda self: self.scenario())
"""

Tool = Callable[[int, Path, str], Sequence[Sequence[str]]]
"""Writes so many tests into a folder, for a shop at an address; the command lines that run them."""


def ours(workers: int) -> Tool:
    def write(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
        cells = [new_code_cell("%load_ext jbts_kernel"), *(new_code_cell(f"%{step}") for step in STEPS)]
        for number in range(count):
            _notebook(folder / f"shop_{number:03}.ipynb", cells)
        words = ["run", ".", "-n", str(workers), "-p", f"base_url={url}", "-q"]
        return [[str(Path(sys.executable).with_name("jbts")), *words]]

    return write


def papermill(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
    """One process, as papermill's own users run a folder: its Python function in a loop."""
    _selenium_notebooks(count, folder)
    loop = "import glob, papermill\nfor p in sorted(glob.glob('s_*.ipynb')):"
    loop += "\n    papermill.execute_notebook(p, 'out.ipynb', progress_bar=False)"
    return [[_peer("python"), "-c", loop]]


def nbmake(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
    _selenium_notebooks(count, folder)
    return [[_peer("pytest"), "-q", "-p", "no:cacheprovider", "-p", "no:seleniumbase", "--nbmake", "."]]


def robot(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
    text = ROBOT.format(
        chromium=shutil.which("chromium"), driver=shutil.which("chromedriver"), flags="    ".join(FLAGS)
    )
    text = text.replace("screenshot_root_directory=EMBED", f"screenshot_root_directory={folder / 'pictures'}")
    cases = "".join(f"Shop {number}\n    Shop\n" for number in range(count))
    (folder / "shop.robot").write_text(text + cases)
    return [[_peer("python"), "-m", "robot", "--output", "NONE", "--console", "none", "shop.robot"]]


def playwright(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
    (folder / "test_shop.py").write_text(PLAYWRIGHT.format(chromium=shutil.which("chromium"), count=count))
    return [[_peer("pytest"), "-q", "-p", "no:cacheprovider", "-p", "no:seleniumbase", "test_shop.py"]]


def seleniumbase(count: int, folder: Path, url: str) -> Sequence[Sequence[str]]:
    (folder / "test_shop.py").write_text(SELENIUMBASE.format(count=count))
    words = ["--headless", f"--binary-location={shutil.which('chromium')}", "--window-size=1280,800"]
    return [[_peer("pytest"), "-q", "-p", "no:cacheprovider", "-p", "no:playwright", "test_shop.py", *words]]


TOOLS: dict[str, Tool] = {
    "jbts": ours(1),
    "jbts -n 2": ours(2),
    "playwright": playwright,
    "robot": robot,
    "seleniumbase": seleniumbase,
    "papermill": papermill,
    "nbmake": nbmake,
}


def _selenium_notebooks(count: int, folder: Path) -> None:
    cells = [new_code_cell(textwrap.dedent(source).strip()) for source in SELENIUM]
    for number in range(count):
        _notebook(folder / f"s_{number:03}.ipynb", cells)


def _notebook(path: Path, cells: list[nbformat.NotebookNode]) -> None:
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=about), path)


def _peer(program: str) -> str:
    return str(PEERS / "bin" / program)


def install() -> None:
    """Make the peers' environment, unless it is there."""
    if not (PEERS / "ready").exists():
        print(f"installing {', '.join(PACKAGES)} into {PEERS}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([_peer("python"), "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (PEERS / "ready").touch()


@contextmanager
def shop() -> Iterator[str]:
    """A shop in a process of its own, so that it takes no time from whoever is measured."""
    code = "import sys; from jbts_kernel.demo import Shop\n"
    code += "with Shop(latency_ms=20) as s: print(s.url, flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def seconds(tool: Tool, count: int, url: str) -> float:
    """How long a tool takes for so many tests, from its start to its end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        environ = {**os.environ, "BASE_URL": url, "PICTURES": str(folder / "pictures"), "JBTS_HOME": str(folder / "h")}
        environ["PATH"] = os.pathsep.join([str(PEERS / "bin"), environ["PATH"]])
        environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
        commands = tool(count, folder, url)
        for words in commands:
            if Path(words[0]).parent == Path(sys.executable).parent:
                environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        began = time.perf_counter()
        for words in commands:
            done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(words)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return time.perf_counter() - began


def overhead(count: int, url: str) -> float:
    """Seconds a notebook takes beyond its steps, in the long run: from the store, between one end and the next."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        [words] = ours(1)(count, folder, url)
        environ = {**os.environ, "JBTS_HOME": str(folder / "h")}
        subprocess.run(words, cwd=folder, env=environ, capture_output=True, check=True)
        steps = "select execution_id, sum(duration_ms) as ms, max(started_at) as last from steps group by execution_id"
        ask = (
            f"with t as ({steps}), g as (select ms, epoch_ms(last - lag(last) over (order by last)) as gap from t)"
            " select avg(gap - ms) / 1000 as beyond from g where gap is not null"
        )
        query = [words[0], "query", ask, "--format", "json"]
        found = json.loads(subprocess.run(query, cwd=folder, env=environ, capture_output=True, check=True).stdout)
        return float(found[0]["beyond"])


def main() -> None:
    global PEERS
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tests", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=PEERS)
    parser.add_argument("--only", nargs="+", choices=[*TOOLS], default=[*TOOLS])
    arguments = parser.parse_args()
    PEERS = arguments.peers
    if any(not name.startswith("jbts") for name in arguments.only):
        install()
    few, many = max(1, arguments.tests // 5), arguments.tests
    whole: dict[str, list[float]] = {name: [] for name in arguments.only}
    each: dict[str, list[float]] = {name: [] for name in arguments.only}
    with shop() as url:
        for number in range(arguments.rounds):
            for name in arguments.only:
                short = seconds(TOOLS[name], few, url)
                long = seconds(TOOLS[name], many, url)
                whole[name].append(long / many)
                each[name].append((long - short) / (many - few))
                print(f"round {number + 1} {name:13} {long / many:6.2f} s a test, {each[name][-1]:6.2f} s without the"
                      f" tool's start ({short:.1f} s for {few}, {long:.1f} s for {many})", flush=True)  # fmt: skip
        print(f"\n{'':13} {'s a test':>9} {'without start':>14}   how much longer than jbts (with start, without)")
        for name in arguments.only:
            line = f"{name:13} {statistics.median(whole[name]):9.2f} {statistics.median(each[name]):14.2f}"
            if "jbts" in whole:
                ratios = [
                    statistics.median(b / a for a, b in zip(kept["jbts"], kept[name], strict=True))
                    for kept in (whole, each)
                ]
                line += f"   {ratios[0]:.2f} {ratios[1]:.2f}"
            print(line)
        if "jbts" in whole:
            print(f"\njbts, beyond the steps of a notebook: {overhead(many, url):.2f} s a notebook (goal 0.25)")


if __name__ == "__main__":
    main()
