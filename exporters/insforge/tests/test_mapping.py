from __future__ import annotations

import hashlib
from typing import Any

import pytest
from legacy_spans import (
    AGENT,
    AGENT_HEX,
    AGENT_UUID,
    CALL_HEX,
    CALL_UUID,
    CHAT,
    END,
    IN_PIPELINE,
    PIPELINE,
    ROOT,
    ROOT_UUID,
    START,
    START_NS,
    STRATEGIST,
    TRACE_UUID,
    make_span,
    one_row,
)
from opentelemetry.sdk.trace import Event

from otel_llm.content_policy import FULL
from otel_llm_insforge import MappingOptions, Row, map_span

HTTP_SERVER = 0xDDDDDDDDDDDDDDDD


def test_the_root_of_a_pipeline_becomes_a_trace_row_and_nothing_else() -> None:
    assert map_span(make_span(PIPELINE, name="invoke_workflow learn", span_id=ROOT)) == [
        Row(
            "pipeline_traces",
            {
                "trace_id": TRACE_UUID,
                "pipeline_name": "learn",
                "telegram_id": 42,
                "user_id": None,
                "start_time": START,
                "end_time": END,
                "duration_ms": 1500.0,
                "success": True,
                "error": None,
            },
        )
    ]


def test_a_call_becomes_a_span_row_without_any_prompt() -> None:
    prompts = {"gen_ai.input.messages": '[{"role":"user"}]', "gen_ai.output.messages": '[{"role":"assistant"}]'}
    assert map_span(make_span({**CHAT, **prompts}, parent=AGENT)) == [
        Row(
            "pipeline_spans",
            {
                "span_id": CALL_UUID,
                "trace_id": TRACE_UUID,
                "parent_span_id": AGENT_UUID,
                "span_name": "llm:claude",
                "start_time": START,
                "end_time": END,
                "duration_ms": 1500.0,
                "success": True,
                "error": None,
                "input_data": {"provider": "anthropic", "model": "claude-sonnet-4-5"},
                "output_data": {
                    "model": "claude-sonnet-4-5-20250929",
                    "finish_reasons": ["stop"],
                    "usage": {"input_tokens": 12, "output_tokens": 34, "cost": 0.0012},
                },
            },
        )
    ]


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        (STRATEGIST, "agent:strategist"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent:unknown"),
        ({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "inner"}, "workflow:inner"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}, "tool:search"),
        ({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openrouter"}, "llm:openrouter"),
        ({"gen_ai.operation.name": "chat", "gen_ai.system": "mistral"}, "llm:mistral_ai"),
        ({"gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "gcp.gemini"}, "llm:gcp.gemini"),
        ({"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai"}, "llm:openai"),
        ({"gen_ai.operation.name": "retrieval"}, "retrieval docs"),
    ],
)
def test_span_names_are_those_of_the_legacy_tracing(attributes: dict[str, Any], name: str) -> None:
    span = make_span({**IN_PIPELINE, **attributes}, name="retrieval docs", parent=ROOT)
    assert one_row(span)["span_name"] == name


def test_span_names_can_be_configured() -> None:
    names = {"llm:anthropic": "llm:sonnet", "agent:strategist": "agent:planner"}
    assert one_row(make_span(CHAT), span_names=names)["span_name"] == "llm:sonnet"
    assert one_row(make_span(STRATEGIST), span_names=names)["span_name"] == "agent:planner"


@pytest.mark.parametrize(
    ("parent", "ancestor", "parent_span_id"),
    [
        (AGENT, None, AGENT_UUID),
        (ROOT, None, None),
        (None, None, None),
        (HTTP_SERVER, AGENT_HEX, AGENT_UUID),
        (HTTP_SERVER, "aaaaaaaaaaaaaaaa", None),
        (HTTP_SERVER, "", None),
    ],
    ids=["agent", "root", "none", "agent-above-http", "root-above-http", "none-above-http"],
)
def test_the_parent_is_the_nearest_genai_span_and_null_under_the_root(
    parent: int | None, ancestor: str | None, parent_span_id: str | None
) -> None:
    attributes = CHAT if ancestor is None else {**CHAT, "otel_llm.ancestor.span_id": ancestor}
    assert one_row(make_span(attributes, parent=parent))["parent_span_id"] == parent_span_id


def test_a_second_pipeline_in_a_trace_has_a_trace_id_of_its_own() -> None:
    second = {"otel_llm.pipeline.primary": False}
    root = one_row(make_span({**PIPELINE, **second}, span_id=ROOT))
    call = one_row(make_span({**CHAT, **second}, parent=ROOT))
    assert (root["trace_id"], call["trace_id"], call["parent_span_id"]) == (ROOT_UUID, ROOT_UUID, None)
    assert call["span_id"] == CALL_UUID


@pytest.mark.parametrize(
    "attributes",
    [None, {}, {"http.request.method": "GET", **IN_PIPELINE}, {"gen_ai.operation.name": 7, **IN_PIPELINE}],
)
def test_spans_outside_the_conventions_are_no_rows(attributes: dict[str, Any] | None) -> None:
    assert map_span(make_span(attributes), MappingOptions(orphans="synthesize")) == []


LONE = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}


def test_calls_outside_any_pipeline_are_skipped_as_the_legacy_tracing_did() -> None:
    assert map_span(make_span(LONE)) == []


@pytest.mark.parametrize(
    ("span", "trace_id"),
    [
        (make_span(LONE), TRACE_UUID),
        (make_span({**LONE, "otel_llm.ancestor.span_id": ""}, parent=HTTP_SERVER), CALL_UUID),
        (make_span(LONE, parent=HTTP_SERVER, remote_parent=True), CALL_UUID),
    ],
    ids=["root-of-its-trace", "below-http", "below-another-process"],
)
def test_calls_outside_any_pipeline_can_have_a_trace_row_that_collides_with_none(span: Any, trace_id: str) -> None:
    trace, call = map_span(span, MappingOptions(orphans="synthesize"))
    assert (trace.table, trace.columns["trace_id"], trace.columns["telegram_id"]) == ("pipeline_traces", trace_id, 0)
    assert (call.table, call.columns["trace_id"], call.columns["parent_span_id"]) == ("pipeline_spans", trace_id, None)


def test_below_a_call_outside_any_pipeline_there_are_span_rows_only() -> None:
    (row,) = map_span(make_span(LONE, parent=AGENT), MappingOptions(orphans="synthesize"))
    assert (row.table, row.columns["parent_span_id"]) == ("pipeline_spans", AGENT_UUID)


@pytest.mark.parametrize(
    ("value", "telegram_id", "user_id"),
    [
        ("42", 42, 42),
        (42, 42, 42),
        ("-1001234567890", -1001234567890, None),
        (2**31, 2**31, None),
        (2**63, 0, None),
        ("user-42", 0, None),
        ("٤٢", 0, None),
        (True, 0, None),
        (4.2, 0, None),
        (None, 0, None),
    ],
)
def test_user_ids_are_whole_numbers_that_fit_their_columns(value: Any, telegram_id: int, user_id: int | None) -> None:
    row = one_row(
        make_span({**PIPELINE, "app.user": value}, span_id=ROOT),
        telegram_id_attribute="app.user",
        user_id_attribute="app.user",
    )
    assert (row["telegram_id"], row["user_id"]) == (telegram_id, user_id)


def test_a_failed_call_says_why_and_keeps_what_is_known() -> None:
    row = one_row(make_span({**CHAT, "error.type": "429"}, error="rate limit exceeded"))
    assert (row["success"], row["error"]) == (False, "rate limit exceeded")
    assert row["output_data"]["usage"]["input_tokens"] == 12


@pytest.mark.parametrize(
    ("attributes", "description", "error"),
    [
        ({}, "ValueError: no", "ValueError: no"),
        ({"error.type": "ValueError"}, "", "ValueError"),
        ({}, "", None),
        ({}, "a\x00b\ud800", "ab\ufffd"),
    ],
)
def test_the_error_of_a_pipeline_is_its_status(attributes: dict[str, Any], description: str, error: str | None) -> None:
    row = one_row(make_span({**PIPELINE, **attributes}, span_id=ROOT, error=description))
    assert (row["success"], row["error"]) == (False, error)


def test_the_error_of_a_span_is_the_message_of_its_exception() -> None:
    events = (Event("exception", {"exception.message": "no answer"}), Event("other", {"exception.message": "x"}))
    assert one_row(make_span(CHAT, error="TimeoutError: no answer", events=events))["error"] == "no answer"


def test_an_exception_that_was_overcome_is_no_error() -> None:
    row = one_row(make_span(CHAT, events=(Event("exception", {"exception.message": "first try"}),)))
    assert (row["success"], row["error"]) == (True, None)


@pytest.mark.parametrize(
    ("start_ns", "duration_ns", "start", "end", "duration_ms"),
    [
        (1_790_000_000_999_999_999, 1_000, "2026-09-21T14:13:20.999999+00:00", "2026-09-21T14:13:21.000000+00:00", 0.0),
        (START_NS, 5_000, START, "2026-09-21T14:13:20.123461+00:00", 0.01),
        (START_NS, 12_345_678, START, "2026-09-21T14:13:20.135802+00:00", 12.35),
        (START_NS, -1_000, START, "2026-09-21T14:13:20.123455+00:00", 0.0),
        (START_NS, 10**15, START, "2026-10-03T04:00:00.123456+00:00", 99_999_999.99),
        (None, 0, "1970-01-01T00:00:00.000000+00:00", "1970-01-01T00:00:00.000000+00:00", 0.0),
        (10**30, 0, "9999-12-31T23:59:59.999999+00:00", "9999-12-31T23:59:59.999999+00:00", 0.0),
    ],
)
def test_times_are_cut_to_microseconds_and_durations_rounded_to_two_decimals(
    start_ns: int | None, duration_ns: int, start: str, end: str, duration_ms: float
) -> None:
    row = one_row(make_span(CHAT, start_ns=start_ns, duration_ns=duration_ns))
    assert (row["start_time"], row["end_time"], row["duration_ms"]) == (start, end, duration_ms)


@pytest.mark.parametrize("letter", ["x", "ж", "語", "🦊"])
def test_names_are_cut_by_characters_and_not_by_bytes(letter: str) -> None:
    long = letter * 300
    pipeline = one_row(make_span({**PIPELINE, "otel_llm.pipeline.name": long}, span_id=ROOT))
    agent = one_row(make_span({**STRATEGIST, "gen_ai.agent.name": long}))
    assert pipeline["pipeline_name"] == letter * 50
    assert agent["span_name"] == "agent:" + letter * 94


CONTENT = {
    "gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]',
    "gen_ai.input.messages": '[{"role":"user","parts":[]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[]}]',
}


def test_content_is_written_as_objects_where_asked_for() -> None:
    row = one_row(make_span({**CHAT, **CONTENT}), content=FULL)
    assert row["input_data"] == {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "system_instructions": [{"type": "text", "content": "Be brief."}],
        "messages": [{"role": "user", "parts": []}],
    }
    assert row["output_data"]["messages"] == [{"role": "assistant", "parts": []}]


def test_arguments_and_result_of_a_tool_are_content() -> None:
    tool = {
        **IN_PIPELINE,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": '{"q":"x"}',
        "gen_ai.tool.call.result": "not JSON",
    }
    bare, full = one_row(make_span(tool)), one_row(make_span(tool), content=FULL)
    assert (bare["input_data"], bare["output_data"]) == ({"tool_call_id": "call_1"}, None)
    assert (full["input_data"], full["output_data"]) == (
        {"tool_call_id": "call_1", "arguments": {"q": "x"}},
        {"result": "not JSON"},
    )


def test_a_long_field_keeps_its_beginning_its_length_and_its_hash() -> None:
    prompt = '["' + "я" * 49_996 + '"]'
    just_fits = one_row(make_span({**CHAT, "gen_ai.input.messages": prompt}), content=FULL)
    too_long = one_row(make_span({**CHAT, "gen_ai.input.messages": prompt.replace('"]', 'я"]')}), content=FULL)
    assert just_fits["input_data"]["messages"] == ["я" * 49_996]
    assert too_long["input_data"]["messages"] == {
        "repr": '["' + "я" * 1_998,
        "_truncated": True,
        "sha256": hashlib.sha256(f'["{"я" * 49_997}"]'.encode()).hexdigest(),
        "length": 50_001,
    }


@pytest.mark.parametrize(
    ("messages", "stored"),
    [
        ('["a\\u0000b"]', ["ab"]),
        ('["a\\ud83d"]', ["a\ufffd"]),
        ("[NaN, Infinity, 1.5]", [None, None, 1.5]),
        ("[123456789012345678901234567890]", [None]),
        ("", None),
        ("\ud800", "\ufffd"),
        ("[" * 5_000, "[" * 5_000),
    ],
    ids=["nul", "surrogate-escape", "nan", "huge-integer", "empty", "surrogate", "deep"],
)
def test_content_is_made_fit_for_jsonb(messages: str, stored: Any) -> None:
    row = one_row(make_span({**CHAT, "gen_ai.input.messages": messages}), content=FULL)
    assert row["input_data"].get("messages") == stored


def test_an_agent_without_known_facts_has_null_data_as_in_the_legacy_tables() -> None:
    row = one_row(make_span(STRATEGIST, span_id=AGENT, parent=ROOT))
    assert (row["input_data"], row["output_data"]) == (None, None)


def test_the_observation_id_is_the_end_of_the_span_id() -> None:
    assert one_row(make_span(CHAT))["span_id"].replace("-", "")[16:] == CALL_HEX
