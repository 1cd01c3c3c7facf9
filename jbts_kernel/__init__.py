"""Browser tests written the way people explore: one step, one cell, one picture.

``%load_ext jbts_kernel`` in a notebook, or in Python::

    from jbts_kernel import jbts, page

    page.navigate("https://example.test/")
    page.expect("h1", "visible")
    jbts.results.rows("select verb, status, duration_ms from steps")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "JBTSError",
    "StepFailed",
    "__version__",
    "events",
    "jbts",
    "load_ipython_extension",
    "page",
    "step",
    "unload_ipython_extension",
]

if TYPE_CHECKING:
    from .broadcast.events import Events
    from .current import Page
    from .errors import JBTSError, StepFailed
    from .workbench import Workbench

    events: Events
    jbts: Workbench
    page: Page


def __getattr__(name: str) -> Any:
    if name == "jbts":
        from .current import current

        return current()
    if name == "events":
        from .current import current

        return current().events
    if name == "page":
        from .current import Page, current

        return Page(current)
    if name in ("JBTSError", "StepFailed"):
        from . import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def step(name: str) -> Any:
    """``with step("sign in"): ...`` groups the steps inside under one name."""
    from .current import current

    return current().group(name)


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext jbts_kernel``; calling it twice changes nothing."""
    from .magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext jbts_kernel``; leaves nothing of the extension behind."""
    from .magics import unload

    unload(shell)
