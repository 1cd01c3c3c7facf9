"""The tabs of a Chromium browser, with the frames and workers inside them, and its downloads: what DevTools tells.

One thread hears of them and others ask, so both hold the browser's condition; who waits on it is woken.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .session import Download

DOWNLOADS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Target:
    """A tab: its DevTools session and the context it lives in."""

    target_id: str
    session_id: str
    context_id: str
    opener: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Target:
        """The tab that a ``Target.attachedToTarget`` event tells of."""
        info = params["targetInfo"]
        return cls(info["targetId"], params["sessionId"], info.get("browserContextId", ""), info.get("openerId"))


class Targets:
    """What there is now, by the ids DevTools has for it."""

    def __init__(self, arrived: threading.Condition) -> None:
        self._arrived = arrived
        self._tabs: dict[str, Target] = {}
        self._gone: set[str] = set()
        self._tab_of: dict[str, str] = {}
        self._inner: set[str] = set()
        self._frames: dict[str, str] = {}

    def add(self, target: Target) -> None:
        """A tab is there."""
        with self._arrived:
            self._tabs[target.target_id] = target
            self._tab_of[target.session_id] = target.target_id
            self._arrived.notify_all()

    def remove(self, target_id: str) -> Target | None:
        """A tab is gone; it, if it was known."""
        with self._arrived:
            self._gone.add(target_id)
            target = self._tabs.pop(target_id, None)
            if target is not None:
                self._tab_of.pop(target.session_id, None)
            self._arrived.notify_all()
            return target

    def enter(self, session_id: str, parent: str, frame_id: str | None) -> None:
        """A worker, or a frame with a process of its own, is there; ``parent`` is the session it is in."""
        with self._arrived:
            self._inner.add(session_id)
            self._tab_of[session_id] = self._tab_of.get(parent, "")
            if frame_id is not None:
                self._frames[frame_id] = session_id

    def leave(self, session_id: str) -> bool:
        """A worker or frame is gone; whether it was one."""
        with self._arrived:
            known = session_id in self._inner
            if known:
                self._inner.discard(session_id)
                self._tab_of.pop(session_id, None)
                self._frames = {frame: held for frame, held in self._frames.items() if held != session_id}
            return known

    def get(self, target_id: str) -> Target | None:
        """A tab, if it is there."""
        return self._tabs.get(target_id)

    def settled(self, target_id: str) -> bool:
        """Whether it is known of a tab that it is there, or that it is gone."""
        return target_id in self._tabs or target_id in self._gone

    def tab_of(self, session_id: str) -> str:
        """The tab that a session belongs to, whether it is the tab's own or of something in it; empty for none."""
        return self._tab_of.get(session_id, "")

    def frame(self, frame_id: str) -> str | None:
        """The session of a frame that lives in a process of its own."""
        return self._frames.get(frame_id)

    def inside(self, target_id: str) -> list[str]:
        """The sessions of a tab's workers, and of its frames that live in processes of their own."""
        with self._arrived:
            return [one for one in self._inner if self._tab_of.get(one) == target_id]

    def of_context(self, context_id: str) -> list[Target]:
        """The tabs of a context, in the order they opened."""
        with self._arrived:
            return [target for target in self._tabs.values() if target.context_id == context_id]


class Downloads:
    """The browser's downloads, the newest of them, by key. A tab tells of one before the browser does."""

    def __init__(self, arrived: threading.Condition) -> None:
        self._arrived = arrived
        self.known: dict[str, Download] = {}
        self._contexts: dict[str, str] = {}

    def announce(self, key: str, context_id: str) -> None:
        """A tab of a context begins one."""
        self._contexts[key] = context_id
        for old in list(self._contexts)[:-DOWNLOADS_KEPT]:
            del self._contexts[old]

    def note(self, event: Mapping[str, Any]) -> None:
        """The browser begins one, or tells how far it is."""
        key, state = event["guid"], event.get("state")
        with self._arrived:
            if "suggestedFilename" in event:
                context = self._contexts.pop(key, "")
                self.known[key] = Download(key, event["suggestedFilename"], event.get("url", ""), "running", context)
                for old in list(self.known)[:-DOWNLOADS_KEPT]:
                    del self.known[old]
            elif key in self.known and state in ("completed", "canceled"):
                self.known[key] = replace(self.known[key], state=state)
            self._arrived.notify_all()
