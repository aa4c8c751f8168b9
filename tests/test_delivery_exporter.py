"""A destination as an exporter behind OpenTelemetry's own span processors."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult

from otel_llm.delivery import Delivered, Limits, Outcome
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.delivery.stats import Stats


class Fake:
    name = "fake"
    limits = Limits()

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.sent += records
        return Delivered()

    def close(self) -> None:
        self.sent.append(b"closed")


def test_exported_spans_reach_the_destination() -> None:
    destination = Fake()
    exporter = DestinationExporter(destination)
    assert exporter.export([ReadableSpan("a"), ReadableSpan("b")]) is SpanExportResult.SUCCESS
    assert exporter.force_flush()
    assert exporter.stats == Stats(received=2, delivered=2)
    exporter.shutdown()
    assert destination.sent == [b"a", b"b", b"closed"]


def test_an_empty_export_succeeds() -> None:
    assert DestinationExporter(Fake()).export([]) is SpanExportResult.SUCCESS


def test_an_export_after_the_shutdown_fails() -> None:
    exporter = DestinationExporter(Fake())
    exporter.shutdown()
    assert exporter.export([ReadableSpan("a")]) is SpanExportResult.FAILURE
    assert exporter.stats == Stats(received=1, dropped=1)


def test_an_export_of_which_something_was_taken_succeeds() -> None:
    exporter = DestinationExporter(Fake())
    too_large = ReadableSpan("large", attributes={"text": "x" * 200_000_000})
    assert exporter.export([too_large]) is SpanExportResult.FAILURE
    assert exporter.export([too_large, ReadableSpan("a")]) is SpanExportResult.SUCCESS
    exporter.shutdown()


def test_behind_a_simple_processor_a_shutdown_of_the_provider_delivers() -> None:
    destination = Fake()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(DestinationExporter(destination)))
    provider.get_tracer("test").start_span("a").end()
    provider.shutdown()
    assert destination.sent == [b"a", b"closed"]


def test_behind_a_batch_processor_a_shutdown_of_the_provider_delivers() -> None:
    destination = Fake()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(DestinationExporter(destination)))
    provider.get_tracer("test").start_span("a").end()
    provider.shutdown()
    assert destination.sent == [b"a", b"closed"]
