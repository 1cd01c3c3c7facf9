"""A few seconds of everything at once: writers and publishers killed while somebody reads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SECONDS = 6.0


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """benchmarks/chaos.py, which rages for 90 seconds when it is run by itself."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "chaos.py"
    spec = importlib.util.spec_from_file_location("jbts_benchmark_chaos", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled(benchmark: ModuleType, home: Path, tmp_path: Path) -> None:
    """Whatever is killed, no reader meets an error, a row twice or fewer rows than before, also over a connection
    held open; at the end every acknowledged step is there once."""
    report = benchmark.chaos(home, tmp_path / "notes", SECONDS, writers=2)
    assert report.problems == []
    assert report.reads > 3 and report.held_reads > 3 and report.kills > 0 and report.acknowledged > 20
