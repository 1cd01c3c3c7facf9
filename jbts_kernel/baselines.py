"""Baselines of snapshots: files beside the notebook, and the differences that wait to be accepted.

A baseline is reviewed and committed like code, so it lies in ``__snapshots__`` beside the notebook, in
a folder named after notebook and test. What differed is written down in the project's data folder; the
command that accepts copies the actual file over the baseline and forgets it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageProblem
from .grammar import clip, nearest

FOLDER = "__snapshots__"
_PENDING = "snapshots"


@dataclass(frozen=True, slots=True)
class Baselines:
    """The baselines of one test. ``root`` is where relative names are told from; ``writes_first`` says that a
    first snapshot becomes the baseline, ``updates`` that a different one does too."""

    root: Path
    folder: Path
    home: Path
    writes_first: bool = True
    updates: bool = False

    @classmethod
    def of(
        cls, *, folder: Path, home: Path, notebook: str | None, test: str, writes_first: bool, updates: bool
    ) -> Baselines:
        """The baselines of a test of a notebook: ``__snapshots__/NOTEBOOK/TEST``, the test's part left out
        where it is the notebook itself."""
        stem = Path(notebook).stem if notebook else ""
        parts = [slug(stem)] if stem else []
        if test and test != stem:
            parts.append(slug(test))
        return cls(folder, folder.joinpath(FOLDER, *parts), home, writes_first, updates)

    def path(self, name: str, suffix: str) -> Path:
        """The file of a snapshot: a name lives in the test's folder; what has a ``/`` or the suffix (``.aria.yml`` or
        ``.yml``) is a file as it stands, relative to the notebook."""
        given = Path(name).expanduser()
        if given.is_absolute() or "/" in name or name.endswith(suffix[suffix.rindex(".") :]):
            return given if given.is_absolute() else self.root / given
        return self.folder / f"{slug(name)}{suffix}"

    def told(self, path: Path) -> str:
        """The path as a reader of this notebook knows it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def slug(text: str, limit: int = 60) -> str:
    """A text as a file name. What had to be changed gets a few signs of its hash, so two never meet."""
    plain = re.sub(r"[^\w.-]+", "-", text).strip("-.")[:limit]
    return plain if plain == text else f"{plain or 'snapshot'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)


@dataclass(frozen=True, slots=True)
class Pending:
    """A snapshot that differed from its baseline, or had none. ``actual`` is a stored file."""

    name: str
    baseline: Path
    actual: Path
    record: Path


def _record(home: Path, baseline: Path) -> Path:
    return home / _PENDING / f"{hashlib.sha256(str(baseline.absolute()).encode()).hexdigest()[:16]}.json"


def differs(home: Path, name: str, baseline: Path, actual: Path) -> None:
    """Write down that ``actual`` may become the baseline."""
    told = {"name": name, "baseline": str(baseline.absolute()), "actual": str(actual)}
    write(_record(home, baseline), json.dumps(told).encode())


def agrees(home: Path, baseline: Path) -> None:
    """The snapshot is as its baseline says: what was written down before is forgotten."""
    _record(home, baseline).unlink(missing_ok=True)


def pending(home: Path) -> list[Pending]:
    """What waits to be accepted, by name."""
    found = []
    for record in (home / _PENDING).glob("*.json"):
        told = json.loads(record.read_text(encoding="utf-8"))
        found.append(Pending(told["name"], Path(told["baseline"]), Path(told["actual"]), record))
    return sorted(found, key=lambda p: (p.name, str(p.baseline)))


def accept(home: Path, name: str | None = None) -> list[Pending]:
    """Make what differed the baseline: all of it, or what has this name (a glob). Returns what was accepted.

    Raises:
        UsageProblem: nothing waits under that name, or its file is gone.
    """
    waiting = pending(home)
    chosen = [p for p in waiting if name is None or p.name == name or fnmatch.fnmatchcase(p.name, name)]
    if name is not None and not chosen:
        near = nearest(name, [p.name for p in waiting], count=3)
        listed = f"did you mean {near}?" if near else f"{len(waiting)} wait: {clip(', '.join(p.name for p in waiting))}"
        raise UsageProblem(f"no snapshot {name!r} waits to be accepted; " + (listed if waiting else "none does"))
    return take(chosen)


def take(chosen: Sequence[Pending]) -> list[Pending]:
    """Make these the baselines. Raises UsageProblem where one's file is gone; those before it are accepted."""
    for one in chosen:
        if not one.actual.is_file():
            raise UsageProblem(f"the picture of {one.name} is gone ({one.actual}); run the step again")
        write(one.baseline, one.actual.read_bytes())
        one.record.unlink(missing_ok=True)
    return list(chosen)
