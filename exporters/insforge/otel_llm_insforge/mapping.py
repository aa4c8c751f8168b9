"""From an ended span to its rows in the legacy tables. Pure: no I/O, no clock, and no attribute value makes it raise.

A pipeline's root span becomes a row of ``pipeline_traces`` and nothing else; each GenAI span below it becomes a row of
``pipeline_spans``, whose parent is NULL where the legacy writer had none: directly under the root. Each row is written when its span
ends. Nothing waits for a root, since the tables have no foreign key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode, format_span_id

from otel_llm import semconv as sc
from otel_llm.content_policy import NONE, ContentPolicy
from otel_llm.content_spans import told_around_attributes
from otel_llm.dialects import conventional
from otel_llm_insforge.ids import is_span_id, span_uuid, trace_uuid
from otel_llm_insforge.names import DEFAULT_SPAN_NAMES, pipeline_name, span_name
from otel_llm_insforge.payload import input_data, output_data
from otel_llm_insforge.rows import SPANS, TRACES, Row
from otel_llm_insforge.scalars import integer, milliseconds, text, timestamp
from otel_llm_insforge.text import FIELD_LIMIT, clean_text


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """How spans are mapped."""

    #: What of prompts, answers, tool arguments and results is written into ``input_data`` and ``output_data``.
    content: ContentPolicy = NONE
    #: GenAI spans outside any pipeline, which the legacy writer did not know: left out, or written under a trace row of their own.
    orphans: Literal["skip", "synthesize"] = "skip"
    telegram_id_attribute: str = sc.USER_ID
    user_id_attribute: str | None = None
    #: ``span_name`` by our rule -> the name to write instead.
    span_names: Mapping[str, str] = field(default_factory=lambda: DEFAULT_SPAN_NAMES)


_DEFAULTS: Final = MappingOptions()
#: Attributes in the conventions' names and forms.
Given = Mapping[str, Any]


def map_span(span: ReadableSpan, options: MappingOptions = _DEFAULTS) -> list[Row]:
    """The rows of one ended span; none for a span outside the GenAI conventions, or outside any pipeline unless asked for."""
    context, given = span.context, conventional(span)
    if context is None or not text(given.get(sc.OPERATION_NAME)) or sc.TOLD_BY in given:
        return []
    root = given.get(sc.PIPELINE_ID)
    if not is_span_id(root) and options.orphans == "skip":
        return []
    span, given = told_around_attributes(span, options.content), options.content.applied(given)
    if not is_span_id(root):
        return _orphan_rows(span, given, context, options)
    primary = given.get(sc.PIPELINE_PRIMARY) is not False
    trace = trace_uuid(context.trace_id) if primary else span_uuid(context.trace_id, str(root))
    if root == format_span_id(context.span_id):
        return [_trace_row(span, given, trace, options)]
    return [_span_row(span, given, context, trace, _parent(span, str(root)), options)]


def _orphan_rows(span: ReadableSpan, given: Given, context: SpanContext, options: MappingOptions) -> list[Row]:
    """A span row, and a trace row if the span is the topmost GenAI span of this process.

    Below spans that are no rows, or below another process, the trace row must not take the plain trace id: a pipeline of the same
    trace would find its own row's id taken.
    """
    parent = _parent(span, None)
    topmost = parent is None or (span.parent is not None and span.parent.is_remote)
    own_trace = topmost and span.parent is not None
    trace = span_uuid(context.trace_id, format_span_id(context.span_id)) if own_trace else trace_uuid(context.trace_id)
    span_row = _span_row(span, given, context, trace, None if topmost else parent, options)
    return [_trace_row(span, given, trace, options), span_row] if topmost else [span_row]


def _parent(span: ReadableSpan, root: str | None) -> str | None:
    """Span id of the parent row: the nearest GenAI ancestor, None for none and for the pipeline's root."""
    ancestor = (span.attributes or {}).get(sc.ANCESTOR_ID)
    if ancestor == "":
        return None
    if is_span_id(ancestor):
        parent = str(ancestor)
    elif span.parent is not None:
        parent = format_span_id(span.parent.span_id)
    else:
        return None
    return None if parent == root else parent


def _trace_row(span: ReadableSpan, given: Given, trace: str, options: MappingOptions) -> Row:
    user = None if options.user_id_attribute is None else integer(given.get(options.user_id_attribute), 32)
    columns = {
        "trace_id": trace,
        "pipeline_name": pipeline_name(span, given),
        "telegram_id": integer(given.get(options.telegram_id_attribute), 64) or 0,
        "user_id": user,
        **_outcome(span, _described_error(span, given)),
    }
    return Row(TRACES, columns)


def _span_row(
    span: ReadableSpan, given: Given, context: SpanContext, trace: str, parent: str | None, options: MappingOptions
) -> Row:
    name = span_name(span, given)
    columns = {
        "span_id": span_uuid(context.trace_id, format_span_id(context.span_id)),
        "trace_id": trace,
        "parent_span_id": None if parent is None else span_uuid(context.trace_id, parent),
        "span_name": clean_text(options.span_names.get(name, name), 100),
        **_outcome(span, _exception_message(span) or _described_error(span, given)),
        "input_data": input_data(given),
        "output_data": output_data(given),
    }
    return Row(SPANS, columns)


def _outcome(span: ReadableSpan, error: str | None) -> dict[str, Any]:
    """The columns that both tables share."""
    start, end = span.start_time or 0, span.end_time or span.start_time or 0
    failed = span.status.status_code is StatusCode.ERROR
    return {
        "start_time": timestamp(start),
        "end_time": timestamp(end),
        "duration_ms": milliseconds(end - start),
        "success": not failed,
        "error": error if failed else None,
    }


def _described_error(span: ReadableSpan, given: Given) -> str | None:
    """The status description (``ExceptionType: message`` where our own spans failed), else the type of the error."""
    return text(span.status.description, FIELD_LIMIT) or text(given.get(sc.ERROR_TYPE))


def _exception_message(span: ReadableSpan) -> str | None:
    events = (event for event in reversed(span.events) if event.name == "exception")
    messages = (text((event.attributes or {}).get("exception.message"), FIELD_LIMIT) for event in events)
    return next((message for message in messages if message), None)
