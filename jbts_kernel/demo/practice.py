"""The practice pages under `/tools`: one awkward corner of the web each, made to be tested on purpose."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from jbts_kernel.demo.catalogue import PRODUCTS, money
from jbts_kernel.demo.exchange import Refused, Request, Response, json_response
from jbts_kernel.demo.layout import Markup, document, page, part, parts

_TITLES = {
    "dialogs": "Dialogs",
    "frames": "Frames",
    "tabs": "Tabs and windows",
    "drag": "Drag and drop",
    "keys": "Keys and mouse",
    "waiting": "Waiting",
    "fields": "Fields",
    "defects": "Seeded defects",
    "scroll": "Endless scroll",
    "canvas": "Canvas",
}
_SCRIPTLESS = {"frames"}
_LONGEST_WAIT_MS = 30_000
_SLOW_DOWNLOAD = 4  # times the latency of everything else
_LISTS = ("extras", "finishes")  # fields of /tools/fields that can have several values
_ECHO_LONGEST = 2000


def index(request: Request) -> Response:
    """All practice pages with a word on each."""
    return page(request, "tools", "Tools")


def tool(request: Request, name: str) -> Response:
    """One practice page."""
    if name not in _TITLES:
        raise Refused(404, "not_found", "There is no such practice page.")
    return page(request, name, _TITLES[name], script=name not in _SCRIPTLESS)


def newsletter(request: Request) -> Response:
    """What the frame on `/tools/frames` shows; has a frame of its own."""
    return document(part("newsletter"))


def preferences(request: Request) -> Response:
    """The frame inside the frame."""
    return document(part("preferences"))


def files(request: Request) -> Response:
    """The upload form and the downloads."""
    return _files(request, [], "")


def upload(request: Request) -> Response:
    """What arrived: name and size of every file; 422 when nothing was chosen."""
    received = request.uploads()
    if not received:
        return _files(request, [], "Choose at least one file.", 422)
    listed = [
        part(
            "uploaded",
            name=file.name,
            size=f"{len(file.content):,} byte{'' if len(file.content) == 1 else 's'}",
        )
        for file in received
    ]
    return _files(request, listed, "")


def catalogue(request: Request) -> Response:
    """The products as CSV, as a download."""
    return _download("catalogue.csv", 0.0)


def catalogue_slow(request: Request) -> Response:
    """The same download, four times the shop's latency late."""
    return _download("catalogue-slow.csv", request.latency_s * _SLOW_DOWNLOAD)


def fields_echo(request: Request) -> Response:
    """The submitted form as JSON; the password only by its length."""
    echo: dict[str, object] = {}
    for name, values in request.form().items():
        cut = [value[:_ECHO_LONGEST] for value in values]
        echo[name[:100]] = cut if name in _LISTS else cut[-1]
    if isinstance(password := echo.get("password"), str):
        echo["password"] = f"({len(password)} characters)"
    return json_response(echo)


def status(request: Request, code: str) -> Response:
    """A small page with any status from 200 to 599."""
    if not (code.isascii() and code.isdigit() and len(code) == 3 and 200 <= int(code) <= 599):
        raise Refused(404, "not_found", "Ask for a status from 200 to 599.")
    number = int(code)
    try:
        phrase = HTTPStatus(number).phrase
    except ValueError:
        phrase = "No standard name"
    return page(request, "status", f"{number} {phrase}", status=number, code=number, phrase=phrase)


def slow(request: Request) -> Response:
    """A page that arrives `?ms=` late, 500 when left out, at most 30000."""
    text = request.arg("ms", "500")
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _LONGEST_WAIT_MS):
        raise Refused(422, "bad_ms", f"ms has to be a whole number from 0 to {_LONGEST_WAIT_MS}.")
    return replace(page(request, "slow", "Slow page", ms=int(text)), delay_s=int(text) / 1000)


def hang(request: Request) -> Response:
    """A page that never finishes loading."""
    return document(part("hang"), hold=True)


def _files(request: Request, listed: list[Markup], error: str, status_code: int = 200) -> Response:
    return page(
        request,
        "files",
        "Files",
        status=status_code,
        listed=parts(listed),
        error=error,
        error_hidden=Markup("" if error else "hidden"),
        nothing_hidden=Markup("hidden" if listed else ""),
    )


def _download(filename: str, delay_s: float) -> Response:
    rows = ["slug,name,price,in_stock"]
    rows += [
        f"{item.slug},{item.name},{money(item.price_cents)},{'yes' if item.in_stock else 'no'}" for item in PRODUCTS
    ]
    headers = (
        ("Content-Disposition", f'attachment; filename="{filename}"'),
        ("Cache-Control", "no-store"),
    )
    return Response(200, "\r\n".join([*rows, ""]).encode(), "text/csv; charset=utf-8", headers, delay_s=delay_s)
