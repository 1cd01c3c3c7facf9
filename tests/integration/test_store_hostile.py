"""What lies in a spool that no version of ours wrote, or another one did, and folders one may only read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from jbts_kernel.errors import StoreProblem
from jbts_kernel.log import Log
from jbts_kernel.log.segment import segment_name
from jbts_kernel.models import Event
from jbts_kernel.store.publish import ensure, publish
from jbts_kernel.store.queries import Results

REPOSITORY = Path(__file__).resolve().parents[2]


def line(step: str, **change: object) -> bytes:
    """A line of a finished step, with fields changed or added."""
    whole = {
        "v": 1, "id": step, "kind": "step.finished", "ts": 1_790_000_000.0, "source": "h-1-abcdef01", "seq": 1,
        "run_id": "r", "execution_id": "e", "step_id": step, "data": {"status": "passed"},
    } | change  # fmt: skip
    return json.dumps(whole).encode() + b"\n"


def put(home: Path, content: bytes, number: int = 1) -> None:
    """A sealed segment with this content."""
    ensure(home)
    (home / "spool" / segment_name(time.time_ns(), "h-1-abcdef01", number)).write_bytes(content)


def live_and_sealed(home: Path) -> list[str]:
    """The steps, which must be the same before and after publication."""
    live = Results(home).rows("SELECT step_id FROM steps ORDER BY 1").rows
    assert publish(home) is not None
    assert Results(home).rows("SELECT step_id FROM steps ORDER BY 1").rows == live
    return [row[0] for row in live]


FOREIGN = {
    "empty": b"",
    "one newline": b"\n",
    "only NUL": b"\x00" * 4096,
    "NUL after a line": line("ok") + b"\x00" * 4096,
    "NUL before a line": b"\x00" * 4096 + b"\n" + line("ok"),
    "half a character": line("ok") + b'{"v":1,"id":"\xe2\x82',
    "half a character inside": line("ok")[:-3] + b"\xc3" + b"\n" + line("ok"),
    "a torn beginning": line("x")[20:] + line("ok"),
    "a torn end": line("ok") + line("x")[:-30],
    "no newline at the end": line("ok").rstrip(b"\n"),
    "windows newlines": line("ok").replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf\n" + line("ok"),
    "another format": b"a,b\n1,2\n" + line("ok"),
    "an array": b"[" + line("x").strip() + b"]\n" + line("ok"),
    "a million characters": line("ok")
    + line("x", data={"status": "passed", "name": "n" * 1_000_000})[:-1]
    + b"garbage\n",
    "a million brackets": b"[" * 1_000_000 + b"\n" + line("ok"),
    "deep nesting": line("x", data={})[:-4] + b'{"a":' * 5_000 + b"\n" + line("ok"),
    "control characters": line("ok").replace(b"passed", b"pas\\u0000\\u001bsed"),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_bytes_cost_themselves_alone(home: Path, content: bytes) -> None:
    """Whatever a file holds beside good lines, these are read and nothing else is, live and published."""
    put(home, content)
    log = Log(home)
    log.emit(Event("step.finished", {"status": "passed"}, "r", "e", "zz"))
    log.close()
    assert live_and_sealed(home) == (["ok", "zz"] if b'"ok"' in content else ["zz"])


def test_a_long_text_is_whole_or_cut_never_lost(home: Path) -> None:
    """A foreign line of a million characters is a row, and one of ours is cut with a mark."""
    put(home, line("foreign", data={"status": "passed", "name": "n" * 1_000_000}))
    log = Log(home)
    log.emit(Event("step.finished", {"status": "passed", "name": "m" * 1_000_000}, "r", "e", "ours"))
    log.close()
    assert live_and_sealed(home) == ["foreign", "ours"]
    lengths = dict(Results(home).rows("SELECT step_id, length(name) FROM steps").rows)
    assert lengths["foreign"] == 1_000_000 and lengths["ours"] < 70_000


def test_two_versions_write_to_one_folder(home: Path) -> None:
    """Fields and kinds this version does not know, and fields it misses, cost no row; a later format is skipped."""
    put(home, line("older", data={}) + line("newer", data={"status": "passed", "mood": "good"}, extra=1))
    put(home, line("kind", kind="step.dreamt") + line("format", v=2), 2)
    log = Log(home)
    log.emit(Event("step.finished", {"status": "failed"}, "r", "e", "this"))
    log.close()
    assert live_and_sealed(home) == ["newer", "older", "this"]


def test_an_older_version_leaves_a_newer_generation_alone(home: Path) -> None:
    """Its writers go on, its publisher says that it must be upgraded, and the newer one publishes what both wrote."""
    log = Log(home)
    log.emit(Event("step.finished", {"status": "passed"}, "r", "e", "a"))
    log.close()
    publish(home)
    database = home / "results.duckdb"
    database.chmod(0o644)
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO internal.migrations VALUES ('0099-later', NULL)")
    log = Log(home)
    log.emit(Event("step.finished", {"status": "passed"}, "r", "e", "b"))
    log.close()
    with pytest.raises(StoreProblem, match="newer version of jbts-kernel"):
        publish(home)
    assert [row[0] for row in Results(home).rows("SELECT step_id FROM steps ORDER BY 1").rows] == ["a", "b"]
    with duckdb.connect(str(database)) as connection:
        connection.execute("DELETE FROM internal.migrations WHERE name = '0099-later'")
    assert live_and_sealed(home) == ["a", "b"]


READ_ONLY = """
import ctypes, os, sys
if os.getuid() == 0 and len(sys.argv) == 3:
    # Root is refused nothing, unless its right to override permissions is taken away.
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability)
    os.execv(sys.executable, [sys.executable, *sys.argv[2:], sys.argv[1], "again", "again"])
from pathlib import Path
from jbts_kernel.errors import StoreProblem
from jbts_kernel.log import Log
from jbts_kernel.models import Event
from jbts_kernel.store.publish import publish
from jbts_kernel.store.queries import Results
home = Path(sys.argv[1])
print(Results(home).value("SELECT count(*) FROM steps"))
log = Log(home)
print(log.emit(Event("step.finished", {}, "r", "e", "x")), log.dropped, log.last_error is not None)
try:
    publish(home)
except StoreProblem as problem:
    print(problem.message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="takes a right away from root as Linux does")
def test_a_folder_that_may_only_be_read(home: Path, tmp_path: Path) -> None:
    """Questions are answered from it, live; steps go on unrecorded and say so; a publication names the folder."""
    for step in ("a", "b"):
        log = Log(home)
        log.emit(Event("step.finished", {"status": "passed"}, "r", "e", step))
        log.close()
        if step == "a":
            publish(home)
    (home / ".publish.lock").unlink()
    script = tmp_path / "script.py"
    script.write_text(READ_ONLY)
    for path in (home / "spool", home):
        path.chmod(0o555)
    try:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, script, home, script], env=environment, capture_output=True, text=True, check=False
        )
    finally:
        for path in (home, home / "spool"):
            path.chmod(0o755)
    answers = done.stdout.splitlines()
    assert (done.stderr, answers[:2]) == ("", ["2", "False 1 True"])
    assert "cannot be published to" in answers[2] and "is the folder writable?" in answers[2]
