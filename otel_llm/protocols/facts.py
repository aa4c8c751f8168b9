"""What a protocol reads out of a request and a response: the facts of a call, free of any wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

#: A value that OpenTelemetry takes as an attribute.
Scalar: TypeAlias = "str | bool | int | float | tuple[str, ...]"
#: A message part of the conventions: ``{"type": "text", "content": ...}``, ``{"type": "tool_call", ...}``, ...
Part: TypeAlias = dict[str, Any]
#: A message of the conventions: ``{"role": ..., "parts": [...]}``, for output also ``finish_reason``.
Message: TypeAlias = dict[str, Any]
ToolDefinition: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Usage:
    """Token counts in the conventions' sense: input includes cache reads and writes, output includes reasoning.

    ``None`` means that the provider did not say; 0 means that it said 0.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    #: Parts of the input and output by modality, under the conventions' names (``gen_ai.usage.audio.input_tokens``, ...).
    modalities: dict[str, int] = field(default_factory=dict)
    #: USD, as reported by the provider itself.
    cost: float | None = None


@dataclass(slots=True)
class ErrorFacts:
    """An error that the provider reported in a body: its most specific code or type, and its message."""

    type: str
    message: str | None = None


@dataclass(slots=True)
class RequestFacts:
    """What a request body asks for."""

    operation: str
    model: str | None = None
    stream: bool = False
    #: Names of the conventions (``gen_ai.request.temperature``, ...) to values of the right type.
    attributes: dict[str, Scalar] = field(default_factory=dict)
    #: System text that the API keeps apart from the messages (Anthropic's ``system``), as parts.
    system: list[Part] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    tools: list[ToolDefinition] = field(default_factory=list)


@dataclass(slots=True)
class ResponseFacts:
    """What a response body answers, or as much of it as arrived."""

    id: str | None = None
    model: str | None = None
    #: In the conventions' words (stop, length, content_filter, tool_call, ...), one per choice; unknown ones as sent.
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    messages: list[Message] = field(default_factory=list)
    error: ErrorFacts | None = None
    attributes: dict[str, Scalar] = field(default_factory=dict)


Body: TypeAlias = Mapping[str, Any]
