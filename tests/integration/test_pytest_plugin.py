"""pytest over notebooks: the habits of people who use it, on real notebooks beside ordinary tests."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
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
UNREGISTERED = """
import pytest

@pytest.mark.smokee
def test_it(): pass
"""
MANY = """
import contextlib, io, json, sys, pytest
told = []
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(words)
    told.append([int(code), said.getvalue()])
json.dump(told, sys.stdout)
"""
"""Several runs of pytest in one process, which has imported everything once."""


@dataclass(frozen=True)
class Ran:
    """A pytest run that has ended."""

    code: int
    said: str

    @property
    def items(self) -> list[str]:
        """What ``--collect-only -q`` named."""
        return [line for line in self.said.splitlines() if "::" in line]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an ordinary test file and notebooks, one of each kind."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_zz_ordinary.py").write_text(ORDINARY)
    (folder / "unregistered.py").write_text(UNREGISTERED)
    notebook(
        folder / "shop" / "good.ipynb",
        "%load_ext jbts_kernel",
        '%test "Buy a lamp" --tags cart,nightly\n1 + 1',
        tags=["smoke"],
    )
    notebook(
        folder / "shop" / "page.ipynb",
        "%load_ext jbts_kernel",
        f"%navigate {(SITE / 'buttons.html').as_uri()}\n%expect h1 aria",
        '%click "#nowhere" --continue-on-failure --timeout 0.2',
        '%expect title "Something else" --timeout 0.3',
        '%test "Never begun"',
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


def start(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A Python in the project, with its results in a folder below it, as CI has it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    told = {"JBTS_HOME": str(project / "home"), "JBTS_BROADCASTER": "off", "COLUMNS": "200", "CI": "true"}
    return subprocess.run(
        [sys.executable, *words], cwd=project, env=environ | told | more, capture_output=True, text=True, timeout=220
    )


def each(project: Path, *runs: str) -> list[Ran]:
    """Several runs of pytest, one after the other."""
    done = start(project, "-c", MANY, json.dumps([shlex.split(line) for line in runs]), JBTS_WARM="0")
    assert done.returncode == 0, done.stdout + done.stderr
    return [Ran(code, said) for code, said in json.loads(done.stdout)]


ALL = [
    *(f"shop/{name}.ipynb::{name}" for name in ("broken", "flaky", "good", "page")),
    *(f"test_zz_ordinary.py::{name}" for name in ("test_nothing_of_this_process_has_changed", "test_slow")),
    *(f"users.ipynb::users[{name}]" for name in ("ada", "eve")),
]
COLLECTED = {
    "": ALL,
    "notes.ipynb": ["notes.ipynb::notes"],
    "users.ipynb --jbts-param user=ada": ["users.ipynb::users"],
    "shop/good.ipynb --jbts-browser chrome --jbts-browser Edge": [
        "shop/good.ipynb::good[chrome]", "shop/good.ipynb::good[edge]",
    ],
    "-m smoke": ["shop/good.ipynb::good", *ALL[-2:]],  # the notebook's tags
    "-m 'nightly or slow' -k 'lamp or ordinary'": ["shop/good.ipynb::good", ALL[5]],  # tags and name of a test in it
    "users.ipynb::users[eve]": ["users.ipynb::users[eve]"],
}  # fmt: skip
REFUSED = {
    "unregistered.py": (2, "'smokee' not found"),  # tags are registered, but no others with them
    "--jbts-param usr=ada": (4, "no notebook of this run uses the parameter usr; did you mean user?"),
    "--jbts-param user": (4, "'user' is not of the form name=value"),
    "--jbts-browser opera": (4, "opera"),
}


def test_collecting(project: Path, subtests: pytest.Subtests) -> None:
    """Folders are searched as ``jbts run`` does, what is no test is left out unless it is named, sets of values are
    items, -m, -k and an item's own name select them under --strict-markers, ordinary tests stay what they are; and
    what cannot be meant ends pytest, in a line, before a notebook runs."""
    lines = [f"--collect-only -q {words}".strip() for words in (*COLLECTED, *REFUSED)]
    ran = dict(zip((*COLLECTED, *REFUSED), each(project, *lines), strict=True))
    for words, items in COLLECTED.items():
        with subtests.test(words):
            assert (ran[words].code, sorted(ran[words].items)) == (0, sorted(items)), ran[words].said
    for words, (code, said) in REFUSED.items():
        with subtests.test(words):
            assert ran[words].code == code and said in ran[words].said
            assert "Traceback" not in ran[words].said


@pytest.fixture(scope="module")
def ran(project: Path) -> Ran:
    """A session with everything at once."""
    words = "-n 2 --dist loadgroup --reruns 1 --only-rerun AssertionError --junitxml x.xml --html x.html -v"
    ours = "--jbts-report report --jbts-param limit=3 --jbts-update-baselines"
    done = start(project, "-m", "pytest", *words.split(), "--self-contained-html", *ours.split())
    return Ran(done.returncode, done.stdout + done.stderr)


@pytest.mark.browser
@pytest.mark.slow
class TestASession:
    """One session with everything at once: two processes, reruns, JUnit, pytest-html, our report."""

    def test_each_notebook_has_its_result(self, ran: Ran) -> None:
        """Failures fail, what passed on a rerun is flaky and says so, ordinary tests are undisturbed."""
        assert ran.code == 1, ran.said
        assert "2 failed, 5 passed" in ran.said and "2 rerun" in ran.said, ran.said
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
        assert found == (("flaky", 1, "failed"), ("flaky", 2, "passed"), ("page", 1, "error"))
        report = (project / "report" / "index.html").read_text()
        assert "of 6 tests failed" in report
        assert re.search(r'class="execution not_run"><h3>.{1,80}<span>Never begun</span>.{1,40}not run', report)

    def test_a_baseline_is_written_where_it_was_asked_for(self, ran: Ran, project: Path) -> None:
        """Under CI a snapshot without one fails; --jbts-update-baselines reaches the notebooks' kernels."""
        assert [path.name for path in (project / "shop").rglob("*.aria*")] != []
        assert "SUBPASSED[expect h1 aria]" in ran.said

    def test_only_what_failed_runs_again_or_runs_first(self, ran: Ran, project: Path) -> None:
        """--lf takes the notebooks that failed, --ff puts them first, and -x ends after the first that fails."""
        again, first, ended = each(
            project,
            "--collect-only -q --lf --jbts-param limit=3",
            "--collect-only -q --ff --jbts-param limit=3",
            "-x -q users.ipynb::users[eve] test_zz_ordinary.py --jbts-param limit=3",
        )
        failed = ["shop/page.ipynb::page", "users.ipynb::users[eve]"]
        assert again.items == failed
        assert first.items[:2] == failed and sorted(first.items) == sorted(ALL)
        assert ended.code == 1 and "1 failed in" in ended.said and "stopping after 1 failures" in ended.said


@pytest.mark.slow
def test_a_suite_s_own_limits_and_browsers(tmp_path: Path) -> None:
    """What suite.toml says of time and browsers holds under pytest, too, for its folder, until the command line says
    otherwise."""
    notebook(tmp_path / "shop" / "waits.ipynb", "import time; time.sleep(2)")
    notebook(tmp_path / "tools" / "adds.ipynb", "1 + 1")
    (tmp_path / "shop" / "suite.toml").write_text('[run]\nbrowser = "Chromium"\ncell_timeout = 1\n')
    (tmp_path / "pytest.ini").write_text(INI)
    ran, named, longer = each(tmp_path, "-q", "--collect-only -q --jbts-browser edge", "-q shop --jbts-cell-timeout 9")
    assert "FAILED shop/waits.ipynb::waits[chromium] - cell 1 was still running after 1 s" in ran.said, ran.said
    assert "1 failed, 1 passed" in ran.said
    assert named.items == ["shop/waits.ipynb::waits[edge]", "tools/adds.ipynb::adds[edge]"]
    assert longer.code == 0, longer.said
    (tmp_path / "shop" / "suite.toml").write_text('[run]\nbrowser = "opera"\n')
    (refused,) = each(tmp_path, "--collect-only -q shop")
    assert refused.code == 2 and "opera" in refused.said and "Traceback" not in refused.said


@pytest.mark.slow
def test_ctrl_c_winds_up(tmp_path: Path) -> None:
    """Ctrl-C interrupts the cell that runs, runs its teardown cell, begins no other notebook, and keeps what there is
    in a run that says how it ended."""
    hangs = "from pathlib import Path\nimport time\nPath('begun').touch()\ntime.sleep(100)"
    notebook(tmp_path / "a_hangs.ipynb", hangs, ("Path('torn').touch()", "teardown"))
    notebook(tmp_path / "b_waits.ipynb", "from pathlib import Path\nPath('other').touch()")
    (tmp_path / "pytest.ini").write_text(INI)
    home = {"JBTS_HOME": str(tmp_path / "home"), "JBTS_BROADCASTER": "off", "JBTS_WARM": "0"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))} | home
    words, both = [sys.executable, "-m", "pytest", "-p", "no:xdist"], subprocess.STDOUT
    running = subprocess.Popen(
        words, cwd=tmp_path, env=environ, start_new_session=True, stdout=subprocess.PIPE, stderr=both, text=True
    )
    deadline, tick = time.monotonic() + 90, threading.Event()
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline and running.poll() is None:
        tick.wait(0.1)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does it
    said, _ = running.communicate(timeout=90)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, said
    assert (tmp_path / "torn").exists() and not (tmp_path / "other").exists()
    results = Results(tmp_path / "home")
    assert results.rows("select test_name, status from executions").rows == (("a_hangs", "aborted"),)
    assert results.rows("select status, ended_at is not null from runs").rows == (("aborted", True),)
