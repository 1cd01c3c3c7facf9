"""Time-sortable identifiers for runs, executions, steps and events.

Ids are UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then a counter that keeps
the ids of one process in order within a millisecond, then randomness. Sorting ids as text sorts
them by time, so a table clustered by id is clustered by time.
"""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def new_id(now_ns: int | None = None) -> str:
    """A new id, 36 characters, greater than every id this process made before.

    ``now_ns`` (nanoseconds since the epoch) stands in for the clock. A clock that steps back does
    not break the order: the last millisecond seen is used until the clock has caught up.
    """
    global _last_ms, _counter
    ms = (time.time_ns() if now_ns is None else now_ns) // 1_000_000
    with _lock:
        if ms > _last_ms:
            _last_ms, _counter = ms, 0
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        ms, count = _last_ms, _counter
    tail = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = ms << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | tail
    h = f"{value:032x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
