"""Embeddings in OpenAI's format, also spoken by Mistral, Voyage and Azure. ``POST .../embeddings``; never streamed."""

from __future__ import annotations

from typing import Any, Final

import otel_llm.protocols.openai_chat as openai_chat
from otel_llm import semconv
from otel_llm.protocols.facts import Message, Part, RequestFacts, ResponseFacts, Scalar, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.framing import DONE
from otel_llm.protocols.openai_chat_usage import read_usage
from otel_llm.protocols.values import AttributeTable, count, elements, mapping, mappings, read_attributes, text, texts

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "openai_embeddings"
OPERATION: Final = semconv.EMBEDDINGS

_BYTES_PER_NUMBER: Final = 4

_ATTRIBUTES: Final[AttributeTable] = {
    "encoding_format": (semconv.REQUEST_ENCODING_FORMATS, texts),
    "dimensions": (semconv.EMBEDDINGS_DIMENSION_COUNT, count),
    "output_dimension": (semconv.EMBEDDINGS_DIMENSION_COUNT, count),  # Mistral, Voyage
}


def matches(body: Any) -> bool:
    """A model and an input: a text, texts, or tokens."""
    body = mapping(body)
    return text(body.get("model")) is not None and bool(body.get("input")) and isinstance(body["input"], str | list)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request: one message with a part for each input. The model of an Azure deployment may be in the path only."""
    body = mapping(body)
    return RequestFacts(
        operation=OPERATION,
        model=openai_chat.request({"model": body.get("model")}, path).model,
        attributes=read_attributes(body, _ATTRIBUTES),
        messages=_messages(body.get("input")),
    )


def _messages(given: Any) -> list[Message]:
    """The conventions have no content for embeddings; as a message, the inputs can be seen where messages can."""
    single = isinstance(given, str | dict) or _is_tokens(given)
    parts = [_part(each) for each in ([given] if single else elements(given))]
    return [{"role": "user", "parts": parts}] if parts else []


def _is_tokens(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(token, int) for token in given)


def _part(given: Any) -> Part:
    if isinstance(given, str):
        return {"type": "text", "content": given}
    if _is_tokens(given):
        return {"type": "tokens", "count": len(given)}
    if isinstance(given, dict):
        return {**given, "type": text(given.get("type")) or "unknown"}
    return {"type": "unknown", "content": given}


def response(body: Any) -> ResponseFacts:
    """Facts of a list of embeddings, or of an error body. The vectors themselves are never recorded."""
    body = mapping(body)
    return ResponseFacts(
        id=text(body.get("id")),
        model=text(body.get("model")),
        usage=_read_usage(body),
        error=failure(body),
        attributes=_attributes(body),
    )


def _read_usage(body: dict[str, Any]) -> Usage:
    """What went in, which for Voyage is told as the total only; nothing of text comes out."""
    usage = read_usage(body)
    if usage.input_tokens is None:
        usage.input_tokens = count(mapping(body.get("usage")).get("total_tokens"))
    usage.output_tokens = None
    return usage


def _attributes(body: dict[str, Any]) -> dict[str, Scalar]:
    vectors = mappings(body.get("data"))
    dimensions = _dimensions(vectors[0].get("embedding")) if vectors else 0
    return {semconv.EMBEDDINGS_DIMENSION_COUNT: dimensions} if dimensions else {}


def _dimensions(embedding: Any) -> int:
    """Numbers in a vector: a list of them, or the base64 text of 32-bit floats."""
    if isinstance(embedding, str):
        return len(embedding) * 3 // 4 // _BYTES_PER_NUMBER
    return len(elements(embedding))


class Fold:
    """The last body; there are no streams of embeddings, but what was sniffed as one is read all the same."""

    __slots__ = ("_body", "done")

    def __init__(self) -> None:
        self.done = False
        self._body: dict[str, Any] = {}

    def feed(self, event: Any) -> None:
        """Take a body; anything else is ignored."""
        if isinstance(event, dict):
            self._body = event
        else:
            self.done = self.done or event == DONE

    def body(self) -> dict[str, Any]:
        return dict(self._body)
