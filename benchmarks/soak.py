"""Many leases, with drivers, browsers and pages killed, hung and crashed at random: nothing may be left.

Counted before and after, once the pool is closed: processes, threads, file descriptors (sockets among
them), files in the temporary folder and in the data folder's ``run``. Memory is compared after the first
quarter and at the end.

    python benchmarks/soak.py [--leases N] [--seed N]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from selenium.common.exceptions import WebDriverException
from urllib3.exceptions import HTTPError

from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.browser.session import Session
from jbts_kernel.errors import StepProblem

SPECS = (LaunchSpec(), LaunchSpec(viewport=(800, 600)))
PATIENCE = 3.0
EVILS = ("nothing", "nothing", "nothing", "kill driver", "kill browser", "hang driver", "hang browser", "crash", "loop")


@dataclass(frozen=True)
class Left:
    """What this process has, and what is lying about."""

    processes: int
    threads: int
    descriptors: int
    temporary: int
    records: int

    @classmethod
    def now(cls, home: Path) -> Left:
        gc.collect()
        me = psutil.Process()
        alive = [c for c in me.children(recursive=True) if c.status() != psutil.STATUS_ZOMBIE]
        temporary = len(list(Path(tempfile.gettempdir()).iterdir()))
        return cls(
            len(alive), threading.active_count(), me.num_fds(), temporary, len(list((home / "run").glob("*-*.json")))
        )


@contextlib.contextmanager
def own_temporary() -> Iterator[None]:
    """A temporary folder that nobody else puts anything into; its path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def suffer(session: Session, evil: str) -> None:
    """Open a page, and have something go wrong."""
    browser = session.browser
    victim = browser.driver_process if "driver" in evil else browser.process
    assert victim is not None
    session.driver.get("data:text/html,<title>here</title><p>here</p>")
    if evil.startswith("kill"):
        os.kill(victim.pid, signal.SIGKILL)
    elif evil.startswith("hang"):
        os.kill(victim.pid, signal.SIGSTOP)
    elif evil == "crash":
        session.driver.get("chrome://crash")
    elif evil == "loop":
        session.driver.execute_script("setTimeout(() => { while (true) {} })")
    assert session.driver.title == "here"


def soak(leases: int, seed: int, home: Path) -> tuple[Left, Left, list[float], Counter[str]]:
    """Run it; what there was before and after, the memory in MB now and then, and how the leases ended."""
    chance = random.Random(seed)
    ends: Counter[str] = Counter()
    memory: list[float] = []
    before = Left.now(home)
    with BrowserPool(2, home=home) as pool:
        for number in range(leases):
            evil = chance.choice(EVILS)
            try:
                with pool.lease(chance.choice(SPECS), downloads=home / "downloads") as session:
                    session.browser.allow(PATIENCE)
                    suffer(session, evil)
                ends["well"] += 1
            except (StepProblem, WebDriverException, HTTPError, OSError) as problem:
                ends[f"{evil}: {type(problem).__name__}"] += 1
            if number >= leases // 4 and number % max(1, leases // 20) == 0:
                gc.collect()
                memory.append(psutil.Process().memory_info().rss / 1e6)
    until = time.monotonic() + 20
    while (after := Left.now(home)) != before and time.monotonic() < until:
        time.sleep(0.1)
    return before, after, memory, ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--leases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, own_temporary():
        before, after, memory, ends = soak(arguments.leases, arguments.seed, Path(folder))
    print(f"{arguments.leases} leases in {time.monotonic() - begun:.0f} s, seed {arguments.seed}")
    for end, count in ends.most_common():
        print(f"  {count:4} {end}")
    print(f"before {before}\nafter  {after}")
    print(f"memory of this process: {memory[0]:.0f} MB after a quarter, {memory[-1]:.0f} MB at the end")
    failed = sum(count for end, count in ends.items() if end.startswith("nothing"))
    print(f"{failed} leases failed that nothing was done to")
    raise SystemExit(0 if after == before and not failed else 1)


if __name__ == "__main__":
    main()
