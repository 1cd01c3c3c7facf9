"""Finding a browser, and getting one: with programs that say they are browsers, on a PATH of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jbts_kernel.errors import BrowserUnavailable
from jbts_kernel.installation import Installation, apt_prefix, find_installation, version_of

ROOT = Path(__file__).resolve().parents[2]
Program = Callable[[str, str], Path]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="apt-get and shell scripts")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs with nothing in it but what starts others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("env", "ln"):
        (folder / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    return folder


@pytest.fixture
def program(programs: Path) -> Program:
    """Writes a program that is a line of shell."""

    def write(name: str, line: str) -> Path:
        place = programs / name
        place.write_text(f"#!/bin/sh\n{line}\n")
        place.chmod(0o755)
        return place

    return write


@pytest.fixture
def ensure(programs: Path, tmp_path: Path) -> Callable[[], tuple[int, str]]:
    """``python -m jbts_kernel.installation`` on that PATH: its exit code and what it says."""

    def call() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "jbts_kernel.installation"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env={"PATH": str(programs), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "SE_OFFLINE": "true"},
        )  # fmt: skip
        assert done.stdout == ""
        return done.returncode, done.stderr

    return call


def test_version_is_what_the_program_prints(program: Program) -> None:
    """Words around the number do not matter; a program without one, or that is not there, has none."""
    assert version_of(str(program("a", "echo Chromium 156.0.8078.79 built on Debian"))) == "156.0.8078.79"
    assert version_of(str(program("b", "echo hello"))) is None
    assert version_of("/nowhere/at/all") is None


@pytest.mark.parametrize(
    ("version", "driver_version", "fits"),
    [("156.0.1", "156.0.2", True), ("156.0.1", "155.0.1", False), ("156.0.1", None, True)],
)
def test_major_versions_must_agree(version: str, driver_version: str | None, fits: bool) -> None:
    """A driver works with the browser of its own major version."""
    assert Installation("chrome", "/c", version, "/d", driver_version).fits is fits
    assert Installation("firefox", "/c", version, "/d", driver_version).fits


def test_programs_can_be_named(program: Program) -> None:
    """A browser and a driver that are not on PATH are used when they are named."""
    browser, driver = program("my-chrome", "echo Chrome 99.1"), program("my-driver", "echo Driver 99.2")
    found = find_installation("chrome", binary=str(browser), driver=str(driver))
    assert found.fits
    assert found.summary == f"chrome 99.1 ({browser}), driver 99.2 ({driver})"


def test_unknown_browser_is_refused() -> None:
    """A name that is no browser's is an error that lists the ones there are."""
    with pytest.raises(BrowserUnavailable, match="chrome"):
        find_installation("crome")


def test_apt_is_used_only_unasked(monkeypatch: pytest.MonkeyPatch, program: Program, programs: Path) -> None:
    """Root needs nothing, others a sudo that asks nothing; without apt-get there is no way."""
    monkeypatch.setenv("PATH", str(programs))
    assert apt_prefix(lambda command: True) is None
    program("apt-get", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert apt_prefix(lambda command: False) == ()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert apt_prefix(lambda command: True) is None
    program("sudo", "true")
    assert apt_prefix(lambda command: False) is None
    assert apt_prefix(lambda command: command == ("sudo", "-n", "true")) == ("sudo", "-n")


def test_what_is_installed_is_left_alone(
    ensure: Callable[[], tuple[int, str]], program: Program, tmp_path: Path
) -> None:
    """With browser and driver in place one line says so, and apt-get is not called."""
    program("chromium", "echo Chromium 156.0.1")
    program("chromedriver", "echo ChromeDriver 156.0.1")
    program("apt-get", f"echo called > {tmp_path}/called")
    code, said = ensure()
    assert code == 0
    assert said.count("\n") == 1
    assert "driver 156.0.1" in said
    assert not (tmp_path / "called").exists()


def test_missing_browser_is_installed(
    ensure: Callable[[], tuple[int, str]], program: Program, programs: Path, tmp_path: Path
) -> None:
    """Without a browser the system's packages are asked: first for their list, then for the browser."""
    program("sudo", 'shift; exec "$@"')
    program("apt-get", f'echo "$@" >> {tmp_path}/called; [ "$4" != install ] || cp {tmp_path}/new/* {programs}/')
    (programs / "cp").symlink_to(shutil.which("cp") or "/bin/cp")
    (tmp_path / "new").mkdir()
    for name in ("chromium", "chromedriver"):
        shutil.move(program(name, "echo 156.0.1"), tmp_path / "new" / name)
    code, said = ensure()
    assert code == 0, said
    assert "driver 156.0.1" in said.splitlines()[-1]
    first, second = (tmp_path / "called").read_text().splitlines()
    assert first.endswith("update")
    assert second.endswith("chromium chromium-driver fonts-liberation")
    assert ensure()[0] == 0
    assert len((tmp_path / "called").read_text().splitlines()) == 2


def test_no_browser_to_be_had(ensure: Callable[[], tuple[int, str]], program: Program) -> None:
    """When nothing helps it ends with 3, and the last line says what to install."""
    program("sudo", 'shift; exec "$@"')
    program("apt-get", 'echo "E: Unable to locate package chromium" >&2; exit 100')
    code, said = ensure()
    assert code == 3
    assert "E: Unable to locate package chromium" in said
    assert "apt install chromium chromium-driver" in said.splitlines()[-1]
