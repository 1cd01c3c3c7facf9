"""``python -m jbts_kernel.suite.forkserver FD``: a process with everything imported, from which kernels are forked.

Starting Python, ipykernel, IPython, Selenium and this package takes half a second of a processor for each notebook,
and the outcome is the same each time. Here it is done once. A fork of this process becomes a kernel in a fraction of
that, and nothing of one kernel can reach the next, because each is a process of its own: what they share is what
they would all have imported.

A process with threads or sockets cannot be forked safely, so this one has neither: one thread, and the two descriptors
it waits on. The runner (:mod:`.forking`) holds the other end of ``FD``. Each request comes with the descriptors of the
kernel's output and of a pipe for its fate: the kernel writes its process id there, and this process how it ended.
When the runner closes its end, or dies in whatever way, every kernel is killed and this process ends; when this
process dies, the system kills the kernels (Linux) or they notice themselves (ipykernel looks once a second).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("!I")
READY = b"ready\n"
LARGEST = 8 << 20
"""Bytes of a request: an environment has its bounds, too."""
_PR_SET_PDEATHSIG = 1
WARM = (
    "IPython.core.completerlib",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "IPython.core.ultratb",
    "IPython.extensions.storemagic",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "jbts_kernel.broadcast.events",
    "jbts_kernel.browser.chromium",
    "jbts_kernel.browser.chromium_session",
    "jbts_kernel.browser.pool",
    "jbts_kernel.browser.recovery",
    "jbts_kernel.completion",
    "jbts_kernel.magics",
    "jbts_kernel.pipeline",
    "jbts_kernel.vision.rules",
    "PIL.WebPImagePlugin",
    "selenium.webdriver.chrome.webdriver",
    "selenium.webdriver.common.action_chains",
    "selenium.webdriver.support.ui",
    "sqlite3",
    "tornado.platform.asyncio",
    "websockets.sync.client",
)


@dataclass(frozen=True, slots=True)
class Request:
    """The kernel to become: the arguments of ipykernel's launcher, its folder and whole environment."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]


def warm() -> None:
    """Import what a notebook's kernel imports. A module that cannot be imported is the notebook's business."""
    # ipykernel imports what a front end would debug with; a suite has none.
    with without("debugpy"), contextlib.suppress(ImportError):
        importlib.import_module("ipykernel.debugger")
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from PIL import Image

    Image.preinit()  # the usual formats


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """What is imported inside takes these modules for missing, unless they are here already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


class Server:
    """Forks kernels for whoever holds the other end of ``control``, and tells how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._fates: dict[int, int] = {}
        """The pipe each kernel's end is told through, by process id."""
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def serve(self) -> Request | None:
        """Serve until the runner is gone: None, and every kernel has ended. In each forked child: what it is to be."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._control.sendall(READY)
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    while os.read(self._woken, 512):
                        pass
            self._reap(os.WNOHANG)
            if self._control.fileno() in ready:
                received = self._receive()
                if received is None:
                    self._end()
                    return None
                request = self._fork(*received)
                if request is not None:
                    return request

    def _receive(self) -> tuple[Request, list[int]] | None:
        """The next request with its descriptors; None when the runner is gone."""
        head, descriptors, _, _ = socket.recv_fds(self._control, LENGTH.size, 3)
        while head and len(head) < LENGTH.size:
            head += self._control.recv(LENGTH.size - len(head))
        if not head:
            return None
        body = bytearray()
        (size,) = LENGTH.unpack(head)
        while len(body) < size:
            piece = self._control.recv(min(size - len(body), 1 << 16))
            if not piece:
                return None
            body += piece
        found: dict[str, Any] = json.loads(bytes(body))
        return Request(found["arguments"], found["folder"], found["environment"]), descriptors

    def _fork(self, request: Request, descriptors: list[int]) -> Request | None:
        output, error, fate = descriptors
        parent = os.getpid()
        try:
            child = os.fork()
        except OSError:
            child = -1  # the pipe ends without a word: the runner says that no kernel came up
        if child == 0:
            self._become_child(parent, output, error, fate, request)
            return request
        os.close(output)
        os.close(error)
        if child > 0:
            self._fates[child] = fate
        else:
            os.close(fate)
        return None

    def _become_child(self, parent: int, output: int, error: int, fate: int, request: Request) -> None:
        """Leave everything of the server behind, as a new process would not have it either."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        if self._libc is not None:
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the system was told
                os._exit(1)
        os.write(fate, b"%d\n" % os.getpid())
        null = os.open(os.devnull, os.O_RDWR)
        for source, place in ((null, 0), (output, 1), (error, 2)):
            os.dup2(source, place)
        self._control.close()
        for descriptor in {null, output, error, fate, self._woken, self._waker, *self._fates.values()} - {0, 1, 2}:
            os.close(descriptor)
        os.chdir(request.folder)
        os.environ.clear()
        os.environ.update(request.environment)
        os.environ["JPY_PARENT_PID"] = str(parent)
        time.tzset()

    def _reap(self, options: int) -> None:
        while self._fates:
            try:
                child, status = os.waitpid(-1, options)
            except ChildProcessError:
                return
            if child == 0:
                return
            fate = self._fates.pop(child, -1)
            if fate >= 0:
                with contextlib.suppress(BrokenPipeError):
                    os.write(fate, b"%d\n" % os.waitstatus_to_exitcode(status))
                os.close(fate)

    def _end(self) -> None:
        for child in self._fates:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    kill(child, signal.SIGKILL)
        self._reap(0)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if sys.path[0] in ("", os.getcwd()):  # as ipykernel's launcher does; an installation may have put it there again
        del sys.path[0]
    warm()
    if threading.active_count() != 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        sys.exit(f"importing started threads ({names}): a process with threads cannot be forked")
    gc.collect()
    gc.freeze()  # what all kernels share stays shared
    request = Server(control).serve()
    if request is None:
        return
    from ipykernel.kernelapp import IPKernelApp

    sys.argv[:] = ["ipykernel_launcher", *request.arguments]
    IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
