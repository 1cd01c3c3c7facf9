"""Everything at once, and everybody killed: is a step lost, doubled, or a read refused?

Four writers and the publisher are killed at random moments while one analyst reads all the time, each time with a
new connection, and another keeps one connection open and asks it again and again. A writer notes a step as
acknowledged after ``emit`` has returned. At the end every acknowledged step must be there once, in the views over
the log and after a last publication.

    python benchmarks/chaos.py [--seconds 90] [--writers 4]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from jbts_kernel.store.publish import ensure, publish

REPOSITORY = Path(__file__).resolve().parents[1]

PATIENCE = 60.0
HELD_S, RETIRE_S = 5.0, 20.0
"""How long a connection is held open, and how old a merged segment is when it leaves the spool (a day, in use). A
connection must not be held for longer than that: its generation does not know what was merged after it."""

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
    done = log.emit(Event("step.started", {"ordinal": i}, "r", sys.argv[2], step))
    done &= log.emit(Event("step.finished", {"ordinal": i, "status": "passed"}, "r", sys.argv[2], step))
    if done:
        acknowledged.write(b"%d\\n" % i)
    i += 1
    time.sleep(0.002)
"""

PUBLISHER = """
import sys
from pathlib import Path
from jbts_kernel.store.publish import publish
while True:
    publish(Path(sys.argv[1]), retire_after_s=float(sys.argv[2]))
"""


@dataclass
class Report:
    """What happened. ``problems`` is empty when the promise was kept."""

    kills: int = 0
    reads: int = 0
    held_reads: int = 0
    acknowledged: int = 0
    problems: list[str] = field(default_factory=list)


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], env=environment)


def chaos(home: Path, notes: Path, seconds: float, *, writers: int = 4, seed: int = 5) -> Report:
    """Let it rage for ``seconds`` in the data folder ``home``, and until enough has happened; writers note in
    ``notes`` what was acknowledged."""
    chance, report = random.Random(seed), Report()
    ensure(home)
    notes.mkdir(exist_ok=True)
    names: list[str] = []

    def writer() -> subprocess.Popen[bytes]:
        names.append(f"w{len(names)}")
        return python(WRITER, home, names[-1], notes / names[-1])

    def publisher() -> subprocess.Popen[bytes]:
        return python(PUBLISHER, home, RETIRE_S)

    makers: list[Callable[[], subprocess.Popen[bytes]]] = [*[writer] * writers, publisher]
    running = [make() for make in makers]
    database = str(home / "results.duckdb")
    held: duckdb.DuckDBPyConnection | None = None
    held_until = seen = held_seen = 0.0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end or (time.monotonic() < end + PATIENCE and not _raged(report, notes)):
            try:
                with duckdb.connect(database, read_only=True, config={"threads": "1"}) as connection:
                    seen = _look(connection, seen, report)
                report.reads += 1
                if held is None:
                    # A second process would hold the file, too; in one process the settings must be another's.
                    held = duckdb.connect()
                    held.execute(f"ATTACH '{database}' AS kept (READ_ONLY)")
                    held.execute("USE kept")
                    held_until, held_seen = time.monotonic() + HELD_S, 0.0
                held_seen = _look(held, held_seen, report)
                report.held_reads += 1
                if time.monotonic() > held_until:
                    held.close()
                    held = None
            except duckdb.Error as problem:
                report.problems.append(f"a read failed: {str(problem).splitlines()[0]}")
            for place, process in enumerate(running):
                if chance.random() < 0.08:
                    process.kill()
                    process.wait()
                    running[place] = makers[place]()
                    report.kills += 1
    finally:
        if held is not None:
            held.close()
        for process in running:
            process.kill()
            process.wait()
    _judge(home, notes, names, report)
    return report


def _raged(report: Report, notes: Path) -> bool:
    """Whether enough has happened to judge by: on a loaded machine a writer needs seconds to begin."""
    acknowledged = sum(path.read_bytes().count(b"\n") for path in notes.iterdir())
    return report.reads > 3 and report.held_reads > 3 and report.kills > 0 and acknowledged > 20


def _look(connection: duckdb.DuckDBPyConnection, seen: float, report: Report) -> float:
    rows, distinct = connection.execute("SELECT count(*), count(DISTINCT step_id) FROM steps").fetchall()[0]
    if rows != distinct:
        report.problems.append(f"{rows - distinct} rows were there twice")
    if rows < seen:
        report.problems.append(f"a reader saw {rows} rows after {seen:.0f}")
    return float(rows)


def _judge(home: Path, notes: Path, names: list[str], report: Report) -> None:
    live = _found(home)
    publish(home, wait=True)
    published = _found(home)
    if live.keys() != published.keys():
        report.problems.append(f"{len(live.keys() ^ published.keys())} steps differ before and after publication")
    doubled = sum(1 for count in published.values() if count > 1)
    if doubled:
        report.problems.append(f"{doubled} steps are there twice")
    for name in names:
        path = notes / name
        numbers = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        missing = [number for number in numbers if f"{name}-{number.decode()}" not in published]
        if missing:
            report.problems.append(f"{len(missing)} acknowledged steps of {name} are lost")
        report.acknowledged += len(numbers)


def _found(home: Path) -> Counter[str]:
    with duckdb.connect(str(home / "results.duckdb"), read_only=True) as connection:
        return Counter(row[0] for row in connection.execute("SELECT step_id FROM steps").fetchall())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = chaos(
            Path(folder) / ".jbts",
            Path(folder) / "notes",
            arguments.seconds,
            writers=arguments.writers,
            seed=arguments.seed,
        )
    print(
        f"{report.kills} kills in {arguments.seconds:.0f} s; {report.acknowledged:,} steps acknowledged;"
        f" {report.reads} reads and {report.held_reads} over connections held open"
    )
    for problem in report.problems[:20]:
        print(f"PROBLEM: {problem}")
    print("goal: nothing lost, nothing twice, no read error:", "missed" if report.problems else "kept")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
