"""Papermill's record of a notebook while it runs, written to disk sparingly.

Papermill writes the whole notebook, with every picture in it, before and after each cell. Where a cell takes a
twentieth of a second that is a large part of it, so here a notebook is written when a cell ends and the last time is
some seconds ago, and at its end, always.
"""

from __future__ import annotations

import time
from typing import Any

from papermill.engines import NotebookExecutionManager

from .small_pictures import SmallPictures

SECONDS = 5.0
"""How much of a notebook a killed runner may lose; its steps are in the log whatever happens."""


class SparingManager(NotebookExecutionManager):  # type: ignore[misc]
    """What papermill calls ``nb_man``."""

    pictures: SmallPictures | None = None
    """What puts in the pictures that cards name; None where the kernel does."""
    _saved = 0.0

    def save(self, **about: Any) -> None:
        """Write the notebook, unless that was done a moment ago."""
        if time.monotonic() - self._saved >= SECONDS:
            if self.pictures is not None:
                self.pictures.put(self.nb)
            super().save(**about)
            self._saved = time.monotonic()

    def notebook_complete(self, **about: Any) -> None:
        """Note the end of the notebook, and write it."""
        self._saved = 0.0
        super().notebook_complete(**about)
