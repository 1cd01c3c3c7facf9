"""What the record costs, and how quickly it answers: measured beside the goals.

- ``emit``: what a step pays, on the thread that runs it, as it is (a start and an end with a console line and a
  request), while nothing else and while a busy thread runs beside it.
- visible: from the return of a step until another process with nothing but DuckDB has read it.
- views: each shipped view over ten million steps, by an analyst who asks one after the other.
- publish: a hundred thousand rows onto these ten million.
- bytes per step, in the log and in the database.

The ten million are made by DuckDB itself, as a publication would have left them: half a million executions of a
thousand tests over a year. Each goal is for a quiet machine of two cores; ``load`` says how quiet it was.

    python benchmarks/store.py [--steps 10000000] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb

from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.generation import DATABASE
from jbts_kernel.store.publish import STORAGE, ensure, publish
from jbts_kernel.store.schema import TABLES
from jbts_kernel.store.views import VIEWS

REPOSITORY = Path(__file__).resolve().parents[1]
PER_EXECUTION, TESTS = 20, 1_000
FIRST_MS, SPAN_MS = 1_760_000_000_000, 365 * 86_400 * 1_000


def line(what: str, measured: str, goal: str = "", kept: bool | None = None) -> None:
    verdict = "" if kept is None else "kept" if kept else "MISSED"
    print(f"{what:46} {measured:>24}   {goal:22} {verdict}", flush=True)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


# ---- one step ------------------------------------------------------------------------------------


def step_events(number: int) -> tuple[Event, ...]:
    """What an ordinary step writes when it has ended."""
    step = f"s{number}"
    data = {
        "ordinal": number, "name": "Click", "step_type": "click", "verb": "click", "locator": "role=button[name='Go']",
        "status": "passed", "started_at": time.time(), "duration_ms": 52.3, "wait_ms": 31.0, "retries": 0,
        "url": "http://127.0.0.1/cart", "title": "Cart", "screenshot": "a" * 64, "source_hash": "b" * 16,
    }  # fmt: skip
    return (
        Event(
            "artifact", {"artifact": "a" * 64, "role": "after", "mime": "image/webp", "bytes": 9_000}, "r", "e", step
        ),
        Event("network", {"method": "GET", "url": "http://127.0.0.1/api/cart", "status": 200}, "r", "e", step),
        Event("step.finished", data, "r", "e", step),
    )


def bench_emit(folder: Path, count: int = 20_000) -> None:
    for busy in (False, True):
        log, stop, times = Log(folder / f"emit-{busy}"), threading.Event(), []
        beside = threading.Thread(target=_spin, args=(stop,))
        if busy:
            beside.start()
        for number in range(count // (20 if busy else 1)):
            events = step_events(number)
            begun = time.perf_counter()
            log.emit(*events)
            times.append((time.perf_counter() - begun) * 1e3)
        stop.set()
        if busy:
            beside.join()
        log.close()
        shown = " / ".join(f"{percentile(times, share):.3f}" for share in (0.5, 0.99, 0.999))
        if busy:
            line("emit beside a busy thread, p50 / p99 / p99.9", f"{shown} ms")
        else:
            line("emit, p50 / p99 / p99.9", f"{shown} ms", "p99 under 0.2 ms", percentile(times, 0.99) < 0.2)
            size = sum(path.stat().st_size for path in (folder / "emit-False" / "spool").glob("*.jsonl"))
            line("log, bytes a step (with picture and request)", f"{size / count:,.0f}")


def _spin(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1_000))


READER = """
import sys, time, duckdb
for wanted in sys.stdin:
    while True:
        with duckdb.connect(sys.argv[1], read_only=True) as c:
            if c.execute("SELECT 1 FROM steps WHERE step_id = ?", [wanted.strip()]).fetchall():
                break
    print(time.time(), flush=True)
"""


def bench_visible(home: Path, rounds: int = 30) -> None:
    """A process that asks over and over with new connections: how long until the step is in its answer."""
    log, times = Log(home), []
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home / DATABASE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdin is not None and reader.stdout is not None
    for number in range(rounds):
        log.emit(*step_events(number))
        returned = time.time()
        reader.stdin.write(f"s{number}\n")
        reader.stdin.flush()
        times.append((float(reader.stdout.readline()) - returned) * 1e3)
    reader.stdin.close()
    reader.wait()
    log.close()
    line("step visible in another process, p50 / max", f"{statistics.median(times[1:]):.0f} / {max(times[1:]):.0f} ms")


# ---- ten million ---------------------------------------------------------------------------------


def generate(home: Path, count: int) -> None:
    """Fill the sealed tables of a new project with ``count`` steps, as publications leave them."""
    database = ensure(home)
    database.chmod(0o644)
    executions = count // PER_EXECUTION
    with duckdb.connect(str(database), config={"storage_compatibility_version": STORAGE}) as connection:
        run = connection.execute
        run("SET enable_progress_bar = false")
        run(
            "CREATE TEMP MACRO uid(ms, n) AS lower(lpad(to_hex(ms), 12, '0'))[:8] || '-'"
            " || lower(lpad(to_hex(ms), 12, '0'))[9:] || '-7000-8000-' || lower(lpad(to_hex(n), 12, '0'))"
        )
        run(
            f"CREATE TEMP TABLE x AS SELECT i, {FIRST_MS} + i * {SPAN_MS} // {executions} AS ms, i % {TESTS} AS t,"
            f" uid({FIRST_MS} + i * {SPAN_MS} // {executions}, i) AS execution_id, hash(i) % 100 AS h,"
            f" uid({FIRST_MS} + (i // {TESTS}) * {TESTS} * {SPAN_MS} // {executions}, i // {TESTS}) AS run_id"
            f" FROM range({executions}) r(i)"
        )
        run(
            "INSERT INTO internal.runs_sealed BY NAME SELECT run_id, make_timestamp(min(ms) * 1000) AS started_at,"
            " make_timestamp((max(ms) + 60000) * 1000) AS ended_at, 'suite' AS kind, 'failed' AS status,"
            " md5(run_id) AS git_commit, 'main' AS git_branch, 'ci' AS host FROM x GROUP BY run_id ORDER BY run_id"
        )
        bad = "CASE WHEN h < 2 THEN 'ExpectationFailed' WHEN h < 3 THEN 'NotActionable' END AS error_type"
        run(
            "INSERT INTO internal.executions_sealed BY NAME SELECT execution_id, run_id, 'test ' || t AS test_name,"
            " lpad(to_hex(hash(t)), 16, '0') AS history_id, 'suite/nb_' || t || '.ipynb' AS notebook,"
            " ['smoke', 's' || t % 7] AS tags, 'chrome' AS browser, 1 AS attempt,"
            " CASE WHEN h < 2 THEN 'failed' WHEN h < 3 THEN 'error' ELSE 'passed' END AS status,"
            f" make_timestamp(ms * 1000) AS started_at, 1000.0 + h * 37 AS duration_ms, {bad},"
            " CASE WHEN h < 3 THEN '#total is \"' || i % 977 || '\"' END AS error_message FROM x ORDER BY execution_id"
        )
        last = f"h < 3 AND j = {PER_EXECUTION - 1}"
        run(
            f"INSERT INTO internal.steps_sealed BY NAME SELECT uid(ms + j * 200, i * {PER_EXECUTION} + j) AS step_id,"
            " execution_id, run_id, j + 1 AS ordinal, v || ' #e' || (t * 20 + j) % 5000 AS name, v AS step_type,"
            " v AS verb, '#e' || (t * 20 + j) % 5000 AS locator, CASE WHEN v = 'type' THEN 'value ' || i % 1000 END"
            f" AS \"input\", CASE WHEN NOT ({last}) THEN 'passed' WHEN h < 2 THEN 'failed' ELSE 'error' END AS status,"
            " make_timestamp((ms + j * 200) * 1000) AS started_at, make_timestamp((ms + j * 200 + 150) * 1000) AS"
            " ended_at, 20.0 + (hash(i, j) % 100000) / 1000.0 AS duration_ms, (hash(j, i) % 50000) / 1000.0 AS wait_ms,"
            " 0 AS retries, 'http://127.0.0.1/page/' || (t + j) % 300 AS url, 'Shop' AS title,"
            f" CASE WHEN {last} THEN 'ExpectationFailed' END AS error_type,"
            f" CASE WHEN {last} THEN '#total is \"' || i % 977 || '\"' END AS error_message,"
            f" CASE WHEN {last} THEN lpad(to_hex(hash(t % 200)), 16, '0') END AS error_fingerprint,"
            " md5(i || ' ' || j) || md5(j || ' ' || i) AS screenshot, false AS optional,"
            " lpad(to_hex(hash(v, t, j)), 16, '0') AS source_hash FROM (SELECT x.*, j,"
            " ['navigate', 'click', 'type', 'assert', 'wait'][1 + j % 5] AS v"
            f" FROM x, range({PER_EXECUTION}) s(j)) ORDER BY execution_id, step_id"
        )
        connection.execute("CHECKPOINT")
    database.chmod(0o444)


ASKER = """
import re, sys, time
from pathlib import Path
from jbts_kernel.store.queries import Results
results, name = Results(Path(sys.argv[1])), sys.argv[2]
times = []
for _ in range(4):
    begun = time.perf_counter()
    rows = results.rows(f"SELECT * FROM {name}", limit=1_000)
    times.append(time.perf_counter() - begun)
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(min(times[1:]), time.process_time() / 4, int(peak[1]) / 1024 if peak else 0, len(rows))
"""


def bench_views(home: Path) -> None:
    """Each view in a process of its own, so that its memory is its own; warm is the best of three after a first."""
    for view in VIEWS:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        said = subprocess.run(
            [sys.executable, "-c", ASKER, str(home), view.name],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        wall, processor, peak, rows = map(float, said.split())
        line(
            f"{view.name} ({rows:.0f} rows)",
            f"{wall * 1e3:.0f} ms, {peak:,.0f} MB",
            "under 500 ms, 2 GB",
            wall < 0.5 and peak < 2_000,
        )  # peak is Linux's; 0 elsewhere
        if wall > 1.5 * processor:
            line("", f"({processor * 1e3:.0f} ms of processor)")


def bench_publish(home: Path, rows: int = 100_000) -> None:
    log = Log(home)
    begun = time.perf_counter()
    for first in range(0, rows, 100):
        log.emit(
            *(Event("step.finished", step_events(n)[2].data, "r", "e", f"n{n}") for n in range(first, first + 100))
        )
    log.close()
    line(f"writing {rows:,} lines", f"{time.perf_counter() - begun:.1f} s")
    marks: dict[str, float] = {}
    begun = time.perf_counter()
    done = publish(home, at=lambda stage: marks.setdefault(stage, time.perf_counter() - begun))
    took = time.perf_counter() - begun
    assert done is not None and done.lines >= rows
    line(f"publish {done.lines:,} rows onto the rest", f"{took:.2f} s", "under 3 s", took < 3)
    line("", f"copy {done.copy_ms:.0f}, insert {done.insert_ms:.0f}, write {done.write_ms:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--keep", type=Path, help="a folder that keeps the generated project for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        bench_emit(folder)
        home = (arguments.keep or folder) / f"steps-{arguments.steps}" / ".jbts"
        if not (home / DATABASE).exists():
            begun = time.perf_counter()
            generate(home, arguments.steps)
            line(f"generating {arguments.steps:,} steps", f"{time.perf_counter() - begun:.0f} s")
        size = (home / DATABASE).stat().st_size
        line("database, bytes a step", f"{size / arguments.steps:.0f} ({size / 1e6:,.0f} MB)")
        bench_visible(home)
        bench_views(home)
        bench_publish(home)
        print(f"load after: {os.getloadavg()[0]:.1f}; {len(TABLES)} tables, {len(VIEWS)} views")


if __name__ == "__main__":
    main()
