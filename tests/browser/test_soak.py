"""The soak, in short: browsers die and hang between leases, and nothing is left in the end."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_nothing_is_left_after_many_leases(tmp_path: Path) -> None:
    """Ten leases with random deaths leave no process, thread, descriptor, file or record behind."""
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    assert spec is not None
    assert spec.loader is not None
    soak = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = soak
    spec.loader.exec_module(soak)
    with soak.own_temporary():
        before, after, _, ends = soak.soak(10, 1, tmp_path)
    assert after == before
    assert ends["well"] >= 2
