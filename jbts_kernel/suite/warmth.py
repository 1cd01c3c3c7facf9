"""What a run keeps warm for its notebooks: the process their kernels are forked from, and browsers to borrow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..browser.launch import LaunchSpec
from ..browser.lending import Lender, lendable
from ..config import JBTS
from ..errors import JBTSError
from .forking import ForkServer
from .selection import Case

MENTIONED = b"jbts"
"""What a notebook has in it that may use a browser."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """``server`` forks kernels, ``lender`` lends browsers; each None where it is done the ordinary way."""

    server: ForkServer | None = None
    lender: Lender | None = None


COLD = Warmth()


@contextlib.contextmanager
def warm(home: Path, environ: Mapping[str, str], cases: Sequence[Case], workers: int, said: Path) -> Iterator[Warmth]:
    """Begin to warm up for these cases; everything is ended when the block is left.

    A browser is started ahead for each notebook that may run at a time, if any of them looks as if it used one.
    """
    with contextlib.ExitStack() as stack:
        server = ForkServer.start(environ, said)
        if server is None:
            yield COLD
            return
        stack.callback(server.close)
        lender = stack.enter_context(Lender(home, keep=workers + 1))
        using = [case for case in cases if _mentions(case.path)]
        for browser in dict.fromkeys(case.browser for case in using):
            count = sum(case.browser == browser for case in using)
            spec = _usual(environ, browser)
            if spec is not None:
                # One more than may run: a notebook asks for its own while the one before it gives back.
                lender.expect(spec, min(workers, count), int(count > workers))
        yield Warmth(server, lender)


def _mentions(path: Path) -> bool:
    try:
        return MENTIONED in path.read_bytes()
    except OSError:
        return False


def _usual(environ: Mapping[str, str], browser: str | None) -> LaunchSpec | None:
    """What a notebook that says nothing about its browser starts; None where that cannot be lent or started."""
    try:
        spec = JBTS(environ=environ).launch_spec(browser)
    except JBTSError:
        return None  # the notebook that asks for it is told
    return spec if lendable(spec) else None
