"""What an executed notebook says about its failure, as text: the reason, what to try, where the evidence is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..display import STEP_MIME
from ..grammar import printable
from .verdict import ANSI, is_code, tags, written

TRACE_LINES = 40
_BAD = ("failed", "error")


@dataclass(frozen=True, slots=True)
class Failure:
    """``trace`` is the reason with its hints, or the end of a traceback, a line each; ``step`` the failed step as
    its card has it, None where no step failed; ``cell`` the position of its cell in the notebook as written."""

    trace: tuple[str, ...] = ()
    cell: int | None = None
    step: Mapping[str, Any] | None = None

    @property
    def screenshot(self) -> str | None:
        """The failed step's picture, as a path below the project's data folder."""
        return self.step.get("screenshot") if self.step else None

    @property
    def evidence(self) -> str | None:
        """The failed step's evidence, one HTML file, as a path below the project's data folder."""
        return self.step.get("evidence") if self.step else None


def failure_in(executed: Path | None) -> Failure:
    """What stopped a notebook: the first cell with an error that was not expected; empty where there is none."""
    if executed is None or not executed.is_file():
        return Failure()
    cells: Sequence[Mapping[str, Any]] = json.loads(executed.read_text("utf-8")).get("cells", ())
    for index, cell in enumerate(cells):
        if not is_code(cell) or "raises-exception" in tags(cell):
            continue
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                lines = ANSI.sub("", "\n".join(output.get("traceback", ()))).splitlines()
                steps = [step for step in _steps(cell) if step.get("status") in _BAD]
                shown = tuple(printable(line) for line in lines[-TRACE_LINES:])
                return Failure(shown, written(cells, index), steps[-1] if steps else None)
    return Failure()


def _steps(cell: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The steps a cell shows, alone or many in one strip."""
    for output in cell.get("outputs", ()):
        shown = output.get("data", {}).get(STEP_MIME)
        if isinstance(shown, dict):
            yield from shown.get("steps", (shown,))
