"""The settings of the core, and the names in ``OTEL_TRACES_EXPORTER``."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from otel_llm.destinations import built
from otel_llm.doctor.finding import Finding, Level, settings_faults
from otel_llm.errors import ConfigurationError
from otel_llm.settings import Settings, read_settings

_VARIABLE: Final = "OTEL_TRACES_EXPORTER"
_DESTINATIONS: Final = "otel_llm_destination"
_EXPORTERS: Final = "opentelemetry_traces_exporter"
_BUILT_IN: Final = frozenset({"local", "none", "otlp"})


def settings_findings() -> list[Finding]:
    """All faults of the settings; else one line that says which destinations there are."""
    try:
        settings = read_settings()
    except ConfigurationError as error:
        return settings_faults(error.faults)
    return [Finding(Level.OK, "settings", "those of otel-llm are valid"), *_destination_findings(settings)]


def _destination_findings(settings: Settings) -> list[Finding]:
    configured = _configured()
    if settings.exporters is None:
        names = ", ".join(sorted(configured)) or "the local store, for no destination is configured"
        return [Finding(Level.OK, "destinations", f"spans go to {names}")]
    if settings.exporters == ("none",):
        return [
            Finding(Level.WARNING, _VARIABLE, "is 'none': nothing is delivered", f"Unset {_VARIABLE}, or name destinations")
        ]
    return [*_unknown(settings.exporters), *_not_configured(settings.exporters, configured), *_left_out(settings, configured)]


def _unknown(names: tuple[str, ...]) -> list[Finding]:
    known = {entry.name for group in (_DESTINATIONS, _EXPORTERS) for entry in entry_points(group=group)} | _BUILT_IN
    todo = f"Known here: {', '.join(sorted(known))}"
    return [
        Finding(Level.FAULT, _VARIABLE, f"names {name!r}, which is not installed", todo) for name in names if name not in known
    ]


def _not_configured(names: tuple[str, ...], configured: set[str]) -> list[Finding]:
    missing = [
        entry.name for entry in entry_points(group=_DESTINATIONS) if entry.name in names and entry.name not in configured
    ]
    return [
        Finding(
            Level.FAULT,
            _VARIABLE,
            f"names {name!r}, but its settings are not in the environment",
            f"Set them, or take {name!r} out of {_VARIABLE}",
        )
        for name in missing
    ]


def _left_out(settings: Settings, configured: set[str]) -> list[Finding]:
    names = settings.exporters or ()
    return [
        Finding(Level.NOTE, _VARIABLE, f"does not name {name!r}, which is configured but gets nothing", f"Add {name!r} to it")
        for name in sorted(configured - set(names))
    ]


def _configured() -> set[str]:
    """Names of the destinations that the environment configures; those with faults count, for they are meant."""
    return {entry.name for entry in entry_points(group=_DESTINATIONS) if _is_configured(entry)}


def _is_configured(entry: EntryPoint) -> bool:
    try:
        found = built(entry)
    except ConfigurationError:
        return True
    for destination in found:
        destination.close()
    return bool(found)
