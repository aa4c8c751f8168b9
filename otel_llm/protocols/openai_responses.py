"""OpenAI's responses, also spoken by Azure, Bedrock, DeepSeek, OpenRouter and xAI.

``POST .../responses`` and ``POST .../responses/compact``. Streams are events up to one that carries the whole response.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import ErrorFacts, Message, ResponseFacts, Scalar, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.modalities import from_fields
from otel_llm.protocols.openai_responses_fold import Fold
from otel_llm.protocols.openai_responses_items import awaits_client, kind_of, read_item
from otel_llm.protocols.openai_responses_request import request
from otel_llm.protocols.reported_cost import reported_cost
from otel_llm.protocols.values import count, elements, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "openai_responses"
OPERATION: Final = semconv.CHAT

#: Not answered yet: usage and service tier are placeholders.
_PENDING: Final = frozenset({"queued", "in_progress"})
#: Why a response is incomplete, in the conventions' words; other reasons are reported as sent.
_INCOMPLETE: Final = {"max_output_tokens": "length"}


def matches(body: Any) -> bool:
    """A model or a stored prompt, and an input: a text or a list of items."""
    body = mapping(body)
    given = body.get("input")
    items = bool(given) and all(isinstance(item, dict) and ("type" in item or "role" in item) for item in elements(given))
    named = text(body.get("model")) or mapping(body.get("prompt"))
    return bool(named) and (items if isinstance(given, list) else text(given) is not None)


def response(body: Any) -> ResponseFacts:
    """Facts of a response, of as much of it as arrived, or of an error body.

    A response repeats what was asked (instructions, tools, temperature); that is read from the request only.
    """
    body = mapping(body)
    items = mappings(body.get("output"))
    reason = _finish_reason(body, items)
    return ResponseFacts(
        id=text(body.get("id")),
        model=text(body.get("model")),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(body),
        messages=_messages(items, reason),
        error=_error(body),
        attributes=_attributes(body, items),
    )


def _finish_reason(body: dict[str, Any], items: list[dict[str, Any]]) -> str | None:
    """The conventions' word for how a response has ended; None while it has not."""
    if body.get("object") == "response.compaction":
        return "compaction"
    match status := text(body.get("status")):
        case "completed":
            return "tool_call" if awaits_client(items) else "stop"
        case "incomplete":
            reason = text(mapping(body.get("incomplete_details")).get("reason"))
            return _INCOMPLETE.get(reason, reason) if reason else status
        case "failed":
            return "error"
        case _:
            return None if status in _PENDING else status


def _messages(items: list[dict[str, Any]], reason: str | None) -> list[Message]:
    """One message; more only where a compacted conversation holds those of others too."""
    messages: list[Message] = []
    for role, group in groupby(items, lambda item: text(item.get("role")) or "assistant"):
        messages.append({"role": role, "parts": [part for item in group for part in read_item(item)]})
    if messages and reason:
        messages[-1]["finish_reason"] = reason
    return messages


def _read_usage(body: dict[str, Any]) -> Usage:
    """Usage, which includes caching and reasoning with all vendors; while a response is pending, zeros say nothing."""
    usage = mapping(body.get("usage"))
    output = count(usage.get("output_tokens"))
    if text(body.get("status")) in _PENDING and not output:
        return Usage()
    given = mapping(usage.get("input_tokens_details"))
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=output,
        cache_read=count(given.get("cached_tokens")),
        cache_write=count(given.get("cache_write_tokens")),
        reasoning=count(mapping(usage.get("output_tokens_details")).get("reasoning_tokens")),
        modalities=from_fields("input", given) | from_fields("output", usage.get("output_tokens_details")),
        cost=reported_cost(usage),
    )


def _error(body: dict[str, Any]) -> ErrorFacts | None:
    failed = ErrorFacts("failed") if body.get("status") == "failed" else None
    return failure(body) or failed


def _attributes(body: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Scalar]:
    """The tier asked for is echoed until the end, when it is the one that served."""
    named: dict[str, Scalar | None] = {
        semconv.OPENAI_RESPONSE_SERVICE_TIER: None if text(body.get("status")) in _PENDING else text(body.get("service_tier")),
        semconv.UPSTREAM_PROVIDER: text(body.get("provider")),
        semconv.CONVERSATION_COMPACTED: any(kind_of(item).startswith("compaction") for item in items),
    }
    return {name: value for name, value in named.items() if value}
