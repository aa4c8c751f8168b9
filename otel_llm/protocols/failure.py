"""Errors that a provider reports in a body, in the shapes that vendors use.

``{"error": {...}}`` (OpenAI, Azure, Google, Groq, DeepSeek, OpenRouter, and Anthropic beside a ``type``), ``{"error": "..."}``
(Ollama, Hugging Face), ``{"message": ...}`` (Bedrock, Cohere, vLLM), ``{"detail": ...}`` (FastAPI servers). They come with an HTTP
error status, with status 200, and in the middle of streams.
"""

from __future__ import annotations

import json
from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import ErrorFacts
from otel_llm.protocols.values import integer, mapping, mappings, text

#: A body with one of these is an answer, and a ``message`` or ``detail`` beside it is no error.
_ANSWER_KEYS: Final = ("choices", "content", "usage")


def failure(body: Any) -> ErrorFacts | None:
    """The error that a body reports, or None."""
    body = mapping(body)
    error = body.get("error")
    if isinstance(error, dict) and error:
        return ErrorFacts(_class_of(error), _message_of(error))
    if error:
        return ErrorFacts(text(body.get("error_type")) or semconv.OTHER, text(error) or _one_line(error))
    if any(body.get(key) for key in _ANSWER_KEYS):
        return None
    if message := _message_of(body):
        return ErrorFacts(_class_of(body), message)
    return None


def _class_of(error: dict[str, Any]) -> str:
    """The most specific name given: OpenRouter's stable one, a code in words, Google's status, a type, a number."""
    named = (mapping(error.get("metadata")).get("error_type"), error.get("code"), error.get("status"), error.get("type"))
    for name in named:
        if found := text(name):
            return found
    numbered = integer(error.get("code"))
    return semconv.OTHER if numbered is None else str(numbered)


def _message_of(error: dict[str, Any]) -> str | None:
    if message := text(error.get("message")):
        return message
    detail = error.get("detail")
    if faults := [message for fault in mappings(detail) if (message := text(fault.get("msg")))]:
        return "; ".join(faults)
    return text(detail) or _one_line(detail)


def _one_line(detail: Any) -> str | None:
    """Anything else that is said of an error, as JSON."""
    try:
        return json.dumps(detail) if isinstance(detail, dict | list) and detail else None
    except RecursionError:
        return None
