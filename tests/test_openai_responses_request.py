"""Requests for OpenAI's responses: what settings, items of the history and tools become."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import RequestFacts
from otel_llm.protocols.openai_responses import matches, request, response

PNG = "data:image/png;base64,iVBORw0="
PNG_PART = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def asked(**body: Any) -> RequestFacts:
    return request(body, "/v1/responses")


def history(item: Any) -> dict[str, Any]:
    """The message that an item of the input becomes."""
    messages = asked(input=[item]).messages
    assert len(messages) == 1
    return messages[0]


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"max_output_tokens": 50}, {"gen_ai.request.max_tokens": 50}),
        ({"temperature": 1, "top_p": 0.5}, {"gen_ai.request.temperature": 1.0, "gen_ai.request.top_p": 0.5}),
        ({"seed": 7, "top_k": 40}, {"gen_ai.request.seed": 7, "gen_ai.request.top_k": 40}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"reasoning": {"effort": None}}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"gen_ai.output.type": "text"}),
        ({"text": {"format": {"type": "json_object"}}}, {"gen_ai.output.type": "json"}),
        ({"text": {"format": {"type": "json_schema", "name": "ship", "schema": {}}}}, {"gen_ai.output.type": "json"}),
        ({"text": {"verbosity": "low"}}, {}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
        ({"previous_response_id": "resp_1"}, {"gen_ai.request.previous_response.id": "resp_1"}),
        ({"previous_response_id": None, "conversation": None}, {}),
        ({"conversation": "conv_1"}, {"gen_ai.conversation.id": "conv_1"}),
        ({"conversation": {"id": "conv_1"}}, {"gen_ai.conversation.id": "conv_1"}),
        ({"prompt": {"id": "pmpt_1"}}, {"gen_ai.prompt.name": "pmpt_1"}),
        (
            {"prompt": {"id": "pmpt_1", "version": "2", "variables": {"port": "Kiel"}}},
            {"gen_ai.prompt.name": "pmpt_1", "gen_ai.prompt.version": "2"},
        ),
        ({"prompt": {"version": 2}}, {"gen_ai.prompt.version": "2"}),
        ({"background": True}, {"otel_llm.request.background": True}),
        ({"background": False}, {}),
    ],
    ids=str,
)
def test_settings_of_a_request_are_attributes(body: dict[str, Any], attributes: dict[str, Any]) -> None:
    assert asked(**body).attributes == attributes


@pytest.mark.parametrize(
    ("body", "path", "model", "stream"),
    [
        ({"model": "gpt-5"}, "/v1/responses", "gpt-5", False),
        ({"model": "gpt-5", "stream": True}, "/v1/responses", "gpt-5", True),
        ({}, "/openai/deployments/harbour/responses", "harbour", False),
        ({}, "/v1/responses", None, False),
    ],
)
def test_the_model_is_in_the_body_or_in_the_path(body: dict[str, Any], path: str, model: str | None, stream: bool) -> None:
    facts = request(body, path)
    assert (facts.operation, facts.model, facts.stream) == ("chat", model, stream)


@pytest.mark.parametrize(
    ("instructions", "system"),
    [
        ("Be brief.", [text("Be brief.")]),
        (None, []),
        ("", []),
        ([{"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]}], [text("Be brief.")]),
    ],
)
def test_instructions_are_system_parts(instructions: Any, system: list[Any]) -> None:
    facts = asked(instructions=instructions, input="Hello")
    assert facts.system == system
    assert facts.messages == [{"role": "user", "parts": [text("Hello")]}]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("Hello", [text("Hello")]),
        ("", [text("")]),
        (None, []),
        ([{"type": "input_text", "text": "Hello", "prompt_cache_breakpoint": {"mode": "explicit"}}], [text("Hello")]),
        ([{"type": "output_text", "text": "Hello", "annotations": []}], [text("Hello")]),
        ([{"type": "refusal", "refusal": "No."}], [{"type": "refusal", "content": "No."}]),
        ([{"type": "reasoning_text", "text": "Hm."}], [{"type": "reasoning", "content": "Hm."}]),
        ([{"type": "input_image", "image_url": PNG, "detail": "auto"}], [PNG_PART]),
        (
            [{"type": "input_image", "image_url": "https://x.example/a.png"}],
            [{"type": "uri", "modality": "image", "uri": "https://x.example/a.png"}],
        ),
        (
            [{"type": "input_image", "file_id": "file-1", "image_url": None}],
            [{"type": "file", "modality": "image", "file_id": "file-1"}],
        ),
        ([{"type": "input_file", "file_id": "file-1"}], [{"type": "file", "modality": "document", "file_id": "file-1"}]),
        (
            [{"type": "input_file", "file_url": "https://x.example/a.pdf"}],
            [{"type": "uri", "modality": "document", "uri": "https://x.example/a.pdf"}],
        ),
        (
            [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}],
            [{"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "JVBE"}],
        ),
        ([{"type": "input_file", "file_data": "JVBE"}], [{"type": "blob", "modality": "document", "content": "JVBE"}]),
        (
            [{"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}],
            [{"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "UklG"}],
        ),
        ([{"type": "input_image"}, {"type": "new", "x": 1}], [{"type": "input_image"}, {"type": "new", "x": 1}]),
        ([7], [{"type": "unknown", "content": 7}]),
        ([{"type": "input_text", "text": None}], [{"type": "input_text", "text": None}]),
    ],
    ids=str,
)
def test_content_of_a_message_becomes_parts(content: Any, parts: list[Any]) -> None:
    assert history({"role": "developer", "content": content}) == {"role": "developer", "parts": parts}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Yes"}],
                "status": "completed",
            },
            {"role": "assistant", "parts": [text("Yes")]},
        ),
        ({"content": "Hello"}, {"role": "user", "parts": [text("Hello")]}),
        ("Hello", {"role": "user", "parts": [text("Hello")]}),
        (
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "dock", "arguments": '{"pier": 3}'},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "call_1", "name": "dock", "arguments": {"pier": 3}}],
            },
        ),
        (
            {"type": "function_call_output", "call_id": "call_1", "output": "docked"},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "docked"}]},
        ),
        (
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_image", "image_url": PNG}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": [PNG_PART]}]},
        ),
        (
            {"type": "custom_tool_call", "call_id": "call_1", "name": "calculate", "input": "4 + 4"},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "call_1", "name": "calculate", "arguments": "4 + 4"}],
            },
        ),
        (
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "8"},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "8"}]},
        ),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "g"},
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}]},
        ),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"role": "assistant", "parts": [{"type": "encrypted_reasoning", "id": "rs_1"}]},
        ),
        (
            {"type": "item_reference", "id": "msg_1"},
            {"role": "assistant", "parts": [{"type": "item_reference", "id": "msg_1"}]},
        ),
        (
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"},
            {"role": "assistant", "parts": [{"type": "compaction", "id": "cmp_1"}]},
        ),
        (
            {"type": "computer_call_output", "call_id": "call_1", "output": {"type": "computer_screenshot", "image_url": PNG}},
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "server_tool_call_response",
                        "id": "call_1",
                        "server_tool_call_response": {"type": "computer", "output": [PNG_PART]},
                    }
                ],
            },
        ),
        (
            {"type": "local_shell_call_output", "id": "call_1", "output": "ok", "status": "completed"},
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "server_tool_call_response",
                        "id": "call_1",
                        "server_tool_call_response": {"type": "local_shell", "output": "ok"},
                    }
                ],
            },
        ),
        (
            {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
            {
                "role": "user",
                "parts": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}],
            },
        ),
        ({"type": "new", "novelty": 1}, {"role": "assistant", "parts": [{"type": "new", "novelty": 1}]}),
        (7, {"role": "user", "parts": [{"type": "unknown", "content": 7}]}),
    ],
    ids=str,
)
def test_an_item_of_the_history_is_a_message(item: Any, message: dict[str, Any]) -> None:
    assert history(item) == message


@pytest.mark.parametrize(
    ("tool", "definition"),
    [
        (
            {"type": "function", "name": "dock", "description": "Dock", "parameters": {"type": "object"}, "strict": True},
            {"type": "function", "name": "dock", "description": "Dock", "parameters": {"type": "object"}},
        ),
        ({"type": "function", "function": {"name": "dock"}}, {"type": "function", "name": "dock"}),
        (
            {"type": "custom", "name": "calculate", "description": "Arithmetic", "format": {"type": "text"}},
            {"type": "custom", "name": "calculate", "description": "Arithmetic"},
        ),
        ({"type": "web_search", "search_context_size": "low"}, {"type": "web_search", "name": "web_search"}),
        ({"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "file_search", "name": "file_search"}),
        ({"type": "code_interpreter", "container": {}}, {"type": "code_interpreter", "name": "code_interpreter"}),
        ({"type": "image_generation"}, {"type": "image_generation", "name": "image_generation"}),
        (
            {"type": "mcp", "server_label": "pilots", "authorization": "secret", "headers": {"x-key": "secret"}},
            {"type": "mcp", "name": "mcp", "server_label": "pilots"},
        ),
        (
            {"type": "namespace", "name": "port", "tools": [{"type": "function", "name": "dock"}]},
            {"type": "namespace", "name": "port", "tools": [{"type": "function", "name": "dock"}]},
        ),
    ],
    ids=str,
)
def test_a_tool_is_defined_without_its_credentials(tool: dict[str, Any], definition: dict[str, Any]) -> None:
    assert asked(tools=[tool]).tools == [definition]


def test_tools_offered_in_a_history_have_no_credentials_either() -> None:
    item = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [{"type": "mcp", "server_label": "a", "headers": {"k": "s"}}],
    }
    tools = [{"type": "mcp", "name": "mcp", "server_label": "a"}]
    assert history(item) == {
        "role": "developer",
        "parts": [{"type": "additional_tools", "role": "developer", "tools": tools}],
    }
    assert response({"output": [{"type": "tool_search_output", "call_id": "c", "tools": item["tools"]}]}).messages[0][
        "parts"
    ] == [
        {
            "type": "server_tool_call_response",
            "id": "c",
            "server_tool_call_response": {"type": "tool_search", "tools": tools},
        }
    ]


@pytest.mark.parametrize(
    ("body", "matched"),
    [
        ({"model": "gpt-5", "input": "Hello"}, True),
        ({"model": "gpt-5", "input": [{"role": "user", "content": "Hello"}]}, True),
        ({"model": "gpt-5", "input": [{"type": "item_reference", "id": "msg_1"}]}, True),
        ({"prompt": {"id": "pmpt_1"}, "input": "Hello"}, True),
        ({"input": "Hello"}, False),
        ({"model": "gpt-5", "input": ""}, False),
        ({"model": "gpt-5", "input": []}, False),
        ({"model": "gpt-5", "input": ["Hello"]}, False),
        ({"model": "gpt-5", "input": {"answers": []}}, False),
        ({"survey": 3, "answers": []}, False),
    ],
    ids=str,
)
def test_a_body_is_recognised_by_its_shape(body: Any, matched: bool) -> None:
    assert matches(body) is matched
