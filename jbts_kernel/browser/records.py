"""What is running, written down: one file in ``run/`` for each browser, until it has ended.

A kernel can be killed at any moment, and its driver and browser live on. The file says what they are, so
that the next kernel can take them over, or whoever comes by can end them. The state is the file's name,
and a state changes by renaming, which only one process can do:

``browser-OWNER-ID.json``  owned by the process OWNER
``orphan-ID.json``         its owner died; the time of the file is when that was noticed
``ending-ID.json``         somebody is ending it
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .grid import end_session
from .launch import LaunchSpec
from .processes import Process, drop_scratch, end, end_all_in


@dataclass(frozen=True, slots=True)
class User:
    """Where a user stands: context and tab, the folder of the downloads, the viewport if it was changed."""

    context_id: str
    handle: str
    downloads: str | None = None
    viewport: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One browser. ``driver`` and ``browser`` are None while it starts, ``address`` is where its DevTools
    answer (host:port), ``program`` its driver, ``grace`` how many seconds it may wait for somebody when
    its owner is gone. Of a browser on a grid ``session_id`` is all there is."""

    id: str
    owner: Process
    scratch: str
    grace: float
    spec: LaunchSpec
    notebook: str | None = None
    driver: Process | None = None
    browser: Process | None = None
    address: str = ""
    program: str = ""
    users: Mapping[str, User] = field(default_factory=dict)
    current: str = "main"
    at: float = 0.0
    session_id: str = ""

    def end(self) -> None:
        """End driver and browser and take away what they left. Nothing else is touched."""
        if self.spec.grid:
            if self.session_id:
                end_session(self.spec.grid, self.session_id)
            drop_scratch(self.scratch)
            return
        end((self.driver, self.browser))
        if self.driver is None or self.browser is None:
            end_all_in(self.scratch)  # its owner died while it started
        drop_scratch(self.scratch)


def read(path: Path) -> Record | None:
    """The record in a file; None where the file is gone or holds none."""
    try:
        d = json.loads(path.read_bytes())
        spec: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d["spec"].items()}
        users = {
            name: User(u["context_id"], u["handle"], u["downloads"], tuple(u["viewport"]) if u["viewport"] else None)
            for name, u in d["users"].items()
        }
        processes = {k: Process(**d[k]) if d[k] else None for k in ("driver", "browser")}
        return Record(**{**d, "owner": Process(**d["owner"]), "spec": LaunchSpec(**spec), "users": users, **processes})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


class Records:
    """The records of one project, below ``home/run``."""

    def __init__(self, home: Path) -> None:
        self.folder = Path(home) / "run"

    def _owned(self, record: Record) -> Path:
        return self.folder / f"browser-{record.owner.pid}-{record.id}.json"

    def write(self, record: Record) -> Record:
        """Keep a record of a browser this process owns; the record with the time it was written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = replace(record, at=time.time())
        place = self._owned(record)
        part = place.with_suffix(".part")
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(asdict(record), file)
            part.replace(place)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return record

    def remove(self, record: Record) -> None:
        """The browser has ended in good order."""
        self._owned(record).unlink(missing_ok=True)

    def orphans(self) -> Iterator[tuple[Path, Record]]:
        """Browsers whose owner is gone, the one used last first; from now on their grace runs."""
        for path in self.folder.glob("browser-*.json"):
            record = read(path)
            if record is not None and not record.owner.alive:
                self._rename(path, f"orphan-{record.id}.json", touch=True)
        found = [(path, record) for path in self.folder.glob("orphan-*.json") if (record := read(path))]
        yield from sorted(found, key=lambda one: one[1].at, reverse=True)

    def take(self, path: Path, record: Record, owner: Process) -> Record | None:
        """Make an orphan this process's own; None where somebody was faster."""
        taken = replace(record, owner=owner)
        if self._rename(path, self._owned(taken).name) is None:
            return None
        return self.write(taken)

    def reap(self) -> float:
        """End what nobody took over within its grace. The seconds until the next one is due, 0 if none is."""
        waiting = []
        for path, record in self.orphans():
            try:
                left = path.stat().st_mtime + record.grace - time.time()
            except OSError:  # taken over in this moment
                continue
            if left > 0:
                waiting.append(left)
            else:
                self._rename(path, f"ending-{record.id}.json")
        for path in self.folder.glob("ending-*.json"):
            ending = read(path)
            if ending is not None:
                ending.end()
            path.unlink(missing_ok=True)
        return min(waiting, default=0.0)

    def _rename(self, path: Path, name: str, *, touch: bool = False) -> Path | None:
        try:
            if touch:
                os.utime(path)
            return path.rename(self.folder / name)
        except FileNotFoundError:
            return None
