"""Anthropic's messages: what each field of a request or a response becomes, and the oddities of their streams.

Whole exchanges are in ``exchanges/``; the law of streaming is in ``test_protocol_laws.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.anthropic_messages import Fold, matches, request, response
from otel_llm.protocols.facts import ErrorFacts, Usage


def asked(**body: Any) -> Any:
    return request(body, "/v1/messages")


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": usage}}


# --- request ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"max_tokens": 5}, {"gen_ai.request.max_tokens": 5}),
        ({"temperature": 1, "top_p": 0}, {"gen_ai.request.temperature": 1.0, "gen_ai.request.top_p": 0.0}),
        ({"top_k": 40}, {"gen_ai.request.top_k": 40}),
        ({"stop_sequences": ["A", "B"]}, {"gen_ai.request.stop_sequences": ("A", "B")}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {}),
        ({"output_config": {"effort": "max"}}, {"gen_ai.request.reasoning.level": "max"}),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, {"gen_ai.output.type": "json"}),
        ({"output_config": {"format": {"type": "grammar"}}}, {}),
        ({"max_tokens": "5", "temperature": "hot", "top_k": None, "stop_sequences": 7, "output_config": []}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(body: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = asked(**body).attributes
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]


@pytest.mark.parametrize(
    ("system", "parts"),
    [
        ("Be brief.", [{"type": "text", "content": "Be brief."}]),
        (
            [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}],
            [{"type": "text", "content": "Be"}, {"type": "text", "content": "brief."}],
        ),
        ({"type": "text", "text": "Be brief."}, [{"type": "text", "content": "Be brief."}]),
        (None, []),
        ("", []),
    ],
)
def test_the_system_prompt_is_kept_apart(system: Any, parts: list[dict[str, Any]]) -> None:
    facts = asked(system=system, messages=[{"role": "user", "content": "Hello"}])
    assert (facts.system, facts.messages) == (parts, [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}])


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "Hello", "cache_control": {}}, {"type": "text", "content": "Hello"}),
        ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "reasoning", "content": "Hm."}),
        ({"type": "redacted_thinking", "data": "x"}, {"type": "redacted_thinking", "data": "x"}),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
            {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"},
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "file", "modality": "document", "file_id": "file_1"},
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            {"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"},
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Log"}},
            {"type": "text", "content": "Log"},
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "Log"}},
            {"type": "document", "source": {"type": "content", "content": "Log"}},
        ),
        ({"type": "document", "source": {"type": "text"}}, {"type": "document", "source": {"type": "text"}}),
        ({"type": "container_upload", "file_id": "file_1"}, {"type": "file", "modality": "document", "file_id": "file_1"}),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "tide", "input": {"port": "Dover"}},
            {"type": "tool_call", "id": "toolu_1", "name": "tide", "arguments": {"port": "Dover"}},
        ),
        ({"type": "tool_use"}, {"type": "tool_call", "id": None, "name": "", "arguments": {}}),
        (
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "3 m"},
            {"type": "tool_call_response", "id": "toolu_1", "response": "3 m"},
        ),
        (
            {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": [{"type": "text", "text": "No."}]},
            {"type": "tool_call_response", "id": "toolu_1", "response": [{"type": "text", "content": "No."}], "is_error": True},
        ),
        (
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
            {
                "type": "server_tool_call",
                "id": "srvtoolu_1",
                "name": "web_search",
                "server_tool_call": {"type": "web_search", "arguments": {"query": "x"}},
            },
        ),
        (
            {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "depth", "server_name": "harbour", "input": {}},
            {
                "type": "server_tool_call",
                "id": "mcptoolu_1",
                "name": "depth",
                "server_tool_call": {"type": "mcp", "server_name": "harbour", "arguments": {}},
            },
        ),
        (
            {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {"stdout": "7"}},
            {
                "type": "server_tool_call_response",
                "id": "srvtoolu_1",
                "server_tool_call_response": {"type": "code_execution_tool_result", "content": {"stdout": "7"}},
            },
        ),
        ({"type": "compaction", "content": "Before: x"}, {"type": "compaction", "content": "Before: x"}),
        ({"type": "search_result", "source": "a", "title": "b"}, {"type": "search_result", "source": "a", "title": "b"}),
        ({"no": "type"}, {"no": "type", "type": "unknown"}),
        ("Hello", {"type": "text", "content": "Hello"}),
        (7, {"type": "unknown", "content": 7}),
    ],
    ids=str,
)
def test_a_block_of_any_kind_is_a_part(block: Any, part: dict[str, Any]) -> None:
    assert asked(messages=[{"role": "user", "content": [block]}]).messages == [{"role": "user", "parts": [part]}]


def test_thinking_of_which_only_the_signature_came_is_left_out() -> None:
    content = [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "Byblos"}]
    assert response({"role": "assistant", "content": content}).messages == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Byblos"}]}
    ]


@pytest.mark.parametrize(
    ("tool", "definition"),
    [
        (
            {"name": "tide", "description": "Height", "input_schema": {"type": "object"}},
            {"type": "function", "name": "tide", "description": "Height", "parameters": {"type": "object"}},
        ),
        ({"type": "custom", "name": "tide", "input_schema": {}}, {"type": "function", "name": "tide"}),
        (
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "web_search_20250305", "name": "web_search"},
        ),
        ({"type": "mcp_toolset", "mcp_server_name": "harbour"}, {"type": "mcp_toolset", "name": "mcp_toolset"}),
    ],
    ids=str,
)
def test_tools_are_definitions(tool: dict[str, Any], definition: dict[str, Any]) -> None:
    assert asked(tools=[tool]).tools == [definition]


@pytest.mark.parametrize(
    ("body", "matching"),
    [
        ({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}, True),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, False),
        ({"model": "m", "max_tokens": 9, "messages": [{"from": "ada", "text": "x"}]}, False),
        ({"max_tokens": 9, "messages": [{"role": "user"}]}, False),
        ({"model": "m", "max_tokens": 9, "messages": []}, False),
        ("text", False),
    ],
)
def test_a_body_matches_if_it_has_what_this_api_requires(body: Any, matching: bool) -> None:
    assert matches(body) is matching


# --- response ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_call"),
        ("refusal", "refusal"),
        ("pause_turn", "pause_turn"),
        (None, None),
        (7, None),
    ],
)
def test_a_stop_reason_is_a_word_of_the_conventions(sent: Any, reason: str | None) -> None:
    facts = response({"role": "assistant", "content": [], "stop_reason": sent})
    assert facts.finish_reasons == ((reason,) if reason else ())
    assert facts.messages == [{"role": "assistant", "parts": []} | ({"finish_reason": reason} if reason else {})]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"input_tokens": 4, "output_tokens": 7}, Usage(4, 7)),
        (
            {"input_tokens": 4, "cache_read_input_tokens": 14210, "cache_creation_input_tokens": 426, "output_tokens": 290},
            Usage(14640, 290, 14210, 426),
        ),
        (
            {
                "input_tokens": 4,
                "cache_creation_input_tokens": 426,
                "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 26},
            },
            Usage(430, None, None, 426, 400, 26),
        ),
        ({"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 5}}, Usage(None, 7, reasoning=5)),
        (
            {"input_tokens": 220, "output_tokens": 9, "iterations": [{"type": "compaction", "input_tokens": 55196}]},
            Usage(220, 9),
        ),
        ({"input_tokens": 4, "cache_read_input_tokens": None, "cache_creation": None}, Usage(4)),
        ({"cache_read_input_tokens": 9}, Usage(cache_read=9)),
    ],
    ids=str,
)
def test_the_input_includes_what_the_cache_gave_and_took(usage: dict[str, Any], read: Usage) -> None:
    assert response({"usage": usage}).usage == read


def test_the_service_tier_stands_in_the_usage() -> None:
    assert response({"usage": {"service_tier": "priority"}}).attributes == {"otel_llm.response.service_tier": "priority"}


def test_an_error_body_has_no_message() -> None:
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}, "request_id": "req_1"}
    facts = response(body)
    assert (facts.error, facts.messages) == (ErrorFacts("authentication_error", "invalid x-api-key"), [])


# --- fold -------------------------------------------------------------------------------------------------------------


def test_the_end_of_a_stream_replaces_the_usage_that_it_names() -> None:
    body = folded(
        start(input_tokens=2479, cache_read_input_tokens=7, output_tokens=6, service_tier="standard"),
        {
            "type": "message_delta",
            "delta": {},
            "usage": {"input_tokens": 404500, "cache_read_input_tokens": None, "output_tokens": 943},
        },
    )
    assert body["usage"] == {
        "input_tokens": 404500,
        "cache_read_input_tokens": 7,
        "output_tokens": 943,
        "service_tier": "standard",
    }


@pytest.mark.parametrize(
    ("deltas", "block"),
    [
        ([{"type": "text_delta", "text": "By"}, {"type": "text_delta", "text": "blos"}], {"type": "text", "text": "Byblos"}),
        (
            [
                {"type": "text_delta", "text": "x"},
                {"type": "citations_delta", "citation": {"n": 1}},
                {"type": "citations_delta", "citation": {"n": 2}},
            ],
            {"type": "text", "text": "x", "citations": [{"n": 1}, {"n": 2}]},
        ),
        ([{"type": "delta_of_tomorrow", "novelty": "x"}], {"type": "text", "text": ""}),
    ],
)
def test_deltas_grow_their_block(deltas: list[dict[str, Any]], block: dict[str, Any]) -> None:
    events = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    first = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert folded(start(), first, {"type": "ping"}, *events)["content"] == [block]


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [([""], {}), ([], {}), (["", '{"a":', " 1}"], {"a": 1}), (['{"a":'], '{"a":')],
    ids=["empty", "none", "in pieces", "cut off"],
)
def test_arguments_of_a_tool_come_as_text(pieces: list[str], arguments: Any) -> None:
    first = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    }
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    ]
    assert response(folded(start(), first, *deltas)).messages[0]["parts"] == [
        {"type": "tool_call", "id": "t", "name": "f", "arguments": arguments}
    ]


@pytest.mark.parametrize(
    ("event", "done"),
    [
        ({"type": "message_stop"}, True),
        ("[DONE]", True),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, False),
        (None, False),
    ],
)
def test_a_stream_is_done_at_its_last_event(event: Any, done: bool) -> None:
    fold = Fold()
    fold.feed(event)
    assert fold.done is done
    fold.feed({"type": "ping"})
    fold.feed(None)
    assert fold.done is done


def test_a_stream_in_which_nothing_came_is_an_empty_body() -> None:
    assert folded() == folded({"type": "ping"}) == {}
    assert folded({"type": "error", "error": {"type": "overloaded_error"}}) == {"error": {"type": "overloaded_error"}}


def test_a_whole_message_in_a_stream_is_taken_as_it_is() -> None:
    whole = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}],
        "usage": {"input_tokens": 1},
    }
    assert response(folded(whole)) == response(whole)
