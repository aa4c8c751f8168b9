"""Metadata of a trace that is said late, in both write paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from application import application
from opentelemetry import trace
from opentelemetry.trace import format_trace_id

import otel_llm
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.tracing import tracer
from otel_llm_langfuse import annotate

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[DestinationExporter]:
    with application(langfuse) as exporter:
        yield exporter


def own(metadata: dict[str, Any]) -> dict[str, Any]:
    """What was said by hand, without what Langfuse adds of a span."""
    foreign = ("attributes", "resourceAttributes", "scope", "links")
    return {key: value for key, value in metadata.items() if not key.startswith(foreign)}


def the_trace(langfuse: FakeLangfuse) -> tuple[str, dict[str, Any]]:
    """Name and metadata of the only trace; its name is kept in another field by each path."""
    (row,) = langfuse.traces
    return row.get("trace_name") or row["name"], own(row["metadata"])


def decide() -> None:
    annotate(decision="discount", confidence=0.87, approved=True, reasons=["loyal", {"years": 4}])


DECIDED = {"decision": "discount", "confidence": "0.87", "approved": "true", "reasons": '["loyal",{"years":4}]'}


def test_while_it_is_open_the_topmost_span_carries_it(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with otel_llm.workflow("support", metadata={"plan": "gold"}), otel_llm.agent("strategist"):
        decide()
    app.force_flush()
    name, metadata = the_trace(langfuse)
    assert (name, {key: metadata[key] for key in ("plan", *DECIDED)}) == ("support", {"plan": "gold", **DECIDED})
    assert [row["name"] for row in langfuse.observations] == ["invoke_agent strategist", "invoke_workflow support"]


def test_below_a_span_that_langfuse_does_not_get(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with tracer().start_as_current_span("POST /answer"), otel_llm.agent("strategist"):
        decide()
    app.force_flush()
    name, metadata = the_trace(langfuse)
    assert (name, {key: metadata[key] for key in DECIDED}) == ("strategist", DECIDED)


@pytest.mark.parametrize("where", ["in the request", "elsewhere"])
def test_once_it_has_ended_an_event_repeats_what_the_trace_had(
    app: DestinationExporter, langfuse: FakeLangfuse, where: str
) -> None:
    with tracer().start_as_current_span("POST /answer") as request:
        with otel_llm.workflow("support", metadata={"plan": "gold"}), otel_llm.agent("strategist"):
            annotate(decision="discount")
        if where == "in the request":
            annotate(outcome="open")
    trace_id = format_trace_id(request.get_span_context().trace_id)
    if where == "elsewhere":
        annotate(outcome="open", trace_id=trace_id)
    annotate({"sold at": "2026-11-20"}, outcome="won", trace_id=trace_id)
    app.force_flush()

    name, metadata = the_trace(langfuse)
    wanted = {"plan": "gold", "decision": "discount", "outcome": "won", "sold at": "2026-11-20"}
    assert (name, {key: metadata[key] for key in wanted}) == ("support", wanted)
    assert [row["type"] for row in langfuse.observations] == ["AGENT", "CHAIN", "EVENT", "EVENT"]


def test_a_trace_that_another_process_sent_keeps_its_name_and_metadata(langfuse: FakeLangfuse, path: str) -> None:
    with application(langfuse), otel_llm.workflow("support", metadata={"plan": "gold"}) as root:
        pass
    with application(langfuse) as another:
        annotate(outcome="won", trace_id=root.get_span_context().trace_id)
        another.force_flush()
    event = next(row for row in langfuse.observations if row["type"] == "EVENT")
    name, metadata = the_trace(langfuse)
    assert (name, metadata["plan"]) == ("support", "gold")
    assert (metadata if path == "dual" else event["metadata"])["outcome"] == "won"


def test_a_trace_that_nobody_knows_gets_an_event_below_its_other_observations(
    app: DestinationExporter, langfuse: FakeLangfuse, path: str
) -> None:
    annotate(outcome="won", trace_id=TRACE)
    app.force_flush()
    (event,) = langfuse.observations
    assert (event["type"], event["trace_id"], len(event["parent_span_id"])) == ("EVENT", TRACE, 16)
    (row,) = langfuse.traces
    if path == "dual":
        assert own(row["metadata"]) == {"outcome": "won"}
        assert "trace_name" not in row
    else:
        assert own(event["metadata"]) == {"outcome": "won"}
        assert "metadata" not in row


def test_what_cannot_be_annotated_is_said_at_once(app: DestinationExporter) -> None:
    with pytest.raises(ValueError, match="no metadata to add"):
        annotate(trace_id=TRACE)
    with pytest.raises(ValueError, match="there is no current trace"):
        annotate(outcome="won")
    with pytest.raises(ValueError, match="'today' is no trace id"):
        annotate(outcome="won", trace_id="today")


def test_without_a_delivery_to_langfuse_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"call otel_llm\.configure"):
        annotate(outcome="won", trace_id=TRACE)


def test_a_trace_that_is_not_sampled_is_not_annotated(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    context = trace.SpanContext(int(TRACE, 16), 1, is_remote=False, trace_flags=trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(context)):
        annotate(outcome="won")
    app.force_flush()
    assert langfuse.observations == []
