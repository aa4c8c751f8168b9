"""Tokens, told in the exclusive buckets that Langfuse sums and prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from otel_llm import semconv as sc
from otel_llm.pricing import TokenCounts, exclusive_parts
from otel_llm_langfuse.readers import Given, count, names_under

#: What Langfuse's server counts tokens from if it is given no usage details.
RAW_PREFIXES: Final = ("gen_ai.usage.", "llm.token_count.", "llm.usage.")

#: Those that have prices of their own; what is left of the input and output is text.
_MODALITIES: Final = ("audio", "image")
_MODAL: Final = tuple(f"gen_ai.usage.{kind}." for kind in _MODALITIES)
#: Parts of the tokens whose bucket has another name.
_BUCKETS: Final = {
    "cache_read": "input_cached_tokens",
    "cache_read_audio": "input_cached_tokens",
    "cache_read_image": "input_cached_tokens",
    "cache_write": "input_cache_creation",
    "cache_write_5m": "input_cache_creation_5m",
    "cache_write_1h": "input_cache_creation_1h",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "reasoning": "output",
}
_FEWER_BUCKETS: Final = _BUCKETS | {
    "input_audio": "input",
    "input_image": "input",
    "output_audio": "output",
    "output_image": "output",
}


def read_usage(given: Given) -> TokenCounts:
    """The token counts of a call in the conventions' sense: input includes what was read from and written to a cache."""
    read, written = count(given, sc.USAGE_CACHE_READ), count(given, sc.USAGE_CACHE_WRITE)
    asked, answered = count(given, sc.USAGE_INPUT_TOKENS), count(given, sc.USAGE_OUTPUT_TOKENS)
    return TokenCounts(
        input_tokens=asked,
        output_tokens=answered,
        cache_read=read,
        cache_write=written,
        **_lifetimes(given, written),
        reasoning=count(given, sc.USAGE_REASONING),
        **(_both_modalities(given, asked, answered, read) if names_under(given, *_MODAL) else {}),
    )


def is_known(usage: TokenCounts) -> bool:
    """Whether a provider said how many tokens a call took."""
    return usage.input_tokens is not None or usage.output_tokens is not None


def usage_details(usage: TokenCounts, *, by_modality: bool = True) -> dict[str, int]:
    """Buckets that exclude one another, and their ``total``; zeros if nothing is known.

    Reasoning stays in ``output``, and without ``by_modality`` audio and images in input and output: many models have no price at
    Langfuse for buckets of their own, which would then cost nothing.
    """
    buckets = {"input": 0, "output": 0}
    for part, tokens in _parts(usage).items():
        if tokens:
            bucket = bucket_of(part, by_modality=by_modality)
            buckets[bucket] = buckets.get(bucket, 0) + tokens
    return {**buckets, "total": sum(buckets.values())}


def bucket_of(part: str, *, by_modality: bool = True) -> str:
    """Langfuse's name for a part of the tokens or of their cost."""
    return (_BUCKETS if by_modality else _FEWER_BUCKETS).get(part, part)


def _parts(usage: TokenCounts) -> dict[str, int]:
    """Parts of the tokens as far as they are known: nothing is subtracted from an input that nobody told."""
    if usage.input_tokens is None:
        usage = replace(usage, input_tokens=(usage.cache_read or 0) + (usage.cache_write or 0))
    try:
        return exclusive_parts(usage)
    except ValueError:
        return {"input": usage.input_tokens or 0, "output": usage.output_tokens or 0}


def _both_modalities(given: Given, asked: int | None, answered: int | None, read: int | None) -> dict[str, int | None]:
    return _modalities(given, "input", asked, read) | _modalities(given, "output", answered, None)


def _modalities(given: Given, direction: str, whole: int | None, cached: int | None) -> dict[str, int | None]:
    """Audio and images, where they agree with the whole; cached ones, where they agree with the cache and with these."""
    found = {kind: count(given, f"gen_ai.usage.{kind}.{direction}_tokens") for kind in _MODALITIES}
    if sum(tokens or 0 for tokens in found.values()) > (whole or 0):
        return {}
    told = {f"{direction}_{kind}": tokens for kind, tokens in found.items()}
    read = {kind: count(given, f"gen_ai.usage.{kind}.cache_read.{direction}_tokens") for kind in _MODALITIES}
    agrees = all((read[kind] or 0) <= (found[kind] or 0) for kind in _MODALITIES)
    if agrees and sum(tokens or 0 for tokens in read.values()) <= (cached or 0):
        told |= {f"cache_read_{kind}": tokens for kind, tokens in read.items() if tokens is not None}
    return told


def _lifetimes(given: Given, written: int | None) -> dict[str, int | None]:
    """Cache writes by lifetime, where they agree with the whole."""
    short, long = count(given, sc.CACHE_WRITE_5M), count(given, sc.CACHE_WRITE_1H)
    agrees = (short or 0) + (long or 0) <= (written or 0)
    return {"cache_write_5m": short if agrees else None, "cache_write_1h": long if agrees else None}
