"""What one call cost: as its provider said, else by the user's prices, else by list price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.pricing import TokenCounts, exclusive_parts, names_of_the_model, overriding_price, price
from otel_llm.protocols.facts import Usage


def cost_of(told: Mapping[str, AttributeValue], usage: Usage, service_tier: str | None, started_ns: int) -> float | None:
    """In USD; None if it is not known. ``told`` has the call's provider and models; it began at ``started_ns`` since 1970.

    What the provider reported wins over every price, but for rows of the user's price table that say otherwise.
    """
    models = names_of_the_model(_text(told.get(sc.REQUEST_MODEL)), _text(told.get(sc.RESPONSE_MODEL)))
    provider = _text(told.get(sc.PROVIDER_NAME))
    if provider is None or not models:
        return usage.cost
    look_up = price if usage.cost is None else overriding_price
    found = look_up(
        provider=provider,
        model=models[0],
        otherwise=models[1:],
        usage=_token_counts(usage),
        at_ns=started_ns,
        service_tier=service_tier,
    )
    return usage.cost if found is None else found.total


def _text(value: AttributeValue | None) -> str | None:
    return value if isinstance(value, str) else None


def _token_counts(usage: Usage) -> TokenCounts:
    """Tokens by what they are priced by; without their parts by lifetime and modality where these contradict the whole."""
    plain = TokenCounts(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read=usage.cache_read,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
    )
    named = {
        f"{direction.replace('.input', '')}_{kind}": usage.modalities.get(f"gen_ai.usage.{kind}.{direction}_tokens")
        for direction in ("input", "output", "cache_read.input")
        for kind in ("audio", "image")
    }
    whole = replace(plain, cache_write_5m=usage.cache_write_5m, cache_write_1h=usage.cache_write_1h, **named)
    try:
        exclusive_parts(whole)
    except ValueError:
        return plain
    return whole
