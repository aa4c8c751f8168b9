"""From a request and a reply to an answer, in the vendor's dialect. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import chat, messages, sse
from otel_llm.testing.provider.answer import Answer
from otel_llm.testing.provider.completion import complete, prompt_tokens
from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.errors import error_body, in_stream
from otel_llm.testing.provider.exchange import ANTHROPIC_MESSAGES, COUNT_TOKENS, INFERENCE, MODELS, Exchange
from otel_llm.testing.provider.headers import vendor_headers
from otel_llm.testing.provider.reply import Reply

_NO_REPLY = Reply()


def respond(dialect: Dialect, exchange: Exchange, reply: Reply) -> Answer:
    """The answer to a valid model call."""
    if reply.status >= 400:
        return failure(dialect, exchange, reply.status, reply)
    if reply.error is not None:
        return _failed_late(dialect, exchange, reply)
    completion = complete(dialect, exchange, reply)
    usage = completion.usage
    if exchange.protocol == ANTHROPIC_MESSAGES:
        if exchange.stream:
            return _events(dialect, exchange, messages.stream(completion), usage)
        return replace(_json(dialect, exchange, messages.body(completion), reply.status), usage=usage)
    if exchange.stream:
        asked = chat.sends_usage(dialect, exchange)
        return _events(dialect, exchange, chat.stream(completion, with_usage=asked), usage if asked else None)
    return replace(_json(dialect, exchange, chat.body(completion), reply.status), usage=usage)


def refusal(dialect: Dialect, exchange: Exchange) -> Answer | None:
    """Why a request is not answered, if it is not: no key, no such path, no valid body."""
    if not _has_key(exchange):
        return failure(dialect, exchange, 401, Reply(error=dialect.no_key))
    if exchange.protocol is None:
        return failure(dialect, exchange, 404, Reply(error=f"Unknown request URL: {exchange.method} {exchange.path}."))
    if exchange.method != ("GET" if exchange.protocol == MODELS else "POST"):
        return failure(dialect, exchange, 405, Reply(error=f"Not allowed: {exchange.method} {exchange.path}."))
    if exchange.protocol in INFERENCE and (missing := [key for key in _required(exchange) if not _has(exchange, key)]):
        return failure(dialect, exchange, 400, Reply(error=f"{missing[0]}: Field required"))
    return None


def information(dialect: Dialect, exchange: Exchange, models: Sequence[str]) -> Answer:
    """The answer to a request that calls no model: a token count or the list of models."""
    if exchange.protocol == COUNT_TOKENS:
        return _json(dialect, exchange, {"input_tokens": prompt_tokens(exchange)})
    return _json(dialect, exchange, {"object": "list", "data": [_model(dialect, name) for name in models]})


def failure(dialect: Dialect, exchange: Exchange, status: int, reply: Reply = _NO_REPLY) -> Answer:
    """An error body."""
    return _json(dialect, exchange, error_body(dialect, exchange, status, reply.error), status)


def _failed_late(dialect: Dialect, exchange: Exchange, reply: Reply) -> Answer:
    """An error after HTTP has said 200: inside the stream, or as the body."""
    assert reply.error is not None
    error = in_stream(dialect, exchange, reply.error)
    if not exchange.stream:
        return _json(dialect, exchange, error, reply.status)
    completion = complete(dialect, exchange, reply)
    native = exchange.protocol == ANTHROPIC_MESSAGES
    return _events(dialect, exchange, (messages if native else chat).failed_stream(completion, error))


def _json(dialect: Dialect, exchange: Exchange, body: Any, status: int = 200) -> Answer:
    headers = {"content-type": "application/json"} | vendor_headers(dialect, exchange.number, status)
    return Answer(status, headers, [sse.encode(body)])


def _events(dialect: Dialect, exchange: Exchange, pieces: list[bytes], usage: Usage | None = None) -> Answer:
    headers = {"content-type": "text/event-stream; charset=utf-8"} | vendor_headers(dialect, exchange.number, 200)
    return Answer(200, headers, pieces, streamed=True, usage=usage)


def _has_key(exchange: Exchange) -> bool:
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    return bool((scheme.lower() == "bearer" and token.strip()) or exchange.headers.get("x-api-key"))


def _required(exchange: Exchange) -> Sequence[str]:
    return ("model", "max_tokens", "messages") if exchange.protocol == ANTHROPIC_MESSAGES else ("model", "messages")


def _has(exchange: Exchange, key: str) -> bool:
    return isinstance(exchange.body, dict) and bool(exchange.body.get(key))


def _model(dialect: Dialect, name: str) -> dict[str, Any]:
    if dialect.name == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": chat.CREATED, "owned_by": dialect.name}
