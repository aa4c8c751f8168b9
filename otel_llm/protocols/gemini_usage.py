"""Token counts of generateContent."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.facts import Usage
from otel_llm.protocols.modalities import from_list
from otel_llm.protocols.values import count


def read_usage(usage: dict[str, Any]) -> Usage:
    """Google counts the prompts of its own tools beside the prompt and thoughts beside the answer; the conventions count them in."""
    thoughts = count(usage.get("thoughtsTokenCount"))
    return Usage(
        input_tokens=total(count(usage.get("promptTokenCount")), count(usage.get("toolUsePromptTokenCount"))),
        output_tokens=total(count(usage.get("candidatesTokenCount")), thoughts),
        cache_read=count(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
        modalities=from_list("input", usage.get("promptTokensDetails"))
        | from_list("cache_read.input", usage.get("cacheTokensDetails"))
        | from_list("output", usage.get("candidatesTokensDetails")),
    )


def total(*counts: int | None) -> int | None:
    """The sum of the counts that were reported, or None if none was."""
    reported = [each for each in counts if each is not None]
    return sum(reported) if reported else None
