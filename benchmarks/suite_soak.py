"""A long suite: 200 notebooks, one in ten fails, three in a hundred kernels are killed, all of it known beforehand.

Checked in the end: every verdict is the one it had to be, here and in the store; the runner's memory did not grow
with the number of notebooks; no process, browser record or socket folder is left.

    python benchmarks/suite_soak.py [--notebooks N] [--workers N] [--no-warm]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from jbts_kernel.demo import Shop
from jbts_kernel.store.queries import Results
from jbts_kernel.suite.outcome import CaseResult, SuiteResult
from jbts_kernel.suite.progress import Silent
from jbts_kernel.suite.runner import run

STEPS = ("%load_ext jbts_kernel", "%navigate {url}/", '%expect "#result-count" contains product', "%click #nav-cart")
ENDS = {
    "passed": ("1", "passed", ""),
    "failed": ('%expect "h1" text "nothing like it" --timeout 0.3', "failed", "ExpectationFailed"),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "error", "DeadKernel"),
}
GROWTH = 60 << 20
"""Bytes the runner may grow by between the first tenth of the run and its end."""


def kind(number: int) -> str:
    """How notebook ``number`` is to end: of each hundred ten fail and three kill their kernel."""
    place = number % 100
    return "failed" if place % 10 == 7 else "killed" if place in (13, 44, 85) else "passed"


def write(folder: Path, count: int, url: str) -> None:
    """So many notebooks with a browser each."""
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number in range(count):
        cells = [new_code_cell(source.format(url=url)) for source in (*STEPS, ENDS[kind(number)][0])]
        nbformat.write(new_notebook(cells=cells, metadata=about), folder / f"n{number:04}_{kind(number)}.ipynb")


def wrong(result: SuiteResult) -> list[str]:
    """Verdicts that are not what they had to be, here or in the store."""
    found = []
    for case in result.results:
        status, error = ENDS[case.case.test_name.rpartition("_")[2]][1:]
        if case.status != status or (case.verdict.error_type or "") != error:
            found.append(f"{case.case.name}: {case.status} {case.verdict.error_type} ({case.verdict.message})")
    ask = "select test_name, status from executions where run_id = ?"
    stored = {r["test_name"]: r["status"] for r in Results(result.home).rows(ask, [result.run_id]).dicts()}
    expected = {case.case.test_name: ENDS[case.case.test_name.rpartition("_")[2]][1] for case in result.results}
    found += [f"{n}: {stored.get(n)} in the store, {s} expected" for n, s in expected.items() if stored.get(n) != s]
    return found


class Memory(Silent):
    """The memory of this process, in bytes, after each notebook; what is published in the end is not in it."""

    def __init__(self) -> None:
        self.own: list[int] = []

    def done(self, result: CaseResult) -> None:
        self.own.append(psutil.Process().memory_info().rss)


def left() -> list[str]:
    """Processes that outlived the run; those that end by themselves have a moment to do so."""
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), 30)
    return [" ".join(process.cmdline())[:120] for process in alive]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--notebooks", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-warm", action="store_true")
    arguments = parser.parse_args()
    os.environ["JBTS_BROADCASTER"] = "off"
    with tempfile.TemporaryDirectory(prefix="soak-") as name, Shop(latency_ms=5) as shop:
        folder, home = Path(name) / "suite", Path(name) / ".jbts"
        folder.mkdir()
        write(folder, arguments.notebooks, shop.url)
        memory = Memory()
        began = time.perf_counter()
        result = run([folder], workers=arguments.workers, home=home, progress=memory, warm_starts=not arguments.no_warm)
        took = time.perf_counter() - began
        early = max(memory.own[: len(memory.own) // 10 + 1])
        growth = max(memory.own[-1] - early, 0)
        problems = wrong(result) + [f"left running: {words}" for words in left()]
        problems += [f"left behind: {path}" for path in (home / "run").glob("*-*.json")]
        if growth > GROWTH:
            problems.append(f"the runner grew by {growth >> 20} MB")
        print(f"{len(result.results)} notebooks in {took:.0f} s ({took / len(result.results):.2f} s each): "
              f"{dict(Counter(case.status for case in result.results))}")  # fmt: skip
        print(f"runner {early >> 20} MB early, {growth >> 20} MB more after the last notebook")
        for problem in problems:
            print(f"WRONG: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
