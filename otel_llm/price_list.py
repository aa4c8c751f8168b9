"""List prices of models, from the data of the genai-prices package (extra ``prices``). Never uses the network."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from otel_llm.rates import Prices, applicable

_logger = logging.getLogger(__name__)

SOURCE: Final = "genai-prices"
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
#: Its names of prices by ours. It has prices of searches, seconds, pages and videos, too, which no usage here tells of.
_NAMES: Final = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "cache_audio_read_mtok": "cache_read_audio",
    "cache_image_read_mtok": "cache_read_image",
    "output_reasoning_mtok": "reasoning",
}
_FLAT: Final = "requests_kcount"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Prices change with the date or, at some providers, with the time of day; never within a minute.
MINUTE_NS: Final = 60_000_000_000


def is_installed() -> bool:
    """Whether there is a price list; the log says once if there is none."""
    return _calculator() is not None


@lru_cache(maxsize=256)
def list_prices(provider: str, model: str, service_tier: str | None, minute: int) -> Prices | None:
    """The price of each part of a call's tokens at a time (minutes since 1970); None for a model without any.

    Kept because a calculation by genai-prices takes as long as all else that is done for a span. Raises OverflowError for a time
    out of reach, ValueError for a model that the list has wrong.
    """
    try:
        found = _calculate(provider, model, service_tier, minute)
    except LookupError:
        return None
    listed = vars(found.model_price)
    prices = {ours: listed[theirs] for theirs, ours in _NAMES.items() if listed.get(theirs) is not None}
    if isinstance(flat := listed.get(_FLAT), Decimal) and prices:
        prices["request"] = flat / 1000
    return applicable(prices)


@cache
def _calculator() -> Any:
    try:
        from genai_prices import calc_price
    except ImportError:
        _logger.warning("Calls are not priced: install the price list with `pip install otel-llm[prices]`")
        return None
    return calc_price


def _calculate(provider: str, model: str, service_tier: str | None, minute: int) -> Any:
    """The calculation of genai-prices for no tokens. Raises LookupError for an unknown model."""
    from genai_prices import Usage

    return _calculator()(
        Usage(),
        _model(provider, model),
        provider_id=_PROVIDERS.get(provider, provider),
        genai_request_timestamp=_EPOCH + timedelta(minutes=minute),
        price_context=_context(service_tier),
    )


def _model(provider: str, model: str) -> str:
    if provider != "openrouter":
        return model.removeprefix("models/")
    return model.removesuffix(_OPENROUTER_SAME_PRICE)


def _context(service_tier: str | None) -> dict[str, str] | None:
    """What selects a variant of a price. Batches are a way of processing, Anthropic's fast mode is a speed; the rest are tiers."""
    if service_tier is None:
        return None
    tier = service_tier.lower().removeprefix("service_tier_")
    if tier == "batch":
        return {"processing": "batch"}
    return {"service_tier": tier, "speed": tier}
