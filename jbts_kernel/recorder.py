"""Recording: the runs, executions and steps of this process as lines of the log.

A run is one sitting or one suite, an execution one attempt at one test. Both open at the first step
that needs them. A finished line stands on its own, so nothing has to be joined to be read; what has
a started line and no finished one is running, or died with its process.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from .errors import ExpectationFailed, StepFailed
from .ids import new_id
from .models import Analysis, ConsoleMessage, Event, Execution, NetworkRequest, Status, StepResult

_WORST: Mapping[str, int] = {"passed": 0, "skipped": 1, "aborted": 2, "failed": 3, "error": 4}


class Sink(Protocol):
    """Where events go: :class:`jbts_kernel.log.Log`."""

    def emit(self, *events: Event) -> bool: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where this process stands: what runs it (interactive, papermill or suite), which notebook, its
    parameters, and the run and attempt it belongs to where a suite has said so."""

    kind: str = "interactive"
    notebook: str | None = None
    parameters: Mapping[str, Any] | None = None
    run_id: str | None = None
    attempt: int = 1
    tags: tuple[str, ...] = ()
    category: str | None = None
    priority: str | None = None


def history_id(test: str, parameters: Mapping[str, Any]) -> str:
    """What joins the runs of one test: a hash of its name and parameters. The port of a loopback
    address is left out, since it is another one every time."""
    text = json.dumps([test, dict(parameters)], sort_keys=True, default=str)
    text = re.sub(r"(https?://(?:127\.0\.0\.1|localhost|\[::1\])):\d+", r"\1", text)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(error_type: str, verb: str, locator: str | None, message: str) -> str:
    """What two failures of the same cause share: numbers, times and quoted values are left out."""
    shape = re.sub(r"\d+(\.\d+)?", "N", re.sub(r"'[^']*'|\"[^\"]*\"", "S", message.split("\n", 1)[0]))
    return hashlib.sha256(f"{error_type}|{verb}|{locator}|{shape[:200]}".encode()).hexdigest()[:16]


def status_of(error: BaseException) -> Status:
    """How a step or a test ends that this error ended."""
    if isinstance(error, KeyboardInterrupt):
        return "aborted"
    if isinstance(error, StepFailed):
        return error.result.status
    return "failed" if isinstance(error, (ExpectationFailed, AssertionError)) else "error"


def git_state(folder: Path) -> tuple[str | None, str | None]:
    """Commit and branch of the checkout a folder is in, read from its files; (None, None) elsewhere."""
    for parent in (folder, *folder.parents):
        head = parent / ".git" / "HEAD"
        if head.is_file():
            text = head.read_text(encoding="utf-8").strip()
            if not text.startswith("ref: "):
                return text, None
            ref = text.removeprefix("ref: ")
            branch = ref.removeprefix("refs/heads/")
            loose = parent / ".git" / ref
            if loose.is_file():
                return loose.read_text(encoding="utf-8").strip(), branch
            packed = parent / ".git" / "packed-refs"
            if packed.is_file():
                found = re.search(
                    rf"^([0-9a-f]{{40}}) {re.escape(ref)}$", packed.read_text(encoding="utf-8"), re.MULTILINE
                )
                return (found.group(1) if found else None), branch
            return None, branch
    return None, None


class Recorder:
    """Opens and closes runs and executions and writes their steps. ``mask`` takes secrets out of texts."""

    def __init__(
        self,
        sink: Sink,
        origin: Origin,
        *,
        mask: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sink = sink
        self.origin = origin
        self.mask = mask
        self.clock = clock
        self.execution: Execution | None = None
        self.ordinal = 0
        self._run: dict[str, Any] | None = None
        self.run_id: str | None = None
        self._worst: Status = "passed"
        self._first_error: tuple[str | None, str | None] = (None, None)
        self._run_worst: Status = "passed"

    def emit(self, kind: str, data: Mapping[str, Any], step_id: str | None = None) -> None:
        """One line of this run and execution."""
        execution = self.execution.execution_id if self.execution else None
        self.sink.emit(self._event(kind, data, execution, step_id))

    def _event(self, kind: str, data: Mapping[str, Any], execution_id: str | None, step_id: str | None) -> Event:
        return Event(kind, data, self.run_id, execution_id, step_id, ts=self.clock())

    # ---- run and execution ----------------------------------------------------------------------
    def open_run(self) -> str:
        """The run's id; the run begins if it has not."""
        if self.run_id is None:
            self.run_id = self.origin.run_id or new_id()
            if self.origin.run_id is None:  # a suite writes its own run
                commit, branch = git_state(Path.cwd())
                self._run = {
                    "kind": self.origin.kind,
                    "git_commit": commit,
                    "git_branch": branch,
                    "host": socket.gethostname(),
                    "python": platform.python_version(),
                    "parameters": self._parameters(),
                    "started_at": self.clock(),
                }
                self.emit("run.started", self._run)
        return self.run_id

    def _parameters(self) -> dict[str, Any]:
        return json.loads(self.mask(json.dumps(dict(self.origin.parameters or {}), default=str)))  # type: ignore[no-any-return]

    def open_execution(self, test_name: str | None = None, **about: Any) -> Execution:
        """Begin an execution, ending the one before. ``about`` holds fields of :class:`Execution`."""
        self.close_execution()
        self.open_run()
        origin = self.origin
        name = self.mask(test_name) if test_name else (Path(origin.notebook).stem if origin.notebook else "interactive")
        parameters = self._parameters()
        self.execution = Execution(
            execution_id=new_id(),
            run_id=self.run_id or "",
            test_name=name,
            history_id=history_id(f"{origin.notebook or ''}::{name}", parameters),
            started_at=self.clock(),
            notebook=origin.notebook,
            attempt=origin.attempt,
            parameters=parameters,
            **{"tags": origin.tags, "category": origin.category, "priority": origin.priority} | about,
        )
        self.ordinal, self._worst, self._first_error = 0, "passed", (None, None)
        self.emit("execution.started", self._execution_data())
        return self.execution

    def about_browser(self, name: str, version: str) -> None:
        """The browser that runs this execution, once it is known."""
        if self.execution is not None:
            self.execution = replace(self.execution, browser=name, browser_version=version)

    def _execution_data(self) -> dict[str, Any]:
        e = self.execution
        assert e is not None
        return {
            "test_name": e.test_name, "history_id": e.history_id, "notebook": e.notebook, "category": e.category,
            "priority": e.priority, "tags": list(e.tags), "browser": e.browser, "browser_version": e.browser_version,
            "base_url": self.mask(e.base_url) if e.base_url else None, "attempt": e.attempt,
            "parameters": dict(e.parameters),
        }  # fmt: skip

    def worsen(self, status: Status, error_type: str | None = None, message: str | None = None) -> None:
        """The execution is at least this bad; the first error is the one it is remembered by."""
        if _WORST.get(status, 0) > _WORST.get(self._worst, 0):
            self._worst = status
        if error_type and self._first_error[0] is None and status not in ("skipped", "passed"):
            self._first_error = (error_type, self.mask(message or ""))

    def verdict(self) -> tuple[Status, tuple[str | None, str | None]]:
        """How the execution stands, to be put back by :meth:`restore`."""
        return self._worst, self._first_error

    def restore(self, verdict: tuple[Status, tuple[str | None, str | None]]) -> None:
        """Forget what went wrong since: it was expected."""
        self._worst, self._first_error = verdict

    @property
    def status(self) -> Status:
        """What the execution would end as now."""
        return "passed" if self._worst == "skipped" else self._worst

    def close_execution(self) -> Status | None:
        """End the execution, if one is open; its status."""
        if self.execution is None:
            return None
        status = self.status
        now = self.clock()
        error_type, message = self._first_error
        self.emit(
            "execution.finished",
            {
                **self._execution_data(),
                "status": status,
                "started_at": self.execution.started_at,
                "duration_ms": (now - self.execution.started_at) * 1000,
                "error_type": error_type,
                "error_message": message,
            },
        )
        if _WORST[status] > _WORST[self._run_worst]:
            self._run_worst = status
        self.execution = None
        return status

    def close_run(self) -> None:
        """End the execution and the run. Can be called twice."""
        self.close_execution()
        if self._run is not None:
            self.emit("run.finished", {**self._run, "status": self._run_worst})
            self._run = None
        self.run_id = None

    # ---- steps ----------------------------------------------------------------------------------
    def step_started(self, step_id: str, ordinal: int, about: Mapping[str, Any]) -> None:
        """A step begins, at its place in the execution. The caller counts (one after :attr:`ordinal`), so that a step
        has its place wherever an interrupt comes."""
        self.ordinal = ordinal
        self.emit("step.started", {"ordinal": ordinal, "status": "running", **about}, step_id)

    def step_finished(self, result: StepResult, about: Mapping[str, Any]) -> None:
        """A step's row with its files, console lines and requests: one append."""
        r, mask = result, self.mask
        self.ordinal = max(self.ordinal, r.ordinal)
        events = [
            self._event(
                "artifact",
                {
                    "artifact": a.artifact,
                    "role": a.role,
                    "mime": a.mime,
                    "path": a.path,
                    "bytes": a.bytes,
                    "width": a.width,
                    "height": a.height,
                },
                r.execution_id,
                r.step_id,
            )
            for a in r.artifacts
        ]
        events += [self._event("console", _console(m), r.execution_id, r.step_id) for m in r.console]
        events += [self._event("network", _network(n), r.execution_id, r.step_id) for n in r.requests]
        events += [e for a in r.analyses for e in self._analysis(a, r.execution_id, r.step_id)]
        data = {
            **about,
            "ordinal": r.ordinal,
            "status": r.status,
            "started_at": r.started_at,
            "duration_ms": r.duration_ms,
            "wait_ms": r.wait_ms,
            "browser_ms": r.browser_ms,
            "retries": r.retries,
            "url": mask(r.url),
            "title": mask(r.title),
            "http_status": r.http_status,
            "error_type": r.error_type,
            "error_message": mask(r.error_message) if r.error_message else None,
            "error_fingerprint": r.error_fingerprint,
            "screenshot": r.screenshot.artifact if r.screenshot else None,
        }
        events.append(self._event("step.finished", data, r.execution_id, r.step_id))
        self.sink.emit(*events)
        if r.status not in ("passed", "running"):
            self.worsen(r.status, r.error_type, r.error_message)

    # ---- looking ----------------------------------------------------------------------------------
    def analysis(self, analysis: Analysis, of: StepResult | None = None) -> None:
        """A look that no step took: a triage, which belongs to the failed step it is ``of``, or a generated test."""
        execution = self.execution.execution_id if self.execution else None
        self.sink.emit(*self._analysis(analysis, of.execution_id if of else execution, of.step_id if of else None))

    def test_case(self, definition: Mapping[str, Any], requirements: str, model: str | None) -> str:
        """A generated test case; its id."""
        test_case_id = new_id()
        data = {"test_case_id": test_case_id, "name": self.mask(str(definition.get("name", ""))), "model": model}
        written = json.loads(self.mask(json.dumps(dict(definition))))
        self.emit("test_case", {**data, "requirements": self.mask(requirements), "definition": written})
        return test_case_id

    def _analysis(self, a: Analysis, execution_id: str | None, step_id: str | None) -> list[Event]:
        data = {
            "analysis_id": a.analysis_id, "kind": a.kind, "provider": a.provider, "model": a.model,
            "summary": self.mask(a.summary), "status": a.status, "input_tokens": a.input_tokens,
            "cached_tokens": a.cached_tokens, "output_tokens": a.output_tokens, "cost_usd": a.cost_usd,
            "latency_ms": a.latency_ms, "cache_hit": a.cache_hit, "attempts": a.attempts, "error_type": a.error_type,
        }  # fmt: skip
        events = [self._event("analysis", data, execution_id, step_id)]
        for f in a.findings:
            place = {"x": f.box.x, "y": f.box.y, "width": f.box.width, "height": f.box.height} if f.box else {}
            found = {
                "finding_id": new_id(), "analysis_id": a.analysis_id, "source": f.source, "category": f.category,
                "severity": f.severity, "message": self.mask(f.message), "locator": f.locator,
                "evidence": self.mask(f.evidence), "grounded": f.grounded, "rule": f.rule, **place,
            }  # fmt: skip
            events.append(self._event("finding", found, execution_id, step_id))
        return events


def _console(m: ConsoleMessage) -> dict[str, Any]:
    return {"level": m.level, "text": m.text, "url": m.url, "at": m.ts}


def _network(n: NetworkRequest) -> dict[str, Any]:
    return {
        "method": n.method,
        "url": n.url,
        "status": n.status,
        "duration_ms": n.duration_ms,
        "text": n.text,
        "at": n.ts,
    }
