"""What one call costs: by the user's own price table, else by list price. Searches and other tools are no tokens and not in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from otel_llm.model_names import names_of_the_model
from otel_llm.price_list import MINUTE_NS, SOURCE, is_installed, list_prices
from otel_llm.price_table import own_prices
from otel_llm.rates import Cost, cost_at
from otel_llm.token_parts import TokenCounts, exclusive_parts
from otel_llm.unpriced_notes import UnpricedModel, note_unpriced, noted

__all__ = [
    "Cost",
    "TokenCounts",
    "UnpricedModel",
    "exclusive_parts",
    "names_of_the_model",
    "note_unpriced",
    "noted_unpriced_models",
    "overriding_price",
    "price",
    "unpriced_models",
]

_OWN: Final = "price table"
_MOST_REMEMBERED: Final = 1000
_unpriced: set[tuple[str, str]] = set()


def load_prices() -> None:
    """Load the price list now: it takes long, and spans would wait for it."""
    is_installed()


def price(
    *,
    provider: str,
    model: str,
    usage: TokenCounts,
    at_ns: int,
    service_tier: str | None = None,
    otherwise: Sequence[str] = (),
) -> Cost | None:
    """The price of one call at its time (nanoseconds since 1970); None if it is not known, never 0 for want of a price.

    For single calls only, since prices step up with the length of a prompt. ``provider`` is a name of the conventions;
    ``otherwise`` are other names of the same model. A row of the user's price table for any of the names wins over the list.
    """
    if not _is_known(usage):
        return None
    models = (model, *otherwise)
    try:
        own = _own_price(provider, models, usage, at_ns, service_tier, overriding=False)
        if own is not None or not is_installed():
            return own
        for name in models:
            rates = list_prices(provider, name, service_tier, at_ns // MINUTE_NS)
            if rates is not None:
                return _finite(cost_at(rates, usage, SOURCE))
    except (ValueError, OverflowError):
        return None
    if len(_unpriced) < _MOST_REMEMBERED:
        _unpriced.add((provider, model))
    return None


def overriding_price(
    *,
    provider: str,
    model: str,
    usage: TokenCounts,
    at_ns: int,
    service_tier: str | None = None,
    otherwise: Sequence[str] = (),
) -> Cost | None:
    """The price by a row of the user's table that is to win even over what the provider itself reports; mostly there is none."""
    if not _is_known(usage):
        return None
    try:
        return _own_price(provider, (model, *otherwise), usage, at_ns, service_tier, overriding=True)
    except (ValueError, OverflowError):
        return None


def unpriced_models() -> frozenset[tuple[str, str]]:
    """Providers and models that were asked for in this process and have no price; the first thousand of them."""
    return frozenset(_unpriced)


def noted_unpriced_models() -> list[UnpricedModel]:
    """Models without a price that any process of this user met, the latest first; those that have one by now are left out."""
    nothing = TokenCounts(input_tokens=0, output_tokens=0)
    return [
        each
        for each in noted()
        if price(provider=each.provider, model=each.model, usage=nothing, at_ns=int(each.last_seen.timestamp() * 1_000_000_000))
        is None
    ]


def _own_price(
    provider: str, models: tuple[str, ...], usage: TokenCounts, at_ns: int, service_tier: str | None, *, overriding: bool
) -> Cost | None:
    rates = own_prices(
        provider, models, at_ns=at_ns, service_tier=service_tier, input_tokens=usage.input_tokens or 0, overriding=overriding
    )
    return None if rates is None else _finite(cost_at(rates, usage, _OWN))


def _is_known(usage: TokenCounts) -> bool:
    return usage.input_tokens is not None or usage.output_tokens is not None


def _finite(cost: Cost) -> Cost | None:
    return cost if math.isfinite(cost.total) else None
