"""Who follows the log in the hub beside its clients: notifications and figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from ..notify.metrics import MIME, Metrics
from ..notify.notifier import Notifier
from ..notify.tally import Tally
from .discovery import RUN
from .mailboxes import Receipts, Waiting
from .pages import Page, Route, Visit
from .server import Observer


class _Told:
    """What was told, in a file of receipts like that for messages."""

    def __init__(self, path: Path) -> None:
        self._receipts = Receipts(path, time.time())

    def __contains__(self, ident: str) -> bool:
        return ident in self._receipts

    def note(self, ident: str, ts: float) -> None:
        self._receipts.add([Waiting(ident, ts, b"")], time.time())

    def close(self) -> None:
        self._receipts.close()


def company(
    home: Path, logger: logging.Logger, *, metrics: bool = True
) -> tuple[tuple[Observer, ...], Mapping[str, Route]]:
    """The observers of a project's hub and the pages they bring. ``metrics`` says whether ``/metrics`` is one."""
    notifier = Notifier(Path(home), lambda: _Told(Path(home) / RUN / "notified"), logger)
    if not metrics:
        return (notifier,), {}
    counted = Metrics(Tally(Path(home), Path(home) / RUN / "metrics.json"), logger)

    def answer(visit: Visit) -> Page:
        return Page(counted.text(visit.exchange.stats()).encode(), MIME)

    return (notifier, counted), {"/metrics": Route(answer)}
