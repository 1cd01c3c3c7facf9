"""A notebook as a plain pytest file over the same Python API: ``jbts export-test login.ipynb``.

One function for each test the notebook begins with ``%test``, one for all of it where it begins none. What comes
before the first test is a fixture, as are the parameters; teardown cells run whatever happened. Variables that
one part sets and another reads are the module's. What cannot be said in plain Python is named by its cell, and
stands in the file as a failure: an exported test is not green because something is missing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageProblem
from ..models import Step
from .parametrize import Values, labels, value_sets
from .plain_python import NotExported, Piece, indented, literal, pieces
from .verdict import LEFT_OUT, is_code

ALWAYS_SHARED = frozenset({"base_url", "jbts", "page", "step", "testing", "pytest"})
"""Variables that steps read without naming them, and names the file itself begins with: a cell that gives one of them
another value gives it to all of the file, as in the notebook."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The file's source, and what is missing in it: the cell as people count, and why."""

    source: str
    missing: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class _Part:
    """A function in the making. ``step`` is its %test (None for the fixture, and where the notebook is one test);
    ``before`` stands before the test begins, ``after`` after it ended."""

    name: str
    title: str = ""
    step: Step | None = None
    before: list[Piece] = field(default_factory=list)
    body: list[Piece] = field(default_factory=list)
    teardown: list[Piece] = field(default_factory=list)
    after: list[Piece] = field(default_factory=list)

    @property
    def pieces(self) -> Sequence[Piece]:
        return (*self.before, *self.body, *self.teardown, *self.after)


def export_test(path: Path, target_folder: Path) -> Exported:
    """The notebook at ``path`` as a pytest file that is going to lie in ``target_folder``.

    Raises:
        UsageProblem: it is no notebook.
    """
    try:
        found = json.loads(path.read_bytes())
        cells = list(found["cells"])
        about = found.get("metadata", {}).get("jbts", {})
    except OSError as problem:
        raise UsageProblem(f"{path} cannot be read: {problem.strerror}", word=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageProblem(f"{path} is no notebook", word=str(path)) from None
    sets = value_sets(about.get("parametrize"), path.name)
    return _Export(path, target_folder, sets).of(cells)


class _Export:
    """Sorts the cells of one notebook into functions, and writes these down."""

    def __init__(self, path: Path, target_folder: Path, sets: Sequence[Values]) -> None:
        self.path = path
        self.target_folder = target_folder
        self.sets = sets
        self.parameters: list[Piece] = []
        self.fixture = _Part("notebook")
        self.tests: list[_Part] = []
        self.missing: list[tuple[int, str]] = []
        self.waiting: list[Piece] = []
        """What stands between two tests: it comes before the next, or after the last."""
        self.open = False

    def of(self, cells: Sequence[Mapping[str, Any]]) -> Exported:
        read = [(n, c, self._read(n, c)) for n, c in enumerate(cells, 1) if is_code(c)]
        if not any(piece.begins for _, _, found in read for piece in found):
            self.tests.append(_Part(_function(self.path.stem, self.tests), self.path.stem))
            self.open = True
        for _, cell, found in read:
            for piece in found:
                self._place(piece, set(cell.get("metadata", {}).get("tags", ())))
        if self.tests:
            self.tests[-1].after += self.waiting
        return Exported(self._source(), tuple(self.missing))

    def _read(self, number: int, cell: Mapping[str, Any]) -> list[Piece]:
        """A cell as Python; one that has no counterpart as a failure that names it."""
        tags = set(cell.get("metadata", {}).get("tags", ()))
        if left_out := sorted(LEFT_OUT & tags):
            return [Piece(f"# cell {number} is left out: it is tagged {left_out[0]}\n")]
        try:
            found = pieces("".join(cell["source"]).rstrip() + "\n")
        except NotExported as problem:
            self.missing.append((number, str(problem)))
            return [Piece(f"pytest.fail({f'cell {number} could not be exported: {problem}'!r})\n")]
        if "raises-exception" in tags:
            for piece in found:
                if _does_something(piece.code):
                    piece.code = "with testing.errors_allowed():\n" + indented(piece.code, 1)
        return found

    def _place(self, piece: Piece, tags: set[str]) -> None:
        if "parameters" in tags:
            self.parameters.append(piece)
            return
        if piece.ends:
            self.open = False
        if piece.begins is not None:
            title = str(piece.begins.arguments["title"])
            part = _Part(_function(title, self.tests), title, piece.begins, before=self.waiting)
            self.tests.append(part)
            self.open, self.waiting = True, []
        if not piece.code.strip():
            return
        if "teardown" in tags:
            (self.tests[-1] if self.open else self.fixture).teardown.append(piece)
        elif not self.tests or "setup" in tags:
            self.fixture.body.append(piece)
        elif self.open:
            self.tests[-1].body.append(piece)
        else:
            self.waiting.append(piece)

    # ---- writing ---------------------------------------------------------------------------------
    def _source(self) -> str:
        shared = self._shared()
        whole = [*self.parameters, *self.fixture.pieces, *(p for test in self.tests for p in test.pieces)]
        assigned, used = set[str](), set[str]()
        for piece in whole:
            assigned |= piece.assigned
            used |= piece.used
        parts = [self._head("display" in used - assigned), self._fixture(shared)]
        parts += [self._test(test, shared) for test in self.tests]
        source = "\n\n\n".join(part.rstrip() for part in parts) + "\n"
        compile(source, str(self.path), "exec")
        return source

    def _shared(self) -> set[str]:
        """Names that more than one function speaks of, or a step fills in."""
        fixture = [*self.parameters, *self.fixture.pieces]
        functions = [fixture, *(test.pieces for test in self.tests)]
        speak: dict[str, set[int]] = {}
        shared = set(ALWAYS_SHARED)
        for number, function in enumerate(functions):
            for piece in function:
                shared |= piece.filled_in
                for name in piece.assigned | piece.used:
                    speak.setdefault(name, set()).add(number)
        for piece in self.parameters:
            shared |= piece.assigned
        return shared | {name for name, where in speak.items() if len(where) > 1}

    def _head(self, displays: bool) -> str:
        folder = Path(os.path.relpath(self.path.resolve().parent, self.target_folder.resolve())).as_posix()
        place = "Path(__file__).parent" if folder == "." else f"Path(__file__).parent / {literal(folder)}"
        name = self.path.name if re.fullmatch(r"[\w .,()+-]+", self.path.name) else "A notebook"
        lines = [
            f'"""{name} as a pytest file, written by jbts export-test; the file is yours to edit.',
            "",
            "Its tests run in their order, and may go on with what one before has found. Parameters are told in the",
            'environment: JBTS_PARAMETERS=\'{"name": "value"}\' pytest.',
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import pytest",
            *(["from IPython.display import display"] if displays else []),
            "",
            "from jbts_kernel import jbts, page, step, testing",
            "",
            f"FOLDER = {place}",
        ]
        return "\n".join(lines)

    def _fixture(self, shared: set[str]) -> str:
        several = self.sets != [()]
        told = f", params={[dict(values) for values in self.sets]!r}, ids={labels(self.sets)!r}" if several else ""
        lines = [f'@pytest.fixture(scope="module", autouse=True{told})']
        lines += ["def notebook(request):" if several else "def notebook():"]
        lines += ['    """The parameters, what comes before the tests, and what comes after them in any case."""']
        source = "\n".join(lines) + "\n" + _globals([*self.parameters, *self.fixture.pieces], shared)
        source += "".join(indented(piece.code, 1) for piece in self.parameters)
        values = ", request.param" if several else ""
        source += f"    with testing.notebook({literal(self.path.name)}, FOLDER, globals(){values}):\n"
        depth = 2
        if self.fixture.teardown:
            source += "        try:\n"
            depth = 3
        source += "".join(indented(piece.code, depth) for piece in self.fixture.body)
        source += "    " * depth + "yield\n"
        if self.fixture.teardown:
            source += "        finally:\n" + _body(self.fixture.teardown, 3)
        return source

    def _test(self, test: _Part, shared: set[str]) -> str:
        source = f"def {test.name}():\n    {_docstring(test.title)}\n" + _globals(test.pieces, shared)
        source += "".join(indented(piece.code, 1) for piece in test.before)
        source += f"    with testing.execution({_begun(test)}):\n"
        if test.teardown:
            source += "        try:\n" + _body(test.body, 3) + "        finally:\n" + _body(test.teardown, 3)
        else:
            source += _body(test.body, 2)
        return source + "".join(indented(piece.code, 1) for piece in test.after)


def _globals(found: Sequence[Piece], shared: set[str]) -> str:
    names = sorted(set().union(*(piece.assigned for piece in found)) & shared) if found else []
    return f"    global {', '.join(names)}\n" if names else ""


def _body(found: Sequence[Piece], depth: int) -> str:
    code = "".join(indented(piece.code, depth) for piece in found)
    return code + ("" if any(_does_something(piece.code) for piece in found) else "    " * depth + "pass\n")


def _does_something(code: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in code.splitlines())


def _begun(test: _Part) -> str:
    """The arguments of ``testing.execution``."""
    shown = f"jbts.interpolate({test.title!r})" if "${" in test.title else literal(test.title)
    about = test.step.arguments if test.step is not None else {}
    words = [f"{name}={literal(about[name])}" for name in ("tags", "priority", "category") if about.get(name)]
    return ", ".join([shown, *words])


def _docstring(title: str) -> str:
    text = title if title.endswith((".", "?", "!")) else f"{title}."
    return f'"""{text}"""' if '"' not in text and "\\" not in text and text.isprintable() else repr(text)


def _function(title: str, others: Sequence[_Part]) -> str:
    """A name for a test function, which no other one has."""
    name = "test_" + (re.sub(r"\W+", "_", title.lower()).strip("_")[:60].strip("_") or "notebook")
    taken = {part.name for part in others}
    number = 2
    while (found := name if number == 2 and name not in taken else f"{name}_{number}") in taken:
        number += 1
    return found
