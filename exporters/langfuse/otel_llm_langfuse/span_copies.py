"""Copies of ended spans that say something else; the span itself stays as it is, for other exporters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan


def copy_with(span: ReadableSpan, attributes: Mapping[str, Any], events: Sequence[Event] | None = None) -> ReadableSpan:
    """``span`` with other attributes, and other events if there are any given."""
    return ReadableSpan(
        span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=span.events if events is None else events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
