"""The page script in a world of its own.

A page may replace what scripts rely on (``querySelectorAll``, ``JSON``, the clock, promises) or forbid
scripts altogether. DevTools gives us a second set of JavaScript's own objects over the same document,
which the page can neither see nor change: https://chromedevtools.github.io/devtools-protocol/tot/Page/
(``createIsolatedWorld``). Elements go in and come out by their number, which is also in the name that
chromedriver gives them, so what is found here is pressed and typed into there.

A world lasts as long as its document, and the browser tells when it ends. So it is made once, keeps the scripts it was
sent and the element it was about last, and most questions are one command. It is named by an identity that is never
given twice: one that is gone is refused, never mistaken for another that has its number.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import StepTimeout
from .cdp import CommandRefused, answer
from .faults import dialog_open

if TYPE_CHECKING:
    from .chromium_session import ChromiumSession

NAMED = re.compile(r"f\.(\w+)\.d\.(\w+)\.e\.(\d+)")  # a chromedriver element: frame, document, number
NAME = "jbts"
_ASKED = """async function (script, command, args, names, held, mark, ...nodes) {
  %s
  const given = nodes.map((node) => node || (globalThis.kept?.mark === held ? kept.el : null));
  if (given.some((node) => !node?.isConnected)) return ['{"state": "stale", "again": true}', null];
  names.forEach((name, i) => {
    if (name === "closed") (args.closed ||= []).push(given[i]);
    else args[name] = given[i];
  });
  const {el, ...answer} = await new Promise((done) => scripts[script].call(null, command, args, done));
  globalThis.kept = {mark, el: el || args.el};
  return [JSON.stringify(answer), el || null];
}"""
_TAUGHT = "(globalThis.scripts ||= {})[script] = function () { %s };"
_SHAPE = {
    "serialization": "deep",
    "maxDepth": 1,
    "additionalParameters": {"maxNodeDepth": 0, "includeShadowTree": "none"},
}
"""A text comes as it is, and an element as its number and its document's."""
_marks = itertools.count(1)


class OutOfReach(Exception):
    """The frame, or an element given, is known to the driver alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A frame's document and the DevTools session that sees it."""

    frame: str
    session: str


@dataclass(slots=True)
class World:
    """One document's world: its number, its identity, the scripts it has, and the element it was about last with the
    mark that has there. ``document`` is the document's own name, once an element of it was found."""

    context: int
    identity: str
    document: str = ""
    scripts: set[int] = field(default_factory=set)
    held: tuple[int, int] | None = None


class Worlds:
    """The worlds there are, by session and frame. Told on the channel's thread, asked by steps."""

    def __init__(self) -> None:
        self._made: dict[Place, World] = {}

    def receive(self, session: str, method: str, params: Mapping[str, Any]) -> None:
        """Take one DevTools event of a session; events that are none of ours are passed over."""
        if method == "Runtime.executionContextCreated":
            context = params["context"]
            if context["name"] == NAME:
                made = World(context["id"], context["uniqueId"])
                self._made[Place(context["auxData"]["frameId"], session)] = made
        elif method == "Runtime.executionContextDestroyed":
            gone = params["executionContextUniqueId"]
            self._made = {place: world for place, world in self._made.items() if world.identity != gone}
        elif method == "Runtime.executionContextsCleared":
            self.forget(session)

    def forget(self, session: str) -> None:
        """A session ended, or all its documents did."""
        self._made = {place: world for place, world in self._made.items() if place.session != session}

    def get(self, place: Place) -> World | None:
        return self._made.get(place)

    def document(self, frame: str) -> str | None:
        """The name of a frame's document as its elements have it; empty where it is not known, None where it has
        no world."""
        return next((world.document for place, world in self._made.items() if place.frame == frame), None)


def place(session: ChromiumSession, frames: Sequence[Any]) -> Place:
    """Where a chain of frame elements leads. Raises :class:`OutOfReach`, or CommandRefused for a frame
    that is gone."""
    browser = session.browser
    here = Place(session.handle, browser.target(session.handle).session_id)
    for element in frames:
        node = _ask(session, here.session, "DOM.describeNode", {"backendNodeId": number(element)})["node"]
        frame = node.get("frameId")
        if frame is None:
            raise OutOfReach
        here = Place(frame, browser.frame_session(frame) or here.session)
    return here


def number(element: Any) -> int:
    """An element's number in its process. Raises :class:`OutOfReach`."""
    named = NAMED.fullmatch(getattr(element, "id", ""))
    if named is None:
        raise OutOfReach
    return int(named.group(3))


def run(
    session: ChromiumSession,
    script: str,
    command: str,
    arguments: dict[str, Any],
    frames: Sequence[Any],
    timeout: float,
) -> dict[str, Any]:
    """One command of the page script in a frame's own world; an element in the answer is the driver's.

    Raises:
        OutOfReach: this frame or element can only be reached through the driver.
        CommandRefused: the browser said no, mostly because the document was replaced meanwhile.
        UnexpectedDialog: a dialog opened and keeps the page from answering.
    """
    here = place(session, frames)
    made = _world(session, here, timeout)
    held, made.held = made.held, None  # for whoever is interrupted: what is kept then is not known
    values, names, nodes = dict(arguments), [], []
    about: int | None = None
    for name, value in _nodes(values):
        names.append(name)
        about = value if name == "el" else about
        if held is not None and held[0] == value:
            nodes.append({"value": None})
            continue
        one = {"backendNodeId": value, "executionContextId": made.context}
        resolved = _ask(session, here.session, "DOM.resolveNode", one)["object"]
        if "objectId" not in resolved:
            raise CommandRefused("no node with given id: it was removed")
        nodes.append({"objectId": resolved["objectId"]})
    key, mark = hash(script), next(_marks)
    told = [{"value": x} for x in (str(key), command, values, names, held[1] if held else 0, mark)]
    call = {
        "functionDeclaration": _ASKED % ("" if key in made.scripts else _TAUGHT % script),
        "uniqueContextId": made.identity,
        "arguments": [*told, *nodes],
        "awaitPromise": True,
        "objectGroup": NAME,
        "serializationOptions": _SHAPE,
    }
    said = _ask(session, here.session, "Runtime.callFunctionOn", call, timeout)
    session.browser.channel.post("Runtime.releaseObjectGroup", {"objectGroup": NAME}, here.session)
    made.scripts.add(key)
    if "exceptionDetails" in said:
        thrown = said["exceptionDetails"].get("exception", {})
        return {"state": "invalid", "message": thrown.get("description") or said["exceptionDetails"].get("text", "")}
    text, node = said["result"]["deepSerializedValue"]["value"]
    found: dict[str, Any] = json.loads(text["value"])
    if node["type"] == "node":
        about, made.document = node["value"]["backendNodeId"], node["value"]["loaderId"]
        found["el"] = session.driver.create_web_element(f"f.{here.frame}.d.{made.document}.e.{about}")
    if about is not None:
        made.held = about, mark
    return found


def _world(session: ChromiumSession, here: Place, timeout: float) -> World:
    """The world of a frame's document; it is made if there is none."""
    worlds = session.browser.worlds
    made = worlds.get(here)
    if made is None:
        named = {"frameId": here.frame, "worldName": NAME}
        _ask(session, here.session, "Page.createIsolatedWorld", named, timeout)
        made = worlds.get(here)  # told of before the answer
    if made is None:
        raise CommandRefused("no such execution context: the document was replaced")
    return made


def _ask(
    session: ChromiumSession, target: str, method: str, params: dict[str, Any], timeout: float = 10
) -> dict[str, Any]:
    """A DevTools command of a page, given up as soon as a dialog opens: the page stands still behind it."""
    browser = session.browser
    asked = browser.channel.post(method, params, target)
    browser.wait_answered(asked, session, timeout)
    if asked.done():
        return answer(asked, method, 0)
    if session.dialog is not None:
        raise dialog_open(session.dialog)
    browser.patience.suspect()
    raise StepTimeout("the page does not answer; is a script of it running without an end?")


def _nodes(values: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Take the elements out of the arguments: name and number of each."""
    for name in ("el", "root"):
        if values.get(name) is not None:
            yield name, number(values.pop(name))
    for root in values.pop("closed", ()):
        yield "closed", root


def closed_roots(session: ChromiumSession, frames: Sequence[Any], timeout: float = 10) -> list[int]:
    """The numbers of the closed shadow roots in a frame's document, which no script can reach from their
    hosts. DevTools lists them. Asked for only where a locator finds nothing outside them."""
    try:
        here = place(session, frames)
        asked = {"depth": -1, "pierce": True}
        pending = [_ask(session, here.session, "DOM.getDocument", asked, timeout)["root"]]
    except (CommandRefused, OutOfReach):
        return []
    found = []
    while pending:
        node = pending.pop()
        if node.get("shadowRootType") == "closed":
            found.append(int(node["backendNodeId"]))
        inner = node.get("contentDocument")
        if inner is not None and node.get("frameId") == here.frame:  # it is the frame we are in: begin anew there
            pending, found = [inner], []
            continue
        pending += [*node.get("children", ()), *node.get("shadowRoots", ()), *([inner] if inner and frames else ())]
    return found
