"""The meter provider that ``configure`` sets up where the application has none and metrics are to be exported."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from otel_llm.deadlines import within
from otel_llm.errors import ConfigurationError
from otel_llm.metric_settings import EXPORTERS, PROTOCOL, MetricVariables

_logger = logging.getLogger(__name__)

_GROUP: Final = "opentelemetry_metrics_exporter"
#: Something that metrics leave the process by.
Outlet: TypeAlias = MetricExporter | MetricReader

#: Meter providers of earlier calls of ``configure``: the global one can be set once only.
_ours: WeakSet[metrics.MeterProvider] = WeakSet()


def metric_outlets(settings: MetricVariables) -> list[Outlet]:
    """What the environment asks for; nothing if the application has a meter provider of its own, for its readers get our metrics.

    Raises ConfigurationError that names every exporter that is not installed.
    """
    if not _is_ours_to_set(metrics.get_meter_provider()):
        return []
    if settings.metric_exporters is None:
        return _otlp_if_installed(settings)
    outlets: list[Outlet] = []
    faults: list[str] = []
    for name in settings.metric_exporters:
        try:
            outlets += [] if name == "none" else [_outlet(name, settings.metric_protocol)]
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    return outlets


def own_meters(outlets: Sequence[Outlet], resource: Resource) -> MeterProvider | None:
    """A meter provider for all of this process; None without outlets. Its exit is ours to time, with that of the deliveries."""
    if not outlets:
        return None
    readers = [each if isinstance(each, MetricReader) else PeriodicExportingMetricReader(each) for each in outlets]
    meters = MeterProvider(readers, resource, shutdown_on_exit=False)
    if metrics.get_meter_provider() not in _ours:
        metrics.set_meter_provider(meters)
    _ours.add(meters)
    return meters


def flushed(meters: MeterProvider, timeout_s: float) -> bool:
    """Export what has been measured; False if a reader failed or took longer than ``timeout_s`` seconds.

    On a thread of its own: exporters wait for an endpoint for as long as they are set up to, whatever they are asked.
    """
    return within(timeout_s, meters.force_flush) or False


def stop(meters: MeterProvider, timeout_s: float) -> None:
    """Export once more and end, within ``timeout_s`` seconds."""
    try:
        meters.shutdown(max(0.0, timeout_s) * 1000)
    except Exception as error:  # the SDK tells of a reader's failure by a bare Exception
        _logger.warning("The last metrics could not be exported in time")
        _logger.debug("A reader of metrics failed", exc_info=error)


def _is_ours_to_set(existing: metrics.MeterProvider) -> bool:
    """Whether no one has set a meter provider, or only otel-llm has. The API's stand-in for none has no public name."""
    return type(existing).__name__ == "_ProxyMeterProvider" or existing in _ours


def _otlp_if_installed(settings: MetricVariables) -> list[Outlet]:
    """OTLP where there is an endpoint. Nobody has asked for metrics by name, so one that is missing is no fault."""
    if not settings.has_metric_endpoint:
        return []
    try:
        return [_outlet("otlp", settings.metric_protocol)]
    except ConfigurationError as error:
        _logger.warning("No metrics are exported: %s", "; ".join(error.faults))
        return []


def _outlet(name: str, protocol: str) -> Outlet:
    wanted = f"otlp_proto_{'grpc' if protocol == 'grpc' else 'http'}" if name == "otlp" else name
    for entry in entry_points(group=_GROUP, name=wanted):
        outlet: Any = entry.load()
        return outlet()  # type: ignore[no-any-return]
    if name == "otlp":
        raise ConfigurationError(
            [f"{PROTOCOL} is {protocol}, for which opentelemetry-exporter-{wanted.replace('_', '-')} is not installed"]
        )
    known = sorted({entry.name for entry in entry_points(group=_GROUP)} | {"none", "otlp"})
    raise ConfigurationError([f"{EXPORTERS} names {name!r}, which is not installed; known here: {', '.join(known)}"])
