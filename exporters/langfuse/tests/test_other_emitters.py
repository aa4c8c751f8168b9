"""Agents, steps and tools of other emitters as observations: what type they get, what they show, and whose tokens count."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan

Row = dict[str, Any]
MakeSpan = Callable[..., ReadableSpan]
Store = Callable[..., list[Row]]

COUNTED = {"input": 1000, "output": 100, "total": 1100}
AGENT: dict[str, Any] = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        pytest.param({}, None, id="its calls are seen below it"),
        pytest.param({"server.address": "agents.example.com"}, COUNTED, id="a remote one"),
        pytest.param({"otel_llm.opaque": True}, COUNTED, id="one that is said to be opaque"),
        pytest.param({"server.address": "agents.example.com", "otel_llm.opaque": False}, None, id="a remote one that is not"),
    ],
)
def test_tokens_of_an_agent_count_where_nothing_below_tells_them(
    stored: Store, make_span: MakeSpan, more: dict[str, Any], usage: Any
) -> None:
    [row] = stored(make_span(AGENT | more, name="invoke_agent writer"))
    assert (row["type"], row.get("usage_details")) == ("AGENT", usage)


@pytest.mark.parametrize("operation", ["create_agent", "execute_tool", "invoke_workflow"])
def test_sums_of_calls_below_do_not_count(stored: Store, make_span: MakeSpan, operation: str) -> None:
    [row] = stored(make_span(AGENT | {"gen_ai.operation.name": operation, "server.address": "here"}))
    assert "usage_details" not in row
    assert row["metadata"]["model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"openinference.span.kind": "AGENT", "input.value": "hi", "output.value": "ho"}, ("AGENT", "hi", "ho")),
        ({"openinference.span.kind": "CHAIN", "input.value": '{"q":1}', "output.value": "ho"}, ("CHAIN", '{"q":1}', "ho")),
        ({"openinference.span.kind": "TOOL", "input.value": '{"q":1}', "output.value": "2"}, ("TOOL", '{"q":1}', "2")),
        (
            {"openinference.span.kind": "RETRIEVER", "input.value": "q", "retrieval.documents.0.document.id": "7"},
            ("RETRIEVER", "q", '[{"id":"7"}]'),
        ),
        ({"openinference.span.kind": "GUARDRAIL", "input.value": "q"}, ("GUARDRAIL", "q", None)),
        ({"openinference.span.kind": "EVALUATOR", "output.value": "0.5"}, ("EVALUATOR", None, "0.5")),
        ({"traceloop.span.kind": "workflow", "traceloop.entity.input": "q"}, ("CHAIN", "q", None)),
        ({"traceloop.span.kind": "task", "traceloop.entity.output": "a"}, ("SPAN", None, "a")),
        ({"traceloop.span.kind": "tool", "traceloop.entity.input": "q", "traceloop.entity.output": "a"}, ("TOOL", "q", "a")),
    ],
)
def test_steps(stored: Store, make_span: MakeSpan, attributes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    [row] = stored(make_span(attributes, name="step"))
    assert (row["type"], row.get("input"), row.get("output")) == expected


def test_a_call_told_in_events_and_old_names(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 1000,
            "gen_ai.usage.completion_tokens": 100,
            "gen_ai.usage.reasoning_tokens": 40,
        },
        events=(
            Event("gen_ai.system.message", {"content": "Be brief."}),
            Event("gen_ai.user.message", {"content": "Why?"}),
            Event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps({"content": "Because."})}),
        ),
    )

    [row] = stored(span)
    assert row == observation(
        type="GENERATION",
        name="chat gpt-4o",
        model="gpt-4o",
        input='{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}]}',
        output='{"role":"assistant","content":"Because."}',
        usage_details=COUNTED,
        cost_details={"input": 0.0025, "output": 0.001, "total": 0.0035},
        metadata={"provider": "openai", "finish_reasons": "stop", "reasoning_tokens": "40", "cost_source": "genai-prices"},
    )


def test_content_of_events_keeps_to_the_policy(stored: Store, make_span: MakeSpan) -> None:
    span = make_span(AGENT | {"gen_ai.operation.name": "chat"}, events=(Event("gen_ai.user.message", {"content": "secret"}),))
    [row] = stored(span, content="none")
    assert "secret" not in str(row)


def test_events_of_the_application_are_metadata(stored: Store, make_span: MakeSpan) -> None:
    [row] = stored(make_span(AGENT, events=(Event("cache miss", {"key": "k"}, timestamp=1_790_000_000_000_000_000),)))
    [event] = json.loads(row["metadata"]["events"])
    assert event == {"name": "cache miss", "time": "2026-09-21T14:13:20+00:00", "attributes": {"key": "k"}}
