"""Every error of the product, in one tree::

JBTSError                       the root; str() is one line that says what to do next
├── UsageProblem                the step could not be understood; nothing ran
├── ConfigProblem               a setting that cannot work
├── StepFailed                  a step ran and did not succeed; carries its StepResult
├── StepProblem                 inside a step; the pipeline turns it into a StepFailed
│   ├── ExpectationFailed       the page is not as expected (status "failed", not "error")
│   ├── LocatorInvalid          the locator itself is wrong
│   ├── ElementNotFound         nothing matches
│   ├── ElementAmbiguous        several match where one is meant
│   ├── NotActionable           found, but it cannot be acted on; says what stood in the way
│   ├── StepTimeout             the page or the driver did not answer in time
│   ├── NavigationFailed        refused, not found, bad certificate, bad URL
│   ├── UnexpectedDialog        an alert is open and stops everything else
│   ├── ScriptFailed            the page's JavaScript threw
│   ├── TabGone                 the tab or frame was closed
│   ├── BrowserGone             the browser or its driver died
│   ├── Unsupported             this browser cannot do it; says which can
│   └── BrowserUnavailable      no browser or driver could be started (exit code 3)
│       ├── PoolFull            every browser of the pool is in use
│       └── GridUnavailable     the Selenium Grid does not answer, or has no slot (exit code 3)
├── StoreProblem                a query or a publication that cannot be done
├── HubProblem                  the broadcast hub cannot be reached or refused
└── ClusterUnavailable          no Dask scheduler or no worker answers (exit code 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Box, StepResult


class JBTSError(Exception):
    """Root of the tree. ``hints`` are further lines worth reading, most useful first; Python prints them
    below the message."""

    def __init__(self, message: str, *, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints
        for hint in hints:
            self.add_note(f"  {hint}")

    def __str__(self) -> str:
        return self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback: the reason first, then what to try."""
        return [f"{type(self).__name__}: {self.message}", *(f"  {hint}" for hint in self.hints)]


class UsageProblem(JBTSError):
    """The text of a step could not be understood. ``word`` is the word at fault."""

    def __init__(self, message: str, *, word: str = "", hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.word = word


class ConfigProblem(JBTSError):
    """A setting that cannot work; the message names it."""


class StepFailed(JBTSError):
    """A step ran and did not succeed. ``result`` is its :class:`~jbts_kernel.models.StepResult`."""

    def __init__(self, message: str, *, result: StepResult, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.result = result


class Interrupted(KeyboardInterrupt):
    """A step was interrupted. An interrupt like any other, told in one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"KeyboardInterrupt: {self}"]


class StepProblem(JBTSError):
    """Something a verb ran into. The pipeline records it and raises :class:`StepFailed`. ``box`` is the
    element it is about, where it is on the picture."""

    box: Box | None = None


class ExpectationFailed(StepProblem):
    """The page is not as expected: the step's status is ``failed``."""


class LocatorInvalid(StepProblem):
    """The locator itself is wrong, as the browser or the parser says."""


class ElementNotFound(StepProblem):
    """Nothing on the page matches; the hints list the closest elements."""


class ElementAmbiguous(StepProblem):
    """Several elements match where one is meant; the hints list them."""


class NotActionable(StepProblem):
    """The element was found but could not be acted on; the message says what stood in the way."""


class StepTimeout(StepProblem):
    """The page or the driver did not answer within the step's time."""


class NavigationFailed(StepProblem):
    """The address could not be opened."""


class UnexpectedDialog(StepProblem):
    """A JavaScript dialog is open; nothing else works until it is answered."""


class ScriptFailed(StepProblem):
    """JavaScript given to ``evaluate`` threw, or could not be parsed."""


class TabGone(StepProblem):
    """The current tab or frame does not exist any more."""


class BrowserGone(StepProblem):
    """The browser or its driver died during the step."""


class Unsupported(StepProblem):
    """This browser cannot do what was asked."""


class BrowserUnavailable(StepProblem):
    """No browser or driver could be started."""


class PoolFull(BrowserUnavailable):
    """Every browser of the pool is in use, and stayed so for as long as one was waited for."""


class GridUnavailable(BrowserUnavailable):
    """The Selenium Grid does not answer, has no such browser, or no free slot."""


INFRASTRUCTURE = frozenset(("BrowserUnavailable", "GridUnavailable", "PoolFull"))
"""Names of the errors that say nothing about the site under test."""


class StoreProblem(JBTSError):
    """A query or a publication that cannot be done."""


class HubProblem(JBTSError):
    """The broadcast hub cannot be reached, or refused."""


class ClusterUnavailable(JBTSError):
    """The Dask cluster a run was to be spread over cannot be reached, or has no workers."""
