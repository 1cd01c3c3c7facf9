"""A port for a driver, which nobody else is given before the driver listens there.

Selenium asks the system for a free port, gives it back and tells the driver to take it. Whoever asks in between may be
given the same one, and the kernels of a suite ask all at once. Here the port stays bound, without listening, until the
driver has it: servers set ``SO_REUSEADDR`` or ``SO_REUSEPORT``, with which Linux lets them listen beside a socket that
has them too, and whoever asks for any free port is not given this one.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A free port of this machine, kept free for a driver that is started meanwhile."""
    with socket.socket() as holder:
        if sys.platform == "linux":
            for reuse in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                holder.setsockopt(socket.SOL_SOCKET, reuse, 1)
        holder.bind(("127.0.0.1", 0))
        port = int(holder.getsockname()[1])
        if sys.platform != "linux":  # where a port that is bound can be taken by nobody
            holder.close()
        yield port
