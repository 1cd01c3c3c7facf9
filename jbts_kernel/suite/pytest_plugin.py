"""The pytest plugin: notebooks beside ordinary tests, so that ``-k``, ``-m``, ``-x``, ``--lf``, ``-n`` are the ones
people know.

A notebook is an item that :func:`.runner.one_by_one` runs, exactly as ``jbts run`` runs it: in a kernel of its own,
with an environment and a working folder of its own, so nothing of this process changes. All items of a session are
one run in the store, also where xdist spreads them over several processes: the one that started them keeps the
account, the others only run notebooks.

pytest imports this module at every start, with or without notebooks, so it imports nothing heavy.
"""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import JBTSError, UsageProblem
from . import CELL_TIMEOUT

if TYPE_CHECKING:
    from .account import Account
    from .outcome import Attempt
    from .selection import Case
    from .settings import SuiteSettings

MEANT = frozenset({"parametrize", "usefixtures", "filterwarnings", "skipif", "timeout", "flaky", "xdist_group"})
"""Markers that want arguments, which a tag has not: a tag of such a name is a word for ``-k`` only."""

_RUN = "jbts_run_id"
_STEPS = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jbts", "notebooks as tests (JBTestSuite Workbench)")
    group.addoption("--jbts-param", action="append", default=[], metavar="NAME=VALUE", help="a parameter for every "
                    "notebook; can be given several times")  # fmt: skip
    group.addoption("--jbts-browser", action="append", default=[], metavar="B", help="run every notebook in this "
                    "browser; can be given several times")  # fmt: skip
    group.addoption("--jbts-timeout", type=float, default=0.0, metavar="S", help="seconds for each notebook; 0 is no "
                    "limit")  # fmt: skip
    group.addoption("--jbts-cell-timeout", type=float, default=CELL_TIMEOUT, metavar="S", help="seconds for each "
                    "cell; 0 is no limit [%(default)g]")  # fmt: skip
    group.addoption("--jbts-report", type=Path, metavar="DIR", help="write the HTML report of the run into this "
                    "folder")  # fmt: skip
    group.addoption("--jbts-update-baselines", action="store_true", help="snapshots that differ, or have no baseline "
                    "yet, become it")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    session = _Session(config)
    config.pluginmanager.register(session, "jbts-session")
    session.check()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> NotebookFile | None:
    """A notebook that ``jbts run`` would run; one that is named is run in any case."""
    if file_path.suffix != ".ipynb":
        return None
    from .selection import is_test

    if not parent.session.isinitpath(file_path) and not is_test(file_path, home=_session(parent.config).home):
        return None
    return NotebookFile.from_parent(parent, path=file_path)


class NotebookFile(pytest.File):
    """A notebook: one item, or one for each browser and each set of values it names."""

    def collect(self) -> Iterable[NotebookItem]:
        from .selection import cases_of

        session = _session(self.config)
        try:
            settings = session.settings(self.path.parent)
            cases = cases_of(
                self.path,
                folder=session.folder,
                settings=settings,
                browsers=session.browsers,
                given=tuple(session.parameters),
            )
        except UsageProblem as problem:
            raise self.CollectError(str(problem)) from None
        quarantine = settings.quarantined(self.path)
        for case in cases:
            name = f"{case.test_name}{case.variant}"
            # The id as text, which pytest takes apart as it does those that --lf remembers: by itself it would
            # take the brackets of a case for a part of the name.
            yield NotebookItem.from_parent(
                self, name=name, nodeid=f"{self.nodeid}::{name}", case=case, quarantine=quarantine
            )


class NotebookItem(pytest.Item):
    """One case of a notebook. Its tags, and those of the tests and cells in it, are markers; the tests' names are
    words for ``-k``. A quarantined one is expected to fail, and may pass."""

    def __init__(self, *, case: Case, quarantine: str | None = None, **about: Any) -> None:
        super().__init__(**about)
        from .selection import words_of

        self.case = case
        self.attempt: Attempt | None = None
        if quarantine is not None:
            self.add_marker(pytest.mark.xfail(reason=f"quarantined: {quarantine}", strict=False))
        words = words_of(case)
        self.extra_keyword_matches.update(words.names)
        for tag in dict.fromkeys((*case.tags, *words.tags)):
            if tag.isidentifier() and not tag.startswith("_") and tag not in MEANT:
                # Registered before it is used, so that --strict-markers means the names in Python files.
                self.config.addinivalue_line("markers", f"{tag}: a tag of notebooks")
                self.add_marker(getattr(pytest.mark, tag))
            else:
                self.extra_keyword_matches.add(tag)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"notebook: {self.name}"

    def runtest(self) -> None:
        session = _session(self.config)
        # What an attempt before it left: pytest-rerunfailures runs the same item again.
        number = self.attempt.number + 1 if self.attempt else 1
        self.attempt = None
        self.attempt = session.run(self.case, number)
        self._tell()
        session.subtests(self)
        verdict = self.attempt.verdict
        if verdict.status == "skipped":
            pytest.skip(verdict.message)
        if not verdict.ok:
            raise NotebookFailed(self._card())

    def _tell(self) -> None:
        """What a JUnit file should say of the notebook, as ``record_property`` would."""
        assert self.attempt is not None
        told = [("status", self.attempt.verdict.status), ("attempts", str(self.attempt.number))]
        told += [("flaky", "true")] if self.attempt.number > 1 and self.attempt.verdict.status == "passed" else []
        told += [("execution_id", execution) for execution in self.attempt.executions]
        told += [("notebook", str(self.attempt.executed))] if self.attempt.executed else []
        told += [("step", line) for line in self.attempt.steps[:_STEPS]]
        self.user_properties[:] = [*((k, v) for k, v in self.user_properties if k not in dict(told)), *told]

    def _card(self) -> str:
        """The failure as a person reads it: where, why, what to try, and where everything else is."""
        from .failure import failure_in

        attempt, case = self.attempt, self.case
        assert attempt is not None
        verdict, found = attempt.verdict, failure_in(attempt.executed)
        where = case.notebook if verdict.cell is None else f"{case.notebook}, cell {verdict.cell + 1}"
        bad = [line for line in attempt.steps if line.startswith(("failed ", "error ", "aborted "))]
        lines = [where + (f": {bad[-1].partition(' ')[2]}" if bad else ""), verdict.message]
        trace = found.trace if found.cell == verdict.cell else ()
        said = {verdict.message, "", *(line.partition(":")[0] + ":" for line in trace[-1:])}
        lines += [f"  {line}" for line in trace if line.strip("- ") not in said and verdict.message not in line]
        kept = [("executed notebook", attempt.executed)]
        kept += [("evidence", _session(self.config).home / found.evidence)] if found.evidence else []
        lines += [f"{name}: {_short(path)}" for name, path in kept if path is not None]
        return "\n".join(lines)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A failed notebook is told by its card, and in one line by its reason; ours is the only traceback worth
        reading otherwise."""
        if not isinstance(excinfo.value, NotebookFailed):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        if self.attempt is not None and shown.reprcrash is not None:
            shown.reprcrash.message = self.attempt.verdict.message
        return shown


class NotebookFailed(JBTSError):
    """A notebook did not pass."""


class _Session:
    """What the items of one pytest process share. Nothing is opened before the first notebook runs."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.folder = config.rootpath
        told = getattr(config, "workerinput", None)
        self.run_id: str = told[_RUN] if told else ""
        self.worker = told is not None
        self.started_at, self.began = time.time(), time.perf_counter()
        self.parameters: Mapping[str, Any] = {}
        self.browsers: Sequence[str] = ()
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.last_lines: list[str] = []
        self._settings: dict[Path, SuiteSettings] = {}
        self._account: Account | None = None
        self._stack = ExitStack()
        self._attempt: Callable[[Case, int], Attempt] | None = None

    @cached_property
    def home(self) -> Path:
        """The project's data folder."""
        from ..config import find_home

        return find_home(self.folder)

    def settings(self, folder: Path) -> SuiteSettings:
        """What the ``suite.toml`` nearest to a folder says. Raises UsageProblem."""
        if folder not in self._settings:
            from .settings import find_settings

            self._settings[folder] = find_settings([folder])
        return self._settings[folder]

    def check(self) -> None:
        """Read the options that can be wrong. Raises pytest.UsageError."""
        told, browsers = self.config.getoption("--jbts-param"), self.config.getoption("--jbts-browser")
        try:
            if told:
                from .parametrize import parameter

                self.parameters = dict(parameter(text) for text in told)
            if browsers:
                from ..browser.launch import check_browser

                self.browsers = tuple(dict.fromkeys(check_browser(name) for name in browsers))
        except JBTSError as problem:
            raise pytest.UsageError(str(problem)) from None

    @property
    def environ(self) -> Mapping[str, str]:
        update = {"JBTS_UPDATE_BASELINES": "1"} if self.config.getoption("--jbts-update-baselines") else {}
        return {**os.environ, **update}

    # ---- running ---------------------------------------------------------------------------------
    def run(self, case: Case, number: int) -> Attempt:
        """One attempt at a case."""
        self.begin()
        with _quietly():
            if self._attempt is None:
                from .runner import one_by_one

                self._attempt = self._stack.enter_context(
                    one_by_one(
                        self.home,
                        self.run_id,
                        folder=self.folder,
                        parameters=self.parameters,
                        timeout=self.config.getoption("--jbts-timeout"),
                        cell_timeout=self.config.getoption("--jbts-cell-timeout"),
                        environ=self.environ,
                    )
                )
            return self._attempt(case, number)

    def begin(self) -> None:
        """Open the account of the run, where this process keeps it and has not."""
        if self.worker or self._account is not None:
            return
        from ..log import Log
        from .account import Account

        log = Log(self.home)
        self._stack.callback(log.close)
        self._account = Account(self.home, self.identity(), self.folder, self.parameters, log, self.environ)
        self._account.begin()

    def identity(self) -> str:
        """The id of the session's run."""
        if not self.run_id:
            from ..ids import new_id

            self.run_id = new_id()
        return self.run_id

    def subtests(self, item: NotebookItem) -> None:
        """Tell pytest of the steps, as subtests: those that passed where it would show them (``-v``), and those
        that failed without ending the notebook. The one that ended it is the failure of the item itself."""
        from _pytest.subtests import SubtestContext, SubtestReport

        assert item.attempt is not None
        verbose = item.config.get_verbosity(item.config.VERBOSITY_SUBTESTS) > 0
        again = bool(item.config.getoption("reruns", None)) or item.get_closest_marker("flaky") is not None
        lines = item.attempt.steps
        last = None if item.attempt.verdict.cell is None else len(lines) - 1
        capture = item.config.pluginmanager.get_plugin("capturemanager")
        shown = capture.global_and_fixture_disabled if capture is not None else nullcontext
        for number, line in enumerate(lines):
            status, _, name = line.partition(" ")
            bad = status in ("failed", "error", "aborted")
            if bad and (number == last or again):
                continue  # a failed subtest would fail the session although the item is run again
            if not bad and not verbose:
                continue
            outcome: Any = "failed" if bad else "skipped" if status == "skipped" else "passed"
            longrepr: Any = f"{item.case.notebook}: step {name!r} {status}" if bad else None
            if outcome == "skipped":
                longrepr = (str(item.path), 0, "optional, and it did not succeed")
            report = pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords=dict.fromkeys(item.keywords, 1),
                outcome=outcome,
                longrepr=longrepr,
                when="call",
            )
            context = SubtestContext(msg=name, kwargs={})
            with shown():
                item.ihook.pytest_runtest_logreport(report=SubtestReport._new(report, context, None, None))

    # ---- hooks -----------------------------------------------------------------------------------
    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: each worker is told the run it works for."""
        node.workerinput[_RUN] = self.identity()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """xdist: the run begins before a worker's first notebook does."""
        if any(".ipynb::" in nodeid for nodeid in ids):
            self.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """A misspelt parameter must not pass for one that is there. It is asked of all that was collected, before
        ``-k`` and ``-m`` narrow it; ``--lf`` collects less from the start."""
        from .selection import check_parameters

        cases = [item.case for item in items if isinstance(item, NotebookItem)]
        if not cases or self.config.getoption("lf", False):
            return
        try:
            check_parameters(cases, self.parameters)
        except UsageProblem as problem:
            raise pytest.UsageError(str(problem)) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, NotebookItem) and call.when == "call" and item.attempt is not None:
            report.jbts = _packed(item.case, item.attempt)  # type: ignore[attr-defined]  # xdist carries it over
            if item.config.pluginmanager.hasplugin("html"):
                report.extras = [*getattr(report, "extras", ()), *_extras(self.home, item.attempt)]  # type: ignore[attr-defined]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "jbts", None)
        if told and not self.worker and not isinstance(report, pytest.SubtestReport):
            self.told.setdefault(report.nodeid, []).append(told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        with self._stack:
            if self._account is not None:
                self._end(self._account, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)

    def _end(self, account: Account, *, interrupted: bool) -> None:
        from .outcome import CaseResult, SuiteResult

        results = tuple(
            CaseResult(_case(told[0]["case"]), tuple(_unpacked(one) for one in told)) for told in self.told.values()
        )
        result = SuiteResult(
            run_id=self.run_id,
            home=self.home,
            results=results,
            started_at=self.started_at,
            duration_ms=(time.perf_counter() - self.began) * 1000,
            interrupted=interrupted,
            parameters=dict(self.parameters),
        )
        account.end(result)
        with _quietly():
            result = account.kept(result, report=self.config.getoption("--jbts-report"))
        flaky = [one for one in result.results if one.status == "flaky"]
        for one in flaky:
            about = f"passed in attempt {len(one.attempts)}, after {one.verdict.message}"
            self.last_lines.append(f"flaky: {one.case.name} ({about})")
        self.last_lines += [f"note: {note}" for note in result.notes]
        self.last_lines += [f"report: {_short(result.report)}"] if result.report else []
        self.last_lines.append(f"executed notebooks: {_short(self.home / 'runs' / self.run_id)}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.last_lines:
            terminalreporter.section("notebooks", sep="-")
            for line in self.last_lines:
                terminalreporter.line(line)


@contextmanager
def _quietly() -> Iterator[None]:
    """Warnings and log lines of the libraries that run notebooks are not the tested project's, which may make them
    errors and captures them."""
    logger = logging.getLogger("papermill")
    before, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.propagate = before


def _session(config: pytest.Config) -> _Session:
    found = config.pluginmanager.get_plugin("jbts-session")
    assert isinstance(found, _Session)
    return found


def _short(path: Path) -> str:
    """A path as it is typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


# ---- between processes: values a report can carry ------------------------------------------------
def _packed(case: Case, attempt: Attempt) -> dict[str, Any]:
    return json.loads(json.dumps({"case": asdict(case), "attempt": asdict(attempt)}, default=str))  # type: ignore[no-any-return]


def _case(packed: Mapping[str, Any]) -> Case:
    from .selection import Case

    parameters = tuple((name, value) for name, value in packed["parameters"])
    return Case(**{**packed, "path": Path(packed["path"]), "tags": tuple(packed["tags"]), "parameters": parameters})


def _unpacked(packed: Mapping[str, Any]) -> Attempt:
    from .outcome import Attempt
    from .verdict import Verdict

    found = dict(packed["attempt"])
    return Attempt(
        **{
            **found,
            "verdict": Verdict(**found["verdict"]),
            "executed": Path(found["executed"]) if found["executed"] else None,
            "executions": tuple(found["executions"]),
            "steps": tuple(found["steps"]),
        }
    )


def _extras(home: Path, attempt: Attempt) -> list[Any]:
    """What pytest-html shows beside a notebook: the picture of the failed step, and links."""
    import base64

    from pytest_html import extras

    from .failure import failure_in

    shown = [extras.url(attempt.executed.as_uri(), name="executed notebook")] if attempt.executed else []
    found = failure_in(attempt.executed) if not attempt.verdict.ok else None
    if found and found.evidence and (home / found.evidence).is_file():
        shown.append(extras.url((home / found.evidence).as_uri(), name="evidence"))
    picture = home / found.screenshot if found and found.screenshot else None
    if picture is not None and picture.is_file() and picture.resolve().is_relative_to(home.resolve()):
        # As HTML: pytest-html makes the content of an image its address, and of an item that is run again twice.
        data = base64.b64encode(picture.read_bytes()).decode()
        shown.append(extras.html(f'<img alt="the page when it failed" src="data:image/png;base64,{data}">'))
    return shown
