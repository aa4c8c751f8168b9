"""What one call costs by list price, from the data of the genai-prices package (extra ``prices``). Never uses the network."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

_logger = logging.getLogger(__name__)

#: Providers that genai-prices knows under other names than the conventions.
_PROVIDERS: Final = {
    "x_ai": "x-ai",
    "gcp.gen_ai": "google",
    "vertex_ai": "google",
    "gemini": "google",
    "together_ai": "together",
    "mistralai": "mistral",
    "az.ai.openai": "azure",
}
#: OpenRouter's one variant that is billed as the model itself and not in the list. ``:nitro``, ``:floor``, ``:online`` cost
#: something else.
_OPENROUTER_SAME_PRICE: Final = ":thinking"
_MOST_REMEMBERED: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_unpriced: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one call in the conventions' sense: input includes the cache, output includes reasoning. None: not known."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    #: All writes, of which ``cache_write_5m`` and ``cache_write_1h`` are parts.
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """In USD. ``input`` includes the cache."""

    total: float
    input: float
    output: float
    #: Where the prices are from.
    source: str = "genai-prices"


def price(*, provider: str, model: str, usage: TokenCounts, at_ns: int, service_tier: str | None = None) -> Cost | None:
    """The list price of one call at its time (nanoseconds since 1970); None if it is not known, never 0 for want of a price.

    For single calls only, since prices step up with the length of a prompt. ``provider`` is a name of the conventions.
    """
    calculate = _calculator()
    if calculate is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    try:
        found = calculate(
            _tokens(usage),
            _model(provider, model),
            provider_id=_PROVIDERS.get(provider, provider),
            genai_request_timestamp=_EPOCH + timedelta(microseconds=at_ns // 1000),
            price_context=_tier(service_tier),
        )
        cost = Cost(float(found.total_price), float(found.input_price), float(found.output_price))
    except LookupError:
        if len(_unpriced) < _MOST_REMEMBERED:
            _unpriced.add((provider, model))
        return None
    except (ValueError, OverflowError):
        return None
    return cost if math.isfinite(cost.total) else None


def unpriced_models() -> frozenset[tuple[str, str]]:
    """Providers and models that were asked for in this process and have no price; the first thousand of them."""
    return frozenset(_unpriced)


@cache
def _calculator() -> Any:
    try:
        from genai_prices import calc_price
    except ImportError:
        _logger.warning("Calls are not priced: install the price list with `pip install otel-llm[prices]`")
        return None
    return calc_price


def _tokens(usage: TokenCounts) -> Any:
    from genai_prices import Usage as PricedUsage

    return PricedUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.output_tokens,
    )


def _model(provider: str, model: str) -> str:
    if provider != "openrouter":
        return model.removeprefix("models/")
    return model.removesuffix(_OPENROUTER_SAME_PRICE)


def _tier(service_tier: str | None) -> dict[str, str] | None:
    """What selects a variant of a price: batches are a way of processing, other tiers are tiers."""
    if service_tier is None:
        return None
    return {"processing": "batch"} if service_tier == "batch" else {"service_tier": service_tier}
