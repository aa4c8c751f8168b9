"""Embeddings in OpenAI's format: what inputs become, what is told of vectors, and the vendors' differences."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.openai_embeddings import Fold, matches, request, response


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def listed(*embeddings: Any, **rest: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(embeddings)]
    return {"object": "list", "data": data, "model": "text-embedding-3-small", **rest}


# --- request ----------------------------------------------------------------------------------------------------------


def test_a_request_asks_for_embeddings() -> None:
    body = {"model": "text-embedding-3-small", "input": ["Ebb", "Flood"], "encoding_format": "base64", "dimensions": 256}
    assert request(body, "/v1/embeddings") == RequestFacts(
        operation="embeddings",
        model="text-embedding-3-small",
        attributes={"gen_ai.request.encoding_formats": ("base64",), "gen_ai.embeddings.dimension.count": 256},
        messages=[{"role": "user", "parts": [text("Ebb"), text("Flood")]}],
    )


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("Ebb", [text("Ebb")]),
        ("", [text("")]),
        ([464, 17983], [{"type": "tokens", "count": 2}]),
        ([[464], [17983, 318]], [{"type": "tokens", "count": 1}, {"type": "tokens", "count": 2}]),
        ([{"type": "image_url", "image_url": "x"}], [{"type": "image_url", "image_url": "x"}]),
        ([{"image": "x"}], [{"type": "unknown", "image": "x"}]),
        ([None], [{"type": "unknown", "content": None}]),
    ],
    ids=str,
)
def test_each_input_is_a_part_of_one_message(given: Any, parts: list[Any]) -> None:
    assert request({"input": given}, "/v1/embeddings").messages == [{"role": "user", "parts": parts}]


@pytest.mark.parametrize("given", [None, [], 7])
def test_no_input_is_no_message(given: Any) -> None:
    assert request({"input": given}, "/v1/embeddings").messages == []


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"encoding_format": None}, {}),
        ({"encoding_format": "float"}, {"gen_ai.request.encoding_formats": ("float",)}),
        ({"output_dimension": 256}, {"gen_ai.embeddings.dimension.count": 256}),
        ({"output_dimension": None, "input_type": "query", "truncation": False}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(body: dict[str, Any], attributes: dict[str, Any]) -> None:
    assert request(body, "/v1/embeddings").attributes == attributes


@pytest.mark.parametrize(
    ("body", "path", "model"),
    [
        ({"model": "mistral-embed"}, "/v1/embeddings", "mistral-embed"),
        ({}, "/openai/deployments/harbour/embeddings", "harbour"),
        ({}, "/v1/embeddings", None),
    ],
)
def test_the_model_is_in_the_body_or_in_the_path(body: dict[str, Any], path: str, model: str | None) -> None:
    assert request(body, path).model == model


@pytest.mark.parametrize(
    ("body", "matched"),
    [
        ({"model": "e", "input": "Ebb"}, True),
        ({"model": "e", "input": [464]}, True),
        ({"model": "e", "input": []}, False),
        ({"model": "e", "input": {"text": "Ebb"}}, False),
        ({"input": "Ebb"}, False),
    ],
    ids=str,
)
def test_a_body_is_recognised_by_its_shape(body: Any, matched: bool) -> None:
    assert matches(body) is matched


# --- response ---------------------------------------------------------------------------------------------------------


def test_of_the_vectors_only_their_size_is_told() -> None:
    body = listed([0.5, 0.25, -1.0], [0.0, 0.0, 0.0], usage={"prompt_tokens": 8, "total_tokens": 8})
    assert response(body) == ResponseFacts(
        model="text-embedding-3-small",
        usage=Usage(input_tokens=8),
        attributes={"gen_ai.embeddings.dimension.count": 3},
    )


@pytest.mark.parametrize("size", [1, 2, 3, 256, 1536, 3072])
def test_a_vector_in_base64_has_four_bytes_a_number(size: int) -> None:
    vector = base64.b64encode(struct.pack(f"<{size}f", *range(size))).decode()
    assert response(listed(vector)).attributes == {"gen_ai.embeddings.dimension.count": size}


@pytest.mark.parametrize("vector", [[], "", None, 7])
def test_no_vector_has_no_size(vector: Any) -> None:
    assert response(listed(vector)).attributes == {}


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 8, "total_tokens": 9}, Usage(input_tokens=8)),
        ({"total_tokens": 9}, Usage(input_tokens=9)),
        ({"prompt_tokens": 10, "total_tokens": 10, "completion_tokens": 0, "request_count": None}, Usage(input_tokens=10)),
        ({"prompt_tokens": 8, "cost": 0.5}, Usage(input_tokens=8, cost=0.5)),
        (None, Usage()),
    ],
    ids=["openai", "voyage", "mistral", "openrouter", "none"],
)
def test_usage_is_what_went_in(usage: Any, read: Usage) -> None:
    assert response(listed(usage=usage)).usage == read


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": "401", "message": "Access denied."}}, ErrorFacts("401", "Access denied.")),
        ({"detail": "No such model."}, ErrorFacts("_OTHER", "No such model.")),
    ],
    ids=["azure", "voyage"],
)
def test_errors_are_read(body: dict[str, Any], error: ErrorFacts) -> None:
    assert response(body) == ResponseFacts(error=error)


def test_what_looks_like_a_stream_gives_its_last_body() -> None:
    fold = Fold()
    for event in ({"data": []}, listed([1.0]), 7, "[DONE]"):
        assert not fold.done
        fold.feed(event)
    assert fold.done
    assert fold.body() == listed([1.0])
