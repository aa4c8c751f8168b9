"""Protocols: one pure module per wire format. Decoded JSON in, facts of a call out; no I/O, no clock, no OpenTelemetry, no HTTP.

The recording rests on one law, tested for each protocol: ``response(fold(events)) == response(body)``. A stream is folded into the
body that a call without streaming would have returned, so streaming is no second code path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from typing import Protocol as Interface

from otel_llm.protocols.facts import Body, ErrorFacts, Message, Part, RequestFacts, ResponseFacts, ToolDefinition, Usage

__all__ = [
    "PROTOCOLS",
    "Body",
    "ErrorFacts",
    "Fold",
    "Message",
    "Part",
    "Protocol",
    "RequestFacts",
    "ResponseFacts",
    "ToolDefinition",
    "Usage",
]


class Fold(Interface):
    """Stream events, one after the other, folded into the body of a call without streaming."""

    #: The event that ends a regular stream has been seen.
    done: bool

    def feed(self, event: Any) -> None:
        """Take one decoded event. Anything unknown is ignored; never raises."""

    def body(self) -> dict[str, Any]:
        """The body so far. May be called at any time, also for a stream that was cut."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A wire format. ``request`` also gets the URL path, where some APIs put the model."""

    name: str
    #: ``gen_ai.operation.name`` of its calls.
    operation: str
    #: Whether a decoded request body has the shape of this protocol; asked only where the host is unknown.
    matches: Callable[[Any], bool]
    request: Callable[[Any, str], RequestFacts]
    response: Callable[[Any], ResponseFacts]
    fold: Callable[[], Fold]


_MODULES = (
    "openai_chat",
    "openai_responses",
    "openai_responses_fetch",
    "openai_completions",
    "openai_embeddings",
    "anthropic_messages",
    "anthropic_complete",
    "gemini",
    "gemini_embeddings",
    "gemini_interactions",
    "ollama_chat",
    "ollama_generate",
    "ollama_embed",
    "cohere_chat",
    "cohere_chat_v1",
    "cohere_embed",
)


def _load(module: str) -> Protocol:
    found = import_module(f"otel_llm.protocols.{module}")
    return Protocol(found.NAME, found.OPERATION, found.matches, found.request, found.response, found.Fold)


#: Name of a protocol -> the protocol.
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in map(_load, _MODULES)}
