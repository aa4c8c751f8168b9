"""What one call costs by list price, from the data of the genai-prices package (extra ``prices``). Never uses the network."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
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
#: Prices change with the date or, at some providers, with the time of day; never within a minute.
_MINUTE_NS: Final = 60_000_000_000
#: Prices of tokens, in USD per million, and of searches, of which no usage tells. A model with others is priced by genai-prices
#: itself, as are counts so large that decimals might be rounded.
_PLAIN_PRICES: Final = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_1h_mtok",
        "web_searches_kcount",
        "storage_searches_kcount",
    }
)
_MOST_TOKENS: Final = 10**9
_NOTHING: Final = Decimal(0)

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
    if _calculator() is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    try:
        prices = _prices(provider, model, service_tier, at_ns // _MINUTE_NS)
        if prices is None:
            if len(_unpriced) < _MOST_REMEMBERED:
                _unpriced.add((provider, model))
            return None
        cost = _plain_cost(prices, usage) or _calculated_cost(_calculate(provider, model, service_tier, at_ns, usage))
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


@lru_cache(maxsize=256)
def _prices(provider: str, model: str, service_tier: str | None, minute: int) -> Mapping[str, Any] | None:
    """What genai-prices says of a model at a time (minutes since 1970), by its names of prices; None for an unknown model.

    Kept because a calculation by genai-prices takes as long as all else that is done for a span.
    """
    try:
        found = _calculate(provider, model, service_tier, minute * _MINUTE_NS, TokenCounts(0, 0))
    except LookupError:
        return None
    return {name: value for name, value in vars(found.model_price).items() if value is not None}


def _plain_cost(prices: Mapping[str, Any], usage: TokenCounts) -> Cost | None:
    """The cost as genai-prices calculates it, to the last digit; None for what it must calculate, or refuse, itself."""
    if usage.input_tokens is None or not prices.keys() <= _PLAIN_PRICES:
        return None
    read, written, long = usage.cache_read or 0, usage.cache_write or 0, usage.cache_write_1h or 0
    given = (usage.input_tokens, usage.output_tokens or 0, read, written, long)
    counts = _priced_counts(prices, *given)
    if min(*given, written - long, counts["input_mtok"]) < 0 or max(given) > _MOST_TOKENS:
        return None
    costs = {
        name: _rate(prices[name], usage.input_tokens) * count / 1_000_000
        for name, count in counts.items()
        if count and name in prices
    }
    output, total = costs.get("output_mtok", _NOTHING), sum(costs.values(), _NOTHING)
    return Cost(float(total), float(total - output), float(output))


def _priced_counts(
    prices: Mapping[str, Any], asked: int, answered: int, read: int, written: int, written_1h: int
) -> dict[str, int]:
    """Tokens by the price that each has, once: what has no price of its own has that of which it is a part."""
    read = read if "cache_read_mtok" in prices else 0
    written_1h = written_1h if "cache_write_1h_mtok" in prices else 0
    written = written if "cache_write_mtok" in prices else 0
    return {
        "input_mtok": asked - read - written,
        "output_mtok": answered,
        "cache_read_mtok": read,
        "cache_write_mtok": written - written_1h,
        "cache_write_1h_mtok": written_1h,
    }


def _rate(price: Any, input_tokens: int) -> Decimal:
    """USD per million tokens; of a price in tiers that of the highest one whose start the input exceeds."""
    if isinstance(price, Decimal):
        return price
    above: list[Decimal] = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return above[-1] if above else price.base


def _calculated_cost(found: Any) -> Cost:
    return Cost(float(found.total_price), float(found.input_price), float(found.output_price))


def _calculate(provider: str, model: str, service_tier: str | None, at_ns: int, usage: TokenCounts) -> Any:
    """The calculation of genai-prices. Raises LookupError for an unknown model, ValueError for counts that make no sense."""
    return _calculator()(
        _tokens(usage),
        _model(provider, model),
        provider_id=_PROVIDERS.get(provider, provider),
        genai_request_timestamp=_EPOCH + timedelta(microseconds=at_ns // 1000),
        price_context=_tier(service_tier),
    )


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
