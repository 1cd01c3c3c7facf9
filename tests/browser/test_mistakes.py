"""Slips of the keyboard and wrong values: one line that says what to do, and a browser that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jbts_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


@pytest.fixture
def opened(reader: Trial) -> Trial:
    if not reader.bench.sessions or not str(reader.js("location.href")).endswith("/labels.html"):
        reader.open("labels.html")
    return reader


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("press ''", "no key is named"),
        ("wait --text ''", "needs a text"),
        ("wait 99999999999999s", "longer than a test"),
        ("cookie set 'a b' c", "no spaces"),
        ("cookie set '' c", "no spaces"),
        ("cookie set a 'b;c'", "no line ends or ;"),
        ("evaluate throw 1", "no Error"),
    ],
)
def test_values_that_mean_nothing(opened: Trial, line: str, words: str) -> None:
    """A step whose value means nothing fails at once, with a row and a line that says what is wrong."""
    kind = "ScriptFailed" if line.startswith("evaluate") else "StepProblem"
    opened.fails(f"{line} --timeout 60", kind, words)
    assert opened.last.duration_ms < 30_000


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("navigate ftp://host/file", "nothing a browser opens"),
        ("navigate javascript:alert(1)", "%evaluate"),
    ],
)
def test_addresses_that_are_none(opened: Trial, line: str, words: str) -> None:
    """An address that no browser opens is refused, not looked for below base_url."""
    opened.fails(line, "NavigationFailed", words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tab title:", "title:TEXT"),
        ("window 20000x20000", "at most 8192"),
        ("wait 5", "did you mean 5s, or 5ms?"),
        ("select #b", "needs a choice"),
        ("upload #b", "needs a file"),
        ("dialog accept Bob", "%dialog accept takes no text; %dialog answer writes one into a prompt"),
    ],
)
def test_what_is_no_sentence(opened: Trial, line: str, words: str) -> None:
    """A line that says too little, or nothing that can be meant, is bad syntax and no step."""
    opened.refuses(line, words)


def test_a_point_outside_the_element(opened: Trial) -> None:
    """A point that is meant to be the element's and is not has nothing that covers it."""
    words = ("the point lies outside of it, which is ", "points count from its top left corner")
    for line in ("click #save --at 500,10", "hover #save --at -5,-5"):
        opened.fails(f"{line} --timeout 0.3", "NotActionable", *words)


def test_a_point_outside_the_viewport(opened: Trial) -> None:
    """The mouse cannot leave the viewport; the error says what can be done."""
    opened.fails("mouse move -5,-5", "NotActionable", "outside the viewport", "%scroll")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("click", (None,), {}), "takes a text"),
        (("click", (b"#b",), {}), "not bytes"),
        (("click", (["#b"],), {}), "not list"),
        (("click", ("#a\0",), {}), "NUL"),
        (("click", ("#\ud800",), {}), "surrogate"),
        (("click", ("#save",), {"timeout": -1}), "a number from 0"),
        (("click", ("#save",), {"timeout": float("nan")}), "a number from 0"),
        (("click", ("#save",), {"timeout": float("inf")}), "a number from 0"),
        (("click", ("#save",), {"timeout": []}), "not list"),
        (("click", ("#save",), {"retries": 1.5}), "a whole number from 0"),
        (("click", ("#save",), {"double": "no"}), "True or False"),
        (("click", ("#save",), {"modifier": 5}), "--modifier"),
        (("expect", ("#save", "text", None), {}), "takes a text"),
        (("navigate", (None,), {}), "takes a text"),
        (("upload", ("#save", "a\0b"), {}), "NUL"),
        (("request", ("GET", "/echo"), {"json": {"a": 1}}), "not dict"),
    ],
)
def test_values_of_the_wrong_kind(opened: Trial, arguments: tuple[str, tuple[Any, ...], Any], words: str) -> None:
    """A call with a value no step can take raises at once, naming the argument, and nothing runs."""
    verb, positional, options = arguments
    rows = len(opened.rows())
    with pytest.raises(UsageProblem) as caught:
        getattr(opened.page, verb)(*positional, **options)
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert len(opened.rows()) == rows


def test_values_of_the_right_kind(opened: Trial, tmp_path: Path) -> None:
    """Numbers, paths and lists are taken where a line has text; None is an option left out."""
    opened.page.type("#mail", 5)
    opened.page.expect("#mail", "value", 5)
    opened.page.click("#mail", timeout=None, modifier=["shift"], at=None)
    opened.page.screenshot(None)
