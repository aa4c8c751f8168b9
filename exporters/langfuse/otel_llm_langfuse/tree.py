"""Where a span hangs in Langfuse, which does not receive all spans between those it receives."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    attributes: dict[str, Any] = field(default_factory=dict)


def place(span: ReadableSpan, given: Given) -> Place:
    """By what is stamped: below the nearest GenAI ancestor, if the direct parent is none; a root if there is no such ancestor.

    A remote parent that did not come by otel-llm is taken for a span that Langfuse does not have, as the HTTP client's is: the trace
    gets its input and output from spans without a parent only.
    """
    parent, ancestor = span.parent, given.get(sc.ANCESTOR_ID)
    if parent is None:
        return Place(None)
    if ancestor == "":
        return root()
    span_id = _span_id(ancestor)
    if span_id is not None:
        return Place(below(parent, span_id))
    return root() if parent.is_remote and not _in_pipeline_from_elsewhere(span, given) else Place(parent)


def root() -> Place:
    """The top of what Langfuse receives of a trace, where there is more above."""
    return Place(None, {names.IS_APP_ROOT: True, names.AS_ROOT: True})


def below(parent: SpanContext, span_id: int) -> SpanContext:
    """Another parent in the trace of the real one."""
    return parent if parent.span_id == span_id else SpanContext(parent.trace_id, span_id, False, parent.trace_flags)


def _span_id(ancestor: Any) -> int | None:
    try:
        value = int(ancestor, 16) if isinstance(ancestor, str) else 0
    except ValueError:
        return None
    return value if 0 < value < 2**64 else None


def _in_pipeline_from_elsewhere(span: ReadableSpan, given: Given) -> bool:
    pipeline = given.get(sc.PIPELINE_ID)
    return pipeline is not None and span.context is not None and pipeline != format_span_id(span.context.span_id)
