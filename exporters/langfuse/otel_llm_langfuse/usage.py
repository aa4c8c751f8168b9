"""Tokens: read tolerantly, told in the exclusive buckets that Langfuse sums and prices."""

from __future__ import annotations

from typing import Final

from otel_llm import semconv as sc
from otel_llm.pricing import TokenCounts
from otel_llm_langfuse.readers import Given, count

#: What Langfuse's server counts tokens from if it is given no usage details.
RAW_PREFIXES: Final = ("gen_ai.usage.", "llm.token_count.", "llm.usage.")

_INPUT: Final = (sc.USAGE_INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT: Final = (sc.USAGE_OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_CACHE_READ: Final = (
    sc.USAGE_CACHE_READ,
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_CACHE_WRITE: Final = (
    sc.USAGE_CACHE_WRITE,
    sc.USAGE_CACHE_WRITE_OLD,
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_REASONING: Final = (
    sc.USAGE_REASONING,
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)


def read_usage(given: Given) -> TokenCounts:
    """The token counts of a call in the conventions' sense: input includes what was read from and written to a cache.

    Anthropic's own counts leave the cache out. They are told by a cache larger than the input, which cannot be otherwise.
    """
    read, written = count(given, *_CACHE_READ), count(given, *_CACHE_WRITE)
    total_input, cached = count(given, *_INPUT), (read or 0) + (written or 0)
    if total_input is not None and cached > total_input:
        total_input += cached
    return TokenCounts(
        input_tokens=total_input,
        output_tokens=count(given, *_OUTPUT),
        cache_read=read,
        cache_write=written,
        **_lifetimes(given, written),
        reasoning=count(given, *_REASONING),
    )


def is_known(usage: TokenCounts) -> bool:
    """Whether a provider said how many tokens a call took."""
    return usage.input_tokens is not None or usage.output_tokens is not None


def usage_details(usage: TokenCounts) -> dict[str, int]:
    """Buckets that exclude one another, and their ``total``; zeros if nothing is known.

    Reasoning stays in ``output``: many models have no price for a bucket of its own, which would then cost nothing.
    """
    read, written = usage.cache_read or 0, usage.cache_write or 0
    asked = max(0, (usage.input_tokens or 0) - read - written)
    buckets = {"input": asked, "output": usage.output_tokens or 0}
    caches = {"input_cached_tokens": read, **_written(usage, written)}
    buckets |= {bucket: tokens for bucket, tokens in caches.items() if tokens}
    return {**buckets, "total": sum(buckets.values())}


def _lifetimes(given: Given, written: int | None) -> dict[str, int | None]:
    """Cache writes by lifetime, where they agree with the whole."""
    short, long = count(given, sc.CACHE_WRITE_5M), count(given, sc.CACHE_WRITE_1H)
    agrees = (short or 0) + (long or 0) <= (written or 0)
    return {"cache_write_5m": short if agrees else None, "cache_write_1h": long if agrees else None}


def _written(usage: TokenCounts, written: int) -> dict[str, int]:
    short, long = usage.cache_write_5m or 0, usage.cache_write_1h or 0
    return {
        "input_cache_creation": written - short - long,
        "input_cache_creation_5m": short,
        "input_cache_creation_1h": long,
    }
