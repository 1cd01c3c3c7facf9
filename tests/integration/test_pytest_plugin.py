"""pytest over notebooks: the habits of people who use it, on real notebooks beside ordinary tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from jbts_kernel.store.queries import Results

from .written import notebook

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "tests" / "site"
# One process for all of it: the module's one session with everything at once is the expensive part.
pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("pytest-plugin"), pytest.mark.timeout(240)]

INI = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
markers = slow: an ordinary marker
"""
ORDINARY = """
import os, signal, sys, warnings
import pytest

BEFORE = dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGINT), list(sys.path), list(warnings.filters)

def changed():
    return {k: v for k, v in os.environ.items() if BEFORE[0].get(k) != v and not k.startswith("PYTEST_")}

def test_nothing_of_this_process_has_changed():
    now = dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGINT), list(sys.path)
    assert changed() == {} and now[1:] == BEFORE[1:4]

@pytest.mark.slow
def test_slow():
    pass
"""
MAY_FAIL = ("with jbts.group('may fail'):\n    1 / 0", "raises-exception")


@dataclass(frozen=True)
class Ran:
    """A pytest run that has ended."""

    code: int
    said: str

    @property
    def items(self) -> list[str]:
        """What ``--collect-only -q`` named."""
        return [line for line in self.said.splitlines() if "::" in line]


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an ordinary test file and notebooks, one of each kind."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_zz_ordinary.py").write_text(ORDINARY)
    notebook(
        folder / "shop" / "good.ipynb",
        "%load_ext jbts_kernel",
        '%test "Buy a lamp" --tags cart,nightly\n1 + 1',
        tags=["smoke"],
    )
    notebook(
        folder / "shop" / "page.ipynb",
        "%load_ext jbts_kernel",
        f"%navigate {(SITE / 'buttons.html').as_uri()}",
        '%click "#nowhere" --continue-on-failure --timeout 0.2',
        '%expect title "Something else" --timeout 0.3',
        tags=["ui"],
    )
    notebook(
        folder / "shop" / "flaky.ipynb",
        "from pathlib import Path\nseen = Path('seen'); first = not seen.exists(); seen.touch(); assert not first",
    )
    notebook(
        folder / "users.ipynb",
        ("user = limit = None", "parameters"),
        "assert (user, limit) in (('ada', 3), ('sam', 3))",
        tags=["smoke"],
        parametrize={"user": ["ada", "eve"]},
    )
    notebook(folder / "notes.ipynb", "1 / 0", suite=False)
    (folder / "shop" / "broken.ipynb").write_text("{")
    (folder / "shop" / "suite.toml").write_text('[quarantine]\ntests = ["broken.ipynb"]\nreason = "half written"\n')
    return folder


@pytest.fixture(scope="module")
def run(project: Path) -> Run:
    """Run pytest in the project, with its results in a folder of their own below it."""

    def started(*words: str, home: str = "home") -> Ran:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            cwd=project,
            env={**environ, "JBTS_HOME": str(project / home), "JBTS_BROADCASTER": "off", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=220,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    return started


def test_notebooks_are_collected_as_jbts_run_selects_them(run: Run) -> None:
    """Folders are searched, what is no test is left out unless it is named, sets of values are items, and ordinary
    tests stay what they are."""
    ordinary = ["test_zz_ordinary.py::test_nothing_of_this_process_has_changed", "test_zz_ordinary.py::test_slow"]
    users = [f"users.ipynb::users[{name}]" for name in ("ada", "eve")]
    shop = [f"shop/{name}.ipynb::{name}" for name in ("broken", "flaky", "good", "page")]
    assert sorted(run("--collect-only", "-q").items) == sorted([*shop, *users, *ordinary])
    assert run("--collect-only", "-q", "notes.ipynb").items == ["notes.ipynb::notes"]
    assert run("--collect-only", "-q", "users.ipynb", "--jbts-param", "user=ada").items == ["users.ipynb::users"]
    named = run("--collect-only", "-q", "shop/good.ipynb", "--jbts-browser", "chrome", "--jbts-browser", "Edge").items
    assert named == ["shop/good.ipynb::good[chrome]", "shop/good.ipynb::good[edge]"]


@pytest.mark.parametrize(
    ("words", "items"),
    [
        (["-m", "smoke"], 3),  # the notebook's tags
        (["-m", "nightly or slow", "-k", "lamp or ordinary"], 2),  # the tags and the name of a test in it
        (["users.ipynb::users[eve]"], 1),
    ],
)
def test_tags_are_markers_and_names_are_words(run: Run, words: list[str], items: int) -> None:
    """-m, -k and an item's own name select notebooks as they select tests, under --strict-markers."""
    ran = run("--collect-only", "-q", *words)
    assert (ran.code, len(ran.items)) == (0, items), ran.said


def test_an_unregistered_marker_of_python_is_still_an_error(run: Run, project: Path) -> None:
    """Tags of notebooks are registered, but no others with them."""
    other = project / "test_other.py"
    other.write_text("import pytest\n\n@pytest.mark.smokee\ndef test_it(): pass\n")
    try:
        ran = run("--collect-only", "-q", "test_other.py")
    finally:
        other.unlink()
    assert ran.code == 2 and "'smokee' not found" in ran.said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jbts-param", "usr=ada"], "no notebook of this run uses the parameter usr; did you mean user?"),
        (["--jbts-param", "user"], "'user' is not of the form name=value"),
        (["--jbts-browser", "opera"], "opera"),
    ],
)
def test_wrong_usage_is_told_in_a_line(run: Run, words: list[str], said: str) -> None:
    """What cannot be meant ends pytest before a notebook runs."""
    ran = run("--collect-only", *words)
    assert ran.code == 4 and said in ran.said and "Traceback" not in ran.said


@pytest.fixture(scope="module")
def ran(run: Run) -> Ran:
    """A session with everything at once."""
    words = "-n 2 --dist loadgroup --reruns 1 --junitxml x.xml --html x.html --self-contained-html -v"
    return run(*words.split(), "--jbts-report", "report", "--jbts-param", "limit=3")


@pytest.mark.browser
@pytest.mark.slow
class TestASession:
    """One session with everything at once: two processes, reruns, JUnit, pytest-html, our report."""

    def test_each_notebook_has_its_result(self, ran: Ran) -> None:
        """Failures fail, what passed on a rerun is flaky and says so, ordinary tests are undisturbed."""
        assert ran.code == 1, ran.said
        assert "2 failed, 5 passed" in ran.said and "3 rerun" in ran.said, ran.said
        assert "1 xfailed" in ran.said  # the quarantined one
        assert "flaky: shop/flaky.ipynb (passed in attempt 2, after AssertionError: " in ran.said
        assert "PASSED test_zz_ordinary.py::test_nothing_of_this_process_has_changed" in ran.said

    def test_a_failure_is_a_card_and_no_traceback_of_ours(self, ran: Ran) -> None:
        """Step, reason, executed notebook and evidence; the summary line has the reason."""
        assert 'shop/page.ipynb, cell 4: expect title "Something else" --timeout 0.3' in ran.said
        assert "ExpectationFailed: expected title 'Something else'; it is 'Buttons'" in ran.said
        assert "executed notebook: home/runs/" in ran.said and "evidence: home/evidence/" in ran.said
        assert "FAILED shop/page.ipynb::page - ExpectationFailed: expected title" in ran.said
        assert "pytest_plugin.py" not in ran.said and "runner.py" not in ran.said

    def test_steps_are_subtests(self, ran: Ran) -> None:
        """With -v every step that passed is told."""
        assert "SUBPASSED[navigate file:" in ran.said

    def test_junit_says_what_ran(self, ran: Ran, project: Path) -> None:
        """A case for each attempt of each item, with status, steps and the executed notebook; the failure's text
        is the card."""
        cases = {c.get("name"): c for c in Xml.parse(project / "x.xml").iter("testcase")}
        page = {p.get("value"): p.get("name") for p in cases["page"].iter("property")}
        assert page['failed expect title "Something else" --timeout 0.3'] == "step"
        assert {p.get("name"): p.get("value") for p in cases["flaky"].iter("property")}["flaky"] == "true"
        failure = cases["page"].find("failure")
        assert failure is not None and str(failure.get("message")).startswith("ExpectationFailed:")
        assert str(failure.text).startswith("shop/page.ipynb, cell 4")

    def test_pytest_html_has_the_picture(self, ran: Ran, project: Path) -> None:
        """The failed step's picture is in its report, and links to notebook and evidence."""
        source = (project / "x.html").read_text()
        assert "the page when it failed" in source and "executed notebook" in source and "evidence.html" in source

    def test_it_is_one_run_in_the_store(self, ran: Ran, project: Path) -> None:
        """Both processes' attempts belong to one run, each once, and the report shows it."""
        results = Results(project / "home")
        assert results.rows("select kind from runs").rows == (("suite",),)
        found = results.rows(
            "select test_name, attempt, status from executions where test_name in ('flaky', 'page') order by all"
        ).rows
        assert found == (("flaky", 1, "failed"), ("flaky", 2, "passed"), ("page", 1, "error"), ("page", 2, "error"))
        assert "of 6 tests failed" in (project / "report" / "index.html").read_text()

    def test_only_what_failed_runs_again(self, ran: Ran, run: Run) -> None:
        """--lf takes the notebooks that failed, and -x ends after the first."""
        words = ("--jbts-param", "limit=3")
        assert len(run("--collect-only", "-q", "--lf", *words).items) == 2
        ended = run("-x", "-q", "users.ipynb::users[eve]", "test_zz_ordinary.py", *words, home="again")
        assert ended.code == 1 and "1 failed in" in ended.said and "stopping after 1 failures" in ended.said
