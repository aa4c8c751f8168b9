"""Messages of the conventions become OpenAI's chat messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_llm_langfuse.chatml import chat_input, chat_messages, chat_output


def message(role: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(parts), **more}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


CALL = {"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(message("user", text("Hi")), [{"role": "user", "content": "Hi"}], id="one text"),
        pytest.param(
            message("user", text("a"), text("b")),
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            id="two texts",
        ),
        pytest.param(message("user", text("Hi"), name="ann"), [{"role": "user", "content": "Hi", "name": "ann"}], id="name"),
        pytest.param(message("assistant"), [{"role": "assistant", "content": None}], id="nothing"),
        pytest.param(
            message("assistant", text("Let me look."), CALL),
            [{"role": "assistant", "content": "Let me look.", "tool_calls": [CHAT_CALL]}],
            id="text and tool call",
        ),
        pytest.param(
            message("assistant", {**CALL, "arguments": '{"city":'}),
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{**CHAT_CALL, "function": {"name": "get_weather", "arguments": '{"city":'}}],
                }
            ],
            id="arguments that are not JSON stay as they are",
        ),
        pytest.param(
            message("assistant", {"type": "tool_call", "id": "c", "name": "now"}),
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}}],
                }
            ],
            id="no arguments",
        ),
        pytest.param(
            message("tool", {"type": "tool_call_response", "id": "call_1", "response": "21C"}),
            [{"role": "tool", "tool_call_id": "call_1", "content": "21C"}],
            id="tool result",
        ),
        pytest.param(
            message(
                "user",
                {"type": "tool_call_response", "id": "a", "response": {"temperature": 21}},
                {"type": "tool_call_response", "id": "b", "result": "old spelling"},
                text("And tomorrow?"),
            ),
            [
                {"role": "tool", "tool_call_id": "a", "content": '{"temperature":21}'},
                {"role": "tool", "tool_call_id": "b", "content": "old spelling"},
                {"role": "user", "content": "And tomorrow?"},
            ],
            id="tool results in a user message",
        ),
        pytest.param(
            message("assistant", {"type": "reasoning", "content": "Paris is in France."}, text("Sunny.")),
            [{"role": "assistant", "content": "Sunny.", "reasoning_content": "Paris is in France."}],
            id="reasoning",
        ),
        pytest.param(
            message("user", {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0K"}),
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}],
                }
            ],
            id="image",
        ),
        pytest.param(
            message("user", {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "UklGRg=="}),
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,UklGRg==", "format": "wav"}}
                    ],
                }
            ],
            id="audio",
        ),
        pytest.param(
            message("user", {"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"}),
            [
                {
                    "role": "user",
                    "content": [{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}}],
                }
            ],
            id="document",
        ),
        pytest.param(
            message("user", {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"}),
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}],
            id="image by address",
        ),
        pytest.param(
            message("user", {"type": "file", "modality": "document", "file_id": "file-1"}),
            [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
            id="file by id",
        ),
        pytest.param(
            message("assistant", {"type": "compaction", "id": "c1"}),
            [{"role": "assistant", "content": [{"type": "compaction", "id": "c1"}]}],
            id="a part without counterpart",
        ),
        pytest.param(
            message("assistant", {"type": []}, {"type": {}, "content": 1}),
            [{"role": "assistant", "content": [{"type": []}, {"type": {}, "content": 1}]}],
            id="parts whose type is no text",
        ),
        pytest.param({"role": "user", "content": "Hi"}, [{"role": "user", "content": "Hi"}], id="a chat message already"),
    ],
)
def test_a_message_becomes_chat_messages(given: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert chat_messages(given) == expected


def test_the_input_has_system_instructions_first_then_messages_and_tools() -> None:
    system = json.dumps([text("Be brief.")])
    tools = json.dumps([{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}, {"type": "web_search"}])

    made = chat_input(system, json.dumps([message("user", text("Hi"))]), tools)

    assert json.loads(made or "") == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "tools": [
            {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}},
            {"type": "web_search"},
        ],
    }


def test_system_instructions_without_messages_are_kept() -> None:
    assert json.loads(chat_input(json.dumps([text("Be brief.")]), None, None) or "") == {
        "messages": [{"role": "system", "content": "Be brief."}]
    }


def test_system_instructions_may_be_plain_text() -> None:
    assert json.loads(chat_input("Be brief.", None, None) or "") == {"messages": [{"role": "system", "content": "Be brief."}]}


def test_structured_messages_are_taken_like_their_json_text() -> None:
    assert chat_input(None, (message("user", text("Hi")),), None) == '{"messages":[{"role":"user","content":"Hi"}]}'


@pytest.mark.parametrize(
    "broken", ['[{"role": "user", "parts": [{"type": "te', "hello", '{"role": "user"}', "[1, 2]", '[{"role": NaN}]']
)
def test_messages_that_cannot_be_read_are_kept_as_text(broken: str) -> None:
    assert chat_input(None, broken, None) == broken
    assert chat_output(broken) == broken


def test_system_instructions_are_kept_beside_messages_that_cannot_be_read() -> None:
    assert chat_input(json.dumps([text("Be brief.")]), "[{", None) == "Be brief.\n[{"


def test_several_choices_are_told_as_openai_does() -> None:
    first = message("assistant", text("Heads"), finish_reason="stop")
    second = message("assistant", CALL, finish_reason="tool_call")

    assert json.loads(chat_output(json.dumps([first, second])) or "") == {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Heads"}, "finish_reason": "stop"},
            {
                "index": 1,
                "message": {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
                "finish_reason": "tool_call",
            },
        ]
    }


def test_nothing_captured_is_nothing_told() -> None:
    assert (chat_input(None, None, None), chat_output(None), chat_output("[]")) == (None, None, None)
