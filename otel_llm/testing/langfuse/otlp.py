"""Export requests, protobuf or JSON, to plain spans; and the requests that the server refuses as a whole."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.spans import Attributes, Event, Span, plain_attributes

_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_ID_DIGITS = {"traceId": 32, "spanId": 16}


class RefusedError(ValueError):
    """The whole request is answered with 400 and nothing of it is stored. The message names the fault."""


def from_json(body: bytes) -> list[Span]:
    """The spans of an OTLP/JSON request. Ids are taken as they are. Raises RefusedError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise RefusedError(f"Failed to parse OTel JSON Trace: {failure}") from failure
    if not isinstance(document, dict):
        raise RefusedError("Failed to parse OTel JSON Trace: not an object")
    return list(_json_spans(document))


def from_protobuf(body: bytes) -> list[Span]:
    """The spans of a binary request. Raises RefusedError."""
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as failure:
        raise RefusedError(f"Failed to parse OTel Protobuf Trace: {failure}") from failure
    return list(_protobuf_spans(request))


def _json_spans(document: dict[str, Any]) -> Iterator[Span]:
    for resource_spans in _list(document, "resourceSpans"):
        resource = plain_attributes(_list(_object(resource_spans, "resource"), "attributes"))
        for scope_spans in _list(resource_spans, "scopeSpans"):
            sent = _object(scope_spans, "scope")
            scope = {name: sent[name] for name in ("name", "version") if sent.get(name)}
            scope_attributes = plain_attributes(_list(sent, "attributes"))
            for span in _list(scope_spans, "spans"):
                yield _json_span(span, resource, scope, scope_attributes)


def _json_span(span: dict[str, Any], resource: Attributes, scope: Attributes, scope_attributes: Attributes) -> Span:
    status = _object(span, "status")
    start, end = _times(_milliseconds(span.get("startTimeUnixNano")), _milliseconds(span.get("endTimeUnixNano")))
    return Span(
        trace_id=_id(span, "traceId"),
        span_id=_id(span, "spanId"),
        parent_id=str(span.get("parentSpanId") or ""),
        name=str(span.get("name") or ""),
        start_ms=start,
        end_ms=end,
        attributes=plain_attributes(_list(span, "attributes")),
        events=[
            Event(str(event.get("name") or ""), plain_attributes(_list(event, "attributes"))) for event in _list(span, "events")
        ],
        is_error=status.get("code") == 2,
        status_message=status.get("message"),
        resource=resource,
        scope=scope,
        scope_attributes=scope_attributes,
    )


def _object(container: dict[str, Any], name: str) -> dict[str, Any]:
    value = container.get(name)
    return value if isinstance(value, dict) else {}


def _list(container: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = container.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RefusedError(f"Invalid OTLP request: {name}:not_an_array")
    return [item for item in value if isinstance(item, dict)]


def _id(span: dict[str, Any], name: str) -> str:
    """An id as sent. Hexadecimal ones must have the right length; other strings (base64, say) pass."""
    value = span.get(name)
    if value is None or value == "":
        raise RefusedError(f"Invalid OTLP request: {name}:absent")
    if not isinstance(value, str):
        raise RefusedError(f"Invalid OTLP request: {name}:not_an_id")
    if _HEX.match(value) and len(value) != _ID_DIGITS[name]:
        raise RefusedError(f"Invalid OTLP request: {name}:wrong_length")
    return value


def _milliseconds(nanoseconds: Any) -> int | None:
    """Nanoseconds cut to milliseconds. A JSON number has gone through a double first."""
    if isinstance(nanoseconds, (int, float)):
        return int(float(nanoseconds) / 1e6)
    try:
        return int(nanoseconds) // 1_000_000
    except (TypeError, ValueError):
        return None


def _times(start: int | None, end: int | None) -> tuple[int, int]:
    """A missing edge is the other edge; if both are missing, now."""
    now = time.time_ns() // 1_000_000
    return (
        start if start is not None else end if end is not None else now,
        end if end is not None else start if start is not None else now,
    )


def _protobuf_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            sent = scope_spans.scope
            scope = {name: value for name, value in (("name", sent.name), ("version", sent.version)) if value}
            scope_attributes = _attributes(sent.attributes)
            for span in scope_spans.spans:
                yield _protobuf_span(span, resource, scope, scope_attributes)


def _protobuf_span(span: Any, resource: Attributes, scope: Attributes, scope_attributes: Attributes) -> Span:
    start, end = _times(
        span.start_time_unix_nano // 1_000_000 or None,
        span.end_time_unix_nano // 1_000_000 or None,
    )
    ids = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    return Span(
        trace_id=_id(ids, "traceId"),
        span_id=_id(ids, "spanId"),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        start_ms=start,
        end_ms=end,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes)) for event in span.events],
        is_error=span.status.code == 2,
        status_message=span.status.message,
        resource=resource,
        scope=scope,
        scope_attributes=scope_attributes,
    )


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind in {"string_value", "bool_value", "double_value"}:
        return getattr(value, kind)
    if kind == "int_value":
        return javascript.number(value.int_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return javascript.stringify(_raw(value))


def _raw(value: Any) -> dict[str, Any]:
    """An AnyValue in its OTLP/JSON form, which is what the server keeps of the kinds that it does not decode."""
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    content = getattr(value, kind)
    name = kind.removesuffix("_value") + "Value"
    if kind == "array_value":
        return {name: {"values": [_raw(item) for item in content.values]}}
    if kind == "kvlist_value":
        return {name: {"values": [{"key": pair.key, "value": _raw(pair.value)} for pair in content.values]}}
    if kind == "bytes_value":
        return {name: base64.b64encode(content).decode()}
    return {name: str(content) if kind == "int_value" else content}
