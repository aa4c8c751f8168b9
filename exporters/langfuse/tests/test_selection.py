"""Which spans go to Langfuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm_langfuse import LangfuseSettings
from otel_llm_langfuse.selection import Selection

OURS = "pk-lf-ours"


def selection(**settings: Any) -> Selection:
    return Selection(LangfuseSettings.load(public_key=OURS, secret_key="sk-lf-ours", **settings))


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
    assert selection().wants(make_span(attributes)) is wanted


@pytest.mark.parametrize(("key", "wanted"), [(OURS, True), ("pk-lf-other", False), (None, True)])
def test_spans_of_langfuses_sdk_are_wanted_unless_they_are_for_another_project(
    make_span: Callable[..., ReadableSpan], key: str | None, wanted: bool
) -> None:
    scope = InstrumentationScope("langfuse-sdk", attributes={} if key is None else {"public_key": key})
    assert selection().wants(make_span({"langfuse.observation.type": "generation"}, scope=scope)) is wanted


def test_other_spans_are_wanted_where_all_are(make_span: Callable[..., ReadableSpan]) -> None:
    everything = selection(spans="all")
    assert everything.wants(make_span({"http.request.method": "POST"}))
    assert not everything.wants(make_span({"otel_llm.told_by.span_id": "00f067aa0ba902b7"}))


@pytest.mark.parametrize(("rate", "wanted"), [(1.0, True), (0.52, True), (0.51, False), (0.0, False)])
def test_a_share_of_traces_is_wanted_by_the_lower_half_of_their_ids(
    make_span: Callable[..., ReadableSpan], rate: float, wanted: bool
) -> None:
    span = make_span({"gen_ai.operation.name": "chat"})
    assert span.context is not None
    assert round((span.context.trace_id & (2**64 - 1)) / 2**64, 3) == 0.517
    assert selection(sample_rate=rate).wants(span) is wanted


def test_a_span_of_which_nothing_is_known_is_not_left_out_for_its_kind(make_span: Callable[..., ReadableSpan]) -> None:
    """What is below it may hang there."""
    assert selection(drop={"agent"}).wants(make_span({"gen_ai.operation.name": "invoke_agent"}))
