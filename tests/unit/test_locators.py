"""Locator text to chains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.browser import locators
from jbts_kernel.browser.locators import ENGINES, ROLES, Part, as_json, parse_locator, split_chain, unquote
from jbts_kernel.errors import LocatorInvalid


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("#go", [Part("css", "#go")]),
        ("a > b", [Part("css", "a > b")]),
        ('[name="a=b"]', [Part("css", '[name="a=b"]')]),
        ("css=text=x", [Part("css", "text=x")]),
        ("//a[@x='>>']", [Part("xpath", "//a[@x='>>']")]),
        ("(//a)[2]", [Part("xpath", "(//a)[2]")]),
        ("xpath=/html", [Part("xpath", "/html")]),
        ("id=a b", [Part("id", "a b")]),
        ("text=Save", [Part("text", "Save")]),
        ('text="Save"', [Part("text", "Save", exact=True)]),
        ("text='it\\'s'", [Part("text", "it's", exact=True)]),
        ("text=it's >> nth=1", [Part("text", "it's"), Part("nth", "1")]),
        ("text=a=b", [Part("text", "a=b")]),
        ("label=E-mail >> nth=-1", [Part("label", "E-mail"), Part("nth", "-1")]),
        ("#a >> text=b>c >> //d", [Part("css", "#a"), Part("text", "b>c"), Part("xpath", "//d")]),
        ('text="a >> b"', [Part("text", "a >> b", exact=True)]),
        ("role=Button", [Part("role", "button")]),
        ("role=button[name=Go on]", [Part("role", "button", attributes=(("name", "Go on", False),))]),
        (
            'role=heading[level=2] [name="a]b"]',
            [Part("role", "heading", attributes=(("level", "2", False), ("name", "a]b", True)))],
        ),
        ("role=checkbox[checked]", [Part("role", "checkbox", attributes=(("checked", "true", True),))]),
        ("role=tab[aria-pressed=false]", [Part("role", "tab", attributes=(("pressed", "false", False),))]),
        ("data=x", [Part("css", "data=x")]),
    ],
)
def test_parts(text: str, parts: list[Part]) -> None:
    """Each form of locator is the chain it stands for."""
    assert list(parse_locator(text)) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a >>", "nothing on one side"),
        (">> a", "nothing on one side"),
        ("nth=1", "before nth="),
        ("a >> nth=first", "whole number"),
        ("a >> nth=", "no value after nth="),
        ("text=", "no value after text="),
        ("role=[name=x]", "names no role"),
        ("role=button[nmae=x]", "not nmae"),
        ("role=button]", "cannot read"),
        ('id=""', "no value after id="),
        ("role=buton", "did you mean role=button?"),
        ('#a >> role=xyzzy[name="x"]', "no role xyzzy; there are button"),
    ],
)
def test_what_is_no_locator(text: str, words: str) -> None:
    """A malformed locator is refused with what is wrong with it, on one line."""
    with pytest.raises(LocatorInvalid) as caught:
        parse_locator(text)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_the_roles_are_those_of_the_page_script() -> None:
    """Both sides know the same ones: a role that is refused here is one that nothing on a page can have."""
    script = (Path(locators.__file__).with_name("roles.js")).read_text("utf-8")
    listed = re.search(r"const ROLES = new Set\(\((.*?)\)\.split", script, re.DOTALL)
    assert listed is not None
    assert set("".join(re.findall(r'"(.*?)"', listed[1])).split()) == ROLES


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks the parser, and what it reads can be sent to the page."""
    try:
        chain = as_json(text)
    except LocatorInvalid:
        return
    assert chain
    assert all(part["engine"] in ENGINES for part in chain)


@given(st.text(min_size=1, max_size=30))
def test_quoted_values_are_exact(value: str) -> None:
    """A quoted value comes back as it was, and is exact."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert unquote(f'"{escaped}"') == (value, True)
    (part,) = parse_locator(f'text="{escaped}"')
    assert part == Part("text", value, exact=True)


@given(
    st.lists(
        st.sampled_from(["#a", "text=b", 'text="c >> d"', "//e[@f='>>']", "div > p", "role=g[name=h]"]), min_size=1
    )
)
def test_chains_split_where_they_were_joined(links: list[str]) -> None:
    """>> joins links, and inside quotes and brackets means nothing."""
    assert split_chain(" >> ".join(links)) == links
