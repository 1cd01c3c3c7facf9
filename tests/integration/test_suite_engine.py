"""The engine as plain papermill uses it: what did not complete must make papermill raise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.engines import papermill_engines

from jbts_kernel.suite.engine import JBTSEngine
from jbts_kernel.suite.kernel import KernelNotStarted

BROKEN = Path(__file__).parents[1] / "notebooks"
pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def engine() -> None:
    """Known by name, also where the package is not installed and its entry point not seen."""
    papermill_engines.register("jbts", JBTSEngine)


def execute(name: str, out: Path, **options: object) -> nbformat.NotebookNode:
    options.setdefault("execution_timeout", 20)
    return papermill.execute_notebook(BROKEN / f"{name}.ipynb", out, engine_name="jbts", progress_bar=False, **options)


def test_a_good_notebook_passes_with_its_cells_noted(tmp_path: Path) -> None:
    """Cells tell how they went and how long they took; skip-ci ones are left out, only-ci ones run."""
    found = execute("passes", tmp_path / "out.ipynb", parameters={"total": 4})
    states = [cell.metadata.jbts.status for cell in found.cells]
    assert states == ["ok", "ok", "ok", "skipped", "ok"]
    assert all(cell.metadata.jbts.duration_ms > 0 for cell in found.cells if cell.metadata.jbts.status == "ok")
    assert found.cells[-1].outputs[0].text == "in CI only\n"


@pytest.mark.parametrize(
    ("name", "error"),
    [("system_exit", "NotebookIncomplete"), ("usage_error", "UsageError"), ("dead_kernel", "DeadKernelError")],
)
def test_papermill_raises_where_it_would_not_by_itself(name: str, error: str, tmp_path: Path) -> None:
    """sys.exit(0), a usage error without an error output and a dead kernel fail plain papermill too."""
    with pytest.raises(papermill.PapermillExecutionError) as raised:
        execute(name, tmp_path / "out.ipynb")
    assert raised.value.ename == error
    assert (tmp_path / "out.ipynb").exists()


def test_a_hanging_cell_is_ended(tmp_path: Path) -> None:
    """Papermill's own cell timeout interrupts, and the teardown cell still runs."""
    with pytest.raises(papermill.PapermillExecutionError) as raised:
        execute("hangs", tmp_path / "out.ipynb", execution_timeout=4)
    assert raised.value.ename == "CellTimeout"
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert cells[-1].outputs[0].text == "torn down\n"


def test_a_kernel_that_is_not_there_says_what_is(tmp_path: Path) -> None:
    """The message lists the kernels there are."""
    with pytest.raises(KernelNotStarted, match=r"no kernel 'no-such-kernel' here \(there is: .*python3"):
        execute("no_such_kernel", tmp_path / "out.ipynb")


def test_a_notebook_can_run_notebooks(tmp_path: Path) -> None:
    """The engine works where an event loop is running already, as it is in a cell."""
    import asyncio

    async def inside() -> nbformat.NotebookNode:
        return execute("expected_error", tmp_path / "out.ipynb", prepare_only=False)

    # Plain papermill decides for itself that an expected error is an error.
    with pytest.raises(papermill.PapermillExecutionError):
        asyncio.run(inside())
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert [cell.metadata.jbts.status for cell in cells if cell.cell_type == "code"] == ["error", "ok"]


def test_importing_the_engine_imports_nothing() -> None:
    """Papermill loads the module while it is itself being imported: neither order of imports may break."""
    heavy = "{'papermill', 'nbclient', 'IPython', 'duckdb'}"
    light = f"import sys, jbts_kernel.suite.engine; print(sorted({heavy} & set(sys.modules)))"
    for code, expected in ((light, "[]"), ("import papermill, jbts_kernel.suite.engine; print('both')", "both")):
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert found.stdout.strip() == expected
