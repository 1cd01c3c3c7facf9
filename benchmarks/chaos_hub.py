"""Exactly once and in order, whatever is killed: clients whose connections are cut, hubs that are killed.

Writers append numbered events while subscribers follow; every connection goes through a relay that is cut at
random moments, and the hub is killed (SIGKILL) and started again. At the end every subscriber must have had
every event of every writer once, in that writer's order, and no gap.

    python benchmarks/chaos_hub.py [--aborts 30] [--kills 10] [--seed N]

Exit code 1 if anything was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from jbts_kernel.broadcast import discovery
from jbts_kernel.broadcast.client import subscribe
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.log import Log
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
ROOMS = ("test_events", "test_execution:x0", "test_execution:x1")
WRITERS = 2


class Hub:
    """The hub process of the project, killed and started at will."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> HubInfo:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "jbts_kernel.broadcast.hub", str(self.home)]
        self.process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
        deadline = time.monotonic() + PATIENCE
        while (info := discovery.find(self.home)) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the hub did not start")
            time.sleep(0.01)
        return info

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Relay:
    """A way to whichever hub there is, on an address that stays; all its connections can be reset."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*self.tasks)

    def url(self, token: str) -> str:
        return f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/ws?token={token}"

    def cut(self, chance: random.Random) -> None:
        """Reset one connection."""
        alive = [writer for writer in self.writers if not writer.transport.is_closing()]
        if alive:
            chance.choice(alive).transport.abort()
            self.cuts += 1

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        info = discovery.find(self.home)
        try:
            if info is None:
                return
            there, back = await asyncio.open_connection(info.host, info.port)
            self.writers |= {writer, back}
            try:
                await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
            finally:
                self.writers -= {writer, back}
        except OSError:
            return
        finally:
            writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()


async def follow(stream: AsyncIterator[dict[str, Any]], found: list[tuple[int, int]], count: int) -> int:
    """Collect (writer, number) of a stream until all are there; how many gaps were announced."""
    gaps = 0
    async for message in stream:
        if message["type"] == "gap":
            gaps += 1
            continue
        found.append((message["data"]["writer"], message["data"]["n"]))
        if len(found) >= count:
            break
    return gaps


async def chaos(home: Path, aborts: int, kills: int, seed: int) -> int:
    """Run it; the number of faults."""
    chance = random.Random(seed)
    hub, logs = Hub(home), [Log(home, max_bytes=40_000) for _ in range(WRITERS)]
    rounds = max(aborts, kills) * 4
    each = rounds * 10
    expected = {
        "test_events": [(w, n) for w in range(WRITERS) for n in range(each)],
        **{f"test_execution:x{w}": [(w, n) for n in range(each)] for w in range(WRITERS)},
    }
    found: list[tuple[str, list[tuple[int, int]]]] = [(room, []) for room in ROOMS for _ in range(2)]
    try:
        token = hub.start().token
        async with Relay(home) as relay, asyncio.timeout(PATIENCE + rounds):
            readers = [
                asyncio.create_task(
                    follow(subscribe(relay.url(token), room, history=True, patience=PATIENCE), got, len(expected[room]))
                )
                for room, got in found
            ]
            killed = 0
            for number in range(rounds):
                while number == rounds - 1 and relay.cuts < aborts:  # nobody has had everything yet
                    relay.cut(chance)
                    await asyncio.sleep(0.02)
                for writer, log in enumerate(logs):
                    start = number * 10
                    log.emit(
                        *[
                            Event("step.started", {"writer": writer, "n": n}, execution_id=f"x{writer}")
                            for n in range(start, start + 10)
                        ]
                    )
                await asyncio.sleep(chance.uniform(0.005, 0.04))
                if relay.cuts < aborts and chance.random() < 0.5:
                    relay.cut(chance)
                if killed < kills and number * kills >= killed * rounds:
                    killed += 1
                    await asyncio.to_thread(hub.kill)
                    await asyncio.sleep(chance.uniform(0, 0.1))
                    await asyncio.to_thread(hub.start)
            gaps = sum(await asyncio.gather(*readers))
    finally:
        hub.kill()
        for log in logs:
            log.close()
    faults = 0
    for room, got in found:
        by_writer = [[n for w, n in got if w == writer] for writer in range(WRITERS)]
        right = sorted(got) == expected[room] and all(numbers == sorted(numbers) for numbers in by_writer)
        faults += not right
        print(f"{room:18} {len(got):6} events, {'each once, in order' if right else 'WRONG'}")
    print(f"{relay.cuts} connections cut, {killed} hubs killed, {gaps} gaps announced")
    return faults + gaps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aborts", type=int, default=30)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(json.dumps(vars(asked)))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".jbts"
        home.mkdir()
        faults = asyncio.run(chaos(home, asked.aborts, asked.kills, asked.seed))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
