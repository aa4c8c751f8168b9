"""Trees from spans, and figures as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm import semconv as sc
from otel_llm.cli import human
from otel_llm.cli.excerpts import Excerpt, excerpts
from otel_llm.cli.tree import SpanNode, calls_of, tree_from_spans
from otel_llm.local_span import StoredSpan


def span(
    span_id: int, parent: int | None = None, operation: str | None = sc.CHAT, attributes: Mapping[str, Any] | None = None
) -> StoredSpan:
    own = {sc.OPERATION_NAME: operation} if operation else {}
    parent_id = None if parent is None else f"{parent:016x}"
    return StoredSpan(
        "a" * 32, f"{span_id:016x}", parent_id, str(span_id), span_id, span_id, attributes=own | dict(attributes or {})
    )


def outline(nodes: list[SpanNode]) -> dict[str, Any]:
    return {node.name: outline(node.children) for node in nodes}


def test_spans_nest_in_whatever_order_they_come() -> None:
    spans = [span(3, 2), span(1, None, sc.INVOKE_AGENT), span(4, 1), span(2, 1, sc.INVOKE_AGENT)]
    assert outline(tree_from_spans(spans)) == {"1": {"2": {"3": {}}, "4": {}}}


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    assert outline(tree_from_spans([span(2, 9), span(1)])) == {"1": {}, "2": {}}


def test_spans_outside_the_conventions_are_left_out_and_bridged() -> None:
    spans = [span(1, None, sc.INVOKE_AGENT), span(2, 1, None), span(3, 2, None), span(4, 3), span(5, None, None)]
    assert outline(tree_from_spans(spans)) == {"1": {"4": {}}}


def test_a_circle_of_parents_is_opened() -> None:
    assert outline(tree_from_spans([span(1, 2), span(2, 1), span(3, 3)])) == {"1": {"2": {}}, "3": {}}


def test_a_span_that_comes_twice_is_shown_once() -> None:
    assert outline(tree_from_spans([span(1), span(1)])) == {"1": {}}


def test_spans_of_the_sdk_nest_as_stored_ones_do() -> None:
    context = [SpanContext(1, number, is_remote=False, trace_flags=TraceFlags(1)) for number in range(1, 3)]
    agent = ReadableSpan("agent", context=context[0], attributes={sc.OPERATION_NAME: sc.INVOKE_AGENT}, start_time=1, end_time=9)
    chat = ReadableSpan(
        "chat", context=context[1], parent=context[0], attributes={sc.OPERATION_NAME: sc.CHAT}, start_time=2, end_time=8
    )
    assert outline(tree_from_spans([chat, agent])) == {"agent": {"chat": {}}}


def test_a_call_belongs_to_the_agent_around_it_unless_it_names_one() -> None:
    spans = [
        span(1, None, sc.INVOKE_AGENT, {sc.AGENT_NAME: "outer"}),
        span(2, 1, sc.INVOKE_WORKFLOW),
        span(3, 2),
        span(4, 2, sc.CHAT, {sc.AGENT_NAME: "own"}),
    ]
    assert [call.agent for call in calls_of(tree_from_spans(spans))] == ["outer", "own"]


def test_calls_are_those_of_models_only() -> None:
    operations = (sc.INVOKE_AGENT, sc.CHAT, sc.EXECUTE_TOOL, sc.EMBEDDINGS, sc.GENERATE_CONTENT)
    nodes = tree_from_spans(span(number, None, operation) for number, operation in enumerate(operations, 1))
    assert [call.operation for call in calls_of(nodes)] == [sc.CHAT, sc.EMBEDDINGS, sc.GENERATE_CONTENT]


def test_values_of_a_wrong_type_count_as_not_known() -> None:
    (node,) = tree_from_spans([span(1, attributes={sc.USAGE_INPUT_TOKENS: "many", sc.REQUEST_MODEL: 4, sc.USAGE_COST: True})])
    assert (node.input_tokens, node.model, node.cost_usd) == (None, None, None)


def test_a_cost_of_the_provider_goes_before_the_list_price() -> None:
    facts = {
        sc.PROVIDER_NAME: "openai",
        sc.REQUEST_MODEL: "gpt-4o",
        sc.USAGE_INPUT_TOKENS: 1_000_000,
        sc.USAGE_OUTPUT_TOKENS: 0,
    }
    (listed,) = tree_from_spans([span(1, attributes=facts)])
    (reported,) = tree_from_spans([span(1, attributes=facts | {sc.USAGE_COST: 0.5})])
    assert reported.cost_usd == 0.5
    assert listed.cost_usd is not None
    assert listed.cost_usd > 0


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (0.4213, "0.421 ms"),
        (99.96, "100 ms"),
        (312.4, "312 ms"),
        (1_240, "1.24 s"),
        (123_000, "2 min 3 s"),
        (3_720_000, "1 h 2 min"),
    ],
)
def test_durations_are_human(milliseconds: float, text: str) -> None:
    assert human.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0.00"), (1_234.5, "$1,234.50"), (0.5, "$0.5"), (0.012345, "$0.0123"), (0.00000042, "$0.00000042")]
)
def test_small_costs_keep_three_digits(usd: float, text: str) -> None:
    assert human.cost(usd) == text


@pytest.mark.parametrize(
    ("given", "answered", "text"), [(1_204, 56, "1,204 in / 56 out"), (0, None, "0 in / ? out"), (None, None, "")]
)
def test_unknown_tokens_are_no_zero(given: int | None, answered: int | None, text: str) -> None:
    assert human.tokens(given, answered) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines\tand  gaps", "two lines and gaps"),
        ("\x1b]0;title\x07", "]0;title"),
        ("x" * 30, "x" * 17 + "..."),
        ("\ud800", ""),
    ],
)
def test_a_line_is_printable_and_short(text: str, line: str) -> None:
    assert human.line(text, 20) == line


def test_a_time_out_of_range_is_no_fault() -> None:
    assert human.moment(10**30) == "?"


def test_a_long_conversation_is_shown_from_its_end() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": str(number)}]} for number in range(10)]
    assert excerpts({sc.INPUT_MESSAGES: json.dumps(messages)}) == [
        Excerpt("...", "6 earlier messages"),
        *(Excerpt("user", str(number)) for number in range(6, 10)),
    ]


@pytest.mark.parametrize(
    "content", ["not json", '["text"]', '[{"role": "?", "parts": ["text"]}]', '[{"parts": null}]', "[]", 7, "{}"]
)
def test_content_of_any_shape_is_no_fault(content: object) -> None:
    assert all(
        isinstance(excerpt, Excerpt) for excerpt in excerpts({sc.INPUT_MESSAGES: content, sc.SYSTEM_INSTRUCTIONS: content})
    )
