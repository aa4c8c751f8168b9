"""What a provider itself says that a call cost. Most say nothing."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.values import mapping, number

#: xAI reports what it charged in ticks (docs.x.ai, "Cost Tracking").
_TICKS_PER_USD: Final = 10_000_000_000


def reported_cost(usage: dict[str, Any]) -> float | None:
    """USD that the provider says it charged, 0 included; None if it says nothing.

    OpenRouter has a number, Perplexity an object with the total of tokens, searches and the request, xAI ticks. For a key of the
    customer's own, OpenRouter's ``cost`` is only its fee, and what the key's owner pays comes on top.
    """
    cost = number(usage.get("cost"))
    if cost is None:
        cost = number(mapping(usage.get("cost")).get("total_cost"))
    if cost is None:
        ticks = number(usage.get("cost_in_usd_ticks"))
        return None if ticks is None else ticks / _TICKS_PER_USD
    if usage.get("is_byok") is True:
        cost += number(mapping(usage.get("cost_details")).get("upstream_inference_cost")) or 0.0
    return cost
