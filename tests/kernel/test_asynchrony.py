"""asyncio.run and loop.run_until_complete in a cell, by each setting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from jbts_kernel import asynchrony

from .conftest import Kernel

pytestmark = pytest.mark.kernel

NESTED = """
import asyncio, sys
async def answer():
    await asyncio.sleep(0)
    return 42
print(asyncio.run(answer()), asyncio.get_event_loop().run_until_complete(answer()), "nest_asyncio" in sys.modules)
"""


def test_the_first_call_that_needs_it_makes_it_work(kernel: Kernel) -> None:
    """By default nothing is patched until a cell drives a coroutine from synchronous code."""
    assert kernel.run("import sys; print('nest_asyncio' in sys.modules)").text.strip() == "False"
    assert kernel.run(NESTED).text.strip() == "42 42 True"
    assert kernel.run(NESTED).text.strip() == "42 42 True"
    assert kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('awaited')").text.strip() == "awaited"


def test_at_load(start_kernel: Callable[..., Kernel]) -> None:
    """JBTS.nest_asyncio = load applies it with the extension."""
    kernel = start_kernel("--ext=jbts_kernel", JBTS_NEST_ASYNCIO="load")
    assert kernel.run("import sys; print('nest_asyncio' in sys.modules)").text.strip() == "True"
    assert kernel.run(NESTED).text.strip() == "42 42 True"


def test_off_leaves_asyncio_alone(start_kernel: Callable[..., Kernel]) -> None:
    """JBTS.nest_asyncio = off changes nothing: the call fails as asyncio says."""
    kernel = start_kernel("--ext=jbts_kernel", JBTS_NEST_ASYNCIO="off")
    assert "cannot be called from a running event loop" in kernel.run(NESTED).error


def test_the_wrappers_come_and_go() -> None:
    """Without a running loop the wrappers do what asyncio does, and removing them restores it."""
    before = (asyncio.run, asyncio.BaseEventLoop.run_until_complete)
    asynchrony.install()
    try:
        assert asyncio.run is not before[0]

        async def answer() -> int:
            return 42

        assert asyncio.run(answer()) == 42
    finally:
        asynchrony.remove()
    assert (asyncio.run, asyncio.BaseEventLoop.run_until_complete) == before
