"""Streams of chat completions of OpenAI's kind: the oddities of the vendors, one by one.

The law of streaming is in ``test_protocol_laws.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.openai_chat import Fold, response

PNG = "data:image/png;base64,iVBORw0="


def folded(*chunks: Any) -> dict[str, Any]:
    fold = Fold()
    for chunk in chunks:
        fold.feed(chunk)
    return fold.body()


def delta(index: int = 0, finish_reason: str | None = None, **parts: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": parts, "finish_reason": finish_reason}]}


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

    body = folded(detail("a"), detail("b", index=1), detail("c", format=None), detail("d", index=1, signature="s"))
    assert body["choices"][0]["message"]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "ac"},
        {"type": "reasoning.text", "text": "bd", "index": 1, "signature": "s"},
    ]


def test_what_a_message_has_beside_its_texts_is_kept() -> None:
    image = {"type": "image_url", "image_url": {"url": PNG}, "index": 0}
    body = folded(delta(role="narrator", content="x"), delta(images=[image]), delta(role="", images=[]))
    assert body["choices"][0]["message"] == {"role": "narrator", "content": "x", "images": [image]}


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


@pytest.mark.parametrize(
    "pieces",
    [
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a"'}},
            {"index": 0, "function": {"arguments": ": 1}"}},
        ],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a"'}},
            {"index": 0, "id": "b", "function": {"arguments": ": 1}"}},
        ],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a"'}},
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": ": 1}"}},
        ],
        [
            {"index": 0, "function": {"name": "f", "arguments": '{"a"'}},
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": ": 1}"}},
        ],
        [{"index": 1, "id": "a", "function": {"name": "f", "arguments": '{"a"'}}, {"function": {"arguments": ": 1}"}}],
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1}}},
            {"index": 0, "function": {"arguments": "x"}},
        ],
    ],
    ids=["as usual", "a new id each time", "id and name repeated", "id later", "index once", "arguments as an object"],
)
def test_pieces_of_one_call_belong_together(pieces: list[dict[str, Any]]) -> None:
    facts = response(folded(*(delta(tool_calls=[piece]) for piece in pieces)))
    assert facts.messages[0]["parts"] == [{"type": "tool_call", "id": "a", "name": "f", "arguments": {"a": 1}}]


def test_calls_of_custom_tools_are_told_apart_too() -> None:
    pieces = [{"index": 0, "id": name, "type": "custom", "custom": {"name": name, "input": "4"}} for name in ("a", "b")]
    facts = response(folded(*(delta(tool_calls=[piece]) for piece in pieces)))
    assert [part["name"] for part in facts.messages[0]["parts"]] == ["a", "b"]


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


def test_events_are_left_as_they_were() -> None:
    def thought() -> dict[str, Any]:
        return delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}])

    fold, event = Fold(), thought()
    fold.feed(event)
    fold.feed(thought())
    assert fold.body() == fold.body()
    assert event == thought()


def test_the_body_may_be_asked_for_at_any_time() -> None:
    fold = Fold()
    assert (fold.body(), fold.done) == ({}, False)
    fold.feed(delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]))
    early = fold.body()
    fold.feed(delta(tool_calls=[{"index": 0, "function": {"arguments": "}"}}]))
    fold.feed("[DONE]")
    assert early["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{"}
    assert fold.body()["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    fold.feed(None)
    assert fold.done
