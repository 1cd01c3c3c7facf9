"""Waiting: try first, look again only while the state may still change, never sleep.

The page script looks at every animation frame for a short slice and then answers, so a long wait is
many short commands: an interrupt takes effect at once, and a page that is replaced meanwhile is met
again as the new one. When time is up the error says which state it was stuck in, for how long, and
what stood in the way.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import (
    BrowserGone,
    ElementAmbiguous,
    ElementNotFound,
    ExpectationFailed,
    LocatorInvalid,
    NotActionable,
    StepProblem,
    StepTimeout,
    TabGone,
)
from ..grammar import clip
from ..models import Box
from .cdp import CommandRefused
from .faults import transitional, translate
from .locators import as_json
from .session import Session
from .trail import Trail, seen

SLICE_MS = 400
_TOLD = ("element", "condition", "page", "loaded")  # commands that wait
_SEEN = ("covers", "masks", "frame")  # commands about what a picture shows
_ANYWHERE = ("probe", "loaded", "masks")  # asked after a step, which may have closed its frame

NO_PAGE = ("about:blank", "data:,")
"""Where a tab is that has been nowhere yet."""
_STUCK = {
    "hidden": "it is in the page but not visible",
    "disabled": "it is disabled",
    "readonly": "it cannot be edited",
    "moving": "it keeps moving",
    "redrawn": "it is replaced by another all the time",
    "offscreen": "it cannot be scrolled into view",
    "inert": "it is inert: a modal dialog is open, or its part of the page is switched off",
    "untouchable": "the pointer passes through it (pointer-events: none)",
    "unfocusable": "it cannot take the keyboard focus",
    "stale": "it was being replaced all the time",
}
_NEXT = {
    "hidden": "something has to open first; or wait for it: %wait LOC --state visible --timeout 30",
    "disabled": "something has to enable it first, a required field perhaps",
    "covered": "close what covers it first",
    "beyond": "points count from its top left corner",
    "inert": "close the dialog first, or wait until the page is ready",
    "unfocusable": "name the field itself; %press KEYS alone goes to whatever has the focus",
    "moving": "an animation that never ends? name an element that rests",
}


Watch = Callable[[str, int, float], None]
"""Told what stands in the way of a step, for how many seconds, and of how many it has."""


class Deadline:
    """The end of a step's time. ``seconds`` is the whole of it, ``left`` what remains (never below 0); ``trail``
    is what happened meanwhile. ``watch`` is told once a second, from the first on, what stands in the way: between
    two looks, on the thread that looks, so that a quick step pays nothing for it."""

    def __init__(self, seconds: float, trail: Trail | None = None, watch: Watch | None = None) -> None:
        self.seconds = seconds
        self.watch = watch
        self._told = 0
        self.trail = Trail() if trail is None else trail
        self.start = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.elapsed)

    def goes_on(self, answer: dict[str, Any]) -> None:
        """The page was looked at, and it was not as it should be."""
        if self.watch is not None and self.elapsed >= self._told + 1:
            self._told = int(self.elapsed)
            self.watch(seen(answer), self._told, self.seconds)

    @property
    def slice_ms(self) -> float:
        return min(SLICE_MS, max(1.0, self.left * 1000))


@dataclass(frozen=True, slots=True)
class Found:
    """An element that is ready. ``point`` is where to press, in CSS pixels of the viewport."""

    element: Any
    box: Box
    point: tuple[float, float] | None
    text: str
    kind: str
    type: str
    waited_ms: float


def attempt(
    session: Session, deadline: Deadline, command: str, *, within: list[Any] | None = None, **arguments: Any
) -> dict[str, Any]:
    """One answer of the page script, in the current frame or in the one that ``within`` leads to from the tab's
    page. A document that is being replaced answers ``{"state": "stale"}``."""
    from selenium.common.exceptions import TimeoutException, WebDriverException
    from urllib3.exceptions import HTTPError

    if command in _TOLD and not session.browser.driver_runs:  # looking may go past it, what comes next does not
        raise BrowserGone("the driver died; the page is as it was, and the next step replaces it")
    begun = time.monotonic()
    limit = deadline.seconds if within else max(10.0, deadline.seconds)
    framed = bool(session.frames) and command not in _ANYWHERE and within is None
    ask = session.page if within is None else functools.partial(session.page_in, within)
    at = deadline.trail.now
    try:
        session.browser.limit("script", limit)
        if command in _SEEN:  # what a closed root shows is in the picture too
            arguments["closed"] = session.closed_roots(within)
        answer = ask(command, slice=deadline.slice_ms, framed=framed, **arguments)
        if answer.get("none") or answer.get("state") == "absent":  # it may be in a closed shadow root
            closed = session.closed_roots()
            if closed:
                answer = session.page(command, slice=1, framed=framed, closed=closed, **arguments)
    except WebDriverException as error:
        # chromedriver says "script timeout" at once when the document is replaced under a script
        early = isinstance(error, TimeoutException) and time.monotonic() - begun < limit / 2
        if early or transitional(error):
            deadline.trail.saw(at, {"state": "stale"})
            return {"state": "stale", "again": True}
        raise translate(error, deadline.seconds, session.dialog) from error
    except CommandRefused as error:
        if framed and "frame" in error.message.lower():
            raise _unframed() from None
        if not transitional(error):
            raise
        return {"state": "stale", "again": True}
    except (HTTPError, OSError) as error:
        raise translate(error, deadline.seconds) from error
    if answer.get("state") == "invalid":
        raise _invalid(arguments, answer) if answer.get("ours") else _hindered(answer)
    if answer.get("state") == "unframed":
        raise _unframed()
    if command in _TOLD:
        deadline.trail.saw(at, answer)
        if answer.get("state") != "ready":
            deadline.goes_on(answer)
    return answer


def _unframed() -> TabGone:
    return TabGone("the current frame is gone; go on with %frame main")


def _hindered(answer: dict[str, Any]) -> StepProblem:
    """The page script ran into something only the page can have put there."""
    return StepProblem(
        f"the page has changed what scripts rely on ({clip(str(answer.get('message')), 160)}); "
        "%evaluate and %screenshot may still work there"
    )


def _invalid(arguments: dict[str, Any], answer: dict[str, Any]) -> LocatorInvalid:
    message = str(answer.get("message", ""))
    chain = arguments.get("chain") or [part for one in arguments.get("chains", ()) for part in one] or [{}]
    wrong = next(
        (part["value"] for part in chain if part.get("value") and part["value"] in message),
        chain[-1].get("value", ""),
    )
    return LocatorInvalid(f"{clip(str(wrong))!r} is not a valid selector; check its brackets, quotes and colons")


def find(
    session: Session,
    locator: str,
    deadline: Deadline,
    *,
    wants: tuple[str, ...] = (),
    first: bool = False,
    at: tuple[float, float] | None = None,
    tick: bool = False,
    testid: str = "data-testid",
) -> Found:
    """The one element a locator means, once it is ready.

    ``wants`` adds to "attached and visible": enabled, editable, point (at rest, in view, and the
    press would reach it), focus (it has taken the keyboard focus). With ``tick`` a label stands for its
    control, and the label is what is pressed where the control itself is not drawn.

    Raises:
        ElementNotFound, ElementAmbiguous, NotActionable, LocatorInvalid, and the session's faults.
    """
    chain = as_json(locator)
    begun = deadline.elapsed
    deadline.trail.tell(f"looking for {clip(locator, 160)}: {', '.join(('visible', *map(_wish, wants)))}")
    while True:
        answer = attempt(
            session, deadline, "element", chain=chain, wants=wants, first=first, at=at, tick=tick, testid=testid
        )
        if answer["state"] == "ready":
            box = answer["box"]
            return Found(
                element=answer["el"],
                box=Box(box["x"], box["y"], box["width"], box["height"]),
                point=tuple(answer["point"]) if answer.get("point") else None,
                text=answer["text"],
                kind=answer["kind"],
                type=answer["type"],
                waited_ms=(deadline.elapsed - begun) * 1000,
            )
        if answer["state"] == "ambiguous":
            raise ambiguous(locator, answer)
        if deadline.left <= 0:
            raise _stuck(session, locator, chain, answer, deadline, testid)


def _wish(want: str) -> str:
    return {"point": "at rest, in view and not covered"}.get(want, want)


def ambiguous(locator: str, answer: dict[str, Any]) -> ElementAmbiguous:
    """Several elements where one is meant, with the locators that mean each of them alone."""
    listed = tuple(f"{m['locator']}   {m['text']}" for m in answer.get("matches", ()))
    return ElementAmbiguous(
        f"{clip(locator)} matches {answer['count']} elements; name one of these, or add >> nth=0 or --first",
        hints=listed,
    )


def _stuck(
    session: Session,
    locator: str,
    chain: list[dict[str, Any]],
    answer: dict[str, Any],
    deadline: Deadline,
    testid: str,
) -> ElementNotFound | NotActionable:
    state, waited = answer["state"], f"{deadline.elapsed:.1f} s"
    if state == "absent":
        return not_found(session, locator, chain, deadline, testid)
    what = answer.get("matches", [{}])[0].get("text", "") if answer.get("matches") else ""
    why = f"{clip(str(answer.get('by')), 120)} covers it" if state == "covered" else _STUCK.get(state, state)
    if state == "beyond":
        why = f"the point lies outside of it, which is {answer['by']}"
    hint = f"press its label: {answer['label']}" if state == "hidden" and answer.get("label") else _NEXT.get(state)
    return NotActionable(
        f"{clip(locator)} cannot be acted on: {why}, for {waited}",
        hints=tuple(h for h in (f"the element: {what}" if what else "", hint or "") if h),
    )


def not_found(
    session: Session, locator: str, chain: list[dict[str, Any]], deadline: Deadline, testid: str
) -> ElementNotFound:
    """Nothing matches, with the closest elements of the page as locators that do."""
    answer = attempt(session, Deadline(2), "closest", chain=chain, limit=5, testid=testid)
    near = tuple(f"{m['locator']}   {m['text']}" for m in answer.get("matches", ()))
    instead = _where_else(session, chain, near, answer.get("sealed"))
    return ElementNotFound(
        f"nothing matches {clip(locator)} after {deadline.elapsed:.1f} s; {instead}",
        hints=near,
    )


def _where_else(session: Session, chain: list[dict[str, Any]], near: tuple[str, ...], sealed: str | None) -> str:
    """What to try instead of a locator that matches nothing."""
    if sealed and not session.enters_closed_roots:
        return (
            f"{sealed} may hold it in a closed shadow root, which {session.browser.name} cannot enter; use chrome for"
            f" this test, or press a point of it: %click {sealed} --at x,y"
        )
    if session.titles().get(session.handle, ("", ""))[1] in NO_PAGE:
        return "no page is open; begin with %navigate URL"
    last = next((part for part in reversed(chain) if part["engine"] != "nth"), chain[-1])
    word = str(last["value"])
    if last["engine"] == "css" and re.fullmatch(r"[A-Z]\w*", word):
        return f"{word} means <{word.lower()}> elements; did you mean text={word}?"
    if near:
        place = " in this frame (%frame main leaves it)" if session.frames else " on the page"
        whole = "; quotes mean the whole text" if last.get("exact") else ""
        return f"closest{place}: {near[0].partition('   ')[0]}{whole}"
    if session.frames:
        return "this frame has nothing like it; %frame main leaves it"
    return "the page has nothing like it; is it the right page, or in a %frame?"


def condition(
    session: Session,
    locator: str,
    deadline: Deadline,
    *,
    word: str,
    argument: str | None = None,
    value: str | None = None,
    negated: bool = False,
    first: bool = False,
    testid: str = "data-testid",
    failure: type[StepProblem] = ExpectationFailed,
) -> dict[str, Any]:
    """Wait until a condition of the located element holds; the page script's last answer.

    Raises ``failure`` when time is up: the message has what was expected and what was there, the hints
    the closest elements where there was no such element at all.
    """
    chain = as_json(locator)
    expected = " ".join(
        x for x in ("not" if negated else "", word, argument or "", repr(value) if value is not None else "") if x
    )
    deadline.trail.tell(f"expecting {clip(locator, 160)} {clip(expected, 160)}")
    while True:
        answer = attempt(
            session, deadline, "condition", chain=chain, word=word, argument=argument, value=value,
            negated=negated, first=first, testid=testid,
        )  # fmt: skip
        if answer["state"] == "ready":
            return answer
        if answer["state"] == "ambiguous":
            raise ambiguous(locator, answer)
        if deadline.left <= 0:
            break
    actual, waited = answer.get("actual"), f"after {deadline.elapsed:.1f} s"
    if answer["state"] == "stale":
        raise failure(f"expected {clip(locator)} {expected}; the page was being replaced all the time, {waited}")
    if actual == "absent" or answer.get("absent"):
        near = not_found(session, locator, chain, deadline, testid)
        raise failure(f"expected {clip(locator)} {expected}; {near.message}", hints=near.hints)
    shown = (
        "it has none"
        if actual is None
        else f"it is {clip(str(actual), 300)!r}"
        if value is not None
        else f"it is {actual}"
    )
    problem = failure(f"expected {clip(locator)} {expected}; {shown}, {waited}")
    problem.box = Box(**answer["box"]) if answer.get("box") else None
    raise problem


def page_condition(
    session: Session,
    deadline: Deadline,
    *,
    word: str,
    value: str,
    pattern: str | None = None,
    negated: bool = False,
    failure: type[StepProblem] = ExpectationFailed,
) -> None:
    """Wait until the page's url, title or text is as told. Raises ``failure`` when time is up."""
    deadline.trail.tell(f"expecting {word} {'not ' if negated else ''}{clip(repr(value), 160)}")
    while True:
        answer = attempt(session, deadline, "page", word=word, value=value, pattern=pattern, negated=negated)
        if answer["state"] == "ready":
            return
        if deadline.left <= 0:
            break
    no = "not " if negated else ""
    actual = clip(str(answer.get("actual", "")), 300)
    raise failure(f"expected {word} {no}{value!r}; it is {actual!r}, after {deadline.elapsed:.1f} s")


def wait_loaded(session: Session, deadline: Deadline) -> None:
    """Wait for the load event of the current document. Raises :class:`StepTimeout`."""
    deadline.trail.tell("waiting for the load event")
    while True:
        answer = attempt(session, deadline, "loaded")
        if answer["state"] == "ready":
            return
        if deadline.left <= 0:
            raise StepTimeout(
                f"the page did not finish loading within {deadline.seconds:g} s (it is {answer['state']})",
                hints=("something on it never arrives; go on without with --wait dom",),
            )
