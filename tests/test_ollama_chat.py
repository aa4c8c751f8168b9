"""Ollama's chat: what each field of a request or an answer becomes, and its lines."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.ollama_chat import Fold, matches, request, response


def asked(**body: Any) -> RequestFacts:
    return request({"model": "llama3", **body}, "/api/chat")


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


# --- request ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        ({"options": {"num_predict": 5}}, {"gen_ai.request.max_tokens": 5}),
        ({"options": {"num_predict": -1}}, {}),
        ({"options": {"temperature": 0, "top_p": 1}}, {"gen_ai.request.temperature": 0.0, "gen_ai.request.top_p": 1.0}),
        ({"options": {"top_k": 40, "seed": 42}}, {"gen_ai.request.top_k": 40, "gen_ai.request.seed": 42}),
        ({"options": {"stop": ["A", "B"]}}, {"gen_ai.request.stop_sequences": ("A", "B")}),
        ({"options": {"stop": "A"}}, {"gen_ai.request.stop_sequences": ("A",)}),
        (
            {"options": {"frequency_penalty": 0.5, "presence_penalty": 1}},
            {"gen_ai.request.frequency_penalty": 0.5, "gen_ai.request.presence_penalty": 1.0},
        ),
        ({"format": "json"}, {"gen_ai.output.type": "json"}),
        ({"format": {"type": "object"}}, {"gen_ai.output.type": "json"}),
        ({"format": ""}, {}),
        ({"think": "high"}, {"gen_ai.request.reasoning.level": "high"}),
        ({"think": True}, {}),
        ({"temperature": 1, "keep_alive": None, "options": None}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(settings: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = asked(**settings).attributes
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]


@pytest.mark.parametrize(
    ("body", "stream"), [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_an_answer_is_streamed_unless_it_was_asked_not_to_be(body: dict[str, Any], stream: bool) -> None:
    assert asked(**body).stream is stream


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ({"role": "system", "content": "Be brief."}, {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}),
        (
            {"role": "user", "content": "What is this?", "images": ["iVBORw0=", ""]},
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "blob", "modality": "image", "content": "iVBORw0="},
                ],
            },
        ),
        (
            {
                "role": "assistant",
                "content": "",
                "thinking": "Hm.",
                "tool_calls": [{"function": {"index": 0, "name": "add", "arguments": {"a": 1}}}],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    {"type": "tool_call", "id": None, "name": "add", "arguments": {"a": 1}},
                ],
            },
        ),
        (
            {"role": "tool", "content": "3", "tool_name": "add"},
            {"role": "tool", "name": "add", "parts": [{"type": "tool_call_response", "id": None, "response": "3"}]},
        ),
        (
            {"role": "tool", "content": "3", "tool_call_id": "call_1"},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "3"}]},
        ),
    ],
    ids=["system", "image", "thinking and tool call", "tool by name", "tool by id"],
)
def test_messages_of_the_history(message: dict[str, Any], read: dict[str, Any]) -> None:
    assert asked(messages=[message]).messages == [read]


def test_tools_are_defined() -> None:
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
    assert asked(tools=[tool]).tools == [
        {"type": "function", "name": "add", "description": "Adds.", "parameters": {"type": "object"}}
    ]
    assert asked(tools=None).tools == []


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"model": "llama3", "messages": [{"role": "user", "content": "Hello"}]}, True),
        ({"model": "llama3", "messages": []}, True),
        ({"model": "llama3"}, True),
        ({"model": "llama3", "messages": ["Hello"]}, False),
        ({"model": "llama3", "messages": "Hello"}, False),
        ({"messages": [{"role": "user"}]}, False),
    ],
    ids=str,
)
def test_a_request_is_known_by_its_shape(body: Any, is_one: bool) -> None:
    assert matches(body) is is_one


# --- answer -----------------------------------------------------------------------------------------------------------


def test_an_answer() -> None:
    body = {
        "model": "qwen3",
        "message": {
            "role": "assistant",
            "content": "Three.",
            "thinking": "1 + 2",
            "tool_calls": [{"id": "call_1", "function": {"index": 0, "name": "say", "arguments": {"n": 3}}}],
        },
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 310,
        "eval_count": 145,
    }
    assert response(body) == ResponseFacts(
        model="qwen3",
        finish_reasons=("stop",),
        usage=Usage(input_tokens=310, output_tokens=145),
        messages=[
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "1 + 2"},
                    {"type": "text", "content": "Three."},
                    {"type": "tool_call", "id": "call_1", "name": "say", "arguments": {"n": 3}},
                ],
                "finish_reason": "stop",
            }
        ],
    )


def test_a_cached_prompt_is_not_counted_as_none() -> None:
    assert response({"done": True, "prompt_eval_duration": 149512000, "eval_count": 79}).usage == Usage(output_tokens=79)


@pytest.mark.parametrize("reason", ["stop", "length", "load", "unload"])
def test_finish_reasons_are_those_of_the_conventions_or_ollamas(reason: str) -> None:
    assert response({"done_reason": reason}).finish_reasons == (reason,)


@pytest.mark.parametrize(
    "body", [{"error": "model 'x' not found"}, {"StatusCode": 404, "error": "model 'x' not found"}], ids=["local", "cloud"]
)
def test_an_error_is_a_text(body: dict[str, Any]) -> None:
    assert response(body) == ResponseFacts(error=ErrorFacts("_OTHER", "model 'x' not found"))


# --- lines ------------------------------------------------------------------------------------------------------------


def test_pieces_are_joined_and_the_last_line_tells_the_rest() -> None:
    call = {"function": {"name": "add", "arguments": {"a": 1}}}
    assert folded(
        {"model": "m", "created_at": "1", "message": {"role": "assistant", "content": "", "thinking": "H"}, "done": False},
        {"model": "m", "created_at": "2", "message": {"role": "assistant", "content": "", "thinking": "m."}, "done": False},
        {"model": "m", "created_at": "3", "message": {"role": "assistant", "content": "Y"}, "done": False},
        {
            "model": "m",
            "created_at": "4",
            "message": {"role": "assistant", "content": "es", "tool_calls": [call]},
            "done": False,
        },
        {"model": "m", "created_at": "5", "message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False},
        {"model": "m", "created_at": "6", "message": {"role": "assistant", "content": ""}, "done": True, "eval_count": 7},
    ) == {
        "model": "m",
        "created_at": "6",
        "message": {"role": "assistant", "content": "Yes", "thinking": "Hm.", "tool_calls": [call, call]},
        "done": True,
        "eval_count": 7,
    }


def test_a_stream_is_done_with_the_line_that_says_so() -> None:
    fold = Fold()
    fold.feed({"message": {"content": "Hello"}, "done": False})
    assert not fold.done
    fold.feed({"message": {"content": ""}, "done": True})
    assert fold.done


def test_a_stream_may_break_with_an_error() -> None:
    facts = response(folded({"model": "m", "message": {"role": "assistant", "content": "Hel"}}, {"error": "out of memory"}))
    assert facts == ResponseFacts(
        model="m",
        messages=[{"role": "assistant", "parts": [{"type": "text", "content": "Hel"}]}],
        error=ErrorFacts("_OTHER", "out of memory"),
    )


def test_what_is_no_line_is_ignored() -> None:
    assert folded(None, 7, "text", [], {}, {"message": "odd"}) == {}
