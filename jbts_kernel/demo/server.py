"""The shop as a thing that starts and stops.

Kept apart from the application and the sockets so that `from jbts_kernel.demo import Shop` costs next to
nothing: both are imported by `start()`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from jbts_kernel.demo.transport import ShopServer

_STOP_DEADLINE_S = 5.0
_ACCEPT_POLL_S = 0.05  # how long `stop()` may wait for the accepting thread to look up


class Shop:
    """The demo shop, listening on `host` from `start()` to `stop()`.

    `port=0` takes any free port; `url` tells which. `latency_ms` is how late the product list and the feed
    answer, so that pages fill in after they load. State lives in memory: a shop that is started again has
    forgotten everything.

        with Shop() as shop:
            print(shop.url)
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, latency_ms: int = 150) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port {port} is not a port: give 0 (any free one) to 65535")
        if not 0 <= latency_ms <= 60_000:
            raise ValueError(f"latency_ms {latency_ms} is out of range: give 0 to 60000")
        self.host = host
        self.port = port
        self.latency_ms = latency_ms
        self._server: ShopServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The shop's origin, such as `http://127.0.0.1:41234`, without a slash at the end.

        Raises RuntimeError while the shop is not running, since only a running shop knows its port.
        """
        if self._server is None:
            raise RuntimeError("the shop is not running: call start() first")
        return f"http://{self.host}:{self._server.server_port}"

    def start(self) -> Self:
        """Listen and answer on a background thread; returns this shop, ready for requests.

        Raises OSError when the address cannot be had, RuntimeError when the shop runs already.
        """
        if self._server is not None:
            raise RuntimeError(f"the shop is running already, at {self.url}")
        from jbts_kernel.demo.application import Application
        from jbts_kernel.demo.transport import ShopServer

        application = Application(latency_s=self.latency_ms / 1000)
        try:
            server = ShopServer((self.host, self.port), application)
        except OSError as error:
            place = f"{self.host}:{self.port}"
            raise OSError(
                error.errno, f"cannot listen on {place} ({error.strerror}): port=0 takes any free port"
            ) from error
        thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": _ACCEPT_POLL_S},
            name="shop-accept",
            daemon=True,
        )
        thread.start()
        self._server, self._thread = server, thread
        return self

    def stop(self) -> None:
        """Stop listening, cut every connection and wait for the threads to end. Harmless when not running."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join(_STOP_DEADLINE_S)
        server.server_close()
        server.cut(_STOP_DEADLINE_S)

    def serve_forever(self) -> None:
        """Serve in the foreground until `stop()` is called from elsewhere or Ctrl+C, which is passed on.

        Starts the shop when it is not running, so a caller can `start()`, print `url`, then call this.
        """
        if self._server is None:
            self.start()
        thread = self._thread
        try:
            if thread is not None:
                thread.join()
        finally:
            self.stop()

    def __enter__(self) -> Self:
        if self._server is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
