"""Browsers across interrupts, restarts and deaths of the kernel that started them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jbts_kernel.demo import Shop
from tests.kernel.conftest import PATIENCE, Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.browser]


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Look until the condition holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)
    return found


def records(home: Path) -> list[Path]:
    return list((home / "run").glob("*-*.json"))


def running(home: Path) -> list[psutil.Process]:
    """Every driver and browser that the records of a project name, with all that belongs to them."""
    found: list[psutil.Process] = []
    for path in records(home):
        record = json.loads(path.read_text())
        for kind in ("driver", "browser"):
            process = psutil.Process(record[kind]["pid"])
            found += [process, *process.children(recursive=True)]
    return found


def ended(processes: list[psutil.Process]) -> bool:
    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return not any(runs(process) for process in processes)


def command(process: psutil.Process) -> str:
    """A process's command line; nothing of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def pid_of(kernel: Kernel) -> int:
    return int(kernel.manager.provisioner.process.pid)


def kill(kernel: Kernel) -> None:
    """What the kernel of a front end goes through when the system is out of memory."""
    process = kernel.manager.provisioner.process
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project's data folder, where nothing may be left in the end: no process, no record, no file."""
    home = tmp_path / ".jbts"
    yield home
    left = running(home)
    for process in left:
        process.kill()
    assert not left


def steps_begun(home: Path) -> int:
    """How many steps the log says have begun."""
    return sum(path.read_bytes().count(b'"step.started"') for path in (home / "spool").glob("*.jsonl"))


def well_into_a_step(home: Path) -> Callable[[], bool]:
    """Whether another step has begun since, half a second ago: a loaded machine may need that long to begin it."""
    before, seen = steps_begun(home), list[float]()

    def look() -> bool:
        if not seen and steps_begun(home) > before:
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() - seen[0] > 0.5

    return look


SCENES = {
    "navigate": "%navigate /hang",
    "wait": "%wait #never --timeout 60",
    "loop": "%evaluate while (true) {}",
    "promise": "%evaluate return await new Promise(() => {})",
    "click": "%click #off --timeout 60",
    "link": "%click #away --timeout 60",
}


def test_an_interrupt_ends_the_step_and_not_the_browser(
    start_kernel: Callable[..., Kernel], silent: str, tmp_path: Path
) -> None:
    """Interrupted as a front end does it, in whatever a step waits for: the row says aborted, and the next step
    finds the page as it was."""
    kernel = start_kernel("--ext=jbts_kernel")
    kernel.run(f"base_url = {silent!r}")
    kernel.run("%navigate /")
    kernel.run("%evaluate window.kept = 7")
    for scene in SCENES.values():
        reply = kernel.run(scene, stop_on_error=False, interrupt_when=well_into_a_step(tmp_path / ".jbts"))
        assert "KeyboardInterrupt" in reply.error, scene
        after = kernel.run(
            "kept = %evaluate window.kept\nprint(kept, jbts.history[-2].status, jbts.last.duration_ms, jbts.last.note)"
        )
        assert after.text.split()[:2] == ["7", "aborted"], (scene, after.text, after.error)
        assert float(after.text.split()[2]) < 30_000, scene  # the steps that were interrupted had a minute
        # a page that does not come is no longer waited for, and no driver for it
        assert scene not in (SCENES["navigate"], SCENES["link"]) or not after.text.split()[3:], after.text


def test_a_killed_kernel_leaves_its_browser_to_the_next(
    start_kernel: Callable[..., Kernel], shop: Shop, project: Path
) -> None:
    """Killed with -9 and started again, %browser --attach goes on: same page, same cookies, same users, same
    process; and when that kernel ends, nothing is left."""
    first = start_kernel("--ext=jbts_kernel", JPY_SESSION_NAME="/a/shop.ipynb")
    first.run(f"base_url = {shop.url!r}")
    first.run("%navigate /signin")
    first.run("%cookie set basket full")
    first.run("%browser --as buyer")
    first.run("%navigate /tools/fields")
    first.run("%evaluate window.kept = 7")
    before = running(project)
    kill(first)
    assert not ended(before[1:])
    second = start_kernel("--ext=jbts_kernel", JPY_SESSION_NAME="/a/shop.ipynb")
    said = second.run("%browser --attach")
    assert f"{shop.url}/tools/fields" in said.plain, said.error
    assert "user buyer" in said.plain
    assert second.run("%evaluate window.kept").bundles[-1]["text/plain"] == "7"
    second.run("%use main")
    assert "full" in second.run("%cookie get basket").plain
    assert {p.pid for p in running(project)} & {p.pid for p in before}
    assert "no browser was left" in second.run("%browser --attach", stop_on_error=False).error
    everything = [*before, *running(project)]
    second.close()
    until(lambda: ended(everything), "the browser ends with the kernel that took it over")
    assert not records(project)


def test_a_restarted_kernel_can_go_on(start_kernel: Callable[..., Kernel], shop: Shop, project: Path) -> None:
    """Restarted from the front end, a kernel lets its browser go, and finds it again."""
    kernel = start_kernel("--ext=jbts_kernel", JPY_SESSION_NAME="/a/shop.ipynb")
    kernel.run(f"%navigate {shop.url}/signin")
    kernel.run("%evaluate window.kept = 7")
    kernel.restart()
    assert "/signin" in kernel.run("%browser --attach").plain
    assert kernel.run("%evaluate window.kept").bundles[-1]["text/plain"] == "7"
    left = running(project)
    kernel.close()
    until(lambda: ended(left), "the browser ends with its kernel")
    assert not records(project)


@pytest.mark.parametrize("notebook", ["interactive", "suite"])
def test_what_nobody_takes_over_is_ended(
    start_kernel: Callable[..., Kernel], shop: Shop, project: Path, notebook: str
) -> None:
    """Nobody runs after a killed kernel: its browser is ended by itself, after the grace time, or at once in a
    suite; its files are gone as well."""
    grace = {"JBTS_BROWSER_GRACE": "1", "JPY_SESSION_NAME": "/a/shop.ipynb"}
    kernel = start_kernel("--ext=jbts_kernel", **(grace if notebook == "interactive" else {"JBTS_MODE": "suite"}))
    kernel.run(f"%navigate {shop.url}/")
    left = running(project)
    (record,) = records(project)
    scratch = Path(json.loads(record.read_text())["scratch"])
    watcher = [child for child in psutil.Process(pid_of(kernel)).children() if "watcher.py" in command(child)]
    assert watcher[0].memory_info().rss < 20_000_000
    assert scratch.exists()
    kill(kernel)
    until(lambda: ended(left) and not records(project), "the browser is ended")
    until(lambda: ended(watcher), "the watcher ends")
    assert not scratch.exists()
