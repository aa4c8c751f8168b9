"""Which destinations there are: found by entry point, so that the core knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from opentelemetry.sdk.trace.export import SpanExporter

from otel_llm.delivery import Destination
from otel_llm.errors import ConfigurationError
from otel_llm.local import LocalStore

_DESTINATIONS = "otel_llm_destination"
_EXPORTERS = "opentelemetry_traces_exporter"


def configured_destinations() -> list[Destination]:
    """Every installed destination that the environment configures; the local store if there is none.

    Raises ConfigurationError that names the faults of all of them.
    """
    found: list[Destination] = []
    faults: list[str] = []
    for entry in entry_points(group=_DESTINATIONS):
        try:
            destination = _build(entry)
        except ConfigurationError as error:
            faults += error.faults
        else:
            found += [destination] if destination is not None else []
    if faults:
        raise ConfigurationError(faults)
    return found or [LocalStore()]


def named(names: Sequence[str], otlp_protocol: str) -> tuple[list[Destination], list[SpanExporter]]:
    """Destinations of ours and exporters of others, by the names of ``OTEL_TRACES_EXPORTER``.

    Raises ConfigurationError that names every name that is unknown or not configured.
    """
    destinations: list[Destination] = []
    exporters: list[SpanExporter] = []
    faults: list[str] = []
    for name in names:
        try:
            _add(name, otlp_protocol, destinations, exporters)
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    return destinations, exporters


def _add(name: str, otlp_protocol: str, destinations: list[Destination], exporters: list[SpanExporter]) -> None:
    if name == "none":
        return
    if name == "local":
        destinations.append(LocalStore())
        return
    for entry in entry_points(group=_DESTINATIONS, name=name):
        destination = _build(entry)
        if destination is None:
            raise ConfigurationError([f"OTEL_TRACES_EXPORTER names {name!r}, but its settings are not in the environment"])
        destinations.append(destination)
        return
    exporters.append(_exporter(name, otlp_protocol))


def _exporter(name: str, otlp_protocol: str) -> SpanExporter:
    wanted = f"otlp_proto_{'grpc' if otlp_protocol == 'grpc' else 'http'}" if name == "otlp" else name
    for entry in entry_points(group=_EXPORTERS, name=wanted):
        exporter: SpanExporter = entry.load()()
        return exporter
    known = sorted(
        {e.name for group in (_DESTINATIONS, _EXPORTERS) for e in entry_points(group=group)} | {"local", "none", "otlp"}
    )
    raise ConfigurationError([f"OTEL_TRACES_EXPORTER names {name!r}, which is not installed; known here: {', '.join(known)}"])


def _build(entry: EntryPoint) -> Destination | None:
    from_environment: Callable[[], Destination | None] = entry.load()
    return from_environment()
