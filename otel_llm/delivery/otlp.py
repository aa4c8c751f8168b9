"""One span as the bytes of an OTLP ``ExportTraceServiceRequest`` (opentelemetry/proto/trace/v1/trace.proto).

The bytes are those of the official encoder, ``encode_spans([span]).SerializeToString()``, at an eighth of its cost: it builds a
message object for each value first, and holds the interpreter lock while it serialises them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status

from otel_llm.delivery.otlp_values import attributes, message, varint

_FIXED64: Final = struct.Struct("<Q").pack
#: ``SpanFlags``: whether the parent is remote is known (bit 8), and it is (bit 9).
_LOCAL: Final = struct.pack("<I", 0x100)
_REMOTE: Final = struct.pack("<I", 0x300)
_MOST_ORIGINS: Final = 64

_Origin = tuple[Resource, InstrumentationScope | None, bytes, bytes, bytes]
#: Encoded resources and scopes by their identities; they are held here, so that an identity is not given away meanwhile.
_origins: dict[tuple[int, int], _Origin] = {}


def encode_request(span: ReadableSpan, *, strict: bool = False) -> bytes:
    """A request with one span. Requests concatenate: many of them, joined, are one request.

    ``strict`` as for :func:`~otel_llm.delivery.otlp_values.attributes`, of the span, its events and links.
    """
    _, _, resource, scope, scope_schema = _origin(span.resource, span.instrumentation_scope)
    pieces = _span(span, strict)
    span_size = sum(map(len, pieces))
    span_head = b"\x12" + varint(span_size)
    group_size = len(scope) + len(span_head) + span_size + len(scope_schema)
    group_head = b"\x12" + varint(group_size)
    resource_schema = _text(b"\x1a", span.resource.schema_url)
    size = len(resource) + len(group_head) + group_size + len(resource_schema)
    return b"".join((b"\x0a", varint(size), resource, group_head, scope, span_head, *pieces, scope_schema, resource_schema))


def _origin(resource: Resource, scope: InstrumentationScope | None) -> _Origin:
    """Resource, scope and the scope's schema URL, encoded; the same few objects come with every span."""
    key = id(resource), id(scope)
    known = _origins.get(key)
    if known is None:
        if len(_origins) >= _MOST_ORIGINS:
            _origins.clear()
        known = (resource, scope, *_encoded_origin(resource, scope))
        _origins[key] = known
    return known


def _encoded_origin(resource: Resource, scope: InstrumentationScope | None) -> tuple[bytes, bytes, bytes]:
    encoded_resource = message(b"\x0a", b"".join(attributes(b"\x0a", resource.attributes)))
    if scope is None:
        return encoded_resource, message(b"\x0a", b""), b""
    name_and_version = _text(b"\x0a", scope.name) + _text(b"\x12", scope.version)
    encoded_scope = message(b"\x0a", name_and_version + b"".join(attributes(b"\x1a", scope.attributes)))
    return encoded_resource, encoded_scope, _text(b"\x1a", scope.schema_url)


def _span(span: ReadableSpan, strict: bool) -> list[bytes]:
    context, parent = span.context, span.parent
    if context is None:
        raise ValueError("a span without a context has no id")
    return [
        _ids(b"\x0a", context, b"\x12"),
        _trace_state(context),
        message(b"\x22", parent.span_id.to_bytes(8, "big")) if parent else b"",
        _text(b"\x2a", span.name),
        b"\x30" + varint(span.kind.value + 1),
        _time(b"\x39", span.start_time),
        _time(b"\x41", span.end_time),
        *attributes(b"\x4a", span.attributes, strict=strict),
        _count(b"\x50", span.dropped_attributes),
        *_events(span.events, strict),
        _count(b"\x60", span.dropped_events),
        *_links(span.links, strict),
        _count(b"\x70", span.dropped_links),
        _status(span.status),
        b"\x85\x01",
        _flags(parent),
    ]


def _events(events: Iterable[Event], strict: bool) -> Iterable[bytes]:
    for event in events:
        body = (
            _time(b"\x09", event.timestamp),
            _text(b"\x12", event.name),
            *attributes(b"\x1a", event.attributes, strict=strict),
            _count(b"\x20", event.dropped_attributes),
        )
        yield message(b"\x5a", b"".join(body))


def _links(links: Iterable[Link], strict: bool) -> Iterable[bytes]:
    """Without their trace states, as the official encoder leaves them out."""
    for link in links:
        body = (
            _ids(b"\x0a", link.context, b"\x12"),
            *attributes(b"\x22", link.attributes, strict=strict),
            _count(b"\x28", link.dropped_attributes),
            b"\x35",
            _flags(link.context),
        )
        yield message(b"\x6a", b"".join(body))


def _status(status: Status | None) -> bytes:
    if status is None:
        return b""
    return message(b"\x7a", _text(b"\x12", status.description) + _count(b"\x18", status.status_code.value))


def _ids(trace_tag: bytes, context: SpanContext, span_tag: bytes) -> bytes:
    trace_id, span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
    return b"".join((trace_tag, b"\x10", trace_id, span_tag, b"\x08", span_id))


def _trace_state(context: SpanContext) -> bytes:
    state = context.trace_state
    return _text(b"\x1a", ",".join(f"{key}={value}" for key, value in state.items())) if state else b""


def _flags(context: SpanContext | None) -> bytes:
    return _REMOTE if context and context.is_remote else _LOCAL


def _text(tag: bytes, text: str | None) -> bytes:
    return message(tag, text.encode()) if text else b""


def _time(tag: bytes, since_1970_ns: int | None) -> bytes:
    return tag + _FIXED64(since_1970_ns) if since_1970_ns else b""


def _count(tag: bytes, count: int) -> bytes:
    return tag + varint(count) if count else b""
