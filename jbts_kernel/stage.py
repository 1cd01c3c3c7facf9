"""Where a verb acts: one step's session, time, settings, and what it has to tell of itself.

A verb is a function of a stage and its own arguments. It reads and moves the page through the
stage's session and writes down on the stage what the pipeline cannot know: the element's box, an
HTTP status, files it kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .browser import actionability, capture
from .browser.actionability import Deadline, Found
from .errors import ElementNotFound, ExpectationFailed, NotActionable, StepProblem
from .models import Analysis, Artifact, Box, NetworkRequest, Step

if TYPE_CHECKING:
    from .baselines import Baselines
    from .browser.session import Session
    from .config import JBTS


@dataclass
class Stage:
    """One step being run. ``needs`` is what its verb's elements must be (:mod:`jbts_kernel.verbs.registry`),
    ``home`` is the project's data folder, ``folder`` where relative file names of this notebook begin,
    ``baselines`` what its snapshots are compared with, ``pictures`` and ``difference`` what a comparison has to
    show, ``since_act`` and ``since_test`` the signals' marks of the last acting step and of the execution,
    ``ordinal`` the step's place in it."""

    session: Session
    step: Step
    deadline: Deadline
    settings: JBTS
    home: Path
    folder: Path
    base_url: str
    baselines: Baselines
    needs: tuple[str, ...] = ()
    since_act: int = 0
    since_test: int = 0
    ordinal: int = 0
    mask: Callable[[str], str] = str
    secrets: tuple[str, ...] = ()
    masked_locators: tuple[str, ...] = ()
    element: Any = None
    box: Box | None = None
    http_status: int | None = None
    note: str = ""
    wait_ms: float = 0.0
    expected: str | None = None
    artifacts: list[Artifact] = field(default_factory=list)
    requests: list[NetworkRequest] = field(default_factory=list)
    picture: bytes | None = None
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    difference: str = ""
    analyses: list[Analysis] = field(default_factory=list)
    looked: Analysis | None = None
    spent: Callable[[], tuple[float, int]] = lambda: (0.0, 0)

    @property
    def driver(self) -> Any:
        return self.session.driver

    def find(self, locator: str, *, at: tuple[float, float] | None = None, tick: bool = False) -> Found:
        """The one ready element a locator means; its box becomes the outline in the card."""
        found = actionability.find(
            self.session,
            locator,
            self.deadline,
            wants=tuple(need for need in self.needs if need != "visible"),
            first=self.step.options.first,
            at=at,
            tick=tick,
            testid=self.settings.testid_attribute,
        )
        self.element, self.box = found.element, found.box
        self.wait_ms += found.waited_ms
        return found

    def there(self, locator: str) -> Any:
        """The one element a locator means, visible or not."""
        return self.condition(locator, "present", failure=ElementNotFound)["el"]

    def condition(
        self,
        locator: str,
        word: str,
        argument: str | None = None,
        value: str | None = None,
        negated: bool = False,
        failure: type[StepProblem] = ExpectationFailed,
    ) -> dict[str, Any]:
        """Wait until a condition of the located element holds; raises ``failure`` when time is up."""
        begun = self.deadline.elapsed
        try:
            answer = actionability.condition(
                self.session, locator, self.deadline, word=word, argument=argument, value=value, negated=negated,
                first=self.step.options.first, testid=self.settings.testid_attribute, failure=failure,
            )  # fmt: skip
        except StepProblem as problem:
            self.box = problem.box
            self.wait_ms += (self.deadline.elapsed - begun) * 1000
            raise
        self.element = answer.get("el")
        if answer.get("box"):
            self.box = Box(**answer["box"])
        self.wait_ms += (self.deadline.elapsed - begun) * 1000
        return answer

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """One answer of the page script about the element found before (``el=``) or the page."""
        return actionability.attempt(self.session, self.deadline, command, **arguments)

    def on(self, locator: str, command: str, **arguments: Any) -> tuple[Found, dict[str, Any]]:
        """The ready element and the page script's answer about it; both anew if it was replaced in between."""
        while True:
            found = self.find(locator)
            answer = self.ask(command, el=found.element, **arguments)
            if self.fresh(answer):
                return found, answer

    def fresh(self, answer: dict[str, Any]) -> bool:
        """Whether an answer is about a page that is still there. Raises when there is no time to ask again."""
        if answer.get("state") == "stale" and self.deadline.left <= 0:
            raise NotActionable(f"the page was being replaced all the time, for {self.deadline.elapsed:.1f} s")
        return answer.get("state") != "stale"

    def file(self, name: str) -> Path:
        """A file name as the notebook means it."""
        path = Path(name).expanduser()
        return path if path.is_absolute() else self.folder / path

    def keep(self, data: bytes, role: str, mime: str) -> Artifact:
        """Keep a file with this step; returns what was stored."""
        size = capture.png_size(data) if mime == "image/png" else None
        artifact = capture.store(self.home, data, role, mime, size)
        self.artifacts.append(artifact)
        return artifact
