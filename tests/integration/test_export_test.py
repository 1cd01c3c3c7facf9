"""Notebooks written as plain pytest files: they pass where the notebook passes, and say what is missing."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from jbts_kernel.demo import Shop
from jbts_kernel.errors import UsageProblem
from jbts_kernel.store.queries import Results
from jbts_kernel.suite.export_test import export_test
from jbts_kernel.suite.plain_python import NotExported, pieces

from .written import notebook

ROOT = Path(__file__).resolve().parents[2]
DEMOS = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if path.stem != "dashboard"]


def run_pytest(folder: Path, home: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """pytest over a folder, without the plugin that collects notebooks: the files are plain Python."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:jbts", "-W", "error", "-q", "-rA", *words],
        cwd=folder,
        env={**os.environ, "JBTS_HOME": str(home), "JBTS_BROADCASTER": "off", **environ},
        capture_output=True,
        text=True,
        timeout=280,
    )


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from jbts_kernel.cli import main; main(sys.argv[1:])"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, env=environ, capture_output=True, text=True)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_notebooks_pass_as_pytest_files(tmp_path: Path, home: Path, shop: Shop) -> None:
    """Each exported file is complete, all of them pass in one pytest, and each test is in the store under the
    notebook's name as the notebook's own run has it."""
    declared: Counter[str] = Counter()
    for path in DEMOS:
        exported = export_test(path, tmp_path)
        assert exported.missing == ()
        (tmp_path / f"test_{path.stem}.py").write_text(exported.source)
        declared[path.name] += len(re.findall(r'"%test ', path.read_text()))
    told = json.dumps({"base_url": shop.url})
    ran = run_pytest(tmp_path, home, JBTS_PARAMETERS=told)
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert f"{declared.total()} passed" in ran.stdout
    found = Results(home).rows("select notebook, count(*), any_value(base_url) from executions group by all").rows
    assert {name: count for name, count, _ in found} == dict(declared)
    assert {address for _, _, address in found} == {shop.url}


EVERYTHING = (
    ("user: str = 'nobody'\nfound = []", "parameters"),
    "%load_ext jbts_kernel\n%secret PASSWORD",
    ("started = [user]", "setup"),
    '%test "It\'s ${user}" --tags a,b',
    "import json\nnotes = '''\n  kept as\nit is'''\nassert notes.splitlines()[1] == '  kept as'",
    "for word in ('one', 'two'):\n    %evaluate document.title = \"${word}\"\n    found.append(word)",
    "%%group Look around\nnavigate ${page_url}\nexpect title Buttons",
    "title = %evaluate document.title\nassert title == 'Buttons'; seen = title",
    ("%expect title Nothing --timeout 0.1", "raises-exception"),
    ("1 / 0", "skip-ci"),
    ("found.append(notes)", "teardown"),
    "%endtest",
    "%test Afterwards\nassert found[:2] == ['one', 'two'] and seen == 'Buttons'",
    "assert user in ('ada', 'sam') and started == [user]",
)


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_everything_a_notebook_has_is_there(tmp_path: Path, home: Path) -> None:
    """Parameters and sets of values, setup, teardown, groups, values that steps read, ``${...}``, texts of several
    lines, what may raise and what is left out; a secret's value is nowhere."""
    page_url = (ROOT / "tests" / "site" / "buttons.html").as_uri()
    cells = [(c, *t) for c, *t in ((cell,) if isinstance(cell, str) else cell for cell in EVERYTHING)]
    cells[0] = (cells[0][0] + f"\npage_url = {page_url!r}", "parameters")
    path = notebook(tmp_path / "all.ipynb", *cells, parametrize={"user": ["ada", "sam"]})
    assert command("export-test", str(path), cwd=tmp_path).returncode == 0
    source = (tmp_path / "test_all.py").read_text()
    assert 'jbts.secret("PASSWORD")' in source and "# cell 10 is left out: it is tagged skip-ci" in source
    assert command("export-test", str(path), cwd=tmp_path).returncode == 2  # it is there, and may be edited
    ran = run_pytest(tmp_path, home, PASSWORD="not-for-anybody")
    assert ran.returncode == 0, ran.stdout[-4000:]
    for name in ("ada", "sam"):
        assert f"PASSED test_all.py::test_it_s_user[{name}]" in ran.stdout
    found = Results(home).rows("select test_name, status, tags, parameters->>'user' from executions order by all").rows
    assert found[2:] == (
        ("It's ada", "passed", ["a", "b"], "ada"),
        ("It's sam", "passed", ["a", "b"], "sam"),
    )
    assert "not-for-anybody" not in source + ran.stdout


def test_teardown_runs_after_a_failure_and_the_failure_is_recorded(tmp_path: Path, home: Path) -> None:
    """An assertion outside every step fails test and execution, and the cell that tidies up still ran."""
    torn = tmp_path / "torn"
    path = notebook(
        tmp_path / "fails.ipynb",
        "%test Fails\nwith jbts.group('look'):\n    pass\nassert 1 == 2, 'on purpose'",
        (f"from pathlib import Path\nPath({str(torn)!r}).touch()", "teardown"),
    )
    (tmp_path / "test_fails.py").write_text(export_test(path, tmp_path).source)
    ran = run_pytest(tmp_path, home)
    assert ran.returncode == 1 and "on purpose" in ran.stdout
    assert torn.exists()
    found = Results(home).rows("select test_name, status, error_message from executions").rows
    assert [(name, status) for name, status, _ in found] == [("Fails", "failed")] and "on purpose" in found[0][2]


def test_what_cannot_be_exported_is_named_and_fails(tmp_path: Path, home: Path) -> None:
    """By its cell, with the reason, in the exit status, and as a failure in the file."""
    path = notebook(tmp_path / "shell.ipynb", "x = 1", "!ls", "%test A", "assert x == 1")
    ran = command("export-test", "shell.ipynb", "-o", "test_it.py", cwd=tmp_path)
    assert ran.returncode == 1
    assert (
        ran.stderr == "jbts: cell 2 could not be exported: a line that begins with ! runs a shell; use subprocess.run\n"
    )
    tests = run_pytest(tmp_path, home)
    assert tests.returncode == 1 and "cell 2 could not be exported" in tests.stdout
    with pytest.raises(UsageProblem, match="no notebook"):
        export_test(tmp_path / "test_it.py", tmp_path)
    assert export_test(path, tmp_path / "elsewhere").source.count('FOLDER = Path(__file__).parent / ".."') == 1


def test_names_are_texts_in_the_file_and_nothing_else(tmp_path: Path) -> None:
    """Whatever a notebook's file, its folder and its tests are called, the file is the same Python."""
    name = 'x"""; import os; os.abort() #'
    path = notebook(tmp_path / 'a"b' / f"{name}.ipynb", f"%test {name} \\\n1 + 1")
    source = export_test(path, tmp_path).source
    tree = ast.parse(source)
    calls = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert calls == {"fixture", "notebook", "execution"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("%%bash\nls", "%%bash is a magic of IPython's"),
        ("%matplotlib inline", "%matplotlib is a magic of IPython's"),
        ("len?", "%pinfo is a magic of IPython's"),
        ("x = (", "it is not Python"),
        ("await something()", "wrap it in asyncio.run"),
        ("from os import *", "import what is used by name"),
        ("get_ipython().user_ns", "is there in a notebook only"),
        ("if True:\n    %test A", "begin and end tests at the left margin"),
        ("%secret P --prompt", "asks a person"),
        ('%click "#a" --tiemout 3', "did you mean --timeout?"),
        ("%click --help", "it is no step"),
    ],
)
def test_each_reason_is_told(source: str, reason: str) -> None:
    """In words that say what to do about it."""
    with pytest.raises(NotExported, match=re.escape(reason)):
        pieces(source)


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ('%click "#go" --timeout 3 --double', 'page.click("#go", double=True, timeout=3.0)'),
        ('%click role=button[name="Go"]', "page.click('role=button[name=\"Go\"]')"),
        ('%upload "#f" a.txt b.txt', 'page.upload("#f", "a.txt", "b.txt")'),
        ("%screenshot --no-screenshot --name A", 'page.screenshot(name="A", screenshot=False)'),
        ("%drag a --by 1,2", 'page.drag("a", by="1,2")'),
        ("%browser --as sam", 'jbts.line("browser --as sam")'),
        ("%secret P --env Q", 'jbts.secret("P", env="Q")'),
        ("rows = %query select 1", 'rows = jbts.line("query select 1")'),
        ("a, b = %table '#t'", 'a, b = page.table("#t")'),
        ("if True:\n    x = %text '#t'", 'if True:\n    x = page.text("#t")'),
        ("%%steps\n# look\nclick a\n\nclick b", '# look\npage.click("a")\npage.click("b")'),
        ("%%group ${who}\nclick a", 'with step(jbts.interpolate("${who}")):\n    page.click("a")'),
        ("%dashboard", "# left out, since nobody is there to look: %dashboard"),
        ("%load_ext jbts_kernel", ""),
        ("ä = 'ö'; x = 1\nü = %text '#ß'", "ä = 'ö'; x = 1\nü = page.text(\"#ß\")"),
        ("n: int = 3  # why", "n = 3"),
    ],
)
def test_magics_become_calls(source: str, python: str) -> None:
    """As people write them, in place, with everything around them as it was."""
    (piece,) = pieces(source)
    assert piece.code.strip() == python
