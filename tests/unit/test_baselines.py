"""Baselines: where they are, for whom a first one is written, and that nothing leaves its folder by accident."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jbts_kernel.baselines import Baselines, slug
from jbts_kernel.config import JBTS
from jbts_kernel.recorder import Origin
from jbts_kernel.workbench import Workbench


@pytest.mark.parametrize(
    ("kind", "environ", "writes"),
    [
        ("interactive", {}, True),
        ("interactive", {"CI": "1"}, False),
        ("papermill", {}, False),
        ("suite", {}, False),
    ],
)
def test_a_first_baseline_is_written_where_somebody_looks(
    tmp_path: Path, kind: str, environ: dict[str, str], writes: bool
) -> None:
    """By hand it is; under papermill, in a suite and in CI it is not, unless the setting says so."""
    origin = Origin(kind, "notebooks/login.ipynb")
    settings = JBTS(environ={**environ, "JBTS_UPDATE_BASELINES": "1"}, broadcaster="off")
    bench = Workbench(settings, home=tmp_path / ".jbts", origin=origin, environ=environ)
    bench.folder = tmp_path
    named: Any = SimpleNamespace(test_name="login")
    bench.recorder.execution = named
    assert (bench.baselines.writes_first, bench.baselines.updates) == (writes, True)
    if kind != "papermill":  # whose notebook is where papermill's command line says
        assert bench.baselines.folder == tmp_path / "__snapshots__" / "login"
        named.test_name = "signing in"
        assert bench.baselines.folder.parent == tmp_path / "__snapshots__" / "login"
    bench.recorder.execution = None
    bench.close()


def test_a_name_that_is_a_file_stands_beside_the_notebook(tmp_path: Path) -> None:
    """A suffix or a slash makes a name a file as it stands; every other name is one of the test's own."""
    there = Baselines(root=tmp_path, folder=tmp_path / "__snapshots__" / "login", home=tmp_path / ".jbts")
    for name in ("cart.yml", "cart.aria.yml", "deep/cart"):
        assert there.path(name, ".aria.yml") == tmp_path / name
    assert there.path("cart.png", ".png") == tmp_path / "cart.png"
    assert there.path("cart", ".aria.yml") == there.folder / "cart.aria.yml"
    assert there.path("cart.v2", ".png") == there.folder / "cart.v2.png"


def test_names_of_files() -> None:
    """Plain names stay as they are; others are made plain, kept apart, short, and inside their folder."""
    assert slug("cart-2.total") == "cart-2.total"
    assert slug("#cart") != slug(".cart") != slug("cart")
    assert "/" not in slug("../../etc/passwd") and not slug("../x").startswith(".")
    assert len(slug("x" * 500)) < 80
    assert slug("\u202e") != slug("\u202d")
