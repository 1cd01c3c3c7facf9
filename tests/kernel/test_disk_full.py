"""A disk that is full while somebody tests: what is lost is counted and said, and nothing else happens."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jbts_kernel.demo import Shop

from .conftest import Kernel

pytestmark = pytest.mark.kernel

ALONE = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
"""In a mount namespace of its own, which ends with its last process: what is mounted there leaves nothing behind."""

MOUNT = 'mkdir -p "$0" && mount -t tmpfs -o size=16m none "$0" && exec "$@"'

FILL = """
with open(jbts.home / "filler", "ab", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError as problem:
        print(problem.strerror)
"""

TIDY = """
assert not list(jbts.home.rglob("*.part")), "what could not be written whole takes up room"
(jbts.home / "filler").unlink()
"""

LOG = """
import json
lines = [line for path in (jbts.home / "spool").glob("0*.jsonl") for line in path.read_bytes().splitlines()]
numbers = []
for line in lines:
    try:
        numbers.append(json.loads(line)["seq"])
    except ValueError:
        pass
print("holes", max(numbers) - len(set(numbers)), "dropped", jbts.log.dropped, "cut", len(lines) - len(numbers))
"""

SEALED = """
from jbts_kernel.store.publish import publish
publish(jbts.home, wait=True)
print(jbts.results.rows("SELECT ordinal, status FROM internal.steps_sealed ORDER BY 1").rows)
"""


def own_disk(home: Path) -> tuple[str, ...]:
    """What starts a program to which ``home`` is a disk of 16 MB."""
    before = (*ALONE, "sh", "-c", MOUNT, str(home))
    try:
        tried = subprocess.run([*before, "true"], check=False, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no unshare: a disk of its own needs util-linux")
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.strip()[:200]}")
    return before


def test_a_full_disk_costs_rows_and_no_step(start_kernel: Callable[..., Kernel], shop: Shop, tmp_path: Path) -> None:
    """Steps go on, in new tabs and tests as well; the next card and %jbts say how many events were lost, and with
    room again everything is recorded and published. A line that the end of the disk cut spoils no other."""
    kernel = start_kernel("--ext=jbts_kernel", before=own_disk(tmp_path / ".jbts"))
    kernel.run(f"import jbts_kernel.workbench; base_url = {shop.url!r}; jbts_kernel.workbench.PUBLISH_EVERY = 0")
    for line in ("%test Before", "%navigate /"):
        assert kernel.run(line).status == "ok"
    assert "No space left" in kernel.run(FILL).plain

    told = 0
    for line in ("%expect h1 visible", "%tab new", "%navigate /", "%test During", "%navigate /", "%click text=Sign"):
        reply = kernel.run(line)
        assert reply.status == "ok", (line, reply.error)
        found = re.search(r"(\d+) events? of this test could not be recorded: (.*)", reply.plain)
        assert found or line.startswith("%test"), (line, reply.plain)
        told += int(found[1]) if found else 0
    failed = kernel.run("%expect h1 hidden --timeout 0.1", stop_on_error=False)
    assert "ExpectationFailed" in failed.plain and "no picture: [Errno 28] No space left" in failed.plain
    told += int(re.search(r"(\d+) events of this test", failed.plain)[1])  # type: ignore[index]
    lost = re.search(r"log +(\d+) events lost +.*No space left on device", kernel.run("%jbts").plain)
    assert lost and int(lost[1]) >= told > 10, "asking the pool how it is lost one more"

    assert not kernel.run(TIDY).error
    kernel.run("%endtest")
    for line in ("%test After", "%navigate /", "%endtest"):
        assert kernel.run(line).status == "ok", line
    found = re.search(r"holes (\d+) dropped (\d+) cut (\d)", kernel.run(LOG).plain)
    assert found and found[1] == found[2] and int(found[2]) >= told and int(found[3]) <= 1
    kernel.run("jbts.close()")
    assert "((1, 'passed'), (1, 'passed'))" in kernel.run(SEALED).plain, "the first step of all, and the last"
