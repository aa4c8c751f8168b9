"""What a call cost: as its provider said, else by list price."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from otel_llm import semconv as sc
from otel_llm.pricing import TokenCounts, price
from otel_llm_langfuse.parameters import service_tier
from otel_llm_langfuse.readers import Given, amount, text
from otel_llm_langfuse.usage import is_known

#: What Langfuse's server takes a cost from if it is given no cost details.
RAW: Final = (sc.USAGE_COST, "llm.cost.total")


@dataclass(frozen=True, slots=True)
class CallCost:
    """``details`` in USD, always with ``total``: without one Langfuse shows a trace of no cost."""

    details: dict[str, float]
    source: str


def call_cost(given: Given, usage: TokenCounts, started_ns: int) -> CallCost | None:
    """The cost of one call; None if it is unknown, so that Langfuse may know better."""
    reported = amount(given, *RAW)
    if reported is not None:
        return CallCost({"total": reported}, "provider")
    provider = text(given, sc.PROVIDER_NAME, sc.SYSTEM_OLD)
    if provider is None or not is_known(usage):
        return None
    for model in _names_of_the_model(text(given, sc.REQUEST_MODEL), text(given, sc.RESPONSE_MODEL)):
        found = price(provider=provider, model=model, usage=usage, at_ns=started_ns, service_tier=service_tier(given))
        if found is not None:
            return CallCost({"input": found.input, "output": found.output, "total": found.total}, found.source)
    return None


@lru_cache(maxsize=256)
def _names_of_the_model(asked: str | None, answered: str | None) -> tuple[str, ...]:
    """The model that answered, then the one asked for, unless the two may differ in price."""
    if answered is None or asked is None or asked == answered:
        return tuple(name for name in (answered or asked,) if name)
    return (answered, asked) if _same_model(asked, answered) else (answered,)


def _same_model(asked: str, answered: str) -> bool:
    """Whether ``answered`` is ``asked`` with a date or the words in another order (gpt-5, gpt-5-2025-08-07)."""
    wanted, got = _words(asked), _words(answered)
    return wanted <= got and all(word.isdigit() for word in got - wanted)


def _words(model: str) -> set[str]:
    return set(re.split(r"[-/:@]", model.lower()))
