"""The small pictures in the cards of a notebook that runs in a suite, put in beside its kernel.

Making a picture small costs more than all else a kernel does for a step, and the next step would wait for it. Nobody
looks at a notebook while it runs in a suite. So its kernel only names the picture (:func:`..display.named`), and the
runner makes it small from the file, on threads of its own, before the notebook is written. Tests of one site see the
same pages again and again: what was made for one is there for the next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from ..browser.capture import stored, thumbnail
from ..display import NAMED, STEP_MIME, inline

THREADS = 2
KEPT = 100
"""Small pictures in memory, at most 40 kB each: those used last."""


class SmallPictures:
    """Those of one run, from the files in ``home``. Safe to use from several threads; use it as a context manager."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = Lock()
        self._made: OrderedDict[str, Future[bytes | None]] = OrderedDict()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jbts-pictures")

    def __enter__(self) -> SmallPictures:
        return self

    def __exit__(self, *about: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def ahead(self, cell: Any) -> None:
        """Begin to make those that a cell's outputs name."""
        for bundle in _cards(cell):
            for name in NAMED.findall(bundle["text/html"]):
                self._begin(name)

    def put(self, notebook: Any) -> None:
        """Put the pictures into the cards that name them. One whose file is gone stays named."""
        for cell in notebook.cells:
            for bundle in _cards(cell):
                bundle["text/html"] = NAMED.sub(self._source, bundle["text/html"])

    def _source(self, found: Any) -> str:
        small = self._begin(found[1]).result()
        return f'src="{inline(small)}"' if small is not None else str(found[0])

    def _begin(self, name: str) -> Future[bytes | None]:
        with self._lock:
            made = self._made.pop(name, None) or self._threads.submit(self._make, name)
            self._made[name] = made
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
            return made

    def _make(self, name: str) -> bytes | None:
        path = stored(self._home, name, "image/png")
        try:
            return thumbnail(path.read_bytes()) if path is not None else None
        except OSError:
            return None


def _cards(cell: Any) -> Iterator[Any]:
    """The outputs of a cell that are cards of steps."""
    for output in cell.get("outputs", ()):
        bundle = output.get("data", {})
        if STEP_MIME in bundle and isinstance(bundle.get("text/html"), str):
            yield bundle
