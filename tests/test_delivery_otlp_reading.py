"""Spans come out of an OTLP request as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from test_delivery_otlp import SPANS

from otel_llm.delivery.otlp import encode_request
from otel_llm.delivery.otlp_reading import decode_request
from otel_llm.span_copies import FIELDS

SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def test_everything_that_a_span_tells() -> None:
    span = ReadableSpan(
        "chat gpt-4o",
        context=SpanContext(0xA, 0xB, is_remote=False, trace_flags=SAMPLED, trace_state=TraceState([("vendor", "1")])),
        parent=SpanContext(0xA, 0xC, is_remote=True, trace_flags=SAMPLED),
        resource=Resource({"service.name": "bot", "tags": ("a", "b")}, "https://schema/r"),
        attributes={"text": "é", "number": -1, "half": 0.5, "yes": True, "raw": b"\0", "several": ("a", "b"), "map": {"x": 1}},
        events=[Event("exception", {"exception.message": "boom"}, 5)],
        links=[Link(SpanContext(0xD, 0xE, is_remote=True, trace_flags=SAMPLED), {"why": "resumed"})],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, "boom"),
        start_time=1,
        end_time=2,
        instrumentation_scope=InstrumentationScope("scope", "1.0", "https://schema/s", {"x": 1}),
    )
    (read,) = decode_request(encode_request(span))
    told = {name: getattr(read, name) for name in FIELDS if name not in ("status", "events", "links")}
    assert told == {name: getattr(span, name) for name in told}
    assert (read.status.status_code, read.status.description) == (StatusCode.ERROR, "boom")
    assert [(event.name, event.attributes, event.timestamp) for event in read.events] == [
        ("exception", {"exception.message": "boom"}, 5)
    ]
    assert [(link.context, link.attributes) for link in read.links] == [(span.links[0].context, {"why": "resumed"})]


@given(span=SPANS)
def test_any_span_has_the_same_bytes_again(span: ReadableSpan) -> None:
    request = encode_request(span)
    (read,) = decode_request(request)
    assert encode_request(read) == request


def test_spans_of_one_resource_and_scope_share_them() -> None:
    made = [ReadableSpan(name, SpanContext(1, 2, is_remote=False), resource=Resource({"service.name": "bot"})) for name in "ab"]
    first, second = decode_request(b"".join(map(encode_request, made)))
    assert (first.name, second.name) == ("a", "b")
    assert first.resource is second.resource
    assert first.instrumentation_scope is second.instrumentation_scope


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="not an OTLP trace export request"):
        decode_request(b"\xff\xff")
