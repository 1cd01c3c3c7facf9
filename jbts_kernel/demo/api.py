"""The JSON API. Errors are `{"error": code, "message": text}` with the matching status.

Whose cart it is follows from the session cookie or from `Authorization: Bearer TOKEN`, the token being what
`POST /api/session` answers.
"""

from __future__ import annotations

from jbts_kernel.demo.catalogue import PRODUCTS, SORTS, Product, find, money, search
from jbts_kernel.demo.exchange import Refused, Request, Response, json_response
from jbts_kernel.demo.sessions import Account, cart_json, sign_in

_FEED_PAGE = 20
_FEED_END = 200
_TRUE = ("1", "true", "on", "yes")
_FALSE = ("", "0", "false", "off", "no")


def health(request: Request) -> Response:
    """Alive, and how many products there are."""
    return json_response({"status": "ok", "products": len(PRODUCTS)})


def products(request: Request) -> Response:
    """Products by `q`, `sort` (name, price-asc, price-desc) and `in_stock`; late by the shop's latency."""
    sort = request.arg("sort", "name")
    in_stock = request.arg("in_stock").lower()
    if sort not in SORTS:
        raise Refused(422, "bad_sort", f"sort has to be one of {', '.join(SORTS)}.")
    if in_stock not in _TRUE + _FALSE:
        raise Refused(422, "bad_in_stock", "in_stock has to be 1 or 0.")
    found = search(request.arg("q")[:100], sort, in_stock in _TRUE)
    return json_response(
        {"products": [_product_json(product) for product in found], "count": len(found)},
        delay_s=request.latency_s,
    )


def product(request: Request, slug: str) -> Response:
    """One product; 404 when unknown."""
    item = _find(slug)
    return json_response({**_product_json(item), "details": item.details, "material": item.material, "size": item.size})


def rate(request: Request, slug: str) -> Response:
    """Rate a product with `{"stars": 1..5}`; the visitor's rating is kept."""
    item = _find(slug)
    stars = request.json().get("stars")
    if not isinstance(stars, int) or isinstance(stars, bool) or not 1 <= stars <= 5:
        raise Refused(422, "bad_stars", "stars has to be a whole number from 1 to 5.")
    request.session.ratings[item.slug] = stars
    return json_response({"slug": item.slug, "stars": stars})


def session(request: Request) -> Response:
    """Sign in with `{"email", "password"}`; answers a bearer token and who it is, or 401."""
    body = request.json()
    email, password = body.get("email"), body.get("password")
    account = sign_in(email, password) if isinstance(email, str) and isinstance(password, str) else None
    if account is None:
        raise Refused(401, "unauthorized", "Email or password is wrong.")
    request.session.account = account
    return json_response({"token": request.session.token, "user": _user_json(account)})


def cart(request: Request) -> Response:
    """The cart, with totals."""
    return json_response(cart_json(request.session))


def cart_add(request: Request) -> Response:
    """Add `{"slug", "quantity"}` (quantity 1 when left out); 201 with the cart and the name added."""
    body = request.json()
    added = request.session.put(body.get("slug"), body.get("quantity", 1), add=True)
    return json_response({**cart_json(request.session), "added": added.name}, 201)


def cart_change(request: Request) -> Response:
    """Set `{"slug", "quantity"}`; 0 removes the line. 404 for a product that is not in the cart."""
    body = request.json()
    slug = body.get("slug")
    if not isinstance(slug, str) or slug not in request.session.cart:
        raise Refused(404, "not_in_cart", "That product is not in the cart.")
    request.session.put(slug, body.get("quantity"), add=False)
    return json_response(cart_json(request.session))


def cart_remove(request: Request) -> Response:
    """Remove `?slug=`, or empty the cart without it; removing what is not there changes nothing."""
    slug = request.arg("slug")
    if slug:
        request.session.cart.pop(slug, None)
    else:
        request.session.cart.clear()
    return json_response(cart_json(request.session))


def orders(request: Request) -> Response:
    """The visitor's orders, oldest first; 401 without sign-in."""
    if request.session.account is None:
        raise Refused(401, "unauthorized", "Sign in first.")
    return json_response(
        {
            "orders": [
                {
                    "number": order.number,
                    "name": order.name,
                    "delivery": order.delivery,
                    "count": sum(line.quantity for line in order.lines),
                    "total_cents": order.total_cents,
                    "total": money(order.total_cents),
                }
                for order in request.session.orders
            ]
        }
    )


def reset(request: Request) -> Response:
    """Forget this session: cart, orders, ratings, sign-in and token."""
    return json_response({"reset": True}, forget=True)


def feed(request: Request) -> Response:
    """Twenty entries of the workshop's journal after `?after=N`, up to 200; late by the shop's latency."""
    after = request.arg("after", "0")
    if not (after.isascii() and after.isdigit() and int(after[:6]) <= _FEED_END):
        raise Refused(422, "bad_after", f"after has to be a number from 0 to {_FEED_END}.")
    first = int(after) + 1
    last = min(first + _FEED_PAGE - 1, _FEED_END)
    entries = [{"number": n, "text": _journal(n)} for n in range(first, last + 1)]
    return json_response({"entries": entries, "total": _FEED_END}, delay_s=request.latency_s)


def broken(request: Request) -> Response:
    """Always fails, for pages that need a failing request."""
    raise Refused(500, "broken", "This endpoint always fails.")


def _find(slug: str) -> Product:
    item = find(slug)
    if item is None:
        raise Refused(404, "not_found", "There is no such product.")
    return item


def _product_json(product: Product) -> dict[str, object]:
    return {
        "slug": product.slug,
        "name": product.name,
        "blurb": product.blurb,
        "price_cents": product.price_cents,
        "price": money(product.price_cents),
        "in_stock": product.in_stock,
        "picture": f"/pictures/{product.slug}.svg",
        "url": f"/product/{product.slug}",
    }


def _user_json(account: Account) -> dict[str, str]:
    return {"email": account.email, "name": account.name, "role": account.role}


def _journal(number: int) -> str:
    item = PRODUCTS[number % len(PRODUCTS)]
    verb = ("Oiled", "Packed", "Sanded", "Wrapped", "Shipped")[number % 5]
    return f"{verb} a batch of {item.name}"
