"""What a person gets from ``pip install``: the wheel, built and installed for real, in an empty prefix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jbts_kernel import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    (built,) = folder.glob("jbts_kernel-*.whl")
    return built


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the wheel in it and nothing else; what it depends on comes from this Python."""
    folder = tmp_path_factory.mktemp("prefix")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed",
         "--no-compile", "--prefix", str(folder), str(wheel)],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    return folder


@pytest.fixture
def environment(prefix: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who uses the installed package in an empty folder."""
    packages = sysconfig.get_path("purelib", vars={"base": str(prefix)})
    data = str(prefix / "share" / "jupyter")
    return {
        **os.environ,
        "PYTHONPATH": packages,
        "JUPYTER_PATH": data,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JBTS_HOME": str(tmp_path / ".jbts"),
        "JBTS_BROADCASTER": "off",
    }


@pytest.fixture
def kernel(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A running kernel of the installed kernelspec, as Jupyter starts it."""
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("JUPYTER_PATH", environment["JUPYTER_PATH"])
    manager, client = start_new_kernel(kernel_name="jbts", env=environment, cwd=str(tmp_path))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
        manager.cleanup_resources()


def test_wheel_carries_everything(wheel: Path) -> None:
    """Front ends, examples, the shop's pages and the page script are in the wheel; caches and tests are not."""
    names = zipfile.ZipFile(wheel).namelist()
    for folder, source in (("_static", "widgets"), ("_notebooks", "notebooks")):
        expected = {
            str(path.relative_to(ROOT / source))
            for path in (ROOT / source).rglob("*")
            if path.is_file()
            and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
            and "tests" not in path.relative_to(ROOT).parts
        }
        found = {
            name.removeprefix(f"jbts_kernel/{folder}/") for name in names if name.startswith(f"jbts_kernel/{folder}/")
        }
        assert found == expected
    assert {"jbts_kernel/browser/page.js", "jbts_kernel/browser/roles.js"} <= set(names)
    assert "jbts_kernel/demo/pages/home.html" in names
    assert not [name for name in names if "__pycache__" in name or "_cache" in name or name.startswith("tests/")]


def test_wheel_names_its_entry_points(wheel: Path) -> None:
    """The jbts command, the papermill engine and the pytest plugin are registered."""
    with zipfile.ZipFile(wheel) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(place).decode()
    assert "jbts = jbts_kernel.cli:main" in text
    assert "jbts = jbts_kernel.suite.engine:JBTSEngine" in text
    assert "[pytest11]\njbts = jbts_kernel.suite.pytest_plugin" in text


def test_command_is_installed(prefix: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """The installed command runs from any folder and tells its version."""
    done = subprocess.run(
        [str(prefix / "bin" / "jbts"), "--version"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"jbts, version {__version__}\n")


def test_nbconvert_finds_the_template(prefix: Path) -> None:
    """``jupyter nbconvert --template jbts`` has its files where it looks."""
    folder = prefix / "share" / "jupyter" / "nbconvert" / "templates" / "jbts"
    assert {path.name for path in folder.iterdir()} >= {"conf.json", "index.html.j2", "page.css"}


def test_jupyter_lists_the_kernel(environment: dict[str, str], prefix: Path, tmp_path: Path) -> None:
    """``jupyter kernelspec list`` shows jbts, by its name for people and with its logos."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_client.kernelspecapp", "list", "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout)["kernelspecs"]["jbts"]
    assert found["spec"]["display_name"] == "JBTS (Python 3)"
    assert found["spec"]["argv"][0] == "python"
    folder = Path(found["resource_dir"])
    assert prefix in folder.parents
    assert {path.name for path in folder.iterdir()} >= {"logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}


@pytest.mark.kernel
def test_kernel_starts_with_the_verbs(kernel: object) -> None:
    """A cell of the jbts kernel knows %click without %load_ext, and loading prints nothing."""
    said: list[dict[str, object]] = []
    reply = kernel.execute_interactive(  # type: ignore[attr-defined]
        "print('click' in get_ipython().magics_manager.magics['line'])",
        timeout=60,
        output_hook=lambda message: said.append(message["content"]) if message["msg_type"] != "status" else None,
    )
    assert reply["content"]["status"] == "ok"
    assert [content["text"] for content in said if "text" in content] == ["True\n"]
