"""The opt-in event of a call, for those who want content in logs rather than on spans."""

from __future__ import annotations

import json
from typing import Any

import pytest
from calling import Caller
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.testing import SpanSink

ANSWER = {"id": "1", "choices": [{"message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}]}
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.mark.parametrize(
    ("mode", "on_span", "events"),
    [(CaptureMode.NO_CONTENT, False, 0), (CaptureMode.EVENT_ONLY, False, 1), (CaptureMode.SPAN_AND_EVENT, True, 1)],
)
def test_content_goes_where_it_was_asked_to(caller: Caller, mode: CaptureMode, on_span: bool, events: int) -> None:
    memory = InMemoryLogRecordExporter()
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(memory))
    with SpanSink.provider() as (provider, sink):
        instrument(tracer_provider=provider, logger_provider=logs, content=mode)
        transport = caller.answering([json.dumps(ANSWER).encode()], headers={"content-type": "application/json"})
        caller.post("https://api.openai.com/v1/chat/completions", QUESTION, transport=transport)
        uninstrument()
        (span,) = sink.spans
    records: list[Any] = [data.log_record for data in memory.get_finished_logs()]
    logs.shutdown()

    assert ("gen_ai.input.messages" in (span.attributes or {})) is on_span
    assert len(records) == events
    for record in records:
        assert record.event_name == "gen_ai.client.inference.operation.details"
        assert record.span_id == span.context.span_id
        assert record.attributes["gen_ai.request.model"] == "gpt-4o"
        (message,) = record.attributes["gen_ai.input.messages"]
        assert message["role"] == "user"
        assert list(message["parts"]) == [{"type": "text", "content": "Why?"}]
