"""Cohere's older chat: what each field of a request or an answer becomes, and its events."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.cohere_chat_v1 import Fold, matches, request, response
from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


def test_a_request() -> None:
    body = {
        "model": "command-r",
        "message": "And which is the youngest?",
        "preamble": "Be brief.",
        "conversation_id": "ports",
        "chat_history": [
            {"role": "SYSTEM", "message": "Say where."},
            {"role": "USER", "message": "Which port is the oldest?"},
            {"role": "CHATBOT", "message": "I will look.", "tool_calls": [{"name": "look", "parameters": {"for": "port"}}]},
            {
                "role": "TOOL",
                "tool_results": [{"call": {"name": "look", "parameters": {"for": "port"}}, "outputs": [{"port": "Byblos"}]}],
            },
        ],
        "documents": [{"title": "Ports", "snippet": "Tema"}],
        "tools": [
            {"name": "look", "description": "Looks.", "parameter_definitions": {"for": {"type": "str", "required": True}}}
        ],
        "temperature": 0.3,
        "p": 0.75,
        "k": 5,
        "stop_sequences": ["."],
        "stream": True,
    }
    assert request(body, "/v1/chat") == RequestFacts(
        operation="chat",
        model="command-r",
        stream=True,
        attributes={
            "gen_ai.request.temperature": 0.3,
            "gen_ai.request.top_p": 0.75,
            "gen_ai.request.top_k": 5,
            "gen_ai.request.stop_sequences": (".",),
            "gen_ai.conversation.id": "ports",
        },
        system=[{"type": "text", "content": "Be brief."}],
        messages=[
            {"role": "system", "parts": [{"type": "text", "content": "Say where."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Which port is the oldest?"}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "I will look."},
                    {"type": "tool_call", "id": None, "name": "look", "arguments": {"for": "port"}},
                ],
            },
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "id": None,
                        "response": [{"port": "Byblos"}],
                        "call": {"name": "look", "parameters": {"for": "port"}},
                    }
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "And which is the youngest?"},
                    {"type": "document", "document": {"title": "Ports", "snippet": "Tema"}},
                ],
            },
        ],
        tools=[
            {
                "type": "function",
                "name": "look",
                "description": "Looks.",
                "parameters": {"for": {"type": "str", "required": True}},
            }
        ],
    )


def test_outcomes_of_tools_may_come_without_a_message() -> None:
    result = {"call": {"name": "now", "parameters": {}}, "outputs": [{"time": "noon"}]}
    assert request({"message": "", "tool_results": [result]}, "/v1/chat").messages == [
        {
            "role": "tool",
            "parts": [
                {
                    "type": "tool_call_response",
                    "id": None,
                    "response": [{"time": "noon"}],
                    "call": {"name": "now", "parameters": {}},
                }
            ],
        }
    ]


ANSWER = {
    "response_id": "ac6d",
    "generation_id": "586a",
    "text": "Three.",
    "chat_history": [{"role": "USER", "message": "1 + 2?"}, {"role": "CHATBOT", "message": "Three."}],
    "finish_reason": "COMPLETE",
    "tool_calls": [{"name": "say", "parameters": {"n": 3}}],
    "meta": {
        "api_version": {"version": "1"},
        "billed_units": {"input_tokens": 9, "output_tokens": 20},
        "tokens": {"input_tokens": 75, "output_tokens": 22},
    },
}
FACTS = ResponseFacts(
    id="ac6d",
    finish_reasons=("stop",),
    usage=Usage(input_tokens=75, output_tokens=22),
    messages=[
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Three."},
                {"type": "tool_call", "id": None, "name": "say", "arguments": {"n": 3}},
            ],
            "finish_reason": "stop",
        }
    ],
)


def test_an_answer() -> None:
    assert response(ANSWER) == FACTS


def test_a_stream_ends_with_all_of_the_answer() -> None:
    body = folded(
        {"is_finished": False, "event_type": "stream-start", "generation_id": "586a"},
        {"is_finished": False, "event_type": "search-results", "documents": []},
        {"is_finished": False, "event_type": "text-generation", "text": "Thr"},
        {"is_finished": False, "event_type": "text-generation", "text": "ee."},
        {"is_finished": True, "event_type": "stream-end", "response": ANSWER, "finish_reason": "COMPLETE"},
    )
    assert response(body) == FACTS


def test_a_stream_that_was_cut_gives_what_arrived() -> None:
    body = folded(
        {"event_type": "stream-start", "generation_id": "586a"},
        {"event_type": "tool-calls-chunk", "text": "I will"},
        {"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "parameters": '{"n"'}},
        {"event_type": "tool-calls-chunk", "text": " say."},
        {"event_type": "tool-calls-generation", "tool_calls": [{"name": "say", "parameters": {"n": 3}}]},
    )
    assert response(body) == ResponseFacts(
        id="586a",
        messages=[
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "I will say."},
                    {"type": "tool_call", "id": None, "name": "say", "arguments": {"n": 3}},
                ],
            }
        ],
    )


def test_a_stream_is_done_with_its_end() -> None:
    fold = Fold()
    fold.feed({"event_type": "text-generation", "text": "Hi"})
    assert not fold.done
    fold.feed({"event_type": "stream-end", "finish_reason": "COMPLETE"})
    assert fold.done


@pytest.mark.parametrize("body", [{"message": "no such model"}, {"id": "1", "message": "no such model"}], ids=str)
def test_an_error_is_a_message(body: dict[str, Any]) -> None:
    assert response(body) == ResponseFacts(error=ErrorFacts("_OTHER", "no such model"))
    assert response(folded(body)) == response(body)


@pytest.mark.parametrize(
    ("body", "is_one"),
    [({"message": "Hello"}, True), ({"message": ""}, True), ({"messages": []}, False), ({"message": {}}, False)],
    ids=str,
)
def test_a_request_is_known_by_its_shape(body: Any, is_one: bool) -> None:
    assert matches(body) is is_one
