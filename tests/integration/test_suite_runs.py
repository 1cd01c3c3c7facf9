"""Suites from end to end: real kernels, real files, the store, and the command's exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from click.testing import CliRunner

from jbts_kernel.errors import UsageProblem
from jbts_kernel.ids import new_id
from jbts_kernel.store.queries import Results
from jbts_kernel.suite import junit
from jbts_kernel.suite.commands import run_command
from jbts_kernel.suite.interruption import Interruption
from jbts_kernel.suite.outcome import Attempt, CaseResult, SuiteResult
from jbts_kernel.suite.progress import Silent
from jbts_kernel.suite.runner import run
from jbts_kernel.suite.selection import Case

from .written import notebook

BROKEN = Path(__file__).parents[1] / "notebooks"
pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("suite-runs")]


def command(
    home: Path, *words: str, start: Callable[..., Any] = subprocess.run, **options: Any
) -> subprocess.CompletedProcess[str] | subprocess.Popen[str]:
    """``jbts run`` as a process of its own."""
    code = "from jbts_kernel.suite.commands import run_command; run_command()"
    environ = {**os.environ, "JBTS_HOME": str(home), "JBTS_BROADCASTER": "off"}
    environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), environ.get("PYTHONPATH", "")])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    found: subprocess.CompletedProcess[str] = start(
        [sys.executable, "-c", code, *words], env=environ, text=True, **pipes, **options
    )
    return found


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll a condition until it is true; fail after ``seconds``."""
    ends, tick = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        tick.wait(0.05)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "JBTS_BROADCASTER": "off", "PYTHONPATH": str(Path(__file__).parents[2]), **more}


def rows(home: Path, sql: str, *params: object) -> list[dict[str, Any]]:
    return Results(home).rows(sql, list(params)).dicts()


BROKEN_IN = {
    "hangs_on": ("error", "the kernel was killed, because interrupting it did not help"),
    "hangs": ("error", "cell 1 was still running after 6 s; it was interrupted"),
    "passes": ("passed", ""),
    "expected_error": ("passed", ""),
    "assertion_fails": ("failed", "AssertionError: assert total == 5"),
    "system_exit": ("error", "sys.exit(0) in cell 2 ended the notebook; 1 cell did not run"),
    "help_exits": ("error", "sys.exit(0) in cell 1 ended the notebook; 1 cell did not run"),
    "usage_error": ("error", "UsageError: Line magic function `%no_such_magic` not found."),
    "syntax_error": ("error", "SyntaxError: invalid syntax (line 1)"),
    "dead_kernel": ("error", "the kernel died in cell 1 (exit status 3)"),
    "killed_kernel": ("error", "the kernel died in cell 1 (SIGKILL)"),
    "exit_called": ("error", "exit() in cell 2 ended the notebook; 1 cell did not run"),
    "empty": ("error", "no code cell"),
    "left_out": ("skipped", "left out"),
    "teardown_runs": ("error", "ValueError: broken on purpose"),
    "teardown_fails": ("error", "teardown: ValueError: cannot tidy up"),
    "setup_fails": ("error", "setup: AssertionError: no data"),
    "no_kernelspec": ("error", "names no kernel"),
    "out_of_memory": ("error", "out of memory in cell 2: MemoryError"),
    "captured": ("error", "out of memory in cell 2: MemoryError"),
    "kernel_fails_to_start": ("error", "the kernel 'jbts-broken' did not start: no licence for this kernel"),
    "missing_parameter": ("error", "parameter user is missing: give -p user=VALUE"),
    "only_ci": ("passed", ""),
    "no_such_kernel": ("error", "there is no kernel 'no-such-kernel'"),
}
BY_THE_KERNEL = frozenset(
    [
        "passes",
        "dead_kernel",
        "killed_kernel",
        "hangs",
        "hangs_on",
        "exit_called",
        "teardown_runs",
        "kernel_fails_to_start",
        "no_such_kernel",
    ]
)
"""Those whose verdict comes from how a kernel starts, is signalled and ends, which is done in two ways."""
UNREADABLE = {
    "not_json": ("error", "not JSON", '{"cells": ['),
    "other_json": ("error", "no nbformat", '{"name": "package"}'),
}


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "ordinary"])
def test_each_way_to_break_has_its_verdict(
    tmp_path: Path, subtests: pytest.Subtests, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every notebook that is broken in one way, in one run, and those again whose verdict has to do with how their
    kernel was started: no result is green that should not be, each says why in one line, the store agrees, teardown
    cells ran, and no kernel is left."""
    said = "import sys; sys.exit('no licence for this kernel')"
    spec = {"argv": [sys.executable, "-c", said], "display_name": "Broken", "language": "python"}
    (tmp_path / "kernels" / "jbts-broken").mkdir(parents=True)
    (tmp_path / "kernels" / "jbts-broken" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    broken = {name: told for name, told in BROKEN_IN.items() if warm or name in BY_THE_KERNEL}
    unreadable = UNREADABLE if warm else {}
    paths = [BROKEN / f"{name}.ipynb" for name in broken]
    for name, (_, _, text) in unreadable.items():
        paths.append(tmp_path / f"{name}.ipynb")
        paths[-1].write_text(text)
    home = tmp_path / "home"
    result = run(paths, workers=3, cell_timeout=6, home=home, environ=environment(), warm_starts=warm)
    cases = {case.case.test_name: case for case in result.results}
    for name, (status, message, *_) in (broken | unreadable).items():
        with subtests.test(name):
            verdict = cases[name].verdict
            assert cases[name].status == status
            assert message in verdict.message
            assert "\n" not in verdict.message
            assert verdict.infrastructure is (name in ("no_such_kernel", "kernel_fails_to_start"))
    with subtests.test("teardown cells run wherever there is a kernel"):
        assert states(cases["teardown_runs"]) == ["error", "not_run", "ok"]
        assert states(cases["hangs"]) == ["timeout", "not_run", "ok"]
        assert states(cases["killed_kernel"]) == ["died", "not_run"]
    with subtests.test("every attempt is in the store as what it was"):
        found = {r["test_name"]: r for r in rows(result.home, "SELECT * FROM executions")}
        assert {name: row["status"] for name, row in found.items()} == {n: c.status for n, c in cases.items()}
        assert found["dead_kernel"]["error_message"] == cases["dead_kernel"].verdict.message
        assert found["passes"]["tags"] == ["smoke", "quick"]
        assert (found["passes"]["category"], found["passes"]["priority"]) == ("arithmetic", "low")
        runs = rows(result.home, "SELECT * FROM runs")
        assert [(r["run_id"], r["kind"], r["status"]) for r in runs] == [(result.run_id, "suite", "error")]
    with subtests.test("what is kept is no test itself"):
        kept = result.home / "runs" / result.run_id
        assert {p.name for p in kept.glob("*.ipynb")} >= {"passes.ipynb", "hangs.ipynb"}
        assert not (kept / "no_such_kernel.ipynb").exists()
        with pytest.raises(UsageProblem, match="nothing to run"):
            run([kept], home=result.home)
    with subtests.test("no kernel outlives the run"):
        assert kernels_of(result.home) == []


def states(result: CaseResult) -> list[str]:
    """How the cells of a case's only attempt went."""
    executed = result.attempts[0].executed
    assert executed is not None
    return [cell.metadata.jbts.status for cell in nbformat.read(executed, as_version=4).cells]


def kernels_of(home: Path) -> list[list[str]]:
    """Command lines of the kernels below this process that belong to a data folder."""
    left = []
    for process in psutil.Process().children(recursive=True):
        try:
            words = process.cmdline()
            if process.environ().get("JBTS_HOME") == str(home) or "jbts_kernel.suite.forkserver" in words:
                left.append(words)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return [words for words in left if {"ipykernel_launcher", "jbts_kernel.suite.forkserver"} & set(words)]


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A control group with 200 MB: the file that takes processes in."""
    tops = {"/sys/fs/cgroup": "memory.max", "/sys/fs/cgroup/memory": "memory.limit_in_bytes"}
    for top, limit in tops.items():
        group = Path(top) / f"jbts-{new_id()}"
        if not (Path(top) / "cgroup.procs").exists() or not os.access(top, os.W_OK):
            continue
        group.mkdir()
        try:
            if (group / limit).exists():
                (group / limit).write_text(str(200 << 20))
                for swap in group.glob("memory.swap.max"):
                    swap.write_text("0")
                yield group / "cgroup.procs"
                return
        finally:
            group.rmdir()
    pytest.skip("no control group for memory can be made here")


def test_a_kernel_that_the_system_ends_for_want_of_memory(tmp_path: Path, little_memory: Path) -> None:
    """The verdict says that memory ran out, not only that the kernel was killed."""
    enter = f"import os; open({str(little_memory)!r}, 'w').write(str(os.getpid()))"
    path = notebook(tmp_path / "grows.ipynb", enter, "kept = [bytearray(1 << 20) for _ in range(1000)]", "1")
    result = run([path], home=tmp_path / "home", environ=environment())
    said = "the kernel died in cell 2 (SIGKILL): the system had run out of memory"
    assert (result.results[0].status, result.results[0].verdict.message) == ("error", said)


# ---- what a kernel records -----------------------------------------------------------------------
STEP = """
from jbts_kernel import jbts
with jbts.group("{name}"):
    {body}
"""


def steps(name: str, body: str = "pass") -> str:
    return STEP.format(name=name, body=body)


class _Told(Silent):
    """A progress that hears of steps."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def step(self, case: Case, name: str) -> None:
        self.steps.append((case.test_name, name))


@dataclass(frozen=True)
class Recorded:
    """A run that has ended: its cases and their rows by the test's name, and what was told of meanwhile."""

    result: SuiteResult
    told: list[tuple[str, str]]

    def case(self, name: str) -> CaseResult:
        return next(one for one in self.result.results if one.case.test_name == name)

    def rows(self, name: str, view: str = "executions") -> list[dict[str, Any]]:
        return rows(self.result.home, f"SELECT * FROM {view} WHERE test_name = ?", name)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Notebooks that do different things to what is recorded of them, in one run."""
    folder = tmp_path_factory.mktemp("recorded")
    swallowed = "try:\n    " + steps("buy", "assert False, 'sold out'").strip().replace("\n", "\n    ")
    notebook(folder / "suite" / "swallows.ipynb", swallowed + "\nexcept AssertionError:\n    pass")
    looks = steps("look around") + "assert size == 3"
    notebook(folder / "suite" / "shop.ipynb", ("size = 0", "parameters"), looks)
    notebook(folder / "suite" / "dies.ipynb", steps("work"), steps("die", "import os; os._exit(7)"))
    notebook(folder / "suite" / "leaves.ipynb", steps("work"), "exit()", steps("never"))
    told = _Told()
    about = {"size": 3}
    home = folder / "home"
    result = run([folder / "suite"], home=home, parameters=about, environ=environment(), progress=told, workers=2)
    return Recorded(result, told.steps)


def test_a_failed_step_in_a_green_cell_fails_the_notebook(recorded: Recorded) -> None:
    """Swallowing a step's exception does not make the test pass, here or in the store."""
    case = recorded.case("swallows")
    assert case.status in ("failed", "error")
    assert "sold out" in case.verdict.message
    assert [row["status"] for row in recorded.rows("swallows")] == [case.status]


def test_steps_belong_to_the_run_and_the_attempt(recorded: Recorded) -> None:
    """A kernel's executions carry the run, notebook, attempt and parameters the runner told it."""
    case = recorded.case("shop")
    assert case.status == "passed"
    [row] = recorded.rows("shop")
    assert (row["run_id"], row["notebook"], row["attempt"]) == (recorded.result.run_id, case.case.notebook, 1)
    assert json.loads(row["parameters"]) == {"size": 3}
    assert case.attempts[0].executions == (row["execution_id"],)
    assert case.attempts[0].steps == ("passed look around",)
    asked = "SELECT name FROM steps WHERE execution_id = ?"
    assert [r["name"] for r in rows(recorded.result.home, asked, row["execution_id"])] == ["look around"]
    assert [name for test, name in recorded.told if test == "shop"] == ["look around"]


def test_an_execution_its_kernel_could_not_end_is_ended_with_the_verdict(recorded: Recorded) -> None:
    """A kernel that dies in a step leaves one row, which is an error and says that it died."""
    [row] = recorded.rows("dies")
    assert (row["status"], row["error_message"]) == ("error", "the kernel died in cell 2 (exit status 7)")


def test_exit_after_passed_steps_is_not_passed_in_the_store(recorded: Recorded) -> None:
    """Where a process recorded a pass and the notebook then failed, the attempt's own row says what really happened."""
    assert [row["status"] for row in recorded.rows("leaves", "latest_executions")] == ["error"]
    assert (recorded.case("leaves").status, recorded.result.exit_code) == ("error", 1)


# ---- attempts ------------------------------------------------------------------------------------
def test_passed_on_retry_is_flaky_with_every_attempt_kept(tmp_path: Path) -> None:
    """Both attempts have a notebook and a row, and the store knows the test as flaky."""
    result = run(
        [BROKEN / "flaky.ipynb"],
        home=tmp_path / "home",
        parameters={"marker": str(tmp_path / "seen")},
        retries=2,
        environ=environment(),
    )
    case = result.results[0]
    assert (case.status, result.exit_code, len(case.attempts)) == ("flaky", 0, 2)
    assert [a.executed.name for a in case.attempts if a.executed] == ["flaky.ipynb", "flaky.attempt2.ipynb"]
    found = rows(result.home, "SELECT attempt, status FROM executions ORDER BY attempt")
    assert [(r["attempt"], r["status"]) for r in found] == [(1, "failed"), (2, "passed")]
    assert len(rows(result.home, "SELECT * FROM flaky_tests WHERE severity <> 'none'")) == 1


def test_a_test_says_itself_how_often_it_may_run_again(tmp_path: Path) -> None:
    """``%test NAME --retries N`` holds where the run says nothing, and the second try that passes is flaky."""
    mark = f"from pathlib import Path\np = Path({str(tmp_path / 'n')!r})\nseen = p.exists()\np.touch()\nassert seen"
    path = notebook(tmp_path / "again.ipynb", "%load_ext jbts_kernel", "%test Patient --retries 1 --tags slow", mark)
    result = run([path], home=tmp_path / "home", environ=environment())
    assert (result.results[0].status, len(result.results[0].attempts), result.exit_code) == ("flaky", 2, 0)
    made = junit.write_junit(result, tmp_path / "j.xml", junit.recorded(result.home, result.run_id)).read_text()
    assert '<property name="tag" value="slow" />' in made


def test_a_browser_that_a_cell_asks_for_and_nobody_has_is_infrastructure(tmp_path: Path) -> None:
    """``%browser`` in a notebook counts as ``--browser`` of the run does."""
    path = notebook(tmp_path / "far.ipynb", "%load_ext jbts_kernel", "%browser safari")
    result = run([path], home=tmp_path / "home", environ=environment())
    assert result.exit_code == 3, result.results[0].verdict


def test_exit_between_steps_is_one_execution(tmp_path: Path) -> None:
    """What a cell ended in the middle of a notebook is one row, and no row of it says passed."""
    path = notebook(tmp_path / "out.ipynb", "%load_ext jbts_kernel", "%test Leaving", "exit()", "1 / 0")
    result = run([path], home=tmp_path / "home", environ=environment())
    assert result.exit_code == 1
    assert [row["status"] for row in rows(result.home, "SELECT status FROM executions")] == ["error"]


def test_until_fail_stops_at_the_first_failure(tmp_path: Path) -> None:
    """Repetitions that pass go on, and one that fails fails the run."""
    source = f"from pathlib import Path\np = Path({str(tmp_path / 'n')!r})\n"
    source += "p.write_text((p.read_text() if p.exists() else '') + 'x')\nassert p.read_text() != 'xx'"
    path = notebook(tmp_path / "wears_out.ipynb", source)
    result = run([path], home=tmp_path / "home", until_fail=5, environ=environment())
    assert [a.verdict.status for a in result.results[0].attempts] == ["passed", "failed"]
    assert result.exit_code == 1


def test_a_notebook_has_its_time_and_its_teardown_more(tmp_path: Path) -> None:
    """The limit of a whole notebook ends the cell it falls into; teardown cells still run."""
    torn = tmp_path / "torn"
    path = notebook(
        tmp_path / "long.ipynb",
        "import time; time.sleep(0.2)",
        "time.sleep(300)",
        "print('never')",
        (f"from pathlib import Path; Path({str(torn)!r}).touch()", "teardown"),
    )
    result = run([path], home=tmp_path / "home", timeout=5, environ=environment())
    assert result.results[0].status == "error"
    assert "cell 2 was still running" in result.results[0].verdict.message
    assert torn.exists()


def test_two_browsers_are_two_cases(tmp_path: Path) -> None:
    """Each browser's kernel is told which one, and the results are kept apart."""
    path = notebook(tmp_path / "which.ipynb", "import os; assert os.environ['JBTS_BROWSER'] == 'chrome'")
    result = run([path], home=tmp_path / "home", browsers=("chrome", "Edge"), workers=2, environ=environment())
    assert {r.case.browser: r.status for r in result.results} == {"chrome": "passed", "edge": "failed"}
    assert len({a.executed for r in result.results for a in r.attempts}) == 2


# ---- the command ---------------------------------------------------------------------------------
def test_a_good_run_has_status_0_and_its_files(tmp_path: Path) -> None:
    """JUnit, report and Allure results are where they were asked for, and nothing is on stderr."""
    junit, report, allure = tmp_path / "junit.xml", tmp_path / "report", tmp_path / "allure"
    words = [str(BROKEN / "passes.ipynb"), "--junit", str(junit), "--report", str(report), "--allure", str(allure)]
    good = command(tmp_path / "home", *words)
    assert good.returncode == 0, good.stderr
    assert "1 passed" in str(good.stdout)
    assert f"junit      {junit}\nallure     {allure}\n" in str(good.stdout)
    assert good.stderr == ""
    assert junit.exists()
    source = (report / "index.html").read_text()
    assert "All passed" in source and 'href="notebooks/passes.html"' in source
    assert "in CI only" in (report / "notebooks" / "passes.html").read_text()
    assert [json.loads(file.read_text())["status"] for file in allure.glob("*-result.json")] == ["passed"]


def test_a_failed_run_has_status_1_and_json_lines(tmp_path: Path) -> None:
    """With --json standard output is what happens, an object a line and nothing else, with the result as the last."""
    path = notebook(tmp_path / "suite" / "buys.ipynb", steps("buy", "assert False, 'sold out'"))
    bad = command(tmp_path / "home", str(path), str(BROKEN / "passes.ipynb"), "-n", "2", "--json", "--retries", "1")
    assert bad.returncode == 1, bad.stderr
    told = [json.loads(line) for line in str(bad.stdout).splitlines()]
    assert [told[0]["type"], told[-1]["type"]] == ["run_started", "run_finished"]
    assert all(one["at"] >= told[0]["at"] for one in told)
    buys = [
        (one["type"], one.get("attempt"), one.get("step"))
        for one in told
        if one.get("test_name") == "buys" or str(one.get("name")).endswith("buys.ipynb")
    ]
    assert [one for one in buys if one[0] != "test_step"] == [
        ("test_started", 1, None), ("test_repeated", 1, None), ("test_started", 2, None), ("test_finished", None, None),
    ]  # fmt: skip
    assert ("test_step", None, "buy") in buys
    assert told[-1]["counts"] == {"failed": 1, "passed": 1}
    assert [len(test["attempts"]) for test in told[-1]["tests"]] == [2, 1]
    kept = json.loads((tmp_path / "home" / "runs" / told[0]["run_id"] / "run.json").read_text())
    assert {name: value for name, value in told[-1].items() if name not in ("type", "at")} == kept


def test_no_kernel_is_infrastructure_and_status_3(tmp_path: Path) -> None:
    """No test had its chance, which CI should not take for a failed one."""
    assert command(tmp_path / "home", str(BROKEN / "no_such_kernel.ipynb"), "--no-warm").returncode == 3


MISUSES = (
    [],
    ["nowhere"],
    ["."],
    [str(BROKEN / "passes.ipynb"), "--tags", "none-such"],
    [str(BROKEN / "passes.ipynb"), "--shard", "3/2"],
    [str(BROKEN / "passes.ipynb"), "--browser", "opera"],
    [str(BROKEN / "passes.ipynb"), "-p", "nonsense"],
    [str(BROKEN / "passes.ipynb"), "--retries", "1", "--until-fail", "2"],
)


def test_a_browser_this_machine_cannot_have_is_status_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser is infrastructure, also where that is known before anything runs; a grid may have it."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.chdir(tmp_path)
    environ = {"JBTS_HOME": str(tmp_path / "home"), "JBTS_BROADCASTER": "off"}
    words = [str(BROKEN / "passes.ipynb"), "--browser", "safari", "--tags", "none-such"]
    found = CliRunner().invoke(run_command, words, env=environ)
    assert (found.exit_code, found.stdout) == (3, "")
    assert "safari runs on macOS only" in found.stderr
    found = CliRunner().invoke(run_command, words, env={**environ, "JBTS_GRID_URL": "http://127.0.0.1:9"})
    assert (found.exit_code, "nothing to run" in found.stderr) == (2, True)


def test_wrong_usage_is_one_line_and_status_2(
    tmp_path: Path, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs, nothing is recorded, and the last line says what to change."""
    monkeypatch.chdir(tmp_path)
    environ = {"JBTS_HOME": str(tmp_path / "home"), "JBTS_BROADCASTER": "off"}
    for words in MISUSES:
        with subtests.test(" ".join(words[1:]) or str(words)):
            found = CliRunner().invoke(run_command, words, env=environ)
            assert (found.exit_code, found.stdout) == (2, "")
            assert isinstance(found.exception, SystemExit)
            assert found.stderr.strip().splitlines()[-1]
            assert not (tmp_path / "home" / "runs").exists()


def test_ctrl_c_tears_down_and_keeps_results(tmp_path: Path) -> None:
    """The cell that runs is interrupted, its teardown cell runs, what waits does not begin, exit status 130."""
    marker, torn = tmp_path / "running", tmp_path / "torn"
    touch = "from pathlib import Path; Path({!r}).touch()"
    notebook(
        tmp_path / "suite" / "a.ipynb",
        touch.format(str(marker)) + "; import time; time.sleep(300)",
        "print('never')",
        (touch.format(str(torn)), "teardown"),
    )
    notebook(tmp_path / "suite" / "b.ipynb", "1")
    process = command(tmp_path / "home", str(tmp_path / "suite"), "--json", "--no-warm", start=subprocess.Popen)
    assert isinstance(process, subprocess.Popen)
    with process:
        try:
            until(marker.exists)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert torn.exists()
    document = json.loads(out.splitlines()[-1])
    assert {test["test_name"]: test["status"] for test in document["tests"]} == {"a": "aborted", "b": "not_run"}
    found = rows(
        tmp_path / "home", "SELECT r.status AS run, e.status AS test FROM runs r JOIN executions e USING (run_id)"
    )
    assert found == [{"run": "aborted", "test": "aborted"}]


def test_what_came_up_ahead_does_not_begin_after_ctrl_c(tmp_path: Path) -> None:
    """A kernel that is ready only when the interrupted notebook before it has ended has no turn any more."""
    marker, torn, ready = tmp_path / "running", tmp_path / "torn", tmp_path / "ready"
    slow = (
        "import os, pathlib, sys, threading\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): threading.Event().wait(.05)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ipykernel_launcher', '-f', sys.argv[1]])"
    )
    spec = {"argv": [sys.executable, "-c", slow, "{connection_file}"], "display_name": "Slow", "language": "python"}
    (tmp_path / "kernels" / "jbts-slow").mkdir(parents=True)
    (tmp_path / "kernels" / "jbts-slow" / "kernel.json").write_text(json.dumps(spec))
    touch = "from pathlib import Path; Path({!r}).touch()"
    first = notebook(
        tmp_path / "a.ipynb",
        touch.format(str(marker)) + "; import time; time.sleep(300)",
        (touch.format(str(torn)), "teardown"),
    )
    second = notebook(tmp_path / "b.ipynb", "1")
    made = nbformat.read(second, as_version=4)
    made.metadata.kernelspec = {"name": "jbts-slow", "display_name": "Slow", "language": "python"}
    nbformat.write(made, second)
    interruption = Interruption()
    said: list[str] = []

    class Ended(Silent):
        def ended(self, case: Case, attempt: Attempt, again: bool) -> None:
            said.append(case.test_name)
            ready.touch()

    def interrupt() -> None:
        until(marker.exists)
        interruption.ask()

    environ = environment(JUPYTER_PATH=str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp_path))
        asking = threading.Thread(target=interrupt)
        asking.start()
        result = run(
            [first, second], home=tmp_path / "home", progress=Ended(), interruption=interruption, environ=environ
        )
        asking.join()
    assert torn.exists()
    assert said == ["a"]
    assert {case.case.test_name: case.status for case in result.results} == {"a": "aborted", "b": "not_run"}


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """A teardown cell that hangs is not waited for when somebody insists."""
    marker = tmp_path / "tearing"
    touch = f"from pathlib import Path; Path({str(marker)!r}).touch(); import time; time.sleep(300)"
    path = notebook(tmp_path / "stuck.ipynb", "1 / 0", (touch, "teardown"))
    process = command(tmp_path / "home", str(path), "--json", start=subprocess.Popen)
    assert isinstance(process, subprocess.Popen)
    with process:
        try:
            until(marker.exists)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130


# ---- what a suite.toml says ----------------------------------------------------------------------
def test_quarantined_notebooks_are_reported_and_fail_nothing(tmp_path: Path) -> None:
    """A suite.toml holds the defaults of the command and a quarantine: what is in it runs, is shown with its
    reason, and leaves the exit status to the others; a flaky test says what its attempts differed in."""
    marker = tmp_path / "again"
    once = f"assert os.path.exists({str(marker)!r}) or not open({str(marker)!r}, 'w'), 'too early'"
    notebook(tmp_path / "suite" / "flaky.ipynb", "import os\n" + steps("buy", once))
    notebook(tmp_path / "suite" / "known.ipynb", "assert False, 'still broken'")
    (tmp_path / "suite" / "suite.toml").write_text(
        '[run]\nretries = 1\nworkers = 2\n[quarantine]\ntests = ["known.ipynb"]\nreason = "SHOP-1"\n'
    )
    junit = tmp_path / "x.xml"
    found = command(tmp_path / "home", str(tmp_path / "suite"), "--junit", str(junit), "--no-warm")
    assert isinstance(found, subprocess.CompletedProcess)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "quarantined, fails nothing" in found.stdout
    assert "SHOP-1" in found.stdout
    assert "too early" in found.stdout.split("step 1, buy: ")[1].splitlines()[0]
    text = junit.read_text()
    assert 'failures="0" errors="0"' in text
    assert "quarantined (SHOP-1): failed: AssertionError: still broken" in text
    [run_row] = rows(tmp_path / "home", "SELECT status FROM runs")
    assert run_row == {"status": "passed"}
