"""One run as a folder that opens anywhere: ``index.html`` beside its pictures and the executed notebooks.

What happened comes from the store; what only the runner knows (attempts that recorded nothing, which
executed notebook is whose) from ``runs/RUN_ID/run.json``, where the run was a suite. Pictures are copied as
they are, and made small once more for the film strips, so that a report of a few hundred steps still opens
at once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageProblem
from .failure import failure_in
from .report_past import ORDER, Past, when
from .report_view import BAD, AttemptView, Change, ExecutionView, Picture, RunView, StepView, TestView
from .selection import words_in

if TYPE_CHECKING:
    from ..store.queries import Results

THUMBNAIL_WIDTH = 320
MANY = 1_000_000
PAGES_MADE = 100
"""Executed notebooks that become pages to read, those that failed first; of the rest there is the notebook."""


def find_run(home: Path, beginning: str | None = None) -> str:
    """The id of the latest run, or of the one that begins like this. Raises UsageProblem, StoreProblem."""
    from ..store.queries import Results

    results = Results(home)
    if beginning is None:
        found = results.value("SELECT run_id FROM runs ORDER BY started_at DESC, run_id DESC LIMIT 1")
        if found is None:
            raise UsageProblem(f"there is no run in {home} yet: jbts run notebooks/")
        return str(found)
    table = results.rows("SELECT run_id FROM runs WHERE starts_with(run_id, ?)", [beginning], limit=3)
    if len(table) != 1:
        count = "several runs begin" if len(table) else "no run begins"
        ask = "jbts query 'select run_id, started_at from runs' lists them"
        raise UsageProblem(f"{count} with {beginning!r}; {ask}")
    return str(table.rows[0][0])


def write_report(home: Path, run_id: str, folder: Path) -> Path:
    """Write the report of a run into ``folder`` (made if missing); the path of its ``index.html``.

    Raises:
        UsageProblem: there is no such run.
        StoreProblem, OSError: the results cannot be read, or the folder not written.
    """
    from .report_page import page

    folder.mkdir(parents=True, exist_ok=True)
    view = _Reader(Path(home).absolute(), run_id, folder).run()
    index = folder / "index.html"
    index.write_text(page(view), encoding="utf-8")
    return index.absolute()


class _Reader:
    """Reads one run out of the store and copies the files it needs."""

    def __init__(self, home: Path, run_id: str, folder: Path) -> None:
        from ..store.queries import Results

        self.home = home
        self.run_id = run_id
        self.folder = folder
        self.results: Results = Results(home)
        self._pictures: dict[str, Picture | None] = {}
        self._evidence: dict[str, str | None] = {}
        self._past = Past(self.results, run_id)
        self._pages = PAGES_MADE

    def run(self) -> RunView:
        found = self._rows("SELECT * FROM runs WHERE run_id = ?")
        if not found:
            raise UsageProblem(f"there is no run {self.run_id} in {self.home}")
        run = found[0]
        document = self._document()
        executions = {str(e["execution_id"]): e for e in self._of_run("executions", "execution_id")}
        files = {a["artifact"]: a for a in self._of_run("artifacts", "created_at")}
        steps = _grouped(self._of_run("steps", "execution_id, ordinal"))
        console = _grouped(self._of_run("console_messages", "at_ts", "level IN ('error', 'warning')"))
        requests = _grouped(self._of_run("network_requests", "at_ts", "(status IS NULL OR status >= 400)"))
        self._evidence = {a["step_id"]: a["path"] for a in self._of_run("artifacts", "created_at", "role = 'evidence'")}
        everything = (executions, steps, files, console, requests)
        found_tests = sorted(
            _tests(document, list(executions.values())),
            key=lambda test: (ORDER.get(_status(test), ORDER["running"]), str(test["name"])),
        )
        tests = [self._test(test, *everything) for test in found_tests]
        counts: dict[str, int] = {}
        for test in tests:
            counts[test.status] = counts.get(test.status, 0) + 1
        ended, began = run["ended_at"], run["started_at"]
        length = (ended - began).total_seconds() * 1000 if ended and began else sum(t.duration_ms for t in tests)
        return RunView(
            run_id=self.run_id,
            status=str(run["status"]),
            started_at=when(began),
            duration_ms=length,
            facts=_facts(run, executions.values()),
            tests=tuple(tests),
            notes=tuple(map(str, document.get("notes", ()))),
            counts=counts,
            trend=self._past.trend(),
        )

    def _document(self) -> dict[str, Any]:
        path = self.home / "runs" / self.run_id / "run.json"
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def _rows(self, sql: str, params: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        return self.results.rows(sql, params if params is not None else [self.run_id], limit=MANY).dicts()

    def _of_run(self, table: str, order: str, where: str = "true") -> list[dict[str, Any]]:
        return self._rows(f"SELECT * FROM {table} WHERE run_id = ? AND {where} ORDER BY {order}")  # noqa: S608

    def _test(self, test: Mapping[str, Any], *everything: Any) -> TestView:
        executions = everything[0]
        attempts = tuple(self._attempt(attempt, *everything) for attempt in test["attempts"])
        change = None
        last = [executions[e] for a in test["attempts"][-1:] for e in a["executions"] if e in executions]
        if test["status"] in BAD and test["attempts"]:
            change = self._change(last[-1], attempts[-1]) if last else None
        return TestView(
            name=str(test["name"]),
            notebook=str(test["notebook"] or ""),
            status=_status(test),
            message=str(test["message"] or ""),
            duration_ms=float(test["duration_ms"] or 0),
            tags=tuple(map(str, test["tags"] or ())),
            attempts=attempts,
            change=change,
            history=self._past.of(last),
            differences=tuple(map(str, test.get("differences") or ())),
            quarantine=str(test.get("quarantine") or ""),
        )

    def _attempt(
        self,
        attempt: Mapping[str, Any],
        executions: Mapping[str, Mapping[str, Any]],
        steps: Mapping[str, Sequence[Mapping[str, Any]]],
        files: Mapping[str, Mapping[str, Any]],
        console: Mapping[str, Sequence[Mapping[str, Any]]],
        requests: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> AttemptView:
        own = [e for e in attempt["executions"] if e in executions]
        browsers = {
            " ".join(str(executions[e][k]) for k in ("browser", "browser_version") if executions[e][k]) for e in own
        }
        executed = Path(attempt["executed"]) if attempt.get("executed") else None
        ran = [
            ExecutionView(
                name=str(executions[e]["test_name"] or ""),
                status=str(executions[e]["status"]),
                message=str(executions[e]["error_message"] or ""),
                duration_ms=float(executions[e]["duration_ms"] or 0),
                steps=tuple(self._steps(steps.get(e, ()), files)),
            )
            for e in own
        ]
        return AttemptView(
            number=int(attempt["attempt"] or 1),
            status=str(attempt["status"]),
            message=str(attempt["message"] or ""),
            duration_ms=float(attempt["duration_ms"] or 0),
            browser=", ".join(sorted(b for b in browsers if b)),
            executions=(*ran, *_never_begun(executed, [execution.name for execution in ran])),
            trace=failure_in(executed).trace if attempt["status"] in BAD else (),
            console=tuple((str(m["level"]), str(m["text"])) for e in own for m in console.get(e, ())),
            requests=tuple(
                (str(r["method"]), str(r["url"]), str(r["status"] or r["text"] or "no answer"))
                for e in own
                for r in requests.get(e, ())
            ),
            notebook=self._notebook(executed),
            notebook_page=self._notebook_page(executed),
        )

    def _steps(self, rows: Sequence[Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]) -> list[StepView]:
        parents = {row["step_id"]: row["parent_step_id"] for row in rows}
        views = []
        for row in rows:
            depth, parent = 0, row["parent_step_id"]
            while parent in parents and depth < 8:
                depth, parent = depth + 1, parents[parent]
            views.append(
                StepView(
                    ordinal=int(row["ordinal"] or 0),
                    name=str(row["name"] or row["verb"] or ""),
                    verb=str(row["verb"] or ""),
                    status=str(row["status"]),
                    duration_ms=float(row["duration_ms"] or 0),
                    url=str(row["url"] or ""),
                    title=str(row["title"] or ""),
                    error_type=row["error_type"],
                    error_message=row["error_message"],
                    picture=self._picture(files.get(row["screenshot"])),
                    depth=depth,
                    evidence=self._evidence_of(str(row["step_id"])),
                )
            )
        return views

    def _evidence_of(self, step_id: str) -> str | None:
        """Copy what a failed step left, one file that stands alone; its address."""
        source = self.home / str(self._evidence.get(step_id) or "")
        if not source.is_file() or not source.resolve().is_relative_to(self.home.resolve()):
            return None
        (self.folder / "evidence").mkdir(exist_ok=True)
        shutil.copyfile(source, self.folder / "evidence" / f"{step_id}.html")
        return f"evidence/{step_id}.html"

    def _picture(self, artifact: Mapping[str, Any] | None) -> Picture | None:
        """Copy a picture and make its small one, once each. None where the file is gone or no picture."""
        if artifact is None:
            return None
        name = str(artifact["artifact"])
        if name not in self._pictures:
            self._pictures[name] = self._copied(self.home / str(artifact["path"]), name)
        return self._pictures[name]

    def _copied(self, source: Path, name: str) -> Picture | None:
        from PIL import Image, UnidentifiedImageError

        if not source.is_file() or not source.resolve().is_relative_to(self.home.resolve()):
            return None
        assets = self.folder / "assets"
        assets.mkdir(exist_ok=True)
        whole, small = f"{name[:32]}{source.suffix or '.png'}", f"{name[:32]}.small.webp"
        try:
            with Image.open(source) as image:
                width, height = image.size
                image.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH * 4))
                image.convert("RGB").save(assets / small, "WEBP", quality=82, method=2)
        except (UnidentifiedImageError, Image.DecompressionBombError):
            return None
        shutil.copyfile(source, assets / whole)
        return Picture(f"assets/{whole}", f"assets/{small}", width, height)

    def _notebook(self, executed: Path | None) -> str | None:
        if executed is None or not executed.is_file():
            return None
        (self.folder / "notebooks").mkdir(exist_ok=True)
        shutil.copyfile(executed, self.folder / "notebooks" / executed.name)
        return f"notebooks/{executed.name}"

    def _notebook_page(self, executed: Path | None) -> str | None:
        if executed is None or not executed.is_file() or self._pages <= 0:
            return None
        from .notebook_page import notebook_page

        self._pages -= 1
        page = executed.with_suffix(".html").name
        (self.folder / "notebooks" / page).write_text(notebook_page(executed), encoding="utf-8")
        return f"notebooks/{page}"

    def _change(self, execution: Mapping[str, Any], attempt: AttemptView) -> Change | None:
        """Against the last execution of the same test that passed; None where there is none."""
        green = self._rows(
            "SELECT e.execution_id, e.started_at, e.duration_ms, r.git_commit FROM executions e"
            " LEFT JOIN runs r USING (run_id) WHERE e.history_id = ? AND e.status = 'passed'"
            " AND e.run_id <> ? AND e.started_at < ? ORDER BY e.started_at DESC LIMIT 1",
            [execution["history_id"], self.run_id, execution["started_at"]],
        )
        if not green:
            return None
        last = green[0]
        rows = self._rows("SELECT name FROM steps WHERE execution_id = ? ORDER BY ordinal", [last["execution_id"]])
        before, now = [str(row["name"]) for row in rows], [step.name for step in attempt.steps]
        # Steps after the one that failed are not gone, they were not reached.
        reached = max((before.index(name) for name in now if name in before), default=-1) + 1
        return Change(
            when=when(last["started_at"]),
            commit=str(last["git_commit"] or "")[:10],
            added=tuple(name for name in dict.fromkeys(now) if name not in before),
            gone=tuple(name for name in dict.fromkeys(before[:reached]) if name not in now),
            duration_ms=float(last["duration_ms"] or 0),
        )


def _never_begun(executed: Path | None, reached: Sequence[str]) -> list[ExecutionView]:
    """The tests that stand in a notebook and that it ended before; as in a JUnit file, by their names."""
    if executed is None or not reached or not executed.is_file():
        return []
    left = [name for name in words_in(executed).names if name not in reached and "${" not in name]
    return [ExecutionView(name, "not_run", "", 0.0) for name in left]


def _status(test: Mapping[str, Any]) -> str:
    """How a test is told: one that is quarantined and did not pass fails nothing."""
    status = str(test["status"])
    return "quarantined" if test.get("quarantine") and status in BAD else status


def _grouped(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row["execution_id"]), []).append(row)
    return groups


def _tests(document: Mapping[str, Any], executions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The tests of a run with their attempts: as the runner wrote them down, else put together from
    executions."""
    if document.get("tests"):
        tests: list[Mapping[str, Any]] = document["tests"]
        return tests
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for execution in executions:
        groups.setdefault((execution["notebook"], execution["test_name"], execution["history_id"]), []).append(
            execution
        )
    return [_test_of(group) for group in groups.values()]


def _test_of(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = group[-1]
    flaky = last["status"] == "passed" and last["attempt"] and last["attempt"] > 1
    return {
        "name": last["test_name"],
        "notebook": last["notebook"],
        "status": "flaky" if flaky else last["status"],
        "message": last["error_message"],
        "tags": last["tags"],
        "duration_ms": sum(e["duration_ms"] or 0 for e in group),
        "attempts": [
            {
                "attempt": e["attempt"],
                "status": e["status"],
                "message": e["error_message"],
                "duration_ms": e["duration_ms"],
                "executions": [e["execution_id"]],
            }
            for e in group
        ],
    }


def _facts(run: Mapping[str, Any], executions: Any) -> tuple[tuple[str, str], ...]:
    """What is worth knowing about a run, as name and text; what is not known is left out."""
    parameters = run["parameters"]
    if isinstance(parameters, str):
        parameters = json.loads(parameters)
    commit = str(run["git_commit"] or "")[:10]
    branch = str(run["git_branch"] or "")
    browsers = {" ".join(str(e[k]) for k in ("browser", "browser_version") if e[k]) for e in executions}
    facts = {
        "Browser": ", ".join(sorted(b for b in browsers if b)),
        "Commit": f"{commit} on {branch}" if commit and branch else commit or branch,
        "Parameters": ", ".join(f"{name}={value}" for name, value in (parameters or {}).items()),
        "Host": str(run["host"] or ""),
        "Python": str(run["python"] or ""),
    }
    return tuple((name, value) for name, value in facts.items() if value)
