"""A span without what is large in it."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.content_policy import NONE
from otel_llm.dialects import conventional
from otel_llm.span_copies import copy_with


def without_content(span: ReadableSpan) -> ReadableSpan:
    """A copy that keeps tokens, cost, model and tree, and leaves prompts, answers and events out."""
    return copy_with(span, attributes=NONE.applied(conventional(span)), events=())
