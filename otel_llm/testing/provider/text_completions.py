"""OpenAI's text completions: a completion as a body, or as the pieces of a stream."""

from __future__ import annotations

from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.chat import CREATED, asks_for_usage
from otel_llm.testing.provider.completion import Completion, split
from otel_llm.testing.provider.usage import totals as usage_of


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming: one choice, however many prompts there were."""
    choice = _choice(completion.text, completion.stop_reason)
    return _head(completion) | {"choices": [choice], "usage": usage_of(completion.usage)}


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream, an event each; usage comes last, if the request asks for it."""
    chunks = [*_texts(completion), _head(completion) | {"choices": [_choice("", completion.stop_reason)]}]
    if asks_for_usage(completion):
        chunks.append(_head(completion) | {"choices": [], "usage": usage_of(completion.usage)})
    return [*map(sse.frame, chunks), sse.DONE]


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that ends in an error after its text."""
    return [*map(sse.frame, _texts(completion)), sse.frame(error)]


def _texts(completion: Completion) -> list[dict[str, Any]]:
    return [_head(completion) | {"choices": [_choice(piece, None)]} for piece in split(completion.text, completion.pieces)]


def _head(completion: Completion) -> dict[str, Any]:
    return {"id": f"cmpl-{completion.number:06d}", "object": "text_completion", "created": CREATED, "model": completion.model}


def _choice(text: str, reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
