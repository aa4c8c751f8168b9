"""Calls of models as whole observations, as a Langfuse server stores them in both of its write paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan

Row = dict[str, Any]
MakeSpan = Callable[..., ReadableSpan]
Store = Callable[..., list[Row]]
START_US = 1_790_000_000_000_000


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def message(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts), **more}


def test_a_plain_chat(stored: Store, observation: Any, make_span: MakeSpan, chat: dict[str, Any]) -> None:
    span = make_span(chat | {"gen_ai.request.temperature": 0.2, "gen_ai.request.stop_sequences": ("END",)})

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o-2024-08-06",
            model_parameters={"temperature": 0.2, "stop_sequences": '["END"]'},
            input='{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
            output='{"role":"assistant","content":"Sunny."}',
            usage_details={"input": 1000, "output": 100, "total": 1100},
            cost_details={"input": 0.0025, "output": 0.001, "total": 0.0035},
            metadata={
                "provider": "openai",
                "response_id": "chatcmpl-1",
                "finish_reasons": "stop",
                "cost_source": "genai-prices",
            },
        )
    ]


def test_a_call_of_anthropic_with_system_instructions_tools_and_cache(
    stored: Store, observation: Any, make_span: MakeSpan
) -> None:
    tools = [
        {"type": "function", "name": "get_weather", "description": "Weather by city", "parameters": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    answer = message(
        "assistant",
        {"type": "reasoning", "content": "I need the weather."},
        text("Let me look."),
        {"type": "tool_call", "id": "toolu_1", "name": "get_weather", "arguments": {"city": "Paris"}},
        finish_reason="tool_call",
    )
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.finish_reasons": ("tool_call",),
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 600,
            "gen_ai.usage.cache_write.input_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 40,
            "otel_llm.cache_write_5m.input_tokens": 80,
            "otel_llm.cache_write_1h.input_tokens": 20,
            "otel_llm.response.service_tier": "standard",
            "gen_ai.system_instructions": json.dumps([text("Be brief.")]),
            "gen_ai.input.messages": json.dumps([message("user", text("Weather in Paris?"))]),
            "gen_ai.output.messages": json.dumps([answer]),
            "gen_ai.tool.definitions": json.dumps(tools),
        },
        name="chat claude-sonnet-4-5",
    )

    [row] = stored(span)

    assert (json.loads(row.pop("input")), json.loads(row.pop("output"))) == (
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather in Paris?"}],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "get_weather", "description": "Weather by city", "parameters": {"type": "object"}},
                },
                {"type": "web_search_20250305", "name": "web_search"},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "reasoning_content": "I need the weather.",
            "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
            ],
        },
    )
    assert row.pop("tool_definitions").keys() == {"get_weather", "web_search"}
    assert [json.loads(call) for call in row.pop("tool_calls")] == [
        {"id": "toolu_1", "arguments": '{"city":"Paris"}', "type": "function", "index": 0}
    ]
    assert row == observation(
        type="GENERATION",
        name="chat claude-sonnet-4-5",
        model="claude-sonnet-4-5-20250929",
        model_parameters={"max_tokens": 1024, "service_tier": "standard"},
        usage_details={
            "input": 300,
            "output": 100,
            "input_cached_tokens": 600,
            "input_cache_creation_5m": 80,
            "input_cache_creation_1h": 20,
            "total": 1100,
        },
        cost_details={
            "input": 0.0009,
            "output": 0.0015,
            "input_cached_tokens": 0.00018,
            "input_cache_creation_5m": 0.0003,
            "input_cache_creation_1h": 0.00012,
            "total": 0.003,
        },
        tool_call_names=["get_weather"],
        metadata={
            "provider": "anthropic",
            "finish_reasons": "tool_call",
            "reasoning_tokens": "40",
            "cost_source": "genai-prices",
        },
    )


def test_the_first_chunk_of_a_stream(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.stream": True,
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
        }
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o",
            completion_start_time=START_US + 250_000,
            usage_details={"input": 10, "output": 5, "total": 15},
            cost_details={"input": 0.000025, "output": 0.00005, "total": 0.000075},
            metadata={"provider": "openai", "stream": "true", "cost_source": "genai-prices"},
        )
    ]


def test_a_rate_limited_call_costs_nothing(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    exception = Event(
        "exception",
        {"exception.type": "RateLimitError", "exception.message": "slow down", "exception.stacktrace": "Traceback ..."},
    )
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.input.messages": json.dumps([message("user", text("Weather in Paris?"))]),
            "error.type": "429",
        },
        error="Rate limit reached for gpt-4o",
        events=(exception,),
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o",
            level="ERROR",
            status_message="429: Rate limit reached for gpt-4o",
            input='{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
            usage_details={"input": 0, "output": 0, "total": 0},
            server_would_price=True,
            metadata={
                "provider": "openai",
                "error_type": "429",
                "exception.type": "RateLimitError",
                "exception.message": "slow down",
                "exception.stacktrace": "Traceback ...",
            },
        )
    ]


@pytest.mark.parametrize("ending", ["abandoned", "truncated", "cancelled"])
def test_a_stream_that_ended_early_is_not_tokenised_by_the_server(
    stored: Store, observation: Any, make_span: MakeSpan, ending: str
) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.output.messages": json.dumps([message("assistant", text("It is su"))]),
            "otel_llm.ending": ending,
        }
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat gpt-4o",
            model="gpt-4o",
            level="WARNING",
            status_message=f"Ended early: {ending}",
            output='{"role":"assistant","content":"It is su"}',
            usage_details={"input": 0, "output": 0, "total": 0},
            server_would_price=True,
            metadata={"provider": "openai", "ending": ending},
        )
    ]


def test_the_cost_that_openrouter_reported(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openrouter",
            "gen_ai.request.model": "anthropic/claude-sonnet-4.5",
            "gen_ai.response.model": "anthropic/claude-4.5-sonnet-20250929",
            "gen_ai.usage.input_tokens": 800,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.usage.cost": 0.00123,
            "otel_llm.upstream.provider": "Google",
        },
        name="chat anthropic/claude-sonnet-4.5",
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat anthropic/claude-sonnet-4.5",
            model="anthropic/claude-4.5-sonnet-20250929",
            usage_details={"input": 800, "output": 3, "total": 803},
            cost_details={"total": 0.00123},
            metadata={"provider": "openrouter", "upstream_provider": "Google", "cost_source": "provider"},
        )
    ]


def test_a_model_without_a_price_has_no_cost(stored: Store, observation: Any, make_span: MakeSpan) -> None:
    span = make_span(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "ollama",
            "gen_ai.request.model": "llama3.2:1b",
            "gen_ai.usage.input_tokens": 8,
            "gen_ai.usage.output_tokens": 3,
        },
        name="chat llama3.2:1b",
    )

    assert stored(span) == [
        observation(
            type="GENERATION",
            name="chat llama3.2:1b",
            model="llama3.2:1b",
            usage_details={"input": 8, "output": 3, "total": 11},
            metadata={"provider": "ollama"},
        )
    ]
