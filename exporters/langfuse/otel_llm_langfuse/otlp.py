"""A span as the bytes of an OTLP trace export request, copied with other attributes and another parent."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from otel_llm.delivery.otlp import encode_request
from otel_llm_langfuse import names
from otel_llm_langfuse.conform import encodable
from otel_llm_langfuse.mapping import MappingSettings, map_span
from otel_llm_langfuse.tree import place

#: Events under this prefix can carry messages; Langfuse drops all others.
_CONTENT_EVENTS = "gen_ai."


def record_of(span: ReadableSpan, settings: MappingSettings) -> bytes:
    """One ``ExportTraceServiceRequest`` with one span."""
    return encode_request(mapped_copy(span, settings))


def mapped_copy(span: ReadableSpan, settings: MappingSettings) -> ReadableSpan:
    """The span that Langfuse gets; ``span`` itself stays as it is, for other exporters."""
    attributes = map_span(span, settings)
    has_content = names.INPUT in attributes or names.OUTPUT in attributes
    return ReadableSpan(
        name=encodable(span.name),
        context=span.context,
        parent=place(span, span.attributes or {}).parent,
        resource=span.resource,
        attributes=attributes,
        events=() if has_content else _content_events(span),
        kind=span.kind,
        status=_encodable_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _content_events(span: ReadableSpan) -> Sequence[Event]:
    return [event for event in span.events if event.name.startswith(_CONTENT_EVENTS)]


def _encodable_status(status: Status) -> Status:
    return status if status.description is None else Status(status.status_code, encodable(status.description))
