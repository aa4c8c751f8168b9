"""The facts of a call as attributes of the conventions."""

from __future__ import annotations

from typing import Any

from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.recent import LONG, Recent


def call_attributes(
    request: RequestFacts, response: ResponseFacts, first_chunk_s: float | None = None
) -> dict[str, AttributeValue]:
    """All attributes of a call but its content."""
    usage = response.usage
    known: dict[str, AttributeValue | None] = {
        sc.REQUEST_MODEL: request.model,
        sc.REQUEST_STREAM: True if request.stream else None,
        **request.attributes,
        sc.RESPONSE_ID: response.id or request.attributes.get(sc.RESPONSE_ID),
        sc.RESPONSE_MODEL: response.model,
        sc.RESPONSE_FINISH_REASONS: response.finish_reasons or None,
        sc.RESPONSE_TIME_TO_FIRST_CHUNK: first_chunk_s,
        sc.USAGE_INPUT_TOKENS: usage.input_tokens,
        sc.USAGE_OUTPUT_TOKENS: usage.output_tokens,
        sc.USAGE_CACHE_READ: usage.cache_read,
        sc.USAGE_CACHE_WRITE: usage.cache_write,
        sc.USAGE_REASONING: usage.reasoning,
        sc.USAGE_COST: usage.cost,
        sc.CACHE_WRITE_5M: usage.cache_write_5m,
        sc.CACHE_WRITE_1H: usage.cache_write_1h,
        **usage.modalities,
        **response.attributes,
    }
    return {name: value for name, value in known.items() if value is not None}


def content_attributes(request: RequestFacts, response: ResponseFacts, *, as_text: bool = True) -> dict[str, Any]:
    """Messages, system instructions and tools: JSON text for spans, structured for events."""
    content = {
        sc.SYSTEM_INSTRUCTIONS: request.system,
        sc.INPUT_MESSAGES: request.messages,
        sc.OUTPUT_MESSAGES: response.messages,
        sc.TOOL_DEFINITIONS: request.tools,
    }
    return {name: _text(value) if as_text else value for name, value in content.items() if value}


#: The last few long first messages (system prompts) with their JSON texts.
_recent: Recent[dict[str, Any], str] = Recent()


def _text(listed: list[dict[str, Any]]) -> str:
    """JSON text of a list; that of a long first element is often known from the call before."""
    first, *others = listed
    if not _is_long(first):
        return json_text(listed)
    rest = f",{json_text(others)[1:]}" if others else "]"
    return f"[{_text_of_long(first)}{rest}"


def _text_of_long(element: dict[str, Any]) -> str:
    known = _recent.made_of(element)
    if known is None:
        known = json_text(element)
        _recent.remember(element, known)
    return known


def _is_long(element: dict[str, Any]) -> bool:
    """Whether an element is long and holds nothing but text: unlike numbers and booleans, equal texts have equal JSON."""
    parts = element.get("parts") or [element]
    first = parts[0].get("content")
    if not isinstance(first, str) or len(first) <= LONG:
        return False
    beside = [value for name, value in element.items() if name != "parts"]
    return all(isinstance(value, str) for value in (*beside, *(value for part in parts for value in part.values())))
