"""Handing ended spans over to deliveries."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_llm.delivery import Delivered, Limits, Outcome, Pause
from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.stats import Stats


class Fake:
    name = "fake"
    limits = Limits()

    def __init__(self, outcome: Outcome | None = None, gate: threading.Event | None = None) -> None:
        self.outcome = outcome or Delivered()
        self.gate = gate
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        if self.gate is not None:
            self.gate.wait()
        self.sent += records
        return self.outcome

    def close(self) -> None:
        self.sent.append(b"closed")


def provider_with(*deliveries: Delivery, **options: object) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False, **options)  # type: ignore[arg-type]
    provider.add_span_processor(DeliveryProcessor(*deliveries))
    return provider


def test_each_ended_span_goes_to_each_delivery() -> None:
    first, second = Fake(), Fake()
    provider = provider_with(Delivery(first), Delivery(second))
    provider.get_tracer("test").start_span("a").end()
    assert provider.force_flush()
    assert (first.sent, second.sent) == ([b"a"], [b"a"])
    provider.shutdown()
    assert (first.sent, second.sent) == ([b"a", b"closed"], [b"a", b"closed"])


def test_spans_that_are_not_sampled_are_not_delivered() -> None:
    delivery = Delivery(Fake())
    provider = provider_with(delivery, sampler=ALWAYS_OFF)
    provider.get_tracer("test").start_span("a").end()
    provider.shutdown()
    assert delivery.stats == Stats()


def test_a_span_that_is_recorded_but_not_sampled_is_not_delivered() -> None:
    delivery = Delivery(Fake())
    DeliveryProcessor(delivery).on_end(ReadableSpan("without a context"))
    assert delivery.stats == Stats()


def test_a_flush_waits_for_the_others_when_one_gives_up() -> None:
    gate = threading.Event()
    paused, slow = Delivery(Fake(Pause("401"))), Delivery(Fake(gate=gate))
    provider = provider_with(paused, slow)
    provider.get_tracer("test").start_span("a").end()
    opener = threading.Timer(0.05, gate.set)
    opener.start()
    assert not provider.force_flush()
    assert (paused.stats.pending, slow.stats.delivered) == (1, 1)
    opener.join()
    provider.shutdown()


def test_a_delivery_that_hangs_does_not_use_up_the_time_of_another_at_a_shutdown() -> None:
    gate = threading.Event()
    hanging, healthy = Delivery(Fake(gate=gate), linger_s=30), Delivery(Fake(), linger_s=30)
    processor = DeliveryProcessor(hanging, healthy)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("test").start_span("a").end()
    processor.shutdown(timeout_millis=2_000)
    gate.set()
    assert hanging.stats == Stats(received=1, dropped=1)
    assert healthy.stats == Stats(received=1, delivered=1)
