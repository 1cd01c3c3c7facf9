"""The reference of the vision layer, its rules taken from the list they run by.

``python -m jbts_kernel.vision.reference`` rewrites the table of rules in ``docs/vision.md``; a test compares it.
"""

from __future__ import annotations

from pathlib import Path

from .rules import RULES

BEGIN, END = "<!-- rules: made by python -m jbts_kernel.vision.reference -->", "<!-- /rules -->"


def table() -> str:
    """A row for each rule: what it finds, and what it stays silent about."""
    lines = ["| rule | category | severity | finds | stays silent about |", "| --- | --- | --- | --- | --- |"]
    for r in RULES.values():
        cells = (f"`{r.id}`", f"`{r.category}`", r.severity, r.finds, r.passes)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def with_rules(document: str) -> str:
    """A document with the table between its marks made anew."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main(root: Path) -> None:
    place = root / "docs" / "vision.md"
    place.write_text(with_rules(place.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[2])
