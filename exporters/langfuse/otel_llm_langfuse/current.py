"""Where the application is now: trace, observation, and the topmost of the open observations above it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Span, SpanContext, format_span_id, format_trace_id

from otel_llm import ancestry
from otel_llm import semconv as sc


class Here(NamedTuple):
    """The current span as Langfuse knows it; ids are hex digits."""

    context: SpanContext
    trace_id: str
    #: The nearest span that is an observation; None if there is none, or it is in another process.
    observation_id: str | None
    attributes: dict[str, Any]
    resource: Resource


def here() -> Here | None:
    """The current place; None outside of all spans."""
    span = trace.get_current_span()
    context = span.get_span_context()
    if not context.is_valid:
        return None
    attributes = dict(span.attributes or {}) if isinstance(span, ReadableSpan) else {}
    observation = _nearest(context, attributes)
    return Here(
        context,
        format_trace_id(context.trace_id),
        None if observation is None else format_span_id(observation.span_id),
        attributes,
        span.resource if isinstance(span, ReadableSpan) else process_resource(),
    )


def process_resource() -> Resource:
    """The resource of the global tracer provider; an empty one if there is none."""
    provider = trace.get_tracer_provider()
    return provider.resource if isinstance(provider, TracerProvider) else Resource({})


def topmost_open() -> Span | None:
    """The highest observation above the current span, or that itself, that is in this process and open."""
    nodes = _observations(trace.get_current_span().get_span_context())
    return next((span for node in reversed(nodes) if (span := node.open_span) is not None), None)


def _nearest(context: SpanContext, attributes: dict[str, Any]) -> SpanContext | None:
    nodes = _observations(context)
    if nodes:
        return nodes[0].context
    return context if sc.is_genai(attributes) else None


def _observations(context: SpanContext) -> list[ancestry.Node]:
    """The observations from the current span upwards."""
    node = ancestry.node_of(context)
    if node is None:
        return []
    above = list(node.upwards())
    return [each for each in ([node, *above] if node.is_received else above) if each.is_genai]


def is_disabled() -> bool:
    """Whether the application has switched telemetry off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def current_trace_id(place: Here | None) -> str:
    """Raises ValueError outside of all spans."""
    if place is not None:
        return place.trace_id
    if is_disabled():
        return ""
    raise ValueError("there is no current trace: call this inside an agent or another span, or give trace_id")


def hex_id(given: str | int | None, digits: int) -> str | None:
    """An id as text; OpenTelemetry has them as numbers. Raises ValueError for anything else."""
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and 0 < given < 16**digits:
        return f"{given:0{digits}x}"
    if isinstance(given, str) and given.strip():
        text = given.strip()
        return text.lower() if len(text) == digits else text
    raise ValueError(f"{given!r} is no id: it has {digits} hex digits, as a text or a number")
