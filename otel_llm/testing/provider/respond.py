"""From a request and a reply to an answer, in the vendor's dialect. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.answer import Answer
from otel_llm.testing.provider.apis import COUNT_TOKENS, MODELS, TAGS, Api
from otel_llm.testing.provider.completion import Completion, complete, prompt_tokens
from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.errors import error_body, in_stream
from otel_llm.testing.provider.exchange import Exchange
from otel_llm.testing.provider.formats import FORMATS
from otel_llm.testing.provider.headers import vendor_headers
from otel_llm.testing.provider.listing import model_list, tags
from otel_llm.testing.provider.reply import Reply

_NO_REPLY = Reply()
#: Header fields that carry a key as it is.
_KEY_FIELDS = ("x-api-key", "x-goog-api-key", "api-key")


def respond(dialect: Dialect, api: Api, exchange: Exchange, reply: Reply) -> Answer:
    """The answer to a valid model call."""
    if reply.status >= 400:
        return failure(dialect, exchange, reply.status, reply)
    completion = complete(dialect, api, exchange, reply)
    if reply.error is not None:
        return _failed_late(completion, reply)
    form = FORMATS[api.name]
    if not exchange.stream:
        return replace(_json(dialect, exchange, form.body(completion), reply.status), usage=completion.usage)
    return _streamed(completion, form.stream(completion), usage=form.sends_usage(completion))


def refusal(dialect: Dialect, exchange: Exchange) -> Answer | None:
    """Why a request is not answered, if it is not: no key, no such path, no valid body."""
    if dialect.no_key is not None and not _has_key(exchange):
        return failure(dialect, exchange, dialect.no_key_status, Reply(error=dialect.no_key))
    if exchange.protocol is None:
        return failure(dialect, exchange, 404, Reply(error=f"Unknown request URL: {exchange.method} {exchange.path}."))
    if exchange.method != ("GET" if exchange.protocol in (MODELS, TAGS) else "POST"):
        return failure(dialect, exchange, 405, Reply(error=f"Not allowed: {exchange.method} {exchange.path}."))
    if exchange.api and (missing := [key for key in exchange.api.required if not exchange.get(key)]):
        return failure(dialect, exchange, 400, Reply(error=f"{missing[0]}: Field required"))
    return None


def information(dialect: Dialect, exchange: Exchange, models: Sequence[str | Mapping[str, Any]]) -> Answer:
    """The answer to a request that calls no model: a token count or the list of models."""
    if exchange.protocol == COUNT_TOKENS:
        return _json(dialect, exchange, {"input_tokens": prompt_tokens(exchange)})
    return _json(dialect, exchange, (tags if exchange.protocol == TAGS else model_list)(dialect, models))


def failure(dialect: Dialect, exchange: Exchange, status: int, reply: Reply = _NO_REPLY) -> Answer:
    """An error body."""
    return _json(dialect, exchange, error_body(dialect, exchange, status, reply.error), status)


def _failed_late(completion: Completion, reply: Reply) -> Answer:
    """An error after HTTP has said 200: inside the stream, or as the body."""
    assert reply.error is not None
    dialect, exchange = completion.dialect, completion.exchange
    form, error = FORMATS[exchange.protocol or ""], in_stream(dialect, exchange, reply.error)
    if exchange.stream:
        return _streamed(completion, form.failed_stream(completion, error), usage=False)
    return _json(dialect, exchange, form.failed_body(completion, error), reply.status)


def _json(dialect: Dialect, exchange: Exchange, body: Any, status: int = 200) -> Answer:
    headers = {"content-type": "application/json"} | vendor_headers(dialect, exchange.number, status)
    return Answer(status, headers, [sse.encode(body)])


def _streamed(completion: Completion, pieces: list[bytes], *, usage: bool) -> Answer:
    dialect, exchange = completion.dialect, completion.exchange
    content_type = FORMATS[exchange.protocol or ""].content_type(completion)
    headers = {"content-type": content_type} | vendor_headers(dialect, exchange.number, 200)
    return Answer(200, headers, pieces, streamed=True, usage=completion.usage if usage else None)


def _has_key(exchange: Exchange) -> bool:
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    named = (scheme.lower() == "bearer" and token.strip()) or exchange.query.get("key")
    return bool(named or any(exchange.headers.get(field) for field in _KEY_FIELDS))
