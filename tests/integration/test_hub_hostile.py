"""What a client may send to a hub process: anything at all. It answers, or closes with a code; it stays
within its memory and serves the others meanwhile."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from jbts_kernel.broadcast import client, discovery
from jbts_kernel.broadcast.discovery import HubInfo
from jbts_kernel.broadcast.exchange import MAX_ROOMS_PER_CLIENT, MESSAGES_AT_ONCE

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
MAX_GROWTH = 64 << 20
"""Bytes the hub may grow while it is attacked; what one attacker could make it keep is far below."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubInfo]:
    """One hub process for all attacks, which must be the same one, and of the same size, at the end."""
    home = tmp_path_factory.mktemp("attacked") / ".jbts"
    home.mkdir()
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "jbts_kernel.broadcast.hub", str(home)]
    process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + PATIENCE
        while (info := discovery.find(home)) is None:
            assert process.poll() is None and time.monotonic() < deadline, "no hub"
            time.sleep(0.01)
        with connect(info.url, proxy=None):
            before = psutil.Process(process.pid).memory_info().rss
        yield info
        assert process.poll() is None, "the hub died"
        deadline = time.monotonic() + PATIENCE  # until it has seen that those before have left
        while client.stats(home)["total_connections"] > 1:
            assert time.monotonic() < deadline, "the hub keeps connections that have gone"
        assert psutil.Process(process.pid).memory_info().rss - before < MAX_GROWTH
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert b"Traceback" not in said, said.decode()


def raw(info: HubInfo) -> socket.socket:
    """A socket that has become a WebSocket, so that any bytes can be sent as frames."""
    sock = socket.create_connection((info.host, info.port), timeout=PATIENCE)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    lines = [
        f"GET /ws?token={info.token} HTTP/1.1", f"Host: {info.address}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    ]  # fmt: skip
    sock.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert b" 101 " in head
    return sock


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A frame of RFC 6455, correct or not."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    else:
        head += (
            bytes([bit | 127]) + struct.pack("!Q", size)
            if size > 0xFFFF
            else bytes([bit | 126]) + struct.pack("!H", size)
        )
    return head + b"\0\0\0\0" + payload if masked else head + payload


def answers(sock: socket.socket, until: str | None = None) -> tuple[list[dict[str, Any]], int | None]:
    """What the hub says, up to a message of type ``until`` or its close; and the close's code."""
    said: list[dict[str, Any]] = []
    stream = sock.makefile("rb")
    while head := stream.read(2):
        size = head[1] & 0x7F
        size = (
            int.from_bytes(stream.read(2)) if size == 126 else int.from_bytes(stream.read(8)) if size == 127 else size
        )
        payload = stream.read(size)
        if head[0] & 0xF == 8:
            return said, int.from_bytes(payload[:2])
        if head[0] & 0xF == 1:
            said.append(json.loads(payload))
            if said[-1]["type"] == until:
                return said, None
    return said, None


def codes(said: list[dict[str, Any]]) -> list[str]:
    return [message["code"] for message in said if message["type"] == "error"]


TEXT = b'{"type":"heartbeat"}'


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(1, b"x" * (64 * 1024 + 1))], 1009),
        ([frame(1, b"x" * 40_000, fin=False), frame(0, b"x" * 40_000)], 1009),
        ([frame(1, b"\xff\xfe")], 1007),
        ([frame(1, b"\xc3", fin=False), frame(0, b"\x28")], 1007),
        ([frame(1, TEXT, masked=False)], 1002),
        ([frame(1, TEXT, reserved=4)], 1002),
        ([frame(3, TEXT)], 1002),
        ([frame(0, TEXT)], 1002),
        ([frame(1, TEXT, fin=False), frame(1, TEXT)], 1002),
        ([frame(9, b"x" * 126)], 1002),
        ([frame(9, b"", fin=False)], 1002),
        ([frame(8, b"\x00")], 1002),
        ([b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"], 1009),
        ([b"GET / HTTP/1.1\r\n\r\n"], 1002),
    ],
)
def test_frames_against_the_protocol_close_with_a_code(hub: HubInfo, frames: list[bytes], code: int) -> None:
    """Too long, no UTF-8, unmasked, reserved bits, unknown opcodes, broken fragments: each has its code."""
    with raw(hub) as sock:
        for one in frames:
            sock.sendall(one)
        assert answers(sock)[1] == code


def test_fragments_pings_and_binary_are_understood(hub: HubInfo) -> None:
    """A message in pieces with a ping between them, one byte at a time, and a binary frame are messages."""
    with raw(hub) as sock:
        pieces = [frame(1, TEXT[:5], fin=False), frame(9, b"hello"), frame(0, TEXT[5:])]
        for byte in b"".join(pieces):
            sock.sendall(bytes([byte]))
        assert answers(sock, "heartbeat_ack")[0][-1]["type"] == "heartbeat_ack"
        sock.sendall(frame(2, TEXT))
        assert answers(sock, "heartbeat_ack")[0][-1]["type"] == "heartbeat_ack"
        sock.sendall(frame(2, b"\xff\xfe\x00"))
        assert codes(answers(sock, "error")[0]) == ["bad_json"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(["join_room", "leave_room", "heartbeat", "get_stats", "error", "gap", "room_joined", "é", ""])
keys = ("room", "epoch", "offset", "history", "from", "source")
messages = st.fixed_dictionaries({"type": kinds | values}, optional=dict.fromkeys(keys, values))


@pytest.fixture(scope="module")
def talker(hub: HubInfo) -> Iterator[ClientConnection]:
    with connect(hub.url, proxy=None) as connection:
        connection.recv()
        yield connection


@settings(max_examples=200)
@given(message=messages | values)
def test_whatever_is_sent_is_answered(talker: ClientConnection, message: Any) -> None:
    """Any JSON in any of the fields has one answer of a known type, and the connection stays."""
    talker.send(json.dumps(message), text=True)
    found = {"type": "heartbeat"}
    while found["type"] in ("heartbeat", "test_execution_event"):
        found = json.loads(talker.recv(timeout=PATIENCE))
    assert found["type"] in ("error", "room_joined", "room_left", "heartbeat_ack", "stats")
    if found["type"] == "error":
        assert found["code"] and len(found["message"]) < 300


def test_deep_and_odd_json(hub: HubInfo) -> None:
    """Nesting without end, huge numbers, doubled keys, lone surrogates and NUL are errors or harmless."""
    odd = [
        "[" * 60_000, '{"a":' * 10_000, '{"type":"join_room","room":"a","epoch":"e","offset":' + "9" * 5_000 + "}",
        '{"type":"heartbeat","type":"shout"}', '{"type":"\\ud800"}', '{"type":"join_room","room":"a\\u0000b"}',
        '{"type":"join_room","room":"' + "\U0001f600" * 8_000 + '"}', "NaN", "\x00", "",
    ]  # fmt: skip
    with connect(hub.url, proxy=None) as connection:
        connection.recv()
        for text in odd:
            connection.send(text, text=True)
            assert json.loads(connection.recv(timeout=PATIENCE))["type"] == "error", text[:50]


def test_ten_thousand_rooms(hub: HubInfo) -> None:
    """Only so many can be joined by one connection, and none is left behind when it goes."""
    home_stats = f"ws://{hub.address}/ws"
    with connect(hub.url, proxy=None, max_queue=None) as connection:
        connection.recv()
        joined = 0
        found = {"type": ""}
        for number in range(10_000):
            connection.send(json.dumps({"type": "join_room", "room": f"room-{number}"}))
            found = json.loads(connection.recv(timeout=PATIENCE))
            while found["type"] == "heartbeat":
                found = json.loads(connection.recv(timeout=PATIENCE))
            joined += found["type"] == "room_joined"
            if found.get("code") == "too_fast":
                break
        assert joined == MAX_ROOMS_PER_CLIENT
        assert found["code"] in ("too_many_rooms", "too_fast")
    deadline = time.monotonic() + PATIENCE
    while client.stats(home_stats, token=hub.token)["kept_rooms"] > 20:
        assert time.monotonic() < deadline, "the rooms were kept"


def test_a_flood_is_told_and_then_closed(hub: HubInfo) -> None:
    """After what is allowed come errors; who goes on is closed with 1008, and others are served meanwhile."""
    with raw(hub) as sock:
        burst = frame(1, b'{"type":"leave_room","room":"a"}') * (3 * MESSAGES_AT_ONCE)
        sock.sendall(burst)
        assert client.stats(f"ws://{hub.address}/ws", token=hub.token)["total_connections"] >= 2
        said, code = answers(sock)
    assert code == 1008
    assert codes(said)[0] == "too_fast" and set(codes(said)) == {"too_fast"}
    assert sum(message["type"] == "room_left" for message in said) >= MESSAGES_AT_ONCE


def test_noise(hub: HubInfo) -> None:
    """Random bytes after the handshake, half requests, and connections that say nothing do no harm."""
    chance = random.Random(11)
    for _ in range(30):
        with raw(hub) as sock:
            sock.sendall(chance.randbytes(chance.randrange(1, 2_000)))
            if chance.random() < 0.5:
                sock.shutdown(socket.SHUT_WR)
                answers(sock)
    silent = [socket.create_connection((hub.host, hub.port)) for _ in range(20)]
    for number, sock in enumerate(silent):
        sock.sendall(b"GET /ws HTTP/1.1\r\nHost: x"[: number * 2])
    assert client.send(f"ws://{hub.address}/ws", {"type": "heartbeat"}, token=hub.token)["type"] == "heartbeat_ack"
    for sock in silent:
        sock.close()


def test_names_are_bounded(hub: HubInfo) -> None:
    """A user's name is one, printable, and at most 128 characters."""
    for user in ("u" * 129, "a%0Ab", "%00", "a&user=b"):
        with socket.create_connection((hub.host, hub.port), timeout=PATIENCE) as sock:
            sock.sendall(f"GET /ws?token={hub.token}&user={user} HTTP/1.1\r\nHost: {hub.address}\r\n\r\n".encode())
            assert b" 400 " in sock.makefile("rb").readline()
    with connect(f"{hub.url}&user={'u' * 128}", proxy=None) as connection:
        assert json.loads(connection.recv())["type"] == "connection_confirmed"
