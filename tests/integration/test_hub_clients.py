"""Real clients of a real hub: nothing doubled, nothing lost in silence, nobody delayed by anybody."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from jbts_kernel.broadcast import client
from jbts_kernel.broadcast.client import subscribe
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.broadcast.events import Events
from jbts_kernel.broadcast.server import _skip_old
from jbts_kernel.errors import ConfigProblem, HubProblem
from jbts_kernel.log import Log, Tail
from jbts_kernel.models import Event

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
X1 = "test_execution:x1"


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs on a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@pytest.fixture(scope="module")
def chaos() -> ModuleType:
    """benchmarks/chaos_hub.py: the long form of what is tested here, with its hub and its relay."""
    path = ROOT / "benchmarks" / "chaos_hub.py"
    spec = importlib.util.spec_from_file_location("jbts_benchmark_chaos_hub", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settled(home: Path, events: int) -> None:
    """Wait until the hub has read so many events."""
    deadline = time.monotonic() + PATIENCE
    while client.stats(home)["events"] < events:
        assert time.monotonic() < deadline, "the hub does not get on"


@pytest.fixture
def hub(home: Path, chaos: ModuleType) -> Iterator[Any]:
    """The project's hub, not started yet."""
    home.mkdir()
    made = chaos.Hub(home)
    yield made
    made.kill()


@pytest.fixture
def log(home: Path) -> Iterator[Log]:
    """This process's log, in small segments: every test crosses some."""
    made = Log(home, max_bytes=20_000)
    yield made
    made.close()


def step(number: int, execution: str = "x1", pad: int = 0) -> Event:
    """A step with a number to know it by."""
    return Event("step.started", {"n": number, "pad": "." * pad}, execution_id=execution)


async def receive(connection: ClientConnection) -> dict[str, Any]:
    """The next message but the hub's heartbeats."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = json.loads(await connection.recv())
            if found["type"] != "heartbeat":
                return found


def small_socket(info: HubInfo) -> socket.socket:
    """A connected socket whose system takes little on behalf of a client that does not read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    raw.connect((info.host, info.port))
    return raw


@asynccontextmanager
async def visitor(
    info: HubInfo, user: str | None = None, sock: socket.socket | None = None, **join: object
) -> AsyncIterator[ClientConnection]:
    """A connection, confirmed and in the room asked for; ``connection_id`` is its id."""
    url = info.url + (f"&user={user}" if user else "")
    async with connect(url, proxy=None, max_queue=None, max_size=None, sock=sock) as connection:
        connection.connection_id = (await receive(connection))["connection_id"]  # type: ignore[attr-defined]
        if join:
            await connection.send(json.dumps({"type": "join_room", **join}))
            assert (await receive(connection))["type"] == "room_joined"
        yield connection


async def collect(stream: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first ``count`` messages of a subscription."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE), aclosing(stream) as messages:  # type: ignore[type-var]
        async for message in messages:
            found.append(message)
            if len(found) == count:
                break
    return found


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    """The steps' numbers."""
    return [message["data"]["n"] for message in messages]


def test_a_subscription_that_is_forgotten_closes_its_socket(hub: Any, log: Log) -> None:
    """Left in the middle of its loop as the event loop ends, a subscription leaves no open socket behind,
    whether it was dropped, kept by somebody, or its closing was cancelled."""
    info = hub.start()
    log.emit(*[step(n) for n in range(5)])
    kept = []

    async def first(keep: bool) -> int:
        stream = subscribe(hub.home, X1, history=True)
        kept.extend([stream] if keep else [])
        async for message in stream:
            return int(message["data"]["n"])
        raise AssertionError("it ended by itself")

    async def cancelled_while_closing() -> int:
        async with asyncio.timeout(PATIENCE), subscribe(hub.home, X1, history=True) as stream:
            found = int((await anext(stream))["data"]["n"])
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
        return found

    for _ in range(3):
        assert asyncio.run(asyncio.wait_for(first(keep=False), PATIENCE)) == 0
        assert asyncio.run(first(keep=True)) == 0
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancelled_while_closing())
    # Not yet collected garbage counts: psutil asks the system.
    ours = psutil.Process().net_connections("tcp")
    assert [one for one in ours if one.raddr and one.raddr.port == info.port] == []


@asynchronous
async def test_a_cut_connection_goes_on_where_it_was(hub: Any, log: Log, chaos: ModuleType) -> None:
    """A subscriber that is cut off again and again gets every event exactly once and in order."""
    chance = random.Random(7)
    token = hub.start().token
    async with chaos.Relay(hub.home) as relay:
        reading = asyncio.create_task(collect(subscribe(relay.url(token), X1, history=True), 2_000))
        for number in range(0, 2_000, 10):
            log.emit(*[step(n) for n in range(number, number + 10)])
            await asyncio.sleep(0.005)
            if chance.random() < 0.1:
                relay.cut(chance)
        messages = await reading
        assert relay.cuts > 3
    assert numbers(messages) == list(range(2_000))
    assert [message["offset"] for message in messages] == list(range(1, 2_001))


def test_exactly_once_whatever_is_killed(home: Path, chaos: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Six subscribers, two writers, connections cut at random and hubs killed: everything once, in order."""
    home.mkdir()
    seed = time.time_ns()
    faults = asyncio.run(chaos.chaos(home, aborts=8, kills=2, seed=seed))
    said = capsys.readouterr().out
    assert faults == 0 and "8 connections cut, 2 hubs killed" in said, (seed, said)


@asynchronous
async def test_a_killed_hub_is_resumed_by_the_next(hub: Any, log: Log) -> None:
    """The room of an execution is the same after kill -9: the next hub says recovered and goes on."""
    log.emit(*[step(n) for n in range(40)])
    async with visitor(hub.start(), room=X1, history=True) as connection:
        seen = [await receive(connection) for _ in range(25)]
    hub.kill()
    log.emit(*[step(n) for n in range(40, 60)])
    again = hub.start()
    async with visitor(again) as connection:
        where = {"epoch": seen[-1]["epoch"], "offset": seen[-1]["offset"]}
        await connection.send(json.dumps({"type": "join_room", "room": X1, **where}))
        joined = await receive(connection)
        assert (joined["was_recovering"], joined["recovered"], joined["offset"]) == (True, True, 25)
        rest = [await receive(connection) for _ in range(35)]
    assert numbers(seen + rest) == list(range(60))
    async with visitor(again) as connection:
        await connection.send(json.dumps({"type": "join_room", "room": X1, "epoch": "other", "offset": 25}))
        joined = await receive(connection)
        assert (joined["was_recovering"], joined["recovered"], joined["offset"]) == (True, False, 0)


@asynchronous
async def test_a_subscriber_outlives_its_hub(hub: Any, log: Log, home: Path) -> None:
    """Two processes' worth of events through three hubs, two of them killed: each once, in its order."""
    other = Log(home, max_bytes=20_000)
    hub.start()
    streams = [subscribe(home, room, history=True) for room in ("test_events", X1)]
    reading = [asyncio.create_task(collect(stream, 600)) for stream in streams]
    for round_ in range(3):
        for number in range(round_ * 100, round_ * 100 + 100, 5):
            log.emit(*[step(n) for n in range(number, number + 5)])
            other.emit(*[step(1_000 + n) for n in range(number, number + 5)])
            await asyncio.sleep(0.004)
        if round_ < 2:
            await asyncio.to_thread(hub.kill)
            await asyncio.to_thread(hub.start)
    for messages in await asyncio.gather(*reading):
        found = numbers(messages)
        assert [n for n in found if n < 1_000] == list(range(300))
        assert [n for n in found if n >= 1_000] == list(range(1_000, 1_300))
    other.close()


@asynchronous
async def test_a_client_that_never_reads(hub: Any, log: Log) -> None:
    """It gets a gap and the rest when it reads again; one beside it has had everything long before."""
    info = hub.start()
    async with visitor(info, sock=small_socket(info), room=X1) as stuck, visitor(info, room=X1) as quick:
        stuck.transport.pause_reading()
        count = 4_000
        for number in range(0, count, 100):  # twenty megabytes: more than buffers and the ring hold
            log.emit(*[step(n, pad=5_000) for n in range(number, number + 100)])
            assert numbers([await receive(quick) for _ in range(100)]) == list(range(number, number + 100))
        figures = client.stats(hub.home)
        assert figures["lagging"] == 1 and figures["gaps"] == 0
        stuck.transport.resume_reading()
        offsets: list[int] = []
        gaps = 0
        while len(offsets) < count:
            message = await receive(stuck)
            if message["type"] == "gap":
                gaps += 1
                offsets += range(message["from"], message["to"] + 1)
            else:
                offsets.append(message["offset"])
        assert offsets == list(range(1, count + 1)) and gaps >= 1
        log.emit(step(count))
        assert (await receive(stuck))["offset"] == (await receive(quick))["offset"] == count + 1


@asynchronous
async def test_a_hub_that_was_down_catches_up(hub: Any, log: Log) -> None:
    """What happened before the hub came is in its rooms' history; without history one hears only news."""
    log.emit(*[step(n) for n in range(500)])
    hub.start()
    assert numbers(await collect(subscribe(hub.home, X1, history=True), 500)) == list(range(500))
    news = asyncio.create_task(collect(subscribe(hub.home, X1), 1))
    while not (await asyncio.to_thread(client.stats, hub.home))["room_distribution"]:
        pass  # each question is a round trip
    log.emit(step(500))
    assert numbers(await news) == [500]


@asynchronous
async def test_many_subscribers_hear_the_same(hub: Any, log: Log) -> None:
    """Fifty clients, five hundred events: everyone everything, in order."""
    info = hub.start()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(visitor(info, room="test_events")) for _ in range(50)]
        for number in range(0, 500, 5):
            log.emit(*[step(n, f"x{n % 7}") for n in range(number, number + 5)])
        for connection in clients:
            assert numbers([await receive(connection) for _ in range(500)]) == list(range(500))


@asynchronous
async def test_messages_reach_whom_they_are_for(hub: Any, log: Log) -> None:
    """To a user, to a connection, to a room without one of its members, to all."""
    info = hub.start()
    events = Events(hub.home, log)
    async with visitor(info, "ada", room="team") as ada, visitor(info, "bob", room="team") as bob:
        assert events.send_to_user("ada", {"type": "hello", "n": 1})
        assert events.send_to_connection(bob.connection_id, {"n": 2})  # type: ignore[attr-defined]
        assert events.broadcast_to_room("team", {"n": 3}, exclude=ada.connection_id)  # type: ignore[attr-defined]
        assert events.broadcast_to_room("team", {"n": 5}, exclude={bob.connection_id})  # type: ignore[attr-defined]
        assert events.broadcast_to_all({"n": 4})
        assert {(await receive(ada))["n"] for _ in range(3)} == {1, 4, 5}
        to_bob = [await receive(bob) for _ in range(3)]
        assert {message["n"] for message in to_bob} == {2, 3, 4}
        (said,) = [message for message in to_bob if message["n"] == 3]
        assert (said["type"], said["room"], said["offset"]) == ("message", "team", 1)


@asynchronous
async def test_messages_wait_for_a_user_across_hubs(hub: Any, log: Log) -> None:
    """What is sent to somebody who is away is given once, by whichever hub is there then."""
    events = Events(hub.home, log)
    assert events.send_to_user("ada", {"n": 0})  # no hub yet
    hub.start()
    assert events.send_to_user("ada", {"n": 1})
    assert events.send_to_user("ada", {"n": 2}, queue_if_offline=False)
    log.emit(step(0))
    settled(hub.home, 1)
    hub.kill()
    async with visitor(hub.start(), "ada") as ada:
        assert [(await receive(ada))["n"] for _ in range(2)] == [0, 1]
    hub.kill()
    assert events.send_to_user("ada", {"n": 3})
    async with visitor(hub.start(), "ada") as ada:
        assert (await receive(ada))["n"] == 3


@asynchronous
async def test_a_line_that_is_half_written_waits(hub: Any, home: Path) -> None:
    """A writer that died in the middle of a line does not disturb those beside it."""
    torn, whole = Log(home), Log(home)
    torn.emit(step(0))
    assert torn.segment is not None
    with torn.segment.open("ab") as file:
        file.write(b'{"v":1,"id":"half')
    hub.start()
    reading = asyncio.create_task(collect(subscribe(home, X1, history=True), 3))
    whole.emit(step(1), step(2))
    assert sorted(numbers(await reading)) == [0, 1, 2]
    torn.close()
    whole.close()


def test_of_a_long_log_the_newest_is_read(home: Path, log: Log) -> None:
    """A hub that starts skips the oldest segments beyond a bound, whole ones, and never the newest."""
    for number in range(60):
        log.emit(step(number, pad=1_000))
    names = sorted(path.name for path in (home / "spool").glob("*.jsonl") if path.stat().st_size)
    assert len(names) > 3
    skipped = _skip_old(home / "spool", 45_000)
    assert sorted(skipped) == names[:-2]
    assert _skip_old(home / "spool", 1) == {name: (home / "spool" / name).stat().st_size for name in names[:-1]}
    tail = Tail(home / "spool", skipped)
    kept = [record.data["n"] for record in tail.poll() if record.kind == "step.started"]
    assert kept == list(range(kept[0], 60)) and kept[0] > 0


def test_what_a_subscriber_is_told(hub: Any) -> None:
    """A wrong token, a room that cannot be, another address, no hub: one line each, nothing hangs."""

    def first(*words: Any, **more: Any) -> None:
        asyncio.run(collect(subscribe(*words, **more), 1))

    with pytest.raises(HubProblem, match="no hub answered"):
        first(hub.home, patience=0.1)
    info = hub.start()
    with pytest.raises(HubProblem, match="401"):
        first(f"ws://{info.address}", token="wrong")
    with pytest.raises(HubProblem, match="401"):
        client.stats(f"ws://{info.address}/ws")
    with pytest.raises(HubProblem, match="cannot be a room"):
        first(hub.home, "no such room")
    with pytest.raises(HubProblem, match="not a hub's address"):
        first("http://127.0.0.1")
    answer = client.send(hub.home, {"type": "join_room", "room": "a", "epoch": "e"})
    assert (answer["type"], answer["code"]) == ("error", "bad_position")
    assert client.send(f"ws://{info.address}/ws", {"type": "heartbeat"}, token=info.token)["tops"] == {}


def test_what_cannot_be_sent(home: Path, log: Log) -> None:
    """Mistakes are said where they are made; with the broadcast off nothing is written."""
    events = Events(home, log, mode="off")
    assert events.send_to_user("ada", {"n": 1}) is False and log.segment is None
    assert str(events.start()) == "off"
    with pytest.raises(HubProblem, match="hub's own"):
        events.broadcast_to_all({"type": "gap"})
    with pytest.raises(HubProblem, match="object"):
        events.broadcast_to_all(["no object"])  # type: ignore[arg-type]
    with pytest.raises(HubProblem, match="cannot be a room"):
        events.broadcast_to_room("no room", {})
    with pytest.raises(HubProblem, match="no hub"):
        events.url()
    with pytest.raises(ConfigProblem, match="broadcaster"):
        Events(home, log, mode="else")  # type: ignore[arg-type]


def test_a_notebooks_hub_on_a_thread(home: Path, log: Log) -> None:
    """mode thread: the same for a subscriber, and nothing is left when it is closed."""
    events = Events(home, log, mode="thread")
    try:
        assert events.start().pid == os.getpid()
        log.emit(step(1))
        assert numbers(asyncio.run(collect(events.subscribe(X1, history=True), 1))) == [1]
        assert numbers(events.tail(1)) == [1]
        assert events.stats()["events"] == 1
    finally:
        events.close()
    assert not events.status().running
    assert not any(thread.name == "jbts-hub" for thread in threading.enumerate())
