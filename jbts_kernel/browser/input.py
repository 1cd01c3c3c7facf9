"""Real input through the driver's Actions endpoint: one request per gesture.

W3C WebDriver, section 15 (Actions): each input source has a list of ticks; the ticks of all sources
run side by side. Moves take no time here, since a test wants the result and not the journey; a drag
moves in several steps, since pages listen for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import StepProblem
from ..grammar import clip, nearest
from .placement import TAB, Placement
from .session import Session

ATTEMPTS, SEEN_MS = 5, 200
"""How often, and for how long each time, a pointer is moved into a frame of another process until that sees it."""
BUTTONS = {"left": 0, "middle": 1, "right": 2}

_MOUSE = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}

# Names a person types, as the code points of W3C WebDriver, section 15.4.2 (Keyboard actions).
KEYS = {
    "alt": "\ue00a", "arrowdown": "\ue015", "arrowleft": "\ue012", "arrowright": "\ue014", "arrowup": "\ue013",
    "backspace": "\ue003", "cmd": "\ue03d", "command": "\ue03d", "control": "\ue009", "ctrl": "\ue009",
    "del": "\ue017", "delete": "\ue017", "down": "\ue015", "end": "\ue010", "enter": "\ue007", "esc": "\ue00c",
    "escape": "\ue00c", "home": "\ue011", "insert": "\ue016", "left": "\ue012", "meta": "\ue03d", "option": "\ue00a",
    "pagedown": "\ue00f", "pageup": "\ue00e", "pause": "\ue00b", "return": "\ue007", "right": "\ue014",
    "shift": "\ue008", "space": " ", "tab": "\ue004", "up": "\ue013",
    **{f"f{n}": chr(0xE030 + n) for n in range(1, 13)},
}  # fmt: skip


def chord(text: str) -> list[str]:
    """``Control+Shift+A`` as key values in the order they go down. Raises :class:`StepProblem`."""
    if text == "":
        raise StepProblem("no key is named; use Enter, Control+A, Shift+Tab")
    names = ["+"] if text == "+" else [n or "+" for n in re.split(r"\+(?=.)", text)]
    keys = []
    for i, written in enumerate(names):
        name = written.strip() or written  # "Control + A" is how many write it; a space alone is a key
        known = KEYS.get(name.lower())
        if known is None and len(name) == 1:
            held_shift = "\ue008" in keys
            known = name.lower() if len(names) > 1 and not held_shift else name
        if known is None:
            near = nearest(name.lower(), KEYS)
            raise StepProblem(
                f"there is no key {clip(name)!r}"
                + (f"; did you mean {near}?" if near else "; use Enter, Control+A, Shift+Tab")
            )
        if i < len(names) - 1 and len(name) == 1:
            raise StepProblem(f"{clip(text)!r} holds down {name!r}; only Control, Shift, Alt and Meta can be held")
        keys.append(known)
    return keys


def modifiers(names: Sequence[str]) -> list[str]:
    """``("ctrl", "shift")`` as key values."""
    return [chord(name)[0] for name in names]


def perform(session: Session, sources: list[dict[str, Any]]) -> None:
    """Send input sources to the driver."""
    from selenium.webdriver.remote.command import Command

    session.driver.execute(Command.W3C_ACTIONS, {"actions": sources})


def _rounded(x: float, y: float) -> dict[str, int]:
    return {"x": round(x), "y": round(y)}


def move(x: float, y: float, duration: int = 0) -> dict[str, Any]:
    """A pointer move to a point of the viewport, in CSS pixels."""
    return {"type": "pointerMove", "duration": duration, **_rounded(x, y), "origin": "viewport"}


def down(button: int = 0) -> dict[str, Any]:
    return {"type": "pointerDown", "button": button, "duration": 0}


def up(button: int = 0) -> dict[str, Any]:
    return {"type": "pointerUp", "button": button, "duration": 0}


def _reach(session: Session, x: float, y: float) -> Placement:
    """Move the pointer to a point of a frame in another process until the frame's page has seen it there; where the
    frame lies. The browser looks for such a frame in what was drawn last: just after a scroll a press would go to
    what lay there before, or nowhere."""
    for _ in range(ATTEMPTS):
        session.page("listen")
        frame = session.place_frame()
        perform(session, [{**_MOUSE, "actions": [move(*frame.point(x, y))]}])
        if session.page("pointed", slice=SEEN_MS, x=x, y=y).get("state") == "ready":
            break
    return frame


def pointer(session: Session, actions: list[dict[str, Any]], held: Sequence[str] = ()) -> None:
    """Run pointer actions, with keys held down around them. Points are of the current frame's viewport;
    most drivers take them for the tab's, so the frame's place is added."""
    moves = [a for a in actions if a["type"] == "pointerMove"]
    if moves and session.framed_apart:
        frame = _reach(session, moves[0]["x"], moves[0]["y"])
    else:
        frame = TAB if session.points_in_frame else session.place_frame()
    if moves:
        session.pointer = (moves[-1]["x"], moves[-1]["y"])
    if session.frames:
        actions = [{**a, **_rounded(*frame.point(a["x"], a["y"]))} if a in moves else a for a in actions]
    if held:
        rest = [{"type": "pause", "duration": 0}]
        keys = (
            [{"type": "keyDown", "value": k} for k in held]
            + rest * len(actions)
            + [{"type": "keyUp", "value": k} for k in reversed(held)]
        )
        actions = rest * len(held) + actions + rest * len(held)
        perform(session, [{"type": "key", "id": "keyboard", "actions": keys}, {**_MOUSE, "actions": actions}])
    else:
        perform(session, [{**_MOUSE, "actions": actions}])


def press(session: Session, keys: Sequence[str]) -> None:
    """Press a chord: all down in order, all up in reverse."""
    actions = [{"type": "keyDown", "value": k} for k in keys] + [{"type": "keyUp", "value": k} for k in reversed(keys)]
    perform(session, [{"type": "key", "id": "keyboard", "actions": actions}])


def write(session: Session, text: str, delay_ms: float) -> None:
    """Type characters into whatever has the focus, ``delay_ms`` apart."""
    actions: list[dict[str, Any]] = []
    for character in text:
        value = {"\n": KEYS["enter"], "\t": KEYS["tab"]}.get(character, character)
        actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        actions.append({"type": "pause", "duration": round(delay_ms)})
    perform(session, [{"type": "key", "id": "keyboard", "actions": actions}])
