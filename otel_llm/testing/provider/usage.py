"""Shapes of the ``usage`` object, by vendor. Each takes what ``complete`` made of a reply's usage."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.facts import Usage


def plain(usage: Usage) -> dict[str, Any]:
    """The common shape. Cache writes are named only where there are some."""
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": _cached(usage),
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def totals(usage: Usage) -> dict[str, Any]:
    """Three numbers, as for text completions."""
    return {name: number for name, number in plain(usage).items() if name.endswith("_tokens")}


def responses(usage: Usage) -> dict[str, Any]:
    """The shape of the Responses API."""
    shape = plain(usage)
    return {
        "input_tokens": shape["prompt_tokens"],
        "input_tokens_details": shape["prompt_tokens_details"],
        "output_tokens": shape["completion_tokens"],
        "output_tokens_details": shape["completion_tokens_details"],
        "total_tokens": shape["total_tokens"],
    } | ({} if usage.cost is None else {"cost": usage.cost, "is_byok": False})


def openai(usage: Usage) -> dict[str, Any]:
    """With details of sound and prediction, which are 0."""
    shape = plain(usage)
    shape["prompt_tokens_details"]["audio_tokens"] = 0
    shape["completion_tokens_details"] |= {
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    return shape


def openrouter(usage: Usage) -> dict[str, Any]:
    """With the cost in USD, as charged and as the upstream charged it."""
    costs = {"upstream_inference_cost": usage.cost}
    return {**plain(usage), "cost": usage.cost, "is_byok": False, "cost_details": costs}


def deepseek(usage: Usage) -> dict[str, Any]:
    """With the prompt split into what the cache had and had not."""
    hit = usage.cache_read or 0
    return {**plain(usage), "prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": (usage.input_tokens or 0) - hit}


def groq(usage: Usage) -> dict[str, Any]:
    """With times, in seconds, among the counts."""
    return {"queue_time": 0.005, **plain(usage), "prompt_time": 0.014, "completion_time": 0.11, "total_time": 0.124}


def xai(usage: Usage) -> dict[str, Any]:
    """Its ``completion_tokens`` leave reasoning out; only the total has it."""
    shape = plain(usage)
    shape["completion_tokens"] -= usage.reasoning or 0
    return shape


def together(usage: Usage) -> dict[str, Any]:
    """With the cached tokens at the top, instead of among the details."""
    shape = plain(usage)
    shape["cached_tokens"] = shape["prompt_tokens_details"].pop("cached_tokens")
    return shape


def mistral(usage: Usage) -> dict[str, Any]:
    """Cached tokens also at the top; reasoning is not counted apart."""
    return totals(usage) | {"num_cached_tokens": usage.cache_read, "prompt_tokens_details": _cached(usage)}


def anthropic(usage: Usage) -> dict[str, Any]:
    """Anthropic's: input without the cache's part, which stands beside it; cache writes also by lifetime."""
    read, write = usage.cache_read or 0, usage.cache_write or 0
    shape: dict[str, Any] = {
        "input_tokens": (usage.input_tokens or 0) - read - write,
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
    }
    if usage.reasoning:
        shape["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return shape


def gemini(usage: Usage) -> dict[str, Any]:
    """Google's: thoughts stand beside the candidates' tokens; what is 0 is left out."""
    prompt, output, thoughts = usage.input_tokens or 0, usage.output_tokens or 0, usage.reasoning or 0
    shape = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output - thoughts,
        "totalTokenCount": prompt + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    optional = {"cachedContentTokenCount": usage.cache_read, "thoughtsTokenCount": usage.reasoning}
    return shape | {name: number for name, number in optional.items() if number}


def cohere(usage: Usage) -> dict[str, Any]:
    """Cohere's: what is billed differs from what was read, which includes Cohere's own instructions."""
    tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    billed = tokens | {"input_tokens": (usage.input_tokens or 0) // 2}
    return {"billed_units": billed, "tokens": tokens} | ({"cached_tokens": usage.cache_read} if usage.cache_read else {})


def _cached(usage: Usage) -> dict[str, Any]:
    return {"cached_tokens": usage.cache_read} | ({"cache_write_tokens": usage.cache_write} if usage.cache_write else {})
