"""Requests for chat completions of OpenAI's kind: what each of their fields becomes."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.openai_chat import matches, request

PNG = "data:image/png;base64,iVBORw0="


def asked(**body: Any) -> Any:
    return request(body, "/v1/chat/completions")


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"max_tokens": 5}, {"gen_ai.request.max_tokens": 5}),
        ({"max_completion_tokens": 5}, {"gen_ai.request.max_tokens": 5}),
        ({"max_tokens": "5"}, {}),
        ({"temperature": 1, "top_p": 1}, {"gen_ai.request.temperature": 1.0, "gen_ai.request.top_p": 1.0}),
        ({"temperature": True}, {}),
        ({"temperature": None}, {}),
        ({"temperature": float("nan")}, {}),
        ({"temperature": 10**400}, {}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {"gen_ai.request.max_tokens": 5}),
        ({"top_k": 40.0}, {"gen_ai.request.top_k": 40}),
        ({"top_k": 40.5}, {}),
        ({"frequency_penalty": -1}, {"gen_ai.request.frequency_penalty": -1.0}),
        ({"presence_penalty": 0.5}, {"gen_ai.request.presence_penalty": 0.5}),
        ({"stop": "END"}, {"gen_ai.request.stop_sequences": ("END",)}),
        ({"stop": ["A", 7, "B"]}, {"gen_ai.request.stop_sequences": ("A", "B")}),
        ({"stop": []}, {}),
        ({"seed": -1}, {"gen_ai.request.seed": -1}),
        ({"seed": 2**63}, {}),
        ({"seed": -(2**63)}, {"gen_ai.request.seed": -(2**63)}),
        ({"seed": -(2**63) - 1}, {}),
        ({"random_seed": 3}, {"gen_ai.request.seed": 3}),
        ({"n": 1}, {}),
        ({"n": 3}, {"gen_ai.request.choice.count": 3}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
        ({"response_format": {"type": "json_object"}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "grammar"}}, {}),
        ({"reasoning_effort": "low"}, {"gen_ai.request.reasoning.level": "low"}),
        ({"reasoning": {"effort": "high"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"reasoning": {"max_tokens": 9}}, {}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(body: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = asked(**body).attributes
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]


@pytest.mark.parametrize(
    ("body", "path", "model"),
    [
        ({"model": "gpt-5"}, "/v1/chat/completions", "gpt-5"),
        ({"model": "gpt-5"}, "/openai/deployments/harbour/chat/completions", "gpt-5"),
        ({}, "/openai/deployments/harbour/chat/completions", "harbour"),
        ({"model": ""}, "//openai/deployments/port%20master/chat/completions", "port master"),
        ({}, "/v1/chat/completions", None),
    ],
)
def test_the_model_is_in_the_body_or_in_the_path(body: dict[str, Any], path: str, model: str | None) -> None:
    assert request(body, path).model == model


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("Hello", [{"type": "text", "content": "Hello"}]),
        ("", []),
        (None, []),
        ([{"type": "text", "text": "Hello", "cache_control": {}}], [{"type": "text", "content": "Hello"}]),
        ({"type": "text", "text": "Hello"}, [{"type": "text", "content": "Hello"}]),
        (
            [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}],
            [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}],
        ),
        (
            [{"type": "image_url", "image_url": "DATA:video/mp4;charset=x;base64,AAAA"}],
            [{"type": "blob", "modality": "video", "mime_type": "video/mp4", "content": "AAAA"}],
        ),
        (
            [{"type": "image_url", "image_url": "data:image/svg+xml,%3Csvg/%3E"}],
            [{"type": "uri", "modality": "image", "uri": "data:image/svg+xml,%3Csvg/%3E"}],
        ),
        (
            [{"type": "image_url", "image_url": "https://x.example/a;base64,b"}],
            [{"type": "uri", "modality": "image", "uri": "https://x.example/a;base64,b"}],
        ),
        (
            [{"type": "image_url", "image_url": "https://x.example/a.png"}],
            [{"type": "uri", "modality": "image", "uri": "https://x.example/a.png"}],
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}}],
            [{"type": "blob", "modality": "audio", "mime_type": "audio/mpeg", "content": "UklG"}],
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "UklG"}}],
            [{"type": "blob", "modality": "audio", "content": "UklG"}],
        ),
        ([{"type": "input_audio", "input_audio": "UklG"}], [{"type": "blob", "modality": "audio", "content": "UklG"}]),
        (
            [{"type": "input_audio", "input_audio": "https://x.example/a.mp3"}],
            [{"type": "uri", "modality": "audio", "uri": "https://x.example/a.mp3"}],
        ),
        (
            [{"type": "audio_url", "audio_url": {"url": "https://x.example/a.mp3"}}],
            [{"type": "uri", "modality": "audio", "uri": "https://x.example/a.mp3"}],
        ),
        (
            [{"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}],
            [{"type": "uri", "modality": "video", "uri": "https://x.example/a.mp4"}],
        ),
        (
            [{"type": "document_url", "document_url": "data:application/pdf;base64,JVBE"}],
            [{"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"}],
        ),
        ([{"type": "file", "file_id": "file-1"}], [{"type": "file", "modality": "document", "file_id": "file-1"}]),
        ([{"type": "file", "file": {"file_id": "file-1"}}], [{"type": "file", "modality": "document", "file_id": "file-1"}]),
        (
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}}],
            [{"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"}],
        ),
        ([{"type": "refusal", "refusal": "No."}], [{"type": "refusal", "content": "No."}]),
        ([{"type": "thinking", "thinking": "Hm."}], [{"type": "reasoning", "content": "Hm."}]),
        ([{"type": "reference", "reference_ids": [1]}], [{"type": "reference", "reference_ids": [1]}]),
        ([{"type": "image_url", "image_url": 7}], [{"type": "image_url", "image_url": 7}]),
        ([{"no": "type"}], [{"no": "type", "type": "unknown"}]),
        (["Hello", 7], [{"type": "text", "content": "Hello"}, {"type": "unknown", "content": 7}]),
    ],
    ids=str,
)
def test_content_of_every_kind_is_parts(content: Any, parts: list[dict[str, Any]]) -> None:
    assert asked(messages=[{"role": "user", "content": content}]).messages == [{"role": "user", "parts": parts}]


def test_a_history_with_tools_is_messages_in_their_order() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "tide", "arguments": '{"port": "Dover"}'}}
    facts = asked(
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "name": "ada", "content": "Tide?"},
            {"role": "assistant", "content": None, "reasoning_content": "Look.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3 m"},
            {"role": "assistant", "content": "", "function_call": {"name": "tide", "arguments": ""}},
            {"role": "function", "name": "tide", "content": [{"type": "text", "text": "4 m"}]},
            {"role": "assistant", "content": "4 m", "audio": {"id": "audio_1"}},
        ]
    )
    assert facts.messages == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Tide?"}], "name": "ada"},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Look."},
                {"type": "tool_call", "id": "call_1", "name": "tide", "arguments": {"port": "Dover"}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "3 m"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": None, "name": "tide", "arguments": {}}]},
        {
            "role": "function",
            "parts": [{"type": "tool_call_response", "id": None, "response": [{"type": "text", "content": "4 m"}]}],
            "name": "tide",
        },
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "4 m"}, {"type": "file", "modality": "audio", "file_id": "audio_1"}],
        },
    ]
    assert facts.system == []


@pytest.mark.parametrize(
    ("body", "definition"),
    [
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "tide", "description": "Height", "parameters": {"type": "object"}},
                    }
                ]
            },
            {"type": "function", "name": "tide", "description": "Height", "parameters": {"type": "object"}},
        ),
        ({"tools": [{"function": {"name": "tide"}}]}, {"type": "function", "name": "tide"}),
        ({"tools": [{"type": "function", "name": "flat"}]}, {"type": "function", "name": "flat"}),
        ({"tools": [{"type": "custom", "custom": {"name": "code"}}]}, {"type": "custom", "name": "code"}),
        ({"tools": [{"type": "web_search", "search_context_size": "low"}]}, {"type": "web_search", "name": "web_search"}),
        ({"functions": [{"name": "tide", "description": ""}]}, {"type": "function", "name": "tide"}),
    ],
    ids=str,
)
def test_tools_are_definitions(body: dict[str, Any], definition: dict[str, Any]) -> None:
    assert asked(**body).tools == [definition]


@pytest.mark.parametrize(
    ("body", "matching"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, True),
        ({"messages": [{"role": "user"}]}, True),
        ({"messages": []}, False),
        ({"messages": [{"text": "a chat application's own"}]}, False),
        ({"prompt": "x"}, False),
        ([], False),
    ],
)
def test_a_body_matches_if_it_has_messages_with_roles(body: Any, matching: bool) -> None:
    assert matches(body) is matching
