"""What the path of a Google call says, also where the format is Anthropic's."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.anthropic_messages import matches
from otel_llm.protocols.anthropic_messages import request as request_to_anthropic
from otel_llm.protocols.gemini import request


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro", False),
        ("/v1beta/models/gemini-3-pro:streamGenerateContent", "gemini-3-pro", True),
        ("/v1beta/models/gemini-3-pro%3AgenerateContent/", "gemini-3-pro", False),
        ("/v1beta/tunedModels/harbour-7:generateContent", "harbour-7", False),
        ("/v1/projects/models/locations/l/publishers/google/models/gemini-3-pro:streamGenerateContent", "gemini-3-pro", True),
        ("/v1/projects/p/locations/l/endpoints/123:generateContent", "123", False),
        ("/gateway/models/vendor%2Fmodel-x:generateContent", "vendor/model-x", False),
        ("/v1beta/models", None, False),
    ],
)
def test_the_model_and_whether_it_streams_are_in_the_path(path: str, model: str | None, stream: bool) -> None:
    facts = request({"contents": []}, path)
    assert (facts.model, facts.stream) == (model, stream)


# --- Anthropic at Vertex AI -------------------------------------------------------------------------------------------

VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929"


@pytest.mark.parametrize(
    ("body", "path", "model", "stream"),
    [
        ({}, f"{VERTEX}:rawPredict", "claude-sonnet-4-5@20250929", False),
        ({}, f"{VERTEX}:streamRawPredict", "claude-sonnet-4-5@20250929", True),
        ({"stream": True}, f"{VERTEX}:rawPredict", "claude-sonnet-4-5@20250929", True),
        ({"stream": False}, f"{VERTEX}:streamRawPredict", "claude-sonnet-4-5@20250929", False),
        ({"model": "claude-opus-4-5"}, "/v1/messages", "claude-opus-4-5", False),
    ],
)
def test_vertex_ai_has_the_model_of_anthropics_messages_in_the_path(
    body: dict[str, Any], path: str, model: str, stream: bool
) -> None:
    facts = request_to_anthropic(body, path)
    assert (facts.model, facts.stream) == (model, stream)


def test_the_version_of_the_format_stands_for_a_model_that_is_in_the_path() -> None:
    body = {"max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    assert matches({**body, "anthropic_version": "vertex-2023-10-16"})
    assert not matches(body)
