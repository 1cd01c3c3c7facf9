"""The hub as a process: ``python -m jbts_kernel.broadcast.hub HOME``, and what ``jbts hub`` runs.

It is a process of its own because a thread in a busy kernel shares the interpreter with it, and was
measured to answer a thousand clients a second late. Started by a kernel it is quiet: what it has to say
goes to ``run/hub.log``, which stays small. A second hub for the same project ends at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from ..errors import HubProblem
from .company import company
from .discovery import MAX_LOG, HubInfo, Seat
from .server import Hub, Options

__all__ = ["Hub", "Options", "main"]


class _BoundedLog(logging.StreamHandler[Any]):
    """Standard error, emptied when it is a file that became too long."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            if os.fstat(2).st_size > MAX_LOG:
                os.ftruncate(2, 0)
        super().emit(record)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jbts hub", description="Serve a project's events over WebSocket.")
    parser.add_argument("home", type=Path, metavar="HOME", help="the project's data folder (.jbts)")
    parser.add_argument("--foreground", action="store_true", help="say where it listens and never end idle")
    parser.add_argument("--idle", type=float, metavar="S", help="end after S seconds without use (60)")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="listen on P or fail")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="listen on this address")
    parser.add_argument("--no-metrics", action="store_true", help="do not serve /metrics")
    parser.add_argument("--origin", action="append", default=[], help="a page's origin that may connect")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a hub until it is not needed or told to end; 0 also when another hub is there already (in the
    foreground that is 3), 3 when it cannot listen."""
    asked = _parser().parse_args(argv)
    idle = asked.idle if asked.idle is not None else (None if asked.foreground else 60.0)
    options = Options(asked.host, asked.port, idle, tuple(asked.origin))
    logger = logging.getLogger("jbts.hub")
    logger.addHandler(_BoundedLog())
    logger.propagate = False
    seat = Seat.take(asked.home, inside=False)
    if seat is None:
        _say(sys.stderr, f"a hub is already running for {asked.home}; see its run/hub.json")
        return 3 if asked.foreground else 0
    _allow_many_files(options.max_connections)

    observers, routes = company(asked.home.absolute(), logger, metrics=not asked.no_metrics)

    def ready(info: HubInfo) -> None:
        if asked.foreground:
            _say(sys.stdout, f"hub of {asked.home} at ws://{info.address}/ws (token in run/hub.json)")

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        hub = Hub(asked.home, options, routes=routes, observers=observers, logger=logger)
        await hub.run(seat, stop, ready)

    try:
        asyncio.run(run())
    except HubProblem as problem:
        _say(sys.stderr, str(problem))
        return 3
    return 0


def _say(where: TextIO, line: str) -> None:
    where.write(line + "\n")
    where.flush()


def _allow_many_files(connections: int) -> None:
    """Raise the soft limit of open files where it would refuse connections the hub would take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


if __name__ == "__main__":
    sys.exit(main())
