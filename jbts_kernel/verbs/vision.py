"""Looking: analyze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from ..browser import capture
from ..browser.cdp import CommandRefused
from ..browser.covering import masks
from ..browser.faults import dialog_open, transitional, translate
from ..errors import ExpectationFailed, ScriptFailed, StepProblem
from ..grammar import Cover, Expected, Input, Locator, Path, clip
from ..models import Analysis, ConsoleMessage, NetworkRequest
from ..stage import Stage
from .registry import VISIBLE, verb

if TYPE_CHECKING:
    from ..browser.session import Session
    from ..vision.analyst import Request
    from ..vision.looking import Picture
    from ..vision.server import Server


def run_script(
    session: Session, source: str, command: str, arguments: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """The answer of a script of the vision layer. Raises :class:`StepProblem`."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    try:
        session.browser.limit("script", seconds)
        answer = session.script(source, command, **arguments)
    except (WebDriverException, HTTPError, OSError) as error:
        raise translate(error, seconds, session.dialog) from error
    except CommandRefused as error:
        raise _replaced() if transitional(error) else error from None
    if answer.get("state") == "stale":
        raise _replaced()
    if answer.get("state") == "invalid":
        raise ScriptFailed(f"the page could not be looked at: {clip(str(answer.get('message')), 300)}")
    return answer


def _replaced() -> StepProblem:
    return StepProblem("the page was replaced while it was looked at; run the step again")


class StagePage:
    """The page of a step, as the vision layer asks it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def script(self, source: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return run_script(self.stage.session, source, command, arguments, max(30.0, self.stage.deadline.seconds))

    def in_flight(self) -> int:
        return self.stage.session.browser.signals.in_flight(self.stage.session.handle)

    def messages(self) -> tuple[Sequence[ConsoleMessage], Sequence[NetworkRequest]]:
        session = self.stage.session
        session.settle_signals()
        return session.browser.signals.since(self.stage.since_test, {session.handle})


def take(stage: Stage, element: Any = None, *, full_page: bool = False) -> Picture:
    """A picture for looking at: without a blinking caret, secrets and masked elements covered."""
    from ..vision.looking import Picture, ask

    page, session = StagePage(stage), stage.session
    seconds = max(5.0, stage.deadline.left)
    ask(page, "caret", hide=True)
    try:
        facts = ask(page, "facts")
        frame = session.place_frame()
        dx, dy = frame.x, frame.y
        x, y = float(facts["scrollX"]), float(facts["scrollY"])
        if element is not None:
            box = stage.ask("probe", el=element).get("box") or {"x": 0, "y": 0, "width": 1, "height": 1}
            left, top = box["x"] + x + dx, box["y"] + y + dy
            width, height = max(1.0, box["width"]), max(1.0, box["height"])
            png = capture.covered(
                stage, capture.clip(session, left, top, width, height, seconds), (left, top), document=True
            )
            corner = (box["x"], box["y"])
        elif full_page:
            png = capture.covered(stage, capture.full_page(session, seconds), (0, 0), document=True)
            width, height, corner = float(facts["pageWidth"]), float(facts["pageHeight"]), (-x, -y)
        else:
            shot = capture.viewport(session, seconds)
            if shot is None:
                raise dialog_open(session.dialog)
            png = capture.covered(stage, shot, (0, 0), document=False)
            width, height, corner = float(facts["width"]), float(facts["height"]), (-dx, -dy)
    finally:
        if session.dialog is None:
            ask(page, "caret", hide=False)
    size = capture.png_size(png)
    scale = float(facts["scale"]) or 1.0
    return Picture(png, *corner, min(width, size[0] / scale), min(height, size[1] / scale), scale)


@verb("analyze", "analyze", needs=VISIBLE)
def analyze(
    stage: Stage,
    kind: Literal["general", "error", "ui_validation"] = "general",
    locator: Locator | None = None,
    *,
    context: Input | None = None,
    expect: Expected | None = None,
    full_page: bool = False,
    fail_on: Literal["critical", "serious", "moderate", "minor"] | None = None,
    require_ai: bool = False,
    model: str | None = None,
    mask: tuple[Cover, ...] = (),
    picture: Path | None = None,
) -> Analysis:
    """Look at the page for what is wrong with it, with rules and, where a model is configured, with that.

    Findings are numbered over the picture and kept in analyses and findings. A finding that the page does not
    bear out is shown apart and never fails anything. docs/vision.md lists the rules.

    Args:
        kind: general, error (only what failed) or ui_validation (against --context and --expect)
        locator: look at this element only
        context: what the page is for, told to the model
        expect: a claim to check; answered true, false or not_checked
        full_page: the whole document in the picture, not the window alone
        fail_on: fail when a finding is at least this bad
        require_ai: fail when no model answered
        model: another model than JBTS.vision_model
        mask: cover these elements in the picture, and keep their text here
        picture: look at this stored picture instead of the page: a file, or the hash of an artifact
    """
    from dataclasses import replace

    from ..vision.analyst import Request
    from ..vision.looking import ask, settle
    from ..vision.offline import analyze as look
    from ..vision.server import server

    if picture is not None:
        if locator is not None or full_page or mask:
            raise StepProblem("--picture looks at a picture as it is; leave out the element, --full-page and --mask")
        return _of_picture(stage, picture, kind, context, expect, fail_on, require_ai, model)
    stage.masked_locators = mask
    if stage.session.dialog is not None:
        raise dialog_open(stage.session.dialog)
    page = StagePage(stage)
    settled = settle(page)
    element = stage.find(locator).element if locator is not None else None
    if element is not None:
        stage.ask("scroll", el=element)
    shot = take(stage, element, full_page=full_page)
    stage.keep(shot.png, "full_page" if full_page else "after", "image/png")
    stage.picture, stage.box = shot.png, None
    sight = look(page, shot, kind, scope=element, settled=settled)
    offline = replace(sight.analysis, size=(round(shot.width), round(shot.height)))
    stage.analyses.append(offline)
    asked = server(stage.settings, stage.settings.environ, stage.home).with_model(model)
    said = None
    if asked.asks:
        outline = ask(page, "outline", el=element, skip=skipped(stage))
        said = _ask(stage, asked, Request(kind, context, expect), shot, outline, offline)
    return _conclude(stage, offline, said, expect, fail_on, require_ai)


def _of_picture(
    stage: Stage,
    name: str,
    kind: str,
    context: str | None,
    expect: str | None,
    fail_on: str | None,
    require_ai: bool,
    model: str | None,
) -> Analysis:
    """Look at a picture that was kept, with the rules for words and, where one is configured, a model."""
    from dataclasses import replace

    from ..vision import stored
    from ..vision.analyst import Request
    from ..vision.offline import of_picture
    from ..vision.server import server

    picture = stored.opened(stage.home, name, stage.file(name))
    stage.keep(picture.png, "after", "image/png")
    stage.picture, stage.box = picture.png, None
    sight = of_picture(StagePage(stage), picture, kind)
    offline = replace(sight.analysis, size=(round(picture.width), round(picture.height)))
    stage.analyses.append(offline)
    asked = server(stage.settings, stage.settings.environ, stage.home).with_model(model)
    said = None
    if asked.asks:
        hidden = stored.without(picture, sight.facts["items"], stage.mask)
        said = _ask(stage, asked, Request(kind, context, expect), hidden, sight.facts, offline)
    return _conclude(stage, offline, said, expect, fail_on, require_ai)


def _conclude(
    stage: Stage, offline: Analysis, said: Analysis | None, expect: str | None, fail_on: str | None, require_ai: bool
) -> Analysis:
    stage.looked = result = together(offline, said, expect)
    if require_ai and (said is None or said.status != "ok"):
        why = "no key and no JBTS.vision_base_url is set" if said is None else f"{said.status}: {said.summary}"
        raise StepProblem(f"no model looked at the page: {why}")
    _judge(result, fail_on)
    return result


def _ask(
    stage: Stage, asked: Server, request: Request, picture: Picture, outline: dict[str, Any], offline: Analysis
) -> Analysis:
    """The model's side, kept as a row also when it is interrupted."""
    from ..vision.analyst import analyze as ask_model
    from ..vision.usage import Spent

    try:
        said = ask_model(
            asked, request, picture, outline, () if stage.masked_locators else offline.findings,
            mask=stage.mask, spending=lambda: Spent(*stage.spent()),
        )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        so_far = getattr(interrupt, "analysis", None)
        if so_far is not None:
            stage.analyses.append(so_far)
            stage.looked = together(offline, so_far, request.expect)
        raise
    stage.analyses.append(said)
    return said


def skipped(stage: Stage) -> list[dict[str, float]]:
    """The boxes whose text stays here, in the frame's own viewport: what is masked in the picture."""
    boxes = masks(stage.session, stage.deadline, stage.masked_locators, stage.settings.testid_attribute)
    if boxes is None:
        raise _replaced()
    return [asdict(box) for box in boxes]


def together(offline: Analysis, said: Analysis | None, expect: str | None) -> Analysis:
    """What both layers say, as one: the model's summary where it answered, the rules' findings first."""
    from dataclasses import replace

    from ..vision.offline import ordered

    if said is None:
        return replace(offline, layers=(offline,), expected=expect, verdict="not_checked" if expect else None)
    layers = (offline, said)
    if said.status != "ok":
        failed = (
            f"no model looked: {said.status}, {said.summary}" if said.summary else f"no model looked: {said.status}"
        )
        verdict = "not_checked" if expect else None
        warnings = (*offline.warnings, failed, *said.warnings)
        return replace(offline, layers=layers, expected=expect, verdict=verdict, warnings=warnings)  # type: ignore[arg-type]
    findings = tuple(ordered([*offline.findings, *said.findings]))
    warnings = (*offline.warnings, *said.warnings)
    return replace(said, findings=findings, layers=layers, size=offline.size, warnings=warnings)


def _judge(result: Analysis, fail_on: str | None) -> None:
    """Fail the step for what is bad enough and borne out by the page."""
    from ..vision.rules import worse

    bad = [f for f in result.findings if fail_on and f.grounded and worse(f.severity, fail_on)]
    if bad:
        others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ExpectationFailed(
            f"the page has a {bad[0].severity} finding: {clip(bad[0].message, 200)}{others}",
            hints=tuple(f"{f.locator or f.category}   {f.severity}: {f.message}" for f in bad[:8]),
        )
