"""What a step finds around it: settings, folders, browser and recorder, as the workbench has them now.

:func:`stage_for` makes of them the :class:`~jbts_kernel.stage.Stage` on which one verb acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .browser.actionability import Deadline, Watch
from .grammar import Signature, clip
from .models import Step
from .recorder import Recorder
from .stage import Stage

if TYPE_CHECKING:
    from .baselines import Baselines
    from .browser.session import Session
    from .config import JBTS


@dataclass
class Marks:
    """Numbers in the signals: where the current test began, and the last step that acted; and how far they stand
    in rows. What comes between two steps belongs to the second."""

    test: int = 0
    act: int = 0
    told: int = 0


@dataclass
class Surroundings:
    """What a step needs from the workbench. ``session`` leases a browser if none is there yet."""

    settings: JBTS
    home: Path
    folder: Path
    recorder: Recorder
    base_url: Callable[[], str]
    session: Callable[[], Session]
    lost: Callable[[Session], None]
    mask: Callable[[str], str]
    secrets: Callable[[], tuple[str, ...]]
    parent: Callable[[], str | None]
    cell: Callable[[], tuple[str | None, str | None]]
    marks: Callable[[], Marks]
    baselines: Callable[[], Baselines]
    spent: Callable[[], tuple[float, int]] = lambda: (0.0, 0)
    watch: Callable[[str], None] | None = None


def stage_for(around: Surroundings, step: Step, signature: Signature, session: Session) -> Stage:
    """Where the verb of a step acts, with the time it has."""
    settings = around.settings
    usual = settings.navigation_timeout if signature.step_type in ("navigate", "request") else settings.timeout
    return Stage(
        session=session,
        step=step,
        deadline=Deadline(usual if step.options.timeout is None else step.options.timeout, watch=_watch(around, step)),
        settings=settings,
        home=around.home,
        folder=around.folder,
        base_url=around.base_url(),
        baselines=around.baselines(),
        needs=signature.needs,
        since_act=around.marks().act,
        since_test=around.marks().test,
        mask=around.mask,
        secrets=around.secrets(),
        spent=around.spent,
    )


def _watch(around: Surroundings, step: Step) -> Watch | None:
    tell = around.watch
    if tell is None:
        return None
    what = clip(around.mask(step.source or step.verb), 100)
    return lambda state, elapsed, seconds: tell(
        around.mask(f"waiting for {what} ({state}), {elapsed} s of {seconds:g} s")
    )
