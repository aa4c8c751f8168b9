"""OpenAI's chat completions: what each field of a request or a response becomes, and the oddities of the vendors one by one.

Whole exchanges are in ``exchanges/``; the law of streaming is in ``test_protocol_laws.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, Usage
from otel_llm.protocols.openai_chat import Fold, matches, request, response

PNG = "data:image/png;base64,iVBORw0="


def asked(**body: Any) -> Any:
    return request(body, "/v1/chat/completions")


def answered(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of an answer with this message."""
    parts: list[dict[str, Any]] = response({"choices": [{"index": 0, "message": message}]}).messages[0]["parts"]
    return parts


def folded(*chunks: Any) -> dict[str, Any]:
    fold = Fold()
    for chunk in chunks:
        fold.feed(chunk)
    return fold.body()


def delta(index: int = 0, finish_reason: str | None = None, **parts: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": parts, "finish_reason": finish_reason}]}


# --- request ----------------------------------------------------------------------------------------------------------


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


# --- response ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "Byblos"}, [{"type": "text", "content": "Byblos"}]),
        ({"content": None, "refusal": "No."}, [{"type": "refusal", "content": "No."}]),
        (
            {"content": "Byblos", "reasoning": "Old.", "reasoning_details": [{"type": "reasoning.text", "text": "Old."}]},
            [{"type": "reasoning", "content": "Old."}, {"type": "text", "content": "Byblos"}],
        ),
        (
            {"content": "Byblos", "reasoning": "Old.", "reasoning_content": "Old."},
            [{"type": "reasoning", "content": "Old."}, {"type": "text", "content": "Byblos"}],
        ),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "Old."},
                    {"type": "reasoning.encrypted", "data": "x"},
                ]
            },
            [{"type": "reasoning", "content": "Old."}],
        ),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Ol"}, {"type": "text", "text": "d."}]}]},
            [{"type": "reasoning", "content": "Old."}],
        ),
        (
            {"content": None, "audio": {"id": "audio_1", "data": "UklG", "transcript": "Byblos"}},
            [{"type": "blob", "modality": "audio", "content": "UklG"}, {"type": "text", "content": "Byblos"}],
        ),
        (
            {"content": "", "images": [{"type": "image_url", "image_url": {"url": PNG}}]},
            [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}],
        ),
        ({"function_call": {"name": "", "arguments": ""}, "tool_calls": None}, []),
        (
            {"tool_calls": [{"id": "", "type": "function", "function": {"name": "tide", "arguments": '{"a": '}}]},
            [{"type": "tool_call", "id": None, "name": "tide", "arguments": '{"a": '}],
        ),
        (
            {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "tide", "arguments": {"a": 1}}}]},
            [{"type": "tool_call", "id": "1", "name": "tide", "arguments": {"a": 1}}],
        ),
        (
            {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "sum", "input": "4"}}]},
            [{"type": "tool_call", "id": "1", "name": "sum", "arguments": "4"}],
        ),
        (
            {
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "tide"}, "custom": {"name": "", "input": ""}}
                ]
            },
            [{"type": "tool_call", "id": "1", "name": "tide", "arguments": {}}],
        ),
        (
            {"tool_calls": [{"id": "1", "type": "builtin_function", "function": {"name": "$web_search", "arguments": "{}"}}]},
            [{"type": "tool_call", "id": "1", "name": "$web_search", "arguments": {}}],
        ),
        ({"tool_calls": [{"id": "1", "type": "function"}]}, [{"type": "tool_call", "id": "1", "name": "", "arguments": {}}]),
        ({"tool_calls": [{"id": "1"}]}, [{"type": "tool_call", "id": "1", "name": "", "arguments": {}}]),
        (
            {"tool_calls": [{"id": "1", "custom": {"input": "x"}}]},
            [{"type": "tool_call", "id": "1", "name": "", "arguments": "x"}],
        ),
        (
            {"function_call": {"name": "", "arguments": '{"a": 1}'}},
            [{"type": "tool_call", "id": None, "name": "", "arguments": {"a": 1}}],
        ),
        (
            {"executed_tools": [{"name": "browser.open", "type": "browser", "arguments": "x"}, {"arguments": None}]},
            [
                {"type": "server_tool_call", "name": "browser.open", "server_tool_call": {"type": "browser", "arguments": "x"}},
                {"type": "server_tool_call", "name": "tool", "server_tool_call": {"type": "tool", "arguments": {}}},
            ],
        ),
        (
            {"tool_calls": [{"id": "1", "type": "magic", "spell": "x"}]},
            [{"type": "tool_call", "id": "1", "name": "magic", "arguments": {"id": "1", "type": "magic", "spell": "x"}}],
        ),
    ],
    ids=str,
)
def test_a_message_is_parts(message: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    assert answered(message) == parts


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_call"),
        ("function_call", "tool_call"),
        ("eos", "stop"),
        ("abort", "abort"),
        (None, None),
        ("", None),
        (2, None),
    ],
)
def test_a_finish_reason_is_a_word_of_the_conventions(sent: Any, reason: str | None) -> None:
    facts = response({"choices": [{"index": 0, "finish_reason": sent}]})
    assert facts.finish_reasons == ((reason,) if reason else ())
    assert facts.messages == [{"role": "assistant", "parts": []} | ({"finish_reason": reason} if reason else {})]


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}}, Usage(3, None, 2, 1)),
        ({"prompt_tokens": 3, "prompt_tokens_details": None, "cached_tokens": 2}, Usage(3, None, 2)),
        ({"prompt_tokens": 3, "prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 1}, Usage(3, None, 2)),
        ({"prompt_tokens": 3, "num_cached_tokens": 2}, Usage(3, None, 2)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 2}, Usage(3, None, 0)),
        ({"completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 11}}, Usage(None, 10, reasoning=11)),
        ({"cost": 0}, Usage(cost=0.0)),
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.25}}, Usage(cost=0.25)),
        ({"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 2.0}}, Usage(cost=2.5)),
        ({"cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, Usage(cost=0.5)),
        ({"cost": "0.5"}, Usage()),
        ({"cost": {"total_cost": 1}}, Usage()),
        ({"cost_in_usd_ticks": 37_756_000}, Usage(cost=0.0037756)),
        ({"prompt_tokens": -1, "completion_tokens": "7"}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": 7.0}, Usage(None, 7)),
    ],
    ids=str,
)
def test_usage_is_counted_as_the_conventions_count(usage: dict[str, Any], read: Usage) -> None:
    assert response({"usage": usage}).usage == read


@pytest.mark.parametrize(
    ("total", "output"),
    [(513, 222), (317, 26), (600, 26), (None, 26)],
    ids=["beside the completion", "within the completion", "neither", "no total"],
)
def test_reasoning_beside_the_completion_is_added_only_if_the_total_says_so(total: int | None, output: int) -> None:
    usage = {"prompt_tokens": 291, "completion_tokens": 26, "completion_tokens_details": {"reasoning_tokens": 196}}
    assert response({"usage": {**usage, "total_tokens": total}}).usage == Usage(291, output, reasoning=196)


@pytest.mark.parametrize(
    ("model", "details", "output"),
    [
        ("gemini-2.5-pro", {}, 74),
        ("google/gemini-3-pro", {}, 74),
        ("glm-5", {}, 12),
        ("gemini-x", {"completion_tokens_details": {}}, 12),
    ],
)
def test_thinking_that_only_the_total_counts_is_output_of_gemini(model: str, details: dict[str, Any], output: int) -> None:
    usage = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109, **details}
    assert response({"model": model, "usage": usage}).usage == Usage(35, output)


def test_the_usage_of_a_breakdown_is_not_taken() -> None:
    breakdown = {"models": [{"model": "llama", "usage": {"prompt_tokens": 9}}]}
    assert response({"usage_breakdown": breakdown, "x_groq": {"id": "req_1"}}).usage == Usage()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": None}},
            ("invalid_request_error", "No."),
        ),
        ({"error": {"message": "No.", "type": "invalid_request_error", "code": "model_not_found"}}, ("model_not_found", "No.")),
        ({"error": {"message": "No.", "code": "401"}}, ("401", "No.")),
        (
            {"error": {"code": 429, "message": "Busy.", "metadata": {"provider_name": "Google"}}, "user_id": "u"},
            ("429", "Busy."),
        ),
        (
            {"error": {"code": 503, "message": "Busy.", "metadata": {"error_type": "provider_overloaded"}}},
            ("provider_overloaded", "Busy."),
        ),
        ({"error": {"code": 404, "message": "No.", "status": "NOT_FOUND", "details": []}}, ("NOT_FOUND", "No.")),
        ({"error": {"message": "No."}}, ("_OTHER", "No.")),
        ({"error": "model 'x' not found"}, ("_OTHER", "model 'x' not found")),
        ({"error": "Overloaded", "error_type": "overloaded"}, ("overloaded", "Overloaded")),
        ({"error": ["No."]}, ("_OTHER", '["No."]')),
        ({"error": 7}, ("_OTHER", None)),
        ({"object": "error", "message": "No.", "type": "BadRequestError", "code": 400}, ("BadRequestError", "No.")),
        ({"message": "No."}, ("_OTHER", "No.")),
        ({"detail": "Invalid API key"}, ("_OTHER", "Invalid API key")),
        ({"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "too long"}]}, ("_OTHER", "field required; too long")),
        ({"detail": {"code": 7}}, ("_OTHER", '{"code": 7}')),
        ({"choices": [{"index": 0, "error": {"code": 502, "message": "Gone."}}]}, ("502", "Gone.")),
        ({"choices": [{"index": 0}], "message": "hello", "error": None}, None),
        ({"error": {}}, None),
        ({"detail": []}, None),
    ],
    ids=str,
)
def test_an_error_has_its_most_specific_type(body: dict[str, Any], error: tuple[str, str] | None) -> None:
    assert response(body).error == (ErrorFacts(*error) if error else None)


def test_a_name_with_half_a_character_can_still_be_sent() -> None:
    assert response({"id": "a\ud83d", "model": "m\ud83dé"}).model == "m?é"


# --- fold -------------------------------------------------------------------------------------------------------------


def test_the_first_name_and_the_last_of_anything_else_count() -> None:
    body = folded(
        {"id": "", "model": "", "choices": [], "usage": None},
        {"id": "1", "model": "m", "system_fingerprint": "fp_1", "usage": {"prompt_tokens": 1}, "citations": ["a"]},
        {"id": "2", "model": "n", "system_fingerprint": "fp_2", "usage": {"prompt_tokens": 2}, "error": {"code": 1}},
        {"usage": {}, "system_fingerprint": None, "error": {"code": 2}},
    )
    assert body == {
        "id": "1",
        "model": "m",
        "system_fingerprint": "fp_2",
        "usage": {"prompt_tokens": 2},
        "citations": ["a"],
        "error": {"code": 1},
    }


def test_a_later_null_does_not_take_a_finish_reason_back() -> None:
    body = folded(
        delta(content="x"), delta(finish_reason="stop"), delta(content=""), {"choices": [{"index": 0, "finish_reason": None}]}
    )
    assert body["choices"] == [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    "pieces",
    [
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"index": 0, "id": "b", "function": {"name": "g"}},
        ],
        [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": ""}}],
        [
            {"index": 3, "id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"index": 1, "id": "b", "function": {"name": "g"}},
        ],
    ],
    ids=["all at one index", "no index", "indexes of any order"],
)
def test_parallel_calls_are_told_apart(pieces: list[dict[str, Any]]) -> None:
    facts = response(folded(*(delta(tool_calls=[piece]) for piece in pieces)))
    assert facts.messages[0]["parts"] == [
        {"type": "tool_call", "id": "a", "name": "f", "arguments": {}},
        {"type": "tool_call", "id": "b", "name": "g", "arguments": {}},
    ]


def test_a_choice_without_an_index_is_the_first() -> None:
    chunks = [
        {"choices": [{"delta": {"content": "By"}}]},
        {"choices": [{"delta": {"content": "blos"}, "finish_reason": "stop"}]},
    ]
    assert folded(*chunks)["choices"] == [{"index": 0, "message": {"content": "Byblos"}, "finish_reason": "stop"}]


def test_pieces_of_reasoning_belong_together_by_type_and_index() -> None:
    def detail(text: str, **more: Any) -> dict[str, Any]:
        return delta(reasoning_details=[{"type": "reasoning.text", "text": text, **more}])

    body = folded(detail("a"), detail("b", index=1), detail("c"), detail("d", index=1, signature="s"))
    assert body["choices"][0]["message"]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "ac"},
        {"type": "reasoning.text", "text": "bd", "index": 1, "signature": "s"},
    ]


def test_only_texts_and_thoughts_of_a_content_list_run_together() -> None:
    def thought(text: str) -> dict[str, Any]:
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}

    reference = {"type": "reference", "reference_ids": [1]}
    body = folded(
        delta(content=[thought("a")]),
        delta(content=[thought("b"), reference]),
        delta(content=[reference]),
        delta(content="c"),
        delta(content=[{"type": "text", "text": "d"}]),
    )
    assert body["choices"][0]["message"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        reference,
        reference,
        {"type": "text", "text": "cd"},
    ]


def test_a_new_id_with_each_piece_is_still_one_call() -> None:
    begun = {"index": 0, "id": "random-0", "function": {"name": "f", "arguments": '{"a"'}}
    more = {"index": 0, "id": "random-1", "function": {"arguments": ": 1}"}}
    facts = response(folded(delta(tool_calls=[begun]), delta(tool_calls=[more])))
    assert facts.messages[0]["parts"] == [{"type": "tool_call", "id": "random-0", "name": "f", "arguments": {"a": 1}}]


def test_sound_in_pieces_is_joined_as_sound() -> None:
    body = folded(
        delta(audio={"id": "audio_1", "transcript": "By"}),
        delta(audio={"data": "YQ==", "transcript": "blos"}),
        delta(audio={"data": "Yg==", "expires_at": 9}),
    )
    assert body["choices"][0]["message"]["audio"] == {
        "id": "audio_1",
        "transcript": "Byblos",
        "data": "YWI=",
        "expires_at": 9,
    }


def test_a_whole_message_in_a_stream_is_taken_as_a_delta() -> None:
    whole = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    assert response(folded(whole, "[DONE]")) == response(whole)


def test_the_body_may_be_asked_for_at_any_time() -> None:
    fold = Fold()
    assert (fold.body(), fold.done) == ({}, False)
    fold.feed(delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]))
    early = fold.body()
    fold.feed(delta(tool_calls=[{"index": 0, "function": {"arguments": "}"}}]))
    fold.feed("[DONE]")
    assert early["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{"}
    assert fold.body()["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert fold.done
