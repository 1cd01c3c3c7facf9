"""Who is told of a run: its entries are left for the hub before the first kernel, which has the same ones.

A run in CI ends with its machine, so what is still to be told is waited for, but not for long: a receiver
that does not answer must not hold a pipeline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from ..broadcast.events import Events
from ..config import JBTS
from ..log import Log
from ..notify import rules

PATIENCE_S = 20.0


class Notices:
    """The notifications of one run; nothing at all where ``JBTS_NOTIFY`` is not set."""

    def __init__(self, home: Path, run_id: str, log: Log, environ: Mapping[str, str]) -> None:
        settings = JBTS(environ=environ)
        mode = cast(Literal["process", "thread", "off"], settings.broadcaster)
        self._events = Events(home, log, mode=mode, metrics=settings.metrics)
        self._home = home
        self._run_id = run_id
        self._entries = settings.notify

    def begin(self, report: Path | None = None) -> None:
        """Before the run's first line; ``report`` is the page that there will be. Raises ConfigProblem where an entry
        cannot work."""
        if self._entries:
            self._events.announce(self._run_id, self._entries, report)
            self._events.start()

    def end(self, patience: float = PATIENCE_S) -> str | None:
        """After the run's last line: wait until everything is told; what to say where it is not."""
        deadline = time.monotonic() + patience
        pause = threading.Event()
        told = not self._entries
        while not told and time.monotonic() < deadline:
            told = rules.all_told(self._home, self._run_id)
            pause.wait(0 if told else 0.05)
        self._events.close()
        return None if told else f"notifications were not all delivered within {patience:g} s; see run/hub.log"
