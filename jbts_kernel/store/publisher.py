"""``python -m jbts_kernel.store.publisher HOME``: publish once, at low priority, and end.

A process of its own because a publication takes seconds of processor once a project is large, and the
interpreter lock would make the kernel's steps wait for it. Nothing waits for the outcome: a publication
that did not happen is made up for by the next one, and what it had to say is in ``run/publisher.log``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import StoreProblem
from .publish import publish

NICE = 10


def start_publish(home: Path) -> subprocess.Popen[bytes]:
    """Start a publication of ``home`` in the background. The caller may wait for the process or keep it
    and look at it later. Raises OSError when no process can be started."""
    run = Path(home).absolute() / "run"
    run.mkdir(parents=True, exist_ok=True)
    with open(run / "publisher.log", "wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "jbts_kernel.store.publisher", str(Path(home).absolute())],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish the data folder named; 0 when done or another is at it, 1 with a line that says why not."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        sys.stderr.write("usage: python -m jbts_kernel.store.publisher HOME\n")
        return 2
    os.nice(NICE)
    try:
        publish(Path(given[0]))
    except StoreProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
