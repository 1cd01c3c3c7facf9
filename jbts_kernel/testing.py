"""What a plain Python test needs beside ``page`` and ``jbts``: a test's beginning and end, and a notebook's place.

Files that ``jbts export-test`` writes use it, and a test written by hand can::

    from jbts_kernel import page, testing

    def test_sign_in():
        with testing.execution("Sign in", tags=("smoke",)):
            page.navigate("/signin")
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from .current import current
from .recorder import Origin


@contextlib.contextmanager
def execution(name: str, **about: Any) -> Iterator[None]:
    """A test of its own in fresh browser contexts, recorded under this name; failed if what is inside raises.
    ``about`` is ``tags``, ``priority`` and ``category``."""
    bench = current()
    bench.test(name, **about)
    try:
        yield
    except BaseException as error:
        bench.fault(error)
        raise
    finally:
        bench.end_test()


@contextlib.contextmanager
def notebook(
    name: str, folder: Path, namespace: MutableMapping[str, Any], parameters: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Stand in for a notebook: files and snapshots are found in its folder, ``${name}`` in ``namespace``, and
    results are recorded under its name.

    ``parameters`` become variables there, and those in the environment's ``JBTS_PARAMETERS`` (a JSON object) after
    them. A snapshot without a baseline fails, as it does in every suite.
    """
    bench = current()
    told = {**(parameters or {}), **json.loads(os.environ.get("JBTS_PARAMETERS") or "{}")}
    before = bench.namespace, bench.folder, bench.recorder.origin
    namespace.update(told)
    bench.namespace, bench.folder = namespace, folder
    bench.recorder.origin = Origin("suite", name, told, run_id=before[2].run_id)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        bench.end_test()
        bench.namespace, bench.folder, bench.recorder.origin = before


@contextlib.contextmanager
def errors_allowed() -> Iterator[None]:
    """What is inside may raise: the test goes on, and is no worse for it."""
    bench = current()
    verdict = bench.recorder.verdict()
    try:
        yield
    except Exception:  # noqa: BLE001 - what is expected to raise is anybody's exception
        bench.recorder.restore(verdict)
