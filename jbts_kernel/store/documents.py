"""A run's results in the forms that other tools read: Allure result files and JUnit XML.

Made from the store, so a run can be exported long after it was made, on any machine that has its rows. Allure
gets one result for each execution (attempts of a test share its ``historyId``, so Allure shows them as retries),
with its steps nested as they ran and its pictures. JUnit gets one test case for each test, judged by its last
attempt, and flakiness as a property.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from ..errors import StoreProblem
from .queries import Results

Row = Mapping[str, Any]

_ALL = 1 << 31
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ALLURE_STATUS = {"passed": "passed", "failed": "failed", "error": "broken", "aborted": "broken", "skipped": "skipped"}
_SEVERITY = {"critical": "blocker", "high": "critical", "medium": "normal", "low": "minor"}


def latest_run(results: Results) -> str:
    """The run that began last. Raises StoreProblem when there is none."""
    found = results.value("SELECT run_id FROM runs ORDER BY started_at DESC, run_id DESC LIMIT 1")
    if found is None:
        raise StoreProblem("there is no run to export; run a test first")
    return str(found)


def _executions(results: Results, run_id: str) -> list[dict[str, Any]]:
    found = results.rows(
        "SELECT *, coalesce(history_id, test_name, execution_id) AS test FROM executions WHERE run_id = ?"
        " ORDER BY started_at, execution_id",
        [run_id],
        limit=_ALL,
    ).dicts()
    if not found:
        raise StoreProblem(f"there is no execution of a run {run_id}; jbts query 'from run_summary' lists the runs")
    return found


def _steps(results: Results, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """The steps of a run by execution, in their order."""
    steps: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in results.rows(
        "SELECT s.* FROM steps s JOIN executions e USING (execution_id) WHERE e.run_id = ?"
        " ORDER BY execution_id, ordinal, step_id",
        [run_id],
        limit=_ALL,
    ).dicts():
        steps[step["execution_id"]].append(step)
    return steps


# ---- Allure --------------------------------------------------------------------------------------


def write_allure(results: Results, run_id: str, folder: Path) -> int:
    """Write the result files of a run into ``folder``, which is made; how many executions. What other runs have
    put there stays, and the same run replaces its own. Raises StoreProblem."""
    executions, steps = _executions(results, run_id), _steps(results, run_id)
    files = {
        row["artifact"]: row
        for row in results.rows(
            "SELECT DISTINCT a.artifact, a.mime, a.path FROM artifacts a JOIN executions e USING (execution_id)"
            " WHERE e.run_id = ?",
            [run_id],
            limit=_ALL,
        ).dicts()
    }
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for execution in executions:
            result = _allure_result(
                execution, steps[execution["execution_id"]], _Attachments(results.home, folder, files)
            )
            _write(folder / f"{result['uuid']}-result.json", json.dumps(result, ensure_ascii=False, indent=1))
    except OSError as problem:
        raise StoreProblem(f"the Allure results could not be written to {folder}: {problem}") from problem
    return len(executions)


class _Attachments:
    """Copies stored files beside the results, each once, under the name Allure wants."""

    def __init__(self, home: Path, folder: Path, files: Mapping[str, Row]) -> None:
        self.home, self.folder, self.files = home, folder, files

    def __call__(self, artifact: str | None, title: str) -> list[dict[str, str]]:
        row = self.files.get(artifact or "")
        if row is None:
            return []
        source = (self.home / str(row["path"])).resolve()
        if not source.is_relative_to(self.home.resolve()) or not source.is_file():
            return []  # pruned, or never taken over from where it was made
        name = f"{row['artifact']}-attachment{source.suffix}"
        if not (self.folder / name).exists():
            shutil.copyfile(source, self.folder / name)
        return [{"name": title, "source": name, "type": str(row["mime"])}]


def _allure_result(execution: Row, steps: Sequence[Row], attach: _Attachments) -> dict[str, Any]:
    labels = [("framework", "jbts"), ("language", "python"), ("suite", execution["notebook"] or "interactive")]
    labels += [("tag", tag) for tag in execution["tags"] or ()]
    labels += [("severity", _SEVERITY[execution["priority"]])] if execution["priority"] in _SEVERITY else []
    labels += [("epic", execution["category"])] if execution["category"] else []
    parameters = json.loads(execution["parameters"] or "{}")
    parameters |= (
        {"browser": f"{execution['browser']} {execution['browser_version'] or ''}"} if execution["browser"] else {}
    )
    return {
        "uuid": execution["execution_id"],
        "historyId": hashlib.md5(str(execution["test"]).encode(), usedforsecurity=False).hexdigest(),
        "testCaseId": hashlib.md5(str(execution["test_name"]).encode(), usedforsecurity=False).hexdigest(),
        "name": execution["test_name"] or "interactive",
        "fullName": f"{execution['notebook'] or 'interactive'}#{execution['test_name']}",
        **_allure_outcome(execution),
        "labels": [{"name": name, "value": str(value)} for name, value in labels],
        "parameters": [{"name": name, "value": str(value).strip()} for name, value in parameters.items()],
        "steps": _allure_steps(steps, None, attach),
    }


def _allure_steps(steps: Sequence[Row], parent: str | None, attach: _Attachments) -> list[dict[str, Any]]:
    known = {step["step_id"] for step in steps}
    return [
        {
            "name": step["name"] or step["verb"] or "step",
            **_allure_outcome(step),
            "parameters": [
                {"name": name, "value": str(step[name])}
                for name in ("locator", "input", "expected", "url")
                if step[name]
            ],
            "attachments": attach(step["screenshot"], "the page after it"),
            "steps": _allure_steps(steps, step["step_id"], attach),
        }
        for step in steps
        # a step whose group was not recorded stands at the top rather than nowhere
        if (step["parent_step_id"] if step["parent_step_id"] in known else None) == parent
    ]


def _allure_outcome(row: Row) -> dict[str, Any]:
    start = _milliseconds(row["started_at"])
    end = _milliseconds(row["ended_at"]) or (start + int(row["duration_ms"] or 0) if start else None)
    details = {"message": f"{row['error_type']}: {row['error_message']}"} if row["error_message"] else {}
    return {
        "status": _ALLURE_STATUS.get(row["status"], "unknown"),
        "statusDetails": details,
        "stage": "running" if row["status"] == "running" else "finished",
        "start": start,
        "stop": end,
    }


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000) if moment else None


# ---- JUnit ---------------------------------------------------------------------------------------


def write_junit(results: Results, run_id: str, file: Path) -> int:
    """Write the JUnit XML of a run to ``file``; how many tests. Raises StoreProblem."""
    executions, steps = _executions(results, run_id), _steps(results, run_id)
    tests: list[list[dict[str, Any]]] = []
    latest: dict[str, list[dict[str, Any]]] = {}
    for execution in executions:  # attempts 1, 2, 3 ... that follow each other are one test
        attempt, test = execution["attempt"] or 1, str(execution["test"])
        if attempt == 1 or test not in latest:
            tests.append([])
            latest[test] = tests[-1]
        latest[test].append(execution)
    ends = [str(attempts[-1]["status"]) for attempts in tests]
    suite = Xml.Element("testsuite")
    for name, value in {
        "name": "jbts",
        "tests": len(tests),
        "failures": ends.count("failed"),
        "errors": ends.count("error") + ends.count("aborted"),
        "skipped": ends.count("skipped"),
        "time": _seconds(executions),
        "timestamp": min((e["started_at"] for e in executions if e["started_at"]), default=None),
    }.items():
        if value is not None:
            suite.set(name, value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value))
    _property(Xml.SubElement(suite, "properties"), "run_id", run_id)
    for attempts in tests:
        suite.append(_junit_case(attempts, steps))
    root = Xml.Element("testsuites", {k: v for k, v in suite.attrib.items() if k != "timestamp"})
    root.append(suite)
    Xml.indent(root)
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        _write(Path(file), '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n")
    except OSError as problem:
        raise StoreProblem(f"the JUnit file could not be written to {file}: {problem}") from problem
    return len(tests)


def _junit_case(attempts: Sequence[Row], steps: Mapping[str, Sequence[Row]]) -> Xml.Element:
    last = attempts[-1]
    case = Xml.Element("testcase", {"name": _clean(last["test_name"] or "interactive"), "time": _seconds(attempts)})
    notebook = str(last["notebook"] or "interactive")
    case.set("classname", _clean(re.sub(r"[/\\]", ".", notebook.removesuffix(".ipynb"))))
    case.set("file", _clean(notebook))
    properties = Xml.SubElement(case, "properties")
    _property(properties, "status", str(last["status"]))
    _property(properties, "attempts", str(len(attempts)))
    if last["status"] == "passed" and len(attempts) > 1:
        _property(properties, "flaky", "true")
    for tag in last["tags"] or ():
        _property(properties, "tag", str(tag))
    for attempt in attempts:
        _property(properties, "execution_id", str(attempt["execution_id"]))
    kind = {"failed": "failure", "error": "error", "aborted": "error", "skipped": "skipped"}.get(str(last["status"]))
    if kind:
        problem = Xml.SubElement(case, kind, {"message": _clean(last["error_message"] or str(last["status"]))})
        if kind != "skipped":
            problem.set("type", _clean(last["error_type"] or "Error"))
    lines = [
        f"{step['status']:8} {step['name']} ({(step['duration_ms'] or 0):.0f} ms)"
        for attempt in attempts
        for step in steps.get(str(attempt["execution_id"]), ())
    ]
    if lines:
        Xml.SubElement(case, "system-out").text = _clean("\n".join(lines))
    return case


def _seconds(executions: Sequence[Row]) -> str:
    return f"{sum(execution['duration_ms'] or 0 for execution in executions) / 1000:.3f}"


def _property(properties: Xml.Element, name: str, value: str) -> None:
    Xml.SubElement(properties, "property", {"name": name, "value": _clean(value)})


def _clean(text: str) -> str:
    """Without what XML cannot hold; pages put control characters into their titles."""
    return _NOT_XML.sub("\ufffd", text)


def _write(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(file)
