"""The routing table, and the one function that turns a Request into a Response.

No sockets here: `Application.handle` can be called from a test as well as from the server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from jbts_kernel.demo import api, practice, storefront
from jbts_kernel.demo.exchange import Refused, Request, Response, json_response
from jbts_kernel.demo.sessions import Session, Sessions

COOKIE = "shop_session"
_SMALL_BODY = 64 * 1024
_UPLOAD_BODY = 8 * 1024 * 1024
_REMEMBER_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Route:
    """Which handler answers which method and path; `{word}` in a path matches one segment.

    `stateless` routes neither look for a session nor start one.
    """

    method: str
    path: str
    handler: Callable[..., Response]
    stateless: bool = False
    body_limit: int = _SMALL_BODY


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", storefront.home),
    Route("GET", "/product/{slug}", storefront.product),
    Route("GET", "/pictures/{file}", storefront.picture, stateless=True),
    Route("GET", "/favicon.ico", storefront.favicon, stateless=True),
    Route("GET", "/static/{file}", storefront.static, stateless=True),
    Route("GET", "/size-guide", storefront.size_guide),
    Route("GET", "/signin", storefront.sign_in_form),
    Route("POST", "/signin", storefront.sign_in_submit),
    Route("POST", "/signout", storefront.sign_out),
    Route("GET", "/account", storefront.account),
    Route("GET", "/cart", storefront.cart),
    Route("GET", "/checkout", storefront.checkout_form),
    Route("POST", "/checkout", storefront.checkout_submit),
    Route("GET", "/order/{number}", storefront.order),
    Route("GET", "/api/health", api.health, stateless=True),
    Route("GET", "/api/products", api.products, stateless=True),
    Route("GET", "/api/products/{slug}", api.product, stateless=True),
    Route("PUT", "/api/products/{slug}/rating", api.rate),
    Route("POST", "/api/session", api.session),
    Route("GET", "/api/cart", api.cart),
    Route("POST", "/api/cart", api.cart_add),
    Route("PATCH", "/api/cart", api.cart_change),
    Route("DELETE", "/api/cart", api.cart_remove),
    Route("GET", "/api/orders", api.orders),
    Route("POST", "/api/reset", api.reset),
    Route("GET", "/api/feed", api.feed, stateless=True),
    Route("GET", "/api/broken", api.broken, stateless=True),
    Route("GET", "/tools", practice.index),
    Route("GET", "/tools/newsletter", practice.newsletter, stateless=True),
    Route("GET", "/tools/preferences", practice.preferences, stateless=True),
    Route("GET", "/tools/files", practice.files),
    Route("POST", "/tools/files", practice.upload, body_limit=_UPLOAD_BODY),
    Route("POST", "/tools/fields", practice.fields_echo, stateless=True),
    Route("GET", "/tools/status/{code}", practice.status),
    Route("GET", "/tools/slow", practice.slow),
    Route("GET", "/tools/hang", practice.hang, stateless=True),
    Route("GET", "/tools/{name}", practice.tool),
    Route("GET", "/files/catalogue.csv", practice.catalogue, stateless=True),
    Route("GET", "/files/catalogue-slow.csv", practice.catalogue_slow, stateless=True),
)

_PATTERNS = tuple((re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), route) for route in ROUTES)


def random_id() -> str:
    """192 random bits as text, for session keys and tokens."""
    return os.urandom(24).hex()


class Application:
    """The shop without its sockets: `handle` may be called from any number of threads."""

    def __init__(self, latency_s: float = 0.0, new_id: Callable[[], str] = random_id) -> None:
        self.latency_s = latency_s
        self.sessions = Sessions(new_id)

    def body_limit(self, method: str, path: str) -> int:
        """How many bytes of body this request may have."""
        return next((route.body_limit for route, _ in _matches(path) if route.method == method), _SMALL_BODY)

    def handle(self, request: Request) -> Response:
        """Answer one request, cookie included. Refusals become a page, or JSON under `/api`."""
        method = "GET" if request.method == "HEAD" else request.method
        matches = _matches(request.path)
        route, words = next(((r, w) for r, w in matches if r.method == method), (None, {}))
        try:
            session = None if route is not None and route.stateless else self._session(request, start=route is not None)
            request = replace(request, session=session or Session("", ""), latency_s=self.latency_s)
            with request.session.lock:
                if route is None:
                    response = self._unrouted(request, [r.method for r, _ in matches])
                else:
                    response = self._call(route, request, words)
        except Refused as refused:  # a bearer token nobody has: there is no session to answer in
            return _refusal_json(refused)
        if response.forget:
            self.sessions.forget(request.session)
        return replace(response, headers=response.headers + self._cookie(request, response, session))

    def _call(self, route: Route, request: Request, words: dict[str, str]) -> Response:
        try:
            return route.handler(request, **words)
        except Refused as refused:
            return self._refusal(request, refused)

    def _unrouted(self, request: Request, allowed: list[str]) -> Response:
        if not allowed:
            return self._refusal(request, Refused(404, "not_found", "There is nothing at this address."))
        refusal = Refused(405, "method_not_allowed", f"{request.method} is not possible here.")
        response = self._refusal(request, refusal)
        return replace(response, headers=(*response.headers, ("Allow", ", ".join(sorted(set(allowed))))))

    def _refusal(self, request: Request, refused: Refused) -> Response:
        if request.path == "/api" or request.path.startswith("/api/"):
            return _refusal_json(refused)
        return storefront.not_found(request, refused)

    def _session(self, request: Request, start: bool) -> Session | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found = self.sessions.by_token(token.strip())
            if found is None:
                raise Refused(401, "unauthorized", "The token is not known; sign in again.")
            return found
        return self.sessions.by_key(request.cookie(COOKIE)) or (self.sessions.create() if start else None)

    def _cookie(self, request: Request, response: Response, session: Session | None) -> tuple[tuple[str, str], ...]:
        """Set the cookie when the browser does not have it yet, should keep it longer, or should drop it."""
        if session is None:
            return ()
        attributes = "Path=/; HttpOnly; SameSite=Lax"
        if response.forget:
            return (("Set-Cookie", f"{COOKIE}=; {attributes}; Max-Age=0"),)
        if response.remember:
            return (("Set-Cookie", f"{COOKIE}={session.key}; {attributes}; Max-Age={_REMEMBER_S}"),)
        by_token = request.headers.get("authorization", "").lower().startswith("bearer ")
        if by_token or request.cookie(COOKIE) == session.key:
            return ()
        return (("Set-Cookie", f"{COOKIE}={session.key}; {attributes}"),)


def _matches(path: str) -> list[tuple[Route, dict[str, str]]]:
    return [(route, match.groupdict()) for pattern, route in _PATTERNS if (match := pattern.fullmatch(path))]


def _refusal_json(refused: Refused) -> Response:
    return json_response({"error": refused.code, "message": refused.message}, refused.status)
