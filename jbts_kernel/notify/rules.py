"""Whom to tell what: ``JBTS.notify``, and the way these settings take to whoever delivers.

An entry is ``failed=slack://...``, ``failed,flaky=mailto://...`` or an apprise URL alone, which means
``failed``. A run leaves its entries in ``run/notify/RUN_ID.json``, private like the hub's token because such
a URL is a password; so they hold for that run and no other, whichever process delivers. Where the run's report will
be stands beside them. The file goes when everything about the finished run has been told, which is also how a suite
can wait for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigProblem

FOLDER = Path("run") / "notify"
WHEN = ("failed", "flaky", "finished")
MAX_RULES = 20
MAX_AGE_S = 7 * 24 * 3600.0
"""How long the entries of a run that never ended are kept."""

_ENTRY = re.compile(r"(?:(?P<when>[a-z]+(?:,[a-z]+)*)=)?(?P<url>[a-z][a-z0-9+.-]*://\S+)", re.IGNORECASE)
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Tell ``url`` of every occasion in ``when``."""

    when: frozenset[str]
    url: str = field(repr=False)

    @property
    def kind(self) -> str:
        """What may be shown of the URL: its scheme."""
        return self.url.partition(":")[0].lower()

    @property
    def key(self) -> str:
        """What this receiver is known by in a file that is no secret."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:12]


def parse(entries: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that the entries of ``JBTS.notify`` mean. Raises ConfigProblem, without repeating a URL."""
    rules = []
    for number, entry in enumerate(entries, 1):
        found = _ENTRY.fullmatch(entry.strip())
        if found is None:
            raise ConfigProblem(
                f"JBTS.notify, entry {number}, is no apprise URL; write failed=SCHEME://... ({', '.join(WHEN)})"
            )
        when = frozenset((found["when"] or "failed").lower().split(","))
        unknown = sorted(when - set(WHEN))
        if unknown:
            raise ConfigProblem(f"JBTS.notify, entry {number}: no rule {unknown[0]!r}; there are {', '.join(WHEN)}")
        rules.append(Rule(when, found["url"]))
    if len(rules) > MAX_RULES:
        raise ConfigProblem(f"JBTS.notify has {len(rules)} entries; at most {MAX_RULES} are possible")
    return tuple(rules)


def receiver(rule: Rule) -> Any:
    """Apprise for the receiver of ``rule``; None where it knows none of this kind, or the URL lacks something."""
    import apprise

    quiet = logging.getLogger("apprise")
    if quiet.propagate:  # its lines would put a receiver's address into a notebook or a log
        quiet.propagate = False
        quiet.addHandler(logging.NullHandler())
    robot = apprise.Apprise()
    return robot if robot.add(rule.url) else None


def register(home: Path, run_id: str, entries: Sequence[str], report: Path | None = None) -> None:
    """Leave the entries of a run for whoever delivers, and the page its report will be. A kernel of a suite, which has
    the same entries, changes nothing. Raises ConfigProblem, without repeating a URL."""
    found = parse(entries)
    if importlib.util.find_spec("apprise") is None:
        raise ConfigProblem("JBTS.notify needs apprise; install it with: pip install 'jbts-kernel[notify]'")
    path = _path(home, run_id)
    if path is None:
        raise ConfigProblem(f"JBTS_RUN_ID={run_id[:80]!r} cannot be; use letters, digits, _ and -")
    before, page = _left(path)
    if before == list(entries) and report is None:
        return
    for number, rule in enumerate(found, 1):
        if receiver(rule) is None:
            raise ConfigProblem(
                f"JBTS.notify, entry {number}: apprise knows no receiver for this {rule.kind}:// URL;"
                " what it knows: apprise --details"
            )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        json.dump({"entries": list(entries), "report": str(report.absolute()) if report else page}, file)
    os.replace(fresh, path)


def registered(home: Path, run_id: str | None) -> tuple[Rule, ...]:
    """The rules of a run; none where it left no entries, or where they cannot be read."""
    path = _path(home, run_id)
    try:
        return parse(_left(path)[0]) if path is not None else ()
    except ConfigProblem:
        return ()


def report_of(home: Path, run_id: str) -> str:
    """Where the run's report will be; empty where it makes none."""
    path = _path(home, run_id)
    return _left(path)[1] if path is not None else ""


def forget(home: Path, run_id: str | None) -> None:
    """Everything about a run has been told. Idempotent."""
    path = _path(home, run_id)
    if path is not None:
        path.unlink(missing_ok=True)


def forget_old(home: Path) -> None:
    """Let go of what runs left that never ended."""
    with contextlib.suppress(FileNotFoundError):
        for path in (home / FOLDER).iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > MAX_AGE_S:
                    path.unlink()


def all_told(home: Path, run_id: str) -> bool:
    """Whether nothing about the run is still to be told."""
    path = _path(home, run_id)
    return path is None or not path.exists()


def _left(path: Path) -> tuple[list[str], str]:
    """The entries and the report in a run's file; none where it cannot be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        entries, report = found["entries"], found["report"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return [], ""
    sound = isinstance(entries, list) and all(isinstance(entry, str) for entry in entries)
    return entries if sound else [], report if isinstance(report, str) else ""


def _path(home: Path, run_id: str | None) -> Path | None:
    return home / FOLDER / f"{run_id}.json" if run_id and _RUN_ID.fullmatch(run_id) else None
