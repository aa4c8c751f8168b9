"""What a call cost: as its provider said, else by the user's prices, else by list price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.pricing import Cost, TokenCounts, names_of_the_model, note_unpriced, overriding_price, price
from otel_llm_langfuse.parameters import service_tier
from otel_llm_langfuse.readers import Given, amount, text
from otel_llm_langfuse.usage import bucket_of, is_known

#: What Langfuse's server takes a cost from if it is given no cost details.
RAW: Final = (sc.USAGE_COST, "llm.cost.total")


@dataclass(frozen=True, slots=True)
class CallCost:
    """``details`` in USD, always with ``total``: without one Langfuse shows a trace of no cost."""

    details: dict[str, float]
    source: str


def call_cost(given: Given, usage: TokenCounts, started_ns: int) -> CallCost | None:
    """The cost of one call; None if it is unknown, so that Langfuse may know better.

    What the provider reported wins over every price, but for rows of the user's price table that say otherwise. Writes a note of a
    model without a price, once.
    """
    reported = amount(given, sc.USAGE_COST)
    asked = _asked(given, usage, started_ns)
    if reported is not None:
        own = None if asked is None else overriding_price(**asked)
        return CallCost({"total": reported}, "provider") if own is None else _by_bucket(own)
    if asked is None:
        return None
    found = price(**asked)
    if found is None:
        note_unpriced(asked["provider"], asked["model"])
        return None
    return _by_bucket(found)


def _asked(given: Given, usage: TokenCounts, started_ns: int) -> dict[str, Any] | None:
    """What a price depends on; None without a provider, model or tokens."""
    provider = text(given, sc.PROVIDER_NAME)
    names = names_of_the_model(text(given, sc.REQUEST_MODEL), text(given, sc.RESPONSE_MODEL))
    if provider is None or not names or not is_known(usage):
        return None
    return {
        "provider": provider,
        "model": names[0],
        "otherwise": names[1:],
        "usage": usage,
        "at_ns": started_ns,
        "service_tier": service_tier(given),
    }


def _by_bucket(cost: Cost) -> CallCost:
    """The cost of each bucket of the usage, and the total that they add up to."""
    details = {"input": 0.0, "output": 0.0}
    for part, amount_usd in cost.parts.items():
        bucket = bucket_of(part)
        details[bucket] = details.get(bucket, 0.0) + amount_usd
    return CallCost({**details, "total": cost.total}, cost.source)
