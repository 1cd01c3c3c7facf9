"""Coming back: the page as it was at a checkpoint, or before a step."""

from __future__ import annotations

import re
from concurrent.futures import wait

from ..browser import checkpoints
from ..browser.interception import Mock
from ..errors import StepProblem
from ..grammar import Input, clip
from ..ids import new_id
from ..stage import Stage
from .navigation import arrive
from .registry import verb

_INSTEAD = "use chrome, chromium or edge, or sign in again with the steps that did"


@verb("checkpoint", "custom")
def checkpoint(stage: Stage, point: Input | None = None) -> None:
    """Remember where the page stands: address, cookies, storage, scroll, and what is typed into its fields.

    One is kept before every step that acts as well: ``%restore before:N``. They end with the test.

    Args:
        point: a name, for %restore; the step's --name, if left out
    """
    stage.session.devtools("%checkpoint", _INSTEAD)
    point = point or stage.step.options.name
    taken = stage.session.checkpoints.take(stage.session, stage.ordinal, point or "")
    page = taken.page(max(0.1, stage.deadline.left)) if taken else None
    if page is None:
        raise StepProblem("the page could not be looked at just now: it is being replaced, or a dialog is open")
    stage.note = f"{point or 'checkpoint'}: {clip(str(page['url']), 120)}"


@verb("restore", "navigate")
def restore(stage: Stage, point: Input | None = None) -> None:
    """Bring the page back to a checkpoint, or to where it was before a step, so that the step can run again.

    Cookies of every site, storage of the sites that were open, the address, what was typed, and the scroll
    position are put back; tabs opened since are closed. What the server did meanwhile stays done.

    Args:
        point: a checkpoint's name, or before:N, with N the number of a step; the newest checkpoint if left out
    """
    session = stage.session
    tab = session.devtools("%restore", _INSTEAD)
    meant = session.checkpoints.find(point)
    page = meant.page(max(0.1, stage.deadline.left))
    if page is None:
        raise StepProblem("the page could not be looked at when that checkpoint was taken; try the step before")
    if not re.match(r"(https?|file|about|data|blob):", page["url"]):
        raise StepProblem(f"{clip(page['url'])} cannot be opened again; restore an earlier step")
    cookies = meant.cookies(max(0.1, stage.deadline.left))
    _tabs(stage, meant)
    now, before = session.checkpoints.take(session, stage.ordinal, None), session.checkpoints.storage(meant)
    if now is not None:
        now.page(max(0.1, stage.deadline.left))
    empty: dict[str, dict[str, str]] = {"local": {}, "session": {}}
    arrive(stage, lambda: stage.driver.get("about:blank"), "dom", "about:blank")
    context = {"browserContextId": session.context_id}
    tab = session.devtools("%restore", _INSTEAD)
    tab.call("Storage.clearCookies", context, max(0.1, stage.deadline.left), browser=True)
    tab.call("Storage.setCookies", {**context, "cookies": cookies}, max(0.1, stage.deadline.left), browser=True)
    unkept = []
    for origin in sorted(session.checkpoints.origins()):
        held = before.get(origin, empty)
        _at(stage, origin)
        checkpoints.fill(session, held["local"], held["session"], max(0.1, stage.deadline.left))
        unkept += [origin] if None in (held["local"], held["session"]) else []
    arrive(stage, lambda: stage.driver.get(page["url"]), "load", page["url"])
    if session.dialog is None:
        lost = checkpoints.place(session, page["fields"], page["x"], page["y"], max(0.1, stage.deadline.left))
        stage.ask("probe")
        tab.call("Page.resetNavigationHistory", timeout=max(0.1, stage.deadline.left))
        left_out = [f"{lost} fields are not there any more"] if lost else []
        left_out += [f"{clip(origin)} held too much to be kept" for origin in unkept]
        where = f"as before step {meant.ordinal}" if meant.name is None else f"as at {meant.name or 'the checkpoint'}"
        stage.note = "; ".join([f"{where}: {clip(page['url'], 120)}", *left_out])


def _tabs(stage: Stage, meant: checkpoints.Checkpoint) -> None:
    """Go to the checkpoint's tab, if it is still there, and close those opened since."""
    session = stage.session
    if meant.handle in session.tabs and session.handle != meant.handle:
        session.switch(meant.handle)
    extra = [h for h in session.tabs if h not in meant.tabs and h != session.handle]
    tab = session.devtools("%restore", _INSTEAD)
    for handle in extra:
        tab.call("Target.closeTarget", {"targetId": handle}, max(0.1, stage.deadline.left), browser=True)
    session.browser.wait_for(lambda: not set(extra) & set(session.handles_now()), max(0.1, stage.deadline.left))


def _at(stage: Stage, origin: str) -> None:
    """Be at an origin, on an empty page that its server is not asked for."""
    interception, tabs = stage.session.intercept("%restore", _INSTEAD)
    url = f"{origin}/jbts-restore-{new_id()}"
    headers = (("Content-Type", "text/html"),)
    blank = Mock(url, re.compile(re.escape(url)), headers=headers, body=b"<!doctype html><title>restoring</title>")
    context = stage.session.context_id
    wait(interception.add(context, blank, tabs), max(0.1, stage.deadline.left))
    try:
        arrive(stage, lambda: stage.driver.get(url), "dom", url)
    finally:
        wait(interception.remove(context, blank, tabs), max(0.1, stage.deadline.left))
