"""What the hub delivers beside plain ``websockets.broadcast``, on this machine, in one run.

Both serve the same clients, which live in a process of their own and only count: the hub reads its events
from the log another process writes, plain broadcast is given its messages in memory. They take turns, and
what is worth reading are the ratios; absolute figures are this machine's at this hour.

    python benchmarks/hub.py [--rounds N] [--clients 1,100,1000] [--quick]

Deliveries a second; latency at 500 events a second to 100 clients while another process computes, also with
a client that reads nothing; what an event costs the step that writes it; memory of a connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from jbts_kernel.broadcast import client, discovery
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.log import Log
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[1]
LAST = b'"last":true'
AMOUNT = {1: 20_000, 100: 4_000, 1_000: 1_000}
RATE, LISTENERS = 500, 100
BUSY = "while True: sum(i * i for i in range(10_000))"
STEP = {
    "name": 'click "#checkout"',
    "verb": "click",
    "status": "passed",
    "duration_ms": 73.2,
    "url": "http://shop/basket",
}


# ---- the clients: a process that connects, waits for the last event, and says when each had it -----
def receive(address: str, path: str, count: int, room: str) -> None:
    """Be ``count`` clients. Says ``ready`` when all are in, then at the end one JSON line."""
    host, _, port = address.rpartition(":")
    poll = selectors.DefaultSelector()
    join = json.dumps({"type": "join_room", "room": room}).encode()
    for _ in range(count):
        sock = socket.create_connection((host, int(port)))
        request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        sock.sendall(
            (request + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        sock.sendall(bytes([0x81, 0x80 | len(join)]) + b"\0\0\0\0" + join)
        while b"room_joined" not in head:
            head += sock.recv(4096)
        sock.setblocking(False)
        poll.register(sock, selectors.EVENT_READ, [b""])
    print("ready", flush=True)
    waits: list[float] = []
    stamp = re.compile(rb'"t":(\d+\.\d+)')
    left = count
    while left:
        for key, _ in poll.select():
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            now = time.time()
            whole = key.data[0] + data
            waits.extend(now - float(found) for found in stamp.findall(data))
            key.data[0] = whole[-len(LAST) :]
            if LAST in whole or not data:
                left -= 1
                poll.unregister(key.fileobj)
    waits.sort()
    print(json.dumps({"at": time.time(), "waits": waits[:: max(1, len(waits) // 10_000)]}), flush=True)


@contextmanager
def clients(address: str, path: str, count: int, room: str = "test_events") -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, __file__, "--receive", address, path, str(count), room]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=_environ())
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


# ---- the two servers ------------------------------------------------------------------------------
class OurHub:
    """A hub process and a log to write to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        self.log = Log(home)
        self.process = subprocess.Popen([sys.executable, "-m", "jbts_kernel.broadcast.hub", str(home)], env=_environ())
        while (info := discovery.find(home)) is None:
            time.sleep(0.01)
        self.info: HubInfo = info
        self.address, self.path = info.address, f"/ws?token={info.token}"

    def burst(self, count: int) -> None:
        for start in range(0, count, 10):
            self.log.emit(*[self.event(n == count - 1) for n in range(start, min(start + 10, count))])

    def event(self, last: bool, **more: Any) -> Event:
        return Event("step.finished", STEP | more | ({"last": True} if last else {}), "r", "x1", "s")

    def close(self) -> None:
        self.log.close()
        self.process.terminate()
        self.process.wait()


def plain(address_file: str, rate: int) -> None:
    """``websockets.broadcast`` in a process: each line on standard input is how many messages to send now."""

    async def run() -> None:
        joined: set[ServerConnection] = set()

        async def handle(connection: ServerConnection) -> None:
            with contextlib.suppress(ConnectionClosed):
                async for _ in connection:
                    joined.add(connection)
                    await connection.send('{"type":"room_joined"}')

        async with serve(handle, "127.0.0.1", 0, compression=None) as server:
            loop = asyncio.get_running_loop()
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await loop.run_in_executor(None, Path(address_file).write_text, address)
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                count = int(line)
                open_now = [one for one in joined if one.state.name == "OPEN"]
                began = time.perf_counter()
                for n in range(count):
                    stamp = {"t": time.time()} if rate else {}
                    message = {"type": "test_execution_event", "data": STEP | stamp, "room": "test_events", "offset": n}
                    text = json.dumps(message | ({"last": True} if n == count - 1 else {}), separators=(",", ":"))
                    broadcast(open_now, text)
                    if rate:
                        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
                    elif n % 10 == 9:  # as many in a row as the log's writer appends
                        await asyncio.sleep(0)

    asyncio.run(run())


@contextmanager
def plain_server(folder: Path, rate: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    file = folder / f"plain-{time.time_ns()}"
    words = [sys.executable, __file__, "--plain", str(file), str(rate)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True, env=_environ())
    try:
        while not file.exists() or not file.read_text():
            time.sleep(0.01)
        yield file.read_text(), process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


# ---- what is measured -----------------------------------------------------------------------------
def deliveries_ours(hub: OurHub, count: int, amount: int) -> float:
    with clients(hub.address, hub.path, count) as there:
        _line(there)
        began = time.time()
        hub.burst(amount)
        return count * amount / (json.loads(_line(there))["at"] - began)


def deliveries_plain(folder: Path, count: int, amount: int) -> float:
    with plain_server(folder) as (address, server), clients(address, "/", count) as there:
        _line(there)
        began = time.time()
        assert server.stdin is not None
        server.stdin.write(f"{amount}\n")
        server.stdin.flush()
        return count * amount / (json.loads(_line(there))["at"] - began)


def latency_ours(hub: OurHub, seconds: float, listeners: int = LISTENERS) -> list[float]:
    with clients(hub.address, hub.path, listeners) as there:
        _line(there)
        began, total = time.perf_counter(), int(RATE * seconds)
        for n in range(total):
            hub.log.emit(hub.event(n == total - 1, t=time.time()))
            time.sleep(max(0.0, began + n / RATE - time.perf_counter()))
        return list(json.loads(_line(there))["waits"])


def latency_plain(folder: Path, seconds: float) -> list[float]:
    with plain_server(folder, RATE) as (address, server), clients(address, "/", LISTENERS) as there:
        _line(there)
        assert server.stdin is not None
        server.stdin.write(f"{int(RATE * seconds)}\n")
        server.stdin.flush()
        return list(json.loads(_line(there))["waits"])


@contextmanager
def computing() -> Iterator[None]:
    """A kernel that computes beside all this."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def stuck(hub: OurHub) -> Iterator[None]:
    """A client that joins and never reads again."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    sock.connect((hub.info.host, hub.info.port))
    request = f"GET {hub.path} HTTP/1.1\r\nHost: {hub.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    sock.sendall(
        (request + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()
    )
    join = b'{"type":"join_room","room":"test_events"}'
    sock.sendall(bytes([0x81, 0x80 | len(join)]) + b"\0\0\0\0" + join)
    try:
        yield
    finally:
        sock.close()


def cost(home: Path, rounds: int) -> tuple[float, float]:
    """Microseconds of one emit (median) without a hub and with one, in turns."""
    took: dict[bool, list[float]] = {False: [], True: []}
    event = Event("step.finished", STEP, "r", "x1", "s")
    for number in range(rounds):
        for with_hub in (False, True):
            folder = home / f"cost{number}{with_hub}"
            hub = OurHub(folder) if with_hub else None
            log = hub.log if hub else Log(folder)
            for n in range(400):
                began = time.perf_counter()
                log.emit(event)
                took[with_hub].append(time.perf_counter() - began)
                if n % 20 == 0:
                    time.sleep(0.01)
            if hub:
                hub.close()
            else:
                log.close()
    return statistics.median(took[False]) * 1e6, statistics.median(took[True]) * 1e6


def memory(hub: OurHub, count: int) -> float:
    """KiB of one connection in the hub."""
    process = psutil.Process(hub.process.pid)
    with clients(hub.address, hub.path, 1) as there:
        _line(there)
        before = process.memory_info().rss
        with clients(hub.address, hub.path, count) as more:
            _line(more)
            client.stats(hub.home)
            return (process.memory_info().rss - before) / count / 1024


def _p(waits: list[float]) -> str:
    ordered = sorted(waits)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000 for q in (0.5, 0.99)]
    return f"p50 {at[0]:6.1f} ms   p99 {at[1]:6.1f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,100,1000")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    parser.add_argument("--receive", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--plain", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.receive:
        receive(asked.receive[0], asked.receive[1], int(asked.receive[2]), asked.receive[3])
        return 0
    if asked.plain:
        plain(asked.plain[0], int(asked.plain[1]))
        return 0
    shrink, seconds, rounds = (10, 1.0, 1) if asked.quick else (1, 8.0, asked.rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub = OurHub(folder / "main")
        print("deliveries a second                  hub      broadcast   ratio")
        for count in map(int, asked.clients.split(",")):
            amount = AMOUNT.get(count, 2_000) // shrink
            pairs = [
                (deliveries_ours(hub, count, amount), deliveries_plain(folder, count, amount)) for _ in range(rounds)
            ]
            ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"  {count:5} clients, {amount:6} events  {ours:11,.0f}  {theirs:11,.0f}   {ratio:5.2f}", flush=True)
        print(f"latency at {RATE} events/s to {LISTENERS} clients while another process computes")
        with computing():
            print(f"  hub                                {_p(latency_ours(hub, seconds))}", flush=True)
            print(f"  plain broadcast                    {_p(latency_plain(folder, seconds))}", flush=True)
            with stuck(hub):
                print(f"  hub, beside one that never reads   {_p(latency_ours(hub, seconds))}", flush=True)
                print(f"  one client, beside one like that   {_p(latency_ours(hub, seconds, 1))}", flush=True)
        hub.close()
        fresh = OurHub(folder / "fresh")
        print(f"memory of a connection  {memory(fresh, 1_000 // shrink):.1f} KiB", flush=True)
        fresh.close()
        without, beside = cost(folder, rounds)
        print(f"one event costs a step  {without:.1f} us without a hub, {beside:.1f} us with one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
