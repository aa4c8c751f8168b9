"""Trace rows of the dual path: built from root spans, and from spans that carry attributes for their trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from otel_llm.testing.langfuse import javascript, metadata, schema, trace
from otel_llm.testing.langfuse.input_output import trace_content
from otel_llm.testing.langfuse.rows import Row, observation_name, present
from otel_llm.testing.langfuse.spans import Span

#: Attributes by which a span below the root updates its trace. ``gen_ai.conversation.id``, release and version do not.
_UPDATES: Final = (
    trace.TRACE_NAME,
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langfuse.trace.public",
    "langfuse.trace.tags",
    "langfuse.user.id",
    "user.id",
    "langfuse.session.id",
    "session.id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.observation.metadata.langfuse_tags",
    "ai.telemetry.metadata.userId",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.tags",
    "tag.tags",
)


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """What one span says about its trace. A shallow one only says that the trace exists."""

    row: Row
    is_shallow: bool
    #: Why the strict schema refuses it; empty if it does not.
    why: list[schema.Fault]


def trace_event(span: Span) -> TraceEvent:
    """The event of a span, full for a root, an update, or shallow."""
    base = {"trace_id": span.trace_id, "timestamp": span.start_ms * 1000, "environment": trace.environment(span)}
    is_root = not span.parent_id or javascript.text(span.attributes.get("langfuse.internal.as_root")) == "true"
    if not is_root and span.first(*_UPDATES) is None and not metadata.has_trace_metadata(span):
        return TraceEvent(base, is_shallow=True, why=[])
    fields = _checked_fields(span, is_root)
    if why := schema.trace_faults(fields):
        return TraceEvent(base, is_shallow=False, why=why)
    given, made = trace_content(span) if is_root else _sent_content(span)
    details = {"input": given, "output": made, "metadata": metadata.dual_trace_metadata(span, is_root=is_root)}
    return TraceEvent(present(base | fields | trace.identity(span) | details), is_shallow=False, why=[])


def merge(events: Iterable[TraceEvent]) -> Row:
    """The row of one trace: by the spans' times, the later span wins, field by field."""
    ordered = sorted(events, key=lambda event: (not event.is_shallow, event.row["timestamp"]))
    full = [event for event in ordered if not event.is_shallow] or ordered
    row: Row = {}
    for event in full:
        merged_metadata = row.get("metadata", {}) | event.row.get("metadata", {})
        tags = sorted({*row.get("tags", ()), *event.row.get("tags", ())})
        row |= event.row | {"metadata": merged_metadata, "tags": tags}
    return present(row | {"timestamp": full[0].row["timestamp"]})


def _checked_fields(span: Span, is_root: bool) -> dict[str, Any]:
    name = span.attributes.get(trace.TRACE_NAME)
    return {
        "trace_name": observation_name(span) if name is None and is_root else name,
        "version": trace.version(span),
        "release": trace.release(span),
    }


def _sent_content(span: Span) -> tuple[str, str]:
    return span.first_text("langfuse.trace.input"), span.first_text("langfuse.trace.output")
