"""Whether the system ended a process because memory ran out: it says so in a counter, and to nobody else."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))


def oom_kills(counters: tuple[Path, ...] = _COUNTERS) -> int:
    """How many processes were ended so since the machine, or the container, started; 0 where nobody counts."""
    found = 0
    for path in counters:
        try:
            lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        words = (line.split() for line in lines)
        found += sum(int(pair[1]) for pair in words if len(pair) == 2 and pair[0] == "oom_kill" and pair[1].isdigit())
    return found
