"""Each offline rule against a page that has the defect and one that almost has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.vision.looking import ask
from jbts_kernel.vision.rules import CATEGORIES, RULES, SEVERITIES

PAGES = Path(__file__).parents[1] / "site"
IN_PAGE = sorted(p.stem.removeprefix("vision-") for p in PAGES.glob("vision-*.html") if not p.stem.endswith("-almost"))
# What the pages have on purpose is looked for element by element: its own mark, or one inside or around it.
MARKED = """[...document.querySelectorAll("[data-defect]")].map((e, i) => (e.id = e.id || `defect-${i}`)).join()"""


class Direct:
    """A page asked without waiting for it to settle."""

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    def script(self, source: str, *arguments: Any) -> Any:
        return self.trial.bench.session.driver.execute_async_script(source, *arguments)


def look(trial: Any, page: str) -> list[dict[str, Any]]:
    trial.open(f"vision-{page}.html")
    return ask(Direct(trial), "look")["findings"]  # type: ignore[arg-type, no-any-return]


@pytest.mark.parametrize("rule", IN_PAGE)
def test_the_defect_is_found(reader: Any, rule: str) -> None:
    """Every element of the page that has the defect is found, by this rule and by no other."""
    reader.open(f"vision-{rule}.html")
    marked = [f"#{i}" for i in reader.js(MARKED).split(",") if i]
    found = ask(Direct(reader), "look")["findings"]  # type: ignore[arg-type]
    assert {f["rule"] for f in found} == {rule}, found
    named = {word for f in found for word in f["locator"].split()}
    assert set(marked) <= named


@pytest.mark.parametrize("rule", IN_PAGE)
def test_what_almost_has_it_is_silent(reader: Any, rule: str) -> None:
    """The page that does the same on purpose is clean to every rule."""
    assert look(reader, f"{rule}-almost") == []


@pytest.mark.parametrize("page", sorted(p.stem for p in PAGES.glob("ordinary-*.html")))
def test_ordinary_pages_are_clean(reader: Any, page: str) -> None:
    """Pages as people build them, with badges, teasers, carousels, prose about errors and closed parts, are clean."""
    reader.open(f"{page}.html")
    assert ask(Direct(reader), "look")["findings"] == []  # type: ignore[arg-type]


def test_rules_are_described() -> None:
    """Every rule has a category and a severity of the store's, and a sentence for both sides of it."""
    for rule in RULES.values():
        assert rule.category in CATEGORIES and rule.severity in SEVERITIES and rule.finds and rule.passes
    assert {rule.id for rule in RULES.values() if rule.source == "dom"} == set(IN_PAGE)
