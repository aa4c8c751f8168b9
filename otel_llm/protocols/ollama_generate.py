"""Ollama's completion of a prompt. ``POST /api/generate``; streams are a JSON object a line, up to the one with ``done: true``.

https://docs.ollama.com/api/generate
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import Message, Part, RequestFacts, ResponseFacts
from otel_llm.protocols.ollama_answer import read_answer
from otel_llm.protocols.ollama_fold import Fold
from otel_llm.protocols.ollama_messages import read_images, read_message
from otel_llm.protocols.ollama_settings import read_settings, streams
from otel_llm.protocols.values import mapping, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "ollama_generate"
OPERATION: Final = semconv.TEXT_COMPLETION

#: A body with one of these is an answer.
_ANSWERED: Final = ("response", "thinking", "tool_calls", "image")


def matches(body: Any) -> bool:
    """A model, and a prompt if there is one; none loads or unloads the model."""
    body = mapping(body)
    return text(body.get("model")) is not None and isinstance(body.get("prompt", ""), str)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request. The path says nothing; the context of an earlier answer is tokens, not text."""
    body = mapping(body)
    parts = _read_prompt(body)
    return RequestFacts(
        operation=OPERATION,
        model=text(body.get("model")),
        stream=streams(body),
        attributes=read_settings(body),
        system=_read_text("text", body.get("system")),
        messages=[{"role": "user", "parts": parts}] if parts else [],
    )


def _read_prompt(body: dict[str, Any]) -> list[Part]:
    """What is to be completed; with a suffix, what is to be filled in before it."""
    suffix = _read_text("suffix", body.get("suffix"))
    return [*_read_text("text", body.get("prompt")), *suffix, *read_images(body.get("images"))]


def _read_text(kind: str, content: Any) -> list[Part]:
    return [{"type": kind, "content": content}] if isinstance(content, str) and content else []


def response(body: Any) -> ResponseFacts:
    """Facts of an answer, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    return read_answer(body, _read_generated(body) if any(key in body for key in _ANSWERED) else None)


def _read_generated(body: dict[str, Any]) -> Message:
    """The answer as the message of a chat; a model that draws answers with one image."""
    said = {key: body.get(key) for key in ("thinking", "tool_calls")}
    return read_message({**said, "content": body.get("response"), "images": [body.get("image")]}, "assistant")
