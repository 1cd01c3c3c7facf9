"""JUnit XML: one test case for each notebook, as CI servers read it.

Kept to what every reader knows (testsuite, testcase, failure, error, skipped, properties, system-out). What
has no place there (attempts, flakiness, the executed notebook) is a property, and the steps are lines of
system-out.
"""

from __future__ import annotations

import datetime
import re
import socket
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as Xml

from .outcome import Attempt, CaseResult, SuiteResult

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(result: SuiteResult, path: Path) -> Path:
    """Write ``result`` to ``path``; its folder is made. Raises OSError."""
    suite = Xml.Element("testsuite", _counts(result))
    suite.set("name", "jbts")
    suite.set("hostname", _clean(socket.gethostname()))
    started = datetime.datetime.fromtimestamp(result.started_at, datetime.UTC)
    suite.set("timestamp", started.strftime("%Y-%m-%dT%H:%M:%S"))
    _property(Xml.SubElement(suite, "properties"), "run_id", result.run_id)
    for case in result.results:
        suite.append(_case(case))
    root = Xml.Element("testsuites", {**_counts(result), "name": "jbts"})
    root.append(suite)
    Xml.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="utf-8"))
    return path


def _counts(result: SuiteResult) -> dict[str, str]:
    counts = result.counts
    return {
        "tests": str(len(result.results)),
        "failures": str(counts.get("failed", 0)),
        "errors": str(counts.get("error", 0) + counts.get("aborted", 0)),
        "skipped": str(counts.get("skipped", 0) + counts.get("not_run", 0)),
        "time": f"{result.duration_ms / 1000:.3f}",
    }


def _case(result: CaseResult) -> Xml.Element:
    case, verdict = result.case, result.verdict
    folder = PurePosixPath(case.notebook).parent
    classname = ".".join(part for part in folder.parts if part not in ("/", ".", ".."))
    element = Xml.Element(
        "testcase",
        {
            "classname": _clean(classname or case.test_name),
            "name": _clean(f"{case.test_name}{case.variant}"),
            "file": _clean(case.notebook),
            "time": f"{result.duration_ms / 1000:.3f}",
        },
    )
    properties = Xml.SubElement(element, "properties")
    _property(properties, "status", result.status)
    _property(properties, "attempts", str(len(result.attempts)))
    if result.status == "flaky":
        _property(properties, "flaky", "true")
    for name, value in (("browser", case.browser), ("category", case.category), ("priority", case.priority)):
        if value:
            _property(properties, name, value)
    for tag in case.tags:
        _property(properties, "tag", tag)
    for attempt in result.attempts:
        for execution in attempt.executions:
            _property(properties, "execution_id", execution)
        if attempt.executed:
            _property(properties, f"notebook_attempt_{attempt.number}", str(attempt.executed))
    kinds = {
        "failed": "failure",
        "error": "error",
        "aborted": "error",
        "skipped": "skipped",
        "not_run": "skipped",
    }
    if result.status in kinds:
        problem = Xml.SubElement(element, kinds[result.status], {"message": _clean(verdict.message)})
        if kinds[result.status] != "skipped":
            problem.set("type", _clean(verdict.error_type or "Error"))
            problem.text = _clean(_where(verdict.message, result))
    if lines := [line for attempt in result.attempts for line in _lines(attempt, len(result.attempts))]:
        Xml.SubElement(element, "system-out").text = _clean("\n".join(lines))
    return element


def _where(message: str, result: CaseResult) -> str:
    cell = result.verdict.cell
    place = f"{result.case.notebook}, cell {cell + 1}" if cell is not None else result.case.notebook
    return f"{message}\n{place}"


def _lines(attempt: Attempt, count: int) -> list[str]:
    head = (
        [f"attempt {attempt.number}: {attempt.verdict.status} {attempt.verdict.message}".rstrip()] if count > 1 else []
    )
    return [*head, *attempt.steps]


def _property(properties: Xml.Element, name: str, value: str) -> None:
    Xml.SubElement(properties, "property", {"name": name, "value": _clean(value)})


def _clean(text: str) -> str:
    """Without what XML cannot hold; pages put control characters into their titles."""
    return _NOT_XML.sub("\ufffd", text)
