"""A destination as an OpenTelemetry span exporter, for any span processor and for ``OTEL_TRACES_EXPORTER``."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_llm.delivery.destination import Destination
from otel_llm.delivery.metrics import observe_deliveries
from otel_llm.delivery.settings import delivery_from_environment
from otel_llm.delivery.stats import Stats

#: Milliseconds that a shutdown may take where the SDK, which passes no deadline, asks for it.
SHUTDOWN_MILLIS = 5_000.0


class DestinationExporter(SpanExporter):
    """Exports to one destination. Retries are its own: export() only queues, so a span processor never waits for the network.

    So use it with a ``SimpleSpanProcessor``: a batch processor would keep spans in memory for up to five seconds more, where a killed
    process loses them. What waits, waits on disk where the environment does not say otherwise. Raises ConfigurationError that names
    every wrong setting.
    """

    def __init__(self, destination: Destination) -> None:
        self.delivery = delivery_from_environment(destination)
        self.delivery.open()
        observe_deliveries()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Queue the spans. Failure only if not one of them was taken: after a shutdown, or with a full queue."""
        taken = sum(self.delivery.offer(span) for span in spans)
        return SpanExportResult.SUCCESS if taken or not spans else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 30_000.0) -> bool:
        """Wait until all exported spans are delivered or rejected; False if not all are within ``timeout_millis``."""
        return self.delivery.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = SHUTDOWN_MILLIS) -> None:
        """Flush and stop. What is not delivered within ``timeout_millis`` is dropped, counted and logged."""
        self.delivery.shutdown(timeout_millis / 1000)

    @property
    def stats(self) -> Stats:
        """What became of the spans so far."""
        return self.delivery.stats
