"""What a step costs beside bare Selenium: the same twelve steps, alternating in one run.

Three ways: bare Selenium (find, act, ``get_screenshot_as_png``), this product with everything on
(waiting, evidence, rows, events, pictures, cards), and both without pictures. Absolute times mean
little on a shared machine; the ratios, each round's product time over the bare time beside it, do.

    python benchmarks/steps.py [--rounds N] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from jbts_kernel import display
from jbts_kernel.browser.launch import LaunchSpec, start
from jbts_kernel.config import JBTS
from jbts_kernel.demo import Shop
from jbts_kernel.workbench import Workbench

STEPS = """
navigate /
expect #result-count text "12 products"
type #q walnut
click "#search >> role=button[name=Search]"
expect #result-count contains product
navigate /signin
type #email ada@example.com
type #password copper-pine
tick #remember
click #signin
expect #welcome contains Ada
navigate /tools/fields
""".strip().splitlines()


def bare(driver: Any, url: str, pictures: bool) -> None:
    """The twelve steps as a careful Selenium user writes them."""

    def seen() -> None:
        if pictures:
            driver.get_screenshot_as_png()

    def text_is(selector: str, check: Any) -> None:
        WebDriverWait(driver, 10, poll_frequency=0.05).until(
            lambda d: check(d.find_element(By.CSS_SELECTOR, selector).text)
        )
        seen()

    def write(selector: str, text: str) -> None:
        field = driver.find_element(By.CSS_SELECTOR, selector)
        field.clear()
        field.send_keys(text)
        seen()

    def press(selector: str) -> None:
        driver.find_element(By.CSS_SELECTOR, selector).click()
        seen()

    driver.get(url + "/")
    seen()
    text_is("#result-count", lambda t: t == "12 products")
    write("input[name=q]", "walnut")
    press("#search button")
    text_is("#result-count", lambda t: "product" in t)
    driver.get(url + "/signin")
    seen()
    write("#email", "ada@example.com")
    write("#password", "copper-pine")
    press("#remember")
    press("#signin")
    text_is("#welcome", lambda t: "Ada" in t)
    driver.get(url + "/tools/fields")
    seen()


def product(bench: Workbench) -> None:
    for line in STEPS:
        bench.line(line)


def clock(work: Any, *args: Any) -> float:
    begun = time.perf_counter()
    work(*args)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--profile", action="store_true", help="profile the product's rounds and print the heaviest calls"
    )
    arguments = parser.parse_args()
    Select  # noqa: B018 - kept importable for readers who extend the scenario
    with Shop(latency_ms=20) as shop, tempfile.TemporaryDirectory() as home:
        driver = start(LaunchSpec())
        cards = [0]

        def show(result: Any) -> None:
            cards[0] = max(cards[0], len(display.card(result)["text/html"]))

        bench = Workbench(JBTS(base_url=shop.url), home=Path(home), show=show)
        times: dict[str, list[float]] = {
            "bare": [],
            "product": [],
            "bare, no pictures": [],
            "product, no pictures": [],
        }
        profiler = cProfile.Profile()
        try:
            for round_number in range(arguments.rounds + 2):
                for name in times:
                    bench.settings.screenshots = "never" if "no pictures" in name else "always"
                    if name.startswith("bare"):
                        took = clock(bare, driver, shop.url, "no pictures" not in name)
                        driver.delete_all_cookies()
                    else:
                        if arguments.profile:
                            profiler.enable()
                        took = clock(product, bench)
                        profiler.disable()
                        bench.sessions["main"].driver.delete_all_cookies()
                    if round_number >= 2:  # the first two warm both browsers
                        times[name].append(took)
        finally:
            driver.quit()
            bench.close()
    for name, taken in times.items():
        print(f"{name:22} median {statistics.median(taken):.3f} s   {min(taken):.3f} to {max(taken):.3f}")
    for kind, goal in (("", 1.10), (", no pictures", 1.05)):
        ratios = sorted(p / b for p, b in zip(times[f"product{kind}"], times[f"bare{kind}"], strict=True))
        print(f"ratio{kind}: median {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} (goal {goal})")
    print(f"largest card {cards[0] / 1000:.0f} kB")
    if arguments.profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
