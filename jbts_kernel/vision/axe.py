"""axe-core, from the package that ships it: which rules run, and what its answers are called here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import ConfigProblem, ScriptFailed
from ..models import Box, Finding
from .looking import Page, source

PACKAGE = "selenium-axe-python"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
MORE = ("tabindex", "empty-heading", "target-size")
"""Rules beyond these levels that only speak where a person is in trouble: an order of tabs that jumps, a heading
without words, a control too small to hit."""
_LABELS = frozenset(("label", "select-name", "aria-input-field-name", "form-field-multiple-labels"))
_UNDECIDED = frozenset(
    (
        "color-contrast", "frame-tested", "video-caption", "no-autoplay-audio", "link-in-text-block", "bypass",
        "skip-link", "css-orientation-lock", "aria-valid-attr-value", "target-size", "hidden-content",
        "aria-prohibited-attr", "th-has-data-cells",
    )
)  # fmt: skip
"""Rules whose "cannot tell" says nothing about the page; contrast is measured in the picture instead."""


@cache
def script() -> str:
    """axe-core with the call around it. Raises :class:`ConfigProblem` where the package is not complete."""
    files = metadata.files(PACKAGE) if _installed() else None
    place = next((Path(str(f.locate())) for f in files or () if f.name == "axe.min.js"), None)
    if place is None or not place.is_file():
        raise ConfigProblem(f"axe-core is not installed; install it: pip install {PACKAGE}")
    return source("axe").replace("/* axe-core */", place.read_text(encoding="utf-8"))


def _installed() -> bool:
    try:
        metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


def run(page: Page, scope: Any = None) -> dict[str, Any]:
    """axe's violations and what it could not decide, each with its elements."""
    answer = page.script(script(), "axe", {"tags": TAGS, "rules": MORE, "el": scope})
    if "violations" not in answer:
        raise ScriptFailed(f"axe-core could not look at the page: {answer.get('failed')}")
    return answer


def findings(answer: dict[str, Any]) -> Iterator[Finding]:
    """A finding for each element that breaks a rule, and one for each rule that could not be decided."""
    for violation in answer["violations"]:
        for node in [n for n in violation["nodes"] if not n.get("faint")][:20]:
            yield _finding(violation, node, str(violation.get("impact") or "moderate"))
    for doubt in answer["incomplete"]:
        if doubt["id"] not in _UNDECIDED and doubt["nodes"]:
            yield _finding(doubt, doubt["nodes"][0], "minor", "cannot be decided: ")


def _finding(rule: dict[str, Any], node: dict[str, Any], severity: str, lead: str = "") -> Finding:
    box = node.get("box")
    target = node.get("target") or [""]
    known = {"color-contrast": "contrast"} | dict.fromkeys(_LABELS, "label")
    text = str(node.get("text") or "").strip()
    shown = f": \u201c{' '.join(text.split())[:60]}\u201d" if text else ""
    return Finding(
        category=known.get(rule["id"], "accessibility"),
        severity=severity,  # type: ignore[arg-type]
        message=f"{lead}{rule['help']}{shown}",
        source="axe",
        locator=" >> ".join(str(t) for t in target if isinstance(t, str)) or None,
        box=Box(box["x"], box["y"], box["width"], box["height"]) if box and box["width"] > 0 else None,
        evidence=f"{rule['id']}: {node.get('html', '')}"[:400],
        rule=f"axe:{rule['id']}",
    )
