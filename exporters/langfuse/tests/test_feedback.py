"""What users think of an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from application import application
from opentelemetry.trace import format_trace_id

import otel_llm
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import feedback

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[DestinationExporter]:
    with application(langfuse) as exporter:
        yield exporter


def test_a_thumb_for_a_trace_of_yesterday(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    score_id = feedback(True, trace_id=TRACE, comment="thanks", user_id=42)
    app.force_flush()
    (row,) = langfuse.scores
    assert row.pop("timestamp")
    assert row == {
        "id": score_id,
        "trace_id": TRACE,
        "name": "user-feedback",
        "value": True,
        "data_type": "BOOLEAN",
        "source": "API",
        "comment": "thanks",
        "metadata": {"user_id": "42"},
        "environment": "default",
    }


def test_within_a_trace_it_is_of_the_whole_trace(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with otel_llm.agent("strategist") as span:
        feedback("confusing")
    app.force_flush()
    (row,) = langfuse.scores
    assert (row["trace_id"], row["value"]) == (format_trace_id(span.get_span_context().trace_id), "confusing")
    assert "observation_id" not in row


def test_each_user_has_one_opinion_and_may_change_it(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    feedback(True, trace_id=TRACE, user_id="ann")
    feedback(False, trace_id=TRACE, user_id="bob")
    feedback(False, trace_id=TRACE, user_id="ann")
    app.force_flush()
    assert [(row["metadata"]["user_id"], row["value"]) for row in langfuse.scores] == [("ann", False), ("bob", False)]
