"""Looking: analyze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from ..browser import capture
from ..browser.covering import masks
from ..browser.faults import dialog_open, translate
from ..errors import ExpectationFailed, StepProblem
from ..grammar import Cover, Expected, Input, Locator, clip
from ..models import Analysis, ConsoleMessage, NetworkRequest
from ..stage import Stage
from .registry import verb

if TYPE_CHECKING:
    from ..vision.looking import Picture
    from ..vision.server import Server


class StagePage:
    """The page of a step, as the vision layer asks it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def script(self, source: str, *arguments: Any) -> Any:
        from selenium.common.exceptions import WebDriverException
        from urllib3.exceptions import HTTPError

        stage, session = self.stage, self.stage.session
        if session.dialog is not None:
            raise dialog_open(session.dialog)
        try:
            session.browser.limit("script", max(30.0, stage.deadline.seconds))
            return session.driver.execute_async_script(source, *arguments)
        except (WebDriverException, HTTPError, OSError) as error:
            raise translate(error, stage.deadline.seconds, session.dialog) from error

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


@verb("analyze", "analyze")
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
    """
    from dataclasses import replace

    from ..vision.looking import settle
    from ..vision.offline import analyze as look
    from ..vision.server import server

    stage.masked_locators = mask
    if stage.session.dialog is not None:
        raise dialog_open(stage.session.dialog)
    page = StagePage(stage)
    settled = settle(page)
    element = stage.find(locator).element if locator is not None else None
    if element is not None:
        stage.ask("scroll", el=element)
    picture = take(stage, element, full_page=full_page)
    stage.keep(picture.png, "full_page" if full_page else "after", "image/png")
    stage.picture, stage.box = picture.png, None
    sight = look(page, picture, kind, scope=element, settled=settled)
    offline = replace(sight.analysis, size=(round(picture.width), round(picture.height)))
    stage.analyses.append(offline)
    asked = server(stage.settings, stage.settings.environ, stage.home).with_model(model)
    said = _ask(stage, page, asked, kind, context, expect, picture, offline, element) if asked.asks else None
    stage.looked = result = together(offline, said, expect)
    if require_ai and (said is None or said.status != "ok"):
        why = "no key and no JBTS.vision_base_url is set" if said is None else f"{said.status}: {said.summary}"
        raise StepProblem(f"no model looked at the page: {why}")
    _judge(result, fail_on)
    return result


def _ask(
    stage: Stage,
    page: StagePage,
    asked: Server,
    kind: str,
    context: str | None,
    expect: str | None,
    picture: Picture,
    offline: Analysis,
    element: Any,
) -> Analysis:
    """The model's side, kept as a row also when it is interrupted."""
    from ..vision.analyst import Request
    from ..vision.analyst import analyze as ask_model
    from ..vision.looking import ask
    from ..vision.usage import Spent

    outline = ask(page, "outline", el=element, skip=skipped(stage))
    try:
        said = ask_model(
            asked, Request(kind, context, expect), picture, outline, () if stage.masked_locators else offline.findings,
            mask=stage.mask, spending=lambda: Spent(*stage.spent()),
        )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        so_far = getattr(interrupt, "analysis", None)
        if so_far is not None:
            stage.analyses.append(so_far)
            stage.looked = together(offline, so_far, expect)
        raise
    stage.analyses.append(said)
    return said


def skipped(stage: Stage) -> list[dict[str, float]]:
    """The boxes whose text stays here, in the frame's own viewport: what is masked in the picture."""
    boxes = masks(stage.session, stage.deadline, stage.masked_locators, stage.settings.testid_attribute)
    if boxes is None:
        raise StepProblem("the page was replaced while it was looked at; run the step again")
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
        warnings = (failed, *said.warnings)
        verdict = "not_checked" if expect else None
        return replace(offline, layers=layers, expected=expect, verdict=verdict, warnings=warnings)  # type: ignore[arg-type]
    findings = tuple(ordered([*offline.findings, *said.findings]))
    return replace(said, findings=findings, layers=layers, size=offline.size)


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
