"""The reference of every setting, taken from the traits themselves.

``python -m jbts_kernel.settings_reference`` rewrites the table in ``docs/configuration.md``; a test compares it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import Enum

from .config import JBTS, environment_name

BEGIN, END = "<!-- settings: made by python -m jbts_kernel.settings_reference -->", "<!-- /settings -->"


def _default(value: Any) -> str:
    return "" if value is None or value == "" or value == [] else f"`{value}`"


def table() -> str:
    """A row for each setting: its name, its environment variable, its default and what it does."""
    lines = ["| setting | environment | default | |", "| --- | --- | --- | --- |"]
    for name, trait in JBTS.class_traits(config=True).items():
        words = f" One of {', '.join(f'`{word}`' for word in trait.values or ())}." if isinstance(trait, Enum) else ""
        default = _default(trait.default() if callable(trait.default) else None)
        lines.append(f"| `{name}` | `{environment_name(name)}` | {default} | {trait.help}{words} |")
    return "\n".join(lines)


def with_settings(document: str) -> str:
    """A document with the table between its marks made anew."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main(root: Path) -> None:
    place = root / "docs" / "configuration.md"
    place.write_text(with_settings(place.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[1])
