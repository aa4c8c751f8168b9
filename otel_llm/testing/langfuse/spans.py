"""A span as the ingestion sees it: plain values, whatever the encoding of the request was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm.testing.langfuse import javascript

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A span event."""

    name: str
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One span of an export request, with its resource and scope. Times are integer milliseconds since 1970 UTC, as stored."""

    trace_id: str
    span_id: str
    #: Empty for a root.
    parent_id: str
    name: str
    start_ms: int
    end_ms: int
    attributes: Attributes
    events: list[Event] = field(default_factory=list)
    is_error: bool = False
    status_message: Any = None
    resource: Attributes = field(default_factory=dict)
    #: ``name`` and ``version``, each only if it was sent.
    scope: Attributes = field(default_factory=dict)
    scope_attributes: Attributes = field(default_factory=dict)

    def first(self, *names: str) -> Any:
        """The value of the first attribute among these that is set and not falsy, as JavaScript's ``||`` picks it."""
        return next((value for name in names if javascript.truthy(value := self.attributes.get(name))), None)

    def first_text(self, *names: str) -> str:
        """``first`` as text; empty if there is none."""
        value = self.first(*names)
        return "" if value is None else javascript.text(value)


def plain(value: Any) -> Any:
    """An OTLP/JSON AnyValue as a plain value. A map or bytes is not decoded but becomes the JSON text of the AnyValue."""
    if not isinstance(value, Mapping):
        return javascript.stringify(value)
    for kind in ("stringValue", "doubleValue", "boolValue"):
        if value.get(kind) is not None:
            return value[kind]
    array = value.get("arrayValue")
    if isinstance(array, Mapping) and isinstance(array.get("values"), list):
        return [plain(item) for item in array["values"]]
    if value.get("intValue") is not None:
        return javascript.number(value["intValue"])
    return javascript.stringify(value)


def plain_attributes(pairs: Any) -> Attributes:
    """OTLP/JSON key-value pairs as a dictionary; the last of a repeated key wins."""
    return {str(pair.get("key")): plain(pair.get("value")) for pair in pairs or [] if isinstance(pair, Mapping)}
