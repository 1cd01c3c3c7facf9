"""Which notebooks a run is made of: from paths, tags, browsers and a shard to an ordered list of cases.

The order is that of the names, so two machines that split a suite between them agree on who runs what.
"""

from __future__ import annotations

import ast
import json
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UsageProblem
from ..grammar import nearest
from .parametrize import labels, value_sets
from .settings import SuiteSettings, find_settings

ALWAYS_KNOWN = "base_url"
"""The parameter that steps use although no cell names it."""

OF_CELLS = frozenset(
    {
        "parameters",
        "injected-parameters",
        "setup",
        "teardown",
        "skip-ci",
        "only-ci",
        "skip-execution",
        "raises-exception",
    }
)
"""Tags of cells that say how a cell is run, and nothing about the test."""

PARSING = threading.Lock()
"""Held while Python is parsed: CPython 3.11 counts the depth of all threads' parsing together, and says
``AST constructor recursion depth mismatch`` when two meet."""

_ASSIGNED = re.compile(r"^(\w+)\s*(?::[^=]+)?=", re.MULTILINE)
_WORD = re.compile(r"\s*(\(|\)|[^\s()]+)")


@dataclass(frozen=True, slots=True)
class Case:
    """One notebook to run, in one browser where some were named, with one set of values where it names several.

    ``name`` is the notebook's path relative to where the run was started, with its variant after it:
    ``login.ipynb[firefox-ada]``. ``slug`` is a file name no other case of the run has, ``parameters`` are the
    values that make this case differ from the notebook's others, ``label`` is how they are told."""

    path: Path
    notebook: str
    slug: str
    browser: str | None = None
    tags: tuple[str, ...] = ()
    category: str | None = None
    priority: str | None = None
    parameters: tuple[tuple[str, Any], ...] = ()
    label: str = ""
    quarantine: str | None = None
    """Why it fails no run, where it does not."""

    @property
    def variant(self) -> str:
        """What tells the cases of one notebook apart: ``[firefox-ada]``; empty where there is one only."""
        told = "-".join(part for part in (self.browser, self.label) if part)
        return f"[{told}]" if told else ""

    @property
    def name(self) -> str:
        return f"{self.notebook}{self.variant}"

    @property
    def test_name(self) -> str:
        """What the test is called in the store, unless the notebook names tests itself."""
        return self.path.stem


def collect(
    paths: Sequence[str | Path],
    *,
    folder: Path,
    home: Path | None = None,
    browsers: Sequence[str] = (),
    tags: str | None = None,
    shard: str | None = None,
    given: Collection[str] = (),
) -> list[Case]:
    """The cases of a run, sorted by name.

    Folders are searched for ``*.ipynb``, but not hidden ones, ``node_modules`` and ``home``; a notebook
    whose metadata says ``"jbts": {"suite": false}`` is only run when it is named itself. ``tags`` is an
    expression (``smoke and not slow``) over what the notebook, its tests and its cells are tagged with, as pytest's
    ``-m`` is; ``shard`` is ``i/n`` with i from 1. What cannot be read stays in:
    it has to be reported. ``given`` are names of parameters that have one value in the whole run.

    Raises:
        UsageProblem: a path does not exist or is no notebook, or ``tags``, ``shard`` or what a notebook says
            under ``parametrize``, or ``suite.toml``, cannot be understood.
    """
    wanted = tag_filter(tags)
    part = parse_shard(shard)
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        whole = path if path.is_absolute() else folder / path
        if whole.is_dir():
            found.update((p.resolve(), None) for p in _search(whole, home) if _about(p).get("suite") is not False)
        elif not whole.exists():
            raise UsageProblem(f"{path} does not exist", word=str(path))
        elif whole.suffix != ".ipynb":
            raise UsageProblem(f"{path} is no notebook: name .ipynb files, or folders that hold some", word=str(path))
        else:
            found[whole.resolve()] = None
    settings = find_settings([path if path.is_absolute() else folder / path for path in map(Path, paths)])
    names = {path: _name(path, folder) for path in found}
    stems = [path.stem for path in found]
    cases: list[Case] = []
    for path in sorted(found, key=lambda p: names[p]):
        about = _about(path)
        if about and not wanted((*_labels(about), *words_in(path).tags)):
            continue
        slug = path.stem if stems.count(path.stem) == 1 else names[path].removesuffix(".ipynb")
        cases += _cases(path, names[path], slug, about, settings, browsers, given)
    return _distinct(cases[part[0] - 1 :: part[1]])


def cases_of(
    path: Path,
    *,
    folder: Path,
    settings: SuiteSettings,
    browsers: Sequence[str] = (),
    given: Collection[str] = (),
) -> list[Case]:
    """The cases of one notebook, for whoever has found it already. Their slugs are made of the whole path, so
    that they differ from those of every other notebook. Raises UsageProblem as :func:`collect`."""
    path = path.resolve()
    name = _name(path, folder)
    return _distinct(_cases(path, name, name.removesuffix(".ipynb"), _about(path), settings, browsers, given))


def is_test(path: Path, *, home: Path | None = None) -> bool:
    """Whether a notebook that nobody named is a test: it is not hidden, no result in ``home``, and its metadata
    does not say otherwise."""
    hidden = path.name.startswith(".") or (home is not None and path.resolve().is_relative_to(home.resolve()))
    return not hidden and _about(path).get("suite") is not False


def _cases(
    path: Path,
    name: str,
    slug: str,
    about: Mapping[str, Any],
    settings: SuiteSettings,
    browsers: Sequence[str],
    given: Collection[str],
) -> list[Case]:
    """The cases of one notebook: each browser with each set of values."""
    slug = re.sub(r"[^\w.-]+", "-", slug).strip("-.") or "notebook"
    category, priority = about.get("category"), about.get("priority")
    one = Case(
        path=path,
        notebook=name,
        slug=slug,
        tags=_labels(about),
        category=str(category) if category else None,
        priority=str(priority) if priority else None,
        quarantine=settings.quarantined(path),
    )
    sets = value_sets(list(settings.parameters(path)) or about.get("parametrize"), name, given)
    check_parameters([one], dict.fromkeys(key for values in sets for key, _ in values))
    cases = []
    for browser in browsers or (None,):
        for values, label in zip(sets, labels(sets), strict=True):
            parts = [slug, *filter(None, (browser, re.sub(r"[^\w.-]+", "-", label).strip("-.")))]
            cases.append(replace(one, slug=".".join(parts), browser=browser, parameters=values, label=label))
    return cases


def _labels(about: Mapping[str, Any]) -> tuple[str, ...]:
    tags = about.get("tags")
    listed = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
    return tuple(dict.fromkeys(str(tag).strip() for tag in listed if str(tag).strip()))


@dataclass(frozen=True, slots=True)
class Words:
    """What the cells of a notebook say about its tests: their names, the tags of tests and of cells, and how often it
    may be run again, which is what the most patient of its tests says."""

    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    retries: int = 0


def words_of(case: Case) -> Words:
    """What stands in the cells of a case's notebook."""
    return words_in(case.path)


def words_in(notebook: Path) -> Words:
    """What stands in a notebook's cells, read as text: it is not run for that."""
    names: list[str] = []
    retries = 0
    found: list[str] = []
    for source, labels_of_cell in _code(notebook):
        found += [str(tag) for tag in labels_of_cell if tag not in OF_CELLS]
        for line in source.splitlines():
            if line.startswith("%test "):
                said = _test_line(line)
                names.append(str(said.get("title", "")))
                found += said.get("tags") or ()
                retries = max(retries, again if isinstance(again := said.get("retries"), int) else 0)
    return Words(tuple(names), tuple(dict.fromkeys(found)), retries)


def _test_line(line: str) -> Mapping[str, Any]:
    """What a line that begins a test says; what it cannot be read for is told when it runs."""
    from ..grammar import HelpWanted, parse
    from ..verbs import VERBS

    try:
        return parse(line, VERBS).arguments
    except (UsageProblem, HelpWanted):
        return {}


def check_parameters(cases: Sequence[Case], names: Iterable[str]) -> None:
    """Raise UsageProblem for a parameter that none of the notebooks speaks of: it would change nothing, and a
    run with a misspelt name must not pass for one with the right name."""
    wanted = [name for name in names if name != ALWAYS_KNOWN]
    if not wanted:
        return
    cells = [cell for path in dict.fromkeys(case.path for case in cases) for cell in _code(path)]
    for name in wanted:
        if not any(re.search(rf"\b{re.escape(name)}\b", source) for source, _ in cells):
            declared = {found for source, tags in cells if "parameters" in tags for found in _ASSIGNED.findall(source)}
            near = nearest(name, {*declared, ALWAYS_KNOWN})
            listed = f"did you mean {near}?" if near else f"they take {', '.join(sorted({*declared, ALWAYS_KNOWN}))}"
            raise UsageProblem(f"no notebook of this run uses the parameter {name}; {listed}", word=name)


def missing_parameters(path: Path, given: Collection[str]) -> list[str]:
    """What the parameters cells of a notebook declare without a value (``user: str``), and nobody gives."""
    declared: dict[str, None] = {}
    valued: set[str] = set(given)
    for source, tags in _code(path):
        if "parameters" not in tags:
            continue
        try:
            with PARSING:
                statements = ast.parse(source).body
        except (SyntaxError, ValueError):  # which the kernel says better
            continue
        for node in statements:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                (declared.setdefault(node.target.id) if node.value is None else valued.add(node.target.id))
            elif isinstance(node, ast.Assign):
                valued.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return [name for name in declared if name not in valued]


def _code(path: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Source and tags of a notebook's code cells; none of one that cannot be read."""
    found = _read(path)
    for cell in found.get("cells") or () if isinstance(found, dict) else ():
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            yield "".join(cell.get("source") or ""), (cell.get("metadata") or {}).get("tags") or ()


def parse_shard(text: str | None) -> tuple[int, int]:
    """``i/n`` as two numbers; (1, 1) for None. Raises UsageProblem."""
    if text is None:
        return 1, 1
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageProblem(f"--shard {text}: give it as i/n with i from 1 to n, as in 2/3", word=text)
    return int(match[1]), int(match[2])


def tag_filter(expression: str | None) -> Callable[[Collection[str]], bool]:
    """What an expression of tags, ``and``, ``or``, ``not`` and parentheses says about a set of tags.

    Raises UsageProblem. Without an expression everything is wanted.
    """
    if expression is None or not expression.strip():
        return lambda labels: True
    words = _WORD.findall(expression)
    position = 0

    def peek() -> str | None:
        return words[position] if position < len(words) else None

    def take() -> str:
        nonlocal position
        position += 1
        return str(words[position - 1])

    def either() -> Callable[[Collection[str]], bool]:
        left = both()
        while peek() == "or":
            take()
            left = (lambda a, b: lambda labels: a(labels) or b(labels))(left, both())
        return left

    def both() -> Callable[[Collection[str]], bool]:
        left = single()
        while peek() == "and":
            take()
            left = (lambda a, b: lambda labels: a(labels) and b(labels))(left, single())
        return left

    def single() -> Callable[[Collection[str]], bool]:
        word = peek()
        if word is None or word in ("and", "or", ")"):
            raise UsageProblem(f"--tags {expression!r}: a tag is missing before {word or 'the end'}", word=word or "")
        take()
        if word == "not":
            inner = single()
            return lambda labels: not inner(labels)
        if word == "(":
            inner = either()
            if peek() != ")":
                raise UsageProblem(f"--tags {expression!r}: a closing parenthesis is missing", word="(")
            take()
            return inner
        return lambda labels: word in labels

    wanted = either()
    if peek() is not None:
        raise UsageProblem(
            f"--tags {expression!r}: {peek()!r} is unexpected; join tags with and, or, not", word=str(peek())
        )
    return wanted


def _search(folder: Path, home: Path | None) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") or path.name == "node_modules"
        if path.is_dir() and not path.is_symlink() and not hidden and path.resolve() != home:
            yield from _search(path, home)
        elif path.suffix == ".ipynb" and not hidden and path.is_file():
            yield path


def _about(path: Path) -> dict[str, Any]:
    """What a notebook's metadata says under ``jbts``, with ``"suite"`` always in it, and the tags it has beside that;
    empty if it is unreadable."""
    found = _read(path)
    if found is None:
        return {}
    metadata = found.get("metadata") if isinstance(found, dict) else None
    about = metadata.get("jbts") if isinstance(metadata, dict) else None
    beside = {"tags": metadata["tags"]} if isinstance(metadata, dict) and "tags" in metadata else {}
    return {"suite": True, **beside, **(about if isinstance(about, dict) else {})}


def _read(path: Path) -> Any:
    """The JSON in a file; None where it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _name(path: Path, folder: Path) -> str:
    folder = folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _distinct(cases: list[Case]) -> list[Case]:
    """The cases with slugs that differ, also where file names differ by case or punctuation only."""
    seen: set[str] = set()
    result = []
    for case in cases:
        slug, number = case.slug[:120], 2
        while slug.lower() in seen:
            slug, number = f"{case.slug[:120]}-{number}", number + 1
        seen.add(slug.lower())
        result.append(replace(case, slug=slug))
    return result
