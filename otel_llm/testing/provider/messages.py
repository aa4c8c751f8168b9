"""Anthropic's messages: a completion as a body, or as the pieces of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.completion import Call, Completion, split
from otel_llm.testing.provider.usage import anthropic as usage_of

_SIGNATURE = "c2lnbmVk"
_Event = dict[str, Any]


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming."""
    content: list[dict[str, Any]] = []
    if completion.reasoning:
        content.append({"type": "thinking", "thinking": completion.reasoning, "signature": _SIGNATURE})
    if completion.text:
        content.append({"type": "text", "text": completion.text})
    content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.decoded} for call in completion.calls]
    return _message(completion) | {
        "content": content,
        "stop_reason": completion.stop_reason,
        "usage": usage_of(completion.usage),
    }


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream, an event each."""
    usage = usage_of(completion.usage)
    del usage["service_tier"], usage["cache_creation"]
    end = {"stop_reason": completion.stop_reason, "stop_sequence": None}
    return _framed([*_start(completion), {"type": "message_delta", "delta": end, "usage": usage}, {"type": "message_stop"}])


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that ends in an error after its text."""
    return _framed([*_start(completion), error])


def _message(completion: Completion) -> dict[str, Any]:
    return {
        "model": completion.model,
        "id": f"msg_{completion.number:06d}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _start(completion: Completion) -> Iterator[_Event]:
    """All up to the last block's end. Usage is split: the start has the input's, and one token of output."""
    usage = usage_of(completion.usage) | {"output_tokens": 1}
    usage.pop("output_tokens_details", None)
    yield {"type": "message_start", "message": _message(completion) | {"usage": usage}}
    yield {"type": "ping"}
    for index, (block, deltas) in enumerate(_blocks(completion)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}


def _blocks(completion: Completion) -> Iterator[tuple[_Event, list[_Event]]]:
    """Each block as it starts, and what is added to it."""
    if completion.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in split(completion.reasoning, completion.pieces)]
        signed = {"type": "signature_delta", "signature": _SIGNATURE}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signed]
    if completion.text:
        texts = [{"type": "text_delta", "text": piece} for piece in split(completion.text, completion.pieces)]
        yield {"type": "text", "text": ""}, texts
    for call in completion.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, _argument_deltas(call, completion.pieces)


def _argument_deltas(call: Call, pieces: int) -> list[_Event]:
    """An empty piece first; a call without arguments has no other."""
    parts = [] if call.arguments == "{}" else split(call.arguments, pieces)
    return [{"type": "input_json_delta", "partial_json": part} for part in ["", *parts]]


def _framed(events: list[_Event]) -> list[bytes]:
    return [sse.padded(event, event["type"], index * 7 % 16) for index, event in enumerate(events)]
