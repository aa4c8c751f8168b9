"""Streams of OpenAI's responses, one oddity after the other; the law is in ``test_openai_responses_law.py``."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, ResponseFacts
from otel_llm.protocols.openai_responses import Fold, response


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress", "output": []}}


def delta(kind: str, piece: str, index: int = 0, **rest: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "delta": piece, "output_index": index, "item_id": "it_1", **rest}


@pytest.mark.parametrize(
    ("events", "item"),
    [
        (
            [delta("output_text", "Hel", content_index=0), delta("output_text", "lo", content_index=0)],
            {"type": "message", "id": "it_1", "content": [{"type": "output_text", "text": "Hello"}]},
        ),
        (
            [
                delta("output_text", "Hel", content_index=0),
                {"type": "response.output_text.done", "text": "Hello", "output_index": 0},
            ],
            {"type": "message", "id": "it_1", "content": [{"type": "output_text", "text": "Hello"}]},
        ),
        (
            [
                {"type": "response.content_part.added", "output_index": 0, "part": {"type": "output_text", "text": ""}},
                delta("output_text", "Hello"),
                {"type": "response.content_part.done", "output_index": 0, "part": {"type": "output_text", "text": "Hello"}},
            ],
            {"type": "message", "id": "it_1", "content": [{"type": "output_text", "text": "Hello"}]},
        ),
        (
            [delta("refusal", "No", content_index=0), delta("refusal", ".", content_index=0)],
            {"type": "message", "id": "it_1", "content": [{"type": "refusal", "refusal": "No."}]},
        ),
        (
            [delta("reasoning_text", "Hm.", content_index=0)],
            {"type": "reasoning", "id": "it_1", "content": [{"type": "reasoning_text", "text": "Hm."}]},
        ),
        (
            [delta("reasoning_summary_text", "B", summary_index=1), delta("reasoning_summary_text", "A", summary_index=0)],
            {"type": "reasoning", "id": "it_1", "summary": [{"type": "summary_text", "text": t} for t in "AB"]},
        ),
        (
            [delta("function_call_arguments", '{"pier"'), delta("function_call_arguments", ": 3}")],
            {"type": "function_call", "id": "it_1", "arguments": '{"pier": 3}'},
        ),
        ([delta("mcp_call_arguments", "{}")], {"type": "mcp_call", "id": "it_1", "arguments": "{}"}),
        ([delta("custom_tool_call_input", "4 + 4")], {"type": "custom_tool_call", "id": "it_1", "input": "4 + 4"}),
        ([delta("code_interpreter_call_code", "6*7")], {"type": "code_interpreter_call", "id": "it_1", "code": "6*7"}),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_a_stream_that_was_cut_has_the_pieces_that_came(events: list[Any], item: dict[str, Any]) -> None:
    assert folded(CREATED, *events) == {"id": "resp_1", "model": "gpt-5", "status": "in_progress", "output": [item]}


def test_pieces_grow_on_what_their_item_began_as() -> None:
    added = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "dock",
        "arguments": "",
        "status": "in_progress",
    }
    begun = {"type": "response.output_item.added", "output_index": 2, "item": added}
    assert folded(begun, delta("function_call_arguments", "{}", index=2))["output"] == [{**added, "arguments": "{}"}]


def test_an_item_is_what_its_end_says_but_for_what_only_its_pieces_told() -> None:
    done = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": []}
    events = [delta("output_text", "Hello"), {"type": "response.output_item.done", "output_index": 0, "item": done}]
    assert folded(*events)["output"] == [{**done, "content": [{"type": "output_text", "text": "Hello"}]}]


def test_pieces_of_several_items_may_interleave() -> None:
    events = [delta("output_text", "He", 0), delta("output_text", "Ahoy", 1), delta("output_text", "llo", 0)]
    assert [item["content"][0]["text"] for item in folded(*events)["output"]] == ["Hello", "Ahoy"]


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_the_last_event_carries_the_whole_response(status: str) -> None:
    whole = {
        "id": "resp_1",
        "model": "gpt-5-2026",
        "status": status,
        "output": [{"type": "message"}],
        "usage": {"input_tokens": 1},
    }
    fold = Fold()
    for event in (CREATED, delta("output_text", "Hello")):
        fold.feed(event)
        assert not fold.done
    fold.feed({"type": f"response.{status}", "response": whole})
    assert fold.done
    assert fold.body() == whole


def test_a_last_event_without_output_does_not_take_away_what_came() -> None:
    ending = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}}
    assert response(folded(CREATED, delta("output_text", "Hello"), ending)).messages == [
        {"role": "assistant", "parts": [text("Hello")], "finish_reason": "stop"}
    ]


def test_a_whole_response_may_come_as_the_only_event() -> None:
    whole = {"object": "response", "id": "resp_1", "status": "completed", "output": [{"type": "message"}]}
    assert folded(whole) == whole


def test_done_ends_a_stream_too() -> None:
    fold = Fold()
    fold.feed("[DONE]")
    assert fold.done


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "Too much.", "param": None, "sequence_number": 3},
        {"error": {"type": "error", "code": "rate_limit_exceeded", "message": "Too much."}},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Too much."}},
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Too much."}},
        },
    ],
    ids=str,
)
def test_an_error_in_a_stream_is_an_error_of_the_response(event: dict[str, Any]) -> None:
    assert response(folded(CREATED, delta("output_text", "Hel"), event)) == ResponseFacts(
        id="resp_1",
        model="gpt-5",
        finish_reasons=("error",),
        messages=[{"role": "assistant", "parts": [text("Hel")], "finish_reason": "error"}],
        error=ErrorFacts("rate_limit_exceeded", "Too much."),
    )


def test_the_body_of_a_stream_may_be_asked_for_at_any_time() -> None:
    fold = Fold()
    fold.feed(delta("output_text", "Hel"))
    before = fold.body()
    fold.feed(delta("output_text", "lo"))
    assert before["output"][0]["content"][0]["text"] == "Hel"
    assert fold.body()["output"][0]["content"][0]["text"] == "Hello"
