"""Google's embeddings: ``:embedContent`` and ``:batchEmbedContents``, and ``:predict`` of Vertex AI. None of them streams."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols import media
from otel_llm.protocols.facts import Part, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.gemini_names import camel, camels
from otel_llm.protocols.gemini_parts import read_parts
from otel_llm.protocols.gemini_path import model_of
from otel_llm.protocols.gemini_usage import total
from otel_llm.protocols.values import count, mapping, mappings, text

NAME: Final = "gemini_embeddings"
OPERATION: Final = semconv.EMBEDDINGS

#: Vectors of one prediction of the multimodal models, each under its own name.
_MULTIMODAL: Final = ("textEmbedding", "imageEmbedding")


def matches(body: Any) -> bool:
    """A content, requests with a content each, or instances with a text. Other models of ``:predict`` take other instances."""
    body = camel(body)
    inputs = camels(body.get("requests")) or camels(body.get("instances")) or [body]
    return all(each.get("content") or text(each.get("text")) or each.get("image") for each in inputs)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request; all of its inputs are parts of one message."""
    body = camel(body)
    inputs = [body, *camels(body.get("requests")), *camels(body.get("instances"))]
    parts = [part for each in inputs for part in _read_input(each)]
    settings = [*inputs, *(camel(each.get(key)) for each in inputs for key in ("embedContentConfig", "parameters"))]
    dimensions = next((found for each in settings if (found := count(each.get("outputDimensionality")))), None)
    return RequestFacts(
        operation=semconv.EMBEDDINGS,
        model=model_of(path),
        attributes={semconv.EMBEDDINGS_DIMENSION_COUNT: dimensions} if dimensions else {},
        messages=[{"role": "user", "parts": parts}] if parts else [],
    )


def _read_input(given: dict[str, Any]) -> list[Part]:
    """A content; of the multimodal models a text and an image."""
    parts = read_parts(given.get("content")) + read_parts(given.get("text"))
    image = camel(given.get("image"))
    if data := text(image.get("bytesBase64Encoded")):
        parts.append(media.blob("image", text(image.get("mimeType")), data))
    elif uri := text(image.get("gcsUri")):
        parts.append(media.located("image", uri))
    return parts


def response(body: Any) -> ResponseFacts:
    """Facts of the vectors (how many tokens, how many dimensions), or of an error body."""
    body = mapping(body)
    embeddings = _read_embeddings(body)
    dimensions = next((len(vector) for each in embeddings if (vector := _vector(each))), None)
    reported = count(mapping(body.get("usageMetadata")).get("promptTokenCount"))
    counted = total(*(count(mapping(each.get("statistics")).get("token_count")) for each in embeddings))
    return ResponseFacts(
        model=text(body.get("modelVersion")),
        usage=Usage(input_tokens=counted if reported is None else reported),
        error=failure(body),
        attributes={semconv.EMBEDDINGS_DIMENSION_COUNT: dimensions} if dimensions else {},
    )


def _read_embeddings(body: dict[str, Any]) -> list[dict[str, Any]]:
    predictions = mappings(body.get("predictions"))
    found = [body.get("embedding"), *mappings(body.get("embeddings"))]
    found += [mapping(prediction.get("embeddings")) or prediction for prediction in predictions]
    return mappings(found)


def _vector(embedding: dict[str, Any]) -> list[Any] | None:
    vectors = (embedding.get(key) for key in ("values", *_MULTIMODAL))
    return next((vector for vector in vectors if isinstance(vector, list) and vector), None)


class Fold:
    """The body, which comes whole; an error may come as an array of one element."""

    __slots__ = ("_body", "done")

    def __init__(self) -> None:
        self.done = False
        self._body: dict[str, Any] = {}

    def feed(self, event: Any) -> None:
        """Take the body."""
        self._body.update(mapping(event))

    def body(self) -> dict[str, Any]:
        return dict(self._body)
