"""Waiting for something that expecting does not say: an element's state, an address, a text, a tab."""

from __future__ import annotations

import re
import threading
from typing import Literal

from ..browser import actionability
from ..errors import StepProblem, StepTimeout, UsageProblem
from ..grammar import LARGEST, Expected, Locator, clip
from ..stage import Stage
from .expecting import url_pattern
from .registry import verb

TIME = r"\d+(\.\d+)?(ms|s)"


def _check_wait(
    target: str | None = None,
    state: str | None = None,
    url: str | None = None,
    text: str | None = None,
    tab: bool = False,
    **_: object,
) -> None:
    named = {target: target, "--url": url, "--text": text, "--tab": tab or None}
    given = [str(name) for name, value in named.items() if value is not None]
    if not given:
        raise UsageProblem("%wait needs what to wait for: a locator, 500ms, --url GLOB, --text T or --tab")
    if len(given) > 1:
        raise UsageProblem(
            f"%wait waits for one thing, not for {clip(' and '.join(given))}; give each a line", word=given[1]
        )
    if state is not None and (target is None or re.fullmatch(TIME, target)):
        raise UsageProblem(f"--state {state} is what an element comes to; %wait LOC --state {state}", word="--state")
    if target is not None and re.fullmatch(r"\d+(\.\d+)?", target):
        raise UsageProblem(f"{target} is no element and no time; did you mean {target}s, or {target}ms?", word=target)


@verb("wait", "wait", also="sleep wait_for pause", check=_check_wait)
def wait(
    stage: Stage,
    target: Locator | None = None,
    *,
    state: Literal["visible", "hidden", "present", "gone", "clickable"] = "visible",
    url: Expected | None = None,
    text: Expected | None = None,
    tab: bool = False,
) -> None:
    """Wait for an element's state, an address, a text on the page, a new tab, or a time like 500ms.

    Args:
        target: an element, or a time: 500ms, 2s
        state: what to wait for
        url: until the address fits this glob
        text: until the page shows this text
        tab: until a tab opens that was not there when the last acting step began
    """
    if url is not None:
        actionability.page_condition(
            stage.session,
            stage.deadline,
            word="url",
            value=url,
            pattern=url_pattern(url, stage.base_url),
            failure=StepTimeout,
        )
    elif text is not None:
        if not text.strip():
            raise StepProblem("%wait --text needs a text; every page has the empty one")
        actionability.page_condition(stage.session, stage.deadline, word="text", value=text, failure=StepTimeout)
    elif tab:
        known = stage.session.tabs_before
        if not stage.session.browser.wait_for(lambda: set(stage.session.handles_now()) - known, stage.deadline.left):
            raise StepTimeout(f"no tab opened within {stage.deadline.seconds:g} s")
    elif target is not None and re.fullmatch(TIME, target):
        seconds = float(target.removesuffix("s").removesuffix("m")) / (1000 if target.endswith("ms") else 1)
        if seconds > LARGEST:
            raise StepProblem(f"{clip(target)} is longer than a test can take; write 500ms or 2s")
        threading.Event().wait(seconds)  # the one wait that is asked for by the clock
    else:
        assert target is not None, "checked"
        stage.condition(target, state, failure=StepTimeout)
    stage.wait_ms = stage.deadline.elapsed * 1000
