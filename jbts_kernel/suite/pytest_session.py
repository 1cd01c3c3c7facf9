"""What the notebooks of one pytest session share: the run they belong to, and what it came to.

Under xdist each process has one of these. The workers' only run notebooks; the one of the process that started them
keeps the account, to which every attempt comes as a value that a report can carry.
"""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import JBTSError
from ..grammar import printable
from . import CELL_TIMEOUT

if TYPE_CHECKING:
    from .account import Account
    from .outcome import Attempt
    from .selection import Case
    from .settings import SuiteSettings

NAME = "jbts-session"
SUBTESTS = hasattr(pytest, "SubtestReport")
"""Whether this pytest knows subtests: 9 does, and 8 runs notebooks without."""

_RUN = "jbts_run_id"


class Session:
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
        self._attempt: Callable[..., Attempt] | None = None

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
            self.browsers = self._checked(browsers)
        except JBTSError as problem:
            raise pytest.UsageError(str(problem)) from None

    def _checked(self, browsers: Sequence[str]) -> Sequence[str]:
        """These browsers, by their names. Raises JBTSError where one cannot be had."""
        if not browsers:
            return ()
        from ..browser.launch import check_browser
        from ..config import JBTS

        grid = JBTS(environ=self.environ).grid
        return tuple(dict.fromkeys(check_browser(name, grid) for name in browsers))

    def browsers_for(self, settings: SuiteSettings) -> Sequence[str]:
        """The browsers to run a notebook in: those of the command line, or of its ``suite.toml``. Raises JBTSError."""
        return self.browsers or self._checked(settings.run.browser)

    def limits(self, folder: Path) -> tuple[float | None, float | None]:
        """Seconds for a notebook in a folder and for each of its cells, from the command line or its ``suite.toml``."""
        usual, told = self.settings(folder).run, self.config.getoption
        usual_cell = CELL_TIMEOUT if usual.cell_timeout is None else usual.cell_timeout
        both = (told("--jbts-timeout"), usual.timeout), (told("--jbts-cell-timeout"), usual_cell)
        notebook, cell = ((usual if given is None else given) or None for given, usual in both)
        return notebook, cell

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
                        environ=self.environ,
                    )
                )
            return self._attempt(case, number, self.limits(case.path.parent))

    def begin(self) -> None:
        """Open the account of the run, where this process keeps it and has not."""
        if self.worker or self._account is not None:
            return
        from ..log import Log
        from .account import Account

        log = Log(self.home)
        self._stack.callback(log.close)
        self._account = Account(self.home, self.identity(), self.folder, self.parameters, log, self.environ)
        self._account.begin(self.config.getoption("--jbts-report"))

    def identity(self) -> str:
        """The id of the session's run."""
        if not self.run_id:
            from ..ids import new_id

            self.run_id = new_id()
        return self.run_id

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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "jbts", None)
        if told and not self.worker and not (SUBTESTS and isinstance(report, pytest.SubtestReport)):
            self.told.setdefault(report.nodeid, []).append(told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        with self._stack:
            if self._account is not None:
                self._end(self._account, interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)

    def _end(self, account: Account, *, interrupted: bool) -> None:
        from .outcome import CaseResult, SuiteResult

        results = tuple(
            CaseResult(case_of(told[0]["case"]), tuple(unpacked(one) for one in told)) for told in self.told.values()
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
        self.last_lines += [f"report: {short(result.report)}"] if result.report else []
        self.last_lines.append(f"executed notebooks: {short(self.home / 'runs' / self.run_id)}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.last_lines:
            terminalreporter.section("notebooks", sep="-")
            for line in self.last_lines:
                terminalreporter.line(printable(line))


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


def session_of(config: pytest.Config) -> Session:
    """The session that a configuration belongs to."""
    found = config.pluginmanager.get_plugin(NAME)
    assert isinstance(found, Session)
    return found


def short(path: Path) -> str:
    """A path as it is typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


# ---- between processes: values a report can carry ------------------------------------------------
def packed(case: Case, attempt: Attempt) -> dict[str, Any]:
    """An attempt as a report carries it from an xdist worker: plain values."""
    return json.loads(json.dumps({"case": asdict(case), "attempt": asdict(attempt)}, default=str))  # type: ignore[no-any-return]


def case_of(packed: Mapping[str, Any]) -> Case:
    """The case in what :func:`packed` made."""
    from .selection import Case

    parameters = tuple((name, value) for name, value in packed["parameters"])
    return Case(**{**packed, "path": Path(packed["path"]), "tags": tuple(packed["tags"]), "parameters": parameters})


def unpacked(packed: Mapping[str, Any]) -> Attempt:
    """The attempt in what :func:`packed` made."""
    from .comparison import StepNote
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
            "notes": tuple(
                StepNote(**{**note, "console": tuple(note["console"]), "failed": tuple(note["failed"])})
                for note in found["notes"]
            ),
        }
    )


def extras(home: Path, attempt: Attempt) -> list[Any]:
    """What pytest-html shows beside a notebook: the picture of the failed step, and links."""
    import base64

    from pytest_html import extras as html

    from .failure import failure_in

    shown = [html.url(attempt.executed.as_uri(), name="executed notebook")] if attempt.executed else []
    found = failure_in(attempt.executed) if not attempt.verdict.ok else None
    if found and found.evidence and (home / found.evidence).is_file():
        shown.append(html.url((home / found.evidence).as_uri(), name="evidence"))
    picture = home / found.screenshot if found and found.screenshot else None
    if picture is not None and picture.is_file() and picture.resolve().is_relative_to(home.resolve()):
        # As HTML: pytest-html makes the content of an image its address, and of an item that is run again twice.
        data = base64.b64encode(picture.read_bytes()).decode()
        shown.append(html.html(f'<img alt="the page when it failed" src="data:image/png;base64,{data}">'))
    return shown
