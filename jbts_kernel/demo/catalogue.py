"""What the shop sells. Prices are whole cents here and nowhere else; pages and scripts get text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """One thing for sale. `material` is what the filter-by-word search also looks at."""

    slug: str
    name: str
    price_cents: int
    blurb: str
    details: str
    material: str
    size: str
    in_stock: bool = True


PRODUCTS: tuple[Product, ...] = (
    Product(
        "walnut-tray",
        "Walnut Tray",
        2400,
        "Keys, cards and clips in one place.",
        "Milled from a single board and oiled, so the grain runs through from edge to edge. "
        "Felt feet keep it from sliding.",
        "American walnut",
        "24 x 14 x 2 cm",
    ),
    Product(
        "brass-ruler",
        "Brass Ruler",
        1800,
        "Thirty centimetres you can trust.",
        "Solid brass with engraved marks that do not wear off. Darkens with the years, or polish it back.",
        "Brass",
        "31 x 3 x 0.3 cm",
    ),
    Product(
        "pine-pen-stand",
        "Pine Pen Stand",
        1650,
        "Six pens, standing to attention.",
        "A quiet block of Nordic pine with six drilled wells and a slot for a card or a phone.",
        "Nordic pine",
        "18 x 7 x 5 cm",
    ),
    Product(
        "copper-desk-lamp",
        "Copper Desk Lamp",
        8900,
        "Warm light, exactly where you work.",
        "Spun copper shade on a jointed arm. Dims from the base; the bulb is warm white and can be replaced.",
        "Copper and steel",
        "46 cm high",
    ),
    Product(
        "linen-notebook",
        "Linen Notebook",
        1450,
        "Lies flat. Takes ink well.",
        "Thread-bound, 192 dotted pages between linen boards, with a ribbon to find your place.",
        "Linen and paper",
        "21 x 14.8 cm",
    ),
    Product(
        "oak-monitor-stand",
        "Oak Monitor Stand",
        6400,
        "Lifts the screen, hides the keyboard.",
        "Bent oak that carries forty kilos and brings a screen to eye level. Keyboard fits underneath.",
        "European oak",
        "56 x 22 x 11 cm",
    ),
    Product(
        "felt-desk-mat",
        "Felt Desk Mat",
        3900,
        "A soft floor for your hands.",
        "Pressed merino wool, three millimetres thick, with a cork back that stays put. Vacuum to clean.",
        "Merino wool and cork",
        "80 x 35 cm",
    ),
    Product(
        "copper-paperweight",
        "Copper Paperweight",
        2900,
        "Four hundred grams of calm.",
        "Turned from a solid bar and left raw. It takes on the marks of the hand that uses it.",
        "Copper",
        "5 cm across",
    ),
    Product(
        "cedar-pencil-set",
        "Cedar Pencil Set",
        950,
        "Twelve, HB to 4B.",
        "Incense cedar that sharpens clean and smells like a workshop. Twelve grades in a card box.",
        "Cedar and graphite",
        "17.5 cm long",
    ),
    Product(
        "stoneware-mug",
        "Stoneware Mug",
        1900,
        "Holds coffee, or the pencils.",
        "Thrown by hand and glazed in spruce green, so no two are quite alike. Dishwasher safe.",
        "Stoneware",
        "350 ml",
    ),
    Product(
        "leather-cable-ties",
        "Leather Cable Ties",
        1200,
        "Five straps against the tangle.",
        "Vegetable-tanned leather with a brass stud. They get better the more they are handled.",
        "Leather and brass",
        "12 x 1.5 cm",
    ),
    Product(
        "maple-bookends",
        "Maple Bookends",
        4200,
        "Keep the good ones upright.",
        "A pair in hard maple with a steel foot that slides under the first book.",
        "Hard maple",
        "12 x 9 x 15 cm",
        in_stock=False,
    ),
)

_BY_SLUG = {product.slug: product for product in PRODUCTS}

SORTS = ("name", "price-asc", "price-desc")
"""The orders `search` knows."""


def find(slug: str) -> Product | None:
    """The product with this slug, or None."""
    return _BY_SLUG.get(slug)


def search(words: str = "", sort: str = "name", in_stock: bool = False) -> Sequence[Product]:
    """Products that have every word in name, blurb or material, in one of SORTS; ties go by name."""
    wanted = words.casefold().split()[:10]
    hits = [
        product
        for product in PRODUCTS
        if (product.in_stock or not in_stock)
        and all(word in f"{product.name} {product.blurb} {product.material}".casefold() for word in wanted)
    ]
    hits.sort(key=lambda product: product.name)
    if sort != "name":
        hits.sort(key=lambda product: product.price_cents, reverse=sort == "price-desc")
    return hits


def money(cents: int) -> str:
    """Cents as people read them: `$1,024.00`."""
    return f"${cents // 100:,}.{cents % 100:02d}"
