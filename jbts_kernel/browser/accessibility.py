"""The page as assistive technology is told it: roles, names, values and states, as a text to compare.

The tree is Chromium's own, over the second channel. Frames have trees of their own, those of other
sites in processes of their own. The text has a line for each node that means something, written so
that the same page gives the same text: no focus, no ids, white space folded.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import StepTimeout, Unsupported
from .cdp import CommandRefused

if TYPE_CHECKING:
    from .cdp import Tab
    from .session import Session

Node = Mapping[str, Any]
LINES = 4000
INSTEAD = "use chrome, chromium or edge"
_HANDLE = re.compile(r"f\.(\w+)\.d\.\w+\.e\.(\d+)")  # chromedriver's own: frame, document, node

# Boxes that mean nothing by themselves: what is inside them is told in their place.
_THROUGH = frozenset(("none", "generic", "presentation", "LabelText", "MenuListPopup", "Section", "RootWebArea"))
_SKIPPED = frozenset(("InlineTextBox", "ListMarker", "LineBreak"))
_VALUED = frozenset(("textbox", "searchbox", "spinbutton", "slider", "combobox", "progressbar", "meter", "scrollbar"))
_CLOSED = frozenset(("textbox", "searchbox", "spinbutton", "slider", "progressbar", "meter", "scrollbar"))
_ROLES = {"Iframe": "iframe", "Date": "date", "InputTime": "time", "ColorWell": "color", "Legend": "legend"}
_FLAGS = ("disabled", "selected", "required", "readonly", "modal")
_SAID = ("level", "checked", "pressed", "expanded", "invalid")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element is: its frame and its number in the browser's document tree."""

    frame: str
    node: int


def place(element: Any) -> Place:
    """An element's place. Raises :class:`Unsupported` where the driver's handles do not tell."""
    found = _HANDLE.fullmatch(str(element.id))
    if found is None:
        raise Unsupported("this browser's driver does not say which node an element is; " + INSTEAD)
    return Place(found.group(1), int(found.group(2)))


def tree(session: Session, frame: str, timeout: float = 5) -> list[Node]:
    """The nodes of one frame's tree.

    Raises:
        Unsupported: the browser has no DevTools channel.
        CommandRefused: the frame is gone.
    """
    tab = session.devtools("the accessibility tree", INSTEAD)
    for session_id, _ in _processes(session, tab, timeout):
        try:
            params = {"frameId": frame}
            return list(tab.channel.call("Accessibility.getFullAXTree", params, session_id, timeout)["nodes"])
        except CommandRefused:
            continue
    raise CommandRefused("the frame is gone, or was being replaced")


def _processes(session: Session, tab: Tab, timeout: float) -> Iterator[tuple[str, str]]:
    """DevTools sessions of the tab and of each frame of another site, with their frames' ids; the latter's
    last for one turn of the loop."""
    yield tab.session_id, session.handle
    filter_ = [{"type": "iframe"}]
    frames = tab.call("Target.getTargets", {"filter": filter_}, timeout, browser=True)["targetInfos"]
    for info in frames:
        if info.get("browserContextId", session.context_id) != session.context_id:
            continue
        asked = {"targetId": info["targetId"], "flatten": True}
        try:
            attached = tab.call("Target.attachToTarget", asked, timeout, browser=True)["sessionId"]
        except CommandRefused:  # it went away in between
            continue
        try:
            yield attached, info["targetId"]
        finally:
            tab.post("Target.detachFromTarget", {"sessionId": attached}, browser=True)


def page_outline(session: Session, seconds: float, hidden: Iterable[Place] = ()) -> str:
    """Every frame's outline, one below the other, within ``seconds``. What ``hidden`` names is left out."""
    tab, deadline = session.devtools("the accessibility tree", INSTEAD), time.monotonic() + seconds
    hide, parts = list(hidden), []
    for session_id, _ in _processes(session, tab, seconds):
        left = max(0.05, deadline - time.monotonic())
        try:
            root = tab.channel.call("Page.getFrameTree", {}, session_id, left)["frameTree"]
            for frame in _frames(root):
                left = max(0.05, deadline - time.monotonic())
                params = {"frameId": frame["id"]}
                nodes = tab.channel.call("Accessibility.getFullAXTree", params, session_id, left)["nodes"]
                covered = frozenset(p.node for p in hide if p.frame == frame["id"])
                parts.append(f"# {frame.get('url', '')[:500]}\n{outline(nodes, hidden=covered) or ''}")
        except CommandRefused:
            continue
        except StepTimeout:
            parts.append("# a frame did not answer in time")
            break
    return "\n".join(parts)


def _frames(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node["frame"]
    for child in node.get("childFrames", ()):
        yield from _frames(child)


def outline(nodes: Iterable[Node], root: int | None = None, hidden: frozenset[int] = frozenset()) -> str | None:
    """The text of a tree, or of the part below the document node ``root``; None where that is not in it."""
    by_id = {node["nodeId"]: node for node in nodes}
    if root is None:
        tops = [n for n in by_id.values() if n.get("parentId") not in by_id]
    else:
        tops = [n for n in by_id.values() if n.get("backendDOMNodeId") == root and _role(n) not in _SKIPPED][:1]
    if not tops:
        return None
    lines: list[str] = []
    for entry in _told(tops, by_id, hidden):
        _write(entry, 0, lines)
    if len(lines) > LINES:
        lines[LINES:] = [f"# and {len(lines) - LINES} more lines"]
    return "".join(f"{line}\n" for line in lines)


@dataclass
class _Entry:
    """A line to be: ``role`` is empty for text."""

    role: str
    name: str = ""
    states: str = ""
    value: str = ""
    children: list[_Entry] | None = None


def _told(nodes: Iterable[Node], by_id: Mapping[str, Node], hidden: frozenset[int]) -> list[_Entry]:
    """What nodes have to say, boxes without meaning replaced by what is in them, neighbouring texts joined."""
    told: list[_Entry] = []
    for node in nodes:
        if node.get("backendDOMNodeId") in hidden:
            told.append(_Entry("masked"))
            continue
        role = _role(node)
        if role in _SKIPPED:
            continue
        if role == "StaticText" and not node.get("ignored"):
            text = _value(node, "name")
            if told and not told[-1].role:
                told[-1].name += text
            else:
                told.append(_Entry("", text))
            continue
        inside = _told(_children(node, by_id), by_id, hidden)
        if node.get("ignored") or role in _THROUGH:
            if told and inside and not told[-1].role and not inside[0].role:
                told[-1].name += inside.pop(0).name
            told += inside
            continue
        told.append(_entry(node, role, inside))
    return told


def _entry(node: Node, role: str, inside: list[_Entry]) -> _Entry:
    name, value = _fold(_value(node, "name")), _fold(_value(node, "value")) if role in _VALUED else ""
    inside = [e for e in inside if e.role or _fold(e.name)]
    said = "".join(name.split())
    if role in _CLOSED or (len(inside) == 1 and not inside[0].role and "".join(inside[0].name.split()) == said):
        inside = []  # the name or the value says it already
    if not name and not value and len(inside) == 1 and not inside[0].role:
        value, inside = _fold(inside[0].name), []
    return _Entry(_ROLES.get(role, role), name, _states(node), value, inside)


def _write(entry: _Entry, depth: int, lines: list[str]) -> None:
    if not entry.role and not _fold(entry.name):
        return
    line = "  " * depth + "- " + (entry.role or f"text: {_quoted(_fold(entry.name))}")
    if entry.role:
        line += f" {_quoted(entry.name)}" if entry.name else ""
        line += entry.states + (f": {_quoted(entry.value)}" if entry.value else ":" if entry.children else "")
    lines.append(line)
    for child in entry.children or ():
        _write(child, depth + 1, lines)


def _children(node: Node, by_id: Mapping[str, Node]) -> list[Node]:
    return [by_id[child] for child in node.get("childIds", ()) if child in by_id]


def _role(node: Node) -> str:
    return str(node.get("role", {}).get("value", "none"))


def _value(node: Node, name: str) -> str:
    return str(node.get(name, {}).get("value", ""))


def _states(node: Node) -> str:
    properties = {p["name"]: p.get("value", {}).get("value") for p in node.get("properties", ())}
    found = [name for name in _FLAGS if properties.get(name) in (True, "true")]
    for name in _SAID:
        value = properties.get(name)
        if value is None or (name in ("invalid", "checked", "pressed") and value in (False, "false")):
            continue
        if name == "level" and _role(node) != "heading":
            continue
        word = str(value).lower()
        found.append(name if word == "true" else f"{name}={word}")
    return "".join(f" [{state}]" for state in found)


def _fold(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """The text in JSON's quotes; what cannot be printed (or would turn the line around) as its number."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)
