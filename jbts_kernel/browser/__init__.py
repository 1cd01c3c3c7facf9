"""The browser under a step: launch, session, locators, actionability, capture, signals, CDP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["BrowserPool", "LaunchSpec"]

if TYPE_CHECKING:
    from .launch import LaunchSpec
    from .pool import BrowserPool


def __getattr__(name: str) -> Any:
    """The pool and what it is asked for, loaded when somebody wants them: Selenium is heavy."""
    if name == "BrowserPool":
        from .pool import BrowserPool

        return BrowserPool
    if name == "LaunchSpec":
        from .launch import LaunchSpec

        return LaunchSpec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
