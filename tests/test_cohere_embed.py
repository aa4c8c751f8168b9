"""Cohere's embeddings, of either version."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.cohere_embed import matches, request, response
from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage

IMAGE = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ({"texts": ["Hello", "world"]}, [{"type": "text", "content": "Hello"}, {"type": "text", "content": "world"}]),
        ({"images": ["data:image/png;base64,iVBORw0="]}, [IMAGE]),
        (
            {
                "inputs": [
                    {
                        "content": [
                            {"type": "text", "text": "Hello"},
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
                        ]
                    }
                ]
            },
            [{"type": "text", "content": "Hello"}, IMAGE],
        ),
    ],
    ids=["texts", "images", "inputs"],
)
def test_inputs_are_parts_of_one_message(body: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    body = {"model": "embed-v4.0", "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 256, **body}
    assert matches(body)
    assert request(body, "/v2/embed") == RequestFacts(
        operation="embeddings",
        model="embed-v4.0",
        attributes={"gen_ai.request.encoding_formats": ("float",), "gen_ai.embeddings.dimension.count": 256},
        messages=[{"role": "user", "parts": parts}],
    )


@pytest.mark.parametrize(
    "embeddings", [[[0.1, 0.2], [0.3, 0.4]], {"float": [[0.1, 0.2]], "ubinary": [[7]]}], ids=["floats", "by type"]
)
def test_an_answer(embeddings: Any) -> None:
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 3, "output_tokens": 0}}
    body = {"id": "5807", "texts": ["Hello"], "embeddings": embeddings, "meta": meta}
    assert response(body) == ResponseFacts(
        id="5807", usage=Usage(input_tokens=3), attributes={"gen_ai.embeddings.dimension.count": 2}
    )


@pytest.mark.parametrize("embeddings", [None, [], {}, {"ubinary": [[7]]}, {"float": []}, "odd"], ids=str)
def test_dimensions_are_told_only_where_they_are_known(embeddings: Any) -> None:
    assert response({"embeddings": embeddings}) == ResponseFacts()


def test_an_error_is_a_message() -> None:
    assert response({"message": "invalid api token"}) == ResponseFacts(error=ErrorFacts("_OTHER", "invalid api token"))


@pytest.mark.parametrize("body", [{"texts": []}, {"texts": "Hello"}, {"model": "m", "input": ["Hello"]}], ids=str)
def test_what_has_no_list_of_inputs_is_none(body: Any) -> None:
    assert not matches(body)
