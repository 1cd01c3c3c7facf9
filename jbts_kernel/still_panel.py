"""The panel as a plain picture, which needs no front end: a strip of the steps and the page after the last of them.

It stands where nobody looks at a panel live, and below a live one, hidden, for when its kernel is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import display
from .browser.capture import thumbnail
from .models import StepResult
from .view import as_twin

if TYPE_CHECKING:
    from .workbench import Workbench

KEPT = 200
"""Steps that a panel holds: the newest."""


class StillPanel:
    """A strip of the steps, which grows under its cell."""

    def __init__(self, bench: Workbench) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display as put

        self._results, self._home, self._test = list(bench.history)[-KEPT:], bench.home, test_name(bench)
        grows = hasattr(get_ipython(), "kernel")  # a terminal cannot change what it has printed
        self._handle: Any = put(twin(self._test, self._results, bench.home), raw=True, display_id=grows)

    def begin(self, source: str) -> None:
        """Nothing moves here while a step runs."""

    def light(self, boxes: Sequence[Mapping[str, float]]) -> None:
        """Nobody completes a line here."""

    def show(self, result: StepResult, test: str) -> None:
        """A step has ended."""
        self.add(result, test)
        self.draw()

    def settle(self) -> None:
        """A cell has ended; everything stands there already."""

    def add(self, result: StepResult, test: str) -> None:
        """Take a step in; a new test begins a new strip."""
        same = self._results and self._results[-1].execution_id == result.execution_id
        self._results, self._test = [*(self._results if same else []), result][-KEPT:], test

    def draw(self) -> None:
        """Show what was taken in."""
        if self._handle is not None:
            self._handle.update(twin(self._test, self._results, self._home), raw=True)


def twin(test: str, results: Sequence[StepResult], home: Path) -> display.Bundle:
    """The panel as a plain picture: its steps, and the page after the last of them."""
    last = next((made for r in reversed(results) if (made := small(home, r))), None)
    return as_twin(display.strip(test or "no test is open", results[-KEPT:], [last] if last else []))


def small(home: Path, result: StepResult) -> bytes | None:
    """The small picture of a step, made from its file where its card only names it."""
    if result.thumbnail is not None or result.screenshot is None:
        return result.thumbnail
    path = home / result.screenshot.path
    return thumbnail(path.read_bytes()) if path.is_file() else None


def test_name(bench: Workbench) -> str:
    """That of the test that is open; empty without one."""
    return bench.recorder.execution.test_name if bench.recorder.execution else ""
