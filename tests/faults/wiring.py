"""How the processes of this suite are wired: as ``configure()`` does it, or with the stock processor and exporter instead."""

from __future__ import annotations

import atexit
import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_llm import configuration
from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import spool_place
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.destinations import configured_destinations
from otel_llm.tracing import stamp_spans_of


@dataclass
class Wired:
    """A provider and, unless it is the stock one, its deliveries."""

    provider: TracerProvider
    deliveries: list[Delivery] = field(default_factory=list)


def wire(*, stock: bool = False, clock: Callable[[], float] | None = None) -> Wired:
    """A provider whose spans go where the environment says; ``clock`` is that of the deliveries, and needs them to be made by hand."""
    provider = TracerProvider(shutdown_on_exit=stock)
    stamp_spans_of(provider)
    if stock:
        provider.add_span_processor(BatchSpanProcessor(_stock_exporter()))
        return Wired(provider)
    if clock is None:
        configuration.configure(tracer_provider=provider)
        return Wired(provider, list(configuration.deliveries().values()))
    place = spool_place()
    settings = None if place is None else SpoolSettings(place)
    deliveries = [Delivery(destination, spool=settings, clock=clock) for destination in configured_destinations()]
    provider.add_span_processor(DeliveryProcessor(*deliveries))
    configuration._wiring.provider, configuration._wiring.owned = provider, True
    configuration._wiring.deliveries = list(deliveries)
    atexit.register(configuration.shutdown)
    for delivery in deliveries:
        delivery.open()
    return Wired(provider, deliveries)


def _stock_exporter() -> OTLPSpanExporter:
    key = f"{os.environ['LANGFUSE_PUBLIC_KEY']}:{os.environ['LANGFUSE_SECRET_KEY']}"
    return OTLPSpanExporter(
        endpoint=f"{os.environ['LANGFUSE_BASE_URL']}/api/public/otel/v1/traces",
        headers={"authorization": f"Basic {base64.b64encode(key.encode()).decode()}"},
    )
