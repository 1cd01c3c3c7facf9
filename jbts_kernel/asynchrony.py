"""``asyncio.run`` and ``loop.run_until_complete`` inside a cell, where a loop is running already.

nest_asyncio makes both work, but swaps asyncio's C tasks for Python ones in the whole process. So by
default nothing is swapped until the first call that would have failed: two thin wrappers stand in
front of asyncio's own functions, apply nest_asyncio on that call, and go on with it.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

_originals: dict[str, Any] = {}


def _running() -> bool:
    return asyncio._get_running_loop() is not None


def apply() -> None:
    """Make nested loops work from now on; cannot be undone within a process."""
    remove()
    import nest_asyncio

    nest_asyncio.apply()


def install() -> None:
    """Apply nest_asyncio at the first call that needs it. Calling it twice changes nothing."""
    if _originals or getattr(asyncio, "_nest_patched", False):
        return
    plain_run, plain_until = asyncio.run, asyncio.BaseEventLoop.run_until_complete
    _originals.update(run=plain_run, until=plain_until)

    @functools.wraps(asyncio.run)
    def run(main: Any, **kwargs: Any) -> Any:
        if not _running():
            return plain_run(main, **kwargs)
        apply()
        return asyncio.run(main, **{k: v for k, v in kwargs.items() if k == "debug" and v is not None})

    @functools.wraps(asyncio.BaseEventLoop.run_until_complete)
    def run_until_complete(self: Any, future: Any) -> Any:
        if not _running():
            return plain_until(self, future)
        apply()
        if self is not asyncio._get_running_loop():
            import nest_asyncio

            nest_asyncio.apply(self)
        return self.run_until_complete(future)

    asyncio.run = run
    asyncio.BaseEventLoop.run_until_complete = run_until_complete  # type: ignore[method-assign]
    _originals["ours"] = (run, run_until_complete)


def remove() -> None:
    """Take the wrappers away again, if they are still in place."""
    if not _originals:
        return
    run, until = _originals["ours"]
    if asyncio.run is run:
        asyncio.run = _originals["run"]
    if asyncio.BaseEventLoop.run_until_complete is until:
        asyncio.BaseEventLoop.run_until_complete = _originals["until"]  # type: ignore[method-assign]
    _originals.clear()
