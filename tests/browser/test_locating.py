"""Every way to name an element, in real pages: what matches, what does not, and what the error says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Trial


def matches(trial: Trial, page: str, locator: str) -> list[str]:
    """What a locator means on a page, in order: each element's id, or its text where it has none."""
    if not trial.bench.sessions or not str(trial.js("location.pathname")).endswith(page):
        trial.open(page)
    found = []
    for n in range(trial.page.count(locator)):
        one = f"{locator} >> nth={n}"
        found.append(trial.page.attribute(one, "id") or trial.page.text(one))
    return found


LABELS = [
    ("#save", ["save"]),
    ("button", ["save", "save-all"]),
    ("css=button.main", ["save"]),
    ('[name="mail"]', ["mail"]),
    ("//button", ["save", "save-all"]),
    ("xpath=//p/button[2]", ["save-all"]),
    ("(//button)[2]", ["save-all"]),
    ("id=save", ["save"]),
    ("name=mail", ["mail"]),
    ("testid=save-button", ["save"]),
    ("label=e-mail address", ["mail"]),
    ("label=E-MAIL", ["mail"]),
    ('label="E-mail address"', ["mail"]),
    ('label="e-mail address"', []),
    ('label="E-mail"', []),
    ("label=given", ["given"]),
    ('label="Country"', ["country"]),
    ("label=phone", ["phone"]),
    ("label=search the", ["search"]),
    ("label=agree to the terms", ["terms"]),
    ('label="I agree to the terms"', ["terms"]),
    ("placeholder=EXAMPLE", ["mail"]),
    ('placeholder="Search"', ["search"]),
    ('placeholder="search"', []),
    ("placeholder=a note", ["note"]),
    ("text=save", ["save", "save-all"]),
    ('text="Save"', ["save"]),
    ('text="save"', []),
    ("text=send", ["send"]),
    ("#form >> button", ["save", "save-all"]),
    ("#form >> text=save >> nth=1", ["save-all"]),
    ("p >> button >> nth=-1", ["save-all"]),
    ("p >> nth=0 >> input", ["mail"]),
    ("#form >> //button", ["save", "save-all"]),
    ("#form >> (//button)[2]", ["save-all"]),
    ("#country >> //button", []),
    ("#country >> (//button)[1]", []),
    ("#form >> id=save", ["save"]),
    ("#form >> name=mail", ["mail"]),
]

TEXTS = [
    ("text=one two three", ["folded"]),
    ('text="one two three"', ["folded"]),
    ('text="one  two   three"', ["folded"]),
    ('text="one two"', []),
    ("text=QUIET WORDS", ["cased"]),
    ('text="Quiet Words"', []),
    ('text="quiet words"', ["cased"]),
    ('text="QUIET WORDS"', ["cased"]),
    ("text=hello big world", ["split"]),
    ("text=big w", ["split"]),
    ('text="big"', ["big"]),
    ('text="She said \\"no\\" and it\'s fine"', ["quoted"]),
    ("text=it's fine", ["quoted"]),
    ("text=only in the markup", []),
    ("text=seen again", ["partly"]),
    ("text=unseen", []),
    ("text=12 000 kr", ["nbsp"]),
    ("text=日本語", ["long"]),
    ("text=😀", ["long"]),
    ("text=order now", ["inner"]),
    ("text=go ahead", ["submit"]),
    ("text=typed text", []),
    ("text=Chosen", ["choice"]),
]

ROLES = [
    ("role=button[name=sign in]", ["Sign in", "Sign in with a key"]),
    ('role=button[name="Sign in"]', ["Sign in"]),
    ("role=button[name='Sign in']", ["Sign in"]),
    ('role=button[name="sign in"]', []),
    ("role=button[name=hidden]", []),
    ("role=button[name=plain div]", ["Plain div"]),
    ("role=heading", ["Accounts", "Open", "Closed"]),
    ("role=heading[level=2]", ["Open", "Closed"]),
    ('role=heading[level=2][name="Open"]', ["Open"]),
    ("role=link", ["Home", "Help"]),
    ("role=navigation >> role=link[name=help]", ["Help"]),
    ("role=checkbox[checked=true]", ["news"]),
    ("role=checkbox[checked=false]", ["adverts"]),
    ("role=checkbox[checked]", ["news"]),
    ("role=switch[checked=true]", ["Dark"]),
    ("role=button[pressed=true]", ["Bold"]),
    ("role=button[aria-pressed=false][name=italic]", ["Italic"]),
    ("role=button[disabled=true]", ["Archive"]),
    ("role=listitem", ["First", "Second"]),
    ("role=columnheader[name=sum]", ["Sum"]),
    ("role=marquee", []),
]


@pytest.mark.parametrize(("locator", "expected"), LABELS)
def test_engines(reader: Trial, locator: str, expected: list[str]) -> None:
    """Each engine finds what its page shows, substrings loosely and quoted values exactly."""
    assert matches(reader, "labels.html", locator) == expected


@pytest.mark.parametrize(("locator", "expected"), TEXTS)
def test_text(reader: Trial, locator: str, expected: list[str]) -> None:
    """text= means what a person reads: folded, visible, in the innermost element that says it."""
    assert matches(reader, "texts.html", locator) == expected


@pytest.mark.parametrize(("locator", "expected"), ROLES)
def test_role(reader: Trial, locator: str, expected: list[str]) -> None:
    """role= asks the browser's own accessibility tree, hidden elements left out."""
    assert matches(reader, "roles.html", locator) == expected


def test_role_of_an_icon_button(reader: Trial) -> None:
    """An accessible name names a button that shows no text."""
    reader.open("roles.html")
    assert reader.page.count('role=button[name="Close the window"]') == 1
    assert reader.page.count('role=img[name="A red pot"]') == 1


def test_testid_attribute_can_be_another(trial: Trial) -> None:
    """JBTS.testid_attribute says which attribute testid= looks at."""
    trial.open("labels.html")
    assert trial("count testid=keep") == 0
    trial.bench.settings.testid_attribute = "data-qa"
    assert (trial("count testid=keep"), trial("count testid=save-button")) == (1, 0)


# ---- shadow roots -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("#card >> button", ["buy", "skip"]),
        ("#card >> #skip", ["skip"]),
        ("#card >> shop-price >> #amount", ["amount"]),
        ("#card >> #amount", ["amount"]),
        ("button", []),
        ("body >> button", ["buy", "skip"]),
        ("text=42 kr", ["amount"]),
        ("role=button[name=skip]", ["skip"]),
        ("#closed >> button", ["Closed"]),
        ("text=Closed", ["Closed"]),
        ("role=button[name=closed]", ["Closed"]),
    ],
)
def test_shadow_roots(reader: Trial, locator: str, expected: list[str]) -> None:
    """>> goes into shadow roots, at any depth, closed ones too where nothing outside matches; plain CSS stays
    outside as it does in the page."""
    assert matches(reader, "shadow.html", locator) == expected


def test_acting_inside_shadow_roots(trial: Trial) -> None:
    """Buttons and fields of a component take clicks and text, also a button whose label is slotted."""
    trial.open("shadow.html")
    trial("click #card >> #skip")
    assert trial.js("said.textContent") == "skipped"
    trial("click #card >> #buy")
    assert trial.js("said.textContent") == "bought"
    trial("evaluate said.textContent = ''")
    trial('click text="Slotted words"')
    assert trial.js("said.textContent") == "bought"
    trial("type #card >> #count 25")
    trial("expect #card >> #count value 25")
    trial("expect #card >> #count focused")


# ---- strictness and help ------------------------------------------------------------------------
def test_several_matches_are_listed(trial: Trial) -> None:
    """A locator that means several is an error that names each of them with a locator of its own."""
    trial.open("lists.html")
    failed = trial.fails("click text=buy", "ElementAmbiguous", "matches 4 elements", "nth=0", "--first")
    assert len(failed.hints) == 4
    offered = [hint.split("   ")[0] for hint in failed.hints]
    assert len(set(offered)) == 4
    texts = []
    for locator in offered:
        trial.page.click(locator)
        texts.append(trial.js("said.textContent"))
    assert texts == ["Apple", "Pear", "Plum", "Beet"]


def test_first_and_nth_pick(trial: Trial) -> None:
    """--first and nth= choose among several; nth= counts from 0, and from the end when negative."""
    trial.open("lists.html")
    for line, said in {
        "click text=buy --first": "Apple",
        "click text=buy >> nth=1": "Pear",
        "click text=buy >> nth=-1": "Beet",
        "click #fruit >> .item >> nth=-1 >> text=buy": "Plum",
        "click .item >> nth=2 >> button": "Plum",
    }.items():
        trial(line)
        assert trial.js("said.textContent") == said, line


def test_nested_roots_count_an_element_once(reader: Trial) -> None:
    """An element inside two of the roots that were found is one match."""
    reader.open("lists.html")
    assert reader("count .box >> p") == 1
    assert reader('count ".item, li" >> button') == 4
    assert reader("text .box >> nth=1 >> p") == "deep"


def test_nth_beyond_the_end_is_absent(trial: Trial) -> None:
    """nth= outside what was found means nothing, and says so."""
    trial.open("lists.html")
    trial.fails("click .item >> nth=9 --timeout 0.2", "ElementNotFound", "nothing matches .item >> nth=9")


@pytest.mark.parametrize(
    ("locator", "closest"),
    [
        ("#sav", "#save"),
        ("text=Sve", "#save"),
        ("label=Emial address", "#mail"),
        ("role=button[name=Svae]", "#save"),
        ("testid=save-buton", "testid=save-button"),
        ("//button[@id='save-al']", "#save-all"),
    ],
)
def test_nothing_matches_lists_the_closest(trial: Trial, locator: str, closest: str) -> None:
    """A typing mistake is answered with the elements that were probably meant."""
    trial.open("labels.html")
    failed = trial.fails(f'click "{locator}" --timeout 0.2', "ElementNotFound", "closest on the page")
    offered = [hint.split("   ")[0] for hint in failed.hints]
    assert 1 <= len(offered) <= 5
    target = "save-button" if "button" in closest else closest.removeprefix("#")
    found = [trial.page.attribute(o, "id") for o in offered]
    assert {"save-button": "save"}.get(target, target) in found
    assert all(trial.page.count(o) == 1 for o in offered)


def test_nothing_alike_says_so(trial: Trial) -> None:
    """On an empty page the error asks whether it is the right page, with no hints."""
    trial.open("<p></p>")
    failed = trial.fails("click #zzz --timeout 0.1", "ElementNotFound", "nothing like it", "%frame")
    assert failed.hints == ()


@pytest.mark.parametrize(
    ("locator", "words"),
    [
        ("##", "not a valid selector"),
        ("div[", "not a valid selector"),
        ("a:nope", "not a valid selector"),
        ("//div[", "not a valid selector"),
        ("#save >> li[", "'li['"),
        ("nth=0", "before nth="),
        ("a >> nth=x", "whole number"),
        ("a >> >> b", "nothing on one side"),
        ("role=", "no value after role="),
        ("role=button[nam=x]", "not nam"),
        ("role=button[name=", "cannot read"),
        ("label=", "no value after label="),
        ('id=""', "no value after id="),
        ("", "empty"),
    ],
)
def test_invalid_locators(reader: Trial, locator: str, words: str) -> None:
    """A locator that cannot be read fails at once, naming the part at fault, and leaves a row."""
    reader.open("labels.html")
    with pytest.raises(Exception, match="LocatorInvalid") as caught:
        reader.page.click(locator, timeout=60)
    assert words in str(caught.value)
    row = reader.row()
    assert (row["status"], row["error_type"], row["locator"]) == ("error", "LocatorInvalid", locator or None)
    assert row["duration_ms"] < 30_000


def test_awkward_values(trial: Trial) -> None:
    """Ids, names and test ids with quotes, brackets, colons and spaces are found as they are written."""
    awkward = ["a:b.c", "x]y", 'q"q', "it's", "back\\slash", "two words", "1st", "é", "<b>"]
    rows = "".join(f'<button data-n="{n}">b{n}</button>' for n in range(len(awkward)))
    trial.open(rows)
    for n, value in enumerate(awkward):
        trial.page.evaluate(
            f"const b = document.querySelector('[data-n=\"{n}\"]'), v = {value!r}; b.id = v; b.name = v; "
            "b.dataset.testid = v; return 0"
        )
    for n, value in enumerate(awkward):
        for engine in ("id", "name", "testid"):
            assert trial.page.text(f"{engine}={value}") == f"b{n}", (engine, value)
