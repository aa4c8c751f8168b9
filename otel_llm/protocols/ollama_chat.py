"""Ollama's own chat. ``POST /api/chat``; streams are a JSON object a line, up to the one with ``done: true``.

https://docs.ollama.com/api/chat
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols import openai_chat_request
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.protocols.ollama_answer import read_answer
from otel_llm.protocols.ollama_fold import Fold
from otel_llm.protocols.ollama_messages import read_message
from otel_llm.protocols.ollama_settings import read_settings, streams
from otel_llm.protocols.values import elements, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "ollama_chat"
OPERATION: Final = semconv.CHAT


def matches(body: Any) -> bool:
    """A model, and messages with roles; none at all load or unload the model."""
    body = mapping(body)
    messages = body.get("messages", [])
    spoken = isinstance(messages, list) and all(text(mapping(message).get("role")) for message in messages)
    return spoken and text(body.get("model")) is not None


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request. The path says nothing."""
    body = mapping(body)
    return RequestFacts(
        operation=OPERATION,
        model=text(body.get("model")),
        stream=streams(body),
        attributes=read_settings(body),
        messages=[read_message(message, "user") for message in mappings(body.get("messages"))],
        tools=openai_chat_request.request({"tools": elements(body.get("tools"))}, path).tools,
    )


def response(body: Any) -> ResponseFacts:
    """Facts of an answer, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    message = body.get("message")
    return read_answer(body, read_message(message, "assistant") if isinstance(message, dict) else None)
