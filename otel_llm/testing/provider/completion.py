"""What a model answered, before any wire format: a reply with all its gaps filled from the request."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.exchange import ANTHROPIC_MESSAGES, Exchange
from otel_llm.testing.provider.reply import Reply
from otel_llm.testing.provider.tokens import count, made_up, priced

_ECHOED_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its id, and its arguments as the JSON text that goes out."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, ready to be put into a protocol."""

    dialect: Dialect
    number: int
    model: str
    text: str
    reasoning: str
    calls: tuple[Call, ...]
    stop_reason: str
    usage: Usage
    #: In how many pieces a stream sends each text.
    pieces: int


def complete(dialect: Dialect, exchange: Exchange, reply: Reply) -> Completion:
    """Fill the gaps of a reply. The same request and reply give the same completion, but for the number in its ids."""
    native = exchange.protocol == ANTHROPIC_MESSAGES
    text, reasoning = _text(exchange, reply), reply.reasoning or ""
    calls = tuple(
        Call(
            call.id or f"{'toolu_' if native else dialect.call_prefix}{exchange.number:06d}{index}",
            call.name,
            _json(call.arguments),
        )
        for index, call in enumerate(reply.tool_calls)
    )
    regular = ("tool_use" if calls else "end_turn") if native else ("tool_calls" if calls else "stop")
    answer = text + "".join(call.name + call.arguments for call in calls)
    usage = _as_sent(made_up(reply.usage, prompt=exchange.text, answer=answer, reasoning=reasoning), native=native)
    return Completion(
        dialect=dialect,
        number=exchange.number,
        model=reply.model or dialect.model(exchange.model or ""),
        text=text,
        reasoning=reasoning,
        calls=calls,
        stop_reason=reply.stop_reason or regular,
        usage=priced(usage) if dialect.reports_cost else usage,
        pieces=reply.stream_pieces,
    )


def prompt_tokens(exchange: Exchange) -> int:
    """Tokens of a request, as ``count_tokens`` reports them."""
    return count(exchange.text)


def split(text: str, pieces: int) -> list[str]:
    """A text in so many pieces of about the same length, or in single characters if it is shorter; [] for an empty one."""
    pieces = min(max(pieces, 1), len(text))
    return [text[len(text) * index // pieces : len(text) * (index + 1) // pieces] for index in range(pieces)]


def _as_sent(usage: Usage, *, native: bool) -> Usage:
    """Counts that a protocol never carries, or not where they are 0, are None: nobody can read them from the answer."""
    if native:
        return replace(usage, reasoning=usage.reasoning or None)
    return replace(usage, cache_write=usage.cache_write or None, cache_write_5m=None, cache_write_1h=None)


def _text(exchange: Exchange, reply: Reply) -> str:
    if reply.text is not None:
        return reply.text
    return "" if reply.tool_calls else f"You said: {exchange.last_text[:_ECHOED_CHARACTERS]}"


def _json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
