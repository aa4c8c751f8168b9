"""Cohere's chat. ``POST /v2/chat``; streams are events from ``message-start`` to ``message-end``.

https://docs.cohere.com/reference/chat
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols import openai_chat_messages
from otel_llm.protocols.cohere_answer import read_finish_reason, read_usage
from otel_llm.protocols.cohere_chat_fold import Fold
from otel_llm.protocols.cohere_request import add_documents, read_request
from otel_llm.protocols.facts import Message, RequestFacts, ResponseFacts
from otel_llm.protocols.failure import failure
from otel_llm.protocols.values import elements, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "cohere_chat"
OPERATION: Final = semconv.CHAT


def matches(body: Any) -> bool:
    """A model, and messages with roles."""
    body = mapping(body)
    messages = elements(body.get("messages"))
    spoken = bool(messages) and all(text(mapping(message).get("role")) for message in messages)
    return spoken and text(body.get("model")) is not None


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request, which is OpenAI's but for the plan before tool calls, documents, and names of settings."""
    body = mapping(body)
    asked = read_request(body, path)
    asked.messages = [_read_message(message, "user") for message in mappings(body.get("messages"))]
    add_documents(asked, body.get("documents"))
    return asked


def response(body: Any) -> ResponseFacts:
    """Facts of an answer, of as much of it as arrived, or of an error body. Cohere does not say which model answered."""
    body = mapping(body)
    reason = read_finish_reason(body)
    messages = []
    if isinstance(body.get("message"), dict):
        messages = [_read_message(body["message"], "assistant")]
    if reason:
        messages = [{**message, "finish_reason": reason} for message in messages]
    return ResponseFacts(
        id=text(body.get("id")),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(mapping(body.get("usage"))),
        messages=messages,
        error=failure(body),
    )


def _read_message(message: dict[str, Any], default_role: str) -> Message:
    """A message; its plan, which the model makes before it calls tools, is reasoning."""
    known: dict[str, Any] = {key: message[key] for key in ("role", "content", "tool_calls", "tool_call_id") if key in message}
    return openai_chat_messages.read_message({**known, "reasoning": message.get("tool_plan")}, default_role)
