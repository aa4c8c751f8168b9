"""Token counts of OpenAI's chat completions, as the many vendors of that format report them."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.facts import Usage
from otel_llm.protocols.modalities import from_fields
from otel_llm.protocols.reported_cost import reported_cost
from otel_llm.protocols.values import count, mapping, mappings, text

#: Beside the prompt's details: Together, Hugging Face and Moonshot; DeepSeek; Mistral.
_CACHE_READ_KEYS: Final = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")


def read_usage(body: dict[str, Any]) -> Usage:
    """Usage of a response."""
    usage = _reported(body)
    prompt = mapping(usage.get("prompt_tokens_details"))
    reasoning = count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=_output_tokens(usage, reasoning, text(body.get("model")) or ""),
        cache_read=_cache_read(usage, prompt),
        cache_write=count(prompt.get("cache_write_tokens")),
        reasoning=reasoning,
        modalities=from_fields("input", prompt) | from_fields("output", usage.get("completion_tokens_details")),
        cost=reported_cost(usage),
    )


def _reported(body: dict[str, Any]) -> dict[str, Any]:
    """The ``usage``, or where Groq's older streams and Moonshot's put it instead."""
    for place in (body, mapping(body.get("x_groq")), *mappings(body.get("choices"))):
        if usage := mapping(place.get("usage")):
            return usage
    return {}


def _cache_read(usage: dict[str, Any], prompt: dict[str, Any]) -> int | None:
    if (cached := count(prompt.get("cached_tokens"))) is not None:
        return cached
    for key in _CACHE_READ_KEYS:
        if (cached := count(usage.get(key))) is not None:
            return cached
    return None


def _output_tokens(usage: dict[str, Any], reasoning: int | None, model: str) -> int | None:
    """Completion tokens, with the reasoning that two vendors leave out of them.

    xAI counts reasoning beside the completion, which shows in the total. Google's compatible endpoint counts it in the total only.
    """
    completion, prompt, total = (
        count(usage.get("completion_tokens")),
        count(usage.get("prompt_tokens")),
        count(usage.get("total_tokens")),
    )
    if completion is None or prompt is None or total is None or total <= prompt + completion:
        return completion
    if reasoning and total == prompt + completion + reasoning:
        return completion + reasoning
    if "gemini" in model and "completion_tokens_details" not in usage:
        return total - prompt
    return completion
