"""docs/events.md is what a hub does: its conversations are held with one."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from jbts_kernel.broadcast import discovery, protocol
from jbts_kernel.broadcast.events import Events
from jbts_kernel.broadcast.threaded import HubThread
from jbts_kernel.log import Log
from jbts_kernel.models import Event

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
CONFIRMED = '< {"type": "connection_confirmed", "connection_id": "...", "timestamp": "..."}'
APART = ("history", "gap", "leave_room", "heartbeat", "get_stats", "error", "Messages of your own")
"""Chapters held on a connection of their own, which is in no room yet."""

PATIENCE = 60.0


def same(wanted: Any, found: Any) -> bool:
    """Whether a message is the one of the document, where ``"..."`` stands for any value."""
    if wanted == "...":
        return True
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(same(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(same, wanted, found))
    return bool(wanted == found)


class Talk:
    """The whole document with one hub."""

    def __init__(self, events: Events, log: Log) -> None:
        self.events = events
        self.log = log
        self.epoch = ""
        self.seen: set[str] = set()

    async def hold(self, connection: ClientConnection, conversation: str) -> None:
        for line in conversation.splitlines():
            sign, _, rest = line.partition(" ")
            if sign == ">":
                await connection.send(rest.replace("$epoch", self.epoch))
            elif sign == "#":
                await self.happen(rest)
            elif line:
                assert sign == "<", line
                found = await self.receive(connection)
                assert same(json.loads(rest), found), f"the document says {rest}, the hub {json.dumps(found)}"
                self.seen.add(found["type"])
                self.epoch = found.get("epoch", self.epoch)

    async def receive(self, connection: ClientConnection) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                found: dict[str, Any] = json.loads(await connection.recv())
                if found["type"] != "heartbeat":
                    return found

    async def happen(self, what: str) -> None:
        """Something beside the conversation."""
        name, _, rest = what.partition(" ")
        if name.isdigit():
            for number in range(int(name)):
                self.events.broadcast_to_room("busy", {"n": number})
            async with asyncio.timeout(PATIENCE):  # before somebody joins, the hub is to have read them
                while (await asyncio.to_thread(self.events.stats))["messages"] < int(name):
                    pass  # each question is a round trip
        elif name.startswith(("broadcast", "send")):
            whom, _, message = rest.partition(" ")
            getattr(self.events, name)(whom, json.loads(message))
        else:
            step = "s1" if name.startswith("step") else None
            self.log.emit(Event(name, json.loads(rest), "r1", "x1", step))


def test_the_conversations_of_the_document_are_true(home: Path) -> None:
    """Every message the hub knows is in docs/events.md with an example, and a hub says exactly that."""
    log = Log(home)
    hub = HubThread.start(home)
    assert hub is not None
    talk = Talk(Events(home, log, mode="thread"), log)
    chapters = re.split(r"^### ", DOCUMENT, flags=re.MULTILINE)[1:]

    async def whole() -> None:
        info = discovery.find(home)
        assert info is not None
        connection: ClientConnection | None = None
        for chapter in chapters:
            conversations = re.findall(r"```conversation\n(.*?)```", chapter, re.DOTALL)
            if connection is None or chapter.startswith(APART):
                if connection is not None:
                    await connection.close()
                connection = await connect(f"{info.url}&user=ada", proxy=None, max_queue=None)
                await talk.hold(connection, conversations.pop(0) if chapter.startswith("Connecting") else CONFIRMED)
            for conversation in conversations:
                await talk.hold(connection, conversation)
        assert connection is not None
        await connection.close()

    try:
        asyncio.run(whole())
    finally:
        hub.stop()
        log.close()
    assert talk.seen == protocol.HUB_TYPES - {"heartbeat"} | {"message"}
