"""The offline rules: each with an id, what it finds, how bad that is, and what it stays silent about.

The rules about a page's layout and words run in the page (``scripts/``), those about its answers, console,
requests and picture in this folder. ``docs/vision.md`` is made from this list, and a test holds a page with each defect
and one that almost has it against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["critical", "serious", "moderate", "minor"]
SEVERITIES: tuple[Severity, ...] = ("critical", "serious", "moderate", "minor")
CATEGORIES = (
    "http_error", "error_text", "blank", "clipped_text", "overlap", "off_screen", "overflow", "broken_image",
    "covered", "spinner", "encoding", "placeholder", "contrast", "label", "accessibility", "console", "network",
    "layout", "content", "other",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One check. ``finds`` and ``passes`` are its two halves in the reference."""

    id: str
    category: str
    severity: Severity
    source: str
    finds: str
    passes: str


_ALL = (
    Rule(
        "http-status",
        "http_error",
        "critical",
        "network",
        finds="The page itself was answered with status 400 or more, or not at all.",
        passes="A page that only speaks of a status.",
    ),
    Rule(
        "error-text",
        "error_text",
        "serious",
        "dom",
        finds="A program's error or a sentence that something failed stands on the page.",
        passes="Code samples, prose and reports about errors, headings of articles, questions, links, hidden messages.",
    ),
    Rule(
        "blank",
        "blank",
        "critical",
        "dom",
        finds="Nothing can be seen: no text, picture or control.",
        passes="A canvas, a video, a background picture.",
    ),
    Rule(
        "blank-main",
        "blank",
        "moderate",
        "dom",
        finds="The main part of the page is empty.",
        passes="An empty state that says so.",
    ),
    Rule(
        "blank-picture",
        "blank",
        "serious",
        "pixels",
        finds="The page has text, but its picture is one colour.",
        passes="Sparse pages.",
    ),
    Rule(
        "clipped-text",
        "clipped_text",
        "serious",
        "dom",
        finds="Text is cut off by its box, and nothing leads to the rest.",
        passes=(
            "An ellipsis, a line clamp, a title, a scrolling box, a carousel, a teaser that opens or fades, text "
            "for screen readers."
        ),
    ),
    Rule(
        "text-spills",
        "overflow",
        "moderate",
        "dom",
        finds="Text runs out of the box drawn around it.",
        passes="Badges placed outside on purpose.",
    ),
    Rule(
        "overlap",
        "overlap",
        "serious",
        "dom",
        finds="Texts, fields or lines are drawn over each other, or a box hides half of a text.",
        passes="Badges, sticky and fixed bars, opened menus and dialogs, layers, watermarks, turned cards.",
    ),
    Rule(
        "off-screen",
        "off_screen",
        "serious",
        "dom",
        finds="Text reaches out of the page, or out of a dialog taller than the window, where nobody can scroll to.",
        passes=(
            "Closed menus and drawers, skip links, slides, text for screen readers, a page locked behind a dialog."
        ),
    ),
    Rule(
        "overflow",
        "overflow",
        "serious",
        "dom",
        finds="The page is wider than the window and scrolls sideways.",
        passes="Boxes that scroll by themselves, pages that snap sideways.",
    ),
    Rule(
        "broken-image",
        "broken_image",
        "serious",
        "dom",
        finds="A picture did not load.",
        passes="Lazy pictures not there yet, pictures without a source, counting pixels.",
    ),
    Rule(
        "stretched-image",
        "layout",
        "minor",
        "dom",
        finds="A picture is drawn in another shape than its own.",
        passes="Pictures fitted with object-fit, drawings, spacers.",
    ),
    Rule(
        "covered",
        "covered",
        "serious",
        "dom",
        finds="A control lies under something else, also under a bar that stays, and cannot be pressed.",
        passes="Dialogs, menus, what scrolling brings out, links under a bar that closes, labels, controls turned off.",
    ),
    Rule(
        "spinner",
        "spinner",
        "serious",
        "dom",
        finds="Something is still loading after the page has settled (3 s at most).",
        passes="Skeletons that end, pulsing dots, slow or decorative animations, progress with a value.",
    ),
    Rule(
        "encoding",
        "encoding",
        "serious",
        "dom",
        finds="Text in a wrong encoding: mojibake, replacement characters, entities, tags, Markdown, escapes as such.",
        passes="Code samples, quotes, other languages.",
    ),
    Rule(
        "placeholder",
        "placeholder",
        "serious",
        "dom",
        finds=(
            "A value was never filled in: {{x}}, [FIRST_NAME], [object Object], undefined, NaN, null, Invalid Date, a "
            "translation's key, bare JSON."
        ),
        passes="Code samples, pages about such values, quotes, prose in which such a word means something.",
    ),
    Rule(
        "lost-content",
        "clipped_text",
        "serious",
        "dom",
        finds="Text or controls in a box without height, or below the edge of one that cannot be scrolled.",
        passes="Closed parts that something opens, teasers, slides, moved and placed things.",
    ),
    Rule(
        "under-bar",
        "covered",
        "serious",
        "dom",
        finds="Text under a bar fixed to the top of the window, or the addressed heading under a sticky one.",
        passes="What scrolling brings out, skip links, dialogs, a bar that hides nothing.",
    ),
    Rule(
        "tiny-text",
        "layout",
        "moderate",
        "dom",
        finds="A sentence in letters smaller than 6 px.",
        passes="Drawings, raised and lowered signs, scaled previews.",
    ),
    Rule(
        "empty",
        "blank",
        "moderate",
        "dom",
        finds="A choice without choices, a table without rows, a heading over a list or part with nothing in it.",
        passes="An empty state that says so, fields turned off or waiting for another choice, live regions.",
    ),
    Rule(
        "missing-glyph",
        "encoding",
        "serious",
        "dom",
        finds="A sign of an icon font that is drawn as an empty box, or as its name.",
        passes="Icon fonts that are there, pictures, signs every font has.",
    ),
    Rule(
        "impossible-value",
        "content",
        "serious",
        "dom",
        finds=(
            "A price or quantity below zero, a saving of more than 100 %, a day there is not, 1 January 1970, a time "
            "as a bare number, a record twice in its table."
        ),
        passes="Refunds, discounts, credits and balances, temperatures, numbers that are names, history, birthdays.",
    ),
    Rule(
        "no-submit",
        "content",
        "moderate",
        "dom",
        finds="A form with several fields to fill in and nothing to send it with.",
        passes="Searches, a single field, a button or link in or beside it.",
    ),
    Rule(
        "duplicate-id",
        "accessibility",
        "minor",
        "dom",
        finds="Two elements that are seen have the same id.",
        passes="Ids inside drawings, elements that are not drawn.",
    ),
    Rule(
        "heading-order",
        "accessibility",
        "minor",
        "dom",
        finds="A heading stands three levels below the one before it.",
        passes="A level left out, headings that are not drawn.",
    ),
    Rule(
        "axe",
        "accessibility",
        "serious",
        "axe",
        finds=(
            "A rule of axe-core for WCAG 2.1 A and AA is broken, or an order of tabs, an empty heading or a control "
            "smaller than 18 px; the severity is axe's own."
        ),
        passes="What axe cannot decide is minor; contrast it cannot decide is measured in the picture.",
    ),
    Rule(
        "contrast-measured",
        "contrast",
        "serious",
        "pixels",
        finds="Text on a picture or gradient is too close to what lies behind it.",
        passes="Anything near the limit.",
    ),
    Rule(
        "console",
        "console",
        "moderate",
        "console",
        finds="The page wrote an error into the console, or a script threw.",
        passes="Warnings and lower, messages of earlier pages.",
    ),
    Rule(
        "request",
        "network",
        "moderate",
        "network",
        finds="A request of the page failed; serious where the server answered 5xx.",
        passes="Requests the page gave up itself, a picture that is reported as broken.",
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""Every offline rule by its id."""


def worse(severity: str, than: str) -> bool:
    """Whether a severity is at least as bad as another."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(than)
