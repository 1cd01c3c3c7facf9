"""What a model's answer costs, and whether the next question still fits the budget.

Prices come from genai-prices, which carries them; a model it does not know costs NULL, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .server import Server

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
TEXT_PER_TOKEN = 3.5  # characters; English is nearer to 4, markup and other languages below


@dataclass(frozen=True, slots=True)
class Spent:
    """What models have used so far, in this run or on this day, whichever is more."""

    usd: float = 0.0
    tokens: int = 0


Spending = Callable[[], Spent]


def cost(
    model: str | None, input_tokens: int | None, output_tokens: int | None, cached_tokens: int | None = None
) -> float | None:
    """Dollars, or None where the price or the tokens are not known. A snapshot costs what its model does."""
    if not model or input_tokens is None:
        return None
    from genai_prices import Usage, calc_price

    cached = min(cached_tokens or 0, input_tokens)
    used = Usage(input_tokens=input_tokens, output_tokens=output_tokens or 0, cache_read_tokens=cached)
    for name in dict.fromkeys((model, _DATE.sub("", model))):
        for provider in ("openai", None):
            try:
                return float(calc_price(used, name, provider_id=provider).total_price)
            except LookupError:
                continue
    return None


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return round(len(text) / TEXT_PER_TOKEN)


def over_budget(server: Server, tokens: int, spending: Spending) -> str | None:
    """Why a question of so many tokens, answer included, must not be asked; None if it may."""
    if server.budget_usd is None and server.budget_tokens is None:
        return None
    spent = spending()
    price = cost(server.model, tokens, 0)
    if server.budget_usd is not None:
        if price is None and server.budget_tokens is None:
            return (
                f"the price of {server.model} is not known, so a budget in dollars cannot be kept;"
                " set JBTS.vision_budget_tokens"
            )
        if price is not None and spent.usd + price > server.budget_usd:
            return (
                f"the budget is used up: ${spent.usd:.4f} of ${server.budget_usd:g} are spent and this would be about"
                f" ${price:.4f}; raise JBTS.vision_budget_usd"
            )
    if server.budget_tokens is not None and spent.tokens + tokens > server.budget_tokens:
        return (
            f"the budget is used up: {spent.tokens:,} of {server.budget_tokens:,} tokens are used and this would be"
            f" about {tokens:,}; raise JBTS.vision_budget_tokens"
        )
    return None
