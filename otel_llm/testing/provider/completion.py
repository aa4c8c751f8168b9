"""What a model answered, before any wire format: a reply with all its gaps filled from the request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.apis import Api
from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.exchange import Exchange
from otel_llm.testing.provider.reply import Reply
from otel_llm.testing.provider.tokens import count, made_up, priced

_ECHOED_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its id ("": none), and its arguments as the JSON text that goes out."""

    id: str
    name: str
    arguments: str

    @property
    def decoded(self) -> Any:
        """The arguments as an object, for APIs that send them so; as they are if they are broken JSON."""
        try:
            return from_json(self.arguments)
        except ValueError:
            return self.arguments


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, ready to be put into a protocol."""

    dialect: Dialect
    exchange: Exchange
    model: str
    text: str
    reasoning: str
    calls: tuple[Call, ...]
    stop_reason: str
    usage: Usage
    #: In how many pieces a stream sends each text.
    pieces: int

    @property
    def number(self) -> int:
        """The exchange's, which ids end in."""
        return self.exchange.number


def complete(dialect: Dialect, api: Api, exchange: Exchange, reply: Reply) -> Completion:
    """Fill the gaps of a reply. The same request and reply give the same completion, but for the number in its ids."""
    text, reasoning = _text(exchange, reply), reply.reasoning or ""
    calls = _calls(dialect, api, exchange, reply)
    answer = text + "".join(call.name + call.arguments for call in calls)
    usage = _as_sent(made_up(reply.usage, prompt=exchange.text, answer=answer, reasoning=reasoning), dialect, api)
    return Completion(
        dialect=dialect,
        exchange=exchange,
        model=reply.model or dialect.model(exchange.model or ""),
        text=text,
        reasoning=reasoning,
        calls=calls,
        stop_reason=reply.stop_reason or (api.tool_stop if calls else api.stop),
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


def _calls(dialect: Dialect, api: Api, exchange: Exchange, reply: Reply) -> tuple[Call, ...]:
    prefix = dialect.call_prefix if api.call_prefix is None else api.call_prefix
    return tuple(
        Call(call.id or (f"{prefix}{exchange.number:06d}{index}" if prefix else ""), call.name, _json(call.arguments))
        for index, call in enumerate(reply.tool_calls)
    )


def _as_sent(usage: Usage, dialect: Dialect, api: Api) -> Usage:
    """Counts that an answer never carries, or not where they are 0, are None: nobody can read them from it."""
    sent = {"input_tokens": usage.input_tokens, "output_tokens": None if api.embeds else usage.output_tokens}
    sent |= {name: getattr(usage, name) for name in api.always}
    sent |= {name: getattr(usage, name) or None for name in api.if_any}
    return Usage(**sent | dict.fromkeys(dialect.uncounted), cost=usage.cost if dialect.reports_cost else None)


def _text(exchange: Exchange, reply: Reply) -> str:
    if reply.text is not None:
        return reply.text
    return "" if reply.tool_calls else f"You said: {exchange.last_text[:_ECHOED_CHARACTERS]}"


def _json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
