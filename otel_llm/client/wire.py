"""What the client needs of a wire format to write it; reading it is the protocols' part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otel_llm.client.request import Question
from otel_llm.client.services import Service
from otel_llm.protocols import Protocol


@dataclass(frozen=True, slots=True)
class Wire:
    """One way to ask."""

    protocol: Protocol
    #: What follows the service's base URL.
    path: str
    #: Header fields that say who asks, from the key.
    headers: Callable[[str], Mapping[str, str]]
    #: The request's body, for a model of a service.
    body: Callable[[Question, str, Service], dict[str, Any]]
    #: The text that an event of a stream adds; empty if none.
    added_text: Callable[[Any], str]


def known(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in fields.items() if value is not None}
