"""The workbench: what a notebook holds in its hand. Runs steps, keeps secrets, answers questions.

It works the same in JupyterLab, in a terminal, under papermill and in a plain Python file; IPython is
not needed. Everything heavy (a browser, DuckDB, the hub) begins at first use.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from . import grammar
from .answers import Answers
from .config import JBTS, find_home
from .errors import ConfigProblem, Interrupted, JBTSError, StepFailed, UsageProblem
from .log import Log
from .models import Execution, Step, StepResult
from .origin import find_origin, interactive, notebook_folder
from .recorder import Origin, Recorder, status_of
from .secrets import Secrets, obtain
from .users import Users

if TYPE_CHECKING:
    import subprocess

    from .baselines import Baselines
    from .broadcast.events import Events
    from .demo import Shop
    from .still_panel import StillPanel
    from .store.queries import Results
    from .surroundings import Surroundings
    from .widgets import LivePanel

Show = Callable[[StepResult], None]
PUBLISH_EVERY = 60.0
HISTORY = 200


class Workbench(Users, Answers):
    """One sitting. ``namespace`` is where ``${name}`` looks, ``show`` is called with every finished step.

    Args:
        settings: the traits; made from the environment if left out.
        home: the project's data folder; found from the working folder if left out.
        namespace: the notebook's variables.
        show: shows a step's card; nothing is shown if left out.
        origin: which run and notebook this is; found out if left out.
    """

    def __init__(
        self,
        settings: JBTS | None = None,
        *,
        home: Path | None = None,
        namespace: MutableMapping[str, Any] | None = None,
        show: Show | None = None,
        origin: Origin | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.environ = os.environ if environ is None else environ
        self.settings = settings if settings is not None else JBTS(environ=self.environ)
        self.home = home if home is not None else find_home(environ=self.environ)
        self.namespace: MutableMapping[str, Any] = {} if namespace is None else namespace
        self.show = show
        self.watch: Callable[[str], None] | None = None
        """Is told of a step that waits longer than a second, once a second."""
        self.names: Callable[[], bool] = lambda: False
        """Whether the card of the next step names the page's picture instead of holding it."""
        self.gather: Callable[[str], contextlib.AbstractContextManager[None]] = lambda name: contextlib.nullcontext()
        """Shows the steps of a group under one heading, as long as it is open."""
        self.emit_bundle = None
        self.secrets = Secrets()
        self.folder = Path.cwd()
        self.log = Log(self.home, durable=self.settings.durable)
        self.recorder = Recorder(self.log, origin or find_origin(self.environ), mask=self.secrets.mask)
        self._notebook_folder = notebook_folder(self.recorder.origin)
        self.last: StepResult | None = None
        self.history: deque[StepResult] = deque(maxlen=HISTORY)
        self.panel: LivePanel | StillPanel | None = None
        self.running = ""
        """The step under way, as its card will show it."""
        self.cell: tuple[str | None, str | None] = (None, None)
        self.leaving: Callable[[], bool] = lambda: False
        """Whether this process makes room for another one of the same notebook, which may want its browsers."""
        self.left: Callable[[], bool] = lambda: False
        """Whether the process ends because a cell said so, in the middle of a notebook for all it knows."""
        self._parents: list[str] = []
        self._told_lost = 0
        self._publication: subprocess.Popen[bytes] | None = None
        self._published_at = 0.0
        self.unpublished = ""
        """Why the last publication could not begin, as long as that is so."""
        self._events: Events | None = None
        self._results: Results | None = None
        self._shop: Shop | None = None
        self.closed = False
        atexit.register(self.close)

    # ---- steps ----------------------------------------------------------------------------------
    def run(self, step: Step) -> Any:
        """Run one step and record it; what a reading verb read, else None.

        Raises:
            UsageProblem: the step cannot be understood; nothing ran and nothing was recorded.
            ConfigProblem: a setting was refused and nobody was there to see it.
            StepFailed: it ran and did not succeed, and was neither ``--optional`` nor
                ``--continue-on-failure``.
        """
        from .pipeline import fill
        from .verbs import VERBS

        signature = VERBS[step.verb]
        if self.settings.refused and not interactive(self.environ):
            raise ConfigProblem(self.settings.refused)
        step = fill(step, signature, self.interpolate)
        if signature.check is not None:
            signature.check(**step.arguments)
        if signature.command:
            return signature.function(self, **step.arguments)
        if step.verb == "type" and step.arguments.get("secret"):
            self.secrets.add(None, str(step.arguments["text"]))
        with self.turn:
            result, pending = self._take_step(step, signature)
        if self.show is not None:
            self.show(result)
        if isinstance(pending, KeyboardInterrupt):
            raise Interrupted(f"interrupted in {result.source}; the next step goes on from here") from pending
        if pending is not None:
            raise pending
        if result.status in ("failed", "error") and not step.options.continue_on_failure:
            # a person has the hints in the card above; whoever reads a log has only the error
            hints = () if self.show is not None and interactive(self.environ) else result.hints
            raise StepFailed(f"{result.error_type}: {result.error_message}", result=result, hints=hints)
        if isinstance(result.value, str) and self.secrets.mask(result.value) != result.value:
            from .secrets import Masked

            return Masked(result.value, self.secrets.mask(result.value))
        return result.value

    def _take_step(self, step: Step, signature: grammar.Signature) -> tuple[StepResult, BaseException | None]:
        """Run and record one step, and tell the panel of it; its result and what to raise besides a failure."""
        from .pipeline import run_step

        self._begin()
        self.running = self.secrets.mask(step.source or step.verb)
        if self.panel is not None:
            self.panel.begin(self.running)
        try:
            shown, named = self.show is not None, self.names()
            result, pending = run_step(self.surroundings(), step, signature, thumbnails=shown, named=named)
        finally:
            self.running = ""
        if self._lost_browser and result.error_type != "BrowserGone":
            result = replace(result, note=self._lost_browser)
            self._lost_browser = ""
        if lost := self._newly_lost():
            result = replace(result, note="; ".join(part for part in (result.note, lost) if part))
        self.last = result
        self.history.append(result)
        if self._pool is not None:
            self._pool.remember(self.sessions, self.user)
        if self.panel is not None and self.recorder.execution is not None:
            self.panel.show(result, self.recorder.execution.test_name)
        self._publish_soon()
        return result, pending

    def interrupt(self) -> bool:
        """End the step under way as an interrupt of its cell does, from another thread; whether one was."""
        if not self.running or threading.current_thread() is threading.main_thread():
            return False
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return True

    def line(self, text: str, body: str | None = None) -> Any:
        """Run one line, verb first, as ``%%steps`` holds them. Raises as :meth:`run`."""
        from .verbs import VERBS

        return self.run(grammar.parse(text, VERBS, body))

    def lines(self, text: str) -> Any:
        """Run many lines, stopping at the first that fails; the value of the last. A line that cannot
        be understood stops everything before the first one runs."""
        from .verbs import VERBS

        steps = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.strip().startswith("#"):
                try:
                    steps.append(step := grammar.parse(line, VERBS))
                    if (check := VERBS[step.verb].check) is not None and "${" not in line:
                        check(**step.arguments)
                except UsageProblem as problem:
                    raise UsageProblem(
                        f"line {number}: {problem.message}", word=problem.word, hints=problem.hints
                    ) from None
        value = None
        for step in steps:
            value = self.run(step)
        return value

    @contextlib.contextmanager
    def group(self, name: str) -> Iterator[None]:
        """Steps run inside belong to one step of this name, which passes if all of them do."""
        from .pipeline import run_group

        self._begin()
        with self.gather(name), run_group(self.surroundings(), name, self._parents):
            yield

    def interpolate(self, text: str) -> str:
        """Fill in ``${name}`` from secrets and the notebook's variables."""
        return grammar.interpolate(text, self._named, lambda: [*self.secrets.names, *self.namespace])

    def value_of(self, expression: str) -> Any:
        """What the text inside one ``${...}`` means: a secret, or a value of the notebook as it is."""
        return grammar.value_of(expression, self._named, lambda: [*self.secrets.names, *self.namespace])

    def _named(self, name: str) -> Any:
        try:
            return self.secrets.get(name)
        except KeyError:
            return self.namespace[name]

    @property
    def base_url(self) -> str:
        """What addresses are relative to: the notebook's variable ``base_url``, else the setting."""
        value = self.namespace.get("base_url")
        return value if isinstance(value, str) and value else self.settings.base_url

    def surroundings(self) -> Surroundings:
        """What a step of this workbench stands in."""
        from .surroundings import Marks, Surroundings

        return Surroundings(
            settings=self.settings,
            home=self.home,
            folder=self.folder,
            recorder=self.recorder,
            base_url=lambda: self.base_url,
            session=lambda: self.session,
            lost=self._lost,
            mask=self.secrets.mask,
            secrets=lambda: self.secrets.values,
            parent=lambda: self._parents[-1] if self._parents else None,
            cell=lambda: self.cell,
            marks=lambda: self._marks.setdefault(self.user, Marks()),
            baselines=lambda: self.baselines,
            spent=self.spent,
            watch=self.watch,
        )

    @property
    def baselines(self) -> Baselines:
        """What this test's snapshots are compared with, and what becomes of one that has none."""
        from .baselines import Baselines

        origin, execution = self.recorder.origin, self.recorder.execution
        attended = origin.kind == "interactive" and not self.environ.get("CI")
        return Baselines.of(
            folder=self.folder if self._notebook_folder is None else self._notebook_folder,
            home=self.home,
            notebook=origin.notebook,
            test=execution.test_name if execution else "",
            writes_first=attended,
            updates=self.settings.update_baselines,
        )

    # ---- tests ----------------------------------------------------------------------------------
    def test(self, name: str, **about: Any) -> Execution:
        """Begin a test of its own: a new execution, in fresh contexts."""
        self.end_test()
        self._begin()
        self.history.clear()
        return self.recorder.open_execution(name, base_url=self.base_url or None, **about)

    def end_test(self) -> str | None:
        """End the current execution; its status, None where none was open. Its contexts are dropped."""
        status = self.recorder.close_execution()
        with self.turn:
            for session in self.sessions.values():
                session.close()
            self.sessions.clear()
        return status

    def fault(self, error: BaseException) -> None:
        """A cell failed outside a step: the execution that is open fails with it. Plain papermill has nobody else to
        say that a notebook failed before its first step."""
        if self.recorder.execution is None and self.recorder.origin.kind == "papermill":
            self._begin()
            self.recorder.open_execution(base_url=self.base_url or None)
        if self.recorder.execution is not None and not isinstance(error, StepFailed):
            message = error.message if isinstance(error, JBTSError) else str(error)
            self.recorder.worsen(status_of(error), type(error).__name__, message)

    def _newly_lost(self) -> str:
        """What the next card says about events that could not be recorded since the last one."""
        lost, self._told_lost = self.log.dropped - self._told_lost, self.log.dropped
        if lost <= 0:
            return ""
        return f"{lost} event{'s' if lost > 1 else ''} of this test could not be recorded: {self.log.last_error}"

    def secret(self, name: str, *, env: str | None = None, prompt: bool = False, keyring: str | None = None) -> None:
        """Know a secret from now on. Raises :class:`UsageProblem`."""
        self.secrets.add(name, obtain(name, env=env, prompt=prompt, keyring=keyring, environ=self.environ))

    # ---- what is kept ---------------------------------------------------------------------------
    @property
    def results(self) -> Results:
        """The project's results, for questions: ``jbts.results.df("select ...")``."""
        if self._results is None:
            from .store.queries import Results

            self._results = Results(self.home)
        return self._results

    def spent(self) -> tuple[float, int]:
        """What models have used in this run or today, whichever is more: dollars and tokens. A day begins at midnight
        UTC, as in ``ai_usage_daily``, wherever the machine is."""
        run_id = self.recorder.run_id or ""
        today = "date_trunc('day', make_timestamp(epoch_us(now())))"
        used = f"coalesce(sum({{0}}) FILTER (run_id = ?), 0), coalesce(sum({{0}}) FILTER (created_at >= {today}), 0)"
        tokens = "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)"
        sql = f"SELECT {used.format('cost_usd')}, {used.format(tokens)} FROM analyses WHERE NOT cache_hit"  # noqa: S608
        row = self.results.rows(sql, [run_id, run_id]).rows[0]
        return max(float(row[0]), float(row[1])), max(int(row[2]), int(row[3]))

    @property
    def _broadcaster(self) -> Literal["process", "thread", "off"]:
        return cast(Literal["process", "thread", "off"], self.settings.broadcaster)

    @property
    def events(self) -> Events:
        """The broadcast: ``jbts.events.send_to_user(...)``, ``jbts.events.subscribe(...)``."""
        if self._events is None:
            from .broadcast.events import Events

            self._events = Events(self.home, self.log, mode=self._broadcaster, metrics=self.settings.metrics)
        return self._events

    def _begin(self) -> None:
        """Before the first step: the hub and the first published generation come up beside it."""
        if self.recorder.execution is None:
            if self.settings.notify:
                self.events.announce(self.recorder.open_run(), self.settings.notify)
            if self.settings.broadcaster != "off":
                self.events.start()  # cheap where a hub runs; an idle one may have ended
            if self._published_at == 0.0 and not self._in_suite:
                self._publish()

    def _publish(self) -> None:
        from .store.publisher import start_publish

        self._published_at = time.monotonic()
        try:
            self._publication = start_publish(self.home)
            self.unpublished = ""
        except OSError as problem:  # a full disk: the next one makes up for it
            self.unpublished = f"cannot be published: {problem.strerror}"

    def _publish_soon(self) -> None:
        """After a step: the first generation must exist, and a new one is due now and then."""
        if self._publication is not None and not (self.home / "results.duckdb").exists():
            self._publication.wait(30)
        due = not self._in_suite and time.monotonic() - self._published_at > PUBLISH_EVERY
        # asked whether it has ended, so that it is not left for Python to complain of
        if due and (self._publication is None or self._publication.poll() is not None):
            self._publish()

    @property
    def _in_suite(self) -> bool:
        """Whether a suite's runner publishes, once for all its notebooks."""
        return self.recorder.origin.kind == "suite" and self.recorder.origin.run_id is not None

    def demo(self) -> str:
        """The address of a demo shop on loopback, which ends with this process."""
        if self._shop is None:
            from .demo import Shop

            self._shop = Shop().start()
        return self._shop.url

    def close(self) -> None:
        """End the execution, the run and everything this workbench started. Can be called twice."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self.close)
        had_run = self.recorder.run_id is not None
        if not (self._in_suite and self.left()):  # there the runner ends what it cannot have been told of
            self.recorder.close_run()
        self.log.close()
        if self._pool is not None:
            self._pool.close(leave=self.leaving())
        if self._shop is not None:
            self._shop.stop()
        if self._events is not None:
            self._events.close()
        if had_run and not self._in_suite:
            if self._publication is not None:
                self._publication.poll()
            self._publish()


def source_hash(source: str) -> str:
    """What identifies a cell's text."""
    return hashlib.sha256(source.strip().encode("utf-8", "replace")).hexdigest()[:16]
