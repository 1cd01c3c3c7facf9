"""Who runs this process, and which notebook it is."""

from __future__ import annotations

import json

import pytest

from jbts_kernel.origin import assigned_parameters, find_origin, interactive, papermill_notebook


def test_a_suite_says_everything() -> None:
    """A suite's variables are taken as they are."""
    origin = find_origin(
        {
            "JBTS_MODE": "suite",
            "JBTS_NOTEBOOK": "shop/login.ipynb",
            "JBTS_PARAMETERS": json.dumps({"a": 1}),
            "JBTS_RUN_ID": "r1",
            "JBTS_ATTEMPT": "2",
            "JBTS_TAGS": "smoke,cart,",
            "JBTS_CATEGORY": "shop",
            "JBTS_PRIORITY": "high",
        }
    )
    assert (origin.kind, origin.notebook, origin.parameters, origin.run_id) == (
        "suite",
        "shop/login.ipynb",
        {"a": 1},
        "r1",
    )
    assert (origin.attempt, origin.tags, origin.category, origin.priority) == (2, ("smoke", "cart"), "shop", "high")


def test_a_person() -> None:
    """JupyterLab names its notebook; a plain process has none."""
    assert (
        find_origin({"JPY_SESSION_NAME": "/home/ada/work/login.ipynb", "JPY_PARENT_PID": "1"}).notebook == "login.ipynb"
    )
    assert (find_origin({}).kind, find_origin({}).notebook) == ("interactive", None)
    assert find_origin({"JBTS_TAGS": "a"}).tags == ("a",)


@pytest.mark.parametrize(
    ("command", "kind", "notebook"),
    [
        (
            ["/venv/bin/python", "/venv/bin/papermill", "in/login.ipynb", "out.ipynb", "-p", "a", "1"],
            "papermill",
            "login.ipynb",
        ),
        (["python3", "-m", "papermill", "login.ipynb", "out.ipynb"], "papermill", "login.ipynb"),
        (["papermill", "--no-progress-bar", "login.ipynb", "-"], "papermill", "login.ipynb"),
        (["/usr/bin/papermill.exe", "x.ipynb"], "papermill", "x.ipynb"),
        (["python", "/venv/bin/pytest", "notebooks"], "papermill", None),
        (["jupyter", "lab"], "interactive", None),
        ([], "interactive", None),
    ],
)
def test_papermill_is_known_by_its_command_line(command: list[str], kind: str, notebook: str | None) -> None:
    """The parent's command line tells papermill and its notebook from everything else."""
    origin = find_origin({}, command)
    assert (origin.kind, origin.notebook) == (kind, notebook)


def test_papermill_without_a_notebook() -> None:
    """A command line without a notebook names none."""
    assert papermill_notebook(["papermill", "--help"]) is None
    assert papermill_notebook(["grep", "papermill.txt"]) is None


@pytest.mark.parametrize(
    ("environ", "person"),
    [
        ({}, True),
        ({"JBTS_MODE": "suite", "JPY_SESSION_NAME": "x"}, False),
        ({"JPY_PARENT_PID": "1"}, False),
        ({"JPY_PARENT_PID": "1", "JPY_SESSION_NAME": "x.ipynb"}, True),
        ({"JPY_PARENT_PID": "1", "VSCODE_PID": "2"}, True),
    ],
)
def test_whether_a_person_reads(environ: dict[str, str], person: bool) -> None:
    """Bad syntax is a UsageError only where somebody reads it."""
    assert interactive(environ) is person


def test_parameters_of_an_injected_cell() -> None:
    """Papermill's cell is known by its first line; other cells set no parameters."""
    namespace = {"a": 1, "b": "x", "c": 3}
    assert assigned_parameters("# Parameters\na = 1\nb = 'x'\nd = 4\n", namespace) == {"a": 1, "b": "x"}
    assert assigned_parameters("a = 1", namespace) == {}
    assert assigned_parameters("# Parameters\na = (", namespace) == {}
