"""Copies of ended spans that say something else; the span itself stays as it is, for other exporters."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

#: What ``ReadableSpan`` takes, but for what is deprecated.
FIELDS: Final = (
    "name",
    "context",
    "parent",
    "resource",
    "attributes",
    "events",
    "links",
    "kind",
    "status",
    "start_time",
    "end_time",
    "instrumentation_scope",
)


def copy_with(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    """``span`` with other values for some of the fields that ``ReadableSpan`` takes."""
    return ReadableSpan(**{name: changes[name] if name in changes else getattr(span, name) for name in FIELDS})
