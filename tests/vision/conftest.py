"""The site, the browser and the workbench of the browser's tests, and a server that speaks a model's API."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_PLACE = Path(__file__).parent.parent / "browser" / "conftest.py"
_spec = importlib.util.spec_from_file_location("jbts_browser_fixtures", _PLACE)
assert _spec is not None and _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _fixtures
_spec.loader.exec_module(_fixtures)

site, pool, trial, reader = _fixtures.site, _fixtures.pool, _fixtures.trial, _fixtures.reader


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the pool needs a real browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "pool" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
