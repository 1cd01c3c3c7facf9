"""What the demo shop's pages promise those who test against them: ids, labels, titles, pictures, defects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest

from jbts_kernel.demo import Shop
from jbts_kernel.demo.catalogue import PRODUCTS

TOOLS = (
    *(
        "dialogs",
        "frames",
        "files",
        "tabs",
        "drag",
        "keys",
        "waiting",
        "fields",
        "defects",
        "scroll",
        "canvas",
    ),
    *("newsletter", "preferences"),
)
PROMISED = {
    "/": "search q products loading result-count sort in-stock empty toast cart-count nav-signin",
    "/product/walnut-tray": "quantity add-to-cart rating size-guide",
    "/signin": "signin-form email password remember signin error",
    "/cart": "cart total checkout cart-empty",
    "/tools/dialogs": "alert confirm confirm-result prompt prompt-result open-modal modal close-modal",
    "/tools/frames": "newsletter",
    "/tools/newsletter": "newsletter-email subscribe subscribed preferences",
    "/tools/files": "upload-form file upload uploaded download-catalogue download-slow",
    "/tools/tabs": "open-tab open-window",
    "/tools/drag": "queue drop dropped knob",
    "/tools/keys": "keys pressed notes menu menu-items double right",
    "/tools/waiting": "busy veil under start vanish",
    "/tools/fields": "echo",
    "/tools/scroll": "feed",
    "/tools/canvas": "board where",
}
CATEGORIES = {
    *(
        "http_error",
        "error_text",
        "blank",
        "clipped_text",
        "overlap",
        "off_screen",
        "overflow",
        "broken_image",
    ),
    *(
        "covered",
        "spinner",
        "encoding",
        "placeholder",
        "contrast",
        "label",
        "accessibility",
        "console",
        "network",
    ),
    *("layout", "content", "other"),
}


class Markup(HTMLParser):
    """Collects what a page's elements promise: ids, test ids, labels, defects."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.mismatched: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[str] = []
        self.defects: list[str] = []
        self._in_label = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        self.ids += [at["id"]] if "id" in at else []
        self.defects += [at["data-defect"]] if "data-defect" in at else []
        if "id" in at and at.get("data-testid", at["id"]) != at["id"]:
            self.mismatched.append(at["id"])
        self._in_label += tag == "label"
        self.labels |= {at["for"]} if "for" in at else set()
        named = self._in_label or "aria-label" in at or at.get("type") == "hidden"
        if tag in ("input", "select", "textarea") and not named:
            self.fields.append(at.get("id", "(no id)"))

    def handle_endtag(self, tag: str) -> None:
        self._in_label -= tag == "label"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(latency_ms=0) as running:
        yield running


def get(shop: Shop, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers by lower-case name, and text of one GET."""
    asked = Request(shop.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(asked, timeout=10) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, {k.lower(): v for k, v in refused.headers.items()}, refused.read().decode()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/product/walnut-tray",
        "/signin",
        "/cart",
        "/size-guide",
        "/tools",
        *(f"/tools/{t}" for t in TOOLS),
    ],
)
def test_pages_are_whole_and_usable(shop: Shop, path: str) -> None:
    """Pages are uncached HTML with a title, unique ids that equal test ids, and a label for each field."""
    status, headers, text = get(shop, path)
    markup = Markup(text)
    assert status == 200 and headers["cache-control"] == "no-store"
    assert re.search(r"<title>[\w ]+ - Copper &amp; Pine</title>", text)
    assert "[[" not in text and "http://" not in text and "https://" not in text
    assert len(markup.ids) == len(set(markup.ids)) and not markup.mismatched
    assert set(PROMISED.get(path, "").split()) <= set(markup.ids)
    unlabelled = set(markup.fields) - markup.labels
    assert unlabelled == ({"defect-label"} if path == "/tools/defects" else set())
    for asset in re.findall(r'(?:src|href)="(/(?:static|pictures)/[^"]+|/favicon.ico)"', text):
        assert get(shop, asset)[0] == (404 if "missing" in asset else 200)


def test_practice_pages_are_all_listed(shop: Shop) -> None:
    """The index links every practice page, and every link on it leads somewhere."""
    links = set(re.findall(r'href="/tools/(\w+)', get(shop, "/tools")[2]))
    assert links == set(TOOLS) - {"newsletter", "preferences"} | {"status", "slow", "hang"}


def test_seeded_defects_use_the_finding_categories(shop: Shop) -> None:
    """The defects page names each seeded defect by a category that findings have."""
    defects = set(Markup(get(shop, "/tools/defects")[2]).defects)
    assert defects <= CATEGORIES and len(defects) >= 14


def test_every_product_has_a_drawing(shop: Shop) -> None:
    """Each of the twelve pictures is well-formed SVG; the browser's copy is revalidated by its tag."""
    assert len(PRODUCTS) == 12
    for product in PRODUCTS:
        assert ElementTree.fromstring(get(shop, f"/pictures/{product.slug}.svg")[2]).tag.endswith("svg")
    path = "/pictures/walnut-tray.svg"
    assert get(shop, path, If_None_Match="x")[0] == 200
    assert get(shop, path, If_None_Match=get(shop, path)[1]["etag"])[0] == 304


@pytest.mark.parametrize(
    ("code", "status"),
    [("200", 200), ("204", 204), ("404", 404), ("418", 418), ("599", 599), ("600", 404), ("abc", 404)],
)
def test_any_status_can_be_asked_for(shop: Shop, code: str, status: int) -> None:
    """`/tools/status/N` answers N with a small page, and 404 for what is no status."""
    answered, _, body = get(shop, f"/tools/status/{code}")
    assert answered == status and ("<h1" in body) == (status != 204)


def test_the_feed_ends(shop: Shop) -> None:
    """The feed answers twenty entries at a time and none after the two-hundredth."""
    pages = [json.loads(get(shop, f"/api/feed?after={n}")[2])["entries"] for n in (0, 180, 200)]
    assert [[entry["number"] for entry in page] for page in pages] == [
        [*range(1, 21)],
        [*range(181, 201)],
        [],
    ]
