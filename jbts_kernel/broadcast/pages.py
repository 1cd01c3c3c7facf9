"""What the hub says over plain HTTP: the live page with its files, artifacts, figures.

Everything from a tested page is hostile here too. The live page runs the hub's own script and nothing else
(its policy says so), an artifact is found by the hash of its bytes and by nothing a request could bend into
a path, and a page source that was kept as evidence is served as plain text, never as a page.

All addresses in the page are relative, so it also works behind a proxy that puts something in front of them.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ..assets import asset
from .exchange import Exchange

MAX_ARTIFACT = 16 << 20
"""Bytes of an artifact that is still served."""

ARTIFACTS = "artifacts"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXT = "text/plain; charset=utf-8"
_KINDS = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "html": _TEXT, "json": _TEXT, "txt": _TEXT}
"""What may be served, by the ending it is kept under."""

_FOR_EVER = ("Cache-Control", "private, max-age=31536000, immutable")
_LIVE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page: the project's data folder, what the hub knows, and what stands behind the
    route's own path (for routes that end in ``/``)."""

    home: Path
    exchange: Exchange
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer over plain HTTP."""

    body: bytes
    mime: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Route:
    """A page of the hub beside ``/ws``. Without ``public`` it wants the token; with ``reads`` it may take
    as long as a disk does, and is answered beside the loop."""

    answer: Callable[[Visit], Page]
    public: bool = False
    reads: bool = False


def find(routes: Mapping[str, Route], path: str) -> tuple[Route, str] | None:
    """The route for a path and what is behind it. A route that ends in ``/`` answers for all below it."""
    if path in routes:
        return routes[path], ""
    parent, slash, rest = path.rpartition("/")
    route = routes.get(parent + slash) if parent else None
    return (route, rest) if route is not None else None


def health(visit: Visit) -> Page:
    """``/health``: the hub answers."""
    return Page(b'{"ok":true}', "application/json")


def live(visit: Visit) -> Page:
    """``/``: the live page, titled with the project's folder."""
    name = html.escape(visit.home.parent.name or "tests")
    text = asset("live.html").read_text("utf-8").replace("{project}", name)
    headers = (("Content-Security-Policy", _LIVE_POLICY), ("Referrer-Policy", "no-referrer"))
    return Page(text.encode(), "text/html; charset=utf-8", headers)


def _file(name: str, mime: str) -> Route:
    """One of the live page's own files: the same for everyone, so it needs no token."""
    return Route(lambda visit: Page(asset(name).read_bytes(), mime), public=True)


def artifact(visit: Visit) -> Page:
    """``/artifact/SHA256``: a picture or a text of the evidence, by the hash of its bytes."""
    digest = visit.rest
    if _SHA256.fullmatch(digest):
        for ending, mime in _KINDS.items():
            # The name is made of 64 hexadecimal digits: there is no way up or out in it, and no link is followed.
            with contextlib.suppress(FileNotFoundError):
                data = _bytes(visit.home / ARTIFACTS / digest[:2] / f"{digest}.{ending}")
                if data is None:
                    limit = f"larger than {MAX_ARTIFACT >> 20} MiB, or no plain file\n"
                    return Page(limit.encode(), status=HTTPStatus.FORBIDDEN)
                return Page(data, mime, (_FOR_EVER, ("Content-Security-Policy", "default-src 'none'; sandbox")))
    return Page(b"no such artifact; ask by its SHA-256\n", status=HTTPStatus.NOT_FOUND)


def _bytes(path: Path) -> bytes | None:
    """What is in a file; None where it is too large, or not a plain file. Raises FileNotFoundError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    with open(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_ARTIFACT:
            return None
        return file.read(MAX_ARTIFACT)


ROUTES: Mapping[str, Route] = {
    "/": Route(live),
    "/live.js": _file("live.js", "text/javascript; charset=utf-8"),
    "/live-state.js": _file("live-state.js", "text/javascript; charset=utf-8"),
    "/client.js": _file("client.js", "text/javascript; charset=utf-8"),
    "/live.css": _file("live.css", "text/css; charset=utf-8"),
    "/health": Route(health, public=True),
    "/artifact/": Route(artifact, reads=True),
}
"""What every hub serves."""
