"""``python -m jbts_kernel.browser.reaper HOME``: end the browsers of a project that nobody took over.

Prints the seconds until the next one is due. Whoever of the project runs next does the same through
:class:`~jbts_kernel.browser.records.Records`; this is for the case that nobody does. See :mod:`.watcher`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .records import Records


def start_watcher(home: Path) -> subprocess.Popen[bytes]:
    """A small process that outlives this one and has its browsers ended. It notices that this process
    ended, or needs it no more, by its standard input, which only this process holds open."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("watcher.py")), str(Path(home).absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def main() -> None:
    print(Records(Path(sys.argv[1])).reap())  # noqa: T201 - the watcher reads it


if __name__ == "__main__":
    main()
