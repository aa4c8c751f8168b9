"""Who decided on the model of a call, in Langfuse."""

from __future__ import annotations

from typing import Any

from handmade import make_span

from otel_llm_langfuse.metadata import metadata
from otel_llm_langfuse.names import METADATA_PREFIX


def told(attributes: dict[str, Any]) -> dict[str, str]:
    return {name.removeprefix(METADATA_PREFIX): value for name, value in metadata(make_span(attributes), attributes).items()}


def test_a_failed_override_is_seen_with_who_set_it() -> None:
    assert told(
        {
            "otel_llm.model.source": "fallback",
            "otel_llm.model.default": "openai:gpt-5",
            "otel_llm.model.set_by": "eve",
            "otel_llm.model.fallback_from": "openrouter:x/y",
        }
    ) == {
        "model_source": "fallback",
        "model_default": "openai:gpt-5",
        "model_set_by": "eve",
        "model_fallback_from": "openrouter:x/y",
    }


def test_a_call_that_nobody_chose_a_model_for_says_nothing() -> None:
    assert told({"gen_ai.request.model": "gpt-5"}) == {}
