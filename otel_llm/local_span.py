"""A span as the local store keeps it: neutral, typed, and JSON on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from pydantic_core import from_json, to_json

from otel_llm import semconv as sc


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a span; nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """An ended span. Ids are lower-case hex digits, 32 of the trace and 16 of a span; times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    #: The nearest GenAI ancestor where the processor stamped one, else the direct parent, which may not be stored.
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    #: Whether the status is ERROR, and what it says.
    failed: bool = False
    description: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[StoredEvent, ...] = ()
    #: Name of the instrumentation scope, and of the service.
    scope: str | None = None
    service: str | None = None

    def to_json(self) -> bytes:
        """UTF-8 JSON, always decodable: what JSON cannot hold becomes null (NaN), base64 (bytes) or ``?`` (lone surrogates)."""
        try:
            return _dump(self)
        except ValueError:
            return _dump(_without_surrogates(asdict(self)))


def stored_span(span: ReadableSpan) -> StoredSpan:
    """The neutral form of an ended span of the SDK. The span must have a context."""
    assert span.context is not None
    start_ns = span.start_time or 0
    return StoredSpan(
        trace_id=format_trace_id(span.context.trace_id),
        span_id=format_span_id(span.context.span_id),
        parent_id=_parent_id(span),
        name=span.name,
        start_ns=start_ns,
        end_ns=span.end_time or start_ns,
        failed=span.status.status_code is StatusCode.ERROR,
        description=span.status.description,
        attributes=dict(span.attributes or {}),
        events=tuple(map(_stored_event, span.events)),
        scope=span.instrumentation_scope.name if span.instrumentation_scope else None,
        service=_text(span.resource.attributes.get("service.name")),
    )


def span_from_json(body: bytes | str) -> StoredSpan:
    """The inverse of :meth:`StoredSpan.to_json`. Raises ValueError or TypeError if ``body`` is something else."""
    fields = from_json(body)
    events = tuple(StoredEvent(**event) for event in fields.pop("events"))
    return StoredSpan(**fields, events=events)


def _parent_id(span: ReadableSpan) -> str | None:
    ancestor = (span.attributes or {}).get(sc.ANCESTOR_ID)
    if ancestor is not None:
        return str(ancestor) or None
    return format_span_id(span.parent.span_id) if span.parent else None


def _stored_event(event: Event) -> StoredEvent:
    return StoredEvent(event.name, event.timestamp, dict(event.attributes or {}))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _dump(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=str)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
