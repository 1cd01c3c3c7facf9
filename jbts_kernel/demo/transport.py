"""The socket shell: bytes to Request, Response to bytes, nothing that knows about a shop.

Three things the standard server leaves open are settled here. Keep-alive connections are kept track of, so
that `cut()` can end them all and a stopped shop leaves no thread. Late and never-ending answers wait on the
stop event or on the socket itself, never in a sleep. Answers leave in one write with Nagle off, or each would
cost 40 ms on loopback.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

from jbts_kernel.demo.exchange import Request, Response, parse_target

if TYPE_CHECKING:
    from jbts_kernel.demo.application import Application

_IDLE_S = 60.0  # an idle keep-alive connection, or a body that stops arriving
_MAX_HOLDERS = 16  # connections that may be held open at once by pages that never finish
_DRAIN_BYTES = 32 * 1024 * 1024  # read and thrown away after refusing a body, so the client gets to see why
_DRAIN_S = 2.0


class ShopServer(socketserver.ThreadingMixIn, HTTPServer):
    """Accepts connections, one daemon thread each, and can cut them all."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        self.application = application
        self.stopping = threading.Event()
        self.holders = threading.BoundedSemaphore(_MAX_HOLDERS)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Exchange)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's full name, which asks DNS and can take seconds."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection on a thread of its own."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="shop-connection",
            daemon=True,
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended, then close it."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that go away mid-answer; report everything else as usual."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def cut(self, deadline_s: float) -> None:
        """End every open connection and wait up to `deadline_s` seconds for their threads."""
        self.stopping.set()
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # its thread may have closed it since we copied the list
                connection.shutdown(socket.SHUT_RDWR)
        ends = time.monotonic() + deadline_s
        for thread in connections.values():
            thread.join(max(0.0, ends - time.monotonic()))


class _Exchange(BaseHTTPRequestHandler):
    """One connection's requests, one after the other."""

    server: ShopServer
    protocol_version = "HTTP/1.1"
    server_version = "CopperAndPine"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the shop runs beside notebooks and tests whose output people read."""

    def _serve(self) -> None:
        target = parse_target(self.path)
        limit = self.server.application.body_limit(self.command, target.path)
        body = self._body(limit)
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, target.query, headers, body)
        response = self.server.application.handle(request)
        if response.delay_s and self.server.stopping.wait(response.delay_s):
            self.close_connection = True
            return
        if response.hold:
            self._hold(response)
        else:
            self._write(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _body(self, limit: int) -> bytes | None:
        """The request's body; None when it was refused and answered here."""
        if "transfer-encoding" in self.headers:
            self._refuse(411, "Send the body with a Content-Length.")
            return None
        declared = self.headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            self._refuse(400, "Content-Length is not a number.")
            return None
        length = int(declared)
        if length > limit:
            self._refuse(413, f"At most {limit} bytes are taken here.", unread=length)
            return None
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        return body

    def _refuse(self, status: int, message: str, unread: int = 0) -> None:
        self.close_connection = True
        self._write(Response(status, message.encode(), "text/plain; charset=utf-8"))
        self.wfile.flush()
        # Closing with unread bytes resets the connection, and the client would see that, not the answer.
        ends = time.monotonic() + _DRAIN_S
        left = min(unread, _DRAIN_BYTES)
        while left > 0 and time.monotonic() < ends:
            chunk = self.rfile.read1(min(left, 65536))
            if not chunk:
                return
            left -= len(chunk)

    def _write(self, response: Response, promised: int | None = None) -> None:
        bodiless = response.status in (204, 304)
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body) if promised is None else promised))
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(response.body)

    def _hold(self, response: Response) -> None:
        """Send all that there is, promise more, and keep the connection until the client or the shop goes."""
        self.close_connection = True
        if not self.server.holders.acquire(blocking=False):
            self._write(Response(503, b"Too many pages are held open; close one.", "text/plain"))
            return
        try:
            self._write(response, promised=len(response.body) + 1)
            self.wfile.flush()
            if self.command != "HEAD":
                # Returns when the client goes or `cut()` ends the connection; nobody sends anything more.
                self.connection.settimeout(None)
                self.connection.recv(1, socket.MSG_PEEK)
        finally:
            self.server.holders.release()
