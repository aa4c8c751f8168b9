"""Ollama's embeddings. ``POST /api/embed``, and ``POST /api/embeddings`` for one prompt; never streamed.

https://docs.ollama.com/api/embed
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols import openai_embeddings
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.protocols.ollama_answer import read_answer
from otel_llm.protocols.openai_embeddings import Fold
from otel_llm.protocols.values import elements, mapping, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "ollama_embed"
OPERATION: Final = semconv.EMBEDDINGS


def matches(body: Any) -> bool:
    """A model, and an input, or the prompt that the older path takes."""
    body = mapping(body)
    return text(body.get("model")) is not None and isinstance(_inputs(body), str | list)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request, which is OpenAI's but for the older path's prompt."""
    body = mapping(body)
    return openai_embeddings.request({**body, "input": _inputs(body)}, path)


def _inputs(body: dict[str, Any]) -> Any:
    return body["input"] if "input" in body else body.get("prompt")


def response(body: Any) -> ResponseFacts:
    """Facts of embeddings or of an error body. Only the newer path says which model it was, and how many tokens."""
    body = mapping(body)
    facts = read_answer(body, None)
    vectors = elements(body.get("embeddings")) or [body.get("embedding")]
    if dimensions := len(elements(vectors[0])):
        facts.attributes = {semconv.EMBEDDINGS_DIMENSION_COUNT: dimensions}
    return facts
