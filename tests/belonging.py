"""What the tests of handed-over work share: a call, where it stands, and functions that other processes can import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_llm import Carrier, Parcel
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, tracer, use_provider

LONG_S = 30.0


def call_llm(name: str = "gpt-4o") -> None:
    """A span as an LLM call makes it."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": name}
    tracer().start_span(f"chat {name}", kind=SpanKind.CLIENT, attributes=attributes).end()


def stamps(sink: SpanSink, name: str = "chat gpt-4o") -> dict[str, Any]:
    """The attributes of the only span of this name."""
    return sink.attributes(sink.one(name=name))


def parent_of(sink: SpanSink, name: str = "chat gpt-4o") -> str | None:
    """The name of the span above the only one of this name; None for a root."""
    parent = sink.one(name=name).parent
    return None if parent is None else next(span.name for span in sink.spans if span.context.span_id == parent.span_id)


def links_of(sink: SpanSink, name: str = "chat gpt-4o") -> list[str]:
    """The names of the spans that the only one of this name is linked to."""
    linked = [link.context.span_id for link in sink.one(name=name).links]
    return [span.name for span in sink.spans if span.context.span_id in linked]


def plain_span(name: str) -> Any:
    """A span as OpenTelemetry itself opens it."""
    return tracer().start_as_current_span(name)


def failures_to_detach(caplog: pytest.LogCaptureFixture) -> int:
    """How often OpenTelemetry logged that a context could not be restored."""
    return [record.getMessage() for record in caplog.records].count("Failed to detach context")


# --- in another process -----------------------------------------------------------------------------------------------


def seen_by(work: Callable[[], Any]) -> dict[str, Any]:
    """What is recorded of the call that ``work`` makes, in a process that has set up tracing for itself."""
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        work()
        use_provider(None)
        span = spans.one(name="chat gpt-4o")
        return {"trace": span.context.trace_id, "parent": span.parent and span.parent.span_id, **(span.attributes or {})}


def call_seen() -> dict[str, Any]:
    """A call in the context that the job has."""
    return seen_by(call_llm)


def call_below(carrier: Carrier) -> dict[str, Any]:
    """A call below a carrier."""
    with carrier.attach():
        return seen_by(call_llm)


def call_of(parcel: Parcel[str]) -> dict[str, Any]:
    """A call for the item of a parcel."""
    with parcel.open() as item:
        return seen_by(call_llm) | {"item": item}


def tell(queue: Any, work: Callable[..., dict[str, Any]], *arguments: Any) -> None:
    """The body of a process: answer over a queue."""
    queue.put(work(*arguments))


def serve(parcels: Any, answers: Any) -> None:
    """The body of a process that works on parcels until it gets None."""
    while (parcel := parcels.get()) is not None:
        answers.put(call_of(parcel))
