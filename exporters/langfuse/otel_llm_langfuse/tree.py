"""Where a span hangs in Langfuse, which does not receive the spans between GenAI spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, format_span_id

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given


@dataclass(frozen=True, slots=True)
class Place:
    """The parent in Langfuse, and the marks of a root whose real parent Langfuse does not know."""

    parent: SpanContext | None
    attributes: dict[str, Any]


_ROOT_MARKS = {names.IS_APP_ROOT: True, names.AS_ROOT: True}


def place(span: ReadableSpan, given: Given) -> Place:
    """Below the nearest GenAI ancestor, if the direct parent is none; a root if there is no such ancestor.

    A remote parent stays. Unless the span's pipeline began elsewhere, it is marked as the root of what this service does.
    """
    parent, ancestor = span.parent, given.get(sc.ANCESTOR_ID)
    if parent is None:
        return Place(None, {})
    if ancestor == "":
        return Place(None, dict(_ROOT_MARKS))
    span_id = _span_id(ancestor)
    if span_id is not None:
        return Place(SpanContext(parent.trace_id, span_id, False, parent.trace_flags), {})
    return Place(parent, dict(_ROOT_MARKS) if parent.is_remote and not _in_pipeline_from_elsewhere(span, given) else {})


def _span_id(ancestor: Any) -> int | None:
    try:
        value = int(ancestor, 16) if isinstance(ancestor, str) else 0
    except ValueError:
        return None
    return value if 0 < value < 2**64 else None


def _in_pipeline_from_elsewhere(span: ReadableSpan, given: Given) -> bool:
    pipeline = given.get(sc.PIPELINE_ID)
    return pipeline is not None and span.context is not None and pipeline != format_span_id(span.context.span_id)
