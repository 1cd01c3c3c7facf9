"""Imports point one way, so that each layer can be read, tested and replaced without those above it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "jbts_kernel"

# From the ground up. A layer may import itself and the layers listed beside it, by their first name below
# jbts_kernel; what is not listed here is the top: the workbench, its skins, and what they are made of.
GROUND = {"models", "errors", "grammar", "ids"}
ALLOWED = {
    "models": GROUND,
    "errors": GROUND,
    "grammar": GROUND,
    "ids": set(),
    "demo": set(),
    "secrets": GROUND,
    "log": GROUND,
    "browser": GROUND | {"log", "stage"},
    "stage": GROUND | {"log", "browser"},
    "vision": GROUND | {"log"},
    "store": GROUND | {"log"},
    "assets": set(),
    "broadcast": GROUND | {"log", "notify", "assets"},
    "notify": GROUND | {"log"},
    "config": GROUND | {"browser", "notify"},
    "display": GROUND,
    "verb_help": GROUND | {"display"},
    "baselines": GROUND,
    "evidence": GROUND | {"browser", "evidence_page"},
    "evidence_page": GROUND | {"browser", "display"},
    "recorder": GROUND | {"log"},
    "surroundings": GROUND | {"browser", "recorder", "stage"},
    "observing": GROUND | {"browser", "evidence", "stage", "surroundings", "verbs"},
    "origin": GROUND | {"recorder"},
    "verbs": GROUND | {"log", "browser", "stage", "vision", "config", "secrets", "display", "baselines"},
}
SKINS = {
    "commands",
    "magics",
    "completion",
    "widgets",
    "panel_acts",
    "panel_looks",
    "suite",
    "cli",
    "tour",
    "tables",
    "doctor",
    "installation",
}
# The verbs that ask the workbench something, and not the page, are a skin like the magics; so are the commands of
# the command line, wherever what they do is kept.
APART = {"verbs/commands.py": "commands", "store/commands.py": "commands"}
WITHOUT_IPYTHON = {*ALLOWED, "workbench", "current", "pipeline", "commands"}


def modules() -> list[tuple[str, Path]]:
    """Every module of the package with the layer it belongs to."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        first = APART.get(str(path.relative_to(PACKAGE)), path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        if first != "__init__":
            found.append((first, path))
    return found


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All imports that can run: those under ``if TYPE_CHECKING`` are for the type checker alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _statements(other)
        elif isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        else:
            yield from _statements(child)


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports when it runs."""
    package = ("jbts_kernel", *path.relative_to(PACKAGE).parts[:-1])
    names: set[str] = set()
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{stem}.{alias.name}" for alias in node.names}
    return names


def layers_of(path: Path) -> set[str]:
    """The layers of this package that a file imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("jbts_kernel.")} - {"__version__"}


@pytest.mark.parametrize(("layer", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_imports_point_downwards(layer: str, path: Path) -> None:
    """A module imports its own layer and those below it, and nothing beside or above."""
    used = layers_of(path) - {layer}
    if layer in ALLOWED:
        assert used <= ALLOWED[layer], f"{path.name} must not import {sorted(used - ALLOWED[layer])}"
    elif layer not in SKINS:
        assert not used & SKINS, f"{path.name} is below the skins, yet imports {sorted(used & SKINS)}"


@pytest.mark.parametrize(("layer", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_the_engine_room_does_not_know_ipython(layer: str, path: Path) -> None:
    """Everything below the magics works in a plain Python file: no IPython, no ipykernel, no widgets."""
    if layer in WITHOUT_IPYTHON:
        used = {name.split(".")[0] for name in imported(path)}
        assert not used & {"IPython", "ipykernel", "ipywidgets", "anywidget"}


def test_all_takes_every_extra() -> None:
    """jbts-kernel[all] is all there is for who uses it; what only tests need is apart."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (taken,) = extras["all"]
    assert set(taken.removeprefix("jbts-kernel[").removesuffix("]").split(",")) == set(extras) - {"all", "test"}


def test_what_is_imported_is_declared() -> None:
    """Every third-party module that the package imports comes from a distribution pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[\[<>=;! ]", line)[0].lower() for group in groups for line in group}
    modules_of = {
        "PIL": "pillow",
        "IPython": "ipython",
        "vl_convert": "vl-convert-python",
        "yaml": "pyyaml",
        "_pytest": "pytest",
    }
    used = {name.split(".")[0] for _, path in modules() for name in imported(path)}
    third_party = used - set(sys.stdlib_module_names) - {"jbts_kernel"}
    missing = {name for name in third_party if modules_of.get(name, name.replace("_", "-")) not in declared}
    assert not missing, f"imported and not declared in pyproject.toml: {sorted(missing)}"


def test_the_front_ends_stay_small() -> None:
    """Everything of widgets/ that is served, together, is under 60 kB: it is read as it is, without a build."""
    served = [path for path in (ROOT / "widgets").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in served) < 60_000
