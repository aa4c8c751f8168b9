"""A span without what is large in it."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.content_policy import ContentMode, ContentPolicy
from otel_llm.dialects import conventional

_NOTHING = ContentPolicy(ContentMode.NONE)


def without_content(span: ReadableSpan) -> ReadableSpan:
    """A copy that keeps tokens, cost, model and tree, and leaves prompts, answers and events out."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_NOTHING.applied(conventional(span)),
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
