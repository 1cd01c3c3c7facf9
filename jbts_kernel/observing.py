"""What a page looks like after a step, or between steps: where it is, its picture, and the element's box in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import evidence
from .browser import actionability, capture
from .browser.actionability import Deadline
from .browser.session import Session
from .errors import StepTimeout, TabGone, UnexpectedDialog
from .grammar import Signature
from .models import Box, Step
from .stage import Stage
from .surroundings import Surroundings, stage_for
from .verbs import ACTING, VERBS

LOAD_PATIENCE = 3.0
LOOK_SECONDS = 3.0
"""What looking at the page after a step may take at least, however little time the step has left."""
GLANCE_SECONDS = 1.0
"""The same, where something did not answer before."""
_FACTS = "({url: location.href, title: document.title.slice(0, 500), width: innerWidth, height: innerHeight})"
_SIGHT = """({width: innerWidth, height: innerHeight, x: Math.round(scrollX), y: Math.round(scrollY),
  born: performance.timeOrigin})"""
"""What a picture shows; ``born`` tells one document from the next."""
UNSEEN = frozenset(("request", "cookie", "storage"))
"""Step types that change nothing a picture could show."""


@dataclass
class Seen:
    """The page after the step, as far as it was seen."""

    facts: Any = None
    url: str = ""
    title: str = ""
    viewport: tuple[int, int] | None = None
    box: Box | None = None
    png: bytes | None = None
    screenshot: Any = None
    gathered: evidence.Gathered = field(default_factory=evidence.Gathered)
    asked: bool = False


def observe(around: Surroundings, stage: Stage, signature: Signature, failed: bool, seen: Seen) -> None:
    """Where the page is now, and what it looks like. A page that stands still, behind a dialog or in a
    navigation that was not waited for, is not asked."""
    session = stage.session
    if session.browser.patience.abandoned_at is not None:
        stage.note = stage.note or "no picture: driver or page do not answer"
        return
    left_loading = stage.step.arguments.get("wait") == "none" and not failed
    try:
        if not left_loading:
            acted = signature.step_type in ACTING and signature.step_type != "navigate"  # which waited itself
            if acted and session.dialog is None and not failed:
                _let_arrive(stage)
            seen.facts = session.settle_signals(_FACTS)
            if acted:
                stage.note = stage.note or _opened(session)
        if not left_loading and session.dialog is None:
            _look(around, stage, signature, failed, seen)
            return
    except UnexpectedDialog:
        # the driver may know of it a moment before our own channel does
        if not session.browser.wait_for(lambda: session.dialog is not None, 2):
            raise
    seen.title, seen.url = session.titles().get(session.handle, ("", ""))
    dialog = session.dialog
    if dialog is not None:
        stage.note = stage.note or f"{dialog.kind} {dialog.text[:80]!r} is open: %dialog accept or %dialog dismiss"


def _opened(session: Session) -> str:
    """What to do about a tab that the step opened; the session stays where it was."""
    tabs = session.tabs
    fresh = next((number for number, handle in enumerate(tabs) if handle not in session.tabs_before), None)
    return "" if fresh is None or tabs[fresh] == session.handle else f"tab {fresh} opened: %tab {fresh} goes there"


def _look(around: Surroundings, stage: Stage, signature: Signature, failed: bool, seen: Seen) -> None:
    """Ask the page where it is, take its picture, and on a failure keep its source."""
    session = stage.session
    facts = seen.facts or session.evaluate(_FACTS, timeout=5)
    if isinstance(facts, dict):
        seen.url, seen.title = facts["url"], facts["title"]
        seen.viewport = (int(facts["width"]), int(facts["height"]))
    always = (
        around.settings.screenshots == "always" and stage.step.options.screenshot and signature.step_type not in UNSEEN
    )
    wanted = always or (failed and around.settings.screenshots != "never")
    if stage.picture is not None:
        seen.png, seen.screenshot = stage.picture, stage.artifacts[-1]
    elif wanted:
        png = capture.viewport(session, 10)
        if png is not None:
            seen.png = capture.covered(stage, png, (0, 0), document=False)
            seen.screenshot = stage.keep(seen.png, "failure" if failed else "after", "image/png")
            seen.box = _outline(stage)
    if failed and around.settings.screenshots != "never":
        seen.asked = True
        evidence.gather(stage, seen.gathered)


def _let_arrive(stage: Stage) -> None:
    """After a step that acted: let the driver wait for a navigation it began, and measure the element again."""
    element = stage.element
    answer = stage.ask("probe", el=element) if element is not None else {"state": "stale"}
    if answer.get("state") == "stale":
        stage.element = stage.box = None
        answer = stage.ask("probe")
        if stage.session.dialog is None:
            try:
                actionability.wait_loaded(stage.session, Deadline(LOAD_PATIENCE))
            except StepTimeout:
                stage.note = stage.note or "the page was still loading"
        return
    box = answer.get("box")
    stage.box = Box(**box) if isinstance(box, dict) else None


def _outline(stage: Stage) -> Box | None:
    """Where the step's element is in the picture just taken; nothing where its page went on to another meanwhile,
    which then is what the picture shows."""
    if stage.box is None:
        return None
    element = stage.element
    try:
        there = element is None or stage.session.holds(element)
        if there is None:
            there = stage.ask("probe", el=element).get("state") != "stale"
    except (TabGone, StepTimeout):
        return None
    return stage.session.placement.box(stage.box) if there else None


def glance(around: Surroundings, session: Session) -> tuple[bytes | None, dict[str, Any]]:
    """A picture of the page as it is now, secrets covered, and where it is; nothing is recorded. No picture where a
    dialog keeps it from being drawn. Raises :class:`StepProblem` and what the driver raises."""
    stage = stage_for(around, Step("screenshot"), VERBS["screenshot"], session)
    png = capture.taken(stage, None, LOOK_SECONDS)
    titles = session.titles()
    title, url = titles.get(session.handle, ("", ""))
    facts: dict[str, Any] = {"url": around.mask(url), "title": around.mask(title)}
    if png is not None:
        facts |= session.evaluate(_SIGHT, timeout=LOOK_SECONDS) or {}
    tabs = [around.mask(text or address)[:80] for text, address in titles.values()]
    return png, {**facts, "tabs": tabs, "tab": list(titles).index(session.handle) if session.handle in titles else 0}
