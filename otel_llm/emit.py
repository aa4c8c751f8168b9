"""How a recorded call becomes telemetry.

A call is told in one of three ways:

- inside another library's GenAI invocation, through util-genai, which enriches that invocation's span instead of opening a second;
- under another library's own span of the same call (anthropic's native tracing), by adding to that span what it lacks;
- else as a span of ours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, LogRecord, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.ancestry import node_of
from otel_llm.attributes import call_attributes, content_attributes
from otel_llm.content import CaptureMode
from otel_llm.metrics import CallMetrics
from otel_llm.others import is_ours, other_of, telling
from otel_llm.processor import has_ended
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.suppression import inside_inference
from otel_llm.tracing import tracer
from otel_llm.version import SCOPE, __version__


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: known before the request body is read."""

    provider: str
    operation: str
    model: str | None
    server_address: str
    server_port: int | None

    @property
    def attributes(self) -> dict[str, AttributeValue]:
        """The same as attributes of the conventions."""
        known: dict[str, AttributeValue | None] = {
            sc.OPERATION_NAME: self.operation,
            sc.PROVIDER_NAME: self.provider,
            sc.SERVER_ADDRESS: self.server_address,
            sc.REQUEST_MODEL: self.model,
            sc.SERVER_PORT: self.server_port,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(slots=True)
class Outcome:
    """What is known of a call when it ends."""

    request: RequestFacts
    response: ResponseFacts
    #: Attributes that come from the exchange rather than its bodies (status code, resend count, ending, error type).
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    #: Status description; None unless the call failed.
    failure: str | None = None
    first_chunk_s: float | None = None

    @property
    def told(self) -> dict[str, AttributeValue]:
        """All attributes of the call but its content, and those known at its start."""
        return call_attributes(self.request, self.response, self.first_chunk_s) | self.attributes

    def for_another_span(self) -> dict[str, AttributeValue]:
        """What may be added to another library's span: of a failed attempt only the request, since that library may try again."""
        if self.failure is not None:
            return call_attributes(self.request, ResponseFacts())
        return self.told


class Emission(Protocol):
    """The telemetry of one call, from its start to its end."""

    #: What to make current while the request is being sent; None: leave the context as it is.
    context: Context | None

    def finish(self, outcome: Outcome) -> None:
        """End the call. Called once."""


class Emitter:
    """Starts the telemetry of calls."""

    def __init__(
        self,
        mode: CaptureMode,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self.mode = mode
        self.metrics = CallMetrics(meter_provider)
        self.logger: Logger = get_logger(SCOPE, __version__, logger_provider)

    def start(self, target: Target) -> Emission | None:
        """Start a call, or None if nothing would record it (sampled out): then nothing needs to be parsed."""
        context = otel_context.get_current()
        current = trace.get_current_span(context)
        if has_ended(current):
            # Work that outlived what it was started in: nobody tells its calls but us.
            return self._own_span(target, context)
        if inside_inference(context) and target.operation in sc.INFERENCE_OPERATIONS:
            return self._inside_invocation(target, current)
        told = telling(current)
        if told is None:
            return self._own_span(target, context)
        return None if is_ours(told) or not other_of(told).added_to else AddedToSpan(self, target, told)

    def _inside_invocation(self, target: Target, current: Span) -> Emission | None:
        # Imported here: the bulk of opentelemetry-util-genai is seldom needed.
        from otel_llm.emit_nested import InsideInvocation

        # Below an invocation, anthropic's own tracing puts a span without a life into the context, by the id of the one around it.
        node = None if current.is_recording() else node_of(current.get_span_context())
        span = current if node is None else node.open_span or current
        return InsideInvocation(target, self.mode, span, self.metrics) if span.is_recording() else None

    def _own_span(self, target: Target, context: Context) -> Emission | None:
        attributes = target.attributes
        span = tracer().start_span(_name(target.operation, target.model), context, SpanKind.CLIENT, attributes)
        if not span.is_recording():
            span.end()
            return None
        return OwnSpan(self, span, target, attributes, trace.set_span_in_context(span, context))


class OwnSpan:
    """A call told by a span of ours."""

    def __init__(
        self, emitter: Emitter, span: Span, target: Target, start: Mapping[str, AttributeValue], context: Context
    ) -> None:
        self._emitter = emitter
        self._span = span
        self._target = target
        self._start = start
        self._started = time.perf_counter()
        self.context: Context | None = context

    def finish(self, outcome: Outcome) -> None:
        """Set what is known, then end the span, record metrics and, if asked for, the event."""
        emitter, span = self._emitter, self._span
        facts = outcome.told
        model = outcome.request.model
        if model is not None and model != self._target.model:
            span.update_name(_name(self._target.operation, model))
        content = content_attributes(outcome.request, outcome.response) if emitter.mode.on_spans else {}
        span.set_attributes({**facts, **content})
        if outcome.failure is not None:
            span.set_status(Status(StatusCode.ERROR, outcome.failure))
        span.end()
        told = {**self._start, **facts}
        if emitter.metrics.measured:
            took_s = time.perf_counter() - self._started
            emitter.metrics.record(told | _agent_of(span), outcome.response.usage, took_s, outcome.first_chunk_s)
        if emitter.mode.on_events:
            emitter.logger.emit(_event(told, outcome, self.context))


class AddedToSpan:
    """A call that another library already tells by the current span: what that span lacks is added to it, tokens are not repeated."""

    context: Context | None = None

    def __init__(self, emitter: Emitter, target: Target, span: Span) -> None:
        self._emitter = emitter
        self._target = target
        self._span = span

    def finish(self, outcome: Outcome) -> None:
        """Add to the other library's span, which ends itself."""
        facts: dict[str, Any] = dict(outcome.for_another_span())
        if self._emitter.mode.on_spans:
            facts |= content_attributes(outcome.request, outcome.response)
        there = self._span.attributes or {} if isinstance(self._span, ReadableSpan) else {}
        if self._span.is_recording():
            self._span.set_attributes({key: value for key, value in facts.items() if key not in there})
        if self._emitter.metrics.measured:
            told = {**self._target.attributes, **outcome.told, **_agent_of(self._span)}
            self._emitter.metrics.record_cost(told, outcome.response.usage)


def _agent_of(span: Span) -> dict[str, AttributeValue]:
    """The agent that the span is stamped with: a dimension of metrics."""
    there = span.attributes or {} if isinstance(span, ReadableSpan) else {}
    return {sc.AGENT_NAME: there[sc.AGENT_NAME]} if sc.AGENT_NAME in there else {}


def _name(operation: str, model: str | None) -> str:
    return f"{operation} {model}" if model else operation


def _event(attributes: Mapping[str, AttributeValue], outcome: Outcome, context: Context | None) -> LogRecord:
    return LogRecord(
        event_name="gen_ai.client.inference.operation.details",
        attributes={**attributes, **content_attributes(outcome.request, outcome.response, as_text=False)},
        context=context,
        severity_number=SeverityNumber.INFO,
    )
