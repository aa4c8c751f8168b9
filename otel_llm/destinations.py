"""Which destinations there are: found by entry point, so that the core knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from opentelemetry.sdk.trace.export import SpanExporter

from otel_llm.delivery import Destination
from otel_llm.errors import ConfigurationError
from otel_llm.local import LocalStore
from otel_llm.settings import read_settings

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
            found += built(entry)
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    return found or [_local_store()]


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
        destinations.append(_local_store())
        return
    for entry in entry_points(group=_DESTINATIONS, name=name):
        found = built(entry)
        if not found:
            raise ConfigurationError([f"OTEL_TRACES_EXPORTER names {name!r}, but its settings are not in the environment"])
        destinations += found
        return
    exporters.append(_exporter(name, otlp_protocol))


def _local_store() -> LocalStore:
    settings = read_settings()
    return LocalStore(content=settings.policy(settings.local_content))


def _exporter(name: str, otlp_protocol: str) -> SpanExporter:
    wanted = f"otlp_proto_{'grpc' if otlp_protocol == 'grpc' else 'http'}" if name == "otlp" else name
    for entry in entry_points(group=_EXPORTERS, name=wanted):
        exporter: SpanExporter = entry.load()()
        return exporter
    known = sorted(
        {e.name for group in (_DESTINATIONS, _EXPORTERS) for e in entry_points(group=group)} | {"local", "none", "otlp"}
    )
    raise ConfigurationError([f"OTEL_TRACES_EXPORTER names {name!r}, which is not installed; known here: {', '.join(known)}"])


def built(entry: EntryPoint) -> list[Destination]:
    """What the environment configures of one kind: nothing, one destination, or several, each with a name of its own."""
    from_environment: Callable[[], Destination | Sequence[Destination] | None] = entry.load()
    found = from_environment()
    if found is None:
        return []
    return list(found) if isinstance(found, Sequence) else [found]
