"""Settings of the OpenTelemetry SDK that quietly ruin what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_llm.doctor.finding import Finding, Level

#: A call of a model with its stamps has up to about this many attributes.
_ENOUGH_ATTRIBUTES: Final = 64
_COUNTS: Final = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
_LENGTHS: Final = ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
_SAMPLER: Final = "OTEL_TRACES_SAMPLER"
_WHOLE: Final = frozenset({"", "always_on", "parentbased_always_on"})
_NOTHING: Final = frozenset({"always_off", "parentbased_always_off"})
_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"


def otel_findings(environ: Mapping[str, str]) -> list[Finding]:
    """One finding for each such setting."""
    return [*_disabled(environ), *_sampler(environ), *_counts(environ), *_lengths(environ), *_config_file(environ)]


def _disabled(environ: Mapping[str, str]) -> list[Finding]:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true":
        return []
    return [Finding(Level.WARNING, "OTEL_SDK_DISABLED", "is true: nothing is recorded at all", "Unset it to record calls")]


def _sampler(environ: Mapping[str, str]) -> list[Finding]:
    name = environ.get(_SAMPLER, "").strip().lower()
    if name in _WHOLE:
        return []
    if name in _NOTHING:
        return [Finding(Level.WARNING, _SAMPLER, f"is {name}: no trace that starts here is recorded", f"Unset {_SAMPLER}")]
    what = (
        "leaves out traces before anything is known of them, so that calls, tokens and cost are missing from all destinations"
    )
    return [Finding(Level.WARNING, _SAMPLER, what, "Unset it, and sample per destination, such as by LANGFUSE_SAMPLE_RATE")]


def _counts(environ: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            Level.WARNING,
            name,
            f"is {limit}: a call has more attributes, so its model, messages, tokens or cost may be missing",
            f"Unset it (128), or set at least {_ENOUGH_ATTRIBUTES}",
        )
        for name in _COUNTS
        if (limit := _number(environ.get(name, ""))) is not None and limit < _ENOUGH_ATTRIBUTES
    ]


def _lengths(environ: Mapping[str, str]) -> list[Finding]:
    what = "cuts attributes, and so the JSON of messages and tools, which is then no JSON any more"
    return [
        Finding(Level.WARNING, name, what, "Unset it; to send less text set a destination's content, such as to 'truncated'")
        for name in _LENGTHS
        if _number(environ.get(name, "")) is not None
    ]


def _config_file(environ: Mapping[str, str]) -> list[Finding]:
    if not environ.get(_CONFIG_FILE, "").strip():
        return []
    what = "is set: under opentelemetry-instrument the SDK then ignores all other OTEL_* settings"
    return [Finding(Level.NOTE, _CONFIG_FILE, what, "Name exporters and limits in that file")]


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None
