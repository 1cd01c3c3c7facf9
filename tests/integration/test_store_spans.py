"""Spans, which begin and end in lines of their own: what is said of one whose end has not come, and never will."""

from __future__ import annotations

import fcntl
import signal
import time
from pathlib import Path

import pytest

from jbts_kernel.log import Log
from jbts_kernel.log.envelope import encode
from jbts_kernel.log.segment import ROTATED, segment_name
from jbts_kernel.models import Event
from jbts_kernel.store.publish import ensure, publish
from jbts_kernel.store.queries import Results

from .logged import finished, python, sealed_segments, started, steps, wrote


def test_a_span_runs_until_it_ends_or_its_writer_dies(home: Path) -> None:
    """running while its process lives, passed when it ended, aborted after a kill: at once for who looks whether the
    process lives, and for everybody from the next publication."""
    ensure(home)
    results = Results(home)
    writer = python(
        "import sys; from pathlib import Path; from jbts_kernel.log import Log; from jbts_kernel.models import Event\n"
        "log = Log(Path(sys.argv[1]))\n"
        "log.emit(Event('run.started', {'kind': 'interactive'}, 'r'), Event('execution.started', {}, 'r', 'e'),\n"
        "  Event('step.started', {}, 'r', 'e', 'a'), Event('step.finished', {'status': 'passed'}, 'r', 'e', 'a'),\n"
        "  Event('step.started', {}, 'r', 'e', 'b'))\n"
        "print('ready', flush=True); sys.stdin.read()",
        home,
    )
    assert writer.stdin is not None and writer.stdout is not None
    with writer.stdin, writer.stdout:
        assert writer.stdout.readline() == "ready\n"
        assert steps(home) == [("a", "passed"), ("b", "running")]
        publish(home, min_segments=0)
        assert steps(home) == [("a", "passed"), ("b", "running")]
        assert results.value("SELECT status FROM runs") == "running"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert results.rows("SELECT step_id, status FROM steps ORDER BY 1").rows == (("a", "passed"), ("b", "aborted"))
    assert results.value("SELECT status FROM runs") == "aborted"
    publish(home)
    assert steps(home) == [("a", "passed"), ("b", "aborted")]
    assert results.rows("SELECT status FROM executions UNION ALL SELECT status FROM runs").rows == (
        ("aborted",),
        ("aborted",),
    )
    wrote(home, Event("execution.finished", {"status": "error"}, "r", "e"))
    assert results.value("SELECT status FROM executions") == "error", "another process may end it later"
    publish(home)
    assert results.rows("SELECT execution_id, status FROM executions").rows == (("e", "error"),)


def test_a_span_over_several_segments_stays_running(home: Path) -> None:
    """A start in a published segment runs on while its writer writes in a later one, and ends there."""
    ensure(home)
    log = Log(home, max_bytes=1)  # every emission ends its segment
    log.emit(started("a"))
    log.emit(started("b"))
    done = publish(home)
    assert done is not None and done.segments == 2
    assert steps(home) == [("a", "running"), ("b", "running")]
    log.emit(finished("a"))
    assert steps(home) == [("a", "passed"), ("b", "running")]
    publish(home)
    assert steps(home) == [("a", "passed"), ("b", "running")]
    log.emit(finished("b"))
    log.close()
    publish(home)
    assert steps(home) == [("a", "passed"), ("b", "passed")]
    assert Results(home).value("SELECT count(*) FROM internal.steps_unfinished") == 0


@pytest.mark.parametrize("sign", ["its last line", "a later segment", "one about to be shown"])
def test_a_writer_that_went_on_is_alive(home: Path, sign: str) -> None:
    """A span is not aborted while anything says that its writer has another segment than those published."""
    ensure(home)
    spool, source = home / "spool", "host-1-abcdef01"
    lines = encode(started("a"), source, 1)
    if sign == "its last line":
        lines += encode(Event(ROTATED, {}), source, 2)
    (spool / segment_name(time.time_ns(), source, 1)).write_bytes(lines)
    later = spool / (segment_name(time.time_ns(), source, 2) + (".part" if "shown" in sign else ""))
    with later.open("wb") as held:
        if sign == "its last line":
            later.unlink()
        fcntl.flock(held, fcntl.LOCK_EX)
        publish(home)
        assert sealed_segments(home) == 1
        assert steps(home) == [("a", "running")]
    wrote(home, finished("b"))
    later.unlink(missing_ok=True)
    publish(home)
    assert steps(home) == [("a", "running" if sign == "its last line" else "aborted"), ("b", "passed")]


def test_an_end_published_before_its_start(home: Path) -> None:
    """Two writers share a span and the end comes first: one row, with the end's status."""
    ensure(home)
    beginning = Log(home)
    beginning.emit(started("a"))
    wrote(home, finished("a"))
    publish(home)
    beginning.close()
    publish(home)
    assert steps(home) == [("a", "passed")]
