"""Anthropic's old text completions."""

from __future__ import annotations

from otel_llm.protocols import anthropic_complete as protocol
from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts

REQUEST = {"model": "claude-2.1", "prompt": "\n\nHuman: Why?\n\nAssistant:", "max_tokens_to_sample": 9, "stream": True}
BODY = {"type": "completion", "id": "compl_1", "completion": " Because.", "stop_reason": "stop_sequence", "model": "claude-2.1"}
EVENTS = [
    {"type": "completion", "id": "compl_1", "completion": " Be", "stop_reason": None, "model": "claude-2.1"},
    {"type": "ping"},
    {"type": "completion", "id": "compl_1", "completion": "cause.", "stop_reason": None, "model": "claude-2.1"},
    {"type": "completion", "id": "compl_1", "completion": "", "stop_reason": "stop_sequence", "model": "claude-2.1"},
]


def test_a_request() -> None:
    assert protocol.matches(REQUEST)
    assert not protocol.matches({"model": "x", "prompt": "y"})
    assert protocol.request(REQUEST, "/v1/complete") == RequestFacts(
        operation="text_completion",
        model="claude-2.1",
        stream=True,
        attributes={"gen_ai.request.max_tokens": 9},
        messages=[{"role": "user", "parts": [{"type": "text", "content": "\n\nHuman: Why?\n\nAssistant:"}]}],
    )


def test_a_response() -> None:
    assert protocol.response(BODY) == ResponseFacts(
        id="compl_1",
        model="claude-2.1",
        finish_reasons=("stop",),
        messages=[{"role": "assistant", "parts": [{"type": "text", "content": " Because."}], "finish_reason": "stop"}],
    )


def test_a_stream_is_the_same_response() -> None:
    fold = protocol.Fold()
    for event in EVENTS:
        assert not fold.done
        fold.feed(event)
    assert fold.done
    assert protocol.response(fold.body()) == protocol.response(BODY)


def test_an_error() -> None:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is required"}}
    assert protocol.response(body).error == ErrorFacts("invalid_request_error", "prompt is required")


def test_nothing_known_is_no_fault() -> None:
    assert protocol.response(None) == ResponseFacts()
    assert protocol.request([], "") == RequestFacts(operation="text_completion")
    assert protocol.response(protocol.Fold().body()) == ResponseFacts()
