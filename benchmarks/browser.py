"""What a clean context costs beside a new browser, in time and in memory, alternating in one run.

Absolute times mean little on a shared machine; the ratio of each round's lease to the browser started
beside it does. Memory is the proportional set size of all processes of the browser, so that what contexts
share is not counted twice.

    python benchmarks/browser.py [--rounds N] [--contexts N]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import psutil

from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.browser.session import Session
from jbts_kernel.demo import Shop

SPEC = LaunchSpec()


def clock(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def megabytes(session: Session) -> float:
    """What the session's browser and driver take, all processes together."""
    members: dict[int, psutil.Process] = {}
    for one in (session.browser.process, session.browser.driver_process):
        process = one.found() if one is not None else None
        if process is not None:
            members |= {member.pid: member for member in [process, *process.children(recursive=True)]}
    total = 0
    for member in members.values():
        with contextlib.suppress(psutil.Error):
            total += member.memory_full_info().pss
    return total / 1e6


def leases(rounds: int) -> None:
    """A context of a warm browser against a browser of its own, each until its driver can be used."""
    times: dict[str, list[float]] = {"clean context": [], "new browser": []}
    with BrowserPool(1) as warm:
        held = warm.acquire(SPEC, shared=True)
        for number in range(rounds + 1):
            took, session = clock(lambda: warm.acquire(SPEC, shared=True))
            session.close()
            with BrowserPool(1) as cold:
                took_new, _ = clock(lambda pool=cold: pool.acquire(SPEC))
            if number:  # the first round warms the disk
                times["clean context"].append(took)
                times["new browser"].append(took_new)
        held.close()
    for name, taken in times.items():
        print(f"{name:14} median {statistics.median(taken):.3f} s   {min(taken):.3f} to {max(taken):.3f}")
    ratios = sorted(a / b for a, b in zip(times["clean context"], times["new browser"], strict=True))
    print(f"ratio: median {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f} (goal 0.333)")


def memory(contexts: int, url: str) -> None:
    """What one more context takes, with a page of the shop open in each."""
    with BrowserPool(1) as pool:
        first = pool.acquire(SPEC, shared=True)
        first.driver.get(url)
        alone = megabytes(first)
        for _ in range(contexts):
            session = pool.acquire(SPEC, shared=True)
            session.driver.get(url)
        each = (megabytes(first) - alone) / contexts
    print(f"memory: browser with one context {alone:.0f} MB, each further context {each:.0f} MB (goal 90)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--contexts", type=int, default=8)
    arguments = parser.parse_args()
    with Shop(latency_ms=0) as shop:
        leases(arguments.rounds)
        memory(arguments.contexts, shop.url)


if __name__ == "__main__":
    main()
