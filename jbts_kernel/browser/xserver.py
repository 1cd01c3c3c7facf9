"""An X server of our own, for engines that cannot run without a screen.

Xvfb draws into memory. It chooses a free display itself, and ends when its last client has (``-terminate``),
so that it does not outlive a browser whose notebook was killed.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess

from ..errors import BrowserUnavailable

SCREEN = "3840x2400x24"
START_SECONDS = 15.0
END_SECONDS = 5.0


class XServer:
    """A running Xvfb; ``display`` is its name, like ``:3``. :meth:`close` can be called twice."""

    def __init__(self) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise BrowserUnavailable("webkitgtk needs a screen; install Xvfb (Debian: apt install xvfb)")
        reading, writing = os.pipe()
        try:
            # Jupyter interrupts the kernel's whole process group; this must not be in it.
            self._process = subprocess.Popen(
                [program, "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp", "-terminate"],
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            self.display = f":{self._read_number(reading)}"
        except BaseException:
            self.close()
            raise
        finally:
            os.close(reading)

    @staticmethod
    def _read_number(reading: int) -> int:
        """The display's number, which Xvfb writes when it is ready."""
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([reading], [], [], START_SECONDS)
            piece = os.read(reading, 16) if ready else b""
            if not piece:
                raise BrowserUnavailable("Xvfb did not start; try it by hand: Xvfb -displayfd 1")
            text += piece
        return int(text)

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(END_SECONDS)
