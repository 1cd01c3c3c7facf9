"""Who is shopping: one Session per visitor, and the bounded collection that holds them.

Everything a visitor does hangs off their session, orders and their numbers included, so two tests that run at
the same time never see each other and the first order of a fresh visitor is always CP-1001.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from jbts_kernel.demo.catalogue import Product, find, money
from jbts_kernel.demo.exchange import Refused

MAX_QUANTITY = 20
_FIRST_ORDER = 1001
_KEPT_ORDERS = 50


@dataclass(frozen=True)
class Account:
    """Someone who can sign in."""

    email: str
    name: str
    role: str
    password: str = field(repr=False)


ACCOUNTS = {
    account.email: account
    for account in (
        Account("ada@example.com", "Ada", "buyer", "copper-pine"),
        Account("sam@example.com", "Sam", "seller", "oak-and-iron"),
    )
}


def sign_in(email: str, password: str) -> Account | None:
    """The account these belong to, or None. The email's case and surrounding space do not matter."""
    account = ACCOUNTS.get(email.strip().casefold())
    return account if account is not None and account.password == password else None


@dataclass(frozen=True)
class CartLine:
    """So many of one product."""

    product: Product
    quantity: int

    @property
    def total_cents(self) -> int:
        """Price times quantity."""
        return self.product.price_cents * self.quantity


@dataclass(frozen=True)
class Order:
    """A placed order. Of the card only the last four digits are kept."""

    number: str
    name: str
    address: str
    delivery: str
    gift_colour: str
    card_end: str
    lines: tuple[CartLine, ...]

    @property
    def total_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.total_cents for line in self.lines)


@dataclass
class Session:
    """One visitor's state. Hold `lock` to read or change it, as the application does around every handler."""

    key: str
    token: str
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    account: Account | None = None
    cart: dict[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    ratings: dict[str, int] = field(default_factory=dict)
    placed: int = 0

    def lines(self) -> tuple[CartLine, ...]:
        """The cart, in the order things were first added."""
        found = ((find(slug), quantity) for slug, quantity in self.cart.items())
        return tuple(CartLine(product, quantity) for product, quantity in found if product is not None)

    def put(self, slug: object, quantity: object, *, add: bool) -> Product:
        """Set a product's quantity in the cart, or add to it; setting 0 removes the line.

        Raises Refused: 404 for an unknown product, 422 for one that is sold out or a quantity that is no
        whole number in range.
        """
        product = find(slug) if isinstance(slug, str) else None
        if product is None:
            raise Refused(404, "unknown_product", "There is no such product.")
        least = 1 if add else 0
        if not isinstance(quantity, int) or isinstance(quantity, bool) or not least <= quantity <= MAX_QUANTITY:
            raise Refused(422, "bad_quantity", f"Enter a whole number from {least} to {MAX_QUANTITY}.")
        if not product.in_stock:
            raise Refused(422, "out_of_stock", f"{product.name} is out of stock.")
        wanted = quantity + (self.cart.get(product.slug, 0) if add else 0)
        if wanted > MAX_QUANTITY:
            raise Refused(422, "bad_quantity", f"At most {MAX_QUANTITY} of one product in a cart.")
        if wanted:
            self.cart[product.slug] = wanted
        else:
            self.cart.pop(product.slug, None)
        return product

    def next_order_number(self) -> str:
        """CP-1001, CP-1002 and so on, for this visitor."""
        self.placed += 1
        return f"CP-{_FIRST_ORDER + self.placed - 1}"

    def keep(self, order: Order) -> None:
        """File an order and empty the cart; past fifty the oldest order goes."""
        self.orders.append(order)
        del self.orders[:-_KEPT_ORDERS]
        self.cart.clear()


class Sessions:
    """At most `limit` sessions; the one unused for longest makes room. Safe to use from any thread."""

    def __init__(self, new_id: Callable[[], str], limit: int = 1000) -> None:
        self._new_id = new_id
        self._limit = limit
        self._lock = threading.Lock()
        self._by_key: OrderedDict[str, Session] = OrderedDict()
        self._by_token: dict[str, Session] = {}

    def __len__(self) -> int:
        with self._lock:
            return len(self._by_key)

    def create(self) -> Session:
        """A new, empty session."""
        session = Session(self._new_id(), self._new_id())
        with self._lock:
            self._by_key[session.key] = session
            self._by_token[session.token] = session
            if len(self._by_key) > self._limit:
                _, oldest = self._by_key.popitem(last=False)
                del self._by_token[oldest.token]
        return session

    def by_key(self, key: str) -> Session | None:
        """The session with this cookie value, which counts as using it; None when unknown."""
        with self._lock:
            session = self._by_key.get(key)
            if session is not None:
                self._by_key.move_to_end(key)
            return session

    def by_token(self, token: str) -> Session | None:
        """The session with this bearer token, which counts as using it; None when unknown."""
        with self._lock:
            session = self._by_token.get(token)
            if session is not None:
                self._by_key.move_to_end(session.key)
            return session

    def forget(self, session: Session) -> None:
        """Drop a session; harmless when it is gone already."""
        with self._lock:
            self._by_key.pop(session.key, None)
            self._by_token.pop(session.token, None)


def cart_json(session: Session) -> dict[str, object]:
    """The cart as the API tells it, amounts both in cents and as text."""
    lines = session.lines()
    total = sum(line.total_cents for line in lines)
    return {
        "lines": [
            {
                "slug": line.product.slug,
                "name": line.product.name,
                "price_cents": line.product.price_cents,
                "price": money(line.product.price_cents),
                "quantity": line.quantity,
                "total_cents": line.total_cents,
                "total": money(line.total_cents),
            }
            for line in lines
        ],
        "count": sum(line.quantity for line in lines),
        "total_cents": total,
        "total": money(total),
        "currency": "USD",
    }
