"""Processes the system ended for want of memory, counted."""

from __future__ import annotations

from pathlib import Path

from jbts_kernel.suite.memory import oom_kills


def test_what_the_system_counts_is_added_up(tmp_path: Path) -> None:
    """Machine and container count apart; a file that is not there, and lines about other things, count nothing."""
    machine, container = tmp_path / "vmstat", tmp_path / "memory.events"
    machine.write_text("pgfault 99\noom_kill 2\n")
    container.write_text("low 0\noom 5\noom_kill 1\noom_group_kill 7\n")
    assert oom_kills((machine, container, tmp_path / "none")) == 3
    assert oom_kills(()) == 0
    assert oom_kills() >= 0
