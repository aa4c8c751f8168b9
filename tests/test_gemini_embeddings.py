"""Google's embeddings in their three forms: one content, a batch, and the predictions of Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.gemini_embeddings import Fold, matches, request, response

DIMENSIONS = "gen_ai.embeddings.dimension.count"


@pytest.mark.parametrize(
    ("path", "body", "texts", "dimensions"),
    [
        ("/v1beta/models/e:embedContent", {"content": {"parts": [{"text": "A"}]}, "outputDimensionality": 64}, ["A"], 64),
        ("/v1/p/models/e:embedContent", {"content": {"parts": [{"text": "A"}]}, "embedContentConfig": {}}, ["A"], None),
        (
            "/v1beta/models/e:batchEmbedContents",
            {
                "requests": [
                    {"model": "models/e", "content": {"parts": [{"text": "A"}]}, "output_dimensionality": 8},
                    {"content": {"parts": [{"text": "B"}]}},
                ]
            },
            ["A", "B"],
            8,
        ),
        (
            "/v1/projects/p/locations/l/publishers/google/models/e:predict",
            {"instances": [{"content": "A", "task_type": "X"}, {"text": "B"}], "parameters": {"outputDimensionality": 3}},
            ["A", "B"],
            3,
        ),
    ],
)
def test_the_inputs_are_parts_of_one_message(path: str, body: Any, texts: list[str], dimensions: int | None) -> None:
    parts = [{"type": "text", "content": text} for text in texts]
    attributes = {DIMENSIONS: dimensions} if dimensions else {}
    expected = RequestFacts("embeddings", "e", attributes=attributes, messages=[{"role": "user", "parts": parts}])
    assert matches(body)
    assert request(body, path) == expected


def test_an_image_is_an_input_too() -> None:
    images = [{"image": {"bytesBase64Encoded": "iVBORw0=", "mimeType": "image/png"}}, {"image": {"gcsUri": "gs://a/b.png"}}]
    facts = request({"instances": images}, "/publishers/google/models/multimodalembedding@001:predict")
    assert facts.messages[0]["parts"] == [
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="},
        {"type": "uri", "modality": "image", "uri": "gs://a/b.png"},
    ]


def test_instances_of_another_kind_of_model_do_not_match() -> None:
    assert not matches({"instances": [{"prompt": "A harbour at dawn"}]})


@pytest.mark.parametrize(
    ("body", "dimensions", "tokens"),
    [
        ({"embedding": {"values": [0.1, 0.2]}}, 2, None),
        ({"embeddings": [{"values": [0.1, 0.2, 0.3]}, {}], "usageMetadata": {"promptTokenCount": 4}}, 3, 4),
        (
            {
                "predictions": [
                    {"embeddings": {"values": [0.1], "statistics": {"token_count": 5.0, "truncated": False}}},
                    {"embeddings": {"values": [0.2], "statistics": {"token_count": 2}}},
                ]
            },
            1,
            7,
        ),
        ({"predictions": [{"textEmbedding": [0.1, 0.2]}]}, 2, None),
    ],
    ids=str,
)
def test_vectors_are_counted_and_not_kept(body: Any, dimensions: int, tokens: int | None) -> None:
    assert response(body) == ResponseFacts(usage=Usage(tokens), attributes={DIMENSIONS: dimensions})


def test_an_error_may_come_in_an_array() -> None:
    fold = Fold()
    fold.feed({"error": {"code": 404, "message": "No such model.", "status": "NOT_FOUND"}})
    assert (response(fold.body()), fold.done) == (ResponseFacts(error=ErrorFacts("NOT_FOUND", "No such model.")), False)
