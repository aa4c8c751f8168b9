"""OpenAI's chat completions and their dialects: a completion as a body, or as the pieces of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.completion import Call, Completion, split
from otel_llm.testing.provider.dialects import Dialect, UsageAt

#: Seconds since the epoch, in each answer.
CREATED = 1_760_000_000


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.text or None, "refusal": None}
    if completion.reasoning:
        message |= _beside(completion.dialect.reasoning(completion.reasoning), completion.text)
    if completion.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in completion.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None} | _finish(completion, completion.stop_reason)
    extra = {"x_groq": _request_id(completion)} if completion.dialect.usage_at == "x_groq" else {}
    usage = completion.dialect.usage(completion.usage)
    return _head(completion, "chat.completion") | {"choices": [choice], "usage": usage} | extra


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream, an event each."""
    chunks = [_chunk(completion, delta) for delta in _deltas(completion)]
    chunks.append(_chunk(completion, {}, completion.stop_reason))
    if sends_usage(completion):
        _add_usage(completion, chunks)
    return [*_start(completion.dialect), *map(sse.frame, _noisy(completion.dialect, chunks)), sse.DONE]


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that ends in an error after its text: no finish reason, no usage, in most dialects no [DONE]."""
    start = [*_start(completion.dialect), *(sse.frame(_chunk(completion, delta)) for delta in _deltas(completion))]
    match completion.dialect.error_as:
        case "frame":
            return [*start, sse.frame({"error": error["error"]})]
        case "event":
            return [*start, sse.frame({"error": error["error"]}, event="error")]
        case "chunk":
            last = _chunk(completion, {"role": "assistant", "content": ""}) | {"error": error["error"]}
            return [*start, sse.frame(last), sse.DONE]


def asks_for_usage(completion: Completion) -> bool:
    """Whether the request wants usage in its stream."""
    options = completion.exchange.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def sends_usage(completion: Completion) -> bool:
    """Whether the stream that answers the request carries usage."""
    return asks_for_usage(completion) or not completion.dialect.usage_on_request


def _beside(reasoning: dict[str, Any], text: str) -> dict[str, Any]:
    """Fields of a message; where reasoning is part of the content, the text is the next part."""
    parts = reasoning.get("content")
    return reasoning if parts is None else {"content": [*parts, *([{"type": "text", "text": text}] if text else [])]}


def _deltas(completion: Completion) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in split(completion.reasoning, completion.pieces):
        if delta := completion.dialect.reasoning(piece):
            yield delta
    for piece in split(completion.text, completion.pieces):
        yield {"content": piece}
    for index, call in enumerate(completion.calls):
        yield from _call_deltas(index, call, completion.pieces)


def _call_deltas(index: int, call: Call, pieces: int) -> Iterator[dict[str, Any]]:
    """Id and name come once, with the first delta."""
    first = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    yield {"tool_calls": [first]}
    for piece in split(call.arguments, pieces):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _head(completion: Completion, kind: str) -> dict[str, Any]:
    head = {
        "id": f"{completion.dialect.id_prefix}{completion.number:06d}",
        "object": kind,
        "created": CREATED,
        "model": completion.model,
        "system_fingerprint": "fp_0000000001",
    }
    return head | {"provider": completion.model.partition("/")[0].title()} if completion.dialect.routes else head


def _finish(completion: Completion, reason: str | None) -> dict[str, Any]:
    return {"finish_reason": reason} | ({"native_finish_reason": reason} if completion.dialect.routes else {})


def _chunk(completion: Completion, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None} | _finish(completion, reason)
    return _head(completion, "chat.completion.chunk") | {"choices": [choice]}


def _request_id(completion: Completion) -> dict[str, Any]:
    return {"id": f"req_{completion.number:06d}"}


def _start(dialect: Dialect) -> list[bytes]:
    return [b": OPENROUTER PROCESSING\n\n"] * dialect.keep_alives


def _noisy(dialect: Dialect, chunks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for index, chunk in enumerate(chunks):
        yield chunk | ({dialect.padding: "x" * (index * 5 % 8 + 1)} if dialect.padding else {})


def _add_usage(completion: Completion, chunks: list[dict[str, Any]]) -> None:
    usage = completion.dialect.usage(completion.usage)
    place: UsageAt = completion.dialect.usage_at
    match place:
        case "last_chunk":
            for chunk in chunks:
                chunk["usage"] = None
            chunks.append(_head(completion, "chat.completion.chunk") | {"choices": [], "usage": usage})
        case "finish_chunk":
            chunks[-1]["usage"] = usage
        case "x_groq":
            chunks[0]["x_groq"] = _request_id(completion)
            chunks[-1] |= {"x_groq": _request_id(completion) | {"usage": usage}, "usage": usage}
        case "repeated_choice":
            chunks.append(_chunk(completion, {"role": "assistant", "content": ""}) | {"usage": usage})
        case "every_chunk":
            for number, chunk in enumerate(chunks, 1):
                chunk["usage"] = _so_far(usage, number, len(chunks))
            chunks[-1]["object"] = "chat.completion.done"


def _so_far(usage: dict[str, Any], number: int, chunks: int) -> dict[str, Any]:
    """Cumulative: the last chunk has the whole."""
    completion = usage["completion_tokens"] * number // chunks
    return usage | {"completion_tokens": completion, "total_tokens": usage["prompt_tokens"] + completion}
