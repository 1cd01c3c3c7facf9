"""Saying what should be: expect looks until it is so, or time is up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ..browser import actionability
from ..errors import ExpectationFailed, UsageProblem
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


@dataclass(frozen=True, slots=True)
class Said:
    """An expectation as it was understood: of a locator or a word of PAGE (empty for the viewport), which word (empty
    where the page's word says it all), of which name (an attribute's, a property's or a snapshot's), and what value."""

    of: str
    word: str = ""
    name: str | None = None
    value: str | None = None
    negated: bool = False


def understood(target: str, words: Sequence[object]) -> Said:
    """What the words of an expectation say. Raises UsageProblem where they are no sentence."""
    rest = [str(word) for word in words]
    negated = rest[:1] == ["not"]
    if negated:
        rest.pop(0)
    elif target == "not" and rest[:1] and rest[0] in PAGE:
        negated, target = True, rest.pop(0)
    if target in PAGE:
        return _of_page(target, rest, negated)
    if target == "picture" and not negated and (not rest or rest[0] not in (*STATES, *VALUES, *NAMED, *SNAPSHOTS)):
        target, rest = "", ["picture", *rest]
    if rest[:1] and rest[0] in SNAPSHOTS:
        return _of_snapshot(target, rest, negated)
    if not rest:
        raise UsageProblem(f"expect {clip(target)} what? Use visible, text VALUE, count N, ...")
    word = rest.pop(0)
    if word in STATES:
        if rest:
            raise UsageProblem(f"expect {word} takes no value; {clip(rest[0])!r} is one word too many", word=rest[0])
        return Said(target, word, negated=negated)
    name = None
    if word in NAMED:
        if not rest:
            raise UsageProblem(f"expect {clip(target)} {word} needs a name: expect {clip(target)} {word} NAME VALUE")
        name = rest.pop(0)
    elif word not in VALUES:
        known = (*STATES, *VALUES, *NAMED, *SNAPSHOTS)
        near = nearest(word, known)
        raise UsageProblem(
            f"expect does not know {clip(word)!r}; " + (f"did you mean {near}?" if near else f"use {', '.join(known)}"),
            word=word,
        )
    if rest[:1] == ["not"] and (name is not None or len(rest) > 1):
        negated = True
        rest.pop(0)
    if not rest and word != "attribute":
        raise UsageProblem(f"expect {clip(target)} {word} needs a value")
    _no_more(rest[1:], "a value")
    value = rest[0] if rest else None
    if word == "count" and not re.fullmatch(r"\d+", value or ""):
        raise UsageProblem(f"expect count takes a whole number, not {clip(str(value))!r}", word=str(value))
    return Said(target, word, name, value, negated)


def _of_snapshot(target: str, rest: list[str], negated: bool) -> Said:
    word, *names = rest
    if negated:
        raise UsageProblem(f"expect not {word} would pass with every change; say what should be there instead")
    _no_more(names[1:], "a name")
    if word == "picture" and not names:
        of = f"{clip(target)} " if target else ""
        raise UsageProblem(f"expect {of}picture needs a name: expect {of}picture NAME")
    return Said(target, word, names[0] if names else None)


def _of_page(of: str, rest: list[str], negated: bool) -> Said:
    if rest[:1] == ["not"] and of in ("url", "title"):
        negated = True
        rest.pop(0)
    if of in ("url", "title"):
        if len(rest) != 1:
            how = "a glob, like **/cart*" if of == "url" else "the whole title"
            raise UsageProblem(f"expect {of} takes one value, {how}; quote it if it holds spaces")
    elif of == "no-dialog":
        _no_more([*(["not"] if negated else []), *rest], "a text")
    elif of == "dialog":
        _no_more(rest[1:], "a text")
    elif of == "console":
        if rest[:1] not in (["clean"], ["contains"]) or (rest[0] == "contains" and len(rest) == 1):
            raise UsageProblem("expect console what? Use expect console clean, or expect console contains TEXT")
        word = rest.pop(0)
        _no_more(rest[word == "contains" :], "a text")
        return Said(of, word, value=rest[0] if rest else None, negated=negated)
    elif len(rest) != 1:
        raise UsageProblem("expect request takes one address or glob: expect request **/api/cart --status 200")
    return Said(of, value=rest[0] if rest else None, negated=negated)


def _no_more(rest: Sequence[str], what: str) -> None:
    if rest:
        raise UsageProblem(f"{clip(rest[0])!r} is one word too many; quote {what} that holds spaces", word=rest[0])


def _check(
    target: str,
    words: Sequence[object] = (),
    status: int | None = None,
    method: str | None = None,
    tolerance: float = 0,
    mask: Sequence[str] = (),
    **_: object,
) -> None:
    said = understood(target, words)
    for option, value, word, goes_with in (
        ("--status", status, said.of, "request"), ("--method", method, said.of, "request"),
        ("--tolerance", tolerance, said.word, "picture"), ("--mask", mask, said.word, "picture"),
    ):  # fmt: skip
        if value and word != goes_with:
            raise UsageProblem(f"{option} goes with expect {goes_with} alone", word=option)
    if not 0 <= tolerance < 1:
        raise UsageProblem(f"--tolerance is the share of pixels that may differ, from 0 to below 1, not {tolerance:g}")


@verb("expect", "assert", also="assert should verify title", check=_check)
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
        status: of a request since the last step that began something, its HTTP status
        method: of a request, its method
        tolerance: of a picture, the share of pixels that may differ, like 0.01
        mask: of a picture, cover these elements in it
    """
    said = understood(target, words)
    stage.expected = " ".join(str(w) for w in words) or target
    if said.of in PAGE:
        _expect_page(stage, said, status, method)
    elif said.word == "aria":
        expect_outline(stage, said.of, said.name)
    elif said.word == "picture":
        assert said.name is not None, "understood"
        expect_picture(stage, said.of or None, said.name, tolerance, mask)
    else:
        stage.condition(said.of, said.word, said.name, said.value, said.negated)


def _expect_page(stage: Stage, said: Said, status: int | None, method: str | None) -> None:
    value = said.value or ""
    if said.of in ("url", "title"):
        pattern = url_pattern(value, stage.base_url) if said.of == "url" else None
        actionability.page_condition(
            stage.session, stage.deadline, word=said.of, value=value, pattern=pattern, negated=said.negated
        )
    elif said.of == "no-dialog":
        if stage.session.dialog is not None:
            raise ExpectationFailed(
                f"expected no dialog; {stage.session.dialog.kind} {stage.session.dialog.text!r} is open"
            )
    elif said.of == "dialog":
        _expect_dialog(stage, said.value, said.negated)
    elif said.of == "console":
        stage.session.browser.need("console")
        _expect_console(stage, said)
    else:
        stage.session.browser.need("requests")
        _expect_request(stage, value, said.negated, status, method)


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


def _expect_dialog(stage: Stage, wanted: str | None, negated: bool) -> None:
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


def _expect_console(stage: Stage, said: Said) -> None:
    def messages() -> list[ConsoleMessage]:
        return _messages(stage, stage.since_test)[0]

    def errors() -> list[str]:
        return [m.text for m in messages() if m.level == "error"]

    if said.word == "clean" and said.negated:
        if not _until(stage, errors):
            raise ExpectationFailed("expected errors in the console; there is no error")
        return
    if said.word == "clean":
        stage.session.settle_signals()
        if found := errors():
            raise ExpectationFailed(
                f"expected a clean console; {len(found)} error(s), the first: {clip(found[0], 200)}"
            )
        return
    text = said.value or ""
    if not _until(stage, lambda: any(text in m.text for m in messages()) != said.negated):
        lines = [clip(m.text, 120) for m in messages()[-5:]]
        raise ExpectationFailed(
            f"expected the console {'not ' if said.negated else ''}to contain {text!r}",
            hints=tuple(lines) or ("it is empty",),
        )


def _expect_request(stage: Stage, glob: str, negated: bool, status: int | None, method: str | None) -> None:
    pattern = re.compile(url_pattern(glob))

    def fits(request: NetworkRequest) -> bool:
        wanted = status is None or request.status == status
        return wanted and (method is None or request.method == method.upper()) and bool(pattern.match(request.url))

    if not _until(stage, lambda: any(fits(r) for r in _messages(stage, stage.since_act)[1]) != negated):
        seen = tuple(
            f"{r.method} {clip(r.url, 100)} {r.status or r.text}" for r in _messages(stage, stage.since_act)[1][-6:]
        )
        wanted = (f" by {method.upper()}" if method else "") + (f" with status {status}" if status else "")
        raise ExpectationFailed(
            f"expected {'no ' if negated else ''}request {glob}{wanted} since the last action",
            hints=seen or ("there was no request",),
        )
