"""Ollama's own API, chat and generate: a completion as a body, or as the lines of a stream."""

from __future__ import annotations

from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.apis import OLLAMA_GENERATE
from otel_llm.testing.provider.completion import Completion, split

_CREATED = "2026-01-01T00:00:00.000000Z"


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming."""
    return _line(completion, completion.text, completion.reasoning, _calls(completion)) | _end(completion)


def stream(completion: Completion) -> list[bytes]:
    """The lines of a regular stream; the last has the counts and no text."""
    return _framed([*_start(completion), _line(completion) | _end(completion)])


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The lines of a stream that ends in an error after its text."""
    return _framed([*_start(completion), error])


def counts(prompt: int | None) -> dict[str, Any]:
    """Times in nanoseconds, and the tokens of the prompt."""
    return {"total_duration": 2_000_000, "load_duration": 500_000, "prompt_eval_count": prompt}


def _start(completion: Completion) -> list[dict[str, Any]]:
    lines = [_line(completion, thinking=piece) for piece in split(completion.reasoning, completion.pieces)]
    lines += [_line(completion, piece) for piece in split(completion.text, completion.pieces)]
    lines += [_line(completion, calls=[call]) for call in _calls(completion)]
    return [line | {"done": False} for line in lines]


def _line(completion: Completion, text: str = "", thinking: str = "", calls: list[Any] | None = None) -> dict[str, Any]:
    head = {"model": completion.model, "created_at": _CREATED}
    thought = {"thinking": thinking} if thinking else {}
    if completion.exchange.protocol == OLLAMA_GENERATE:
        return head | {"response": text} | thought
    return head | {"message": {"role": "assistant", "content": text} | thought | ({"tool_calls": calls} if calls else {})}


def _calls(completion: Completion) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.decoded}}
        for index, call in enumerate(completion.calls)
    ]


def _end(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    timed = {"prompt_eval_duration": 500_000, "eval_count": usage.output_tokens, "eval_duration": 1_000_000}
    return {"done": True, "done_reason": completion.stop_reason} | counts(usage.input_tokens) | timed


def _framed(lines: list[dict[str, Any]]) -> list[bytes]:
    return [sse.encode(line) + b"\n" for line in lines]
