"""Google's Interactions API: what its inputs, steps, settings and events become."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, ResponseFacts, Usage
from otel_llm.protocols.gemini_interactions import Fold, matches, request, response

PNG = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}


def asked(**body: Any) -> Any:
    return request(body, "/v1beta/interactions")


def answered(*events: Any) -> ResponseFacts:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return response(fold.body())


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "content": said}


# --- request ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ("Hello", [("user", [text("Hello")])]),
        ({"type": "text", "text": "Hello"}, [("user", [text("Hello")])]),
        (
            [{"type": "text", "text": "What is this?"}, {"type": "image", "data": "iVBORw0=", "mime_type": "image/png"}],
            [("user", [text("What is this?")]), ("user", [PNG])],
        ),
        (
            [{"role": "user", "content": "Hello"}, {"role": "model", "content": [{"type": "text", "text": "Hi"}]}],
            [("user", [text("Hello")]), ("assistant", [text("Hi")])],
        ),
        (
            [{"type": "user_input", "content": ["Hello"]}, {"type": "thought", "summary": [{"type": "text", "text": "Hm."}]}],
            [("user", [text("Hello")]), ("assistant", [{"type": "reasoning", "content": "Hm."}])],
        ),
        (
            [
                {"type": "function_call", "id": "c1", "name": "tide", "arguments": {"port": "Dover"}},
                {"type": "function_result", "call_id": "c1", "result": [{"type": "text", "text": "3 m"}], "is_error": True},
                {"type": "function_result", "call_id": "c2", "result": {"m": 3}},
            ],
            [
                ("assistant", [{"type": "tool_call", "id": "c1", "name": "tide", "arguments": {"port": "Dover"}}]),
                ("tool", [{"type": "tool_call_response", "id": "c1", "response": [text("3 m")], "is_error": True}]),
                ("tool", [{"type": "tool_call_response", "id": "c2", "response": {"m": 3}}]),
            ],
        ),
        (
            [{"role": "model", "content": [{"type": "function_call", "id": "c1", "name": "now"}, {"type": "thought"}]}],
            [("assistant", [{"type": "tool_call", "id": "c1", "name": "now", "arguments": {}}])],
        ),
        (
            {"type": "audio", "uri": "gs://a/b.mp3", "mime_type": "audio/mp3"},
            [("user", [{"type": "uri", "modality": "audio", "mime_type": "audio/mp3", "uri": "gs://a/b.mp3"}])],
        ),
        ([7, {"type": "video"}], [("user", []), ("user", [{"type": "video"}])]),
        (None, []),
    ],
    ids=str,
)
def test_each_element_of_the_input_is_a_message(given: Any, messages: list[Any]) -> None:
    assert [(message["role"], message["parts"]) for message in asked(input=given).messages] == messages


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (
            {"generation_config": {"temperature": 1, "max_output_tokens": 64, "thinking_level": "high", "seed": 7}},
            {
                "gen_ai.request.temperature": 1.0,
                "gen_ai.request.max_tokens": 64,
                "gen_ai.request.reasoning.level": "high",
                "gen_ai.request.seed": 7,
            },
        ),
        ({"previous_interaction_id": "v1_a"}, {"gen_ai.request.previous_response.id": "v1_a"}),
        ({"response_modalities": ["image"]}, {"gen_ai.output.type": "image"}),
        ({"response_format": {"type": "audio", "mime_type": "audio/mp3"}}, {"gen_ai.output.type": "speech"}),
        ({"response_format": [{"type": "text", "mime_type": "application/json"}]}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text", "schema": {"type": "object"}}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "object"}, "response_mime_type": "application/json"}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(body: dict[str, Any], attributes: dict[str, Any]) -> None:
    assert asked(**body).attributes == attributes


def test_tools_are_functions_or_googles_own_by_their_types() -> None:
    schema = {"type": "object"}
    tools = [
        {"type": "function", "name": "tide", "description": "Height", "parameters": schema},
        {"type": "google_search"},
        {"type": "mcp_server", "name": "pilots", "url": "https://pilots.example/mcp", "headers": {"authorization": "secret"}},
    ]
    assert asked(tools=tools).tools == [
        {"type": "function", "name": "tide", "description": "Height", "parameters": schema},
        {"type": "google_search", "name": "google_search"},
        {"type": "mcp_server", "name": "pilots"},
    ]


def test_an_agent_stands_for_the_model() -> None:
    facts = asked(agent="deep-research", input="Which port is the oldest?", system_instruction="Be brief.", stream=True)
    assert (facts.model, facts.stream, facts.system) == ("deep-research", True, [text("Be brief.")])
    assert matches({"agent": "deep-research", "input": "Hello"})
    assert not matches({"agent": "deep-research"})
    assert not matches({"input": "Hello"})


# --- response ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "part"),
    [
        ({"type": "model_output", "content": [{"type": "text", "text": "Byblos"}]}, text("Byblos")),
        ({"type": "text", "text": "Byblos", "annotations": []}, text("Byblos")),
        ({"type": "image", "data": "iVBORw0=", "mime_type": "image/png"}, PNG),
        ({"type": "thought", "summary": [{"type": "text", "text": "Hm."}]}, {"type": "reasoning", "content": "Hm."}),
        (
            {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["tide"]}},
            {
                "type": "server_tool_call",
                "id": "s1",
                "name": "google_search",
                "server_tool_call": {"type": "google_search", "arguments": {"queries": ["tide"]}},
            },
        ),
        (
            {"type": "mcp_server_tool_call", "id": "s2", "name": "pilot", "server_name": "pilots"},
            {
                "type": "server_tool_call",
                "id": "s2",
                "name": "pilot",
                "server_tool_call": {"type": "mcp_server_tool", "arguments": {}, "server_name": "pilots"},
            },
        ),
        (
            {"type": "code_execution_result", "call_id": "s3", "result": "2", "is_error": False, "signature": "c2ln"},
            {
                "type": "server_tool_call_response",
                "id": "s3",
                "server_tool_call_response": {"type": "code_execution", "result": "2"},
            },
        ),
        ({"type": "step_of_tomorrow", "novelty": 1}, {"type": "step_of_tomorrow", "novelty": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["steps", "outputs"])
def test_a_step_is_a_part_of_the_answer(step: dict[str, Any], part: dict[str, Any], place: str) -> None:
    echoed = {"type": "user_input", "content": [{"type": "text", "text": "Which port is the oldest?"}]}
    assert response({place: [echoed, step]}).messages == [{"role": "assistant", "parts": [part]}]


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        ("completed", ("stop",)),
        ("requires_action", ("tool_call",)),
        ("incomplete", ("length",)),
        ("failed", ("error",)),
        ("cancelled", ("cancelled",)),
        ("in_progress", ()),
        ("queued", ()),
        (None, ()),
    ],
)
def test_the_status_is_the_finish_reason(status: str | None, reasons: tuple[str, ...]) -> None:
    facts = response({"status": status, "outputs": [{"type": "text", "text": "Byblos"}]})
    assert facts.finish_reasons == reasons
    assert [message.get("finish_reason") for message in facts.messages] == [reasons[0] if reasons else None]


def test_an_interaction_in_the_background_answers_later() -> None:
    body = {"id": "v1_a", "status": "in_progress", "agent": "deep-research", "object": "interaction"}
    assert response(body) == ResponseFacts(id="v1_a", model="deep-research")


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"total_input_tokens": 9, "total_output_tokens": 3, "total_cached_tokens": 0}, Usage(9, 3, 0)),
        ({"total_input_tokens": 9, "total_output_tokens": 3, "total_thought_tokens": 57}, Usage(9, 60, reasoning=57)),
        ({"total_output_tokens": 3, "total_reasoning_tokens": 5}, Usage(None, 8, reasoning=5)),
        ({"total_input_tokens": 9, "total_tool_use_tokens": 70}, Usage(79)),
        ({}, Usage()),
    ],
    ids=str,
)
def test_usage_is_counted_as_the_conventions_count(usage: dict[str, Any], counted: Usage) -> None:
    assert response({"usage": usage}).usage == counted


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": "not_found", "message": "No such model."}}, ErrorFacts("not_found", "No such model.")),
        ({"status": "failed", "errors": [{"code": "quota", "message": "Spent."}]}, ErrorFacts("quota", "Spent.")),
        ({"status": "failed"}, ErrorFacts("failed")),
        ({"steps": [{"type": "model_output", "error": {"code": 13, "message": "Broke."}}]}, ErrorFacts("13", "Broke.")),
        ({"status": "completed"}, None),
    ],
    ids=str,
)
def test_an_error_is_that_of_the_exchange_the_interaction_or_a_step(body: dict[str, Any], error: ErrorFacts | None) -> None:
    assert response(body).error == error


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_whose_starts_were_not_seen_has_its_steps_all_the_same() -> None:
    facts = answered(
        {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_summary", "content": "Hm."}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_signature", "signature": "c2ln"}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "By"}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text_annotation", "annotations": [{}]}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "blos"}},
        {"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": '{"port": "Do'}},
        {"event_type": "content.delta", "index": 3, "delta": {"type": "function_call", "id": "c2", "name": "now"}},
        {"event_type": "step.delta", "delta": None},
    )
    assert facts.messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                text("Byblos"),
                {"type": "tool_call", "id": None, "name": "", "arguments": '{"port": "Do'},
                {"type": "tool_call", "id": "c2", "name": "now", "arguments": {}},
            ],
        }
    ]


def test_a_status_update_tells_of_an_interaction_that_went_on_elsewhere() -> None:
    facts = answered(
        {"event_type": "interaction.created", "interaction": {"id": "v1_a", "model": "gemini-3", "status": "queued"}},
        {
            "event_type": "interaction.status_update",
            "interaction_id": "v1_a",
            "status": "cancelled",
            "usage": {"total_input_tokens": 9},
        },
    )
    assert (facts.id, facts.model, facts.finish_reasons, facts.usage) == ("v1_a", "gemini-3", ("cancelled",), Usage(9))


def test_an_error_event_is_the_error_of_the_exchange() -> None:
    event = {"event_type": "error", "error": {"code": "overloaded", "message": "Later."}}
    assert answered(event, {"event_type": "error", "error": {"code": "second"}}).error == ErrorFacts("overloaded", "Later.")


def test_steps_that_came_with_the_last_event_alone_are_the_answer() -> None:
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "Byblos"}]}]
    facts = answered({"event_type": "interaction.completed", "interaction": {"status": "completed", "steps": steps}})
    assert facts.messages == [{"role": "assistant", "parts": [text("Byblos")], "finish_reason": "stop"}]


@pytest.mark.parametrize(
    ("event", "done"),
    [
        ({"event_type": "interaction.completed"}, True),
        ({"event_type": "interaction.complete", "interaction": {}}, True),
        ("[DONE]", True),
        ({"event_type": "interaction.created"}, False),
        ({"event_type": "step.stop", "index": 0}, False),
        (None, False),
    ],
    ids=str,
)
def test_a_stream_is_done_at_its_last_event(event: Any, done: bool) -> None:
    fold = Fold()
    fold.feed(event)
    assert fold.done is done
