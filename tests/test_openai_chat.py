"""Chat completions of OpenAI's kind: what each of their fields becomes, with whatever vendor.

Whole exchanges are in ``exchanges/``.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, Usage
from otel_llm.protocols.openai_chat import response

PNG = "data:image/png;base64,iVBORw0="


def answered(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of an answer with this message."""
    parts: list[dict[str, Any]] = response({"choices": [{"index": 0, "message": message}]}).messages[0]["parts"]
    return parts


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
        ({"cost": {"total_cost": 1}}, Usage(cost=1.0)),
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
        ("gemini-x", {"total_tokens": 40}, 12),
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
