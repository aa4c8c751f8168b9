"""How each API puts a completion on the wire: a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_llm.testing.provider import apis, chat, cohere, embeddings, gemini, messages, ollama, responses, text_completions
from otel_llm.testing.provider.completion import Completion

_EVENTS = "text/event-stream; charset=utf-8"


def _never(completion: Completion) -> list[bytes]:
    raise AssertionError(f"{completion.exchange.protocol} has no streams")


def _never_fails(completion: Completion, _: dict[str, Any]) -> list[bytes]:
    return _never(completion)


def _error_alone(_: Completion, error: dict[str, Any]) -> dict[str, Any]:
    return error


def _always(_: Completion) -> bool:
    return True


def _events(_: Completion) -> str:
    return _EVENTS


def _lines(_: Completion) -> str:
    return "application/x-ndjson"


def _events_or_array(completion: Completion) -> str:
    return "text/event-stream" if gemini.comes_as_events(completion) else "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Format:
    """An API's bodies and streams. The ``failed`` ones carry an error that comes after HTTP has said 200."""

    body: Callable[[Completion], dict[str, Any]]
    stream: Callable[[Completion], list[bytes]] = _never
    failed_stream: Callable[[Completion, dict[str, Any]], list[bytes]] = _never_fails
    failed_body: Callable[[Completion, dict[str, Any]], dict[str, Any]] = _error_alone
    #: Of a stream.
    content_type: Callable[[Completion], str] = _events
    #: Whether a stream carries its usage.
    sends_usage: Callable[[Completion], bool] = _always


FORMATS = {
    apis.OPENAI_CHAT: Format(chat.body, chat.stream, chat.failed_stream, sends_usage=chat.sends_usage),
    apis.OPENAI_RESPONSES: Format(responses.body, responses.stream, responses.failed_stream, responses.failed_body),
    apis.OPENAI_COMPLETIONS: Format(
        text_completions.body,
        text_completions.stream,
        text_completions.failed_stream,
        sends_usage=chat.asks_for_usage,
    ),
    apis.OPENAI_EMBEDDINGS: Format(embeddings.openai),
    apis.ANTHROPIC_MESSAGES: Format(messages.body, messages.stream, messages.failed_stream),
    apis.GEMINI: Format(gemini.body, gemini.stream, gemini.failed_stream, content_type=_events_or_array),
    apis.GEMINI_EMBEDDINGS: Format(embeddings.gemini),
    apis.OLLAMA_CHAT: Format(ollama.body, ollama.stream, ollama.failed_stream, content_type=_lines),
    apis.OLLAMA_GENERATE: Format(ollama.body, ollama.stream, ollama.failed_stream, content_type=_lines),
    apis.OLLAMA_EMBED: Format(embeddings.ollama_embed),
    apis.COHERE_CHAT: Format(cohere.body, cohere.stream, cohere.failed_stream),
    apis.COHERE_EMBED: Format(embeddings.cohere),
}
