"""What an executed notebook proves: nothing is green that is not known to have completed."""

from __future__ import annotations

from typing import Any

import pytest

from jbts_kernel.suite.verdict import Verdict, judge, one_line


def cell(
    status: str | None = "ok",
    *outputs: dict[str, Any],
    count: int | None = 1,
    message: str = "",
    tags: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A code cell as the engine leaves it; status None is one it never saw."""
    noted = {} if status is None else {"jbts": {"status": status, "duration_ms": 1.0, "message": message}}
    return {
        "cell_type": "code",
        "source": "work()",
        "execution_count": count,
        "metadata": {"tags": list(tags), **noted},
        "outputs": list(outputs),
    }


def error(name: str, value: str = "", *traceback: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": list(traceback)}


def verdict(*cells: dict[str, Any]) -> Verdict:
    return judge({"cells": list(cells), "metadata": {}})


def test_all_cells_completed_is_passed() -> None:
    """Every cell said ok and has its number."""
    assert verdict(cell(), cell(count=2)) == Verdict("passed")


def test_markdown_and_blank_cells_prove_nothing_and_need_no_proof() -> None:
    """Cells that do not run are left out of account."""
    blank = {**cell(None, count=None), "source": " \n"}
    assert verdict({"cell_type": "markdown", "source": "# Hi"}, blank, cell()).status == "passed"


def test_a_notebook_without_code_is_an_error() -> None:
    """Nothing was tested, so nothing is green."""
    found = verdict({"cell_type": "markdown", "source": "# Hi"})
    assert found.status == "error"
    assert "no code cell" in found.message


def test_a_cell_is_named_as_in_the_notebook_that_was_written() -> None:
    """The cell papermill puts in for the parameters is not counted, and it is not passed over either."""
    given = cell(tags=("injected-parameters",))
    found = verdict(cell(tags=("parameters",)), given, cell("timeout"))
    assert (found.message, found.cell) == ("cell 2: timeout", 1)
    assert verdict(cell(tags=("parameters",)), {**given, "execution_count": None}, cell(count=3)).status == "error"


def test_a_cell_nobody_ran_is_an_error() -> None:
    """A cell without a number did not complete, whatever its neighbours did."""
    found = verdict(cell(), cell(None, count=None), cell(count=3))
    assert (found.status, found.cell) == ("error", 1)


def test_ok_without_a_number_is_not_ok() -> None:
    """A note alone is no proof."""
    assert verdict(cell("ok", count=None)).status == "error"


def test_an_assertion_is_failed_and_another_exception_an_error() -> None:
    """The two are told apart."""
    assert verdict(cell("error", error("AssertionError", "4 is not 5"))).status == "failed"
    found = verdict(cell("error", error("ValueError", "bad\nmore")))
    assert (found.status, found.message, found.error_type) == ("error", "ValueError: bad", "ValueError")


def test_a_bare_assert_is_told_by_its_line() -> None:
    """An AssertionError without a text quotes the line of the assertion."""
    trace = "\x1b[31mAssertionError\x1b[39m\n      1 total = 4\n\x1b[32m----> 2\x1b[39m assert total == 5\n"
    assert verdict(cell("error", error("AssertionError", "", trace))).message == "AssertionError: assert total == 5"


def test_a_failed_step_goes_by_the_name_of_what_went_wrong() -> None:
    """StepFailed only wraps: an expectation is failed, anything else an error, no browser is infrastructure."""
    found = verdict(cell("error", error("StepFailed", "ExpectationFailed: expected 3, it is 4")))
    assert (found.status, found.error_type, found.message) == (
        "failed",
        "ExpectationFailed",
        "ExpectationFailed: expected 3, it is 4",
    )
    assert verdict(cell("error", error("StepFailed", "ElementNotFound: no #go"))).status == "error"
    assert verdict(cell("error", error("StepFailed", "BrowserUnavailable: no chrome"))).infrastructure


def test_sys_exit_ends_a_notebook_without_passing_it() -> None:
    """The message counts the cells that did not run; teardown cells that did are not among them."""
    found = verdict(
        cell("error", error("SystemExit", "0")),
        cell("not_run", count=None, message="not run, because cell 1 did not complete"),
        cell("ok", count=2, tags=("teardown",)),
    )
    assert found == Verdict("error", "sys.exit(0) in cell 1 ended the notebook; 1 cell did not run", 0, "SystemExit")


def test_exit_is_fine_only_in_the_last_cell() -> None:
    """exit() ends the kernel: what comes after it has not been tested."""
    assert verdict(cell(), cell("exit", count=2)).status == "passed"
    found = verdict(cell("exit"), cell("not_run", count=None), cell("not_run", count=None))
    assert (found.status, found.cell) == ("error", 0)
    assert "2 cells did not run" in found.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("timeout", ("error", "CellTimeout")),
        ("died", ("error", "DeadKernel")),
        ("interrupted", ("aborted", "KeyboardInterrupt")),
    ],
)
def test_forced_ends_have_their_own_message(status: str, expected: tuple[str, str]) -> None:
    """A timeout, a dead kernel and an interrupt are told as the engine tells them."""
    found = verdict(cell(status, message=f"cell 1: {status}"), cell("not_run", count=None))
    assert (found.status, found.error_type) == expected
    assert found.message == f"cell 1: {status}"


def test_an_expected_exception_passes_but_a_timeout_never_does() -> None:
    """raises-exception excuses an exception, nothing else."""
    tags = ("raises-exception",)
    assert verdict(cell("error", error("ValueError", "x"), tags=tags)).status == "passed"
    assert verdict(cell("ok", tags=tags)).status == "passed"
    assert verdict(cell("timeout", message="too long", tags=tags)).status == "error"
    assert verdict(cell("died", message="gone", tags=tags)).status == "error"


def test_the_test_is_blamed_before_its_teardown() -> None:
    """A teardown cell that also fails does not hide why the test failed."""
    found = verdict(
        cell("error", error("AssertionError", "a")), cell("error", error("OSError", "b"), tags=("teardown",))
    )
    assert (found.status, found.cell) == ("failed", 0)


def test_setup_and_teardown_failures_are_errors_and_say_so() -> None:
    """A failed assertion in a setup cell is no failed test."""
    found = verdict(cell("error", error("AssertionError", "no data"), tags=("setup",)))
    assert (found.status, found.message) == ("error", "setup: AssertionError: no data")
    assert verdict(cell(), cell("error", error("OSError", "x"), tags=("teardown",))).message.startswith("teardown: ")


def test_interrupted_before_a_cell_began_is_aborted() -> None:
    """Ctrl-C between two cells is no failure of the next one."""
    found = verdict(cell(), cell("not_run", count=None, message="interrupted before it began"))
    assert found.status == "aborted"


def test_left_out_cells_are_neither_proof_nor_fault() -> None:
    """skip-ci cells do not count, and a notebook of nothing else is skipped."""
    left_out = cell("skipped", count=None, tags=("skip-ci",))
    assert verdict(left_out, cell()).status == "passed"
    assert verdict(left_out).status == "skipped"


def test_a_notebook_run_by_something_else_is_read_from_its_outputs() -> None:
    """Without notes of the engine, counts and outputs decide; a usage error leaves only a line on stderr."""
    usage = {"output_type": "stream", "name": "stderr", "text": ["UsageError: Line magic function `%x` not found.\n"]}
    assert verdict(cell(None)).status == "passed"
    assert verdict(cell(None, error("ValueError", "x"))).status == "error"
    found = verdict(cell(None, usage), cell(None, count=2))
    assert (found.status, found.error_type) == ("error", "UsageError")
    assert verdict(cell(None, count=None, tags=("skip-ci",)), cell(None)).status == "passed"


def test_one_line_is_plain_and_bounded() -> None:
    """Colours and further lines are dropped, long texts cut."""
    assert one_line("\n \x1b[31mred\x1b[0m text \nmore") == "red text"
    assert len(one_line("x" * 9000, 50)) == 50
