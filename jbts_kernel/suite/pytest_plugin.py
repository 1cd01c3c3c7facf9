"""The pytest plugin: notebooks beside ordinary tests, so that ``-k``, ``-m``, ``-x``, ``--lf``, ``-n`` are the ones
people know.

A notebook is an item that :func:`.runner.one_by_one` runs, exactly as ``jbts run`` runs it: in a kernel of its own,
with an environment and a working folder of its own, so nothing of this process changes. All items of a session are
one run in the store, also where xdist spreads them over several processes: the one that started them keeps the
account, the others only run notebooks.

pytest imports this module at every start, with or without notebooks, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import JBTSError, UsageProblem
from ..grammar import printable
from . import CELL_TIMEOUT
from .pytest_session import NAME, SUBTESTS, Session, extras, packed, session_of, short

if TYPE_CHECKING:
    from .outcome import Attempt
    from .selection import Case

MEANT = frozenset({"parametrize", "usefixtures", "filterwarnings", "skipif", "timeout", "flaky", "xdist_group"})
"""Markers that want arguments, which a tag has not: a tag of such a name is a word for ``-k`` only."""

_STEPS = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jbts", "notebooks as tests (JBTestSuite Workbench)")
    group.addoption("--jbts-param", action="append", default=[], metavar="NAME=VALUE", help="a parameter for every "
                    "notebook; can be given several times")  # fmt: skip
    group.addoption("--jbts-browser", action="append", default=[], metavar="B", help="run every notebook in this "
                    "browser; can be given several times")  # fmt: skip
    group.addoption("--jbts-timeout", type=float, metavar="S", help="seconds for each notebook; 0 is no "
                    "limit")  # fmt: skip
    group.addoption("--jbts-cell-timeout", type=float, metavar="S", help="seconds for each cell; 0 is no limit "
                    f"[{CELL_TIMEOUT:g}]")  # fmt: skip
    group.addoption("--jbts-report", type=Path, metavar="DIR", help="write the HTML report of the run into this "
                    "folder")  # fmt: skip
    group.addoption("--jbts-update-baselines", action="store_true", help="snapshots that differ, or have no baseline "
                    "yet, become it")  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    session = Session(config)
    config.pluginmanager.register(session, NAME)
    session.check()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> NotebookFile | None:
    """A notebook that ``jbts run`` would run; one that is named is run in any case."""
    if file_path.suffix != ".ipynb":
        return None
    from .selection import is_test

    if not parent.session.isinitpath(file_path) and not is_test(file_path, home=session_of(parent.config).home):
        return None
    return NotebookFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """A misspelt parameter must not pass for one that is there. It is asked of all that was collected, before
    ``-k`` and ``-m`` narrow it; ``--lf`` collects less from the start."""
    from .selection import check_parameters

    cases = [item.case for item in items if isinstance(item, NotebookItem)]
    if not cases or config.getoption("lf", False):
        return
    try:
        check_parameters(cases, session_of(config).parameters)
    except UsageProblem as problem:
        raise pytest.UsageError(str(problem)) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, NotebookItem) and call.when == "call" and item.attempt is not None:
        report.jbts = packed(item.case, item.attempt)  # type: ignore[attr-defined]  # xdist carries it over
        if item.config.pluginmanager.hasplugin("html"):
            report.extras = [*getattr(report, "extras", ()), *extras(session_of(item.config).home, item.attempt)]  # type: ignore[attr-defined]
    return report


class NotebookFile(pytest.File):
    """A notebook: one item, or one for each browser and each set of values it names."""

    def collect(self) -> Iterable[NotebookItem]:
        from .selection import cases_of

        session = session_of(self.config)
        try:
            settings = session.settings(self.path.parent)
            cases = cases_of(
                self.path,
                folder=session.folder,
                settings=settings,
                browsers=session.browsers_for(settings),
                given=tuple(session.parameters),
            )
        except JBTSError as problem:
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
        session = session_of(self.config)
        # What an attempt before it left: pytest-rerunfailures runs the same item again.
        number = self.attempt.number + 1 if self.attempt else 1
        self.attempt = None
        self.attempt = session.run(self.case, number)
        self._tell()
        _tell_steps(self)
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
        step = bad[-1].partition(" ")[2] if bad and (found.step or verdict.cell is None) else ""
        lines = [f"{where}: {step}" if step else where, verdict.message]
        trace = found.trace if found.cell == verdict.cell else ()
        said = {verdict.message, "", *(line.partition(":")[0] + ":" for line in trace[-1:])}
        lines += [f"  {line}" for line in trace if line.strip("- ") not in said and verdict.message not in line]
        kept = [("executed notebook", attempt.executed)]
        kept += [("evidence", session_of(self.config).home / found.evidence)] if found.evidence else []
        lines += [f"{name}: {short(path)}" for name, path in kept if path is not None]
        return "\n".join(map(printable, lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A failed notebook is told by its card, and in one line by its reason; ours is the only traceback worth
        reading otherwise."""
        if not isinstance(excinfo.value, NotebookFailed):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        if self.attempt is not None and shown.reprcrash is not None:
            shown.reprcrash.message = printable(self.attempt.verdict.message)
        return shown


class NotebookFailed(JBTSError):
    """A notebook did not pass."""


def _tell_steps(item: NotebookItem) -> None:
    """Tell pytest of the steps, as subtests: those that passed where it would show them (``-v``), and those
    that failed without ending the notebook. The one that ended it is the failure of the item itself."""
    if not SUBTESTS:
        return
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
        # One that was expected to fail fails nothing, and a failed subtest would fail the session although the item
        # is run again.
        if bad and (item.attempt.verdict.ok or number == last or again):
            continue
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
        context = SubtestContext(msg=printable(name), kwargs={})
        with shown():
            item.ihook.pytest_runtest_logreport(report=SubtestReport._new(report, context, None, None))
