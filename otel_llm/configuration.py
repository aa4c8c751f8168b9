"""One call that wires everything: resource, provider, processors, destinations, instrumentation."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from otel_llm import headers, masking
from otel_llm.call import open_calls
from otel_llm.content import CaptureMode
from otel_llm.deadlines import Begun
from otel_llm.delivery import Destination, running
from otel_llm.delivery.destination import destination_key
from otel_llm.delivery.metrics import observe_deliveries
from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.destinations import configured_destinations, named
from otel_llm.endpoints import configure_hosts
from otel_llm.errors import ConfigurationError
from otel_llm.flushing import Flushable, delivered, known_providers, passed_on, stored
from otel_llm.instrumentation import instrument, uninstrument
from otel_llm.masking import MaskFunction
from otel_llm.meters import flushed as metrics_flushed
from otel_llm.meters import metric_outlets, own_meters
from otel_llm.meters import stop as stop_meters
from otel_llm.models.process import ModelsGiven, use_models
from otel_llm.price_table import PricesGiven, read_price_table, use_price_table
from otel_llm.propagation_hosts import parse_propagation_hosts
from otel_llm.running_tasks import running_tasks
from otel_llm.settings import Settings, read_settings
from otel_llm.tracing import stamp_spans_of

_logger = logging.getLogger(__name__)
#: Part of the time of a shutdown that background tasks have at most; the rest is for delivery.
_FOR_TASKS: Final = 0.6
#: Parts of what is then left after which the deliveries' last figures are exported, and after which metrics are given up.
_UNTIL_METRICS: Final = 0.7
_METRICS_UNTIL: Final = 0.9
#: Seconds that a thread has to tell what it has done.
_ANSWER_S: Final = 0.05


@dataclass
class _Wiring:
    """What ``configure`` has set up in this process."""

    provider: TracerProvider | None = None
    #: The provider is otel-llm's own, to be shut down with it.
    owned: bool = False
    deliveries: list[Delivery] = field(default_factory=list)
    #: Of exporters that are not otel-llm's.
    batches: list[BatchSpanProcessor] = field(default_factory=list)
    #: Otel-llm's own, where metrics are exported and the application has no meter provider.
    meters: MeterProvider | None = None
    #: Providers that were otel-llm's own and have ended.
    ended: WeakSet[TracerProvider] = field(default_factory=WeakSet)
    #: Reentrant: a signal handler of the application's may call ``shutdown`` amid ``configure``.
    lock: threading.RLock = field(default_factory=threading.RLock)


_wiring = _Wiring()


def _renew_lock() -> None:
    """A forked child may find it held by a thread that it does not have."""
    _wiring.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def configure(
    service_name: str | None = None,
    *,
    destinations: Sequence[Destination] | None = None,
    content: CaptureMode | None = None,
    tracer_provider: TracerProvider | None = None,
    prices: PricesGiven | None = None,
    mask: MaskFunction | None = None,
    propagate_to: Iterable[str] | None = None,
    models: ModelsGiven | None = None,
) -> TracerProvider:
    """Record each LLM call of this process and deliver it; returns the tracer provider in use.

    Destinations default to what the environment configures (``OTEL_TRACES_EXPORTER`` picks among them); with none, spans go to the
    local store that ``otel-llm traces`` shows. ``tracer_provider`` defaults to the global one if the application has set it, else a
    new one becomes global. ``prices`` are the user's own, as a file or as rows like those of one; default: the file that
    ``OTEL_LLM_PRICES`` names. ``mask`` takes out of each text what no destination may have, after the patterns of ``OTEL_LLM_MASK``:
    text in, text out, on a thread of otel-llm's; if it fails, the whole text is left out. ``propagate_to`` are the hosts that
    :func:`otel_llm.inject` tells of traces; default: those of ``OTEL_LLM_PROPAGATE_TO``. ``models`` is where admins choose the models
    of agents: a database's URL, the path of a YAML file, a store or a resolver; default: what ``OTEL_LLM_MODELS`` says. A second call
    changes nothing.

    Metrics are exported over OTLP if an endpoint for them is set and the application has no meter provider.

    Raises ConfigurationError that names every fault of the settings.
    """
    with _wiring.lock:
        if _wiring.provider is not None:
            return _wiring.provider
        settings = read_settings()
        configure_hosts(settings.provider_hosts)
        headers.propagate_to(settings.propagate_to if propagate_to is None else parse_propagation_hosts(propagate_to))
        use_price_table(settings.prices if prices is None else read_price_table(prices))
        use_models(models, settings.models, settings.models_refresh_s)
        if mask is not None and not callable(mask):
            raise ConfigurationError(["mask must be a function from text to text"])
        chosen, exporters = _destinations(settings, destinations)
        outlets = metric_outlets(settings)
        existing = tracer_provider or trace.get_tracer_provider()
        provider = existing if isinstance(existing, TracerProvider) else _own_provider(service_name)
        if settings.disabled:
            return provider
        masking.use(mask)
        _wiring.meters = own_meters(outlets, provider.resource)
        _wire(provider, chosen, exporters, settings)
        instrument(tracer_provider=provider, meter_provider=_wiring.meters, content=content or settings.content)
        _wiring.provider, _wiring.owned = provider, provider is not existing
        atexit.register(shutdown)
        return provider


def force_flush(timeout_s: float = 30.0) -> bool:
    """Wait until what has ended so far is delivered, whoever has set up its processors and exporters.

    False if something is left after ``timeout_s`` seconds in all, or waits for a destination that must be mended first.
    """
    meters, deadline = _wiring.meters, time.monotonic() + timeout_s
    flushed = [passed_on(known_providers(), deadline), delivered(running.deliveries(), deadline)]
    if meters is not None:
        flushed.append(metrics_flushed(meters, deadline - time.monotonic()))
    return all(flushed)


def shutdown(timeout_s: float = 5.0) -> bool:
    """Deliver what there is, within ``timeout_s`` seconds in all, and stop; False if something was neither delivered nor stored.

    Background tasks have up to 60 % of that time to end, and are then cancelled. Only from another thread than their event loop's can
    they be waited for: ``await asyncio.to_thread(otel_llm.shutdown)``. A provider that is the application's own goes on without
    otel-llm; what processors and exporters hold that ``configure`` has not set up is passed on, and they go on, too.
    """
    deadline = time.monotonic() + timeout_s
    running_tasks.end_all(timeout_s * _FOR_TASKS)
    providers, others = _providers_elsewhere(), _deliveries_elsewhere()
    elsewhere = Begun(lambda: _flush(providers, others, deadline)) if providers or others else None
    flushed = _end_wiring(deadline)
    return (elsewhere is None or elsewhere.result(deadline - time.monotonic()) or False) and flushed


def _end_wiring(deadline: float) -> bool:
    """Stop what ``configure`` has set up; whether all that it took is delivered or stored."""
    with _wiring.lock:
        provider, _wiring.provider = _wiring.provider, None
        deliveries, _wiring.deliveries = _wiring.deliveries, []
        batches, _wiring.batches = _wiring.batches, []
        meters, _wiring.meters = _wiring.meters, None
    if provider is None:
        return True
    atexit.unregister(shutdown)
    uninstrument()
    open_calls.end_all()
    for delivery in deliveries:
        delivery.hurry()
    ending = [Begun(batch.shutdown) for batch in batches]
    if meters is not None:
        _end_metrics(meters, deliveries, deadline - time.monotonic())
    flushed = [delivery.shutdown(max(0.0, deadline - time.monotonic())) for delivery in deliveries]
    for each in ending:
        each.result(deadline - time.monotonic())
    if _wiring.owned:
        _wiring.ended.add(provider)
        Begun(provider.shutdown).result(deadline - time.monotonic())
    masking.use(None)
    return all(flushed)


def store(timeout_s: float) -> bool:
    """Have what has ended on disk, within ``timeout_s`` seconds, and go on; False if that takes longer."""
    deadline = time.monotonic() + timeout_s
    handed_over = passed_on(_providers_elsewhere(), deadline)
    return stored(running.deliveries(), deadline) and handed_over


def _flush(providers: Sequence[Flushable], deliveries: Sequence[Delivery], deadline: float) -> bool:
    """Whether all was passed on, and stored."""
    handed_over = passed_on(providers, deadline)
    is_stored = stored(deliveries, deadline)
    delivered(deliveries, deadline - _ANSWER_S)
    return is_stored and handed_over


def _providers_elsewhere() -> list[Flushable]:
    return [each for each in known_providers() if each is not _wiring.provider and each not in _wiring.ended]


def _deliveries_elsewhere() -> list[Delivery]:
    return [each for each in running.deliveries() if each not in _wiring.deliveries]


def _end_metrics(meters: MeterProvider, deliveries: Sequence[Delivery], left_s: float) -> None:
    """Export the last metrics once the deliveries, whose figures end with them, have done what they can in most of the time."""
    began = time.monotonic()
    for delivery in deliveries:
        delivery.flush(began + left_s * _UNTIL_METRICS - time.monotonic())
    stop_meters(meters, began + left_s * _METRICS_UNTIL - time.monotonic())


def deliveries() -> Mapping[str, Delivery]:
    """The deliveries of this process by the name of their destination, for their statistics."""
    return {delivery.destination.name: delivery for delivery in _wiring.deliveries}


def configured_deliveries(place: SpoolPlace) -> list[Delivery]:
    """Deliveries to what the environment configures, for what waits on disk at ``place``: not started, and fed by nobody.

    Raises ConfigurationError that names every fault of the settings.
    """
    settings = read_settings()
    chosen, _ = _destinations(settings, None)
    return [
        Delivery(destination, spool=settings.spool_at(place), timeout_s=settings.send_timeout_s)
        for destination in chosen
        if destination_key(destination) is not None
    ]


def _destinations(
    settings: Settings, given: Sequence[Destination] | None
) -> tuple[Sequence[Destination], Sequence[SpanExporter]]:
    if given is not None:
        return given, ()
    if settings.exporters is not None:
        return named(settings.exporters, settings.otlp_protocol)
    return configured_destinations(), ()


def _own_provider(service_name: str | None) -> TracerProvider:
    """A new global provider; its exit is ours to time, by one deadline for all destinations."""
    resource = Resource.create({SERVICE_NAME: service_name} if service_name else None)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    return provider


def _wire(
    provider: TracerProvider, destinations: Sequence[Destination], exporters: Sequence[SpanExporter], settings: Settings
) -> None:
    stamp_spans_of(provider)
    _wiring.deliveries = [settings.delivery_to(destination) for destination in destinations]
    observe_deliveries(_wiring.meters)
    provider.add_span_processor(DeliveryProcessor(*_wiring.deliveries))
    for delivery in _wiring.deliveries:
        delivery.open()
    _wiring.batches = [BatchSpanProcessor(exporter) for exporter in exporters]
    for batch in _wiring.batches:
        provider.add_span_processor(batch)
    _logger.info("otel-llm delivers to: %s", ", ".join(d.name for d in destinations) or "nothing of its own")
