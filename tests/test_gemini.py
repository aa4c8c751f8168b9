"""What a request to generate content asks for: settings, contents, system instruction and tools."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.gemini import matches, request


def asked(**body: Any) -> Any:
    return request(body, "/v1beta/models/gemini-3-pro:generateContent")


def read(part: Any) -> list[dict[str, Any]]:
    """The parts that a part of a content becomes."""
    parts: list[dict[str, Any]] = asked(contents=[{"parts": [part]}]).messages[0]["parts"]
    return parts


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        ({"temperature": 1, "topP": 1}, {"gen_ai.request.temperature": 1.0, "gen_ai.request.top_p": 1.0}),
        ({"topK": 40.0}, {"gen_ai.request.top_k": 40}),
        ({"topK": 40.5}, {}),
        ({"maxOutputTokens": 5, "seed": 7}, {"gen_ai.request.max_tokens": 5, "gen_ai.request.seed": 7}),
        ({"max_output_tokens": 5, "top_p": 1.0}, {"gen_ai.request.top_p": 1.0, "gen_ai.request.max_tokens": 5}),
        ({"stopSequences": ["END"]}, {"gen_ai.request.stop_sequences": ("END",)}),
        ({"candidateCount": 1}, {}),
        ({"candidateCount": 2}, {"gen_ai.request.choice.count": 2}),
        ({"frequencyPenalty": 1}, {"gen_ai.request.frequency_penalty": 1.0}),
        ({"presencePenalty": -1.5}, {"gen_ai.request.presence_penalty": -1.5}),
        ({"responseMimeType": "application/json"}, {"gen_ai.output.type": "json"}),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}}, {"gen_ai.output.type": "text"}),
        ({"response_json_schema": {"type": "object"}}, {"gen_ai.output.type": "json"}),
        ({"responseModalities": ["TEXT"]}, {"gen_ai.output.type": "text"}),
        ({"responseModalities": ["TEXT"], "responseMimeType": "application/json"}, {"gen_ai.output.type": "json"}),
        ({"responseModalities": ["TEXT", "IMAGE"]}, {"gen_ai.output.type": "image"}),
        ({"responseModalities": ["AUDIO"]}, {"gen_ai.output.type": "speech"}),
        ({"responseModalities": [1, 2]}, {"gen_ai.output.type": "image"}),
        ({"thinkingConfig": {"thinkingLevel": "LOW"}}, {"gen_ai.request.reasoning.level": "low"}),
        ({"thinking_config": {"thinking_level": "high"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}}, {}),
        ({"thinkingConfig": {"thinkingBudget": 512}}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(config: dict[str, Any], attributes: dict[str, Any]) -> None:
    found = asked(generationConfig=config).attributes
    assert found == attributes
    assert [type(value) for value in found.values()] == [type(value) for value in attributes.values()]
    assert asked(generation_config=config).attributes == attributes


@pytest.mark.parametrize(
    ("part", "parts"),
    [
        ("Hello", [{"type": "text", "content": "Hello"}]),
        ({"text": "Hello", "thoughtSignature": "c2ln"}, [{"type": "text", "content": "Hello"}]),
        ({"text": "Two ports.", "thought": True}, [{"type": "reasoning", "content": "Two ports."}]),
        ({"text": "Hello", "thought": False}, [{"type": "text", "content": "Hello"}]),
        ({"text": "", "thought_signature": "c2ln"}, []),
        ({"text": None}, []),
        (
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}},
            [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}],
        ),
        (
            {"inline_data": {"mime_type": "application/pdf", "data": "JVBE"}, "video_metadata": {}},
            [{"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"}],
        ),
        (
            {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://harbour/a.mp3"}},
            [{"type": "uri", "modality": "audio", "mime_type": "audio/mpeg", "uri": "gs://harbour/a.mp3"}],
        ),
        (
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a-7", "mimeType": "video/mp4"}},
            [{"type": "file", "modality": "video", "mime_type": "video/mp4", "file_id": "files/a-7"}],
        ),
        ({"file_data": {"file_uri": "files/a-7"}}, [{"type": "file", "modality": "document", "file_id": "files/a-7"}]),
        ({"fileData": {}}, [{"type": "fileData", "fileData": {}}]),
        (
            {"functionCall": {"id": "c1", "name": "tide", "args": {"port": "Dover"}}},
            [{"type": "tool_call", "id": "c1", "name": "tide", "arguments": {"port": "Dover"}}],
        ),
        ({"function_call": {"name": "now"}}, [{"type": "tool_call", "id": None, "name": "now", "arguments": {}}]),
        (
            {"functionResponse": {"id": "c1", "name": "tide", "response": {"m": 3}}},
            [{"type": "tool_call_response", "id": "c1", "response": {"m": 3}, "name": "tide"}],
        ),
        (
            {
                "function_response": {
                    "response": {"m": 3},
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}, {"odd": 1}],
                }
            },
            [
                {
                    "type": "tool_call_response",
                    "id": None,
                    "response": [
                        {"m": 3},
                        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="},
                        {"type": "unknown", "odd": 1},
                    ],
                }
            ],
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "1 + 1"}},
            [
                {
                    "type": "server_tool_call",
                    "id": None,
                    "name": "code_execution",
                    "server_tool_call": {"type": "code_execution", "language": "PYTHON", "code": "1 + 1"},
                }
            ],
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
            [
                {
                    "type": "server_tool_call_response",
                    "id": None,
                    "server_tool_call_response": {"type": "code_execution", "outcome": "OUTCOME_OK", "output": "2"},
                }
            ],
        ),
        (
            {"toolCall": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["tide"]}}},
            [
                {
                    "type": "server_tool_call",
                    "id": "s1",
                    "name": "GOOGLE_SEARCH_WEB",
                    "server_tool_call": {"type": "GOOGLE_SEARCH_WEB", "arguments": {"queries": ["tide"]}},
                }
            ],
        ),
        (
            {"toolResponse": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}}},
            [
                {
                    "type": "server_tool_call_response",
                    "id": "s1",
                    "server_tool_call_response": {"type": "GOOGLE_SEARCH_WEB", "response": {"found": 1}},
                }
            ],
        ),
        ({"partOfTomorrow": 7}, [{"type": "partOfTomorrow", "partOfTomorrow": 7}]),
        (7, []),
    ],
    ids=str,
)
def test_a_part_of_a_content(part: Any, parts: list[dict[str, Any]]) -> None:
    assert read(part) == parts


@pytest.mark.parametrize(
    ("contents", "messages"),
    [
        ("Hello", [("user", ["Hello"])]),
        ({"parts": {"text": "Hello"}}, [("user", ["Hello"])]),
        ([{"parts": [{"text": "Hello"}]}, {"role": "model", "parts": []}], [("user", ["Hello"]), ("assistant", [])]),
        ([{"role": "function", "parts": ["3 m"]}, {"role": "user"}], [("tool", ["3 m"]), ("user", [])]),
        ([None, 7], []),
    ],
    ids=str,
)
def test_a_content_is_a_message(contents: Any, messages: list[tuple[str, list[str]]]) -> None:
    found = asked(contents=contents).messages
    assert [(message["role"], [part["content"] for part in message["parts"]]) for message in found] == messages


@pytest.mark.parametrize(
    "system",
    ["Be brief.", {"parts": [{"text": "Be brief."}]}, {"role": "user", "parts": {"text": "Be brief."}}, {"text": "Be brief."}],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_is_kept_apart(system: Any, name: str) -> None:
    assert asked(**{name: system}).system == [{"type": "text", "content": "Be brief."}]


def test_tools_are_functions_or_googles_own_by_their_names() -> None:
    tools = [
        {
            "functionDeclarations": [{"name": "tide", "description": "Height", "parameters": {"type": "OBJECT"}}],
            "googleSearch": {},
        },
        {"function_declarations": [{"name": "now", "parameters_json_schema": {"type": "object"}}, {}]},
        {"code_execution": {}},
    ]
    assert asked(tools=tools).tools == [
        {"type": "function", "name": "tide", "description": "Height", "parameters": {"type": "OBJECT"}},
        {"type": "googleSearch", "name": "googleSearch"},
        {"type": "function", "name": "now", "parameters": {"type": "object"}},
        {"type": "function", "name": "function"},
        {"type": "code_execution", "name": "code_execution"},
    ]


@pytest.mark.parametrize(
    ("body", "matching"),
    [
        ({"contents": [{"parts": [{"text": "Hello"}]}]}, True),
        ({"contents": []}, False),
        ({"contents": [{"role": "user"}]}, False),
        ({"messages": [{"role": "user"}]}, False),
    ],
)
def test_a_body_matches_if_it_has_contents_with_parts(body: Any, matching: bool) -> None:
    assert matches(body) is matching
