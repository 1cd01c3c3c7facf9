"""A real kernel, and what its front end would see."""

from __future__ import annotations

import http.server
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

PATIENCE = 60.0


@dataclass
class Reply:
    """What running one cell gave: its reply status, its streams, and the bundles it displayed."""

    status: str
    text: str = ""
    error: str = ""
    bundles: list[dict[str, Any]] = field(default_factory=list)

    @property
    def html(self) -> str:
        return "".join(b.get("text/html", "") for b in self.bundles)

    @property
    def plain(self) -> str:
        return "\n".join([self.text, *(b.get("text/plain", "") for b in self.bundles)])


class Kernel:
    """A running kernel: ``run`` executes a cell and waits for its end."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        arguments: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
    ) -> None:
        # Socket files instead of TCP ports: two kernels starting at once can pick the same port.
        self.sockets = tempfile.TemporaryDirectory(prefix="jbts-")
        self.manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{self.sockets.name}/k")
        self.manager.kernel_spec.argv = [
            *before, sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *arguments,
        ]  # fmt: skip
        self.closed = False
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, **environment})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(
        self,
        code: str,
        *,
        stop_on_error: bool = True,
        interrupt_when: Callable[[], bool] | None = None,
        tags: Sequence[str] = (),
    ) -> Reply:
        asked = self._ask(code, stop_on_error, tags)
        reply = Reply("")
        deadline = time.monotonic() + PATIENCE
        idle = False
        while not (idle and reply.status):
            assert time.monotonic() < deadline, f"no answer to {code!r}"
            if interrupt_when is not None and interrupt_when():
                self.manager.interrupt_kernel()
                interrupt_when = None
            if not idle:
                idle = self._hear(asked, reply)
            else:
                answer = self.client.get_shell_msg(timeout=PATIENCE)
                if answer["parent_header"].get("msg_id") == asked:
                    reply.status = answer["content"]["status"]
        return reply

    def _ask(self, code: str, stop_on_error: bool, tags: Sequence[str]) -> str:
        """Send a cell as JupyterLab does: with what the notebook says about it."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        content["stop_on_error"] = stop_on_error
        message = self.client.session.msg("execute_request", content, metadata={"tags": list(tags)})
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def _hear(self, asked: str, reply: Reply) -> bool:
        try:
            message = self.client.get_iopub_msg(timeout=0.2)
        except queue.Empty:
            return False
        if message["parent_header"].get("msg_id") != asked:
            return False
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            reply.text += content["text"]
        elif kind in ("display_data", "execute_result", "update_display_data"):
            reply.bundles.append(content["data"])
        elif kind == "error":
            reply.error = "\n".join(content["traceback"])
        return kind == "status" and content["execution_state"] == "idle"

    def restart(self) -> None:
        """As the front end's button does it."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=PATIENCE)

    def complete(self, code: str) -> list[str]:
        answer = self.client.complete(code, len(code), reply=True, timeout=PATIENCE)
        return list(answer["content"]["matches"])

    def inspect(self, code: str) -> str:
        """What Shift+Tab shows for the name at the end of ``code``."""
        answer = self.client.inspect(code, len(code), reply=True, timeout=PATIENCE)
        return str(answer["content"]["data"].get("text/plain", ""))

    def close(self) -> None:
        """End the kernel. Can be called twice."""
        if self.closed:
            return
        self.closed = True
        self.client.stop_channels()
        self.manager.shutdown_kernel()
        self.sockets.cleanup()


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels in a folder of their own, with the broadcast off unless the test turns it on."""
    started: list[Kernel] = []

    def start(*arguments: str, before: tuple[str, ...] = (), **environment: str) -> Kernel:
        surroundings = {"JBTS_BROADCASTER": "off", "JBTS_HOME": str(tmp_path / ".jbts")} | environment
        kernel = Kernel(tmp_path, surroundings, arguments, before)
        started.append(kernel)
        return kernel

    yield start
    for kernel in started:
        kernel.close()


@pytest.fixture
def kernel(start_kernel: Callable[..., Kernel]) -> Kernel:
    """A kernel with the extension, as a person in JupyterLab has it."""
    return start_kernel("--ext=jbts_kernel", JPY_SESSION_NAME="/somewhere/login.ipynb")


class _Silent(http.server.BaseHTTPRequestHandler):
    """A page with a button that stays disabled and a link that leads to an address that never answers."""

    def do_GET(self) -> None:
        if self.path == "/hang":
            self.server.stopping.wait()  # type: ignore[attr-defined]
            return
        body = (
            b"<!doctype html><title>here</title><link rel=icon href=data:,><button id=off disabled>off</button>"
            b"<a id=away href=/hang>away</a>"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The tests say what they need to know."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that answers / and never /hang."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Silent)
    server.daemon_threads = True
    server.stopping = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stopping.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join(10)
    server.server_close()
