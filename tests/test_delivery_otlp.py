"""Our encoder of OTLP gives the bytes that the official one gives."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel_llm.delivery import otlp
from otel_llm.delivery.otlp import encode_request


@pytest.fixture(autouse=True)
def _quiet_official_encoder() -> Iterator[None]:
    """It logs what it leaves out."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def official(span: ReadableSpan) -> bytes:
    return bytes(encode_spans([span]).SerializeToString())


CONTEXT = SpanContext(0xA, 0xB, is_remote=False, trace_flags=TraceFlags(1))


def made(**given: Any) -> ReadableSpan:
    told: dict[str, Any] = {"name": "chat gpt-4o", "context": CONTEXT, "resource": Resource({}), "status": Status()} | given
    return ReadableSpan(**told)


TEXTS = st.text(max_size=40) | st.text(alphabet="é→\U0001f600\ud83d\0a", max_size=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**63) - 1, 2**63)
    | st.sampled_from([0, -1, 127, 128, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1])
    | st.floats()
    | st.binary(max_size=20)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXTS | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)
ATTRIBUTES = st.none() | st.dictionaries(TEXTS, VALUES, max_size=6)
NANOSECONDS = st.integers(0, 2**64 - 1)
TELLABLE = TEXTS.filter(lambda text: "\ud83d" not in text)
CONTEXTS = st.builds(
    SpanContext,
    trace_id=st.integers(0, 2**128 - 1),
    span_id=st.integers(0, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.integers(0, 255).map(TraceFlags),
    trace_state=st.none() | st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))).map(TraceState),
)
SPANS = st.builds(
    ReadableSpan,
    name=TELLABLE,
    context=CONTEXTS,
    parent=st.none() | CONTEXTS,
    resource=st.builds(Resource, st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans(), max_size=4), TELLABLE),
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Event, name=TELLABLE, attributes=ATTRIBUTES, timestamp=NANOSECONDS.filter(bool)), max_size=3),
    links=st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=3),
    kind=st.sampled_from(SpanKind),
    status=st.sampled_from([Status(code) for code in StatusCode]) | TELLABLE.map(lambda text: Status(StatusCode.ERROR, text)),
    start_time=st.none() | NANOSECONDS,
    end_time=st.none() | NANOSECONDS,
    instrumentation_scope=st.none()
    | st.builds(InstrumentationScope, TELLABLE, st.none() | TELLABLE, TELLABLE, st.none() | st.just({"key": (1, 2)})),
)


@given(span=SPANS)
def test_any_span_has_the_bytes_of_the_official_encoder(span: ReadableSpan) -> None:
    assert encode_request(span) == official(span)


@pytest.mark.parametrize("size", [126, 127, 128, 16_383, 16_384, 280_000, 2_100_000])
def test_lengths_of_any_size(size: int) -> None:
    span = made(attributes={"gen_ai.input.messages": "a" * size, "utf8": "→" * (size // 3)})
    assert encode_request(span) == official(span)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324])
def test_floats_that_compare_oddly(value: float) -> None:
    span = made(attributes={"x": value})
    assert encode_request(span) == official(span)


def test_a_span_of_the_sdk_with_everything_it_can_drop() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider(
        sampler=ALWAYS_ON, resource=Resource({"service.name": "bot"}, "https://schema/r"), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("scope", "1.0", "https://schema/s", {"scope": True})
    with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT) as span:
        span.set_attributes({f"key{number}": number for number in range(200)})
        for number in range(200):
            span.add_event(f"event {number}", {"number": number})
            span.add_link(CONTEXT, {"number": number})
        span.record_exception(ValueError("boom"))
        span.set_status(Status(StatusCode.ERROR, "boom"))
    (ended,) = spans.get_finished_spans()
    assert ended.dropped_attributes
    assert ended.dropped_events
    assert ended.dropped_links
    assert encode_request(ended) == official(ended)


def test_requests_of_several_spans_joined_are_one_request() -> None:
    joined = b"".join(encode_request(made(name=name)) for name in "ab")
    request = ExportTraceServiceRequest.FromString(joined)
    assert [group.scope_spans[0].spans[0].name for group in request.resource_spans] == ["a", "b"]


def test_spans_of_many_resources_and_scopes_keep_their_own() -> None:
    for number in range(3 * otlp._MOST_ORIGINS):
        span = made(resource=Resource({"number": number}), instrumentation_scope=InstrumentationScope(f"scope {number}"))
        assert encode_request(span) == official(span)
    assert len(otlp._origins) <= otlp._MOST_ORIGINS


def test_a_span_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="without a context"):
        encode_request(made(context=None))
