"""Where on the screen: frames, tabs, the window, dialogs."""

from __future__ import annotations

from typing import Literal

from ..browser.launch import parse_viewport
from ..errors import ConfigProblem, StepProblem, StepTimeout, TabGone, UsageProblem
from ..grammar import Input, Locator, clip
from ..stage import Stage
from .registry import VISIBLE, verb


@verb("frame", "frame", also="iframe switch_to", needs=VISIBLE)
def frame(stage: Stage, target: Locator) -> None:
    """Go into an iframe; main leaves all frames, parent leaves this one.

    Args:
        target: an iframe inside the current frame, or main, or parent
    """
    session = stage.session
    if target == "main":
        session.leave()
    elif target == "parent":
        session.leave(1)
    else:
        found = stage.find(target)
        if found.kind not in ("iframe", "frame"):
            raise StepProblem(f"{clip(target)} is a {found.kind}, not an iframe")
        session.enter(found.element)
        stage.box = None
    session.place_frame()


def _check_tab(which: str, **_: object) -> None:
    titled = which.startswith("title:") and which.removeprefix("title:").strip()
    if which not in ("new", "close") and not which.isdecimal() and not titled:
        raise UsageProblem(f"%tab takes new, a number from 0, title:TEXT or close, not {clip(which)!r}", word=which)


@verb("tab", "tab", also="page switch_tab", check=_check_tab)
def tab(stage: Stage, which: Input) -> None:
    """Go to a tab: new, a number from 0, title:TEXT, or close the current one.

    Args:
        which: new, N, title:TEXT or close
    """
    session = stage.session
    handles = session.tabs
    if which == "new":
        session.switch(session.open_tab())
    elif which == "close":
        if len(handles) == 1:
            raise StepProblem("this is the only tab; the browser ends with the notebook, or with %browser")
        opener = session.opener(session.handle)
        closing = session.handle
        stage.driver.close()
        session.browser.wait_for(lambda: closing not in session.handles_now(), stage.deadline.left)
        left = session.tabs
        session.switch(opener if opener in left else left[-1])
    elif which.isdecimal():
        if int(which) >= len(handles):
            raise TabGone(f"there is no tab {which}; there are {len(handles)}, from 0 (%tabs lists them)")
        session.switch(handles[int(which)])
    else:
        wanted = " ".join(which.removeprefix("title:").lower().split())
        while True:
            titles = session.titles()
            hits = [h for h, (title, _) in titles.items() if wanted in " ".join(title.lower().split())]
            if hits:
                session.switch(hits[0])
                return
            if stage.deadline.left <= 0:
                break
            session.browser.look_again(min(0.05, stage.deadline.left))
        seen = ", ".join(repr(clip(title, 40)) for title, _ in titles.values())
        raise TabGone(f"no tab has the title {wanted!r}; there are {seen}")


@verb("tabs", "tab")
def tabs(stage: Stage) -> list[dict[str, object]]:
    """The open tabs: number, title, url and which is current."""
    titles = stage.session.titles()
    return [
        {"tab": i, "title": title, "url": url, "current": handle == stage.session.handle}
        for i, (handle, (title, url)) in enumerate(titles.items())
    ]


def _check_window(size: str, **_: object) -> None:
    try:
        parse_viewport(size)
    except ConfigProblem as error:
        raise UsageProblem(error.message, word=size) from None


@verb("window", "custom", also="viewport resize", check=_check_window)
def window(stage: Stage, size: Input) -> None:
    """Give the page another viewport, like 390x844.

    Args:
        size: WIDTHxHEIGHT in CSS pixels
    """
    stage.session.resize(*parse_viewport(size))


def _check_dialog(action: str, answer: str | None = None, **_: object) -> None:
    if action == "answer" and answer is None:
        raise UsageProblem("%dialog answer needs a text: %dialog answer 'Ada'")
    if action != "answer" and answer is not None:
        raise UsageProblem(f"%dialog {action} takes no text; %dialog answer writes one into a prompt", word=answer)


@verb("dialog", "dialog", also="alert confirm prompt", check=_check_dialog)
def dialog(stage: Stage, action: Literal["accept", "dismiss", "answer"], answer: Input | None = None) -> str:
    """Answer an open alert, confirm or prompt; returns its text.

    Args:
        action: accept, dismiss, or answer TEXT to a prompt
        answer: what to write into a prompt
    """
    session = stage.session
    if not session.browser.wait_for(lambda: session.dialog is not None, stage.deadline.left):
        raise StepTimeout(f"no dialog opened within {stage.deadline.seconds:g} s")
    opened = session.dialog
    if opened is None:
        raise StepProblem("the dialog closed before it was answered")
    if action == "answer" and opened.kind not in ("prompt", "dialog"):
        raise StepProblem(f"{opened.kind} {clip(opened.text)!r} takes no text; use %dialog accept or %dialog dismiss")
    alert = stage.driver.switch_to.alert
    if action == "answer":
        alert.send_keys(answer)
    if action == "dismiss":
        alert.dismiss()
    else:
        alert.accept()
    session.browser.wait_for(lambda: session.dialog is not opened, 2)
    return opened.text
