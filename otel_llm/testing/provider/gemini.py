"""Google's generateContent: a completion as a body, or as the pieces of a stream, of events or of a JSON array."""

from __future__ import annotations

from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.completion import Completion, split
from otel_llm.testing.provider.usage import gemini as usage_of

_Part = dict[str, Any]


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming."""
    reasoning = [_thought(completion.reasoning)] if completion.reasoning else []
    text = [{"text": completion.text}] if completion.text else []
    parts = [*reasoning, *text, *_calls(completion)]
    return _chunk(completion, parts, usage_of(completion.usage), completion.stop_reason)


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream. The last part is empty and has the finish reason; usage counts up in each."""
    chunks = _chunks(completion)
    last = _chunk(completion, [{"text": ""}], usage_of(completion.usage), completion.stop_reason)
    return _framed(completion, [*chunks, last])


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that ends in an error after its text."""
    return _framed(completion, [*_chunks(completion), error])


def comes_as_events(completion: Completion) -> bool:
    """Whether the request asks for server-sent events; else a stream is a JSON array that arrives by and by."""
    return completion.exchange.query.get("alt") == "sse"


def _thought(text: str) -> _Part:
    return {"text": text, "thought": True}


def _calls(completion: Completion) -> list[_Part]:
    """An id is there only where one was given: most models have none."""
    return [
        {"functionCall": ({"id": call.id} if call.id else {}) | {"name": call.name, "args": call.decoded}}
        for call in completion.calls
    ]


def _chunks(completion: Completion) -> list[dict[str, Any]]:
    parts = [_thought(piece) for piece in split(completion.reasoning, completion.pieces)]
    parts += [{"text": piece} for piece in split(completion.text, completion.pieces)]
    parts += _calls(completion)
    usage = usage_of(completion.usage)
    return [_chunk(completion, [part], _so_far(usage, number, len(parts) + 1)) for number, part in enumerate(parts, 1)]


def _so_far(usage: dict[str, Any], number: int, chunks: int) -> dict[str, Any]:
    """Thoughts are counted from the start, the answer's tokens up to here."""
    candidates = usage["candidatesTokenCount"] * number // chunks
    total = usage["totalTokenCount"] - usage["candidatesTokenCount"] + candidates
    return usage | {"candidatesTokenCount": candidates, "totalTokenCount": total}


def _chunk(completion: Completion, parts: list[_Part], usage: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    candidate |= ({} if reason is None else {"finishReason": reason}) | {"index": 0}
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": completion.model,
        "responseId": f"gemini{completion.number:06d}",
    }


def _framed(completion: Completion, chunks: list[dict[str, Any]]) -> list[bytes]:
    if comes_as_events(completion):
        return [b"data: %b\r\n\r\n" % sse.encode(chunk) for chunk in chunks]
    return [*(b"%b%b\n" % (b",\r\n" if index else b"[", sse.encode(chunk)) for index, chunk in enumerate(chunks)), b"]\n"]
