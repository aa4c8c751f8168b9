"""Shapes of the ``usage`` object, by vendor. Each takes what ``complete`` made of a reply's usage."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.facts import Usage


def plain(usage: Usage) -> dict[str, Any]:
    """The common shape. Cache writes are named only where there are some."""
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    cached = {"cached_tokens": usage.cache_read}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": cached | ({"cache_write_tokens": usage.cache_write} if usage.cache_write else {}),
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


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
