"""Token counts of an observation: exclusive buckets and their total."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.model import is_suppressed
from otel_llm.testing.langfuse.spans import Span

Usage = dict[str, int]
Numbers = dict[str, float | int]

_DETAILS: Final = "langfuse.observation.usage_details"
_PREFIXES: Final = ("gen_ai.usage.", "llm.token_count.")
_COST: Final = "gen_ai.usage.cost"
#: Sums, by the names under which they are read.
_SUMS: Final = {
    "input": ("input_tokens", "prompt_tokens", "prompt"),
    "output": ("output_tokens", "completion_tokens", "completion"),
    "total": ("total_tokens", "total"),
}
#: Buckets that are part of a sum and are subtracted from it. A name that is not here becomes a bucket of its own.
_PARTS: Final = {
    "input": {
        "input_cached_tokens": (
            "cache_read.input_tokens",
            "cache_read_input_tokens",
            "cache_read_tokens",
            "details.cache_read_input_tokens",
            "details.cache_read_tokens",
            "input_cached_tokens",
            "prompt_details.cache_read",
        ),
        "input_cache_creation": (
            "cache_creation.input_tokens",
            "cache_creation_input_tokens",
            "cache_write_tokens",
            "details.cache_creation_input_tokens",
            "details.cache_write_tokens",
            "prompt_details.cache_write",
        ),
    },
    "output": {
        "output_reasoning_tokens": ("reasoning.output_tokens", "completion_details.reasoning"),
        "output_audio_tokens": ("completion_details.audio",),
    },
}
#: Exact shapes of OpenAI's usage objects: input, output, total; then the details of input and of output.
_OPENAI: Final = (
    ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"),
    ("input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details"),
)


def usage(span: Span) -> Usage:
    """Counts as stored; empty if there are none."""
    if is_suppressed(span):
        return {}
    if (details := span.first(_DETAILS)) is not None:
        try:
            return _with_total(_counts(_openai_shape(javascript.parse(details))))
        except ValueError:  # no JSON: as if it had not been sent
            pass
    return _with_total(_counts(_from_attributes(span)))


def _from_attributes(span: Span) -> Numbers:
    sent = _sent(span)
    numbers: Numbers = {}
    for total, names in _SUMS.items():
        if (value := _take(sent, names)) is not None:
            numbers[total] = value
    for total, parts in _PARTS.items():
        for bucket, names in parts.items():
            if (value := _take(sent, names)) is not None:
                numbers[bucket] = value
                if total in numbers:
                    numbers[total] = max(numbers[total] - value, 0)
    return {**sent, **numbers}


def _sent(span: Span) -> Numbers:
    numbers: Numbers = {}
    for name, value in span.attributes.items():
        if name.startswith(_PREFIXES) and name != _COST and (count := javascript.number(value)) is not None:
            for prefix in _PREFIXES:
                name = name.removeprefix(prefix)
            numbers[name] = count
    return numbers


def _take(sent: Numbers, names: tuple[str, ...]) -> float | int | None:
    """The first of several spellings; none of them is left over as a bucket."""
    values = [value for name in names if (value := sent.pop(name, None)) is not None]
    return values[0] if values else None


def _openai_shape(details: Any) -> Any:
    """Usage as OpenAI reports it, with details subtracted from their sum; anything else as it is."""
    for *sums, input_details, output_details in _OPENAI:
        if not _is_shape(details, sums, (input_details, output_details)):
            continue
        result = dict(zip(("input", "output", "total"), (details[name] for name in sums), strict=True))
        for side, name in (("input", input_details), ("output", output_details)):
            for part, count in (details.get(name) or {}).items():
                if count is not None:
                    result[f"{side}_{part}"] = count
                    result[side] = max(result[side] - count, 0)
        return result
    return details


def _is_shape(details: Any, sums: list[str], parts: tuple[str, ...]) -> bool:
    if not isinstance(details, dict) or not set(sums) <= details.keys() <= {*sums, *parts}:
        return False
    counts = [count for name in parts for count in (details.get(name) or {}).values() if count is not None]
    return all(isinstance(count, int) and count >= 0 for count in (*counts, *(details[name] for name in sums)))


def _counts(details: Any) -> Usage:
    """Whole numbers from 0 up, also as text. The rest is dropped, count by count."""
    numbers = {name: javascript.number(value) for name, value in details.items()} if isinstance(details, dict) else {}
    return {name: int(value) for name, value in numbers.items() if value is not None and value >= 0 and value == int(value)}


def _with_total(counts: Usage) -> Usage:
    return {**counts, "total": sum(counts.values())} if counts and "total" not in counts else counts
