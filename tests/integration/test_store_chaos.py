"""A few seconds of everything at once: writers and publishers killed while somebody reads."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from jbts_kernel.store.publish import ensure, publish

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 6.0

WRITER = """
import sys, time
from pathlib import Path
from jbts_kernel.log import Log
from jbts_kernel.models import Event
log = Log(Path(sys.argv[1]), max_bytes=30_000)
acknowledged = open(sys.argv[3], "ab", buffering=0)
i = 0
while True:
    step = f"{sys.argv[2]}-{i}"
    log.emit(Event("step.started", {"ordinal": i}, "r", sys.argv[2], step))
    log.emit(Event("step.finished", {"ordinal": i, "status": "passed"}, "r", sys.argv[2], step))
    acknowledged.write(b"%d\\n" % i)
    i += 1
    time.sleep(0.002)
"""

PUBLISHER = """
import sys
from pathlib import Path
from jbts_kernel.store.publish import publish
while True:
    publish(Path(sys.argv[1]))
"""


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled(home: Path, tmp_path: Path) -> None:
    """Whatever is killed, a reader never meets an error, a row twice or fewer rows than before; at the end
    every acknowledged step is there once."""
    chance = random.Random(5)
    ensure(home)
    acknowledged: list[Path] = []

    def writer() -> subprocess.Popen[bytes]:
        acknowledged.append(tmp_path / f"w{len(acknowledged)}")
        return python(WRITER, home, acknowledged[-1].name, acknowledged[-1])

    writers = [writer(), writer()]
    publisher = python(PUBLISHER, home)
    reads = seen = kills = 0
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
                rows, distinct = connection.execute("SELECT count(*), count(DISTINCT step_id) FROM steps").fetchall()[0]
            assert rows == distinct
            assert rows >= seen
            seen, reads = rows, reads + 1
            if chance.random() < 0.15:
                victim = chance.randrange(2)
                writers[victim].kill()
                writers[victim].wait()
                writers[victim] = writer()
                kills += 1
            if chance.random() < 0.15:
                publisher.kill()
                publisher.wait()
                publisher = python(PUBLISHER, home)
                kills += 1
    finally:
        for process in (*writers, publisher):
            process.kill()
            process.wait()
    live = _found(home)
    publish(home)
    published = _found(home)
    assert live.keys() == published.keys()
    assert set(published.values()) == {1}
    total = 0
    for path in acknowledged:
        numbers = [int(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []
        missing = [number for number in numbers if f"{path.name}-{number}" not in published]
        assert missing == []
        total += len(numbers)
    assert reads > 3 and kills > 0 and total > 100


def _found(home: Path) -> Counter[str]:
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return Counter(row[0] for row in connection.execute("SELECT step_id FROM steps").fetchall())
