"""OpenAI's responses: what items, status, usage and errors become, and what is told of a response that is fetched.

Whole exchanges are in ``exchanges/``; requests and streams have tests of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols import openai_responses_fetch as fetch
from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.openai_responses import response


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def answered(*items: Any) -> list[dict[str, Any]]:
    """The parts of an answer with these items."""
    messages = response({"status": "completed", "output": list(items)}).messages
    return [part for message in messages for part in message["parts"]]


def ended(**body: Any) -> ResponseFacts:
    return response({"output": [], **body})


# --- an answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        ({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}, [text("Hello")]),
        (
            {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
            [{"type": "refusal", "content": "No."}],
        ),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}]},
            [{"type": "reasoning", "content": "A"}, {"type": "reasoning", "content": "B"}],
        ),
        (
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
            [{"type": "reasoning", "content": "Hm."}],
        ),
        (
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "content": [{"type": "reasoning_text", "text": "Hm."}],
            },
            [{"type": "reasoning", "content": "Hm."}],
        ),
        ({"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAA"}, []),
        (
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "dock", "arguments": "{}"},
            [{"type": "tool_call", "id": "call_1", "name": "dock", "arguments": {}}],
        ),
        (
            {"type": "function_call", "call_id": "call_1", "name": "dock", "arguments": ""},
            [{"type": "tool_call", "id": "call_1", "name": "dock", "arguments": {}}],
        ),
        (
            {"type": "function_call", "call_id": "call_1", "name": "dock", "arguments": '{"pier": '},
            [{"type": "tool_call", "id": "call_1", "name": "dock", "arguments": '{"pier": '}],
        ),
        (
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "calculate", "input": "4 + 4"},
            [{"type": "tool_call", "id": "call_1", "name": "calculate", "arguments": "4 + 4"}],
        ),
        (
            {"type": "custom_tool_call", "call_id": "xs_1", "name": "x_keyword_search", "input": '{"query": "tide"}'},
            [
                {
                    "type": "server_tool_call",
                    "id": "xs_1",
                    "name": "x_keyword_search",
                    "server_tool_call": {"type": "custom_tool", "input": '{"query": "tide"}'},
                }
            ],
        ),
        (
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "tide"}},
            [
                {
                    "type": "server_tool_call",
                    "id": "ws_1",
                    "name": "web_search",
                    "server_tool_call": {"type": "web_search", "action": {"type": "search", "query": "tide"}},
                }
            ],
        ),
        (
            {"type": "x_search_call", "id": "fc_1", "call_id": "", "name": "x_semantic_search", "arguments": '{"limit": 2}'},
            [
                {
                    "type": "server_tool_call",
                    "id": "fc_1",
                    "name": "x_semantic_search",
                    "server_tool_call": {"type": "x_search", "arguments": {"limit": 2}},
                }
            ],
        ),
        (
            {"type": "file_search_call", "id": "fs_1", "queries": ["tide"], "results": [{"file_id": "file-1", "score": 0.5}]},
            [
                {
                    "type": "server_tool_call",
                    "id": "fs_1",
                    "name": "file_search",
                    "server_tool_call": {"type": "file_search", "queries": ["tide"]},
                },
                {
                    "type": "server_tool_call_response",
                    "id": "fs_1",
                    "server_tool_call_response": {"type": "file_search", "results": [{"file_id": "file-1", "score": 0.5}]},
                },
            ],
        ),
        (
            {"type": "code_interpreter_call", "id": "ci_1", "code": "6*7", "container_id": "cntr_1", "outputs": None},
            [
                {
                    "type": "server_tool_call",
                    "id": "ci_1",
                    "name": "code_interpreter",
                    "server_tool_call": {"type": "code_interpreter", "code": "6*7", "container_id": "cntr_1"},
                }
            ],
        ),
        (
            {"type": "mcp_call", "id": "mcp_1", "server_label": "pilots", "name": "book", "arguments": "{}", "output": "ok"},
            [
                {
                    "type": "server_tool_call",
                    "id": "mcp_1",
                    "name": "book",
                    "server_tool_call": {"type": "mcp", "server_label": "pilots", "arguments": {}},
                },
                {
                    "type": "server_tool_call_response",
                    "id": "mcp_1",
                    "server_tool_call_response": {"type": "mcp", "output": "ok"},
                },
            ],
        ),
        (
            {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "pilots", "tools": [{"name": "book"}], "error": None},
            [
                {
                    "type": "server_tool_call",
                    "id": "mcpl_1",
                    "name": "mcp_list_tools",
                    "server_tool_call": {"type": "mcp_list_tools", "server_label": "pilots"},
                },
                {
                    "type": "server_tool_call_response",
                    "id": "mcpl_1",
                    "server_tool_call_response": {"type": "mcp_list_tools", "tools": [{"name": "book"}]},
                },
            ],
        ),
        (
            {"type": "image_generation_call", "id": "ig_1", "output_format": "webp", "result": "UklG"},
            [
                {
                    "type": "server_tool_call",
                    "id": "ig_1",
                    "name": "image_generation",
                    "server_tool_call": {"type": "image_generation", "output_format": "webp"},
                },
                {"type": "blob", "modality": "image", "mime_type": "image/webp", "content": "UklG"},
            ],
        ),
        (
            {"type": "computer_call", "id": "cu_1", "call_id": "call_1", "action": {"type": "screenshot"}},
            [
                {
                    "type": "server_tool_call",
                    "id": "call_1",
                    "name": "computer",
                    "server_tool_call": {"type": "computer", "action": {"type": "screenshot"}},
                }
            ],
        ),
        ({"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}, [{"type": "compaction", "id": "cmp_1"}]),
        (
            {"type": "mcp_approval_request", "id": "mcpr_1", "name": "book", "arguments": "{}"},
            [{"type": "mcp_approval_request", "id": "mcpr_1", "name": "book", "arguments": "{}"}],
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_an_item_of_an_answer_becomes_parts(item: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    assert answered(item) == parts


def test_all_items_of_an_answer_are_one_message() -> None:
    items = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Docking."}]},
        {"type": "function_call", "call_id": "call_1", "name": "dock", "arguments": "{}"},
    ]
    assert response({"status": "completed", "output": items}).messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                text("Docking."),
                {"type": "tool_call", "id": "call_1", "name": "dock", "arguments": {}},
            ],
            "finish_reason": "tool_call",
        }
    ]


def called(kind: str, **rest: Any) -> dict[str, Any]:
    return {"type": kind, "call_id": "call_1", "name": "dock", **rest}


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"status": "completed"}, ("stop",)),
        ({"status": "completed", "output": [called("function_call")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("custom_tool_call")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("custom_tool_call", name="x_thread_fetch")]}, ("stop",)),
        ({"status": "completed", "output": [called("computer_call")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("local_shell_call")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("shell_call")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("shell_call"), called("shell_call_output")]}, ("stop",)),
        ({"status": "completed", "output": [called("tool_search_call", execution="client")]}, ("tool_call",)),
        ({"status": "completed", "output": [called("tool_search_call", execution="server")]}, ("stop",)),
        ({"status": "completed", "output": [called("web_search_call")]}, ("stop",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ("length",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, ("content_filter",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, ("steered",)),
        ({"status": "incomplete", "incomplete_details": None}, ("incomplete",)),
        ({"status": "failed"}, ("error",)),
        ({"status": "cancelled"}, ("cancelled",)),
        ({"status": "queued"}, ()),
        ({"status": "in_progress"}, ()),
        ({}, ()),
    ],
    ids=str,
)
def test_the_finish_reason_is_told_by_status_and_output(body: dict[str, Any], reasons: tuple[str, ...]) -> None:
    facts = response(body)
    assert facts.finish_reasons == reasons
    assert all(message.get("finish_reason") == reasons[0] for message in facts.messages)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (
            {
                "input_tokens": 115,
                "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 27},
                "output_tokens": 30,
                "output_tokens_details": {"reasoning_tokens": 14},
                "total_tokens": 145,
            },
            Usage(input_tokens=115, output_tokens=30, cache_read=20, cache_write=27, reasoning=14),
        ),
        ({"input_tokens": 5, "output_tokens": 0}, Usage(input_tokens=5, output_tokens=0)),
        ({"input_tokens": 5, "output_tokens": 7, "cost": 0.5}, Usage(input_tokens=5, output_tokens=7, cost=0.5)),
        (
            {"input_tokens": 5, "cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}},
            Usage(input_tokens=5, cost=0.75),
        ),
        ({"input_tokens": 5, "cost_in_usd_ticks": 5_000_000_000}, Usage(input_tokens=5, cost=0.5)),
        (None, Usage()),
    ],
    ids=str,
)
def test_usage_includes_caching_and_reasoning(body: Any, usage: Usage) -> None:
    assert ended(status="completed", usage=body).usage == usage


@pytest.mark.parametrize("status", ["queued", "in_progress"])
@pytest.mark.parametrize("usage", [None, {"input_tokens": 0, "output_tokens": 0, "cost": 0}])
def test_a_response_in_the_background_has_neither_usage_nor_tier_yet(status: str, usage: Any) -> None:
    facts = ended(id="resp_1", model="gpt-5", status=status, usage=usage, service_tier="auto", error=None)
    assert facts == ResponseFacts(id="resp_1", model="gpt-5")


def test_usage_that_is_told_before_the_end_is_read() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2}
    assert ended(status="in_progress", usage=usage).usage == Usage(input_tokens=5, output_tokens=2)


def test_what_a_response_repeats_of_its_request_is_no_fact_of_it() -> None:
    echoed = {"instructions": "Be brief.", "tools": [{"type": "web_search"}], "temperature": 1.0, "top_p": 1.0}
    facts = ended(status="completed", service_tier="default", **echoed)
    assert facts == ResponseFacts(finish_reasons=("stop",), attributes={"openai.response.service_tier": "default"})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"status": "failed", "error": {"code": "server_error", "message": "Sunk."}},
            ErrorFacts("server_error", "Sunk."),
        ),
        ({"status": "failed", "error": None}, ErrorFacts("failed")),
        (
            {"error": {"message": "No such model.", "type": "invalid_request_error", "code": "model_not_found"}},
            ErrorFacts("model_not_found", "No such model."),
        ),
        ({"status": "completed", "error": None}, None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, None),
    ],
    ids=str,
)
def test_errors_are_read(body: dict[str, Any], error: ErrorFacts | None) -> None:
    assert response(body).error == error


def test_a_compacted_conversation_holds_messages_of_both_sides_and_has_usage() -> None:
    body = {
        "id": "resp_1",
        "object": "response.compaction",
        "output": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"},
        ],
        "usage": {"input_tokens": 139, "output_tokens": 438, "output_tokens_details": {"reasoning_tokens": 64}},
    }
    assert response(body) == ResponseFacts(
        id="resp_1",
        finish_reasons=("compaction",),
        usage=Usage(input_tokens=139, output_tokens=438, reasoning=64),
        messages=[
            {"role": "user", "parts": [text("Hello")]},
            {"role": "assistant", "parts": [{"type": "compaction", "id": "cmp_1"}], "finish_reason": "compaction"},
        ],
        attributes={"gen_ai.conversation.compacted": True},
    )


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        ("/v1/responses/resp_1", {"gen_ai.response.id": "resp_1"}),
        ("/openai/v1/responses/resp%5F1/", {"gen_ai.response.id": "resp_1"}),
        ("/v1/responses", {}),
        ("/v1/responses/resp_1/input_items", {}),
    ],
)
def test_a_fetch_asks_for_the_id_in_its_path(path: str, attributes: dict[str, str]) -> None:
    assert fetch.request(None, path) == RequestFacts(operation="fetch_response", attributes=attributes)


def test_a_fetched_response_has_a_status_and_no_usage_so_that_nothing_is_counted_twice() -> None:
    body = {
        "id": "resp_1",
        "model": "gpt-5",
        "status": "completed",
        "service_tier": "default",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
        "usage": {"input_tokens": 5, "output_tokens": 7, "cost": 0.5},
    }
    assert fetch.response(body) == ResponseFacts(
        id="resp_1",
        model="gpt-5",
        finish_reasons=("stop",),
        messages=[{"role": "assistant", "parts": [text("Hello")], "finish_reason": "stop"}],
        attributes={"openai.response.service_tier": "default", "gen_ai.response.status": "completed"},
    )


def test_a_response_that_is_fetched_too_early_has_its_status_only() -> None:
    body = {"id": "resp_1", "status": "queued", "output": [], "usage": None}
    assert fetch.response(body) == ResponseFacts(id="resp_1", attributes={"gen_ai.response.status": "queued"})


@pytest.mark.parametrize("body", [None, {}, {"model": "gpt-5", "input": "Hello"}])
def test_a_fetch_is_recognised_by_its_host_only(body: Any) -> None:
    assert not fetch.matches(body)
