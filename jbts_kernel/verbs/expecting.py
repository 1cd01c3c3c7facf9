"""Saying what should be: expect looks until it is so, or time is up."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from ..browser import actionability
from ..errors import ExpectationFailed, StepProblem
from ..grammar import Cover, Expected, Locator, clip, nearest
from ..models import ConsoleMessage, NetworkRequest
from ..stage import Stage
from .registry import verb
from .snapshots import expect_outline, expect_picture

STATES = (
    "visible", "hidden", "enabled", "disabled", "checked", "unchecked", "selected", "focused", "editable",
    "empty", "present", "gone",
)  # fmt: skip
VALUES = ("text", "contains", "value", "count")
NAMED = ("attribute", "css")
SNAPSHOTS = ("aria", "picture")
PAGE = ("url", "title", "dialog", "no-dialog", "console", "request")


def glob_pattern(glob: str) -> str:
    """A glob as a regular expression: ``*`` stays within a path segment, ``**`` crosses ``/``, ``?`` is itself."""
    pattern = ""
    for piece in re.split(r"(\*\*|\*)", glob):
        pattern += {"**": ".*", "*": "[^/]*"}.get(piece) or re.sub(r"([.+?^${}()|\[\]\\/])", r"\\\1", piece)
    return f"^{pattern}$"


def url_pattern(glob: str, base_url: str = "") -> str:
    """What an address must fit: a full address or glob as it stands, ``/path`` below any host (or
    below base_url where that is set)."""
    if glob.startswith("/"):
        host = re.sub(r"([.+?^${}()|\[\]\\/])", r"\\\1", base_url.rstrip("/")) if base_url else "[a-z]+:\\/\\/[^/]+"
        return "^" + host + glob_pattern(glob)[1:]
    if "*" not in glob and urlsplit(glob).scheme and urlsplit(glob).path == "":
        return glob_pattern(urljoin(glob, "/"))
    return glob_pattern(glob)


@verb("expect", "assert", also="assert should verify title")
def expect(
    stage: Stage,
    target: Locator,
    *words: Expected,
    status: int | None = None,
    method: str | None = None,
    tolerance: float = 0,
    mask: tuple[Cover, ...] = (),
) -> None:
    """Expect something of an element or of the page, looking until it is so.

    ``expect LOC visible|hidden|enabled|disabled|checked|unchecked|selected|focused|editable|empty``,
    ``expect LOC text|contains|value|count VALUE``, ``expect LOC attribute|css NAME [VALUE]``,
    ``expect url|title VALUE``, ``expect dialog [TEXT]``, ``expect no-dialog``,
    ``expect console clean|contains T``, ``expect request GLOB``. ``not`` may stand before any word.
    ``expect LOC aria [NAME]`` and ``expect [LOC] picture NAME`` compare with a baseline (docs/snapshots.md).

    Args:
        target: an element, or url, title, dialog, no-dialog, console, request, picture
        words: what should be
        status: of a request, its HTTP status
        method: of a request, its method
        tolerance: of a picture, the share of pixels that may differ, like 0.01
        mask: of a picture, cover these elements in it
    """
    rest = list(words)
    negated = "not" in rest[:1]
    if negated:
        rest.pop(0)
    stage.expected = " ".join(str(w) for w in words) or target
    if target in PAGE:
        _expect_page(stage, target, rest, negated, status, method)
        return
    if target == "picture" and not negated and (not rest or rest[0] not in (*STATES, *VALUES, *NAMED, *SNAPSHOTS)):
        target, rest = "", ["picture", *rest]
    if rest[:1] and rest[0] in SNAPSHOTS:
        _expect_snapshot(stage, target, rest, negated, tolerance, mask)
        return
    if not rest:
        raise StepProblem(f"expect {clip(target)} what? Use visible, text VALUE, count N, ...")
    word = rest.pop(0)
    if word in STATES:
        if rest:
            raise StepProblem(f"expect {word} takes no value; {clip(rest[0])!r} is one word too many")
        stage.condition(target, word, negated=negated)
        return
    name = None
    if word in NAMED:
        if not rest:
            raise StepProblem(f"expect {clip(target)} {word} needs a name: expect {clip(target)} {word} NAME VALUE")
        name = rest.pop(0)
        if rest[:1] == ["not"]:
            negated = True
            rest.pop(0)
    elif word not in VALUES:
        near = nearest(word, (*STATES, *VALUES, *NAMED, *SNAPSHOTS))
        raise StepProblem(
            f"expect does not know {clip(word)!r}"
            + (f"; did you mean {near}?" if near else f"; use {', '.join((*STATES, *VALUES, *NAMED, *SNAPSHOTS))}")
        )
    elif rest[:1] == ["not"] and len(rest) > 1:
        negated = True
        rest.pop(0)
    if not rest and word != "attribute":
        raise StepProblem(f"expect {clip(target)} {word} needs a value")
    if len(rest) > 1:
        raise StepProblem(f"{clip(rest[1])!r} is one word too many; quote a value that holds spaces")
    value = str(rest[0]) if rest else None
    if word == "count" and not re.fullmatch(r"\d+", value or ""):
        raise StepProblem(f"expect count takes a whole number, not {clip(str(value))!r}")
    stage.condition(target, word, name, value, negated)


def _expect_snapshot(
    stage: Stage, target: str, rest: list[str], negated: bool, tolerance: float, mask: tuple[str, ...]
) -> None:
    word, *names = rest
    if negated:
        raise StepProblem(f"expect not {word} would pass with every change; say what should be there instead")
    if len(names) > 1:
        raise StepProblem(f"{clip(names[1])!r} is one word too many; quote a name that holds spaces")
    if word == "aria":
        expect_outline(stage, target, names[0] if names else None)
    elif not names:
        of = f"{clip(target)} " if target else ""
        raise StepProblem(f"expect {of}picture needs a name: expect {of}picture NAME")
    else:
        expect_picture(stage, target or None, names[0], tolerance, mask)


def _expect_page(
    stage: Stage, subject: str, rest: list[str], negated: bool, status: int | None, method: str | None
) -> None:
    if subject in ("url", "title"):
        if rest[:1] == ["not"]:
            negated = True
            rest.pop(0)
        if len(rest) != 1:
            how = "a glob, like **/cart*" if subject == "url" else "the whole title"
            raise StepProblem(f"expect {subject} takes one value, {how}; quote it if it holds spaces")
        pattern = url_pattern(rest[0], stage.base_url) if subject == "url" else None
        actionability.page_condition(
            stage.session, stage.deadline, word=subject, value=rest[0], pattern=pattern, negated=negated
        )
    elif subject == "no-dialog":
        _no_more(subject, rest)
        if stage.session.dialog is not None:
            raise ExpectationFailed(
                f"expected no dialog; {stage.session.dialog.kind} {stage.session.dialog.text!r} is open"
            )
    elif subject == "dialog":
        _expect_dialog(stage, rest, negated)
    elif subject == "console":
        stage.session.browser.need("console")
        _expect_console(stage, rest, negated)
    else:
        stage.session.browser.need("requests")
        _expect_request(stage, rest, negated, status, method)


def _no_more(subject: str, rest: list[str]) -> None:
    if rest:
        raise StepProblem(f"{clip(rest[0])!r} is one word too many for expect {subject}; quote a text with spaces")


def _until(stage: Stage, holds: object) -> bool:
    """Look again until it holds or time is up; each look lets the page's messages arrive first."""
    assert callable(holds)
    while True:
        stage.session.settle_signals()
        if holds():
            return True
        if stage.deadline.left <= 0:
            return False
        stage.session.browser.look_again(min(0.05, stage.deadline.left))


def _expect_dialog(stage: Stage, rest: list[str], negated: bool) -> None:
    wanted = rest[0] if rest else None
    _no_more("dialog", rest[1:])

    def holds() -> bool:
        dialog = stage.session.dialog
        fits = dialog is not None and (wanted is None or " ".join(dialog.text.split()) == " ".join(wanted.split()))
        return fits != negated

    if not _until(stage, holds):
        dialog = stage.session.dialog
        shown = f"{dialog.kind} {clip(dialog.text, 200)!r} is open" if dialog else "none is open"
        raise ExpectationFailed(f"expected {'no ' if negated else ''}dialog{f' {wanted!r}' if wanted else ''}; {shown}")


def _messages(stage: Stage, mark: int) -> tuple[list[ConsoleMessage], list[NetworkRequest]]:
    return stage.session.browser.signals.since(mark, set(stage.session.tabs))


def _expect_console(stage: Stage, rest: list[str], negated: bool) -> None:
    if rest[:1] == ["clean"]:
        _no_more("console clean", rest[1:])
        stage.session.settle_signals()
        errors = [m.text for m in _messages(stage, stage.since_test)[0] if m.level == "error"]
        if bool(errors) != negated:
            seen = f"{len(errors)} error(s), the first: {clip(errors[0], 200)}" if errors else "there is no error"
            raise ExpectationFailed(f"expected {'errors in the console' if negated else 'a clean console'}; {seen}")
    elif rest[:1] == ["contains"] and len(rest) == 2:
        if not _until(stage, lambda: any(rest[1] in m.text for m in _messages(stage, stage.since_test)[0]) != negated):
            lines = [clip(m.text, 120) for m in _messages(stage, stage.since_test)[0][-5:]]
            raise ExpectationFailed(
                f"expected the console {'not ' if negated else ''}to contain {rest[1]!r}",
                hints=tuple(lines) or ("it is empty",),
            )
    else:
        raise StepProblem("expect console what? Use expect console clean, or expect console contains TEXT")


def _expect_request(stage: Stage, rest: list[str], negated: bool, status: int | None, method: str | None) -> None:
    if len(rest) != 1:
        raise StepProblem("expect request takes one address or glob: expect request **/api/cart --status 200")
    pattern = re.compile(url_pattern(rest[0]))

    def fits(request: NetworkRequest) -> bool:
        wanted = status is None or request.status == status
        return wanted and (method is None or request.method == method.upper()) and bool(pattern.match(request.url))

    if not _until(stage, lambda: any(fits(r) for r in _messages(stage, stage.since_act)[1]) != negated):
        seen = tuple(
            f"{r.method} {clip(r.url, 100)} {r.status or r.text}" for r in _messages(stage, stage.since_act)[1][-6:]
        )
        wanted = f" with status {status}" if status else ""
        raise ExpectationFailed(
            f"expected {'no ' if negated else ''}request {rest[0]}{wanted} since the last action",
            hints=seen or ("there was no request",),
        )
