"""The demo: which notebooks it takes, and that what it shows was recorded."""

from __future__ import annotations

import io
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from jbts_kernel import __version__, tour
from jbts_kernel.errors import UsageProblem


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An installed package with one example, which asks the shop's API and so needs no browser."""
    cells = [
        nbformat.v4.new_code_cell("base_url = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from jbts_kernel import jbts, page\n"
            "jbts.namespace['base_url'] = base_url\n"
            "page.request('GET', '/api/health', expect_status=200)"
        ),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder = tmp_path / "site-packages" / "jbts_kernel"
    (folder / "_notebooks").mkdir(parents=True)
    nbformat.write(notebook, folder / "_notebooks" / "health.ipynb")
    return folder


def test_checkout_runs_its_own_notebooks(tmp_path: Path, home: Path) -> None:
    """In a checkout the examples are run where they are, so that an edit counts."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").touch()
    assert tour.example_notebooks(home, tmp_path / "jbts_kernel") == [tmp_path / "notebooks"]
    assert not home.exists()


def test_installed_examples_are_copied_once(package: Path, home: Path) -> None:
    """An installed package's examples are copied beside the results, and an edited copy is kept."""
    (folder,) = tour.example_notebooks(home, package)
    assert folder == home / "examples" / __version__
    (folder / "health.ipynb").write_text("edited")
    assert tour.example_notebooks(home, package) == [folder]
    assert (folder / "health.ipynb").read_text() == "edited"


def test_no_examples_is_an_error(tmp_path: Path, home: Path) -> None:
    """A package without examples says so."""
    with pytest.raises(UsageProblem, match="no example notebooks"):
        tour.example_notebooks(home, tmp_path)


def test_port_that_is_taken_is_an_error() -> None:
    """A port somebody listens on is an error that names the way out."""
    with tour.open_shop(0) as shop, pytest.raises(UsageProblem, match="--port 0"):
        tour.open_shop(int(shop.url.rsplit(":", 1)[1]))


@pytest.mark.kernel
def test_demo_shows_what_it_recorded(
    package: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table at the end comes from the store, and the report and the executed notebook are there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JBTS_BROADCASTER", "off")
    out = io.StringIO()
    assert tour.run(home, Console(file=out, width=200), workers=1, package=package) == 0, out.getvalue()
    lines = out.getvalue().splitlines()
    head = next(index for index, line in enumerate(lines) if line.split()[:3] == ["test", "status", "steps"])
    assert lines[head + 1].split()[:3] == ["health", "passed", "1"]
    places = {words[0]: words[-1] for words in map(str.split, lines[head + 2 :]) if words}
    assert (tmp_path / places["report"]).is_file()
    assert (tmp_path / places["notebooks"] / "health.ipynb").is_file()
