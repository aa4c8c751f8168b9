"""The span processor that hands ended spans over to deliveries."""

from __future__ import annotations

import time

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_llm.delivery.exporter import SHUTDOWN_MILLIS
from otel_llm.delivery.queue import Delivery


class DeliveryProcessor(SpanProcessor):
    """Offers each sampled span to each of the deliveries as it ends. They share one deadline and none waits for another."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.deliveries = deliveries

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; no more happens on the application's thread."""
        if span.context is not None and span.context.trace_flags.sampled:
            for delivery in self.deliveries:
                delivery.offer(span)

    def force_flush(self, timeout_millis: float = 30_000.0) -> bool:
        """Wait until all ended spans are delivered or rejected everywhere; False if not all are within ``timeout_millis``."""
        deadline = self._hurry(timeout_millis)
        flushed = [delivery.flush(deadline - time.monotonic()) for delivery in self.deliveries]
        return all(flushed)

    def shutdown(self, timeout_millis: float = SHUTDOWN_MILLIS) -> None:
        """Flush and stop all deliveries. What is not delivered within ``timeout_millis`` is dropped, counted and logged."""
        deadline = self._hurry(timeout_millis)
        for delivery in self.deliveries:
            delivery.shutdown(deadline - time.monotonic())

    def _hurry(self, timeout_millis: float) -> float:
        """Start all flushes at once. The deadline, in seconds of the monotonic clock."""
        for delivery in self.deliveries:
            delivery.hurry()
        return time.monotonic() + timeout_millis / 1000
