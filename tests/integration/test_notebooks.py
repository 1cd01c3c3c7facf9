"""The example notebooks, run as their readers run them: a suite or plain papermill, the ``jbts`` kernel, a shop."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jbts_kernel.browser.launch import LaunchSpec
from jbts_kernel.browser.pool import BrowserPool
from jbts_kernel.browser.ports import held_port
from jbts_kernel.demo import Shop
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.queries import Results
from jbts_kernel.suite.outcome import SuiteResult
from jbts_kernel.suite.runner import run
from jbts_kernel.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]
ALL = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = [path for path in ALL if path.stem != "dashboard"]  # which tests nothing, and shows what others did
RUN = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(240)]
pytestmark = pytest.mark.xdist_group("notebooks")
LONGEST = 200.0
PASSWORDS = ("copper-pine", "oak-and-iron", "walnut-and-wool")

each = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


@dataclass(frozen=True)
class Ran:
    """A papermill run that has ended: its exit code, what it said, and what it made of the notebook."""

    code: int
    said: str
    cells: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def jupyter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Jupyter data folder with the kernelspec, where ``pip install`` would have put it."""
    folder = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "jbts_kernel" / "kernelspec", folder / "kernels" / "jbts")
    return folder


@pytest.fixture
def papermill(jupyter_path: Path, shop: Shop, home: Path, tmp_path: Path) -> Any:
    """Runs a notebook against the shop, recording into ``home``."""

    def start(notebook: Path) -> Ran:
        out = tmp_path / "out.ipynb"
        command = ["papermill", str(notebook), str(out), "-p", "base_url", shop.url, "--no-progress-bar"]
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "JUPYTER_PATH": str(jupyter_path),
                "IPYTHONDIR": str(tmp_path / "ipython"),
                "JBTS_HOME": str(home),
                "JBTS_BROADCASTER": "off",
            },
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        return Ran(done.returncode, done.stdout + done.stderr, executed(out) if out.exists() else {})

    return start


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def declared(notebook: Path) -> dict[str, list[str]]:
    """The tests a notebook begins with %test, in order, and their tags."""
    lines = [line for cell in code_cells(notebook) for line in source(cell).splitlines()]
    found = [re.match(r'%test "(.+?)" --tags (\S+)', line) for line in lines]
    return {match[1]: match[2].split(",") for match in found if match}


@pytest.mark.parametrize("notebook", ALL, ids=lambda path: path.stem)
def test_notebook_is_kept_clean(notebook: Path) -> None:
    """A notebook holds no outputs, no ids made by chance and nothing an editor would rewrite."""
    text = notebook.read_text(encoding="utf-8")
    content = json.loads(text)
    assert text == json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    nbformat.validate(nbformat.from_dict(content))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    kernelspec = {"display_name": "JBTS (Python 3)", "language": "python", "name": "jbts"}
    assert content["metadata"]["kernelspec"] == kernelspec
    assert content["metadata"]["jbts"]["tags"]
    identities = [cell["id"] for cell in content["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in content["cells"]:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell["id"]) and not re.fullmatch(r"[0-9a-f]{8}", cell["id"])
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.fixture
def voila(jupyter_path: Path, home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of dashboard.ipynb, served by Voila for the project in ``tmp_path`` as its docs say."""
    (tmp_path / "notebooks").mkdir()
    home.mkdir()
    shutil.copy(ROOT / "notebooks" / "dashboard.ipynb", tmp_path / "notebooks")
    surroundings = {"PYTHONPATH": str(ROOT), "JUPYTER_PATH": str(jupyter_path), "JBTS_BROADCASTER": "off"}
    with held_port() as port:
        command = ["voila", "notebooks/dashboard.ipynb", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
        server = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={**os.environ, **surroundings, "IPYTHONDIR": str(tmp_path / "ipython")},
            stderr=subprocess.PIPE,
            text=True,
        )
        said = server.stderr
        assert said is not None
        lines: list[str] = []
        for line in iter(said.readline, f"http://127.0.0.1:{port}/\n"):  # which it says when it listens
            lines.append(line)
            assert line, f"Voila ended with {server.wait(30)}: {''.join(lines)[-3000:]}"
    rest = threading.Thread(target=said.read)  # a full pipe would stop it
    rest.start()
    yield f"http://127.0.0.1:{port}/"
    server.terminate()
    server.wait(30)
    rest.join(30)
    said.close()


@pytest.mark.browser
@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_dashboard_is_a_page_for_others(voila: str, home: Path) -> None:
    """Served by Voila, dashboard.ipynb shows a project without results and one with them: every cell says or draws
    something, pictures have arrived, and there is no code, no widget that needs a kernel and no error."""
    sections = ["How the tests are doing", "Latest", "Failures", "Steadiness", "Speed", "What AI calls used"]
    with closing(BrowserPool()) as pool, pool.lease(LaunchSpec(viewport=(1280, 900))) as session:
        for charts in (0, 5):
            if charts:
                recorded(home)
            session.driver.get(voila)
            seen = session.driver.execute_async_script(PAGE)
            assert [title.rstrip("\u00b6") for title in seen["titles"]] == sections
            assert seen["outputs"] == 6, "each cell shows something, and the setup nothing"
            assert (seen["bad"], seen["widgets"], seen["code"]) == ([], 0, 0)
            assert len(seen["pictures"]) == charts and all(width > 100 for width in seen["pictures"])
            assert ("no results yet" in seen["text"], "Pay ${x} <img" in seen["text"]) == (not charts, bool(charts))


PAGE = """
const done = arguments[arguments.length - 1], all = (css) => [...document.querySelectorAll(css)];
const look = () => {
  const shown = all(".jp-OutputArea-output").filter((e) => e.offsetHeight);
  const arrived = all("img").every((image) => image.complete);
  if (shown.length < 6 || !arrived) return setTimeout(look, 50);
  done({
    titles: all(".jp-RenderedMarkdown :is(h1, h2)").map((h) => h.innerText.trim()), text: document.body.innerText,
    outputs: all(".jp-CodeCell").filter((cell) => cell.querySelector(".jp-OutputArea-output")).length,
    bad: all("[data-mime-type*='stderr'],[data-mime-type*='error']").map((e) => e.innerText),
    widgets: all(".jupyter-widgets").length, code: all(".jp-InputArea-editor").length,
    pictures: all("img").map((img) => img.naturalWidth),
  });
};
look();
"""


def recorded(home: Path) -> None:
    """A week of a test with a hostile name, which changes its mind, and an AI call a day."""
    log = Log(home)
    for day in range(7):
        ts, test, status = time.time() - day * 86_400, "Pay ${x} <img src=x>", "failed" if day % 2 else "passed"
        wrong = {"error_type": "E", "error_message": "boom", "error_fingerprint": "f"} if day % 2 else {}
        about = {"test_name": test, "history_id": "h", "attempt": 1, "started_at": ts, "duration_ms": 1500.0}
        step = {"verb": "click", "name": "Pay", "status": status, "started_at": ts, "duration_ms": 10.0 + day}
        call = {"analysis_id": f"a{day}", "provider": "openai", "model": "m", "status": "ok", "input_tokens": 5}
        log.emit(
            Event("step.finished", step | wrong, f"r{day}", f"e{day}", f"s{day}", ts=ts),
            Event("analysis", call, f"r{day}", f"e{day}", f"s{day}", ts=ts),
            Event("execution.finished", about | wrong | {"status": status}, f"r{day}", f"e{day}", ts=ts),
        )
    log.close()


@each
def test_notebook_can_be_pointed_at_any_shop(notebook: Path) -> None:
    """Every notebook begins with the parameter base_url and opens a shop of its own where it is empty."""
    first, second, *rest = code_cells(notebook)
    assert first["metadata"]["tags"] == ["parameters"]
    assert source(first).endswith('base_url = ""')
    assert source(second) == "%load_ext jbts_kernel\nbase_url = base_url or jbts.demo()"
    waits = re.compile(r"\bsleep\(|^%?wait \d", re.MULTILINE)
    assert not [cell["id"] for cell in rest if waits.search(source(cell))]
    assert declared(notebook)


def test_tour_shows_every_verb() -> None:
    """No verb is missing from the tour, and the tour uses no verb that is not there."""
    cells = code_cells(ROOT / "notebooks" / "tour.ipynb")
    used = {verb for cell in cells for verb in re.findall(r"^(?:\w+ = )?%%?(\w+)", source(cell), re.MULTILINE)}
    assert used - {"load_ext"} == set(VERBS)


@pytest.fixture(scope="module")
def suite(jupyter_path: Path, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuiteResult]:
    """All of them but the tour in one run, as CI runs them, the dashboard, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(jupyter_path))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield run(
            [path for path in ALL if path.stem != "tour"],
            home=tmp_path_factory.mktemp("suite") / ".jbts",
            parameters={"base_url": shop.url},
            environ={**os.environ, "PYTHONPATH": str(ROOT), "JBTS_BROADCASTER": "off"},
            workers=2,
        )


def executed(path: Path) -> dict[str, dict[str, Any]]:
    """The cells of a notebook that ran, by their ids."""
    return {cell.get("id", ""): cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]}


def passed(notebook: Path, cells: dict[str, dict[str, Any]], home: Path, shop: Shop) -> None:
    """It ran from top to bottom, its tests are rows that say so, and no password is in any of it."""
    assert all(isinstance(cells[cell["id"]]["execution_count"], int) for cell in code_cells(notebook))
    results = Results(home)
    asked = "select test_name, status, tags, notebook, base_url, browser, execution_id from executions"
    rows = results.rows(f"{asked} where notebook like ? order by started_at", [f"%{notebook.name}"]).dicts()
    assert {row["test_name"]: row["tags"] for row in rows} == declared(notebook)
    for row in rows:
        assert (row["status"], row["base_url"], row["browser"]) == ("passed", shop.url, "chrome"), row
        asked = "select distinct status from steps where not optional and execution_id = ?"
        assert results.rows(asked, [row["execution_id"]]).rows == (("passed",),)
    shown = json.dumps([cell.get("outputs") for cell in cells.values()])
    recorded = "".join(path.read_text(encoding="utf-8") for path in (home / "spool").iterdir())
    assert [word for word in PASSWORDS if word in shown or word in recorded] == []


class TestRuns:
    """What a run leaves behind: an executed notebook, rows, and no secret."""

    pytestmark = RUN

    def test_dashboard_passes_in_a_suite(self, suite: SuiteResult) -> None:
        """It holds no test, and is one: every cell shows something of the project it runs in."""
        (case,) = [case for case in suite.results if case.case.path.stem == "dashboard"]
        assert case.status == "passed", case.verdict.message

    @pytest.mark.parametrize("notebook", [path for path in NOTEBOOKS if path.stem != "tour"], ids=lambda p: p.stem)
    def test_notebook_passes_in_a_suite(self, notebook: Path, suite: SuiteResult, shop: Shop) -> None:
        """Each notebook passes in one run with the others, its browser lent."""
        (case,) = [case for case in suite.results if case.case.path == notebook]
        assert case.status == "passed", case.verdict.message
        assert case.attempts[0].executed is not None
        passed(notebook, executed(case.attempts[0].executed), suite.home, shop)

    def test_the_tour_passes_under_plain_papermill(self, papermill: Any, home: Path, shop: Shop) -> None:
        """The one with every verb in it, as its readers run it."""
        notebook = ROOT / "notebooks" / "tour.ipynb"
        ran = papermill(notebook)
        assert ran.code == 0, ran.said[-4000:]
        passed(notebook, ran.cells, home, shop)
        assert (home / "spool").is_dir() and list((home / "spool").iterdir())
        (about,) = Results(home).rows("select kind, status, parameters from runs").dicts()
        assert (about["kind"], about["status"]) == ("papermill", "passed")
        assert json.loads(about["parameters"]) == {"base_url": shop.url}

    def test_what_fails_before_its_first_step_is_a_row(self, papermill: Any, home: Path, tmp_path: Path) -> None:
        """A notebook whose set-up raises has an execution, under plain papermill as well."""
        kernelspec = {"name": "jbts", "display_name": "JBTS", "language": "python"}
        made = nbformat.v4.new_notebook(metadata={"kernelspec": kernelspec})
        made.cells = [nbformat.v4.new_code_cell(text) for text in ("%load_ext jbts_kernel", "1 / 0", "%navigate /")]
        nbformat.write(made, tmp_path / "broken.ipynb")
        assert papermill(tmp_path / "broken.ipynb").code != 0
        asked = "select notebook, status, error_type from executions"
        assert Results(home).rows(asked).rows == (("broken.ipynb", "error", "ZeroDivisionError"),)

    def test_wrong_expectation_fails(self, papermill: Any, home: Path, tmp_path: Path) -> None:
        """A checkout that costs something else fails papermill, stops there, and is a failed execution."""
        changed = json.loads((ROOT / "notebooks" / "shop_checkout.ipynb").read_text(encoding="utf-8"))
        (cell,) = [cell for cell in changed["cells"] if cell["id"] == "totals"]
        cell["source"] = [line.replace('"$118.00"', '"$999.00" --timeout 0.3') for line in cell["source"]]
        wrong = tmp_path / "wrong_checkout.ipynb"
        wrong.write_text(json.dumps(changed), encoding="utf-8")
        ran = papermill(wrong)
        assert ran.code != 0
        assert "ExpectationFailed" in ran.said and "$999.00" in ran.said
        assert [output["ename"] for output in ran.cells["totals"]["outputs"] if "ename" in output] == ["StepFailed"]
        assert ran.cells["sum"]["execution_count"] is None
        (row,) = Results(home).rows("select notebook, status, error_type, error_message from executions").dicts()
        assert (row["notebook"], row["status"], row["error_type"]) == (wrong.name, "failed", "ExpectationFailed")
        assert "$118.00" in row["error_message"]
        (step,) = Results(home).rows("select verb, locator, expected from steps where status <> 'passed'").rows
        assert step == ("expect", "#total", "text $999.00")
