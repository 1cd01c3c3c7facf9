"""Waits for its starter to end, and then until nothing of it is left. Run by its path; see :mod:`.reaper`.

One runs for each process that has browsers, for as long as it has them, so it must be small: it imports
next to nothing, and asks a process of its own when there is something to do.
"""

import glob
import os
import subprocess
import sys
import time

LOOK_AGAIN = 1.0


def main(home: str) -> None:
    while os.read(0, 1):
        pass
    due = 0.0
    while glob.glob(os.path.join(glob.escape(home), "run", "*-*.json")):
        if time.monotonic() >= due:
            command = [sys.executable, "-m", "jbts_kernel.browser.reaper", home]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
            left = float(done.stdout or 0)
            if not left:  # what is there now belongs to somebody who is alive
                return
            due = time.monotonic() + left
        # The browser may be taken over before its time is up, and then there is nothing to wait for.
        time.sleep(min(LOOK_AGAIN, max(0.0, due - time.monotonic())))


if __name__ == "__main__":
    main(sys.argv[1])
