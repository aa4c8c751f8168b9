"""Spans out of the bytes of an OTLP ``ExportTraceServiceRequest``: the other way round than :mod:`otel_llm.delivery.otlp`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope as ScopeMessage
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

#: ``SpanFlags``: the parent, or the span that a link leads to, is remote.
_REMOTE: Final = 0x200


def decode_request(request: bytes) -> list[ReadableSpan]:
    """The spans of a request, as sampled ones. How many attributes, events and links were dropped is not told.

    Raises ValueError if the bytes are no request.
    """
    try:
        message = ExportTraceServiceRequest.FromString(request)
    except DecodeError:
        raise ValueError("not an OTLP trace export request") from None
    return [
        _span(span, _resource(group.resource.SerializeToString(), group.schema_url), scope)
        for group in message.resource_spans
        for scoped in group.scope_spans
        for scope in (_scope(scoped.scope.SerializeToString(), scoped.schema_url),)
        for span in scoped.spans
    ]


@lru_cache(maxsize=64)
def _resource(body: bytes, schema_url: str) -> Resource:
    """The same few come with every span, and are to be the same objects then."""
    return Resource(_attributes(ResourceMessage.FromString(body).attributes), schema_url)


@lru_cache(maxsize=64)
def _scope(body: bytes, schema_url: str) -> InstrumentationScope:
    scope = ScopeMessage.FromString(body)
    return InstrumentationScope(scope.name, scope.version or None, schema_url or None, _attributes(scope.attributes) or None)


def _span(span: SpanMessage, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    context = _context(span.trace_id, span.span_id, state=span.trace_state)
    return ReadableSpan(
        span.name,
        context=context,
        parent=_context(span.trace_id, span.parent_span_id, remote=bool(span.flags & _REMOTE)) if span.parent_span_id else None,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.time_unix_nano) for event in span.events],
        links=[
            Link(_context(link.trace_id, link.span_id, remote=bool(link.flags & _REMOTE)), _attributes(link.attributes))
            for link in span.links
        ],
        kind=SpanKind(max(span.kind - 1, 0)),
        status=Status(StatusCode(span.status.code), span.status.message or None),
        start_time=span.start_time_unix_nano or None,
        end_time=span.end_time_unix_nano or None,
        instrumentation_scope=scope,
    )


def _context(trace_id: bytes, span_id: bytes, *, remote: bool = False, state: str = "") -> SpanContext:
    return SpanContext(
        int.from_bytes(trace_id, "big"),
        int.from_bytes(span_id, "big"),
        is_remote=remote,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([state]) if state else None,
    )


def _attributes(fields: Iterable[KeyValue]) -> Mapping[str, Any]:
    return {field.key: _value(field.value) for field in fields}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
