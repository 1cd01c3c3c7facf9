"""Secrets in what cells themselves print and show: masked too, as everything else that leaves the kernel is.

Cards and rows are masked where they are made. What is left is ``print(password)``, a value that a cell ends with, and a
display of the tester's own. A text that comes in several writes is not put together again for this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .secrets import Secrets


class Printed:
    """Masks the outputs of one shell, between :meth:`load` and :meth:`unload`."""

    def __init__(self, shell: Any, secrets: Secrets) -> None:
        self._publishers = [p for p in (shell.display_pub, shell.displayhook) if hasattr(p, "register_hook")]
        self._secrets = secrets
        self._streams: list[tuple[Any, Callable[[str], Any]]] = []

    def load(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            write = self._masking(stream.write)
            stream.write = write  # type: ignore[method-assign]
            self._streams.append((stream, write))
        for publisher in self._publishers:
            publisher.register_hook(self._message)

    def unload(self) -> None:
        for stream, write in self._streams:
            if vars(stream).get("write") is write:
                del stream.write
        self._streams.clear()
        for publisher in self._publishers:
            publisher.unregister_hook(self._message)

    def _masking(self, write: Callable[[str], Any]) -> Callable[[str], Any]:
        def masked(text: str) -> Any:
            return write(self._secrets.mask(text) if self._secrets.values and isinstance(text, str) else text)

        return masked

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = (message["content"].get("data") if self._secrets.values else None) or {}
        for mime, value in data.items():
            if mime.startswith("text/") and isinstance(value, str):
                data[mime] = self._secrets.mask(value)
        return message
