"""Cohere's chat, version 2: a completion as a body, or as the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.completion import Call, Completion, split
from otel_llm.testing.provider.usage import cohere as usage_of

_Event = dict[str, Any]


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming. It names no model."""
    message: dict[str, Any] = {"role": "assistant"}
    if content := [{"type": kind, kind: text} for kind, text in _blocks(completion)]:
        message["content"] = content
    if completion.calls:
        message["tool_calls"] = [_tool_call(call, call.arguments) for call in completion.calls]
    return {"id": _id(completion), "message": message} | _end(completion)


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream, an event each."""
    return _framed([*_start(completion), {"type": "message-end", "delta": _end(completion)}])


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that ends in an error after its text."""
    failed = {"finish_reason": "ERROR", "error": error["message"]}
    return _framed([*_start(completion), {"type": "message-end", "delta": failed}])


def _id(completion: Completion) -> str:
    return f"00000000-0000-4000-8000-{completion.number:012d}"


def _end(completion: Completion) -> dict[str, Any]:
    return {"finish_reason": completion.stop_reason, "usage": usage_of(completion.usage)}


def _blocks(completion: Completion) -> list[tuple[str, str]]:
    """Kind and text of each content block; the kind is also the name of the field that has the text."""
    return [(kind, text) for kind, text in (("thinking", completion.reasoning), ("text", completion.text)) if text]


def _tool_call(call: Call, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _start(completion: Completion) -> Iterator[_Event]:
    """All up to the last block's or tool call's end."""
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": _id(completion), "type": "message-start", "delta": {"message": empty}}
    for index, (kind, text) in enumerate(_blocks(completion)):
        yield _event("content-start", index, {"content": {"type": kind, kind: ""}})
        for piece in split(text, completion.pieces):
            yield _event("content-delta", index, {"content": {kind: piece}})
        yield {"type": "content-end", "index": index}
    for index, call in enumerate(completion.calls):
        yield _event("tool-call-start", index, {"tool_calls": _tool_call(call, "")})
        for piece in split(call.arguments, completion.pieces):
            yield _event("tool-call-delta", index, {"tool_calls": {"function": {"arguments": piece}}})
        yield {"type": "tool-call-end", "index": index}


def _event(kind: str, index: int, message: dict[str, Any]) -> _Event:
    return {"type": kind, "index": index, "delta": {"message": message}}


def _framed(events: list[_Event]) -> list[bytes]:
    return [*(sse.frame(event, event=event["type"]) for event in events), sse.DONE]
