"""What every test stands on: no settings from outside, and nothing left running."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from jbts_kernel.demo import Shop

# A variable set in somebody's shell must not change what a test sees, nor a key let a test call out.
for _name in [name for name in os.environ if name.startswith(("JBTS_", "OPENAI_", "SELENIUM_", "PAPERMILL_"))]:
    del os.environ[_name]
# Selenium Manager would look for a driver, and report that it did, on the network.
os.environ["SE_OFFLINE"] = os.environ["SE_AVOID_STATS"] = "true"

# A shell without job control has what it starts in the background ignore Ctrl-C, which tests press here and in programs
# that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is: the usual 200 ms fail a test that does nothing wrong.
settings.register_profile("at any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at any pace")

collect_ignore_glob = ["*.ipynb"]  # broken on purpose, each in one way: what runs them are tests in Python

_LEFT_SECONDS = 15.0


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Every process a test starts ends with it. The background publisher, which ends by itself, may take a
    moment longer than the test that caused it."""
    yield
    deadline = time.monotonic() + _LEFT_SECONDS
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=max(0.0, deadline - time.monotonic()))
    commands = []
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by now
            commands.append(" ".join(child.cmdline())[:200])
            child.kill()
    assert not commands, f"left running by the tests: {commands}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project's data folder, which nothing has been written to yet."""
    return tmp_path / ".jbts"


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A demo shop that answers without delay; sessions keep tests apart, so one serves all."""
    with Shop(latency_ms=0) as running:
        yield running
