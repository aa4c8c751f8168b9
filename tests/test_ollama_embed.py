"""Ollama's embeddings, asked by either path."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.ollama_embed import matches, request, response


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"input": "Hello"}, ["Hello"]),
        ({"input": ["Hello", "world"]}, ["Hello", "world"]),
        ({"prompt": "Hello"}, ["Hello"]),
        ({"input": []}, []),
    ],
    ids=str,
)
def test_inputs_are_parts_of_one_message(body: dict[str, Any], texts: list[str]) -> None:
    parts = [{"type": "text", "content": text} for text in texts]
    assert request({"model": "all-minilm", "options": {"seed": 1}, **body}, "/api/embed") == RequestFacts(
        operation="embeddings", model="all-minilm", messages=[{"role": "user", "parts": parts}] if parts else []
    )


def test_the_dimensions_asked_for() -> None:
    assert request({"model": "m", "input": "a", "dimensions": 3}, "/api/embed").attributes == {
        "gen_ai.embeddings.dimension.count": 3
    }


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            {"model": "m", "embeddings": [[0.1, 0.2], [0.3, 0.4]], "total_duration": 1, "prompt_eval_count": 8},
            ResponseFacts(model="m", usage=Usage(input_tokens=8), attributes={"gen_ai.embeddings.dimension.count": 2}),
        ),
        ({"embedding": [0.1, 0.2, 0.3]}, ResponseFacts(attributes={"gen_ai.embeddings.dimension.count": 3})),
        ({"embedding": []}, ResponseFacts()),
        ({"error": "no such model"}, ResponseFacts(error=ErrorFacts("_OTHER", "no such model"))),
    ],
    ids=["embed", "embeddings", "no vector", "error"],
)
def test_an_answer(body: dict[str, Any], facts: ResponseFacts) -> None:
    assert response(body) == facts


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"model": "m", "input": "a"}, True),
        ({"model": "m", "prompt": "a"}, True),
        ({"model": "m"}, False),
        ({"input": "a"}, False),
    ],
    ids=str,
)
def test_a_request_is_known_by_its_shape(body: Any, is_one: bool) -> None:
    assert matches(body) is is_one
