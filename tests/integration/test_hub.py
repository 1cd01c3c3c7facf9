"""A real hub process: who is let in, what is heard, how hubs are found, elected and ended."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jbts_kernel.broadcast import discovery
from jbts_kernel.broadcast.discovery import HubInfo, Seat
from jbts_kernel.broadcast.events import Events
from jbts_kernel.broadcast.server import Options
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.errors import HubProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs on a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


class Hubs:
    """The hub processes of one test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.processes: list[subprocess.Popen[str]] = []

    def launch(self, *options: str) -> subprocess.Popen[str]:
        """Start a hub process without waiting for it."""
        command = [sys.executable, "-m", "jbts_kernel.broadcast.hub", str(self.home), *options]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self.processes.append(process)
        return process

    def start(self, *options: str) -> HubInfo:
        """Start a hub and wait until it can be found."""
        process = self.launch(*options)
        info = until(lambda: process.poll() is not None or discovery.find(self.home), "the hub")
        assert isinstance(info, HubInfo), process.communicate()
        return info

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def hubs(home: Path) -> Iterator[Hubs]:
    """Starts hubs for the project's folder; what is left at the end is ended."""
    made = Hubs(home)
    yield made
    made.close()


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    """This process's log."""
    made = Log(home)
    yield made
    made.close()


async def receive(connection: ClientConnection) -> dict[str, Any]:
    """The next message but the hub's heartbeats."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = json.loads(await connection.recv())
            if found["type"] != "heartbeat":
                return found


async def ask(connection: ClientConnection, kind: str, **rest: object) -> dict[str, Any]:
    """Send a message and return what comes next."""
    await connection.send(json.dumps({"type": kind, **rest}))
    return await receive(connection)


async def refused(url: str, **headers: Any) -> int:
    """The HTTP status a connection is refused with."""
    with pytest.raises(InvalidStatus) as answer:
        await connect(url, proxy=None, **headers)
    return answer.value.response.status_code


def small_socket(info: HubInfo) -> socket.socket:
    """A connected socket whose system takes little on behalf of a client that does not read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    raw.connect((info.host, info.port))
    return raw


def answer_to(info: HubInfo, lines: str) -> int:
    """The HTTP status of a request written by hand."""
    with socket.create_connection((info.host, info.port), timeout=PATIENCE) as raw:
        raw.sendall(lines.replace("\n", "\r\n").encode())
        return int(raw.makefile("rb").readline().split()[1])


@asynchronous
async def test_every_kind_of_event_arrives_with_its_data(hubs: Hubs, log: Log) -> None:
    """A test that starts, steps and ends is heard in both rooms, each with its own offsets."""
    info = hubs.start()
    async with connect(info.url, proxy=None) as connection:
        assert (await receive(connection))["type"] == "connection_confirmed"
        for room in ("test_events", "test_execution:x1"):
            joined = await ask(connection, "join_room", room=room)
            assert (joined["type"], joined["offset"]) == ("room_joined", 0)
        ids: dict[str, Any] = {"run_id": "r1", "execution_id": "x1"}
        assert log.emit(
            Event("execution.started", {"test_name": "login"}, **ids),
            Event("step.started", {"name": "open", "verb": "navigate"}, step_id="s1", **ids),
            Event("step.finished", {"name": "open", "status": "passed", "duration_ms": 12.5}, step_id="s1", **ids),
            Event("execution.finished", {"test_name": "login", "status": "passed"}, **ids),
            Event("execution.finished", {"test_name": "other", "status": "error"}, execution_id="x2"),
        )
        messages = [await receive(connection) for _ in range(9)]
    everything = [message for message in messages if message["room"] == "test_events"]
    mine = [message for message in messages if message["room"] == "test_execution:x1"]
    assert [m["event_type"] for m in everything] == ["started", "progress", "progress", "completed", "failed"]
    assert [m["offset"] for m in everything] == [1, 2, 3, 4, 5]
    assert [m["offset"] for m in mine] == [1, 2, 3, 4]
    finished = mine[2]
    assert finished["test_execution_id"] == "x1" and finished["timestamp"].endswith("Z")
    assert {"name": "open", "status": "passed", "duration_ms": 12.5, "step_id": "s1"}.items() <= finished[
        "data"
    ].items()


@asynchronous
async def test_who_may_connect(hubs: Hubs) -> None:
    """No token 401, wrong token 401, foreign Origin 403, foreign Host 403, two Hosts 403, another path
    404; the token as a header, a message that is too long 1009."""
    info = hubs.start()
    bare = f"ws://{info.address}/ws"
    assert await refused(bare) == 401
    assert await refused(f"{bare}?token=wrong") == 401
    assert await refused(info.url, origin="https://evil.example") == 403
    assert answer_to(info, f"GET /ws?token={info.token} HTTP/1.1\nHost: evil.example\n\n") == 403
    assert answer_to(info, f"GET /ws?token={info.token} HTTP/1.1\nHost: localhost\nHost: localhost\n\n") == 403
    assert await refused(info.url.replace("/ws", "/other")) == 404
    async with connect(bare, proxy=None, additional_headers={"Authorization": f"Bearer {info.token}"}) as connection:
        assert (await receive(connection))["type"] == "connection_confirmed"
        assert (await ask(connection, "shout"))["code"] == "unknown_type"
        assert (await ask(connection, "heartbeat"))["type"] == "heartbeat_ack"
        await connection.send("x" * (64 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await receive(connection)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_health_is_plain_http(hubs: Hubs) -> None:
    """/health answers without a token, to this machine's names only."""
    info = hubs.start()
    connection = http.client.HTTPConnection(info.host, info.port, timeout=PATIENCE)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"ok":true}')
    assert answer.headers["Content-Type"] == "application/json"
    connection.close()
    assert answer_to(info, "GET /health HTTP/1.1\nHost: evil.example\n\n") == 403


def test_hub_json_is_private_and_exact(hubs: Hubs, home: Path) -> None:
    """hub.json holds host, port, token and pid, for nobody else to read; the token is kept, the port
    tried again, and the file is gone when the hub is."""
    info = hubs.start()
    path = home / "run" / "hub.json"
    assert json.loads(path.read_text()) == {
        "host": "127.0.0.1",
        "port": info.port,
        "token": info.token,
        "pid": hubs.processes[0].pid,
    }
    assert path.stat().st_mode & 0o777 == (home / "run" / "token").stat().st_mode & 0o777 == 0o600
    assert info.token not in repr(info)
    hubs.processes[0].terminate()
    assert hubs.processes[0].wait(PATIENCE) == 0
    assert not path.exists()
    again = hubs.start()
    assert (again.token, again.port) == (info.token, info.port)


def test_a_dead_hubs_address_is_not_believed(hubs: Hubs, home: Path) -> None:
    """After kill -9 the file is still there, but there is no hub."""
    hubs.start()
    hubs.processes[0].kill()
    hubs.processes[0].wait(PATIENCE)
    assert (home / "run" / "hub.json").exists()
    assert discovery.find(home) is None
    assert discovery.stop(home) is False
    seat = Seat.take(home, inside=True)
    assert seat is not None
    assert discovery.find(home) is None, "its successor is there, but has not opened its port"
    seat.release()


def test_of_several_hubs_one_is_elected(hubs: Hubs) -> None:
    """Hubs started at once: one serves, the others end quietly."""
    for _ in range(4):
        hubs.launch()
    info = until(lambda: discovery.find(hubs.home), "a hub")
    others = [process for process in hubs.processes if process.pid != info.pid]
    assert [process.wait(PATIENCE) for process in others] == [0, 0, 0]
    winner = next(process for process in hubs.processes if process.pid == info.pid)
    assert winner.poll() is None and discovery.find(hubs.home) == info
    late = hubs.launch("--foreground")
    assert late.wait(PATIENCE) == 3 and "already running" in late.communicate()[1]


def test_looking_does_not_disturb_an_election(home: Path) -> None:
    """While others ask all the time whether there is a hub, who takes the seat gets it."""
    home.mkdir()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            discovery.find(home)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(30):
            seat = Seat.take(home, inside=True)
            assert seat is not None
            assert Seat.take(home, inside=True) is None
            seat.release()
    finally:
        done.set()
        for looker in lookers:
            looker.join()


def test_a_taken_port_is_said(hubs: Hubs) -> None:
    """A port that was asked for and is taken ends the hub with one line; the last hub's port is only tried."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = hubs.launch("--foreground", "--port", str(port))
        assert process.wait(PATIENCE) == 3
        said = process.communicate()[1]
        assert said.count("\n") == 1 and str(port) in said and "--port" in said
        (hubs.home / "run" / "port").write_text(str(port))
        assert hubs.start().port != port


def test_an_idle_hub_ends_by_itself(hubs: Hubs, log: Log) -> None:
    """Not while a process has the log open, nor while somebody listens; then it does."""
    log.emit(Event("step.started", {"name": "s"}, execution_id="x1"))
    info = hubs.start("--idle", "0.3")
    (process,) = hubs.processes
    began = time.monotonic()

    async def listen() -> None:
        async with connect(info.url, proxy=None) as connection:
            log.close()
            while time.monotonic() < began + 2.5:  # longer than the idle time, for the listener's sake
                assert (await ask(connection, "get_stats"))["type"] in ("stats", "connection_confirmed")
                await asyncio.sleep(0.05)
            assert process.poll() is None, "somebody was listening"

    until(lambda: time.monotonic() > began + 1.2, "several idle times to pass")
    assert process.poll() is None, "a process still has the log open"
    asyncio.run(listen())
    assert process.wait(PATIENCE) == 0
    assert not (hubs.home / "run" / "hub.json").exists()


@asynchronous
async def test_a_goodbye(hubs: Hubs, log: Log) -> None:
    """SIGTERM closes connections with 1001; one that does not read cannot hold the hub."""
    info = hubs.start()
    async with connect(info.url, proxy=None) as connection:
        stuck = await connect(info.url, proxy=None, max_queue=1, sock=small_socket(info))
        await stuck.send('{"type":"join_room","room":"test_events"}')
        await receive(stuck)
        await receive(stuck)
        stuck.transport.pause_reading()
        for _ in range(60):  # ten megabytes: more than the system's own buffers take
            log.emit(*[Event("step.started", {"pad": "x" * 40_000}, execution_id="x1") for _ in range(4)])
        figures: dict[str, Any] = {}
        while figures.get("events") != 240:
            figures = (await ask(connection, "get_stats")).get("data", {})
        assert figures["lagging"] == 1
        hubs.processes[0].send_signal(signal.SIGTERM)
        await asyncio.wait_for(connection.wait_closed(), PATIENCE)
        assert connection.close_code == 1001
        # Two seconds, and some for a busy machine; without an end of its patience it takes twenty.
        assert await asyncio.to_thread(hubs.processes[0].wait, 12) == 0
        stuck.transport.abort()


def test_a_hub_without_its_folder_ends(hubs: Hubs, home: Path) -> None:
    """When the project's data is removed or moved, the hub that served it goes."""
    hubs.start("--idle", "600")
    home.rename(home.with_name("moved"))
    assert hubs.processes[0].wait(PATIENCE) == 0
    shutil.rmtree(home.with_name("moved"))


def test_a_hub_starts_on_demand(home: Path) -> None:
    """Whoever needs a hub gets one, also when several ask in the same moment; stop ends it."""
    found: list[HubInfo] = []
    asking = [threading.Thread(target=lambda: found.append(discovery.ensure(home, PATIENCE))) for _ in range(3)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    try:
        assert len(found) == 3 and len(set(found)) == 1
        assert discovery.ensure_started(home) == found[0]
        assert found[0].pid != os.getpid() and os.getpgid(found[0].pid) != os.getpgid(0)
    finally:
        assert discovery.stop(home) is True
    assert discovery.find(home) is None


def test_a_hub_that_cannot_start_is_told(home: Path) -> None:
    """The reason is in the message, within the time given."""
    home.mkdir()
    (home / "run").mkdir()
    (home / "run" / "receipts").mkdir()  # where the hub wants to write a file
    with pytest.raises(HubProblem, match=r"did not start.*hub\.log.*receipts"):
        discovery.ensure(home, PATIENCE)


def test_a_hub_on_a_thread(home: Path, log: Log) -> None:
    """The same hub inside this process: bounded in connections, not to be ended from outside, and its
    thread and its seat are gone after stop."""
    hub = HubThread.start(home, Options(max_connections=1, heartbeat_s=0.05))
    assert hub is not None
    assert HubThread.start(home) is None, "the seat is taken"
    info = discovery.find(home)
    assert info is not None and info.pid == os.getpid()

    async def talk() -> None:
        async with connect(info.url, proxy=None) as connection:
            assert (await receive(connection))["type"] == "connection_confirmed"
            assert await refused(info.url) == 503
            await ask(connection, "join_room", room="test_events")
            log.emit(Event("step.started", {}, execution_id="x"))
            assert (await receive(connection))["offset"] == 1
            beat = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
            assert beat["type"] == "heartbeat" and beat["tops"]["test_events"][1] == 1

    asyncio.run(talk())
    with pytest.raises(HubProblem, match="stop it there"):
        discovery.stop(home)
    hub.stop()
    hub.stop()
    assert discovery.find(home) is None
    assert not any(thread.name == "jbts-hub" for thread in threading.enumerate())


def test_a_forked_child_does_not_keep_the_seat(home: Path) -> None:
    """When a process with a hub is gone, a child it forked before does not hold the project's lock."""
    seat = Seat.take(home, inside=True)
    assert seat is not None
    ready, ended = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(ended[0], 1)
        os._exit(0)
    try:
        os.read(ready[0], 1)
        os.close(seat._fd)  # what the kernel does when the process dies
        seat._fd = -1
        again = Seat.take(home, inside=True)
        assert again is not None, "the child still holds the lock"
        again.release()
    finally:
        os.write(ended[1], b"x")
        os.waitpid(child, 0)
        for end in (*ready, *ended):
            os.close(end)


def test_a_hub_that_is_still_starting_can_be_stopped(home: Path, log: Log) -> None:
    """Start and stop in one breath leave no hub behind."""
    events = Events(home, log)
    events.start()
    assert events.stop() is True
    assert not events.status().running and events.stop() is False


def test_nothing_heavy_is_imported_early() -> None:
    """A notebook that nobody watches does not pay for the WebSocket library."""
    code = (
        "import sys, jbts_kernel.broadcast.events, jbts_kernel.broadcast.discovery\n"
        "sys.exit(any(name in sys.modules for name in ('websockets', 'asyncio.base_events')))"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}).returncode == 0


def test_what_a_notebook_sees(home: Path, log: Log) -> None:
    """Start, address, figures, the last events, stop."""
    events = Events(home, log)
    assert not events.status().running and str(events.status()) == "not running"
    with pytest.raises(HubProblem, match="no hub is running"):
        events.stats()
    try:
        events.start()
        assert events.url().startswith("ws://127.0.0.1:")
        assert events.start().running
        log.emit(*[Event("step.started", {"n": n}, execution_id="x1") for n in range(30)])
        until(lambda: events.stats()["events"] == 30, "the hub to have read them")
        assert [event["data"]["n"] for event in events.tail(3)] == [27, 28, 29]
        assert len(events.tail(100)) == 30 and events.tail(0) == []
        assert events.broadcast_to_room("team", {"text": "hello"})
    finally:
        with contextlib.suppress(HubProblem):
            events.stop()
    assert not events.status().running and events.stop() is False
