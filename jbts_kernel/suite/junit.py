"""JUnit XML: one test case for each notebook, or for each test in it where it has several, as CI servers read it.

Kept to what every reader knows (testsuite, testcase, failure, error, skipped, properties, system-out). What
has no place there (attempts, flakiness, steps, the executed notebook) is a property; the steps are lines of
system-out, too, and the picture of a failure is an attachment as GitLab and Jenkins understand it.
"""

from __future__ import annotations

import datetime
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as Xml

from .outcome import BAD, Attempt, CaseResult, SuiteResult
from .selection import words_of

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KINDS = {"failed": "failure", "error": "error", "aborted": "error", "skipped": "skipped", "not_run": "skipped"}
_MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """An execution as the store has it: ``lines`` are its steps with what went wrong in them, ``pictures`` the
    files of those that failed, ``labels`` pairs of what was said of its test: category, priority, each tag."""

    name: str
    status: str
    message: str = ""
    error_type: str = ""
    duration_ms: float = 0.0
    lines: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def recorded(home: Path, run_id: str) -> dict[str, Recorded]:
    """The executions of a run by id. Raises StoreProblem."""
    from ..store.queries import Results

    results = Results(home)
    lines: dict[str, list[str]] = {}
    pictures: dict[str, list[Path]] = {}
    for step in results.rows(
        "SELECT s.execution_id, s.status, s.name, s.duration_ms, s.error_message, a.path FROM steps s"
        " LEFT JOIN (SELECT DISTINCT artifact, path FROM artifacts WHERE run_id = ?) a ON a.artifact = s.screenshot"
        " WHERE s.run_id = ? ORDER BY s.execution_id, s.ordinal",
        [run_id, run_id],
        limit=_MANY,
    ).dicts():
        bad = step["status"] in BAD
        why = f": {step['error_message']}" if bad and step["error_message"] else ""
        line = f"{step['status']:8} {step['name']} ({step['duration_ms'] or 0:.0f} ms){why}"
        lines.setdefault(str(step["execution_id"]), []).append(line)
        if bad and step["path"]:
            pictures.setdefault(str(step["execution_id"]), []).append(home / str(step["path"]))
    rows = results.rows("SELECT * FROM executions WHERE run_id = ?", [run_id], limit=_MANY).dicts()
    return {
        str(row["execution_id"]): Recorded(
            name=str(row["test_name"] or ""),
            status=str(row["status"]),
            message=str(row["error_message"] or ""),
            error_type=str(row["error_type"] or ""),
            duration_ms=float(row["duration_ms"] or 0),
            lines=tuple(lines.get(str(row["execution_id"]), ())),
            pictures=tuple(pictures.get(str(row["execution_id"]), ())),
            labels=_labels(row["category"], row["priority"], row["tags"] or ()),
        )
        for row in rows
    }


def _labels(category: object, priority: object, tags: Iterable[object]) -> tuple[tuple[str, str], ...]:
    named = [("category", category), ("priority", priority), *(("tag", tag) for tag in tags)]
    return tuple((name, str(value)) for name, value in named if value)


def write_junit(result: SuiteResult, path: Path, known: Mapping[str, Recorded] | None = None) -> Path:
    """Write ``result`` to ``path``; its folder is made. ``known`` is what :func:`recorded` found. Raises OSError."""
    cases = [element for case in result.results for element in _cases(case, known or {})]
    suite = Xml.Element("testsuite", _counts(cases, result.duration_ms))
    suite.set("name", "jbts")
    suite.set("hostname", _clean(socket.gethostname()))
    started = datetime.datetime.fromtimestamp(result.started_at, datetime.UTC)
    suite.set("timestamp", started.strftime("%Y-%m-%dT%H:%M:%S"))
    _property(Xml.SubElement(suite, "properties"), "run_id", result.run_id)
    suite.extend(cases)
    root = Xml.Element("testsuites", {**_counts(cases, result.duration_ms), "name": "jbts"})
    root.append(suite)
    Xml.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="utf-8"))
    return path


def _counts(cases: Sequence[Xml.Element], duration_ms: float) -> dict[str, str]:
    kinds = [child.tag for case in cases for child in case]
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {
        "tests": str(len(cases)),
        **{name: str(kinds.count(kind)) for name, kind in counts.items()},
        "time": f"{duration_ms / 1000:.3f}",
    }


def _cases(result: CaseResult, known: Mapping[str, Recorded]) -> list[Xml.Element]:
    """The test cases of one notebook: each test in it by its name where it says that there are several, also
    those that were not reached, so that a test is always found under the same name."""
    last = [known[e] for a in result.attempts[-1:] for e in a.executions if e in known]
    declared = words_of(result.case).names
    if not last or len(last) < 2 > len(declared):
        return [_notebook(result, last)]
    before = {
        known[e].name for a in result.attempts[:-1] for e in a.executions if e in known and known[e].status in BAD
    }
    reached = {test.name for test in last}
    left = [name for name in declared if name not in reached and "${" not in name]
    last += [Recorded(name, "not_run", "the notebook ended before this test began") for name in left]
    own = {e: known[e].name for a in result.attempts for e in a.executions if e in known}
    elements = [
        _test(result, test, test.name in before, [e for e, name in own.items() if name == test.name]) for test in last
    ]
    if result.status in BAD and not any(test.status in BAD - {"not_run"} for test in last):
        elements.append(_notebook(result, []))  # it failed beside its tests
    return elements


def _element(result: CaseResult, name: str, classname: str, duration_ms: float) -> Xml.Element:
    about = {"classname": classname, "name": f"{name}{result.case.variant}", "file": result.case.notebook}
    times = {"time": f"{duration_ms / 1000:.3f}"}
    return Xml.Element("testcase", {key: _clean(value) for key, value in (about | times).items()})


def _test(result: CaseResult, test: Recorded, flaky: bool, executions: Sequence[str]) -> Xml.Element:
    """A test case for one of a notebook's tests, whose notebook is its class, with its own executions."""
    stem = PurePosixPath(result.case.notebook.removesuffix(".ipynb"))
    classname = ".".join(part for part in stem.parts if part not in ("/", ".", ".."))
    element = _element(result, test.name, classname, test.duration_ms)
    status = "flaky" if flaky and test.status == "passed" else test.status
    _properties(element, result, status, executions, test.labels)
    _problem(element, result, test.status, test.message, test.error_type, result.case.notebook)
    _said(element, test.lines, test.pictures)
    _steps(element, test.lines)
    return element


def _notebook(result: CaseResult, tests: Sequence[Recorded]) -> Xml.Element:
    """The test case of a notebook as a whole."""
    case, verdict = result.case, result.verdict
    folder = PurePosixPath(case.notebook).parent
    classname = ".".join(part for part in folder.parts if part not in ("/", ".", ".."))
    element = _element(result, case.test_name, classname or case.test_name, result.duration_ms)
    executions = [execution for attempt in result.attempts for execution in attempt.executions]
    _properties(element, result, result.status, executions, [label for test in tests for label in test.labels])
    place = f"{case.notebook}, cell {verdict.cell + 1}" if verdict.cell is not None else case.notebook
    _problem(element, result, result.status, verdict.message, verdict.error_type, place)
    lines = [line for attempt in result.attempts for line in _lines(attempt, len(result.attempts))]
    lines += [f"difference: {line}" for line in result.differences]
    if len(result.attempts) == 1 and tests:
        lines = [line for test in tests for line in test.lines]
    _said(element, lines, [picture for test in tests for picture in test.pictures])
    _steps(element, [line for test in tests for line in test.lines])
    return element


def _properties(
    element: Xml.Element,
    result: CaseResult,
    status: str,
    executions: Sequence[str],
    labels: Sequence[tuple[str, str]],
) -> None:
    case = result.case
    properties = Xml.SubElement(element, "properties")
    _property(properties, "status", status)
    _property(properties, "attempts", str(len(result.attempts)))
    if status == "flaky":
        _property(properties, "flaky", "true")
    if case.browser:
        _property(properties, "browser", case.browser)
    for name, value in dict.fromkeys((*labels, *_labels(case.category, case.priority, case.tags))):
        _property(properties, name, value)
    for execution in executions:
        _property(properties, "execution_id", execution)
    for attempt in result.attempts:
        if attempt.executed:
            _property(properties, f"notebook_attempt_{attempt.number}", str(attempt.executed))


def _problem(
    element: Xml.Element, result: CaseResult, status: str, message: str, error_type: str | None, place: str
) -> None:
    """What went wrong; of a quarantined notebook, which fails no pipeline, as a skip that says so."""
    if status not in _KINDS:
        return
    if result.case.quarantine is not None and status in BAD:
        said = f"quarantined ({result.case.quarantine}): {status}: {message}"
        Xml.SubElement(element, "skipped", {"message": _clean(said)})
        return
    problem = Xml.SubElement(element, _KINDS[status], {"message": _clean(message)})
    if _KINDS[status] != "skipped":
        problem.set("type", _clean(error_type or "Error"))
        problem.text = _clean(f"{message}\n{place}")


def _said(element: Xml.Element, lines: Sequence[str], pictures: Sequence[Path]) -> None:
    """The steps, and the pictures as addresses from here, which is where CI looks for them."""
    here = Path.cwd()
    shown = [picture.relative_to(here) if picture.is_relative_to(here) else picture for picture in pictures]
    text = [*lines, *(f"[[ATTACHMENT|{picture}]]" for picture in shown)]
    if text:
        Xml.SubElement(element, "system-out").text = _clean("\n".join(text))


def _steps(element: Xml.Element, lines: Sequence[str]) -> None:
    """A property for each step, as pytest's own file has them."""
    properties = element.find("properties")
    assert properties is not None, "made with the element"
    for line in lines:
        _property(properties, "step", line)


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
