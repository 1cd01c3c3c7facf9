"""The event log: one append for each thing that happens, and everything else reads it.

:mod:`.envelope` is the line format, :mod:`.writer` appends, :mod:`.reader` follows. Nothing else in
the product writes to disk while a step runs.
"""

from __future__ import annotations

from .envelope import Record
from .reader import Tail
from .writer import Log

__all__ = ["Log", "Record", "Tail"]
