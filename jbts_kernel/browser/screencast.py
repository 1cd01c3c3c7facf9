"""A tab as it moves: the browser sends a picture when something is drawn anew.

One is on its way at a time: the browser waits until the last one was taken, so that a slow reader gets fewer
pictures and nothing piles up. https://chromedevtools.github.io/devtools-protocol/tot/Page/#method-startScreencast
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..errors import BrowserGone
from .session import Session

QUALITY, WIDTH, HEIGHT = 60, 1280, 1280


class Screencast:
    """Pictures of a session's current tab. ``show`` is called on the channel's thread, with a JPEG as base64 text;
    the next one comes after :meth:`taken`. Raises :class:`~jbts_kernel.errors.Unsupported` where there is none."""

    def __init__(self, session: Session, show: Callable[[str], None]) -> None:
        self.handle = session.handle
        self._show = show
        self._tab = session.devtools("a live picture", "the picture after each step stays")
        self._number: int | None = None
        self._browser = session.browser
        self._browser.screencasts[self._tab.session_id] = self._receive
        asked = {"format": "jpeg", "quality": QUALITY, "maxWidth": WIDTH, "maxHeight": HEIGHT}
        self._post("Page.startScreencast", asked)

    def _receive(self, params: dict[str, Any]) -> None:
        self._number = params["sessionId"]
        self._show(params["data"])

    def taken(self) -> None:
        """The last picture was seen: let the next one come."""
        number, self._number = self._number, None
        if number is not None:
            self._post("Page.screencastFrameAck", {"sessionId": number})

    def stop(self) -> None:
        """No more pictures. Can be called twice."""
        if self._browser.screencasts.pop(self._tab.session_id, None) is not None:
            self._post("Page.stopScreencast")

    def _post(self, method: str, params: dict[str, Any] | None = None) -> Future[dict[str, Any]] | None:
        try:
            return self._tab.post(method, params)
        except BrowserGone:
            return None
