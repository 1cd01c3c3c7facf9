"""From a checkout form to an order: pure checks, one message per field.

No rule depends on today's date, so a notebook that orders something passes next year as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from jbts_kernel.demo.exchange import Fields
from jbts_kernel.demo.sessions import Order, Session

COUNTRIES = {
    "at": "Austria",
    "ca": "Canada",
    "de": "Germany",
    "dk": "Denmark",
    "fi": "Finland",
    "gb": "United Kingdom",
    "no": "Norway",
    "se": "Sweden",
    "us": "United States",
}
DECLINED_CARD = "4000000000000002"
_FIELDS = ("name", "address", "city", "postcode", "country", "delivery", "gift-colour", "card", "terms")
_LONGEST = 120
_POSTCODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{2,9}")


@dataclass(frozen=True)
class Checked:
    """A form after checking: what was typed, what is wrong by field, whether the card was declined."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    declined: bool = False


def check(form: Fields) -> Checked:
    """Check every field; `errors` keeps the form's order and is empty when the order can be placed."""
    values = {name: form.get(name, [""])[-1].strip()[: _LONGEST + 1] for name in _FIELDS}
    card = re.sub(r"[ -]", "", values["card"])
    found = {
        "name": "" if values["name"] else "Enter your full name.",
        "address": "" if values["address"] else "Enter a street and number.",
        "city": "" if values["city"] else "Enter a city.",
        "postcode": "" if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]{2,9}", values["postcode"]) else "Enter a postcode.",
        "country": "" if values["country"] in COUNTRIES else "Choose a country.",
        "delivery": _delivery_error(values["delivery"]),
        "gift-colour": "" if re.fullmatch(r"#[0-9a-fA-F]{6}", values["gift-colour"]) else "Choose a colour.",
        "card": "" if _luhn(card) else "Enter a card number; 4242 4242 4242 4242 always works.",
        "terms": "" if values["terms"] else "Accept the terms to order.",
    }
    for name, value in values.items():
        if len(value) > _LONGEST:
            values[name] = value[:_LONGEST]
            found[name] = f"At most {_LONGEST} characters."
    errors = {name: message for name, message in found.items() if message}
    if not errors and card == DECLINED_CARD:
        return Checked(values, {"card": "Your card was declined. Try another card."}, declined=True)
    return Checked(values, errors)


def place(session: Session, checked: Checked) -> Order:
    """Turn the session's cart and a form without errors into an order."""
    values = checked.values
    country = COUNTRIES[values["country"]]
    order = Order(
        number=session.next_order_number(),
        name=values["name"],
        address=f"{values['address']}, {values['postcode']} {values['city']}, {country}",
        delivery=values["delivery"],
        gift_colour=values["gift-colour"],
        card_end=re.sub(r"\D", "", values["card"])[-4:],
        lines=session.lines(),
    )
    session.keep(order)
    return order


def _delivery_error(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return "Choose a delivery date."
    return "We do not deliver on Sundays." if day.isoweekday() == 7 else ""


def _luhn(digits: str) -> bool:
    if not re.fullmatch(r"[0-9]{13,19}", digits):
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
