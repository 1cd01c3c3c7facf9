"""What the demo shop does for its visitors, over real sockets: cart, sign-in, checkout, tokens, sessions."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from jbts_kernel.demo import Shop
from jbts_kernel.demo.catalogue import PRODUCTS
from jbts_kernel.demo.sessions import Sessions

ADA = {"email": "ada@example.com", "password": "copper-pine"}
ORDER = {
    "name": "Ada <Lovelace>",
    "address": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "gb",
    "delivery": "2027-03-04",
    "gift-colour": "#b4622d",
    "card": "4242 4242 4242 4242",
    "terms": "yes",
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> dict[str, Any]:
        assert self.headers["content-type"].startswith("application/json")
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Visitor:
    """One browser's worth of cookies; a connection of its own for every request."""

    url: str
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        sent = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        if self.cookie:
            sent["Cookie"] = f"theme=light; {self.cookie}"
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            answer = Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def form(self, path: str, values: dict[str, str]) -> Answer:
        return self.ask("POST", path, urlencode(values).encode())

    def call(self, method: str, path: str, value: object) -> Answer:
        return self.ask(method, path, json.dumps(value).encode())


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(latency_ms=40) as running:
        yield running


@pytest.fixture
def visitor(shop: Shop) -> Visitor:
    return Visitor(shop.url)


def test_products_are_searched_sorted_and_filtered(visitor: Visitor) -> None:
    """The product list answers words, three orders and the stock filter, and refuses other orders."""

    def names(query: str) -> list[str]:
        return [product["name"] for product in visitor.get(f"/api/products?{query}").json()["products"]]

    assert len(names("")) == 12 and names("") == sorted(names(""))
    assert names("q=COPPER+desk") == ["Copper Desk Lamp"]
    assert names("sort=price-asc")[0] == "Cedar Pencil Set"
    assert names("sort=price-desc")[0] == "Copper Desk Lamp"
    assert set(names("")) - set(names("in_stock=1")) == {"Maple Bookends"}
    assert names("q=xyz") == []
    assert visitor.get("/api/products?sort=colour").status == 422
    assert visitor.get("/api/products/walnut-tray").json()["price"] == "$24.00"
    assert visitor.get("/api/products/nothing").json()["error"] == "not_found"


def test_cart_totals_come_from_the_server(visitor: Visitor) -> None:
    """Adding, changing and removing answer the new totals, and the cart page shows the same."""
    assert visitor.call("POST", "/api/cart", {"slug": "walnut-tray"}).status == 201
    added = visitor.call("POST", "/api/cart", {"slug": "brass-ruler", "quantity": 2}).json()
    assert (added["added"], added["count"], added["total"]) == ("Brass Ruler", 3, "$60.00")
    assert visitor.call("PATCH", "/api/cart", {"slug": "brass-ruler", "quantity": 5}).json()["total"] == "$114.00"
    page = visitor.get("/cart").text
    assert (
        '<strong id="total" data-testid="total">$114.00</strong>' in page and 'aria-label="Remove Brass Ruler"' in page
    )
    assert visitor.ask("DELETE", "/api/cart?slug=brass-ruler").json()["total_cents"] == 2400
    assert visitor.ask("DELETE", "/api/cart").json() == visitor.get("/api/cart").json()
    assert visitor.get("/api/cart").json()["lines"] == []


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"slug": "nothing"}, 404),
        ({"slug": ["walnut-tray"]}, 404),
        ({"slug": "maple-bookends"}, 422),
        ({"slug": "walnut-tray", "quantity": 0}, 422),
        ({"slug": "walnut-tray", "quantity": 21}, 422),
        ({"slug": "walnut-tray", "quantity": "2"}, 422),
        ({"slug": "walnut-tray", "quantity": True}, 422),
        (["walnut-tray"], 400),
    ],
)
def test_bad_cart_requests_change_nothing(visitor: Visitor, value: object, status: int) -> None:
    """A bad product or quantity is refused with a code and a message, and the cart stays empty."""
    answer = visitor.call("POST", "/api/cart", value)
    assert answer.status == status and set(answer.json()) == {"error", "message"}
    assert visitor.call("PATCH", "/api/cart", {"slug": value, "quantity": 1}).status == 404
    assert visitor.get("/api/cart").json()["count"] == 0


def test_rating_is_kept_for_the_visitor(visitor: Visitor) -> None:
    """A rating is stored on the server and is there when the page is opened again."""
    assert visitor.call("PUT", "/api/products/walnut-tray/rating", {"stars": 4}).json()["stars"] == 4
    assert 'data-stars="4"' in visitor.get("/product/walnut-tray").text
    assert visitor.call("PUT", "/api/products/walnut-tray/rating", {"stars": 6}).status == 422


def test_signing_in_and_out(visitor: Visitor) -> None:
    """A wrong password is a 401 page; the right one leads on, never off the shop; signing out forgets."""
    wrong = visitor.form("/signin", {"email": '"><b>', "password": "no"})
    assert wrong.status == 401 and "Email or password is wrong." in wrong.text and "<b>" not in wrong.text
    assert visitor.get("/account").headers["location"] == "/signin?next=/account"
    for onward in ("//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nSet-Cookie: a=b"):
        assert visitor.form("/signin", {**ADA, "next": onward}).headers["location"] == "/account"
    kept = visitor.form("/signin", {**ADA, "next": "/checkout", "remember": "on"})
    assert (kept.status, kept.headers["location"]) == (303, "/checkout")
    assert {"HttpOnly", "SameSite=Lax", "Max-Age=2592000"} <= set(kept.headers["set-cookie"].split("; "))
    assert "Welcome back, Ada" in visitor.get("/account").text
    assert visitor.ask("POST", "/signout").status == 303
    assert visitor.get("/account").status == 303


def test_checkout_from_cart_to_order(shop: Shop, visitor: Visitor) -> None:
    """Checkout asks for sign-in and a full cart, says what is wrong, then places exactly one order."""
    assert visitor.form("/checkout", ORDER).headers["location"] == "/signin?next=/checkout"
    visitor.form("/signin", ADA)
    assert visitor.get("/checkout").headers["location"] == "/cart"
    visitor.call("POST", "/api/cart", {"slug": "walnut-tray", "quantity": 2})
    wrong = visitor.form("/checkout", {"name": "Ada", "delivery": "2027-03-07", "card": "4242 4242 4242 4241"})
    assert wrong.status == 422 and wrong.text.count('class="field-error"') == 8
    assert 'id="errors"' in wrong.text and "We do not deliver on Sundays." in wrong.text
    declined = visitor.form("/checkout", {**ORDER, "card": "4000 0000 0000 0002"})
    assert declined.status == 402 and "Your card was declined." in declined.text
    placed = visitor.form("/checkout", ORDER)
    assert (placed.status, placed.headers["location"]) == (303, "/order/CP-1001")
    page = visitor.get("/order/CP-1001").text
    assert "Thank you, Ada &lt;Lovelace&gt;!" in page and "Card ending in 4242" in page and "$48.00" in page
    assert visitor.form("/checkout", ORDER).headers["location"] == "/cart"
    orders = visitor.get("/api/orders").json()["orders"]
    assert [o["number"] for o in orders] == ["CP-1001"]
    assert Visitor(shop.url).get("/order/CP-1001").status == 404


def test_a_token_stands_for_the_session(shop: Shop, visitor: Visitor) -> None:
    """The bearer token reaches the same cart without a cookie; an unknown token is 401; reset ends both."""
    assert visitor.call("POST", "/api/session", {**ADA, "password": None}).status == 401
    signed = visitor.call("POST", "/api/session", ADA).json()
    assert signed["user"] == {"email": "ada@example.com", "name": "Ada", "role": "buyer"}
    visitor.call("POST", "/api/cart", {"slug": "stoneware-mug"})
    bearer = Visitor(shop.url, headers={"Authorization": f"Bearer {signed['token']}"})
    assert bearer.get("/api/cart").json()["total"] == "$19.00" and bearer.cookie == ""
    assert bearer.get("/api/orders").json() == {"orders": []}
    assert Visitor(shop.url).get("/api/orders").status == 401
    assert visitor.ask("POST", "/api/reset").json() == {"reset": True}
    assert bearer.get("/api/cart").status == 401
    assert visitor.get("/api/cart").json()["count"] == 0


def test_concurrent_visitors_are_separate(shop: Shop) -> None:
    """Twelve visitors that add at the same time each end up with their own cart only."""

    def shopping(product_quantity: tuple[str, int]) -> list[object]:
        slug, quantity = product_quantity
        visitor = Visitor(shop.url)
        visitor.get("/")
        for _ in range(quantity):
            visitor.call("POST", "/api/cart", {"slug": slug})
        lines = visitor.get("/api/cart").json()["lines"]
        return [(line["slug"], line["quantity"]) for line in lines]

    wanted = [(product.slug, 1 + n % 5) for n, product in enumerate(PRODUCTS) if product.in_stock]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shopping, wanted)) == [[pair] for pair in wanted]


def test_sessions_are_bounded() -> None:
    """Past the limit the session unused for longest is dropped, with its token."""
    numbers = iter(range(100))
    sessions = Sessions(lambda: str(next(numbers)), limit=2)
    first, second = sessions.create(), sessions.create()
    assert sessions.by_key(first.key) is first
    sessions.create()
    assert len(sessions) == 2 and sessions.by_key(first.key) is first
    assert sessions.by_key(second.key) is None and sessions.by_token(second.token) is None
