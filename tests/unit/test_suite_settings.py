"""suite.toml: read into values, and refused where nobody understands it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jbts_kernel.errors import UsageProblem
from jbts_kernel.suite.settings import RunDefaults, SuiteSettings, find_settings, parameter_sets, read_settings

WHOLE = """
[run]
workers = 2
browser = "chrome"
retries = 1
timeout = 30
cell_timeout = 2.5
tags = "not slow"

[quarantine]
tests = ["login.ipynb", { name = "shop/cart*.ipynb", reason = "the till" }]
reason = "unstable"

[parametrize."login.ipynb"]
user = ["ann", "bob"]
lang = ["en", "de"]

[[parametrize."*guest.ipynb"]]
role = "guest"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_it_can_say_is_read(tmp_path: Path) -> None:
    """Defaults, quarantine with its reasons and sets of parameters come out as values."""
    found = read_settings(written(tmp_path, WHOLE))
    assert found.run == RunDefaults(2, ("chrome",), 1, 30.0, 2.5, "not slow")
    assert found.quarantined(tmp_path / "any" / "login.ipynb") == "unstable"
    assert found.quarantined(tmp_path / "shop" / "cart-2.ipynb") == "the till"
    assert found.quarantined(tmp_path / "cart-2.ipynb") is None
    assert [(s["user"], s["lang"]) for s in found.parameters(tmp_path / "login.ipynb")] == [
        ("ann", "en"), ("ann", "de"), ("bob", "en"), ("bob", "de"),
    ]  # fmt: skip
    assert found.parameters(tmp_path / "as_guest.ipynb") == ({"role": "guest"},)
    assert found.parameters(tmp_path / "other.ipynb") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[runn]", "did you mean run?"),
        ("[run]\nretry = 1", "did you mean retries?"),
        ("[run]\nretries = -1", "a number from 0 on"),
        ("[run]\nworkers = true", "a number from 1 on"),
        ("[run]\nbrowser = 3", "a text or a list of texts"),
        ("[quarantine]\ntest = []", "did you mean tests?"),
        ("[quarantine]\ntests = [3]", "a quarantined test is a name"),
        ("quarantine = 1", "is a section"),
        ('[parametrize]\n"a.ipynb" = 3', "at least one value"),
        ('[parametrize."a.ipynb"]\nuser = []', "at least one value"),
        ('[parametrize."a.ipynb"]\n"us er" = ["a"]', "no Python name"),
        ("[run", "suite.toml"),
    ],
)
def test_what_nobody_understands_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A misspelt word is an error that names the file and the near word, never silence."""
    with pytest.raises(UsageProblem, match=r"suite\.toml") as caught:
        read_settings(written(tmp_path, text))
    assert said in str(caught.value)


def test_the_nearest_file_of_the_project_counts(tmp_path: Path) -> None:
    """It is looked for from the notebooks' common folder upwards, and not beyond the project's root."""
    written(tmp_path, "[run]\nretries = 9")
    root, inner = tmp_path / "project", tmp_path / "project" / "tests" / "deep"
    inner.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    assert find_settings([inner]) == SuiteSettings()
    written(root, "[run]\nretries = 1")
    assert find_settings([inner / "a.ipynb"]).run.retries == 1
    written(root / "tests", "[run]\nretries = 2")
    assert find_settings([inner, root / "tests" / "b.ipynb"]).run.retries == 2
    assert find_settings([]) == SuiteSettings()


def test_sets_of_parameters_as_people_write_them() -> None:
    """Lists combine, a single value is a list of one, tables stand for themselves, the rest is nothing."""
    assert parameter_sets({"a": [1, 2], "b": "x"}) == ({"a": 1, "b": "x"}, {"a": 2, "b": "x"})
    assert parameter_sets([{"a": 1}, {"a": 2}]) == ({"a": 1}, {"a": 2})
    assert parameter_sets("a") is None
