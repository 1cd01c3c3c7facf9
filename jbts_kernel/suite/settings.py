"""``suite.toml``: what a team wants of every run of its suite, written down beside the notebooks.

::

    [run]                          # defaults for the options of jbts run; the command line wins
    workers = 2                    # or "auto"
    browser = ["chrome", "firefox"]
    retries = 1
    timeout = 300                  # seconds for each notebook; 0 is no limit
    cell_timeout = 60              # seconds for each cell; 0 is no limit
    tags = "not slow"

    [quarantine]                   # run and reported, but they fail nothing
    tests = ["login.ipynb", { name = "cart*.ipynb", reason = "waits for the new till" }]
    reason = "known to be unstable"

    [parametrize."login.ipynb"]    # once for each combination
    user = ["ann", "bob"]
    lang = ["en", "de"]

    [[parametrize."shop/*.ipynb"]] # or once for each table
    role = "guest"

The file is looked for in the folder the notebooks are in and above it, no further than the project's root. A
notebook is named by its file name, or by its path from the folder of ``suite.toml``; ``*``, ``?`` and ``[...]`` match
as in a shell. What the file says and nobody understands is an error: a misspelt quarantine must not look like one.
"""

from __future__ import annotations

import itertools
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import UsageProblem
from ..grammar import nearest

FILE = "suite.toml"
_ROOT_MARKS = (".jbts", ".git", "pyproject.toml")
_SECTIONS = ("run", "quarantine", "parametrize")
_NO_REASON = "quarantined"


@dataclass(frozen=True, slots=True)
class RunDefaults:
    """Options of ``jbts run`` where the command line leaves them out; None where the file does too."""

    workers: int | None = None
    browser: tuple[str, ...] = ()
    retries: int | None = None
    timeout: float | None = None
    cell_timeout: float | None = None
    tags: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A pattern of notebooks that fail nothing, and why."""

    pattern: str
    reason: str


@dataclass(frozen=True, slots=True)
class SuiteSettings:
    """What a ``suite.toml`` says; without one everything is empty. ``folder`` is where it lies."""

    folder: Path | None = None
    run: RunDefaults = RunDefaults()
    quarantine: tuple[Quarantine, ...] = ()
    parametrize: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    def quarantined(self, notebook: Path) -> str | None:
        """Why this notebook fails no run; None where it does."""
        return next((q.reason for q in self.quarantine if self._means(q.pattern, notebook)), None)

    def parameters(self, notebook: Path) -> tuple[Mapping[str, Any], ...]:
        """The sets of parameters this notebook runs with, one run for each; empty where there are none.
        Of several patterns that match, the first in the file counts."""
        return next((sets for pattern, sets in self.parametrize.items() if self._means(pattern, notebook)), ())

    def _means(self, pattern: str, notebook: Path) -> bool:
        if "/" not in pattern:
            return fnmatchcase(notebook.name, pattern)
        if self.folder is None or not notebook.is_relative_to(self.folder):
            return False
        return fnmatchcase(notebook.relative_to(self.folder).as_posix(), pattern)


def find_settings(paths: Sequence[Path]) -> SuiteSettings:
    """What the ``suite.toml`` nearest to these notebooks and folders says: in the folder they have in common,
    or above it up to the project's root (a folder with ``.git``, ``.jbts`` or ``pyproject.toml``).

    Raises:
        UsageProblem: there is one, and it cannot be understood.
    """
    folders = [path.resolve() if path.is_dir() else path.resolve().parent for path in paths]
    if not folders:
        return SuiteSettings()
    common = Path(os.path.commonpath(folders))
    for folder in (common, *common.parents):
        if (folder / FILE).is_file():
            return read_settings(folder / FILE)
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            break
    return SuiteSettings()


def read_settings(path: Path) -> SuiteSettings:
    """What one file says.

    Raises:
        UsageProblem: it cannot be read, is no TOML, or says something nobody understands.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageProblem(f"{path}: {problem}", word=FILE) from None
    reader = _Reader(path)
    reader.known(found, _SECTIONS, "section")
    return SuiteSettings(
        folder=path.resolve().parent,
        run=reader.run(reader.table(found, "run")),
        quarantine=reader.quarantine(reader.table(found, "quarantine")),
        parametrize={name: reader.sets(name, value) for name, value in reader.table(found, "parametrize").items()},
    )


def parameter_sets(value: Any) -> tuple[dict[str, Any], ...] | None:
    """Sets of parameters from how people write them: a table of names and lists is every combination (a single
    value counts as a list of one), a list of tables is itself; None where it is neither."""
    if isinstance(value, dict):
        lists = [options if isinstance(options, list) else [options] for options in value.values()]
        return tuple(dict(zip(value, chosen, strict=True)) for chosen in itertools.product(*lists))
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return tuple(dict(one) for one in value)
    return None


class _Reader:
    """Turns the tables of one file into values, naming file and word where that cannot be done."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, what: str, word: str) -> UsageProblem:
        return UsageProblem(f"{self.path}: {what}", word=word)

    def known(self, table: Mapping[str, Any], names: Sequence[str], kind: str) -> None:
        for name in table:
            if name not in names:
                near = nearest(name, names)
                instead = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
                raise self.refuse(f"there is no {kind} {name!r}; {instead}", name)

    def table(self, found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = found.get(name, {})
        if not isinstance(value, dict):
            raise self.refuse(f"{name} is a section: [{name}]", name)
        return value

    def run(self, table: Mapping[str, Any]) -> RunDefaults:
        self.known(table, RunDefaults.__slots__, "option of [run]")
        browser = table.get("browser", [])
        workers = table.get("workers")
        return RunDefaults(
            workers=(os.cpu_count() or 1) if workers == "auto" else self.number(table, "workers", int, 1),
            browser=self.words("browser", [browser] if isinstance(browser, str) else browser),
            retries=self.number(table, "retries", int, 0),
            timeout=self.number(table, "timeout", float, 0),
            cell_timeout=self.number(table, "cell_timeout", float, 0),
            tags=self.words("tags", [table["tags"]])[0] if "tags" in table else None,
        )

    def number(self, table: Mapping[str, Any], name: str, kind: type[int] | type[float], least: int) -> Any:
        value = table.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, kind)) or value < least:
            raise self.refuse(f"{name} is a number from {least} on, not {value!r}", name)
        return kind(value)

    def words(self, name: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.refuse(f"{name} is a text or a list of texts, not {value!r}", name)
        return tuple(value)

    def quarantine(self, table: Mapping[str, Any]) -> tuple[Quarantine, ...]:
        self.known(table, ("tests", "reason"), "entry of [quarantine]")
        tests, reason = table.get("tests", []), table.get("reason", _NO_REASON)
        if not isinstance(tests, list) or not isinstance(reason, str):
            raise self.refuse("[quarantine] is tests = [...] and reason = '...'", "quarantine")
        found = []
        for test in tests:
            about = {"name": test} if isinstance(test, str) else test
            if not isinstance(about, dict) or not isinstance(about.get("name"), str):
                raise self.refuse(f"a quarantined test is a name, or {{name, reason}}, not {test!r}", "tests")
            self.known(about, ("name", "reason"), "word about a quarantined test")
            found.append(Quarantine(about["name"], str(about.get("reason", reason))))
        return tuple(found)

    def sets(self, name: str, value: Any) -> tuple[Mapping[str, Any], ...]:
        sets = parameter_sets(value)
        if not sets:
            raise self.refuse(f"[parametrize.{name!r}] needs at least one value for each parameter", name)
        for one in sets:
            if wrong := next((word for word in one if not word.isidentifier()), None):
                raise self.refuse(f"{wrong!r} cannot be a parameter: it is no Python name", wrong)
        return sets
