"""The account of a run: that it began, how it ended, who is told, and what is kept of it.

One for each run, whoever decides which notebook comes next: :func:`.runner.run`, or pytest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import JBTSError
from ..log import Log
from .ledger import Ledger
from .notices import Notices
from .outcome import SuiteResult


class Account:
    """One run in ``log``, which stays the caller's to close. ``parameters`` are the whole run's."""

    def __init__(
        self,
        home: Path,
        run_id: str,
        folder: Path,
        parameters: Mapping[str, Any],
        log: Log,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder_of_run = home / "runs" / run_id
        self.log = log
        self._ledger = Ledger(log, run_id, parameters, folder, clock)
        self._notices = Notices(home, run_id, log, environ)
        self._untold: str | None = None
        self.notes: list[str] = []
        """What else is worth saying in the end."""

    def begin(self, report: Path | None = None) -> None:
        """The run begins, and will have a report in this folder. Raises ConfigProblem where a notification's address
        cannot work."""
        self._notices.begin(report / "index.html" if report else None)
        self.folder_of_run.mkdir(parents=True, exist_ok=True)
        self._ledger.begin()

    def end(self, result: SuiteResult) -> None:
        """The run ended so; whoever wants to know is told."""
        self._ledger.end(result)
        self._untold = self._notices.end()

    def kept(
        self, result: SuiteResult, *, junit: Path | None = None, report: Path | None = None, allure: Path | None = None
    ) -> SuiteResult:
        """Publish the results and write the files that were asked for. Raises OSError, StoreProblem."""
        from ..store.publish import publish

        log = self.log
        notes = [*self.notes]
        if log.dropped:
            notes.append(f"{log.dropped} events of the run could not be recorded: {log.last_error}")
        notes += [self._untold] if self._untold else []
        try:
            publish(result.home)
        except JBTSError as problem:
            notes.append(str(problem))  # the log has it all, and a report and the exit code are still owed
        page = report / "index.html" if report else None
        result = replace(result, notes=tuple(notes), junit=junit, report=page, allure=allure)
        document = json.dumps(result.document(), indent=1, default=str)
        (self.folder_of_run / "run.json").write_text(document, encoding="utf-8")
        if junit is not None:
            from .junit import recorded, write_junit

            try:
                known = recorded(result.home, result.run_id)
            except JBTSError as problem:  # which is in the notes already, where it could not be published
                known, result = {}, replace(result, notes=(*result.notes, str(problem)))
            write_junit(result, junit, known)
        if report is not None:
            from .report import write_report

            write_report(result.home, result.run_id, report)
        if allure is not None:
            from ..store.documents import write_allure
            from ..store.queries import Results

            write_allure(Results(result.home), result.run_id, allure)
        return result
