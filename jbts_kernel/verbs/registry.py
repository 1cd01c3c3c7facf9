"""The registry: every verb under its name, with its signature.

A verb is one small function. What it takes is its Python signature, what it means is its docstring,
and from these two come the grammar, ``--help``, completion and the reference in ``docs/verbs.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..grammar import Signature

F = TypeVar("F", bound=Callable[..., Any])

PRESENT = ("present",)
VISIBLE = ("visible",)
POINTED = ("visible", "point")
ENABLED = ("visible", "enabled")
PRESSED = ("visible", "enabled", "point")
EDITABLE = ("visible", "enabled", "editable")
FOCUSED = ("visible", "enabled", "focus")
"""What a verb's element must be: point is at rest, in view and not covered there, focus has taken the focus."""

_VERBS: dict[str, Signature] = {}
VERBS: Mapping[str, Signature] = MappingProxyType(_VERBS)
"""Every verb by name. Steps and commands share one namespace and one grammar."""

ACTING: frozenset[str] = frozenset(
    (
        "navigate",
        "click",
        "type",
        "press",
        "select",
        "hover",
        "drag",
        "scroll",
        "upload",
        "dialog",
        "evaluate",
    )
)
"""The step types that may change the page."""
BEGINNING = ACTING - {"evaluate", "hover", "scroll"}
"""The step types that begin something: requests are expected since the last of them."""


def verb(
    name: str,
    step_type: str,
    *,
    body: str | None = None,
    needs: tuple[str, ...] = (),
    also: str = "",
    check: Callable[..., None] | None = None,
) -> Callable[[F], F]:
    """Register a step: a function of a :class:`~jbts_kernel.stage.Stage`. ``body`` names the parameter
    that a cell magic's text fills, ``needs`` what the stage waits for before it hands out an element, ``also`` what
    other tools call it, for whoever comes from there, ``check`` refuses what is no sentence before anything runs."""

    def register(function: F) -> F:
        _VERBS[name] = Signature(name, function, step_type, False, body, needs, tuple(also.split()), check)
        return function

    return register


def command(name: str, *, body: str | None = None, also: str = "") -> Callable[[F], F]:
    """Register a command: a function of the workbench that is no step of a test."""

    def register(function: F) -> F:
        _VERBS[name] = Signature(name, function, "custom", True, body, also=tuple(also.split()))
        return function

    return register
