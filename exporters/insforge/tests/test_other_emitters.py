"""Calls of other emitters in the legacy tables: their rows are as full as those of our own recording."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm.content_policy import FULL
from otel_llm_insforge.mapping import MappingOptions, map_span

MESSAGES = [{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]
PIPELINE = {"otel_llm.pipeline.name": "answer", "otel_llm.pipeline.span_id": "00000000000000aa"}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "Why?",
    "llm.token_count.prompt": 10,
    "llm.token_count.completion": 5,
    "llm.finish_reason": "stop",
}
OPENLLMETRY = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Why?",
    "gen_ai.usage.prompt_tokens": 10,
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.response.finish_reason": "stop",
}


@pytest.mark.parametrize("attributes", [OPENINFERENCE, OPENLLMETRY], ids=["openinference", "openllmetry"])
def test_a_call(attributes: dict[str, Any]) -> None:
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    scope = InstrumentationScope("another")
    span = ReadableSpan(
        "call", context=context, attributes=attributes | PIPELINE, start_time=1, end_time=2, instrumentation_scope=scope
    )

    [row] = map_span(span, MappingOptions(content=FULL))
    assert {name: row.columns[name] for name in ("span_name", "input_data", "output_data")} == {
        "span_name": "llm:openai",
        "input_data": {"provider": "openai", "model": "gpt-4o", "messages": MESSAGES},
        "output_data": {
            "model": "gpt-4o",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 10, "output_tokens": 5},
        },
    }
