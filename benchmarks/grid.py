"""What a step costs through Selenium Grid beside bare Selenium through the same Grid, alternating in one run.

The steps are those of :mod:`steps`, in rounds on two browsers of one grid with one picture after each step, and
without pictures. Steps a second mean little on a shared machine; the ratios, each round's product time over the
bare time beside it, do (goal: at most 1.10).

    python benchmarks/grid.py [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from steps import STEPS, bare, clock, product

from jbts_kernel import display
from jbts_kernel.browser.launch import LaunchSpec, start
from jbts_kernel.config import JBTS
from jbts_kernel.demo import Shop
from jbts_kernel.workbench import Workbench

GRIDS = Path(__file__).resolve().parent.parent / "tests" / "browser" / "grids.py"
BARE_STEPS = len(STEPS)


def grids() -> ModuleType:
    """The module of the tests that starts grids."""
    spec = importlib.util.spec_from_file_location("grids", GRIDS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["grids"] = module
    spec.loader.exec_module(module)
    return module


def measure(grid: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, by who ran it."""
    times: dict[str, list[float]] = {"bare": [], "product": [], "bare, no pictures": [], "product, no pictures": []}
    with Shop(latency_ms=20) as shop, tempfile.TemporaryDirectory() as home:
        driver = start(LaunchSpec(grid=grid))

        def show(result: Any) -> None:
            display.card(result)

        bench = Workbench(JBTS(base_url=shop.url, grid=grid), home=Path(home), show=show)
        try:
            for number in range(rounds + 2):
                for name, taken in times.items():
                    bench.settings.screenshots = "never" if "no pictures" in name else "always"
                    if name.startswith("bare"):
                        took = clock(bare, driver, shop.url, "no pictures" not in name)
                        driver.delete_all_cookies()
                    else:
                        took = clock(product, bench)
                        bench.sessions["main"].driver.delete_all_cookies()
                    if number >= 2:  # the first two warm both browsers
                        taken.append(took)
        finally:
            driver.quit()
            bench.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    module = grids()
    if module.missing():
        raise SystemExit(f"benchmarks/grid.py: {module.missing()}")
    with tempfile.TemporaryDirectory() as folder:
        grid = module.standalone(Path(folder))
        try:
            times = measure(grid.url, rounds)
        finally:
            grid.close()
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:22} {BARE_STEPS / middle:5.1f} steps/s   median {middle:.3f} s")
    for kind in ("", ", no pictures"):
        ratios = sorted(p / b for p, b in zip(times[f"product{kind}"], times[f"bare{kind}"], strict=True))
        print(f"ratio{kind}: median {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} (goal 1.10)")


if __name__ == "__main__":
    main()
