"""Spans made by hand, with fixed ids and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0xB7AD6B7169203331
START_NS = 1_790_000_000_000_000_000  # 2026-09-21T14:13:20Z

MakeSpan = Callable[..., ReadableSpan]


def context(span_id: int, *, remote: bool = False) -> SpanContext:
    return SpanContext(TRACE_ID, span_id, is_remote=remote, trace_flags=TraceFlags(1))


def make_span(
    attributes: dict[str, Any] | None = None,
    *,
    name: str = "chat gpt-4o",
    span_id: int = SPAN_ID,
    parent: int | SpanContext | None = None,
    error: str | None = None,
    events: tuple[Event, ...] = (),
    links: tuple[Link, ...] = (),
    resource: dict[str, Any] | None = None,
    scope: InstrumentationScope | None = None,
    start_ns: int = START_NS,
    duration_ms: int = 1500,
) -> ReadableSpan:
    """A span of 1.5 s; ``error`` is the description of a status ERROR."""
    return ReadableSpan(
        name=name,
        context=context(span_id),
        parent=context(parent) if isinstance(parent, int) else parent,
        resource=Resource(resource or {}),
        attributes=attributes,
        events=events,
        links=links,
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
        start_time=start_ns,
        end_time=start_ns + duration_ms * 1_000_000,
        instrumentation_scope=scope or InstrumentationScope("handmade", "0.1.0"),
    )
