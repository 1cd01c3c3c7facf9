"""Attempts at the cases of one run, as many at a time as it has workers.

Each notebook has a kernel of its own, which may die or hang without the others noticing; the threads here only
wait for kernels and carry their messages. What a kernel is told about its run (which one, which attempt, where the
data is) goes into the environment of that kernel alone, never into this process's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import JBTSError
from ..log import Log
from ..store.publish import ensure
from ..store.publisher import start_publish
from ..workbench import PUBLISH_EVERY
from .engine import NAME, JBTSEngine
from .forkserver import without
from .interruption import Interruption
from .ledger import Ledger, with_steps
from .outcome import Attempt, CaseResult
from .progress import Progress
from .selection import Case, missing_parameters, words_of
from .small_pictures import SmallPictures
from .turns import NotBegun, Turns
from .verdict import Verdict, judge, missing_parameter, not_started, one_line, unreadable
from .warmth import COLD
from .watch import Watch

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from .cluster import Cluster

_OURS = frozenset({"JPY_SESSION_NAME", "JPY_PARENT_PID"})
"""Variables that would tell a kernel about the notebook this process itself was started from."""


class Attempts:
    """Those of one run: what all its threads share."""

    def __init__(
        self,
        home: Path,
        run_id: str,
        folder: Path,
        parameters: Mapping[str, Any],
        log: Log,
        progress: Progress,
        interruption: Interruption,
        retries: int,
        until_fail: int,
        timeout: float | None,
        cell_timeout: float | None,
    ) -> None:
        self.home = home
        self.run_id = run_id
        self.folder = folder
        self.folder_of_run = home / "runs" / run_id
        self.parameters = parameters
        self.progress = progress
        self.interruption = interruption
        self.retries = retries
        self.until_fail = until_fail
        self.timeout = timeout
        self.cell_timeout = cell_timeout
        self.environ: Mapping[str, str] = os.environ
        self.warmth = COLD
        self.turns: Turns | None = None
        self.cluster: Cluster | None = None
        self.clock: Callable[[], float] = time.time
        self.running: dict[int, Case] = {}
        """Which case the kernel with this process id runs."""
        self._begun = False
        self._unmade = True
        self._publication: subprocess.Popen[bytes] | None = None
        self._published_at = time.monotonic()
        self.ledger = Ledger(log, run_id, parameters, folder)
        self.watch = Watch(home, run_id, self._step)
        self.pictures = SmallPictures(home)

    def work(self, cases: Sequence[Case], workers: int) -> tuple[CaseResult, ...]:
        """Run the cases, ``workers`` at a time; their results in the order of the cases."""
        prepare_papermill(needless=("pyarrow",))  # with which it could read from Hadoop, for a tenth of a second
        workers, beside = max(1, workers), 0
        if self.warmth.server is not None:
            # One more than may run: the next kernel comes up, and the last one ends, beside the notebook that runs.
            self.turns, beside = Turns(workers), 1
        with ThreadPoolExecutor(max_workers=workers + beside, thread_name_prefix="jbts-suite") as threads:
            futures: list[Future[CaseResult]] = [threads.submit(self._case, case) for case in cases]
            # Waited for in slices, because a signal handler runs between two waits of the main thread.
            while wait(futures, timeout=0.2).not_done:
                self._publish()
            if self._publication is not None:
                self._publication.wait()
            return tuple(future.result() for future in futures)

    def _publish(self) -> None:
        """Publish beside the notebooks now and then, for whoever watches a long run. The first database of a project
        is made as soon as a notebook runs: at the end of the run everybody would wait for it."""
        if self._unmade and self._begun:
            self._unmade = False
            with contextlib.suppress(JBTSError):  # said at the end, by the publication that fails as well
                ensure(self.home)
        ended = self._publication is None or self._publication.poll() is not None
        if ended and time.monotonic() - self._published_at > PUBLISH_EVERY:
            self._published_at = time.monotonic()
            self._publication = start_publish(self.home)

    def _step(self, pid: int, name: str) -> None:
        case = self.running.get(pid)
        if case is not None:
            self.progress.step(case, one_line(name, 120))

    def _case(self, case: Case) -> CaseResult:
        attempts: list[Attempt] = []
        while not self.interruption.level:
            try:
                attempts.append(self.attempt(case, len(attempts) + 1))
            except NotBegun:
                break
            again = self._again(case, attempts)
            self.progress.ended(case, attempts[-1], again)
            if not again:
                break
        result = CaseResult(case, tuple(attempts), repeated=self.until_fail > 0)
        self.progress.done(result)
        return result

    def _again(self, case: Case, attempts: Sequence[Attempt]) -> bool:
        if self.interruption.level:
            return False
        if self.until_fail:
            return attempts[-1].verdict.ok and len(attempts) < self.until_fail
        return not attempts[-1].verdict.ok and len(attempts) <= max(self.retries, words_of(case).retries)

    def attempt(self, case: Case, number: int) -> Attempt:
        """Run a case once, and see to it that it is in the store as what it was. Raises :class:`NotBegun`."""
        started_at, since = self.clock(), time.perf_counter()
        if self.cluster is not None:
            self.progress.started(case, number)
            limits = self.timeout, self.cell_timeout
            made = self.cluster.attempt(case, number, self.parameters, *limits, self.interruption)
            if isinstance(made, Attempt):
                return made
            rows = self.ledger.settle(case, number, made, started_at, ())
            return Attempt(number, made, started_at, (time.perf_counter() - since) * 1000, executions=rows)
        output = self.folder_of_run / f"{case.slug}{f'.attempt{number}' if number > 1 else ''}.ipynb"
        pids: list[int] = []
        begun = False

        def kernel_started(pid: int) -> None:
            pids.append(pid)
            self.running[pid] = case

        def began() -> None:
            # What it takes counts from here: its kernel came up beside the notebook before it.
            nonlocal started_at, since, begun
            started_at, since, begun = self.clock(), time.perf_counter(), True
            self._begun = True
            self.progress.started(case, number)

        if self.turns is None:
            began()
        verdict, notebook = self._execute(case, number, output, kernel_started, began)
        if not begun:
            began()
        trails = [trail for pid in pids for trail in self.watch.trails(pid)]
        for pid in pids:
            self.running.pop(pid, None)
        verdict = with_steps(verdict, trails, _expected(notebook))
        executions = self.ledger.settle(case, number, verdict, started_at, trails)
        return Attempt(
            number=number,
            verdict=verdict,
            started_at=started_at,
            duration_ms=(time.perf_counter() - since) * 1000,
            executed=output if notebook is not None else None,
            executions=executions,
            steps=tuple(step for trail in trails for step in trail.steps),
            notes=tuple(note for trail in trails for note in trail.notes),
        )

    def _execute(
        self, case: Case, number: int, output: Path, started: Callable[[int], None], began: Callable[[], None]
    ) -> tuple[Verdict, NotebookNode | None]:
        """Run the notebook: what its cells prove, and the notebook as executed (None where no cell began)."""
        import nbformat
        from papermill.exceptions import PapermillException, PapermillExecutionError
        from papermill.execute import execute_notebook, remove_error_markers

        from .kernel import Conduct, KernelNotStarted

        conduct = Conduct(
            env=self._environment(case, number),
            folder=case.path.parent,
            cell_timeout=self.cell_timeout,
            timeout=self.timeout,
            interruption=self.interruption,
            started=started,
            cell_started=lambda index, count: self.progress.cell(case, index, count),
            kernel_log=output.with_suffix(".kernel.log"),
            server=self.warmth.server,
            turns=self.turns,
            began=began,
            pictures=self.pictures,
        )
        given = {**self.parameters, **dict(case.parameters)}
        try:
            _readable(case.path)
            if missing := missing_parameters(case.path, given):
                return missing_parameter(missing), None
            execute_notebook(
                _literal(case.path),
                _literal(output),
                given,
                engine_name=NAME,
                progress_bar=False,
                conduct=conduct,
            )
        except PapermillExecutionError:
            pass  # the executed notebook says more, and papermill raises for expected errors too
        except KernelNotStarted as problem:
            output.unlink(missing_ok=True)  # papermill saves before it begins
            if self.interruption.level and self.turns is not None:
                raise NotBegun("the run ended before it began") from None  # it came up ahead of its turn
            if self.interruption.level:
                return Verdict("aborted", one_line(problem), error_type="KeyboardInterrupt"), None
            return not_started(str(problem)), None
        except NotBegun:
            output.unlink(missing_ok=True)
            raise
        except (_Unreadable, PapermillException, ValueError) as problem:
            return unreadable(str(problem)), None
        except OSError as problem:
            return Verdict("error", f"the executed notebook could not be kept: {problem}", None, "OSError"), None
        notebook = nbformat.read(output, as_version=4)
        remove_error_markers(notebook)
        # A kept notebook is a result: a later run over the folder it lies in must not take it for a test.
        notebook.metadata["jbts"] = {**notebook.metadata.get("jbts", {}), "suite": False}
        nbformat.write(notebook, output)
        return judge(notebook), notebook

    def _environment(self, case: Case, number: int) -> dict[str, str]:
        told = {
            "JBTS_MODE": "suite",
            "JBTS_RUN_ID": self.run_id,
            "JBTS_HOME": str(self.home),
            "JBTS_NOTEBOOK": case.notebook,
            "JBTS_PARAMETERS": json.dumps({**self.parameters, **dict(case.parameters)}, default=str),
            "JBTS_ATTEMPT": str(number),
            "JBTS_TAGS": ",".join(case.tags),
            "JBTS_CATEGORY": case.category or "",
            "JBTS_PRIORITY": case.priority or "",
            "JBTS_PICTURES": "named",
        }
        if case.browser:
            told["JBTS_BROWSER"] = case.browser
        if self.warmth.lender is not None:
            told["JBTS_LENDER"] = self.warmth.lender.place
        return {name: value for name, value in self.environ.items() if name not in _OURS} | told


class _Unreadable(JBTSError):
    """A file that is no notebook."""


def _readable(path: Path) -> None:
    """Raise :class:`_Unreadable`, saying why in one line, unless the file is a notebook."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as problem:
        raise _Unreadable(f"cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise _Unreadable(f"not a notebook: it is not JSON ({one_line(problem, 120)})") from None
    if not isinstance(found, dict) or not isinstance(found.get("nbformat"), int):
        raise _Unreadable("not a notebook: it is JSON, but has no nbformat")
    import nbformat

    try:
        nbformat.validate(nbformat.from_dict(found))
    except nbformat.ValidationError as problem:
        raise _Unreadable(f"not a valid notebook: {one_line(problem, 200)}") from None


def _literal(path: Path) -> str:
    """A path for papermill, which takes braces in it for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _expected(notebook: NotebookNode | None) -> set[str]:
    """Ids and source hashes of the cells that were expected to raise."""
    from ..workbench import source_hash

    cells = [] if notebook is None else notebook.cells
    cells = [c for c in cells if c.cell_type == "code" and "raises-exception" in c.metadata.get("tags", [])]
    return {source_hash(c.source) for c in cells} | {c.id for c in cells if c.get("id")}


def prepare_papermill(needless: Sequence[str] = ()) -> None:
    """Import papermill and what it calls here, once, before threads would; and know the engine also where nothing
    is installed. (Under pytest an import parses, which :data:`.selection.PARSING` tells about.)"""
    from nbformat.warnings import MissingIDFieldWarning

    with without(*needless):
        from papermill.engines import papermill_engines

        from . import client, saving  # noqa: F401

    papermill_engines.register(NAME, JBTSEngine)
    # What papermill warns of (a parameter no cell declares) would go through the live display.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", category=MissingIDFieldWarning)
