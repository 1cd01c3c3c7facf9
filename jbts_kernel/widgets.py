"""The live panel: the page as it is, and the steps that led there, while they run.

A live layer only: everything it shows is in the cards and the store as well, and the cell that made
it keeps a plain picture of its own for when no kernel is there.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from . import display
from .assets import asset
from .models import StepResult

KEPT = 200


class LivePanel(anywidget.AnyWidget):
    """The panel's state. ``steps`` is one dict a step, oldest first; ``picture`` a small WebP of the page."""

    _esm = asset("workbench.js")
    _css = asset("workbench.css")

    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    url = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    test = traitlets.Unicode("").tag(sync=True)

    def __init__(self, results: list[StepResult], test: str) -> None:
        super().__init__(test=test)
        self._results = results
        self._twin = display.strip(test or "no test is open", results[-KEPT:])
        for result in results[-1:]:
            self._look(result)
        self.steps = [_entry(r) for r in results[-KEPT:]]

    def show(self, result: StepResult, test: str) -> None:
        """Take up a step that has just finished; a new test begins a new list."""
        steps = self.steps if test == self.test else []
        with self.hold_sync():
            self.test = test
            self._look(result)
            self.steps = [*steps, _entry(result)][-KEPT:]

    def _look(self, result: StepResult) -> None:
        self.url, self.title = result.url, result.title
        if result.thumbnail:
            self.picture = result.thumbnail

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = super()._repr_mimebundle_(**kwargs)
        bundle = dict(made[0] if isinstance(made, tuple) else made or {})
        bundle |= {"text/html": self._twin["text/html"], "text/plain": self._twin["text/plain"]}
        return (bundle, made[1]) if isinstance(made, tuple) else bundle


def _entry(result: StepResult) -> dict[str, Any]:
    return {
        "id": result.step_id,
        "status": result.status,
        "source": result.source[:300],
        "took": display.duration(result.duration_ms),
        "error": (result.error_message or "")[:500],
    }
