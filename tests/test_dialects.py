"""Spans of other emitters in the conventions' attributes: what went in, and all that comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from otel_llm import semconv as sc
from otel_llm.dialects import conventional

START_NS = 1_790_000_000_000_000_000


def span(
    attributes: dict[str, Any], *events: Event, name: str = "x", scope: str = "another", status: StatusCode = StatusCode.UNSET
) -> ReadableSpan:
    return ReadableSpan(
        name=name,
        context=SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)),
        attributes=attributes,
        events=events,
        status=Status(status),
        start_time=START_NS,
        end_time=START_NS + 1_000_000_000,
        instrumentation_scope=InstrumentationScope(scope),
    )


def told(attributes: dict[str, Any], *events: Event, **more: Any) -> dict[str, Any]:
    """The attributes in the conventions' form, content decoded."""
    made = dict(conventional(span(attributes, *events, **more)))
    content = (sc.SYSTEM_INSTRUCTIONS, sc.INPUT_MESSAGES, sc.OUTPUT_MESSAGES, sc.TOOL_DEFINITIONS, sc.RETRIEVAL_DOCUMENTS)
    return {name: json.loads(value) if name in content else value for name, value in made.items()}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def said(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": [text(part) if isinstance(part, str) else part for part in parts], **more}


ASKS = {"type": "tool_call", "id": "call_1", "name": "look_up", "arguments": {"id": 7}}
FOUND = {"type": "tool_call_response", "id": "call_1", "response": "found"}
LOOK_UP = {"type": "function", "name": "look_up", "description": "d", "parameters": {"type": "object"}}


def test_our_own_spans_are_as_they_are() -> None:
    ours = span({sc.OPERATION_NAME: "chat", "gen_ai.usage.prompt_tokens": 3}, scope="otel_llm")
    assert conventional(ours) == ours.attributes


def test_a_span_in_the_conventions_form_says_the_same() -> None:
    given = {
        sc.OPERATION_NAME: "chat",
        sc.PROVIDER_NAME: "openai",
        sc.REQUEST_MODEL: "gpt-4o",
        sc.USAGE_INPUT_TOKENS: 10,
        sc.RESPONSE_FINISH_REASONS: ("stop",),
        sc.INPUT_MESSAGES: '[{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]',
        "application": "support",
    }
    assert dict(conventional(span(given))) == given


# --- OpenLLMetry ------------------------------------------------------------------------------------------------------


def test_openllmetrys_calls_before_it_spoke_the_conventions() -> None:
    assert told(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            sc.REQUEST_MODEL: "gpt-4o",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": '[{"type": "text", "text": "Why?"}, {"type": "image_url", "image_url": {"url": "u:1"}}]',
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "call_1",
            "gen_ai.prompt.2.tool_calls.0.name": "look_up",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"id": 7}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.content": "found",
            "gen_ai.prompt.3.tool_call_id": "call_1",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Because.",
            "gen_ai.completion.0.finish_reason": "stop",
            "llm.request.functions.0.name": "look_up",
            "llm.request.functions.0.description": "d",
            "llm.request.functions.0.parameters": '{"type": "object"}',
            "gen_ai.usage.prompt_tokens": 10,
            "gen_ai.usage.completion_tokens": 5,
            "llm.usage.total_tokens": 15,
            "llm.is_streaming": True,
            "traceloop.workflow.name": "answer",
            "traceloop.association.properties.user_id": "42",
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.tier": "gold",
        },
        Event("llm.content.completion.chunk", timestamp=START_NS + 250_000_000),
    ) == {
        sc.OPERATION_NAME: "chat",
        sc.PROVIDER_NAME: "openai",
        sc.REQUEST_MODEL: "gpt-4o",
        sc.REQUEST_STREAM: True,
        sc.INPUT_MESSAGES: [
            said("system", "Be brief."),
            said("user", "Why?", {"type": "uri", "modality": "image", "uri": "u:1"}),
            said("assistant", ASKS),
            said("tool", FOUND),
        ],
        sc.OUTPUT_MESSAGES: [said("assistant", "Because.", finish_reason="stop")],
        sc.TOOL_DEFINITIONS: [LOOK_UP],
        sc.USAGE_INPUT_TOKENS: 10,
        sc.USAGE_OUTPUT_TOKENS: 5,
        sc.RESPONSE_TIME_TO_FIRST_CHUNK: 0.25,
        sc.PIPELINE_NAME: "answer",
        sc.USER_ID: "42",
        sc.SESSION_ID: "s1",
        "otel_llm.metadata.tier": "gold",
    }


def test_openllmetrys_calls_of_anthropic() -> None:
    made = told(
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": '[{"type": "tool_result", "tool_use_id": "call_1", "content": "found"}]',
            "gen_ai.usage.prompt_tokens": 300,
            "gen_ai.usage.completion_tokens": 100,
            "gen_ai.usage.cache_read_input_tokens": 600,
            "gen_ai.usage.cache_creation_input_tokens": 100,
        }
    )
    assert made == {
        sc.INPUT_MESSAGES: [said("user", FOUND)],
        sc.USAGE_INPUT_TOKENS: 1000,
        sc.USAGE_OUTPUT_TOKENS: 100,
        sc.USAGE_CACHE_READ: 600,
        sc.USAGE_CACHE_WRITE: 100,
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("workflow", {sc.OPERATION_NAME: "invoke_workflow", sc.WORKFLOW_NAME: "w", sc.INPUT_VALUE: "{}", sc.OUTPUT_VALUE: "1"}),
        ("agent", {sc.OPERATION_NAME: "invoke_agent", sc.AGENT_NAME: "w", sc.INPUT_VALUE: "{}", sc.OUTPUT_VALUE: "1"}),
        (
            "tool",
            {sc.OPERATION_NAME: "execute_tool", sc.TOOL_NAME: "w", sc.TOOL_CALL_ARGUMENTS: "{}", sc.TOOL_CALL_RESULT: "1"},
        ),
        ("task", {sc.OPERATION_NAME: "task", sc.INPUT_VALUE: "{}", sc.OUTPUT_VALUE: "1"}),
    ],
)
def test_openllmetrys_entities(kind: str, expected: dict[str, Any]) -> None:
    entity = {"traceloop.entity.name": "w", "traceloop.entity.input": "{}", "traceloop.entity.output": "1"}
    assert told({"traceloop.span.kind": kind, **entity}) == expected


# --- OpenInference ----------------------------------------------------------------------------------------------------


def test_openinferences_calls_without_bodies() -> None:
    assert told(
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "azure",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": '{"temperature": 0.5, "max_tokens": 9, "stop": ["x"]}',
            "llm.input_messages.10.message.role": "user",
            "llm.input_messages.10.message.content": "Well?",
            "llm.input_messages.2.message.role": "user",
            "llm.input_messages.2.message.contents.0.message_content.type": "text",
            "llm.input_messages.2.message.contents.0.message_content.text": "Why?",
            "llm.input_messages.2.message.contents.1.message_content.type": "image",
            "llm.input_messages.2.message.contents.1.message_content.image.image.url": "data:image/png;base64,AA==",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look_up",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"id": 7}',
            "llm.tools.0.tool.json_schema": '{"name": "look_up", "description": "d", "input_schema": {"type": "object"}}',
            "llm.finish_reason": "tool_calls",
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 5,
            "llm.token_count.total": 15,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.token_count.prompt_details.audio": 3,
            "llm.token_count.completion_details.reasoning": 2,
            "llm.cost.total": 0.5,
            "input.value": "{...}",
            "input.mime_type": "application/json",
            "output.value": "...",
            "session.id": "s1",
            "metadata": '{"tier": "gold", "level": 2}',
            "tag.tags": '["vip"]',
        },
        Event("First Token Stream Event", timestamp=START_NS + 250_000_000),
    ) == {
        sc.OPERATION_NAME: "chat",
        sc.PROVIDER_NAME: "azure.ai.openai",
        sc.REQUEST_MODEL: "gpt-4o",
        sc.RESPONSE_MODEL: "gpt-4o",
        sc.REQUEST_TEMPERATURE: 0.5,
        sc.REQUEST_MAX_TOKENS: 9,
        sc.REQUEST_STOP_SEQUENCES: ("x",),
        sc.REQUEST_STREAM: True,
        sc.RESPONSE_TIME_TO_FIRST_CHUNK: 0.25,
        sc.RESPONSE_FINISH_REASONS: ("tool_call",),
        sc.INPUT_MESSAGES: [
            said("user", "Why?", {"type": "blob", "modality": "image", "content": "AA==", "mime_type": "image/png"}),
            said("user", "Well?"),
        ],
        sc.OUTPUT_MESSAGES: [said("assistant", ASKS, finish_reason="tool_call")],
        sc.TOOL_DEFINITIONS: [LOOK_UP],
        sc.USAGE_INPUT_TOKENS: 10,
        sc.USAGE_OUTPUT_TOKENS: 5,
        sc.USAGE_CACHE_READ: 4,
        sc.USAGE_REASONING: 2,
        "gen_ai.usage.audio.input_tokens": 3,
        sc.USAGE_COST: 0.5,
        sc.SESSION_ID: "s1",
        sc.TAGS: ("vip",),
        "otel_llm.metadata.tier": "gold",
        "otel_llm.metadata.level": "2",
    }


def test_messages_that_openinference_hides_are_not_taken_from_the_bodies() -> None:
    body = '{"id": "c1", "choices": [{"message": {"content": "secret"}, "finish_reason": "stop"}]}'
    made = told(
        {"openinference.span.kind": "LLM", "output.value": body, "llm.output_messages.0.message.content": "__REDACTED__"}
    )
    assert made == {
        sc.OPERATION_NAME: "chat",
        sc.RESPONSE_ID: "c1",
        sc.RESPONSE_FINISH_REASONS: ("stop",),
        sc.OUTPUT_MESSAGES: [said("assistant", "__REDACTED__")],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"openinference.span.kind": "AGENT", "input.value": "hi", "output.value": "ho"},
            {sc.OPERATION_NAME: "invoke_agent", sc.AGENT_NAME: "planner", sc.INPUT_VALUE: "hi", sc.OUTPUT_VALUE: "ho"},
            id="agent",
        ),
        pytest.param(
            {"openinference.span.kind": "CHAIN", "input.value": "hi", "input.mime_type": "text/plain"},
            {sc.OPERATION_NAME: "invoke_workflow", sc.WORKFLOW_NAME: "planner", sc.INPUT_VALUE: "hi"},
            id="chain",
        ),
        pytest.param(
            {"openinference.span.kind": "TOOL", "tool.name": "look_up", "input.value": '{"id":7}', "output.value": "found"},
            {
                sc.OPERATION_NAME: "execute_tool",
                sc.TOOL_NAME: "look_up",
                sc.TOOL_CALL_ARGUMENTS: '{"id":7}',
                sc.TOOL_CALL_RESULT: "found",
                "tool.name": "look_up",
            },
            id="tool",
        ),
        pytest.param(
            {
                "openinference.span.kind": "RETRIEVER",
                "input.value": "refunds",
                "retrieval.documents.0.document.id": "7",
                "retrieval.documents.0.document.content": "Refunds are ...",
                "retrieval.documents.0.document.metadata": '{"page": 3}',
            },
            {
                sc.OPERATION_NAME: "retrieval",
                sc.RETRIEVAL_QUERY: "refunds",
                sc.RETRIEVAL_DOCUMENTS: [{"id": "7", "content": "Refunds are ...", "metadata": {"page": 3}}],
            },
            id="retriever",
        ),
        pytest.param(
            {
                "openinference.span.kind": "EMBEDDING",
                "embedding.model_name": "small",
                "embedding.embeddings.0.embedding.text": "Why?",
                "embedding.embeddings.0.embedding.vector": (0.5, 0.25),
                "llm.token_count.total": 3,
            },
            {
                sc.OPERATION_NAME: "embeddings",
                sc.REQUEST_MODEL: "small",
                sc.INPUT_MESSAGES: [said("user", "Why?")],
                sc.USAGE_INPUT_TOKENS: 3,
            },
            id="embedding",
        ),
        pytest.param(
            {"openinference.span.kind": "LLM", "llm.prompts.0.prompt.text": "1, 2", "llm.choices.0.completion.text": "3"},
            {
                sc.OPERATION_NAME: "text_completion",
                sc.INPUT_MESSAGES: [said("user", "1, 2")],
                sc.OUTPUT_MESSAGES: [said("assistant", "3")],
            },
            id="completion",
        ),
        pytest.param({"openinference.span.kind": "GUARDRAIL"}, {sc.OPERATION_NAME: "apply_guardrail"}, id="guardrail"),
        pytest.param({"openinference.span.kind": "EVALUATOR"}, {sc.OPERATION_NAME: "evaluate"}, id="evaluator"),
    ],
)
def test_openinferences_kinds(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert told(given, name="planner") == expected


# --- messages as events -----------------------------------------------------------------------------------------------

ANSWERED = {
    sc.INPUT_MESSAGES: [said("system", "Be brief."), said("user", "Why?"), said("assistant", ASKS), said("tool", FOUND)],
    sc.OUTPUT_MESSAGES: [said("assistant", "Because.", finish_reason="stop")],
    sc.RESPONSE_FINISH_REASONS: ("stop",),
}
CALLS = [{"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 7}'}}]


def test_a_message_an_event() -> None:
    made = told(
        {},
        Event("gen_ai.system.message", {"content": "Be brief."}),
        Event("gen_ai.user.message", {"content": "Why?"}),
        Event("gen_ai.assistant.message", {"tool_calls": json.dumps(CALLS)}),
        Event("gen_ai.tool.message", {"content": "found", "id": "call_1"}),
        Event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content": "Because."}'}),
    )
    assert made == ANSWERED


def test_a_message_an_event_with_its_body_as_json() -> None:
    def event(name: str, body: Any) -> Event:
        return Event(name, {"gen_ai.system": "az.ai.inference", "gen_ai.event.content": json.dumps(body)})

    made = told(
        {"gen_ai.system": "az.ai.inference"},
        event("gen_ai.system.message", {"role": "system", "content": "Be brief."}),
        event("gen_ai.user.message", {"role": "user", "content": "Why?"}),
        event("gen_ai.assistant.message", {"role": "assistant", "tool_calls": CALLS}),
        event("gen_ai.tool.message", {"role": "tool", "content": "found", "tool_call_id": "call_1"}),
        event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "Because."}}),
    )
    assert made == ANSWERED | {sc.PROVIDER_NAME: "azure.ai.inference"}


def test_all_messages_in_one_event() -> None:
    details = {sc.INPUT_MESSAGES: json.dumps([said("user", "Why?")]), sc.OUTPUT_MESSAGES: [said("assistant", "Because.")]}
    made = told({}, Event("gen_ai.client.inference.operation.details", details))
    assert made == {sc.INPUT_MESSAGES: [said("user", "Why?")], sc.OUTPUT_MESSAGES: [said("assistant", "Because.")]}


def test_prompt_and_completion_as_events() -> None:
    made = told(
        {},
        Event("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "Why?"}]'}),
        Event("gen_ai.content.completion", {"gen_ai.completion": "Because."}),
    )
    assert made == {sc.INPUT_MESSAGES: [said("user", "Why?")], sc.OUTPUT_MESSAGES: [said("assistant", "Because.")]}


# --- the conventions' names in other forms ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(({"role": "user", "parts": ({"type": "text", "content": "Why?"},)},), [said("user", "Why?")], id="tuples"),
        pytest.param(('{"role": "user", "content": "Why?"}',), [said("user", "Why?")], id="an array of JSON texts"),
        pytest.param('[{"role": "user", "content": "Why?"}]', [said("user", "Why?")], id="messages in OpenAI's form"),
        pytest.param(b'[{"role":"user","parts":[]}]', [{"role": "user", "parts": []}], id="bytes"),
    ],
)
def test_messages_that_are_no_json_text(given: Any, expected: Any) -> None:
    assert told({sc.INPUT_MESSAGES: given}) == {sc.INPUT_MESSAGES: expected}


def test_messages_cut_in_the_middle_stay_as_they_are() -> None:
    cut = {sc.INPUT_MESSAGES: '[{"role": "user", "par'}
    assert dict(conventional(span(cut))) == cut


def test_an_empty_text_before_a_call_is_left_out() -> None:
    assert told({sc.OUTPUT_MESSAGES: json.dumps([said("assistant", "", ASKS)])}) == {
        sc.OUTPUT_MESSAGES: [said("assistant", ASKS)]
    }


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "look_up", "description": "d", "input_schema": {"type": "object"}},
        {"type": "custom", "name": "look_up", "description": "d", "input_schema": {"type": "object"}},
        {"type": "function", "function": {"name": "look_up", "description": "d", "parameters": {"type": "object"}}},
        LOOK_UP,
    ],
)
def test_tools_in_any_vendors_form(tool: dict[str, Any]) -> None:
    assert told({sc.TOOL_DEFINITIONS: json.dumps([tool])}) == {sc.TOOL_DEFINITIONS: [LOOK_UP]}


def test_a_tool_of_the_provider_without_a_name_stays_as_it_is() -> None:
    assert told({sc.TOOL_DEFINITIONS: '[{"type": "web_search"}]'}) == {sc.TOOL_DEFINITIONS: [{"type": "web_search"}]}


@pytest.mark.parametrize(
    ("asked", "read", "written", "total", "expected"),
    [
        pytest.param(1000, 600, 100, 1100, 1000, id="inclusive, by the total"),
        pytest.param(1000, 600, 100, None, 1000, id="inclusive, as is the rule"),
        pytest.param(1000, 600, 100, 1800, 1700, id="exclusive, by the total"),
        pytest.param(300, 600, 100, None, 1000, id="exclusive, since the cache is larger"),
        pytest.param(700, 0, 0, 1700, 700, id="no cache, whatever the total"),
    ],
)
def test_input_includes_the_cache(asked: int, read: int, written: int, total: int | None, expected: int) -> None:
    given = {
        sc.USAGE_INPUT_TOKENS: asked,
        sc.USAGE_OUTPUT_TOKENS: 100,
        sc.USAGE_CACHE_READ: read,
        sc.USAGE_CACHE_WRITE_OLD: written,
        **({} if total is None else {"gen_ai.usage.total_tokens": total}),
    }
    assert told(given) == {
        sc.USAGE_INPUT_TOKENS: expected,
        sc.USAGE_OUTPUT_TOKENS: 100,
        sc.USAGE_CACHE_READ: read,
        sc.USAGE_CACHE_WRITE: written,
    }


def test_anthropics_own_tracing_has_names_of_its_own_beside_the_conventions() -> None:
    assert told(
        {
            sc.OPERATION_NAME: "chat",
            "anthropic.message.stop_reason": "end_turn",
            "anthropic.response.service_tier": "standard",
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 100,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 0,
        }
    ) == {
        sc.OPERATION_NAME: "chat",
        sc.RESPONSE_FINISH_REASONS: ("stop",),
        sc.RESPONSE_SERVICE_TIER: "standard",
        sc.CACHE_WRITE_5M: 100,
        sc.CACHE_WRITE_1H: 0,
    }


def test_the_exception_that_ended_a_span_is_its_error() -> None:
    raised = Event("exception", {"exception.type": "openai.RateLimitError"})
    assert told({}, raised, status=StatusCode.ERROR) == {sc.ERROR_TYPE: "openai.RateLimitError"}
    assert told({}, raised) == {}


def test_name_and_variables_of_a_managed_prompt_are_no_messages() -> None:
    given = {"gen_ai.prompt.name": "greet", "gen_ai.prompt.version": "3", "gen_ai.prompt.variable.name": "Ann"}
    assert told(given) == given


def test_vercels_calls() -> None:
    assert (
        told(
            {
                "ai.operationId": "ai.streamText.doStream",
                "ai.model.id": "gpt-4o",
                "ai.usage.inputTokens": 10,
                "ai.usage.outputTokens": 5,
                "ai.response.msToFirstChunk": 250.0,
            }
        ).items()
        >= {
            sc.OPERATION_NAME: "chat",
            sc.REQUEST_MODEL: "gpt-4o",
            sc.USAGE_INPUT_TOKENS: 10,
            sc.USAGE_OUTPUT_TOKENS: 5,
            sc.RESPONSE_TIME_TO_FIRST_CHUNK: 0.25,
        }.items()
    )


@pytest.mark.parametrize(
    ("attributes", "known"),
    [
        ({"gen_ai.operation.name": "chat"}, True),
        ({"openinference.span.kind": "LLM"}, True),
        ({"llm.request.type": "chat"}, True),
        ({"traceloop.span.kind": "task"}, True),
        ({"gen_ai.provider.name": "openai"}, True),
        ({"gen_ai.agent.name": "a", "user.id": "42", "traceloop.workflow.name": "w"}, False),
        ({"http.request.method": "POST"}, False),
    ],
)
def test_genai_spans_are_known_by_what_they_have_from_the_start(attributes: dict[str, Any], known: bool) -> None:
    assert sc.is_genai(attributes) is known


def test_a_name_of_thousands_of_dots_is_told_as_far_as_it_goes() -> None:
    made = told({"gen_ai.prompt.0.content": "Why?", f"gen_ai.prompt.0.x{'.a' * 5000}": 1})
    assert made == {sc.INPUT_MESSAGES: [said("user", "Why?")]}


def test_of_two_names_for_a_session_the_first_one_counts_in_every_process() -> None:
    prefix = "traceloop.association.properties."
    asked = {f"{prefix}{name}": name for name in ("thread_id", "plan", "sessionId", "tier", "session_id")}
    told = conventional(ReadableSpan("chat", attributes=asked))
    assert told["session.id"] == "thread_id"
    assert [name for name in told if name.startswith("otel_llm.metadata.")] == [
        "otel_llm.metadata.plan",
        "otel_llm.metadata.tier",
    ]
