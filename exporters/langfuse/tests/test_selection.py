"""Which spans go to Langfuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm_langfuse.selection import wants

OURS = "pk-lf-ours"


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"gen_ai.operation.name": "chat"}, True),
        ({"gen_ai.request.model": "gpt-4o"}, True),
        ({"openinference.span.kind": "LLM"}, True),
        ({"langfuse.observation.type": "span"}, True),
        ({"http.request.method": "POST", "model": "iphone"}, False),
        ({"http.request.method": "POST", "gen_ai.agent.name": "planner", "user.id": "42"}, False),
        ({"gen_ai.operation.name": "chat", "otel_llm.told_by.span_id": "00f067aa0ba902b7"}, False),
        ({}, False),
    ],
)
def test_only_genai_spans_are_wanted(make_span: Callable[..., ReadableSpan], attributes: dict[str, Any], wanted: bool) -> None:
    assert wants(make_span(attributes), OURS) is wanted


@pytest.mark.parametrize(("key", "wanted"), [(OURS, True), ("pk-lf-other", False), (None, True)])
def test_spans_of_langfuses_sdk_are_wanted_unless_they_are_for_another_project(
    make_span: Callable[..., ReadableSpan], key: str | None, wanted: bool
) -> None:
    scope = InstrumentationScope("langfuse-sdk", attributes={} if key is None else {"public_key": key})
    assert wants(make_span({"langfuse.observation.type": "generation"}, scope=scope), OURS) is wanted
