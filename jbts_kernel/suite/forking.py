"""Kernels forked from a warm process, started, signalled, waited for like any other process.

Only what is the same either way is forked: this Python's ipykernel with nothing in the environment that Python reads
before it runs a line (``PYTHON*``, locale, loader). Every other kernel starts as it always did, and so does every
kernel where there is no ``fork``. Whether a kernel was forked can be seen in how soon it is there, and in the hash
seed, which all kernels of one run then have in common. How jupyter_client sees them is in :mod:`.provisioning`: this
module imports little, because the warm process starts before anything else of a run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import JBTSError
from .forkserver import LARGEST, LENGTH, READY

START_SECONDS = 60.0
FORK_SECONDS = 30.0
_LAUNCHER = ["-m", "ipykernel_launcher"]
_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "MALLOC_")
"""What names of variables begin with that take effect before a program's first line."""


class ForkFailed(JBTSError):
    """The warm process forked no kernel."""


class ForkServer:
    """A warm process of this runner. Use :meth:`start`; :meth:`close` ends it with all its kernels."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, environ: Mapping[str, str]) -> None:
        self._process = process
        self._control = control
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._warm = threading.Event()
        self._broken = False

    @classmethod
    def start(cls, environ: Mapping[str, str], said: Path) -> ForkServer | None:
        """Start one, without waiting until it is warm; what it says goes to the file ``said``. None where
        processes cannot be forked."""
        if not hasattr(os, "fork") or sys.platform not in ("linux", "darwin"):
            return None
        ours, theirs = socket.socketpair()
        with theirs, said.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "jbts_kernel.suite.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environ),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is the runner's to answer
            )
        return cls(process, ours, environ)

    def can(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether this command in this environment is a kernel that a fork can become."""
        ours = [os.path.abspath(sys.executable), *_LAUNCHER]
        given = [os.path.abspath(command[0]), *command[1:3]] if command else []
        return given == ours and _at_start(environment) == _at_start(self._environ) and not self._broken

    def fork(
        self, command: Sequence[str], environment: Mapping[str, str], folder: str, output: int, error: int
    ) -> ForkedKernel:
        """Fork the kernel that ``command`` would start. Waits until the process is there, not the kernel.

        Raises:
            ForkFailed: there is no warm process any more, or it forked nothing.
        """
        request = {"arguments": list(command[3:]), "folder": folder, "environment": dict(environment)}
        body = json.dumps(request).encode()
        if len(body) > LARGEST:
            raise ForkFailed("the environment is too large for a forked kernel")
        ours, theirs = os.pipe()
        try:
            with self._lock:
                self._wait_warm()
                try:
                    socket.send_fds(self._control, [LENGTH.pack(len(body))], [output, error, theirs])
                    self._control.sendall(body)
                except OSError as problem:
                    self._broken = True
                    raise ForkFailed(f"the process that kernels are forked from is gone ({problem})") from None
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return ForkedKernel.born(ours)

    def _wait_warm(self) -> None:
        if self._warm.is_set():
            return
        self._control.settimeout(START_SECONDS)
        try:
            said = self._control.recv(len(READY))
        except OSError:
            said = b""
        if said != READY:
            self._broken = True
            raise ForkFailed("the process that kernels are forked from did not come up")
        self._control.settimeout(None)
        self._warm.set()

    def close(self) -> None:
        """End the warm process, and with it every kernel it forked. Can be called twice."""
        self._broken = True
        self._control.close()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


class ForkedKernel:
    """A forked kernel, with the part of ``subprocess.Popen`` that jupyter_client uses. It is no child of this
    process: how it ended is told through a pipe."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, fate: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._fate = fate
        self._lock = threading.Lock()

    @classmethod
    def born(cls, fate: int) -> ForkedKernel:
        """The kernel that writes its process id into the pipe ``fate``. Raises :class:`ForkFailed`."""
        said = b""
        while not said.endswith(b"\n"):
            readable = select.select([fate], [], [], FORK_SECONDS)[0]
            piece = os.read(fate, 1) if readable else b""
            if not piece:
                os.close(fate)
                raise ForkFailed("the system forked no process: is there memory left?")
            said += piece
        os.set_blocking(fate, False)
        return cls(int(said), fate)

    def fileno(self) -> int:
        """What becomes readable when the kernel has ended; -1 when that is known already."""
        return self._fate

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with self._lock:
            if self.returncode is not None:
                return self.returncode
            try:
                said = os.read(self._fate, 64)
            except BlockingIOError:
                return None
            # Without a word the warm process was killed, and the system killed the kernel with it.
            self.returncode = int(said) if said else -signal.SIGKILL
            os.close(self._fate)
            self._fate = -1
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit status. Raises subprocess.TimeoutExpired."""
        while (status := self.poll()) is None:
            if not select.select([self._fate], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
