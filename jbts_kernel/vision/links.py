"""Links of a page that lead nowhere: asked for from here, without cookies, so that nothing is done by asking."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from urllib.parse import urlsplit

MOST, SECONDS = 24, 0.8
_DOES = re.compile(r"log-?out|sign-?out|delete|remove|unsubscribe|cancel|download", re.IGNORECASE)
_GONE = frozenset((404, 410, 500, 502, 503))


class LinkCheck:
    """Asks for links while something else is done; :meth:`dead` collects the answers."""

    def __init__(self, links: Sequence[str], seconds: float = SECONDS) -> None:
        asked = [link for link in links if link.startswith(("http://", "https://")) and not _DOES.search(link)][:MOST]
        self._stopping = threading.Event()
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(8, "jbts-links") if asked else None
        self._asked: dict[Future[int], str] = {}
        if self._pool is not None:
            self._asked = {self._pool.submit(_status, link, seconds, self._stopping): link for link in asked}

    def dead(self) -> dict[str, int]:
        """The links answered as missing or broken, with their status. What does not answer in time, or not at
        all, is left out: that says nothing about the page."""
        done, _ = wait(self._asked, self._seconds)
        self.close()
        return {self._asked[f]: status for f in done if not f.cancelled() and (status := f.result()) in _GONE}

    def close(self) -> None:
        """Ask no more. Can be called twice."""
        self._stopping.set()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _status(link: str, seconds: float, stopping: threading.Event) -> int:
    """The status of a link; 0 where there is no answer. Some servers know GET only, so a bad answer is asked twice."""
    parts = urlsplit(link)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    status = 0
    for method in ("HEAD", "GET"):
        if stopping.is_set():
            return 0
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.request(method, path, headers={"User-Agent": "jbts-kernel", "Connection": "close"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        if status not in _GONE:
            return status
    return status
