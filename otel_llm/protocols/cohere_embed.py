"""Cohere's embeddings. ``POST /v2/embed`` and ``POST /v1/embed``; never streamed.

https://docs.cohere.com/reference/embed
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols import media
from otel_llm.protocols.cohere_answer import read_usage
from otel_llm.protocols.facts import Message, RequestFacts, ResponseFacts
from otel_llm.protocols.failure import failure
from otel_llm.protocols.openai_chat_messages import read_content
from otel_llm.protocols.openai_embeddings import Fold
from otel_llm.protocols.values import AttributeTable, count, elements, mapping, mappings, read_attributes, text, texts

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "cohere_embed"
OPERATION: Final = semconv.EMBEDDINGS

#: Texts, texts with images among them (v2), images.
_INPUTS: Final = ("texts", "inputs", "images")

_ATTRIBUTES: Final[AttributeTable] = {
    "embedding_types": (semconv.REQUEST_ENCODING_FORMATS, texts),
    "output_dimension": (semconv.EMBEDDINGS_DIMENSION_COUNT, count),
}


def matches(body: Any) -> bool:
    """A list of inputs of one of the three kinds. The model is not asked for: v1 has a default."""
    body = mapping(body)
    return any(elements(body.get(key)) for key in _INPUTS)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request. The path says nothing."""
    body = mapping(body)
    return RequestFacts(
        operation=OPERATION,
        model=text(body.get("model")),
        attributes=read_attributes(body, _ATTRIBUTES),
        messages=_messages(body),
    )


def _messages(body: dict[str, Any]) -> list[Message]:
    """The inputs as the parts of one message. The conventions have no content for embeddings."""
    parts = read_content(elements(body.get("texts")))
    for given in mappings(body.get("inputs")):
        parts += read_content(given.get("content"))
    parts += [media.located("image", url) for image in elements(body.get("images")) if (url := text(image))]
    return [{"role": "user", "parts": parts}] if parts else []


def response(body: Any) -> ResponseFacts:
    """Facts of embeddings or of an error body. Cohere tells the tokens that it bills, and not which model it was."""
    body = mapping(body)
    usage = read_usage(mapping(body.get("meta")))
    usage.output_tokens = None
    dimensions = _dimensions(body.get("embeddings"))
    return ResponseFacts(
        id=text(body.get("id")),
        usage=usage,
        error=failure(body),
        attributes={semconv.EMBEDDINGS_DIMENSION_COUNT: dimensions} if dimensions else {},
    )


def _dimensions(embeddings: Any) -> int:
    """Numbers in a vector; of vectors by type, in one of type float, as those of other types may be packed."""
    vectors = mapping(embeddings).get("float") if isinstance(embeddings, dict) else embeddings
    return len(elements(vectors[0])) if isinstance(vectors, list) and vectors else 0
