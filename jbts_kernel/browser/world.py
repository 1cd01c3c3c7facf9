"""The page script in a world of its own.

A page may replace what scripts rely on (``querySelectorAll``, ``JSON``, the clock, promises) or forbid
scripts altogether. DevTools gives us a second set of JavaScript's own objects over the same document,
which the page can neither see nor change: https://chromedevtools.github.io/devtools-protocol/tot/Page/
(``createIsolatedWorld``). Elements go in and come out by their number, which is also in the name that
chromedriver gives them, so what is found here is pressed and typed into there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import StepTimeout
from .cdp import CommandRefused, answer
from .faults import dialog_open

if TYPE_CHECKING:
    from .chromium import ChromiumSession

NAMED = re.compile(r"f\.(\w+)\.d\.(\w+)\.e\.(\d+)")  # a chromedriver element: frame, document, number
_WRAPPED = """async function (command, args, names, ...nodes) {
  if (nodes.some((node) => !node.isConnected)) return {state: "stale", again: true};
  names.forEach((name, i) => {
    if (name === "closed") (args.closed ||= []).push(nodes[i]);
    else args[name] = nodes[i];
  });
  const answer = await new Promise((done) => (function () { %s }).call(null, command, args, done));
  globalThis.found = answer.el;
  delete answer.el;
  return {...answer, found: Boolean(globalThis.found)};
}"""


class OutOfReach(Exception):
    """The frame, or an element given, is known to the driver alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A frame's document and the DevTools session that sees it."""

    frame: str
    session: str


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
    named = {"frameId": here.frame, "worldName": "jbts"}
    world = _ask(session, here.session, "Page.createIsolatedWorld", named, timeout)
    context = world["executionContextId"]
    values, names, nodes = dict(arguments), [], []
    for name, value in _nodes(values):
        one = {"backendNodeId": value, "executionContextId": context}
        resolved = _ask(session, here.session, "DOM.resolveNode", one)["object"]
        if "objectId" not in resolved:
            raise CommandRefused("no node with given id: it was removed")
        names.append(name)
        nodes.append({"objectId": resolved["objectId"]})
    call = {
        "functionDeclaration": _WRAPPED % script,
        "executionContextId": context,
        "arguments": [{"value": command}, {"value": values}, {"value": names}, *nodes],
        "awaitPromise": True,
        "returnByValue": True,
    }
    said = _ask(session, here.session, "Runtime.callFunctionOn", call, timeout)
    if "exceptionDetails" in said:
        thrown = said["exceptionDetails"].get("exception", {})
        return {"state": "invalid", "message": thrown.get("description") or said["exceptionDetails"].get("text", "")}
    found: dict[str, Any] = said["result"]["value"]
    if found.pop("found", False):
        found["el"] = _element(session, here, context)
    return found


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


def _element(session: ChromiumSession, here: Place, context: int) -> Any:
    group = {"objectGroup": "jbts"}
    held = _ask(session, here.session, "Runtime.evaluate", {"expression": "found", "contextId": context, **group})
    node = _ask(session, here.session, "DOM.describeNode", {"objectId": held["result"]["objectId"]})["node"]
    session.browser.channel.post("Runtime.releaseObjectGroup", group, here.session)
    tree = _ask(session, here.session, "Page.getFrameTree", {})["frameTree"]
    loader = next((f["loaderId"] for f in _frames(tree) if f["id"] == here.frame), None)
    if loader is None:
        raise CommandRefused("the frame was detached")
    return session.driver.create_web_element(f"f.{here.frame}.d.{loader}.e.{node['backendNodeId']}")


def _frames(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree["frame"]
    for child in tree.get("childFrames", ()):
        yield from _frames(child)


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
