"""The workbench of this process, and its verbs as methods of ``page``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import grammar
from .workbench import Workbench


class Page:
    """Every verb as a method: ``page.click("#go")``, ``page.expect("#total", "text", "$5.00")``, ``page.use("ada")``.

    Made from the registry, so ``%click``, a line of ``%%steps`` and ``page.click`` are the same verb.
    """

    def __init__(self, workbench: Callable[[], Workbench]) -> None:
        self._workbench = workbench

    def __getattr__(self, name: str) -> Callable[..., Any]:
        from .verbs import VERBS

        signature = VERBS.get(name)
        if signature is None:
            if name.startswith("__"):
                raise AttributeError(name)
            near = grammar.nearest_verb(name, VERBS)
            raise AttributeError(f"page has no verb {name!r}" + (f"; did you mean {near}?" if near else ""))

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._workbench().run(grammar.bind(signature, args, kwargs))

        call.__name__ = name
        call.__signature__ = grammar.python_signature(signature)  # type: ignore[attr-defined]  # what Shift+Tab shows
        call.__doc__ = f"{signature.form}\n\n{signature.function.__doc__ or ''}"
        return call

    def __dir__(self) -> list[str]:
        from .verbs import VERBS

        return sorted(VERBS)


_current: Workbench | None = None


def current() -> Workbench:
    """The workbench of this process; made when it is first asked for."""
    global _current
    if _current is None or _current.closed:
        _current = Workbench()
    return _current


def set_current(workbench: Workbench | None) -> None:
    """Make a workbench the one of this process."""
    global _current
    _current = workbench
