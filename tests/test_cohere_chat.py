"""Cohere's chat: what each field of a request or an answer becomes, and its events."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.cohere_chat import Fold, matches, request, response
from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage


def asked(**body: Any) -> RequestFacts:
    return request({"model": "command-a", **body}, "/v2/chat")


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


def content(index: int, kind: str, **piece: str) -> dict[str, Any]:
    return {"type": f"content-{kind}", "index": index, "delta": {"message": {"content": piece}}}


def call(index: int, kind: str, **piece: Any) -> dict[str, Any]:
    return {"type": f"tool-call-{kind}", "index": index, "delta": {"message": {"tool_calls": piece}}}


# --- request ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        ({"max_tokens": 5, "temperature": 0}, {"gen_ai.request.max_tokens": 5, "gen_ai.request.temperature": 0.0}),
        ({"p": 0.75, "k": 0}, {"gen_ai.request.top_p": 0.75, "gen_ai.request.top_k": 0}),
        ({"stop_sequences": ["A", "B"]}, {"gen_ai.request.stop_sequences": ("A", "B")}),
        ({"seed": 42}, {"gen_ai.request.seed": 42}),
        (
            {"frequency_penalty": 0.5, "presence_penalty": 1},
            {"gen_ai.request.frequency_penalty": 0.5, "gen_ai.request.presence_penalty": 1.0},
        ),
        ({"response_format": {"type": "json_object", "json_schema": {}}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
        ({"thinking": {"type": "enabled", "token_budget": 10}, "safety_mode": "STRICT", "top_p": 1, "stop": "A"}, {}),
        ({"p": "most", "k": None, "stop_sequences": 7}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(settings: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = asked(**settings).attributes
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"role": "system", "content": "Be brief."}, {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}),
        (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="},
                ],
            },
        ),
        (
            {
                "role": "assistant",
                "tool_plan": "I will add.",
                "tool_calls": [{"id": "add_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "I will add."},
                    {"type": "tool_call", "id": "add_1", "name": "add", "arguments": {"a": 1}},
                ],
            },
        ),
        (
            {
                "role": "tool",
                "tool_call_id": "add_1",
                "content": [{"type": "document", "document": {"data": "3", "id": "1"}}],
            },
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "id": "add_1",
                        "response": [{"type": "document", "document": {"data": "3", "id": "1"}}],
                    }
                ],
            },
        ),
        (
            {"role": "tool", "tool_call_id": "add_1", "content": "3"},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "add_1", "response": "3"}]},
        ),
    ],
    ids=["system", "image", "plan and tool call", "tool with documents", "tool"],
)
def test_messages_of_the_history(message: dict[str, Any], read: dict[str, Any]) -> None:
    assert asked(messages=[message]).messages == [read]


def test_documents_go_with_the_last_message_of_the_user() -> None:
    document = {"id": "1", "data": {"title": "Ports", "text": "Byblos"}}
    messages = [{"role": "user", "content": "Which port?"}, {"role": "assistant", "content": "Tyre."}]
    assert asked(messages=messages, documents=[document, "Tyre"]).messages == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Which port?"},
                {"type": "document", "document": document},
                {"type": "document", "document": "Tyre"},
            ],
        },
        {"role": "assistant", "parts": [{"type": "text", "content": "Tyre."}]},
    ]


def test_tools_are_defined_and_a_stream_is_asked_for() -> None:
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
    facts = asked(tools=[tool], stream=True)
    assert (facts.operation, facts.model, facts.stream) == ("chat", "command-a", True)
    assert facts.tools == [{"type": "function", "name": "add", "description": "Adds.", "parameters": {"type": "object"}}]


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"model": "command-a", "messages": [{"role": "user", "content": "Hello"}]}, True),
        ({"model": "command-a", "messages": []}, False),
        ({"model": "command-a", "message": "Hello"}, False),
        ({"messages": [{"role": "user", "content": "Hello"}]}, False),
        ({"model": "command-a", "messages": ["Hello"]}, False),
    ],
    ids=str,
)
def test_a_request_is_known_by_its_shape(body: Any, is_one: bool) -> None:
    assert matches(body) is is_one


# --- answer -----------------------------------------------------------------------------------------------------------


def test_an_answer() -> None:
    body = {
        "id": "60f8",
        "finish_reason": "COMPLETE",
        "message": {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "1 + 2"}, {"type": "text", "text": "Three."}],
            "citations": [{"start": 0, "end": 5, "text": "Three"}],
        },
        "usage": {
            "billed_units": {"input_tokens": 91, "output_tokens": 31},
            "tokens": {"input_tokens": 1622.0, "output_tokens": 44.0},
            "cached_tokens": 1024,
        },
    }
    assert response(body) == ResponseFacts(
        id="60f8",
        finish_reasons=("stop",),
        usage=Usage(input_tokens=1622, output_tokens=44, cache_read=1024),
        messages=[
            {
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "1 + 2"}, {"type": "text", "content": "Three."}],
                "finish_reason": "stop",
            }
        ],
    )


def test_billed_tokens_count_where_no_others_are_told() -> None:
    usage = {"billed_units": {"input_tokens": 91, "output_tokens": 31}}
    assert response({"usage": usage}).usage == Usage(input_tokens=91, output_tokens=31)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_LIMIT", "length"),
        ("TOOL_CALL", "tool_call"),
        ("ERROR", "error"),
        ("ERROR_TOXIC", "content_filter"),
        ("TIMEOUT", "TIMEOUT"),
    ],
)
def test_finish_reasons_in_the_conventions_words(sent: str, reason: str) -> None:
    assert response({"finish_reason": sent}).finish_reasons == (reason,)


def test_an_error_is_a_message_with_an_id() -> None:
    body = {"id": "9d1", "message": "model 'x' not found"}
    assert response(body) == ResponseFacts(id="9d1", error=ErrorFacts("_OTHER", "model 'x' not found"))
    assert response(folded(body)) == response(body)


# --- events -----------------------------------------------------------------------------------------------------------

START = {
    "type": "message-start",
    "id": "e6d7",
    "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
}


def test_a_stream_of_thoughts_and_text() -> None:
    body = folded(
        START,
        content(0, "start", type="thinking", thinking=""),
        content(0, "delta", thinking="1 "),
        content(0, "delta", thinking="+ 2"),
        {"type": "content-end", "index": 0},
        content(1, "start", type="text", text=""),
        content(1, "delta", text="Thr"),
        {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "text": "Thr"}}}},
        content(1, "delta", text="ee."),
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 1}}}},
        "[DONE]",
    )
    assert response(body) == ResponseFacts(
        id="e6d7",
        finish_reasons=("stop",),
        usage=Usage(input_tokens=1),
        messages=[
            {
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "1 + 2"}, {"type": "text", "content": "Three."}],
                "finish_reason": "stop",
            }
        ],
    )


def test_a_stream_of_a_plan_and_tool_calls() -> None:
    body = folded(
        START,
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": " add."}}},
        call(0, "start", id="add_1", type="function", function={"name": "add", "arguments": ""}),
        call(0, "delta", function={"arguments": '{"a'}),
        call(0, "delta", function={"arguments": '":1}'}),
        {"type": "tool-call-end", "index": 0},
        call(1, "start", id="now_1", type="function", function={"name": "now", "arguments": ""}),
        {"type": "tool-call-end", "index": 1},
    )
    assert response(body).messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "I will add."},
                {"type": "tool_call", "id": "add_1", "name": "add", "arguments": {"a": 1}},
                {"type": "tool_call", "id": "now_1", "name": "now", "arguments": {}},
            ],
        }
    ]


def test_a_stream_that_was_cut_gives_what_arrived() -> None:
    facts = response(folded(START, content(0, "delta", text="Hel")))
    assert facts == ResponseFacts(id="e6d7", messages=[{"role": "assistant", "parts": [{"type": "text", "content": "Hel"}]}])


def test_a_stream_is_done_with_the_end_of_its_message() -> None:
    fold = Fold()
    fold.feed(START)
    assert not fold.done
    fold.feed({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}})
    assert fold.done


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "the model failed"}},
        {"type": "error", "error": "the model failed"},
        {"error": "the model failed"},
    ],
    ids=["at the end", "by type", "by name"],
)
def test_a_stream_may_break_with_an_error(event: dict[str, Any]) -> None:
    facts = response(folded(START, content(0, "delta", text="Hel"), event))
    assert facts.error == ErrorFacts("_OTHER", "the model failed")
    assert facts.messages[0]["parts"] == [{"type": "text", "content": "Hel"}]


def test_what_is_no_event_is_ignored() -> None:
    assert folded(None, 7, "text", [], {}, {"type": "debug", "prompt": "x"}, {"type": "content-delta", "delta": None}) == {}
