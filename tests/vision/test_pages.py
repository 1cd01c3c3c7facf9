"""The offline layer against pages as people build them: one defect each, or something that only looks like one.

A page whose name begins with ``seeded`` says in a ``meta`` element which categories name its defect; any one of
them will do. One that begins with ``decoy`` is as it should be. ``benchmarks/vision.py`` looks at the same pages
with axe alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from jbts_kernel.vision.looking import ask
from jbts_kernel.vision.rules import RULES

PAGES = {p.stem: p.read_text(encoding="utf-8") for p in (Path(__file__).parent / "pages").glob("*.html")}
SEEDED = {
    name: set(told[1].split(","))
    for name, html in PAGES.items()
    if (told := re.search(r'<meta name="seeded" content="([^"]+)">', html))
}
WHOLE = {"contrast", "label", "accessibility", "console", "network"}  # need more than the page's script
SLOW = {"decoy-skeleton-ends", "decoy-fallback-image", "decoy-quiet-console", "decoy-disabled"}  # must settle first


class Direct:
    """A page asked without waiting for it to settle."""

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    def script(self, source: str, *arguments: Any) -> Any:
        return self.trial.bench.session.driver.execute_async_script(source, *arguments)


def seen(reader: Any, name: str) -> list[tuple[str, str]]:
    """What the rules find on a page, settled or at once: categories and rules."""
    path = reader.site.document(PAGES[name].encode(), "text/html; charset=utf-8")
    reader(f'navigate "{path}" --no-screenshot')
    if name in SLOW or SEEDED.get(name, set()) & WHOLE:
        return [(f.category, f.rule) for f in reader("analyze").findings]
    found = ask(Direct(reader), "look")["findings"]  # type: ignore[arg-type]
    return [(RULES[f["rule"]].category, f"{f['rule']}: {f['message']}") for f in found]


@pytest.mark.parametrize("name", sorted(SEEDED))
def test_a_seeded_defect_is_found(reader: Any, name: str) -> None:
    """The defect is found under one of its names, and nothing else is said of the page."""
    found = seen(reader, name)
    assert {category for category, _ in found} & SEEDED[name], found
    assert {category for category, _ in found} <= SEEDED[name], found


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(SEEDED)))
def test_what_only_looks_like_a_defect_is_not(reader: Any, name: str) -> None:
    """A page that is as it should be is clean."""
    assert seen(reader, name) == []
