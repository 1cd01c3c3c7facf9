"""The pages of the shop itself: from the product list to the thank-you."""

from __future__ import annotations

from dataclasses import replace

from jbts_kernel.demo import layout, pictures
from jbts_kernel.demo.catalogue import Product, find, money
from jbts_kernel.demo.checkout import COUNTRIES, Checked, check, place
from jbts_kernel.demo.exchange import Refused, Request, Response, local_path, redirect
from jbts_kernel.demo.layout import Markup, fill, page, part, parts
from jbts_kernel.demo.sessions import MAX_QUANTITY, CartLine, sign_in

_BLANK_FORM = {"gift-colour": "#b4622d"}


def home(request: Request) -> Response:
    """Search and product list; the list itself comes from `/api/products`, late."""
    return page(request, "home", "Products", script=True, q=request.arg("q")[:100])


def product(request: Request, slug: str) -> Response:
    """One product in full."""
    item = _product(slug)
    return page(
        request,
        "product",
        item.name,
        script=True,
        slug=item.slug,
        name=item.name,
        price=money(item.price_cents),
        blurb=item.blurb,
        details=item.details,
        material=item.material,
        size=item.size,
        stock="In stock, ships tomorrow" if item.in_stock else "Out of stock",
        stock_class="in" if item.in_stock else "out",
        disabled=Markup("" if item.in_stock else "disabled"),
        most=MAX_QUANTITY,
        stars=request.session.ratings.get(slug, 0),
    )


def picture(request: Request, file: str) -> Response:
    """A product's picture, `<slug>.svg`."""
    drawing = pictures.draw(file.removesuffix(".svg")) if file.endswith(".svg") else None
    if drawing is None:
        raise Refused(404, "not_found", "There is no such picture.")
    return layout.cached(request, drawing.encode(), "image/svg+xml")


def favicon(request: Request) -> Response:
    """The shop's mark."""
    return layout.cached(request, pictures.MARK.encode(), "image/svg+xml")


def static(request: Request, file: str) -> Response:
    """A stylesheet or script."""
    found = layout.asset(request, file)
    if found is None:
        raise Refused(404, "not_found", "There is no such file.")
    return found


def size_guide(request: Request) -> Response:
    """Desk sizes, opened in a tab of its own."""
    return page(request, "size-guide", "Size guide")


def sign_in_form(request: Request) -> Response:
    """The empty sign-in form; who is signed in already goes on."""
    onward = local_path(request.arg("next"), "/account")
    if request.session.account is not None:
        return redirect(onward)
    return page(request, "signin", "Sign in", next=onward, email="", error="", hidden=Markup("hidden"))


def sign_in_submit(request: Request) -> Response:
    """Sign in and go on to `next`; 401 with the form again when email or password is wrong."""
    form = request.form()
    email = form.get("email", [""])[-1][:200]
    onward = local_path(form.get("next", [""])[-1], "/account")
    account = sign_in(email, form.get("password", [""])[-1])
    if account is None:
        return page(
            request,
            "signin",
            "Sign in",
            status=401,
            next=onward,
            email=email,
            error="Email or password is wrong.",
            hidden="",
        )
    request.session.account = account
    return replace(redirect(onward), remember="remember" in form)


def sign_out(request: Request) -> Response:
    """Sign out; the cart stays."""
    request.session.account = None
    return redirect("/")


def account(request: Request) -> Response:
    """The welcome and the orders so far; needs sign-in."""
    member = request.session.account
    if member is None:
        return redirect("/signin?next=/account")
    orders = [
        part(
            "account-order",
            number=order.number,
            count=_things(sum(line.quantity for line in order.lines)),
            total=money(order.total_cents),
        )
        for order in reversed(request.session.orders)
    ]
    return page(
        request,
        "account",
        "Account",
        name=member.name,
        email=member.email,
        role=member.role.title(),
        orders=parts(orders),
        no_orders_hidden=Markup("hidden" if orders else ""),
    )


def cart(request: Request) -> Response:
    """The cart as a table, or the note that it is empty."""
    lines = request.session.lines()
    rows = [
        part(
            "cart-line",
            slug=line.product.slug,
            name=line.product.name,
            price=money(line.product.price_cents),
            quantity=line.quantity,
            most=MAX_QUANTITY,
            total=money(line.total_cents),
        )
        for line in lines
    ]
    return page(
        request,
        "cart",
        "Cart",
        script=True,
        rows=parts(rows),
        total=money(_total(lines)),
        full_hidden=Markup("" if lines else "hidden"),
        empty_hidden=Markup("hidden" if lines else ""),
    )


def checkout_form(request: Request) -> Response:
    """The empty order form; needs sign-in and something in the cart."""
    return _not_yet(request) or _checkout(request, Checked(_BLANK_FORM, {}), 200)


def checkout_submit(request: Request) -> Response:
    """Place the order and go to it. 422 with messages for a form that has errors, 402 for a declined card."""
    elsewhere = _not_yet(request)
    if elsewhere is not None:
        return elsewhere
    checked = check(request.form())
    if checked.errors:
        return _checkout(request, checked, 402 if checked.declined else 422)
    return redirect(f"/order/{place(request.session, checked).number}")


def order(request: Request, number: str) -> Response:
    """A placed order of this visitor; 404 for anybody else's."""
    found = next((order for order in request.session.orders if order.number == number), None)
    if found is None:
        raise Refused(404, "not_found", "There is no such order here.")
    return page(
        request,
        "order",
        f"Order {found.number}",
        number=found.number,
        name=found.name,
        address=found.address,
        delivery=found.delivery,
        gift_colour=found.gift_colour,
        card_end=found.card_end,
        lines=_summary(found.lines),
        total=money(found.total_cents),
    )


def not_found(request: Request, refused: Refused) -> Response:
    """The page that says what went wrong, for every refused page request."""
    title = "Page not found" if refused.status == 404 else "That did not work"
    return page(request, "refused", title, status=refused.status, heading=title, message=refused.message)


def _not_yet(request: Request) -> Response | None:
    if request.session.account is None:
        return redirect("/signin?next=/checkout")
    return None if request.session.cart else redirect("/cart")


def _checkout(request: Request, checked: Checked, status: int) -> Response:
    slots: dict[str, object] = {}
    for name in (
        "name",
        "address",
        "city",
        "postcode",
        "delivery",
        "gift-colour",
        "card",
        "country",
        "terms",
    ):
        slot = name.replace("-", "_")
        slots[slot] = checked.values.get(name, "")
        error = checked.errors.get(name, "")
        slots[f"{slot}_error"] = error and part("field-error", name=name, message=error)
        slots[f"{slot}_invalid"] = Markup(f'aria-invalid="true" aria-describedby="{name}-error"' if error else "")
    slots["terms_checked"] = Markup("checked" if slots.pop("terms") else "")
    chosen = slots.pop("country")
    slots["countries"] = parts(
        [
            fill(
                '<option value="[[code]]" [[selected]]>[[name]]</option>',
                code=code,
                name=name,
                selected=Markup("selected" if code == chosen else ""),
            )
            for code, name in COUNTRIES.items()
        ]
    )
    lines = request.session.lines()
    return page(
        request,
        "checkout",
        "Checkout",
        status=status,
        script=True,
        errors=_error_summary(checked),
        lines=_summary(lines),
        total=money(_total(lines)),
        **slots,
    )


def _error_summary(checked: Checked) -> Markup:
    if not checked.errors:
        return Markup()
    if checked.declined:
        heading = "Your card was declined."
    else:
        count = len(checked.errors)
        heading = "1 field needs another look." if count == 1 else f"{count} fields need another look."
    entries = [
        fill('<li><a href="#[[name]]">[[message]]</a></li>', name=name, message=message)
        for name, message in checked.errors.items()
    ]
    return part("error-summary", heading=heading, entries=parts(entries))


def _summary(lines: tuple[CartLine, ...]) -> Markup:
    return parts(
        [
            part(
                "summary-line",
                slug=line.product.slug,
                name=line.product.name,
                quantity=line.quantity,
                total=money(line.total_cents),
            )
            for line in lines
        ]
    )


def _product(slug: str) -> Product:
    item = find(slug)
    if item is None:
        raise Refused(404, "not_found", "We do not sell that, or not any more.")
    return item


def _total(lines: tuple[CartLine, ...]) -> int:
    return sum(line.total_cents for line in lines)


def _things(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
