"""Agents, workflows, tools and less common calls as whole observations, in both write paths of a Langfuse server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext

from otel_llm.testing.langfuse import FakeLangfuse

Row = dict[str, Any]
MakeSpan = Callable[..., ReadableSpan]
Store = Callable[..., list[Row]]


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def message(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts), **more}


def test_an_agent_with_two_calls_under_an_http_server_span(
    stored: Store, observation: Any, langfuse: FakeLangfuse, path: str, make_span: MakeSpan, chat: dict[str, Any]
) -> None:
    http, agent, first, second = 0x1000000000000001, 0x2000000000000002, 0x3000000000000003, 0x4000000000000004
    stamps = {
        "gen_ai.agent.name": "planner",
        "user.id": "42",
        "session.id": "support_42",
        "otel_llm.tags": ("support",),
        "otel_llm.metadata.tenant": "acme",
        "otel_llm.pipeline.name": "answer",
        "otel_llm.pipeline.span_id": "2000000000000002",
        "otel_llm.pipeline.primary": True,
    }
    usage = {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 200, "gen_ai.request.model": "gpt-4o"}
    operation = {"gen_ai.operation.name": "invoke_agent"}

    rows = stored(
        make_span({"http.request.method": "POST"}, name="POST /ask", span_id=http),
        make_span(
            operation | stamps | usage | {"otel_llm.ancestor.span_id": ""},
            name="invoke_agent planner",
            span_id=agent,
            parent=http,
        ),
        make_span(chat | stamps, span_id=first, parent=agent),
        make_span(chat | stamps | {"otel_llm.ancestor.span_id": "2000000000000002"}, span_id=second, parent=0x5000000000000005),
        environment="Prod EU",
        release="v1.2.3",
    )

    shared = {
        "user_id": "42",
        "session_id": "support_42",
        "tags": ["support", "agent:planner"],
        "trace_name": "answer",
        "release": "v1.2.3",
        "environment": "prod-eu",
    }
    stamped = {"agent_name": "planner"} | ({"tenant": "acme"} if path == "direct" else {})
    call = observation(
        **shared,
        type="GENERATION",
        name="chat gpt-4o",
        parent_span_id="2000000000000002",
        model="gpt-4o-2024-08-06",
        input='{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
        output='{"role":"assistant","content":"Sunny."}',
        usage_details={"input": 1000, "output": 100, "total": 1100},
        cost_details={"input": 0.0025, "output": 0.001, "total": 0.0035},
        metadata=stamped
        | {"provider": "openai", "response_id": "chatcmpl-1", "finish_reasons": "stop", "cost_source": "genai-prices"},
    )
    assert rows == [
        observation(
            **shared,
            id="2000000000000002",
            type="AGENT",
            name="invoke_agent planner",
            is_app_root=True,
            metadata=stamped | {"model": "gpt-4o"},
        ),
        call | {"id": "3000000000000003"},
        call | {"id": "4000000000000004"},
    ]
    [trace] = langfuse.traces
    assert trace["name" if path == "direct" else "trace_name"] == "answer"
    assert (trace["user_id"], trace["session_id"], sorted(trace["tags"])) == ("42", "support_42", ["agent:planner", "support"])
    assert trace["metadata"]["tenant"] == "acme"


def test_embeddings(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.request.encoding_formats": ("float",),
            "gen_ai.usage.input_tokens": 800,
        },
        name="embeddings text-embedding-3-small",
    )

    assert stored(span) == [
        observation(
            type="EMBEDDING",
            name="embeddings text-embedding-3-small",
            model="text-embedding-3-small",
            usage_details={"input": 800, "output": 0, "total": 800},
            cost_details={"input": 0.000016, "output": 0, "total": 0.000016},
            metadata={"provider": "openai", "cost_source": "genai-prices"},
        )
    ]


def test_messages_cut_in_the_middle(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    cut = '[{"role": "user", "parts": [{"type": "text", "content": "Weather in Pa'
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cost": 0.0,
            "gen_ai.system_instructions": json.dumps([text("Be brief.")]),
            "gen_ai.input.messages": cut,
            "gen_ai.output.messages": "[{",
        }
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o",
            input=f"Be brief.\n{cut}",
            output="[{",
            usage_details={"input": 10, "output": 5, "total": 15},
            cost_details={"total": 0},
            metadata={"cost_source": "provider"},
        )
    ]


def test_a_tool(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": '{"city":"Paris"}',
            "gen_ai.tool.call.result": "21C",
        },
        name="execute_tool get_weather",
    )

    assert stored(span) == [observation(type="TOOL", name="get_weather", input='{"city":"Paris"}', output="21C", metadata={})]


def test_a_workflow_neither_counts_tokens_nor_lets_the_server_count_them(
    stored: Store, observation: Any, make_span: MakeSpan
) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.input.messages": json.dumps([message("user", text("Hi"))]),
        },
        name="invoke_workflow answer",
    )

    assert stored(span) == [
        observation(
            type="CHAIN",
            name="invoke_workflow answer",
            input='{"messages":[{"role":"user","content":"Hi"}]}',
            metadata={"model": "gpt-4o"},
        )
    ]


def test_a_retrieval(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.retrieval.query.text": "refunds",
            "gen_ai.retrieval.documents": '[{"id":"1","score":0.5}]',
        },
        name="retrieval kb",
    )

    assert stored(span) == [
        observation(
            type="RETRIEVER",
            name="retrieval kb",
            input="refunds",
            output='[{"id":"1","score":0.5}]',
            metadata={"model": "text-embedding-3-small"},
        )
    ]


def test_a_managed_prompt(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt.name": "greet",
            "gen_ai.prompt.version": "3",
            "gen_ai.prompt.variable.name": "Ann",
            "gen_ai.usage.cost": 0.5,
        }
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o",
            prompt_name="greet",
            prompt_version=3,
            cost_details={"total": 0.5},
            metadata={
                "prompt.name": "greet",
                "prompt.version": "3",
                "prompt.variable.name": "Ann",
                "cost_source": "provider",
            },
        )
    ]


def test_a_span_linked_to_the_trace_that_spawned_it(
    stored: Store, observation: Any, make_span: MakeSpan, remote: Callable[[int], SpanContext]
) -> None:
    span = make_span(
        {"gen_ai.operation.name": "invoke_agent"}, name="invoke_agent memory", links=(Link(remote(0x1000000000000001)),)
    )

    linked = [{"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "1000000000000001"}]
    [row] = stored(span)
    assert json.loads(row["metadata"].pop("links")) == linked
    assert row == observation(type="AGENT", name="invoke_agent memory", metadata={})


def test_messages_in_span_events_reach_the_server(stored: Store, make_span: MakeSpan) -> None:
    span = make_span(
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.cost": 0.5},
        events=(Event("gen_ai.user.message", {"role": "user", "content": "hi"}), Event("noise")),
    )

    assert [row["input"] for row in stored(span)] == ['{"messages":[{"role":"user","content":"hi"}]}']
