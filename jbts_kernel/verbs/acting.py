"""Doing what a user does: click, type, press, select, tick, hover, drag, scroll, focus."""

from __future__ import annotations

import re
from typing import Any, Literal

from ..browser import input as gestures
from ..browser.actionability import Found
from ..errors import NotActionable, StepProblem, Unsupported, UsageProblem
from ..grammar import Input, Locator, Names, clip, nearest
from ..models import Box
from ..stage import Stage
from .registry import EDITABLE, ENABLED, FOCUSED, POINTED, PRESSED, VISIBLE, verb

BY_VALUE = frozenset(("date", "time", "datetime-local", "month", "week", "color", "range"))
FORMS = {
    "color": "#rrggbb",
    "time": "13:45",
    "month": "2026-11",
    "week": "2026-W48",
    "datetime-local": "2026-11-30T13:45",
}
NO_TEXT = frozenset(("checkbox", "radio", "file", "button", "submit", "reset", "image", "hidden"))


def point(text: str) -> tuple[float, float]:
    """``"12,30"`` as (12.0, 30.0). Raises :class:`UsageProblem`."""
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*", text)
    if match is None:
        raise UsageProblem(f"a position is x,y in pixels, like 12,30, not {clip(text)!r}", word=text)
    return float(match.group(1)), float(match.group(2))


def _check_at(at: str | None = None, **_: Any) -> None:
    if at:
        point(at)


def _press_point(found: Found) -> tuple[float, float]:
    assert found.point is not None, "asked for with wants=point"
    return found.point


@verb("click", "click", also="tap dblclick", needs=PRESSED, check=_check_at)
def click(
    stage: Stage,
    locator: Locator,
    *,
    double: bool = False,
    right: bool = False,
    middle: bool = False,
    modifier: Names = "",
    at: str | None = None,
) -> None:
    """Click an element once it is in view, at rest, enabled and not covered.

    Args:
        double: click twice
        right: with the right button
        middle: with the middle button
        modifier: keys to hold, like ctrl,shift
        at: where, from the element's top left corner, like 12,30
    """
    found = stage.find(locator, at=point(at) if at else None)
    button = gestures.BUTTONS["right" if right else "middle" if middle else "left"]
    x, y = _press_point(found)
    once = [gestures.down(button), gestures.up(button)]
    held = gestures.modifiers(modifier) if modifier else ()
    gestures.pointer(stage.session, [gestures.move(x, y), *once, *(once if double else [])], held)


def _text_field(stage: Stage, locator: str) -> Found:
    """Something that takes text, ready to take it."""
    found = stage.find(locator)
    if found.kind == "select":
        raise StepProblem(f"{clip(locator)} is a select; choose with %select {clip(locator)} LABEL")
    if found.kind == "input" and found.type in NO_TEXT:
        other = {"file": "%upload", "checkbox": "%tick", "radio": "%tick"}.get(found.type, "%click")
        raise StepProblem(f"{clip(locator)} is a {found.type} input, which takes no text; use {other}")
    return found


@verb("type", "type", also="fill input write send_keys", needs=EDITABLE)
def type_(
    stage: Stage,
    locator: Locator,
    text: Input,
    *,
    append: bool = False,
    delay: float | None = None,
    secret: bool = False,
    enter: bool = False,
) -> None:
    """Write into a field, replacing what it holds; date, time and colour inputs take the ISO form.

    Args:
        append: keep what the field holds and write after it
        delay: milliseconds between keys
        secret: mask this text in every output, row, event and picture
        enter: press Enter afterwards
    """
    while True:
        found = _text_field(stage, locator)
        if found.kind == "input" and found.type in BY_VALUE:
            answer = stage.ask("assign", el=found.element, value=text)
            if stage.fresh(answer):
                _check_taken(found.type, text, answer["value"])
                break
        else:
            answer = stage.ask("focus", el=found.element, caret="end" if append else "all")
            if stage.fresh(answer) and _keyed(stage, found, answer, text, append, delay):
                break
    if enter:
        gestures.press(stage.session, gestures.chord("Enter"))


def _check_taken(kind: str, text: str, value: str) -> None:
    written = {"color": text.lower()}.get(kind, text.strip().replace(" ", "T"))  # the browser writes them so itself
    if kind == "range" or value in (text, written) or (value and written.removesuffix(":00") == value):
        return
    form = FORMS.get(kind, "2026-11-30")
    raise StepProblem(f"a {kind} input does not take {clip(text)!r}; write it like {form}")


def _keyed(stage: Stage, found: Found, focused: dict[str, Any], text: str, append: bool, delay: float | None) -> bool:
    """Type into a field that has the focus; False if it was replaced before the first key."""
    from selenium.common.exceptions import StaleElementReferenceException

    if append and not focused["placed"]:
        gestures.press(stage.session, gestures.chord("End"))
    if text == "":
        if focused["value"] and not append:
            gestures.press(stage.session, gestures.chord("Delete"))
    elif delay is not None or focused["nested"]:  # send_keys moves the caret of what is in a shadow root
        gestures.write(stage.session, text, delay or 0)
    else:
        try:
            found.element.send_keys(text)
        except StaleElementReferenceException:
            return not stage.fresh({"state": "stale"})
    return True


@verb("clear", "type", needs=EDITABLE)
def clear(stage: Stage, locator: Locator) -> None:
    """Empty a field."""
    found = _text_field(stage, locator)
    if found.kind == "input" and found.type in BY_VALUE:
        stage.ask("assign", el=found.element, value="")
    elif stage.ask("focus", el=found.element, caret="all").get("value"):
        gestures.press(stage.session, gestures.chord("Delete"))


@verb("press", "press", also="key send_key", needs=FOCUSED)
def press(stage: Stage, keys: Input, locator: Locator | None = None) -> None:
    """Press keys, on an element or on whatever has the focus: Enter, Control+A, Shift+Tab."""
    chord = gestures.chord(keys)
    if locator is not None:
        stage.find(locator)
    gestures.press(stage.session, chord)


@verb("focus", "press", needs=FOCUSED)
def focus(stage: Stage, locator: Locator) -> None:
    """Give an element the keyboard focus."""
    stage.find(locator)


@verb("blur", "press")
def blur(stage: Stage) -> None:
    """Take the keyboard focus away from whatever has it."""
    stage.driver.execute_script("document.activeElement && document.activeElement.blur()")


def _options(stage: Stage, locator: str) -> tuple[Found, dict[str, Any]]:
    found, answer = stage.on(locator, "options")
    if found.kind != "select":
        raise StepProblem(f"{clip(locator)} is a {found.kind}, not a select; open it and %click the choice")
    return found, answer


def _indexes(stage: Stage, locator: str, wanted: tuple[str, ...]) -> tuple[Found, list[int]]:
    """The options meant, once all of them are there and can be chosen (a list may be filled late)."""
    while True:
        found, answer = _options(stage, locator)
        missing, barred, indexes = "", "", []
        for want in wanted:
            engine, _, value = want.partition("=")
            key = engine if engine in ("value", "index", "label") and _ else "label"
            value = value if key == engine else want
            hits = [o for o in answer["options"] if str(o[key]).strip() == value.strip()]
            if not hits and key == "label":
                hits = [o for o in answer["options"] if o["label"].lower() == value.strip().lower()]
            if not hits:
                missing = want
                break
            if hits[0]["disabled"]:
                barred = want
                break
            indexes.append(hits[0]["index"])
        if not missing and not barred:
            if len(indexes) > 1 and not answer["multiple"]:
                raise StepProblem(f"{clip(locator)} takes one choice, not {len(indexes)}")
            return found, indexes
        if barred and stage.deadline.left <= 0:
            raise NotActionable(f"the option {clip(barred)!r} of {clip(locator)} is disabled")
        if stage.deadline.left <= 0:
            labels = [o["label"] for o in answer["options"]]
            near = nearest(missing, labels, count=3)
            listed = (
                f"closest: {near}" if near else "it has " + (", ".join(clip(x, 30) for x in labels[:8]) or "no options")
            )
            raise NotActionable(f"{clip(locator)} has no option {clip(missing)!r}; {listed}")


def _check_select(locator: str, choices: tuple[str, ...] = (), **_: Any) -> None:
    if not choices:
        raise UsageProblem(f"%select {clip(locator)} needs a choice; %options {clip(locator)} lists them")


@verb("select", "select", also="choose select_option", needs=ENABLED, check=_check_select)
def select(stage: Stage, locator: Locator, *choices: Input) -> None:
    """Choose options of a select: by label, value=V or index=N. Exactly these are selected afterwards.

    Args:
        choices: labels, value=V or index=N (from 0); several for a multiple select
    """
    found, indexes = _indexes(stage, locator, choices)
    stage.ask("select", el=found.element, indexes=indexes, mode="set")


@verb("deselect", "select", needs=ENABLED)
def deselect(stage: Stage, locator: Locator, *choices: Input) -> None:
    """Remove options of a multiple select; without a choice, all of them."""
    found, indexes = _indexes(stage, locator, choices)
    if not stage.ask("options", el=found.element)["multiple"]:
        raise StepProblem(f"{clip(locator)} takes one choice, which can only be replaced; use %select")
    if not choices:
        indexes = [o["index"] for o in stage.ask("options", el=found.element)["options"]]
    keep = [
        o["index"]
        for o in stage.ask("options", el=found.element)["options"]
        if o["selected"] and o["index"] not in indexes
    ]
    stage.ask("select", el=found.element, indexes=keep, mode="set")


@verb("tick", "click", also="check", needs=PRESSED)
def tick(stage: Stage, locator: Locator) -> None:
    """Tick a checkbox or choose a radio button; nothing happens if it is ticked already."""
    _set_checked(stage, locator, True)


@verb("untick", "click", also="uncheck", needs=PRESSED)
def untick(stage: Stage, locator: Locator) -> None:
    """Untick a checkbox; nothing happens if it is not ticked."""
    _set_checked(stage, locator, False)


def _set_checked(stage: Stage, locator: str, wanted: bool) -> None:
    while True:
        found = stage.find(locator, tick=True)
        answer = stage.ask("read", el=found.element, what="checked")
        if stage.fresh(answer):
            break
    checked = answer["value"]
    if checked is None:
        what = f"{found.type} input" if found.kind == "input" else found.kind
        raise StepProblem(f"{clip(locator)} is a {what}, which cannot be ticked; name the checkbox itself")
    if found.type == "radio" and not wanted:
        raise StepProblem(f"{clip(locator)} is a radio button; %tick another of its group instead")
    if checked == wanted:
        stage.note = f"was {'ticked' if wanted else 'not ticked'} already"
        return
    x, y = _press_point(found)
    gestures.pointer(stage.session, [gestures.move(x, y), gestures.down(), gestures.up()])
    stage.condition(locator, "checked" if wanted else "unchecked", failure=NotActionable)


@verb("hover", "hover", also="mouseover move_to", needs=POINTED, check=_check_at)
def hover(stage: Stage, locator: Locator, *, at: str | None = None) -> None:
    """Move the pointer over an element.

    Args:
        at: where, from the element's top left corner, like 12,30
    """
    x, y = _press_point(stage.find(locator, at=point(at) if at else None))
    gestures.pointer(stage.session, [gestures.move(x, y)])


def _check_drag(target: str | None = None, by: str | None = None, **_: Any) -> None:
    if by is None and target is None:
        raise UsageProblem("%drag needs where to: %drag FROM TO, or %drag FROM --by dx,dy")
    if by is not None:
        point(by)


@verb("drag", "drag", also="drag_and_drop drag_to", needs=POINTED, check=_check_drag)
def drag(stage: Stage, source: Locator, target: Locator | None = None, *, by: str | None = None) -> None:
    """Drag an element onto another, or by a distance.

    Args:
        by: how far, like 120,0, instead of a second locator
    """
    grabbed = stage.find(source)
    start = _press_point(grabbed)
    browser = stage.session.browser
    if not browser.drops and stage.ask("read", el=grabbed.element, what="draggable").get("value"):
        raise Unsupported(
            f"{clip(source)} uses HTML's drag and drop, which never ends under {browser.name}'s driver; "
            "use chrome for this test, or send the page its events with %evaluate"
        )
    if target is None:
        dx, dy = point(by or "")
        end = (start[0] + dx, start[1] + dy)
    else:
        end = _press_point(stage.find(target))
        now = stage.ask("probe", el=grabbed.element).get("box")
        if now is None or Box(**now) != grabbed.box:  # the way to the target scrolls: press first, then go
            seen = _press_point(stage.find(source))
            gestures.pointer(
                stage.session, [gestures.move(*seen), gestures.down(), *_path(seen, (seen[0] + 9, seen[1]))]
            )
            try:
                end = _press_point(stage.find(target))
            except StepProblem:
                gestures.pointer(stage.session, [gestures.up()])
                raise
            gestures.pointer(stage.session, [*_path(stage.session.pointer, end), gestures.up()])
            return
    gestures.pointer(stage.session, [gestures.move(*start), gestures.down(), *_path(start, end), gestures.up()])


def _path(start: tuple[float, float], end: tuple[float, float]) -> list[dict[str, Any]]:
    """The way between two points in several moves, since pages listen for them."""
    (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    return [*(gestures.move(x + dx * k / 5, y + dy * k / 5, 20) for k in range(1, 6)), gestures.move(*end)]


def _check_mouse(action: str, position: str | None = None, **_: Any) -> None:
    if position:
        point(position)
    elif action == "move":
        raise UsageProblem("%mouse move needs a position: %mouse move 120,80")


@verb("mouse", "press", check=_check_mouse)
def mouse(stage: Stage, action: Literal["down", "up", "move"], position: str | None = None) -> None:
    """Move, press or release the mouse at a point of the viewport, for gestures no other verb has.

    Args:
        position: x,y from the viewport's top left corner; where the pointer is, if left out
    """
    x, y = point(position) if position else stage.session.pointer
    steps = {"move": [], "down": [gestures.down()], "up": [gestures.up()]}[action]
    gestures.pointer(stage.session, [gestures.move(x, y), *steps])


@verb("scroll", "scroll", also="scroll_to scroll_into_view", needs=VISIBLE)
def scroll(stage: Stage, target: Locator) -> None:
    """Scroll to an element, to top, to bottom, or to a position x,y of the document."""
    if target in ("top", "bottom"):
        stage.ask("scroll", y=0 if target == "top" else "bottom")
    elif re.fullmatch(r"\s*-?\d+\s*,\s*-?\d+\s*", target):
        x, y = point(target)
        stage.ask("scroll", x=x, y=y)
    else:
        stage.on(target, "scroll")
