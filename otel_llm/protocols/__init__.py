"""Protocols: one pure module per wire format. Decoded JSON in, facts of a call out; no I/O, no clock, no OpenTelemetry, no HTTP.

The recording rests on one law, tested for each protocol: ``response(fold(events)) == response(body)``. A stream is folded into the
body that a call without streaming would have returned, so streaming is no second code path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import otel_llm.protocols.anthropic_messages as anthropic_messages
import otel_llm.protocols.openai_chat as openai_chat
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


PROTOCOLS: dict[str, Protocol] = {
    module.NAME: Protocol(module.NAME, module.OPERATION, module.matches, module.request, module.response, module.Fold)
    for module in (openai_chat, anthropic_messages)
}
