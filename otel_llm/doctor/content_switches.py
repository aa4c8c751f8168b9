"""The switches that decide whether prompts and answers are recorded, and those of others beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_llm.content import CAPTURE_VARIABLE, CaptureMode, capture_mode
from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed

_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_EMIT_EVENT: Final = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"
_ANTHROPIC: Final = "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"
_TRACELOOP: Final = "TRACELOOP_TRACE_CONTENT"
_HIDE: Final = ("OPENINFERENCE_HIDE_INPUTS", "OPENINFERENCE_HIDE_OUTPUTS")
_ON: Final = frozenset({"true", "1", "yes", "on"})
_OFF: Final = frozenset({"false", "0", "no", "off"})


def capture_is_valid(environ: Mapping[str, str]) -> bool:
    """Whether the switch is unset or has one of its four values; the fault of another is told by the settings."""
    value = environ.get(CAPTURE_VARIABLE, "").strip().upper()
    return not value or value in {mode.value for mode in CaptureMode}


def uncaptured(environ: Mapping[str, str], where: str, wanted: str, level: Level = Level.WARNING) -> list[Finding]:
    """For a destination that wants content: one finding if spans carry none. ``wanted``: how the destination is set."""
    mode = capture_mode(environ.get(CAPTURE_VARIABLE, ""))
    if mode.on_spans or not capture_is_valid(environ):
        return []
    return [
        Finding(
            level,
            where,
            f"you will see no prompts and answers: {wanted}, but content is not recorded on spans ({mode.value})",
            f"Set {CAPTURE_VARIABLE}=SPAN_ONLY, or pass content= to otel_llm.configure()",
        )
    ]


def content_findings(environ: Mapping[str, str], installed: Installed) -> list[Finding]:
    """Switches without effect, and libraries that record content although it is off here."""
    return [*_opt_in(environ, installed), *_events(environ), *_recorded_by_others(environ, installed)]


def _opt_in(environ: Mapping[str, str], installed: Installed) -> list[Finding]:
    if "gen_ai" not in environ.get(_OPT_IN, "") or "opentelemetry-instrumentation-openai-v2" in installed.versions:
        return []
    what = "is not read any more for GenAI: the current conventions are always written, and content has a switch of its own"
    return [Finding(Level.NOTE, _OPT_IN, what, f"Take it out; for content set {CAPTURE_VARIABLE}")]


def _events(environ: Mapping[str, str]) -> list[Finding]:
    """opentelemetry-util-genai reads this one; events go to loggers, which no destination here gets."""
    mode = capture_mode(environ.get(CAPTURE_VARIABLE, ""))
    if environ.get(_EMIT_EVENT, "").strip().lower() not in _OFF or not mode.on_events:
        return []
    what = f"switches events off, but {CAPTURE_VARIABLE}={mode.value} puts content onto them"
    return [Finding(Level.WARNING, _EMIT_EVENT, what, f"Unset it, or set {CAPTURE_VARIABLE}=SPAN_ONLY")]


def _recorded_by_others(environ: Mapping[str, str], installed: Installed) -> list[Finding]:
    """Their spans reach every destination, so their content does too."""
    if capture_mode(environ.get(CAPTURE_VARIABLE, "")).on_spans or not capture_is_valid(environ):
        return []
    found = [
        ("OpenLLMetry", _TRACELOOP, f"Set {_TRACELOOP}=false")
        if _has_openllmetry(installed) and environ.get(_TRACELOOP, "").strip().lower() not in _OFF
        else None,
        ("OpenInference", _HIDE[0], f"Set {_HIDE[0]}=true and {_HIDE[1]}=true")
        if "openinference-instrumentation" in installed.versions
        and any(environ.get(name, "").strip().lower() not in _ON for name in _HIDE)
        else None,
        ("anthropic's own tracing", _ANTHROPIC, f"Unset {_ANTHROPIC}")
        if environ.get(_ANTHROPIC, "").strip().lower() == "content"
        else None,
    ]
    return [
        Finding(
            Level.NOTE, variable, f"{who} records prompts and answers on its own spans, although {CAPTURE_VARIABLE} is off", do
        )
        for who, variable, do in filter(None, found)
    ]


def _has_openllmetry(installed: Installed) -> bool:
    return "opentelemetry-semantic-conventions-ai" in installed.versions
