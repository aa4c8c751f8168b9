"""The copy that is encoded."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm_langfuse import MappingSettings
from otel_llm_langfuse.otlp import record_of

CHAT = {"gen_ai.operation.name": "chat"}


def test_joined_records_are_one_request(make_span: Callable[..., ReadableSpan]) -> None:
    joined = b"".join(record_of(make_span(CHAT, name=name), MappingSettings()) for name in "ab")
    request = ExportTraceServiceRequest.FromString(joined)
    assert [group.scope_spans[0].spans[0].name for group in request.resource_spans] == ["a", "b"]


def test_text_that_utf8_cannot_tell_is_sent_with_a_question_mark(make_span: Callable[..., ReadableSpan]) -> None:
    record = record_of(make_span(CHAT, name="chat \ud83d", error="boom \ud83d"), MappingSettings())
    span = ExportTraceServiceRequest.FromString(record).resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.status.message) == ("chat ?", "boom ?")
