"""Anthropic's messages. ``POST .../v1/messages``; streams are events from ``message_start`` to ``message_stop``."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.anthropic_messages_blocks import read_content
from otel_llm.protocols.anthropic_messages_fold import Fold
from otel_llm.protocols.facts import Message, RequestFacts, ResponseFacts, ToolDefinition, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.gemini_path import is_stream, model_of
from otel_llm.protocols.reported_cost import reported_cost
from otel_llm.protocols.values import (
    AttributeTable,
    count,
    elements,
    integer,
    mapping,
    mappings,
    number,
    read_attributes,
    text,
    texts,
)

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "anthropic_messages"
OPERATION: Final = semconv.CHAT

#: To the conventions' words; others are reported as sent.
_FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_call",
}


def matches(body: Any) -> bool:
    """A model (or the version of the format, where the model is in the path), the limit on tokens that this API alone requires, and
    messages with roles.
    """
    body = mapping(body)
    messages = elements(body.get("messages"))
    speak = bool(messages) and all(text(mapping(message).get("role")) for message in messages)
    named = text(body.get("model")) or text(body.get("anthropic_version"))
    return speak and named is not None and count(body.get("max_tokens")) is not None


# --- request ----------------------------------------------------------------------------------------------------------


def _output_type(value: Any) -> str | None:
    return "json" if mapping(value).get("type") == "json_schema" else None


_ATTRIBUTES: Final[AttributeTable] = {
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, count),
    "temperature": (semconv.REQUEST_TEMPERATURE, number),
    "top_p": (semconv.REQUEST_TOP_P, number),
    "top_k": (semconv.REQUEST_TOP_K, integer),
    "stop_sequences": (semconv.REQUEST_STOP_SEQUENCES, texts),
}
_OUTPUT_ATTRIBUTES: Final[AttributeTable] = {
    "effort": (semconv.REQUEST_REASONING_LEVEL, text),
    "format": (semconv.OUTPUT_TYPE, _output_type),
}


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request. Vertex AI has the model in the path (``.../models/{model}:streamRawPredict``), others in the body."""
    body = mapping(body)
    return RequestFacts(
        operation=semconv.CHAT,
        model=text(body.get("model")) or model_of(path),
        stream=body.get("stream") is True or ("stream" not in body and is_stream(path)),
        attributes=read_attributes(body, _ATTRIBUTES) | read_attributes(mapping(body.get("output_config")), _OUTPUT_ATTRIBUTES),
        system=read_content(body.get("system")),
        messages=[_read_message(message, "user") for message in mappings(body.get("messages"))],
        tools=[_read_tool(tool) for tool in mappings(body.get("tools"))],
    )


def _read_message(message: dict[str, Any], default_role: str) -> Message:
    return {"role": text(message.get("role")) or default_role, "parts": read_content(message.get("content"))}


def _read_tool(tool: dict[str, Any]) -> ToolDefinition:
    """A tool with a schema is a function; one of Anthropic's own has a dated type and may have nothing else."""
    kind = text(tool.get("type"))
    if kind in (None, "custom"):
        kind = "function"
    definition: ToolDefinition = {"type": kind, "name": text(tool.get("name")) or kind}
    if tool.get("description"):
        definition["description"] = tool["description"]
    if tool.get("input_schema"):
        definition["parameters"] = tool["input_schema"]
    return definition


# --- response ---------------------------------------------------------------------------------------------------------


def response(body: Any) -> ResponseFacts:
    """Facts of a message, of as much of it as arrived, or of an error body. Fast mode, which costs more, counts as a tier."""
    body = mapping(body)
    sent = text(body.get("stop_reason"))
    reason = _FINISH_REASONS.get(sent, sent) if sent else None
    messages = [_read_message(body, "assistant")] if "content" in body else []
    if reason:
        messages = [{**message, "finish_reason": reason} for message in messages]
    usage = mapping(body.get("usage"))
    tier = text(usage.get("speed")) if usage.get("speed") == "fast" else text(usage.get("service_tier"))
    return ResponseFacts(
        id=text(body.get("id")),
        model=text(body.get("model")),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(usage),
        messages=messages,
        error=failure(body),
        attributes={semconv.RESPONSE_SERVICE_TIER: tier} if tier else {},
    )


def _read_usage(usage: dict[str, Any]) -> Usage:
    """Anthropic counts cache reads and writes beside the input; the conventions count them in."""
    fresh, read, written = (
        count(usage.get(key)) for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    lifetimes = mapping(usage.get("cache_creation"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=count(usage.get("output_tokens")),
        cache_read=read,
        cache_write=written,
        cache_write_5m=count(lifetimes.get("ephemeral_5m_input_tokens")),
        cache_write_1h=count(lifetimes.get("ephemeral_1h_input_tokens")),
        reasoning=count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
        cost=reported_cost(usage),
    )
