"""Reading from the page: text, value, attribute, count, table, options, evaluate, screenshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..browser import capture
from ..browser.faults import dialog_open, first_line, transitional, translate
from ..browser.locators import as_json
from ..errors import ScriptFailed, StepProblem, TabGone
from ..grammar import Cover, Locator, Rest, clip
from ..stage import Stage
from .registry import PRESENT, VISIBLE, verb


def _read(stage: Stage, locator: str, what: str, argument: str | None = None) -> Any:
    """What the page script reads of an element, of a visible one where the verb needs that."""
    if stage.needs != PRESENT:
        return stage.on(locator, "read", what=what, argument=argument)[1].get("value")
    while True:
        answer = stage.ask("read", el=stage.there(locator), what=what, argument=argument)
        if stage.fresh(answer):
            return answer.get("value")


@verb("text", "read", also="get_text inner_text", needs=VISIBLE)
def text(stage: Stage, locator: Locator) -> str:
    """The visible text of an element, white space folded; of a field, what it holds."""
    return str(_read(stage, locator, "text") or "")


@verb("value", "read", also="get_value input_value", needs=PRESENT)
def value(stage: Stage, locator: Locator) -> str:
    """The value of a field."""
    return str(_read(stage, locator, "value") or "")


@verb("attribute", "read", also="get_attribute attr", needs=PRESENT)
def attribute(stage: Stage, locator: Locator, attribute_name: str) -> str | None:
    """An attribute as the markup has it; None where there is none."""
    found = _read(stage, locator, "attribute", attribute_name)
    return None if found is None else str(found)


@verb("count", "read")
def count(stage: Stage, locator: Locator) -> int:
    """How many elements match now; does not wait."""
    while True:
        answer = stage.ask("count", chain=as_json(locator), testid=stage.settings.testid_attribute)
        if stage.fresh(answer):
            return int(answer["count"])


@verb("table", "read", needs=VISIBLE)
def table(stage: Stage, locator: Locator) -> list[list[str]]:
    """A table as a list of rows, each a list of texts."""
    answer = stage.on(locator, "read", what="table")[1]
    if "matches" in answer:
        near = tuple(f"{found['locator']}   {found['text']}" for found in answer["matches"])
        where = f"; there is {near[0].partition('   ')[0]}" if near else ", and there is none on the page"
        raise StepProblem(f"{clip(locator)} is no table{where}", hints=near)
    return list(answer.get("value") or [])


@verb("options", "read", needs=VISIBLE)
def options(stage: Stage, locator: Locator) -> list[str]:
    """The labels of a select's options."""
    found, answer = stage.on(locator, "options")
    if found.kind != "select":
        raise StepProblem(f"{clip(locator)} is a {found.kind}, not a select")
    return [str(o["label"]) for o in answer["options"]]


def _parses(stage: Stage, body: str) -> bool:
    """Whether JavaScript can be read at all; nothing of it runs."""
    session = stage.session
    if session.dialog is not None:
        return True  # it will not run either; the driver says why
    return session.parses(body, max(1, stage.deadline.left))


@verb("evaluate", "evaluate", also="js script execute eval execute_script", body="script")
def evaluate(stage: Stage, script: Rest) -> Any:
    """Run JavaScript in the page and return its value; an expression, or a body that has return.

    Args:
        script: the JavaScript; in a cell of its own below %%evaluate
    """
    from selenium.common.exceptions import JavascriptException, TimeoutException, WebDriverException

    if stage.session.frames and stage.ask("probe").get("top"):
        raise TabGone("the current frame is gone; go on with %frame main")
    code = script.strip()
    expression = f"return (\n{code.rstrip(';')}\n)"
    body = expression if _parses(stage, expression) else code
    stage.session.browser.limit("script", stage.deadline.seconds)
    try:
        return stage.driver.execute_script(body)
    except JavascriptException as error:
        if transitional(error):
            return None
        said = clip(first_line(error).removeprefix("javascript error:"), 500)
        raise ScriptFailed(said or "the script threw something that is no Error, so it has no message") from None
    except WebDriverException as error:
        if isinstance(error, TimeoutException):  # the driver gave up, the script may go on
            stage.session.browser.patience.suspect()
        raise translate(error, stage.deadline.seconds, stage.session.dialog) from error


@verb("screenshot", "screenshot", also="picture snap shot", needs=VISIBLE)
def screenshot(
    stage: Stage,
    locator: Locator | None = None,
    *,
    full_page: bool = False,
    name: str | None = None,
    mask: tuple[Cover, ...] = (),
) -> Path:
    """Take a picture of the viewport, of an element, or of the whole document; returns its path.

    Args:
        full_page: the whole document, however long
        name: a name for the picture
        mask: cover these elements in the picture
    """
    stage.masked_locators = mask
    if stage.session.dialog is not None:
        raise dialog_open(stage.session.dialog)
    role = "full_page" if full_page and locator is None else "after"
    png = capture.taken(stage, locator, max(1, stage.deadline.left), whole=full_page)
    if png is None:
        raise dialog_open(stage.session.dialog)
    artifact = stage.keep(png, role, "image/png")
    stage.picture, stage.box = png, None
    return stage.home / artifact.path
