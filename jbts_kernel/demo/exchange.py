"""What handlers see of HTTP: a Request in, a Response out, and the parsers between bytes and values.

Everything a browser sends is hostile until parsed: field counts, part counts and names are bounded here, so
that handlers deal in plain strings. The parsers raise `Refused`, which the application turns into a page or
JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from jbts_kernel.demo.sessions import Session

_MAX_FIELDS = 200
_MAX_PARTS = 50
_NAME = re.compile(rb'[;\s]name="([^"\r\n]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'[;\s]filename="([^"\r\n]*)"', re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)

Fields = Mapping[str, "list[str]"]


class Refused(Exception):
    """A request that cannot be served: HTTP `status`, a short `code` for programs, a `message` for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Target:
    """A request target split and decoded."""

    path: str
    query: Fields


@dataclass(frozen=True)
class Upload:
    """One uploaded file: the name the browser gave, and its content."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """One request. Header names are lower case; the application fills in `session` and `latency_s`."""

    method: str
    path: str
    query: Fields
    headers: Mapping[str, str]
    body: bytes
    session: Session = field(repr=False, default=None)  # type: ignore[assignment]
    latency_s: float = 0.0

    def arg(self, name: str, default: str = "") -> str:
        """The last value of a query parameter, or `default`."""
        return self.query.get(name, [default])[-1]

    def form(self) -> Fields:
        """The fields of a urlencoded body, blank ones included. Raises Refused (400)."""
        return parse_fields(self.body.decode("utf-8", "replace"))

    def json(self) -> dict[str, object]:
        """The body as a JSON object. Raises Refused (400)."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refused(400, "bad_json", "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise Refused(400, "bad_json", "The body has to be a JSON object.")
        return value

    def uploads(self) -> list[Upload]:
        """The files of a multipart body; empty file inputs are left out. Raises Refused (400)."""
        boundary = _BOUNDARY.search(self.headers.get("content-type", ""))
        if boundary is None:
            raise Refused(400, "bad_form", "The form has to be sent as multipart/form-data.")
        return parse_uploads(self.body, boundary[1].encode("ascii", "replace"))

    def cookie(self, name: str) -> str:
        """A cookie's value, or an empty string."""
        for pair in self.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return ""


@dataclass(frozen=True)
class Response:
    """One answer, and how it is to be sent.

    `delay_s` seconds pass before the first byte. `hold` sends the body and then never finishes. `forget`
    drops the session, `remember` makes its cookie outlive the browser.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    hold: bool = False
    forget: bool = False
    remember: bool = False


def json_response(value: object, status: int = 200, *, delay_s: float = 0.0, forget: bool = False) -> Response:
    """`value` as JSON, never cached."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(
        status,
        body,
        "application/json; charset=utf-8",
        (("Cache-Control", "no-store"),),
        delay_s=delay_s,
        forget=forget,
    )


def redirect(path: str) -> Response:
    """Go to `path` with GET, whatever the method was."""
    return Response(303, b"", "text/plain", (("Location", path), ("Cache-Control", "no-store")))


def local_path(path: str, default: str) -> str:
    """`path` when it stays on this shop, else `default`: a redirect must not lead to another site."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if inside and path.isascii() and path.isprintable() else default


def parse_target(target: str) -> Target:
    """Split `/path?query`. A query that cannot be read, or has too many fields, counts as empty."""
    try:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return Target(unquote(target.partition("?")[0]), {})
    return Target(unquote(parts.path) or "/", query)


def parse_fields(text: str) -> Fields:
    """Urlencoded text as lists of values by name. Raises Refused (400) for more than 200 fields."""
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Refused(400, "bad_form", f"A form may have at most {_MAX_FIELDS} fields.") from None


def parse_uploads(body: bytes, boundary: bytes) -> list[Upload]:
    """The files in a multipart body, in order. Raises Refused (400) when it is torn or has too many parts."""
    sections = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise Refused(400, "bad_form", "The upload is incomplete; send it again.")
    if len(sections) - 2 > _MAX_PARTS:
        raise Refused(400, "bad_form", f"At most {_MAX_PARTS} files at a time.")
    files = []
    for section in sections[1:-1]:
        head, blank, content = section.partition(b"\r\n\r\n")
        filename = _FILENAME.search(head)
        if not blank or _NAME.search(head) is None:
            raise Refused(400, "bad_form", "The upload has a part without a name.")
        if filename is not None and filename[1]:
            name = filename[1].decode("utf-8", "replace").replace("%22", '"')
            files.append(Upload(name.replace("\\", "/").rsplit("/", 1)[-1][:200], content))
    return files
