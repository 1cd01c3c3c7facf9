"""What is offered where the cursor stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jbts_kernel.completion import complete
from jbts_kernel.verbs import VERBS

NAMES = ("base_url", "user", "_hidden")


@pytest.mark.parametrize(
    ("line", "fragment", "some", "none"),
    [
        ("%cl", "%cl", ["%click", "%clear"], ["%type"]),
        ("%", "%", ["%navigate", "%query"], []),
        ("total = %te", "%te", ["%text"], ["%type"]),
        ("%%st", "%st", ["%steps"], []),
        ("%click --d", "--d", ["--double"], ["--right"]),
        ("%click #a --", "--", ["--double", "--timeout", "--first", "--help"], ["--wait"]),
        ("%click ro", "ro", ["role="], ["text="]),
        ("%click ", "", ["text=", "role=", "testid="], []),
        ("%navigate /x --wait ", "", ["load", "dom", "none"], []),
        ("%navigate /x --wait d", "d", ["dom"], ["load"]),
        ("%expect ", "", ["url", "console", "text="], ["visible"]),
        ("%expect #a ", "", ["visible", "not", "count", "css"], ["url"]),
        ("%expect #a not vi", "vi", ["visible"], ["hidden"]),
        ("%press Con", "Con", ["Control+A"], ["Enter"]),
        ("%dialog ", "", ["accept", "dismiss", "answer"], []),
        ("%storage local ", "", ["get", "set", "clear"], ["local"]),
        ("%storage --timeout 3 ", "", ["local", "session"], []),
        ("%browser fi", "fi", ["firefox"], ["chrome"]),
        ("%type #a ${us", "${us", ["${user}"], ["${base_url}"]),
        ("%type #a ${", "${", ["${user}", "${base_url}"], ["${_hidden}"]),
        ("%drag #a ", "", ["text="], []),
        ("%screenshot --mask te", "te", ["testid=", "text="], []),
    ],
)
def test_what_is_offered(line: str, fragment: str, some: list[str], none: list[str]) -> None:
    """Verbs, options, choices, words, locator prefixes and names, each where it could stand."""
    found = complete(line, NAMES)
    assert found is not None
    assert found[0] == fragment
    assert set(some) <= set(found[1])
    assert not set(none) & set(found[1])
    assert all(word.startswith(fragment) or word.lower().startswith(fragment.lower()) for word in found[1])


@pytest.mark.parametrize("line", ["", "x = 1", "import os", "click #a", "%unknown x", "100 % cl", "print('%cl"])
def test_other_lines_are_not_ours(line: str) -> None:
    """Python is left to Python."""
    assert complete(line, NAMES) is None


def test_lines_of_steps() -> None:
    """Inside %%steps a line begins with a verb without a percent sign."""
    assert complete("cl", NAMES, in_steps=True) == ("cl", ["click", "clear"])
    found = complete("  navigate /x --wait l", NAMES, in_steps=True)
    assert found == ("l", ["load"])


@given(st.sampled_from(sorted(VERBS)), st.text(max_size=30))
def test_any_line_can_be_completed(verb: str, rest: str) -> None:
    """Whatever has been typed so far, completion answers and offers what begins like the fragment."""
    found = complete(f"%{verb} {rest}", NAMES)
    if found is not None:
        assert all(word.lower().startswith(found[0].lower()) for word in found[1])
