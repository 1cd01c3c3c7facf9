"""What a failure leaves behind: one folder, and one HTML file that says it all and opens offline.

The page is asked on a failure only, over the channel that does not wait behind the driver, and for two
seconds at the most: a page that does not answer costs that and leaves out what it was asked for, by name.
What a step masks in its picture is masked in source and outline too; secrets are in none of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .browser import accessibility
from .browser.locators import Part, as_json
from .errors import StepProblem
from .grammar import clip
from .models import Artifact, ConsoleMessage, NetworkRequest, StepResult

if TYPE_CHECKING:
    from .stage import Stage

SECONDS = 2.0
MASKED = 100
"""Elements that are emptied in source and outline; where a step masks more, both are left out."""
MESSAGES = 200
SOURCE_LIMIT = 5_000_000
OUTLINE_LIMIT = 1_000_000
FOLDER = "evidence"
_SOURCE = f"document.documentElement.outerHTML.slice(0, {SOURCE_LIMIT})"
# The source with some elements emptied. A clone has its elements in the same order as the original.
_MASKED_SOURCE = f"""
const hidden = new Set(arguments[0]), page = document.documentElement, copy = page.cloneNode(true);
const copies = [...copy.querySelectorAll("*")];
[...page.querySelectorAll("*")].forEach((el, i) => {{
  if (!hidden.has(el)) return;
  for (const name of copies[i].getAttributeNames()) {{
    if (!/^(id|class|type)$/.test(name)) copies[i].removeAttribute(name);
  }}
  copies[i].textContent = "\\u2022\\u2022\\u2022\\u2022\\u2022";
}});
return copy.outerHTML.slice(0, {SOURCE_LIMIT});
"""


@dataclass
class Gathered:
    """What the page gave: its source and its outline, and a line for each thing it did not give; and what
    it said since the test began, the newest ``MESSAGES``."""

    source: str = ""
    outline: str = ""
    missing: list[str] = field(default_factory=list)
    console: list[ConsoleMessage] = field(default_factory=list)
    requests: list[NetworkRequest] = field(default_factory=list)


def overheard(stage: Stage) -> Gathered:
    """What the page said; it is not asked anything."""
    session, mask = stage.session, stage.mask
    console, requests = session.browser.signals.since(stage.since_test, {*session.tabs, session.handle})
    return Gathered(
        console=[replace(m, text=mask(m.text), url=mask(m.url)) for m in console[-MESSAGES:]],
        requests=[replace(r, text=mask(r.text), url=mask(r.url)) for r in [*requests, *stage.requests][-MESSAGES:]],
    )


def gather(stage: Stage, found: Gathered) -> None:
    """Ask the page for its source and its outline, and keep both with the step."""
    end = time.monotonic() + SECONDS

    def left() -> float:
        return max(0.05, end - time.monotonic())

    def ask(what: str, question: Callable[[], str], limit: int) -> str:
        try:
            return stage.mask(question())[:limit]
        except _silent() as problem:
            found.missing.append(f"{what} is not here: {str(problem).splitlines()[0][:200]}")
            return ""

    try:
        hidden = _hidden(stage, left())
    except _silent():
        found.missing = ["source and accessibility tree are not here: what they must not show could not be found"]
        return
    found.source = ask("the page's source", lambda: _source(stage, hidden, left()), SOURCE_LIMIT)
    found.outline = ask("the accessibility tree", lambda: _outline(stage, hidden, left()), OUTLINE_LIMIT)
    if found.source:
        stage.keep(found.source.encode("utf-8", "replace"), "source", "text/html")
    if found.outline:
        stage.keep(found.outline.encode("utf-8", "replace"), "accessibility", "text/plain")


def _hidden(stage: Stage, seconds: float) -> list[Any]:
    """The elements that the step covers in its pictures."""
    if not stage.masked_locators:
        return []
    stage.session.browser.limit("script", seconds)
    testid = stage.settings.testid_attribute
    hidden = []
    for locator in stage.masked_locators:
        for number in range(MASKED):
            chain = [*as_json(locator), asdict(Part("nth", str(number)))]
            element = stage.session.page("pick", chain=chain, testid=testid).get("el")
            if element is None:
                break
            hidden.append(element)
        else:
            raise StepProblem(f"{clip(locator)} masks more than {MASKED} elements")
    return hidden


def _outline(stage: Stage, hidden: list[Any], seconds: float) -> str:
    stage.session.devtools("the accessibility tree", accessibility.INSTEAD)
    places = [accessibility.place(element) for element in hidden]
    return accessibility.page_outline(stage.session, seconds, places)


def _source(stage: Stage, hidden: list[Any], seconds: float) -> str:
    if not hidden:
        return str(stage.session.evaluate(_SOURCE, timeout=seconds) or "")
    if stage.session.frames:
        raise StepProblem("elements of a frame are masked")
    stage.session.browser.limit("script", seconds)
    return str(stage.driver.execute_script(_MASKED_SOURCE, hidden) or "")


def _silent() -> tuple[type[BaseException], ...]:
    """What a page or driver that does not answer raises."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    return (StepProblem, WebDriverException, HTTPError, OSError)


def write(home: Path, result: StepResult, gathered: Gathered) -> StepResult:
    """Write the failure's folder; the result, knowing its evidence. Raises OSError.

    The folder is ``evidence/EXECUTION/ORDINAL-VERB`` below the project's data folder.
    """
    from .evidence_page import page

    folder = home / FOLDER / result.execution_id / f"{result.ordinal}-{result.step.verb}"
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "failure": "screenshot.png", "source": "page.html", "accessibility": "accessibility.txt",
        "expected": "expected", "actual": "actual", "diff": "diff",
    }  # fmt: skip
    for artifact in result.artifacts:
        name = names.get(artifact.role)
        if name is not None:
            _link(home / artifact.path, folder / (name if "." in name else name + Path(artifact.path).suffix))
    for name, values in (("console.json", gathered.console), ("network.json", gathered.requests)):
        text = json.dumps([asdict(value) for value in values], indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8", errors="replace")
    (folder / "tried.txt").write_text("".join(f"{line}\n" for line in result.tried), encoding="utf-8", errors="replace")
    data = page(home, result, gathered).encode("utf-8", "replace")
    (folder / "evidence.html").write_bytes(data)
    path = (folder / "evidence.html").relative_to(home).as_posix()
    artifact = Artifact(hashlib.sha256(data).hexdigest(), "evidence", "text/html", path, len(data))
    return replace(result, artifacts=(*result.artifacts, artifact), evidence=_told(home / path))


def _told(path: Path) -> str:
    """The path as somebody in the working folder would type it."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path.absolute())


def _link(stored: Path, place: Path) -> None:
    """The stored file under a name a person reads; a second copy only where there are no links."""
    place.unlink(missing_ok=True)
    try:
        os.link(stored, place)
    except OSError:
        shutil.copyfile(stored, place)
