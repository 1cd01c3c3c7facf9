"""The time a run has left, from what its notebooks took before."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from jbts_kernel.suite.expectation import expected, left_ms
from jbts_kernel.suite.outcome import Attempt, CaseResult
from jbts_kernel.suite.progress import Live
from jbts_kernel.suite.selection import Case
from jbts_kernel.suite.verdict import Verdict


def test_what_is_left_is_shared_by_the_workers() -> None:
    """Waiting cases and the rest of those that run, over the workers; never less than the longest of them alone."""
    assert left_ms(["a", "b"], {"c": 500.0}, {"a": 1000, "b": 1000, "c": 1500}, [], 1) == 3000
    assert left_ms(["a", "b"], {"c": 500.0}, {"a": 1000, "b": 1000, "c": 1500}, [], 2) == 1500
    assert left_ms(["a"], {}, {"a": 5000}, [], 4) == 5000
    assert left_ms([], {"c": 9000.0}, {"c": 1000}, [], 1) == 0


def test_what_nobody_knows_takes_as_long_as_the_others() -> None:
    """Without any history what has finished counts, and without that nothing is said."""
    assert left_ms(["a", "new"], {}, {"a": 1000}, [], 1) == 2000
    assert left_ms(["new"], {}, {}, [300, 500], 1) == 400
    assert left_ms(["new"], {}, {}, [], 1) is None


def test_a_project_without_results_knows_nothing(tmp_path: Path) -> None:
    """No database is made for a guess."""
    assert expected(tmp_path / ".jbts", [Case(tmp_path / "a.ipynb", "a.ipynb", "a")]) == {}
    assert not (tmp_path / ".jbts").exists()


@pytest.mark.parametrize("width", [120, 80, 40])
def test_the_display_says_how_long_it_will_take(tmp_path: Path, width: int) -> None:
    """What runs and on which step, what is done, and the time to go, whatever the terminal's width; where there is
    little room the name is cut, but not its end."""
    console = Console(width=width, record=True, file=(tmp_path / "out").open("w"))
    folder = "checkout/with/vouchers/"
    cases = [Case(tmp_path / f"{name}.ipynb", f"{folder * 3}{name}.ipynb", name) for name in "ab"]
    live = Live(console, clock=lambda: 0.0, expected=lambda cases: {case.name: 60_000 for case in cases})
    live.begin("run", cases, 1)
    try:
        live.started(cases[0], 1)
        live.done(CaseResult(cases[0], (Attempt(1, Verdict("passed"), 0.0, 60_000),)))
        live.started(cases[1], 2)
        live.cell(cases[1], 0, 12)
        live.step(cases[1], "click #go and much more than fits into any line of a terminal that is not very wide")
        console.print(live._render())
    finally:
        live.close()
        console.file.close()
    text = console.export_text()
    assert all(len(line) <= width for line in text.splitlines() if not line.startswith("✓"))
    assert "0.0 s" in text
    assert "vouchers/b.ipynb #2" in text
    assert "cell 1/12 click #go" in text
    assert "1/2" in text
    assert "to go" in text
