"""What an executed notebook proves: pure, from the notebook alone.

Nothing is green by accident. A notebook passed if every code cell is known to have completed: the kernel said
"ok" and gave it a number. Everything else has a reason, and the reason is one line.

Statuses of a cell (``cell.metadata.jbts.status``, written by :mod:`.client`):

``ok`` completed, ``error`` raised, ``timeout`` took too long, ``died`` with its kernel, ``interrupted``,
``exit`` ended the kernel with ``exit()``, ``skipped`` left out by a tag, ``not_run`` never began. A
notebook run by something else has no such note; its execution counts and outputs are read instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import INFRASTRUCTURE

VerdictStatus = Literal["passed", "failed", "error", "skipped", "aborted"]

LEFT_OUT = frozenset({"skip-ci", "skip-execution"})
"""Tags of cells a suite does not run."""

INCOMPLETE = "NotebookIncomplete"
"""Error name of an output that was added because nothing else told of the failure."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_ARROW = re.compile(r"^-+>\s*\d+\s+(.*\S)", re.MULTILINE)
_NAMED = re.compile(r"([A-Z]\w+): ")
_CELL_FILE = re.compile(r"\(\d+\.py, line")
_FAILURES = frozenset({"AssertionError", "ExpectationFailed"})
_EXIT_CALLS = frozenset({"", "0", "None"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one attempt at a notebook ended. ``message`` is one line (empty where it passed), ``cell`` the
    position in the notebook as it was written, from 0, of the cell it is about, ``error_type`` the exception's name.
    ``infrastructure`` says that the test never had its chance: no browser, no kernel."""

    status: VerdictStatus
    message: str = ""
    cell: int | None = None
    error_type: str | None = None
    infrastructure: bool = False

    @property
    def ok(self) -> bool:
        return self.status in ("passed", "skipped")


def judge(notebook: Mapping[str, Any]) -> Verdict:
    """The verdict on an executed notebook (nbformat 4)."""
    everything = notebook.get("cells", [])
    cells = [(i, c) for i, c in enumerate(everything) if is_code(c)]
    if not cells:
        return Verdict("error", "the notebook has no code cell: nothing was tested", error_type="EmptyNotebook")
    states = {i: cell_state(c) for i, c in cells}
    problems = [(i, c) for i, c in cells if not _fine(c, states[i])]
    # What stopped the notebook explains the cells after it; a teardown cell is blamed only for itself.
    order = sorted(problems, key=lambda p: ("teardown" in tags(p[1]), states[p[0]] == "not_run", p[0]))
    exits = [i for i, c in cells if states[i] == "exit"]
    if order and exits and exits[0] < order[0][0]:
        place = written(everything, exits[0])
        return Verdict("error", f"exit() in cell {place + 1} {_never_ran(states, exits[0])}", place, "SystemExit")
    if order:
        index, cell = order[0]
        return _problem(cell, written(everything, index), states[index], _never_ran(states, index))
    if all(state == "skipped" for state in states.values()):
        return Verdict("skipped", "every cell is left out of suites by its tag")
    return Verdict("passed")


def unreadable(reason: str) -> Verdict:
    """The verdict on a file that could not be run at all."""
    return Verdict("error", one_line(reason), error_type="NotebookUnreadable")


def missing_parameter(names: Sequence[str]) -> Verdict:
    """The verdict on a notebook that was not given what it declares without a value."""
    which = f"parameter {names[0]} is" if len(names) == 1 else f"parameters {', '.join(names)} are"
    given = " ".join(f"-p {name}=VALUE" for name in names)
    return Verdict("error", f"{which} missing: give {given}", error_type="MissingParameter")


def not_started(reason: str) -> Verdict:
    """The verdict where no kernel came up."""
    return Verdict("error", one_line(reason), error_type="KernelNotStarted", infrastructure=True)


def is_code(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is one that runs."""
    return cell.get("cell_type") == "code" and bool("".join(cell.get("source", "")).strip())


def injected(cell: Mapping[str, Any]) -> bool:
    """Whether papermill put a cell in, with the parameters: the notebook as it was written has no such cell."""
    return "injected-parameters" in tags(cell)


def written(cells: Sequence[Mapping[str, Any]], index: int) -> int:
    """The position, in the notebook as it was written, of the cell at ``index`` of the one that ran."""
    return index - sum(injected(cell) for cell in cells[:index])


def tags(cell: Mapping[str, Any]) -> Sequence[str]:
    """A cell's tags."""
    found: Sequence[str] = cell.get("metadata", {}).get("tags", ())
    return found


def cell_state(cell: Mapping[str, Any]) -> str:
    """How a code cell went, as a status of the list above."""
    counted = isinstance(cell.get("execution_count"), int)
    noted = cell.get("metadata", {}).get("jbts", {}).get("status")
    if isinstance(noted, str):
        return "not_run" if noted == "ok" and not counted else noted
    if LEFT_OUT & set(tags(cell)):
        return "skipped"
    if _first_error(cell) is not None or _usage_error(cell):
        return "error"
    return "ok" if counted else "not_run"


def one_line(text: object, limit: int = 500) -> str:
    """The first line of a text that has something on it, without colours, bounded."""
    plain = ANSI.sub("", str(text))
    line = next((part.strip() for part in plain.splitlines() if part.strip()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _fine(cell: Mapping[str, Any], state: str) -> bool:
    return state in ("ok", "skipped", "exit") or (state == "error" and "raises-exception" in tags(cell))


def _problem(cell: Mapping[str, Any], index: int, state: str, never_ran: str) -> Verdict:
    """The verdict because of one cell that did not complete."""
    message = one_line(cell.get("metadata", {}).get("jbts", {}).get("message", ""))
    if state == "interrupted":
        return Verdict("aborted", message, index, "KeyboardInterrupt")
    if state == "not_run":
        why = message or "did not run, and nothing says why"
        if why.startswith("interrupted"):
            return Verdict("aborted", f"cell {index + 1} was {why}", index, "KeyboardInterrupt")
        return Verdict(
            "error",
            f"cell {index + 1}: {why}",
            index,
            "CellTimeout" if "had taken its" in why else INCOMPLETE,
        )
    if state != "error" or message:
        name = {"timeout": "CellTimeout", "died": "DeadKernel"}.get(state, INCOMPLETE)
        return Verdict("error", message or f"cell {index + 1}: {state}", index, name)
    name, message = _error(cell)
    if name == "SystemExit":
        message = f"{message} in cell {index + 1} {never_ran}"
    if name == "MemoryError":
        message = f"out of memory in cell {index + 1}: {message}"
    status: VerdictStatus = "failed" if name in _FAILURES else "error"
    for tag in ("setup", "teardown"):
        if tag in tags(cell):
            status, message = "error", f"{tag}: {message}"
    return Verdict(status, message, index, name, infrastructure=name in INFRASTRUCTURE)


def _error(cell: Mapping[str, Any]) -> tuple[str, str]:
    """An exception's name and one line about it; a failed step goes by the name of what went wrong in it."""
    output = _first_error(cell)
    if output is None:
        return "UsageError", _usage_error(cell) or "UsageError"
    name, value = str(output.get("ename", "Error")), one_line(output.get("evalue", ""))
    if name == "SystemExit":
        return name, f"sys.exit({'' if value in _EXIT_CALLS - {'0'} else value})"
    if name == "StepFailed" and (found := _NAMED.match(value)):
        return found[1], value
    if not value:
        # A bare `assert` says nothing of itself: the line it stands on does.
        trace = ANSI.sub("", "\n".join(output.get("traceback", ())))
        value = one_line(_ARROW.findall(trace)[-1]) if _ARROW.search(trace) else ""
    value = _CELL_FILE.sub("(line", value)
    return name, f"{name}: {value}" if value else name


def _first_error(cell: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((o for o in cell.get("outputs", ()) if o.get("output_type") == "error"), None)


def _usage_error(cell: Mapping[str, Any]) -> str:
    """What IPython prints, instead of an error output, when a magic was called wrongly."""
    streams: Iterable[Mapping[str, Any]] = (o for o in cell.get("outputs", ()) if o.get("name") == "stderr")
    texts = ("".join(o.get("text", "")) for o in streams)
    return next((one_line(text) for text in texts if text.startswith("UsageError:")), "")


def _never_ran(states: Mapping[int, str], index: int) -> str:
    left = sum(1 for i, state in states.items() if i > index and state == "not_run")
    return f"ended the notebook; {left} cell{'' if left == 1 else 's'} did not run" if left else "ended the notebook"
