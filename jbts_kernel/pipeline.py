"""One step, from filled-in arguments to a recorded result. The only way a step runs.

The order is what makes a row trustworthy: the step is announced, run, observed (where the page is
now, what it said, what it looks like), recorded in one append, and only then shown or raised.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from . import evidence
from .browser import capture
from .browser.actionability import Deadline
from .browser.faults import translate
from .browser.grid import shown
from .errors import BrowserGone, JBTSError, StepProblem, StepTimeout
from .grammar import Parameter, Signature, common_options, convert
from .ids import new_id
from .models import ConsoleMessage, NetworkRequest, Status, Step, StepOptions, StepResult
from .observing import GLANCE_SECONDS, LOOK_SECONDS, Seen, observe
from .recorder import fingerprint, status_of
from .stage import Stage
from .surroundings import Surroundings, stage_for
from .verbs import ACTING, BEGINNING

if TYPE_CHECKING:
    from .browser.session import Session

MESSAGES_KEPT = 200
"""Console lines, and requests, that a row holds: the newest."""


@dataclass
class Outcome:
    """How the verb itself went."""

    status: Status = "passed"
    value: Any = None
    error: JBTSError | None = None
    retries: int = 0


def run_step(
    around: Surroundings, step: Step, signature: Signature, thumbnails: bool, named: bool = False
) -> tuple[StepResult, BaseException | None]:
    """Run and record one step. Returns its result and what to raise besides a failure (an interrupt,
    or a defect of a verb), which the caller raises after it has shown the result. ``thumbnails`` are made if they
    are shown; with ``named`` not that of the page after the step, whose card names it."""
    recorder = around.recorder
    execution = recorder.execution or recorder.open_execution(base_url=around.base_url() or None)
    step_id = new_id()
    about = _about(around, step, signature)
    started_at, clock = time.time(), time.perf_counter()
    session: Session | None = None
    stage: Stage | None = None
    outcome = Outcome()
    pending: BaseException | None = None
    ordinal = recorder.ordinal + 1
    browser_ms = 0.0
    try:
        recorder.step_started(step_id, ordinal, about)
        session = around.session()
        if session.browser.started_at >= clock:
            browser_ms = (time.perf_counter() - clock) * 1000
        recorder.about_browser(session.browser.name, session.browser.version)
        session.tabs_before = set(session.tabs) if signature.step_type in ACTING else session.tabs_before
        stage = stage_for(around, step, signature, session)
        stage.ordinal = ordinal
        if signature.step_type in ACTING:
            if signature.step_type in BEGINNING:
                around.marks().act = session.browser.signals.mark()
            if step.verb != "restore":  # which looks at the page itself
                session.checkpoints.take(session, ordinal)
        outcome.value = _attempts(stage, step, signature, outcome)
    except StepProblem as problem:
        outcome.error, outcome.status = problem, status_of(problem)
    except BaseException as error:  # noqa: BLE001 - recorded like any other end, then raised by the caller
        pending, outcome.status = error, status_of(error)
        what = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        outcome.error = JBTSError(what)

    if stage is not None:
        patience = GLANCE_SECONDS if isinstance(outcome.error, StepTimeout) else LOOK_SECONDS
        stage.session.browser.allow(max(stage.deadline.left, patience))
    acted_ms = (time.perf_counter() - clock) * 1000
    seen = Seen()
    if stage is not None and pending is None and not isinstance(outcome.error, BrowserGone):
        try:
            observe(around, stage, signature, outcome.error is not None, seen)
        except (StepProblem, OSError) as problem:
            if outcome.error is None and isinstance(problem, StepTimeout):
                outcome.error, outcome.status = problem, "error"
            stage.note = stage.note or f"no picture: {problem}"
        except KeyboardInterrupt as interrupt:
            pending, outcome.status, outcome.error = interrupt, "aborted", JBTSError("interrupted")
    if stage is not None:
        stage.session.browser.allow(None)
    if session is not None and isinstance(outcome.error, BrowserGone):
        grid = session.browser.spec.grid
        if grid:
            outcome.error = BrowserGone(f"{outcome.error.message} (it ran on the grid at {shown(grid)})")
        around.lost(session)
    console: list[ConsoleMessage] = []
    requests: list[NetworkRequest] = []
    if stage is not None:
        gone = isinstance(outcome.error, BrowserGone)  # it is not asked for its tabs
        tabs = {stage.session.handle} if gone else {*stage.session.tabs, stage.session.handle}
        signals, marks = stage.session.browser.signals, around.marks()
        told, marks.told = marks.told, signals.mark()
        console, requests = signals.since(told, tabs, marks.told)
        requests += stage.requests
    mask, fault, looked = around.mask, outcome.error, stage.looked if stage else None
    if fault is not None and step.options.optional and pending is None:
        outcome.status = "skipped"
    error_type = None if fault is None else type(pending or fault).__name__
    message = mask(fault.message) if fault else None
    result = StepResult(
        step=step,
        step_id=step_id,
        execution_id=execution.execution_id,
        ordinal=ordinal,
        status=outcome.status,
        source=mask(step.source or step.verb),
        step_type=signature.step_type,  # type: ignore[arg-type]
        locator=about["locator"],
        input=about["input"],
        expected=about["expected"],
        value=outcome.value,
        started_at=started_at,
        duration_ms=(time.perf_counter() - clock) * 1000,
        wait_ms=stage.wait_ms if stage else 0.0,
        browser_ms=browser_ms,
        picture_ms=(time.perf_counter() - clock) * 1000 - acted_ms,
        retries=outcome.retries,
        url=mask(seen.url),
        title=mask(seen.title),
        http_status=stage.http_status if stage else None,
        error_type=error_type,
        error_message=message,
        error_fingerprint=fingerprint(error_type, step.verb, about["locator"], message or "") if error_type else None,
        hints=tuple(mask(h) for h in fault.hints) if fault else (),
        screenshot=seen.screenshot,
        thumbnail=capture.thumbnail(seen.png) if seen.png and thumbnails and (looked or not named) else None,
        viewport=seen.viewport,
        box=seen.box,
        artifacts=tuple(stage.artifacts) if stage else (),
        analyses=tuple(stage.analyses) if stage else (),
        analysis=looked,
        console=tuple(replace(m, text=mask(m.text), url=mask(m.url)) for m in console[-MESSAGES_KEPT:]),
        requests=tuple(replace(r, text=mask(r.text), url=mask(r.url)) for r in requests[-MESSAGES_KEPT:]),
        note=mask(stage.note or stage.session.introduce()) if stage else "",
        pictures=tuple((n, capture.thumbnail(p)) for n, p in stage.pictures) if stage and thumbnails else (),
        difference=stage.difference if stage else "",
        tried=tuple(mask(line) for line in stage.deadline.trail.lines()) if stage and fault else (),
    )
    if stage is not None and pending is None and result.status in ("failed", "error"):
        result = _evident(around, stage, result, seen)
    recorder.step_finished(result, about)
    return result, pending


def _evident(around: Surroundings, stage: Stage, result: StepResult, seen: Seen) -> StepResult:
    """The result of a step that failed, with its evidence written down."""
    if around.settings.screenshots == "never":
        return result
    heard = evidence.overheard(stage)
    seen.gathered.console, seen.gathered.requests = heard.console, heard.requests
    if not seen.asked:
        seen.gathered.missing.append("the page was not asked: it did not answer, stood behind a dialog, or was gone")
    try:
        return evidence.write(around.home, result, seen.gathered)
    except OSError as problem:
        return replace(result, note=result.note or f"no evidence: {problem}")


def _about(around: Surroundings, step: Step, signature: Signature) -> dict[str, Any]:
    """The columns that are known before the step runs."""
    columns: dict[str, str | None] = {"locator": None, "input": None, "expected": None}
    for parameter in signature.parameters if step.verb != "group" else ():
        value = step.arguments.get(parameter.name)
        column = {"rest": "input", "path": "input"}.get(parameter.kind, parameter.kind)
        if value in (None, "", ()) or column not in columns:
            continue
        text = around.mask(" ".join(value) if isinstance(value, tuple) else str(value))
        columns[column] = text if columns[column] is None else f"{columns[column]} {text}"
    if step.verb == "expect" and not _names_element(str(columns["locator"])):
        columns["expected"] = f"{columns['locator']} {columns['expected'] or ''}".strip()
        columns["locator"] = None
    elif step.verb == "wait" and _names_time(str(columns["locator"])):
        columns["input"], columns["locator"] = columns["locator"], None
    if (status := step.arguments.get("expect_status")) is not None:
        columns["expected"] = f"status {status}"
    cell_id, source_hash = around.cell()
    return {
        **columns,
        "parent_step_id": around.parent(),
        "name": around.mask(step.options.name or step.source or step.verb),
        "step_type": signature.step_type,
        "verb": step.verb,
        "optional": step.options.optional,
        "cell_id": cell_id,
        "source_hash": source_hash,
    }


def _names_element(target: str) -> bool:
    from .verbs.expecting import PAGE

    return target not in (*PAGE, "not", "picture")


def _names_time(target: str) -> bool:
    from .verbs.waiting import TIME

    return re.fullmatch(TIME, target) is not None


def _attempts(stage: Stage, step: Step, signature: Signature, outcome: Outcome) -> Any:
    """Run the verb, again after a failure as often as the step's ``--retries`` says."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    while True:
        problem: StepProblem
        try:
            stage.session.browser.allow(stage.deadline.left)
            stage.session.activate()
            arguments = dict(step.arguments)
            variadic = next((p.name for p in signature.parameters if p.variadic), None)
            extra = arguments.pop(variadic, ()) if variadic else ()
            places = [p.name for p in signature.parameters if p.positional and not p.variadic]
            given = itertools.takewhile(arguments.__contains__, places)  # what comes after a gap goes by name
            positional = [arguments.pop(name) for name in list(given)]
            return signature.function(stage, *positional, *extra, **arguments)
        except StepProblem as raised:
            problem = raised
        except (WebDriverException, HTTPError, ConnectionError) as raised:
            problem = translate(raised, stage.deadline.seconds, stage.session.dialog)
        if outcome.retries >= step.options.retries or isinstance(problem, BrowserGone):
            raise problem
        outcome.retries += 1
        stage.deadline.trail.tell(f"{type(problem).__name__}; trying again, for the {outcome.retries + 1}. time")
        stage.deadline = Deadline(stage.deadline.seconds, stage.deadline.trail, stage.deadline.watch)


@contextlib.contextmanager
def run_group(around: Surroundings, name: str, parents: list[str]) -> Iterator[None]:
    """Steps run inside are the children of one step, which ends as the first that failed did."""
    recorder = around.recorder
    execution = recorder.execution or recorder.open_execution(base_url=around.base_url() or None)
    step = Step("group", {"name": name}, StepOptions(name=name), source=f"group {name}")
    about = _about(around, step, Signature("group", run_group))
    step_id, started, clock = new_id(), time.time(), time.perf_counter()
    ordinal = recorder.ordinal + 1
    recorder.step_started(step_id, ordinal, about)
    parents.append(step_id)
    status: Status = "passed"
    error_type = message = None
    try:
        yield
    except BaseException as error:
        status = status_of(error)
        error_type, message = type(error).__name__, around.mask(str(error))
        raise
    finally:
        parents.pop()
        result = StepResult(
            step=step,
            step_id=step_id,
            execution_id=execution.execution_id,
            ordinal=ordinal,
            status=status,
            source=around.mask(step.source),
            started_at=started,
            duration_ms=(time.perf_counter() - clock) * 1000,
            error_type=error_type,
            error_message=message,
            error_fingerprint=fingerprint(error_type, "group", None, message or "") if error_type else None,
        )
        recorder.step_finished(result, about)


def fill(step: Step, signature: Signature, interpolate: Callable[[str], str]) -> Step:
    """The step with ``${...}`` filled in, in its options too, and the words converted to their kinds. A command's
    text (SQL, lines of steps) stays as it is: the command fills in each part where it knows what it means."""

    def one(parameter: Parameter, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(one(parameter, v) for v in value)
        if not isinstance(value, str) or "${" not in value or (signature.command and parameter.kind == "rest"):
            return value
        return convert(parameter, interpolate(value))

    known = {p.name: p for p in (*signature.parameters, *common_options(signature))}
    arguments = {name: one(known[name], value) for name, value in step.arguments.items()}
    given = {f.name: getattr(step.options, f.name) for f in fields(StepOptions) if f.name in known}
    options = {name: one(known[name], value) for name, value in given.items()}
    return replace(step, arguments=arguments, options=replace(step.options, **options))
