"""Brings OpenTelemetry GenAI spans to Langfuse as correct observations."""

from __future__ import annotations

from otel_llm_langfuse.annotations import annotate
from otel_llm_langfuse.destination import LangfuseDestination, from_environment
from otel_llm_langfuse.exporter import LangfuseExporter
from otel_llm_langfuse.links import trace_url
from otel_llm_langfuse.mapping import MappingSettings, map_span
from otel_llm_langfuse.scores import feedback, score, score_trace
from otel_llm_langfuse.settings import LangfuseSettings

__all__ = [
    "LangfuseDestination",
    "LangfuseExporter",
    "LangfuseSettings",
    "MappingSettings",
    "annotate",
    "feedback",
    "from_environment",
    "map_span",
    "score",
    "score_trace",
    "trace_url",
]
