"""Spans of an application with an agent, as its SDK has them when they end."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from otel_llm.testing import SpanSink
from otel_llm.tracing import stamp_spans_of

PROMPT = "What is the weather in Zürich?"
START_NS = 1_790_000_000_000_000_000
SECOND = 1_000_000_000


def said(role: str, text: str) -> str:
    """Messages in the conventions' form: one, with one text."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}])


def chat(**more: Any) -> dict[str, Any]:
    """Attributes of a call of a model that answers."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cost": 0.0035,
        "gen_ai.input.messages": said("user", PROMPT),
        "gen_ai.output.messages": said("assistant", "Föhn."),
        **more,
    }


class Application:
    """A provider that keeps what it traces; ``stamped`` says whether otel-llm is there to say what hangs below what."""

    def __init__(self, *, stamped: bool = True, resource: dict[str, Any] | None = None) -> None:
        self.sink = SpanSink()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, shutdown_on_exit=False, resource=Resource({"service.name": "weather", **(resource or {})})
        )
        if stamped:
            stamp_spans_of(self._provider)
        self._provider.add_span_processor(self.sink)
        self.tracer: Tracer = self._provider.get_tracer("app", "1.0")

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended."""
        return list(self.sink.spans)

    def serve(self) -> list[ReadableSpan]:
        """One request, answered by an agent with all that one can do."""
        tracer = self.tracer
        with tracer.start_as_current_span("POST /ask", kind=SpanKind.SERVER, attributes={"http.route": "/ask"}):
            agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "forecaster", "gen_ai.conversation.id": "s1"}
            with tracer.start_as_current_span("invoke_agent forecaster", attributes=agent):
                self.call(**{"gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.usage.cache_read.input_tokens": 600})
                with tracer.start_as_current_span("look up", attributes={"db.system": "sqlite"}):
                    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "c1"}
                    told = {"gen_ai.tool.call.arguments": '{"city":"Zürich"}', "gen_ai.tool.call.result": '"rain"'}
                    tracer.start_span("execute_tool weather", attributes=tool | told).end()
                self.fail()
                embedding = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e", "gen_ai.usage.input_tokens": 7}
                tracer.start_span("embeddings e", attributes=embedding).end()
                tracer.start_span("retrieval docs", attributes={"gen_ai.operation.name": "retrieval"}).end()
        return self.spans

    def call(self, *, name: str = "chat gpt-4o", seconds: float = 1.5, **more: Any) -> None:
        """A call of a model."""
        span = self.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=chat(**more), start_time=START_NS)
        span.end(START_NS + int(seconds * SECOND))

    def fail(self) -> None:
        """A call of a model that fails."""
        asked = {name: value for name, value in chat().items() if not name.startswith(("gen_ai.usage", "gen_ai.output"))}
        span = self.tracer.start_span("chat failing", attributes={**asked, "error.type": "TimeoutError"})
        span.record_exception(TimeoutError("too slow"))
        span.set_status(Status(StatusCode.ERROR, "too slow"))
        span.end()
