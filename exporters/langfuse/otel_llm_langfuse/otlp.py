"""A span as the bytes of an OTLP trace export request, copied with other attributes and another parent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status
from opentelemetry.util.types import AttributeValue

from otel_llm.content_policy import ContentMode
from otel_llm.content_spans import told_around_attributes
from otel_llm.delivery.otlp import encode_request
from otel_llm.dialects import conventional
from otel_llm.span_copies import copy_with
from otel_llm_langfuse.conform import encodable
from otel_llm_langfuse.mapping import MappingSettings, mapped
from otel_llm_langfuse.media import MediaMode
from otel_llm_langfuse.media_record import packed
from otel_llm_langfuse.media_taking import still_there, taken_out

#: With another policy on content, media are hashed or left out with it, so none are uploaded.
_SHOWN: Final = (ContentMode.FULL, ContentMode.TRUNCATED)


def record_of(span: ReadableSpan, settings: MappingSettings, media: MediaMode = "keep") -> bytes:
    """One ``ExportTraceServiceRequest`` with one span, behind its media if there are any to upload (:mod:`media_record`)."""
    span = told_around_attributes(span, settings.content)
    taken = taken_out(conventional(span), media if settings.content.mode in _SHOWN else "keep")
    given = settings.content.applied(taken.given)
    place = settings.place(span, given)
    attributes = mapped(span, given, settings, place)
    request = encode_request(_copy(span, attributes, place.parent))
    if not taken.media or span.context is None:
        return request
    trace_id, observation_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
    return packed(request, still_there(taken.media, attributes), trace_id=trace_id, observation_id=observation_id)


def _copy(span: ReadableSpan, attributes: Mapping[str, AttributeValue], parent: SpanContext | None) -> ReadableSpan:
    """The span that Langfuse gets; ``span`` itself stays as it is, for other exporters.

    What its events tell is among the attributes: Langfuse drops events, but for messages, which would get past the content policy.
    """
    return copy_with(
        span,
        name=encodable(span.name),
        parent=parent,
        attributes=attributes,
        events=(),
        links=(),
        status=_encodable_status(span.status),
    )


def _encodable_status(status: Status) -> Status:
    return status if status.description is None else Status(status.status_code, encodable(status.description))
