"""Spans as a content policy has them. The span itself stays as it is, for other exporters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from otel_llm.content_policy import ContentPolicy
from otel_llm.span_copies import copy_with


def told(span: ReadableSpan, policy: ContentPolicy) -> ReadableSpan:
    """``span`` with attributes, events and status as the policy has them."""
    return span if policy.changes_nothing else _copy(span, policy, policy.applied(span.attributes or {}))


def told_around_attributes(span: ReadableSpan, policy: ContentPolicy) -> ReadableSpan:
    """``span`` with events and status as the policy has them; its attributes are left to another step."""
    if policy.changes_nothing or not (span.events or span.status.description):
        return span
    return _copy(span, policy, span.attributes or {})


def _copy(span: ReadableSpan, policy: ContentPolicy, attributes: Mapping[str, Any]) -> ReadableSpan:
    return copy_with(span, attributes=attributes, events=_events(span.events, policy), status=_status(span.status, policy))


def _events(events: Sequence[Event], policy: ContentPolicy) -> list[Event]:
    """Without those that hold content if none is wanted: without it they tell nothing."""
    kept = (event for event in events if not any(map(policy.withholds, event.attributes or {})))
    return [Event(event.name, policy.applied(event.attributes or {}), event.timestamp) for event in kept]


def _status(status: Status, policy: ContentPolicy) -> Status:
    return status if status.description is None else Status(status.status_code, policy.text(status.description))
