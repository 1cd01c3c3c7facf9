"""A session for a block of code: clean when it begins, given back however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from ..errors import StepProblem
from ..models import Artifact
from .actionability import Deadline
from .capture import png_size, store, viewport
from .covering import hidden, paint
from .session import Session

PICTURE_SECONDS = 5.0


class Lease:
    """Made by :meth:`~jbts_kernel.browser.pool.BrowserPool.lease`; ``with`` and ``async with`` give its
    session. Where the block raises, the page is pictured before it is gone: ``picture`` holds the PNG,
    ``artifact`` the kept file, and the error has a note that says where it is. What ``secrets`` gives at that
    moment is painted over."""

    def __init__(
        self,
        acquire: Callable[[], Session],
        home: Path | None,
        secrets: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._acquire = acquire
        self._home = home
        self._secrets = secrets
        self._session: Session | None = None
        self.picture: bytes | None = None
        self.artifact: Artifact | None = None

    def __enter__(self) -> Session:
        self._session = self._acquire()
        return self._session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if isinstance(error, Exception):
                self._look(session, error)
        finally:
            session.close()

    async def __aenter__(self) -> Session:
        # In a thread, as it may wait for a browser and a loop must not.
        obtained = asyncio.get_running_loop().run_in_executor(None, self.__enter__)
        try:
            return await asyncio.shield(obtained)
        except asyncio.CancelledError:
            obtained.add_done_callback(lambda _: self.__exit__(None, None, None))
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self.__exit__, kind, error, trace))

    def _look(self, session: Session, error: Exception) -> None:
        try:
            self.picture = self._picture(session)
            if self.picture is not None and self._home is not None:
                self.artifact = store(self._home, self.picture, "failure", "image/png", png_size(self.picture))
                error.add_note(f"the page at that moment: {self._home / self.artifact.path}")
        except (StepProblem, OSError) as problem:
            error.add_note(f"no picture of the page: {problem}")

    def _picture(self, session: Session) -> bytes | None:
        png, secrets = viewport(session, PICTURE_SECONDS), self._secrets()
        if png is None or not secrets:
            return png
        return paint(session, png, hidden(session, Deadline(PICTURE_SECONDS), secrets), (0, 0))
