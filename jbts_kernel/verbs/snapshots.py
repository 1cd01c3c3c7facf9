"""Snapshots: the page's accessible outline, or its picture, as it was when somebody last said it is right."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Callable
from pathlib import Path

from .. import baselines
from ..browser import accessibility, capture, comparison
from ..browser.cdp import CommandRefused
from ..browser.faults import dialog_open
from ..browser.stillness import held_still
from ..errors import ExpectationFailed, StepProblem
from ..grammar import clip
from ..stage import Stage

OUTLINE, PICTURE = ".aria.yml", ".png"
LOOK_AGAIN = 0.1
DIFF_LINES = 200


def expect_outline(stage: Stage, locator: str, name: str | None) -> None:
    """Expect an element's accessible outline to be its baseline, looking until it is so."""
    stage.session.devtools("expect LOC aria", accessibility.INSTEAD)
    name = name or locator
    path = stage.baselines.path(name, OUTLINE)
    expected = path.read_text(encoding="utf-8") if path.is_file() else None

    def look() -> bytes | None:
        element = stage.condition(locator, "present")["el"]
        if element is None:
            return None
        where = accessibility.place(element)
        try:
            nodes = accessibility.tree(stage.session, where.frame, max(1, stage.deadline.left))
        except CommandRefused:  # the document is being replaced
            return None
        told = accessibility.outline(nodes, where.node)
        return None if told is None else stage.mask(told).encode()

    actual = _looked(stage, look, None if expected is None else lambda text: text.decode() == expected)
    if expected is not None and actual.decode() == expected:
        baselines.agrees(stage.home, path)
        return
    if _becomes_baseline(stage, path, actual, expected is None):
        return
    kept = stage.keep(actual, "actual", "text/plain")
    baselines.differs(stage.home, name, path, stage.home / kept.path)
    if expected is None:
        raise _no_baseline(stage, name, path)
    stage.keep(expected.encode(), "expected", "text/plain")
    before, after = expected.splitlines(), actual.decode().splitlines()
    lines = list(difflib.unified_diff(before, after, "expected", "actual", lineterm=""))
    stage.difference = "\n".join(lines[:DIFF_LINES])
    stage.keep("\n".join(lines).encode(), "diff", "text/plain")
    changed = sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in lines)
    raise ExpectationFailed(
        f"the outline of {clip(locator)} differs from {stage.baselines.told(path)} in {changed} "
        f"line{'' if changed == 1 else 's'}, after {stage.deadline.elapsed:.1f} s",
        hints=_accepting(name),
    )


def expect_picture(stage: Stage, locator: str | None, name: str, tolerance: float, mask: tuple[str, ...]) -> None:
    """Expect a picture of an element, or of the viewport, to be its baseline, looking until it is so."""
    stage.masked_locators = mask
    path = stage.baselines.path(name if _is_file(name) else f"{name}-{_circumstances(stage)}", PICTURE)
    expected = path.read_bytes() if path.is_file() else None
    judged: dict[bytes, comparison.Comparison] = {}

    def judge(png: bytes) -> bool:
        assert expected is not None
        if png not in judged:
            judged.clear()
            try:
                judged[png] = comparison.compare(expected, png)
            except OSError as error:
                raise StepProblem(
                    f"{path} is no picture ({clip(str(error))}); delete it, or accept a new one"
                ) from None
        return judged[png].within(tolerance)

    def look() -> bytes:
        png = capture.taken(stage, locator, max(1, stage.deadline.left))
        if png is None:
            raise dialog_open(stage.session.dialog)
        return png

    with held_still(stage):
        actual = _looked(stage, look, None if expected is None else judge)
    if expected is not None and judge(actual):
        baselines.agrees(stage.home, path)
        return
    if _becomes_baseline(stage, path, actual, expected is None):
        return
    kept = stage.keep(actual, "actual", "image/png")
    baselines.differs(stage.home, name, path, stage.home / kept.path)
    if expected is None:
        raise _no_baseline(stage, name, path)
    result = judged[actual]
    stage.keep(expected, "expected", "image/png")
    stage.pictures = [("expected", expected), ("actual", actual)]
    if result.diff is not None:
        stage.keep(result.diff, "diff", "image/png")
        stage.pictures.append(("diff", result.diff))
    (w, h), (x, y) = result.sizes
    size = f"it is {x}x{y}, the baseline {w}x{h}; " if result.sizes[0] != result.sizes[1] else ""
    pixels = f"{result.differing} pixel{'' if result.differing == 1 else 's'} differ ({result.share:.2%})"
    raise ExpectationFailed(
        f"the picture differs from {stage.baselines.told(path)}: {size}{pixels}, after {stage.deadline.elapsed:.1f} s",
        hints=_accepting(name),
    )


def _looked(stage: Stage, look: Callable[[], bytes | None], good: Callable[[bytes], bool] | None) -> bytes:
    """What was seen once it is ``good``, or twice the same where nothing is known to compare with; else the last
    thing seen when time is up."""
    before: bytes | None = None
    while True:
        seen = look()
        if seen is not None and (good(seen) if good else seen == before):
            return seen
        before = before if seen is None else seen
        if seen is not None and good:
            stage.deadline.trail.saw(stage.deadline.trail.now, {"state": "differs"})
        if stage.deadline.left <= 0:
            break
        stage.session.browser.look_again(min(LOOK_AGAIN, stage.deadline.left))
    if before is None:
        raise StepProblem(
            f"there was nothing to see for {stage.deadline.elapsed:.1f} s; is it hidden, or being replaced?"
        )
    return before


def _becomes_baseline(stage: Stage, path: Path, actual: bytes, first: bool) -> bool:
    """Whether what was seen is the baseline from now on, because there was none or because it was asked for."""
    if not (stage.baselines.updates or (first and stage.baselines.writes_first)):
        return False
    baselines.write(path, actual)
    baselines.agrees(stage.home, path)
    stage.note = f"{'first baseline written' if first else 'baseline updated'}: {stage.baselines.told(path)}"
    return True


def _no_baseline(stage: Stage, name: str, path: Path) -> ExpectationFailed:
    return ExpectationFailed(
        f"there is no baseline {stage.baselines.told(path)}; run the notebook by hand once, or with --update-baselines",
        hints=_accepting(name),
    )


def _accepting(name: str) -> tuple[str, ...]:
    from ..grammar import quote

    return (f"jbts accept {quote(name)}   makes what was seen the baseline; in a notebook: %accept {quote(name)}",)


def _is_file(name: str) -> bool:
    return "/" in name or name.endswith(PICTURE)


def _circumstances(stage: Stage) -> str:
    """What pictures depend on: another browser, system or viewport draws other pixels."""
    width, height, scale = str(stage.session.evaluate("[innerWidth, innerHeight, devicePixelRatio].join()")).split(",")
    at = "" if scale == "1" else f"@{float(scale):g}x"
    browser = stage.session.browser.name.replace("-headless-shell", "")
    return f"{browser}-{platform.system().lower()}-{width}x{height}{at}"
