"""Turns the files in `pages/` into answers.

A page is plain HTML with `[[slot]]` where a value goes. Values are escaped unless they are Markup, so a
handler that forgets about hostile text is safe by default. A slot without a value is a KeyError: better
a loud bug than a hole.
"""

from __future__ import annotations

import functools
import html
import re
import zlib
from pathlib import Path

from jbts_kernel.demo.exchange import Request, Response

_PAGES = Path(__file__).parent / "pages"
_SLOT = re.compile(r"\[\[([a-z_]+)\]\]")
_ASSET_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Markup(str):
    """Text that is HTML already."""


def fill(template: str, /, **slots: object) -> Markup:
    """`template` with its slots filled, everything but Markup escaped."""

    def value(match: re.Match[str]) -> str:
        given = slots[match[1]]
        return given if isinstance(given, Markup) else html.escape(str(given))

    return Markup(_SLOT.sub(value, template))


def part(name: str, /, **slots: object) -> Markup:
    """The piece of HTML in `pages/<name>.html`, filled."""
    return fill(_template(name), **slots)


def parts(pieces: list[Markup]) -> Markup:
    """Pieces put together, one a line."""
    return Markup("\n".join(pieces))


def page(
    request: Request,
    name: str,
    title: str,
    /,
    *,
    status: int = 200,
    script: bool = False,
    **slots: object,
) -> Response:
    """The page `name` inside the shop's frame; `script` adds the module of the same name."""
    session = request.session
    member = session.account
    frame = part(
        "frame",
        title=title,
        name=name,
        script=fill('<script type="module" src="/static/[[name]].js"></script>', name=name) if script else "",
        cart_count=sum(session.cart.values()),
        member=part("nav-guest") if member is None else part("nav-member", name=member.name),
        main=part(name, **slots),
    )
    return document(frame, status=status)


def document(text: str, *, status: int = 200, hold: bool = False) -> Response:
    """A whole HTML document, never cached."""
    headers = (("Cache-Control", "no-store"),)
    return Response(status, text.encode(), headers=headers, hold=hold)


def asset(request: Request, name: str) -> Response | None:
    """A stylesheet or script of `pages/`, revalidated by ETag; None for any other name."""
    found = _assets().get(name)
    return None if found is None else cached(request, *found)


def cached(request: Request, body: bytes, content_type: str) -> Response:
    """A body the browser may keep as long as it asks each time whether it is still the same."""
    tag = f'"{zlib.crc32(body):08x}"'
    headers = (("Cache-Control", "no-cache"), ("ETag", tag))
    if request.headers.get("if-none-match") == tag:
        return Response(304, headers=headers)
    return Response(200, body, content_type, headers)


@functools.cache
def _template(name: str) -> str:
    return (_PAGES / f"{name}.html").read_text(encoding="utf-8")


@functools.cache
def _assets() -> dict[str, tuple[bytes, str]]:
    return {
        path.name: (path.read_bytes(), _ASSET_TYPES[path.suffix])
        for path in _PAGES.iterdir()
        if path.suffix in _ASSET_TYPES
    }
