"""What is offered of an element, and what is expected after a step: lines that read back as what was meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.grammar import literal, locator_word, parse
from jbts_kernel.models import Step, StepResult
from jbts_kernel.pointing import act, drag, expected_url, frame_choices, offers, page_offers, secret_name
from jbts_kernel.suggestions import suggestions
from jbts_kernel.verbs import VERBS

NASTY = 'role=button[name="Say \\"hi\\" ${HOME}"]'


def found(kind: str, **more: Any) -> dict[str, Any]:
    about = {"kind": kind, "words": "", "value": "", "password": False, "checked": None, "disabled": False, "role": ""}
    return {**about, **more}


@pytest.mark.parametrize(
    ("element", "first", "some", "none"),
    [
        (found("plain", words="Save"), "click", ["expect text", "expect visible", "read"], ["type"]),
        (found("plain"), "click", ["expect visible"], ["expect text"]),
        (found("plain", disabled=True), "click", ["expect disabled"], []),
        (found("field", value="ada"), "type", ["click", "expect value", "read"], ["tick"]),
        (found("field", password=True), "type", ["click"], ["expect value", "read"]),
        (found("choice"), "select", ["expect visible"], ["type"]),
        (found("tick", checked=False), "tick", ["expect unchecked"], ["untick"]),
        (found("tick", checked=True), "untick", ["expect checked"], ["tick"]),
        (found("tick", checked=True, role="radio"), "click", ["expect checked"], ["untick"]),
        (found("file"), "upload", [], ["type"]),
        (found("frame"), "enter the frame", [], ["click"]),
        (found("canvas", at=[3, 4]), "click this point", [], []),
    ],
)
def test_what_an_element_is_good_for(element: dict[str, Any], first: str, some: list[str], none: list[str]) -> None:
    """The likeliest comes first, and every offer is a line that parses to a step on that very locator."""
    offered = offers(element)
    labels = [offer.label for offer in offered]
    assert labels[0] == first
    assert set(some) <= set(labels) and not set(none) & set(labels)
    for offer in offered:
        step = parse(offer.line(NASTY, "given"), VERBS)
        assert NASTY.replace("${", "$${") in map(str, step.arguments.values())
    assert act(element) in offered or act(element).label == "click"
    assert act(element, "double").line("#a").endswith(" --double") and act(element, "right").head == "click"


def framed(way: str, name: str = "", src: str = "", current: bool = False) -> dict[str, Any]:
    return {"way": way.split("/"), "name": name, "src": src, "box": None, "current": current}


def test_the_way_into_a_frame() -> None:
    """From the page or a frame around it straight down, from anywhere else by the page; two of one name are told by
    their locators, one without a name by where it comes from."""
    there = [framed("#a", "Ads"), framed("#a/#b", "Ads"), framed("#c", src="https://pay.example/card?id=1")]
    ways = [one["ask"]["line"] for one in frame_choices(there, framed=False)]
    assert ways == ["frame main", "frame #a", "frame #a\nframe #b", "frame #c"]
    labels = [one["text"].strip() for one in frame_choices(there, framed=False)]
    assert labels == ["the page", "Ads \u00b7 #a", "Ads \u00b7 #b", "pay.example/card"]
    there[0]["current"] = True
    ways = [one["ask"]["line"] for one in frame_choices(there, framed=True)]
    assert ways == ["frame main", "frame main\nframe #a", "frame #b", "frame main\nframe #c"]


def test_where_a_drag_leads() -> None:
    """Onto another element by its name; along itself, within what holds it, or where nothing is, by the distance."""

    def at(point: float, locator: str = "", **box: float) -> dict[str, Any]:
        found = {"point": (point, 5.0), "box": {"x": 0.0, "y": 0.0, "width": 50.0, "height": 10.0, **box}}
        return {**found, "state": "ready" if locator else "nothing", "locators": [{"locator": locator}]}

    card = at(10, "#card")
    leads = [
        at(300, 'role=list[name="a b"]', x=250.0),
        at(30, "#card"),
        at(300, "#board", width=900.0),
        at(70),
        at(-20),
    ]
    lines = [drag(card, target).line("#card") for target in leads]
    assert lines == ['drag #card role=list[name="a b"]', *(f"drag #card --by {by},0" for by in (20, 290, 60, -30))]
    assert [parse(line, VERBS).verb for line in lines] == ["drag"] * 5


def test_what_the_page_is_good_for() -> None:
    """Where nothing lies under the point, the page's own address and title are offered, and the way out of a frame."""
    offered = page_offers("http://127.0.0.1:80/cart?x=1", 'A "title"', framed=True)
    lines = [offer.line("") for offer in offered]
    assert lines[:3] == ["frame main", "expect url /cart?x=1", "expect title 'A \"title\"'"]
    assert [parse(line, VERBS).verb for line in lines][3:] == ["screenshot", "expect"]
    assert not [offer for offer in page_offers("about:blank", "") if "url" in offer.head]


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("http://h/a/b", "", "/a/b"),
        ("http://h/", "", "/"),
        ("http://h/a?q=lamp", "", "/a?q=lamp"),
        ("http://h/a?session=0123456789abcdef", "", "/a**"),
        ("http://h/a#part", "", "/a**"),
        ("http://h/app/a", "http://h/app", "/a"),
        ("http://other/a", "http://h/app/", "http://other/a"),
    ],
)
def test_addresses_as_they_are_expected(url: str, base: str, expected: str) -> None:
    """Below base_url where the page is, without what is another one next time."""
    assert expected_url(url, base) == expected


def test_long_texts_are_expected_by_their_beginning() -> None:
    """Nobody wants a paragraph in a cell."""
    (line,) = (o.tail for o in offers(found("plain", words="word " * 40)) if o.label == "expect text")
    assert line.startswith('contains "word word') and len(line) < 100


def test_names_of_secrets() -> None:
    """A password is named after its field, and never takes the name of another."""
    assert secret_name({"name": "Admin password"}, ()) == "ADMIN_PASSWORD"
    assert secret_name({"name": "\u5bc6"}, ()) == "PASSWORD"
    assert secret_name({"name": "PIN"}, ("PIN", "PIN_2")) == "PIN_3"


@given(st.text(alphabet=st.characters(blacklist_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=40))
def test_words_are_read_back(text: str) -> None:
    """Whatever an element is called, its locator and its text come out of the written line as they went in."""
    locator = f'text="{text}"'.strip()
    step = parse(f"expect {locator_word(locator)} text {literal(text)}", VERBS)
    assert step.arguments["target"].replace("$${", "${") == locator
    assert step.arguments["words"][1].replace("$${", "${") == " ".join(text.split())


def survey(**more: Any) -> dict[str, Any]:
    return {"url": "http://h/a", "title": "A", "texts": ["one"], "fresh": [], "gone": [], "counts": {}} | more


def result(verb: str, line: str, locator: str, text: str | None = None) -> StepResult:
    step = Step(verb, {"locator": locator, **({"text": text} if text else {})}, source=line)
    return StepResult(step, "s", "e", 1, "passed", source=line, locator=locator, input=text)


def test_expectations_of_what_changed() -> None:
    """Where the browser is, what came (what is said aloud first) and what went are offered, all as lines that parse."""
    fresh = [
        {"text": "updated 12:31", "loud": False, "whole": True, "locator": "#time"},
        {"text": "Saved!", "loud": True, "whole": True, "locator": 'text="Saved!"'},
        {"text": "2 items", "loud": False, "whole": True, "locator": "#count"},
    ]
    lines = suggestions(survey(), survey(url="http://h/b", title="B", fresh=fresh), None)
    assert lines == [
        "expect url /b", "expect title B", 'expect text="Saved!" visible', 'expect #count text "2 items"',
        'expect #time text "updated 12:31"',
    ]  # fmt: skip
    assert [parse(line, VERBS).verb for line in lines] == ["expect"] * 5
    assert suggestions(survey(), survey(gone=["one"]), None) == ['expect text="one" hidden']
    assert suggestions(None, survey(), None) == []
    assert suggestions(None, survey(), result("navigate", "navigate /a", "")) == ["expect url /a", "expect title A"]


def test_expectations_of_numbers() -> None:
    """A number that changed is offered; on another page only of what both have."""
    known = survey(counts={"testid=card": 12, "role=row": 3, "role=listitem": 2})
    now = {"testid=card": 1, "role=row": 3, "role=listitem": 0, "testid=new": 4}
    assert suggestions(known, survey(counts=now), None) == [
        "expect testid=card count 1",
        "expect role=listitem count 0",
    ]
    assert suggestions(known, survey(url="http://h/b", counts=now), None)[1:] == ["expect testid=card count 1"]


def test_expectations_of_a_step() -> None:
    """A field that was filled in is expected to hold that, unless it was a secret."""
    typed = result("type", "type #a Ada", "#a", "Ada")
    assert suggestions(None, survey(), typed) == ["expect #a value Ada"]
    assert suggestions(None, survey(), result("type", "type #a ${PIN}", "#a", "1234")) == []
    assert suggestions(None, survey(), result("tick", "tick #a", "#a")) == ["expect #a checked"]
