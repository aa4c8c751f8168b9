"""The attributes of the copy: what is left out, what the application's own attributes decide, and which types are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm_langfuse import MappingSettings, map_span

MakeSpan = Callable[..., ReadableSpan]
#: 2026-11-01: the price list has tiers since October.
NOVEMBER_NS = 1_793_491_200_000_000_000
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def mapped(span: ReadableSpan, **settings: Any) -> dict[str, Any]:
    return map_span(span, MappingSettings(**settings))


def one(make_span: MakeSpan, name: str, attributes: dict[str, Any], **span: Any) -> Any:
    return mapped(make_span(CHAT | attributes, **span)).get(name)


def test_the_span_itself_is_not_changed(make_span: MakeSpan, chat: dict[str, Any]) -> None:
    span = make_span(dict(chat))
    mapped(span)
    assert dict(span.attributes or {}) == chat


def test_content_is_sent_once(make_span: MakeSpan, chat: dict[str, Any]) -> None:
    made = mapped(make_span(chat))
    assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & made.keys()


def test_stamps_are_translated_not_sent(make_span: MakeSpan) -> None:
    stamps = {"otel_llm.pipeline.name": "p", "otel_llm.pipeline.span_id": "0" * 16, "otel_llm.tags": ("a",)}
    assert not [name for name in mapped(make_span(CHAT | stamps)) if name.startswith("otel_llm.")]


def test_other_attributes_stay(make_span: MakeSpan) -> None:
    assert one(make_span, "server.address", {"server.address": "api.openai.com"}) == "api.openai.com"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.operation.name": "chat"}, "generation"),
        ({"gen_ai.operation.name": "text_completion"}, "generation"),
        ({"gen_ai.operation.name": "generate_content"}, "generation"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"gen_ai.operation.name": "create_agent"}, "agent"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "chain"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "retrieval"}, "retriever"),
        ({"gen_ai.operation.name": "unheard_of"}, "span"),
        ({"gen_ai.operation.name": "unheard_of", "gen_ai.request.model": "m"}, "generation"),
        ({"gen_ai.operation.name": ("chat",)}, "span"),
        ({"openinference.span.kind": "LLM"}, "generation"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
        ({"gen_ai.operation.name": "chat", "langfuse.observation.type": "Evaluator"}, "evaluator"),
        ({"gen_ai.operation.name": "chat", "langfuse.observation.type": "nonsense"}, "generation"),
    ],
)
def test_the_type(make_span: MakeSpan, attributes: dict[str, Any], expected: str) -> None:
    assert mapped(make_span(attributes))["langfuse.observation.type"] == expected


def test_a_tool_name_does_not_replace_the_name_of_a_chat(make_span: MakeSpan) -> None:
    assert one(make_span, "gen_ai.tool.name", {"gen_ai.tool.name": "get_weather"}) is None


def test_a_managed_prompt_does_not_shadow_the_messages(make_span: MakeSpan) -> None:
    made = mapped(make_span(CHAT | {"gen_ai.prompt.name": "greet", "gen_ai.prompt.0.content": "a message of TraceLoop"}))
    assert not any(name.startswith("gen_ai.prompt") for name in made)
    assert "a message of TraceLoop" in str(made["langfuse.observation.input"])


def test_a_prompt_without_a_version_number_is_not_linked(make_span: MakeSpan) -> None:
    made = mapped(make_span(CHAT | {"gen_ai.prompt.name": "greet", "gen_ai.prompt.version": "draft"}))
    assert not {"langfuse.observation.prompt.name", "langfuse.observation.prompt.version"} & made.keys()
    assert made["langfuse.observation.metadata.prompt.version"] == "draft"


@pytest.mark.parametrize(
    ("attributes", "error", "expected"),
    [
        ({}, None, (None, None)),
        ({}, "boom", ("ERROR", "boom")),
        ({"error.type": "timeout"}, None, ("ERROR", "timeout")),
        ({"error.type": "httpx.ReadTimeout"}, "ReadTimeout: too slow", ("ERROR", "ReadTimeout: too slow")),
        ({"error.type": "httpx.ReadTimeout"}, "too slow", ("ERROR", "httpx.ReadTimeout: too slow")),
        ({"error.type": "x", "langfuse.observation.level": "WARNING"}, None, ("WARNING", "x")),
        ({"otel_llm.ending": "cancelled"}, "CancelledError", ("ERROR", "CancelledError")),
    ],
)
def test_level_and_status_message(
    make_span: MakeSpan, attributes: dict[str, Any], error: str | None, expected: tuple[str | None, str | None]
) -> None:
    made = mapped(make_span(CHAT | attributes, error=error))
    assert (made.get("langfuse.observation.level"), made.get("langfuse.observation.status_message")) == expected


def test_an_exception_event_fills_what_the_status_lacks(make_span: MakeSpan) -> None:
    event = Event("exception", {"exception.type": "ValueError", "exception.message": "no such thing"})
    made = mapped(make_span(CHAT, error="", events=(event,)))
    assert made["langfuse.observation.status_message"] == "ValueError: no such thing"


@pytest.mark.parametrize(
    ("waited_s", "expected"),
    [
        (0.25, "2026-09-21T14:13:20.250000Z"),
        ("0.25", "2026-09-21T14:13:20.250000Z"),
        (0, "2026-09-21T14:13:20.000000Z"),
        (60.0, "2026-09-21T14:13:21.500000Z"),
        (1e308, "2026-09-21T14:13:21.500000Z"),
        (-1.0, None),
        (float("nan"), None),
    ],
)
def test_the_time_of_the_first_chunk_is_within_the_call(make_span: MakeSpan, waited_s: Any, expected: str | None) -> None:
    found = one(make_span, "langfuse.observation.completion_start_time", {"gen_ai.response.time_to_first_chunk": waited_s})
    assert found == expected


@pytest.mark.parametrize(
    ("attributes", "resource", "setting", "expected"),
    [
        ({}, {}, None, None),
        ({}, {"deployment.environment.name": "production"}, None, "production"),
        ({}, {"deployment.environment": "Prod EU"}, None, "prod-eu"),
        ({}, {"deployment.environment.name": "production"}, "Staging", "staging"),
        ({"langfuse.environment": "canary"}, {}, "staging", "canary"),
        ({}, {}, "langfuse-x", "x"),
        ({}, {}, "e" * 50, "e" * 40),
        ({}, {}, "langfuse", None),
    ],
)
def test_the_environment(
    make_span: MakeSpan, attributes: dict[str, Any], resource: dict[str, Any], setting: str | None, expected: str | None
) -> None:
    assert mapped(make_span(CHAT | attributes, resource=resource), environment=setting).get("langfuse.environment") == expected


def test_a_later_pipeline_does_not_rename_the_trace(make_span: MakeSpan) -> None:
    stamps = {"otel_llm.pipeline.name": "memory", "otel_llm.pipeline.primary": False}
    assert one(make_span, "langfuse.trace.name", stamps) is None


def test_a_conversation_is_the_session_unless_there_is_another(make_span: MakeSpan) -> None:
    assert one(make_span, "session.id", {"gen_ai.conversation.id": "c1"}) == "c1"
    assert one(make_span, "session.id", {"gen_ai.conversation.id": "c1", "session.id": "s1"}) == "s1"


@pytest.mark.parametrize("tags", [("a", "b"), '["a", "b"]', "a, b"])
def test_tags_of_the_application_come_with_those_of_the_agent(make_span: MakeSpan, tags: Any) -> None:
    found = one(make_span, "langfuse.trace.tags", {"langfuse.trace.tags": tags, "gen_ai.agent.name": "planner"})
    assert found == ["a", "b", "agent:planner"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("user.id", 42, "42"),
        ("session.id", 7.5, "7.5"),
        ("user.id", "", None),
        ("langfuse.version", 3, "3"),
        ("langfuse.trace.name", "n" * 1001, "n" * 1000),
        ("langfuse.observation.status_message", 500, "500"),
        ("langfuse.trace.public", "true", True),
        ("langfuse.trace.public", "perhaps", None),
        ("langfuse.observation.completion_start_time", "2026-09-21T14:13:20", "2026-09-21T14:13:20.000000Z"),
        ("langfuse.observation.completion_start_time", '"2026-09-21T16:13:20+02:00"', "2026-09-21T14:13:20.000000Z"),
        ("langfuse.observation.completion_start_time", 1790000000, None),
        ("langfuse.observation.usage_details", "{}", None),
        ("langfuse.observation.usage_details", '{"input":1}', '{"input":1}'),
        ("langfuse.observation.cost_details", '{"input":"0.5","other":1}', '{"total":1.5,"input":0.5,"other":1.0}'),
        ("langfuse.observation.cost_details", "five", None),
        ("langfuse.observation.prompt.version", 3, None),
        ("large", 2**70, str(2**70)),
        ("half", "\ud83d", "?"),
    ],
)
def test_values_are_sent_in_the_type_that_langfuse_takes(make_span: MakeSpan, name: str, value: Any, expected: Any) -> None:
    assert one(make_span, name, {name: value}) == expected


def test_the_version_of_the_service_is_text(make_span: MakeSpan) -> None:
    assert mapped(make_span(CHAT, resource={"service.version": 7}))["langfuse.version"] == "7"


def test_usage_and_cost_of_the_application_win(make_span: MakeSpan) -> None:
    own = {"langfuse.observation.usage_details": '{"input":1,"total":1}', "langfuse.observation.cost_details": '{"total":9.0}'}
    made = mapped(make_span(CHAT | own | {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cost": 0.5}))
    assert {name: made[name] for name in own} == own


def test_an_input_of_the_application_wins_and_the_output_is_added(make_span: MakeSpan, chat: dict[str, Any]) -> None:
    made = mapped(make_span(chat | {"langfuse.observation.input": "LI"}))
    assert made["langfuse.observation.input"] == "LI"
    assert json.loads(made["langfuse.observation.output"]) == {"role": "assistant", "content": "Sunny."}


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [
        ("gpt-4o", "gpt-4o-2099-01-01", "0.0035"),
        ("gpt-4o", "something-else", None),
        ("something-else", "gpt-4o", "0.0035"),
        ("gpt-4o", None, "0.0035"),
    ],
)
def test_the_price_is_that_of_the_model_that_answered(
    make_span: MakeSpan, chat: dict[str, Any], asked: str, answered: str | None, expected: str | None
) -> None:
    models = {"gen_ai.request.model": asked} | ({} if answered is None else {"gen_ai.response.model": answered})
    attributes = {name: value for name, value in chat.items() if name != "gen_ai.response.model"} | models
    cost = mapped(make_span(attributes)).get("langfuse.observation.cost_details")
    assert (None if cost is None else str(json.loads(cost)["total"])) == expected


@pytest.mark.parametrize(
    "tier", ["openai.response.service_tier", "otel_llm.response.service_tier", "gen_ai.request.service_tier"]
)
def test_the_service_tier_decides_the_price(make_span: MakeSpan, tier: str) -> None:
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500,
    }
    made = mapped(make_span(call | {tier: "priority"}, start_ns=NOVEMBER_NS))
    assert json.loads(made["langfuse.observation.cost_details"])["total"] == 0.0125
    assert json.loads(made["langfuse.observation.model.parameters"]) == {"service_tier": "priority"}


def test_a_cost_that_is_no_number_is_not_left_for_the_server_to_misread(make_span: MakeSpan) -> None:
    assert one(make_span, "gen_ai.usage.cost", {"gen_ai.usage.cost": "free", "gen_ai.usage.input_tokens": 10}) is None
