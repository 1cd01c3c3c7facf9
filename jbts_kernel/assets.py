"""The front ends' files: beside the package in a checkout, inside it when it is installed."""

from __future__ import annotations

from pathlib import Path


def asset(name: str) -> Path:
    """The path of one of the files of ``widgets/``."""
    inside = Path(__file__).with_name("_static")
    folder = inside if inside.is_dir() else Path(__file__).resolve().parent.parent / "widgets"
    return folder / name
