"""A piece of work and its span, from its beginning to its end. Who makes the span current, and when, is left to scopes and streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.arguments import Parameters
from otel_llm.bounded_json import text_of
from otel_llm.content import mode_in_force
from otel_llm.failure import mark_failed
from otel_llm.guard import guarded
from otel_llm.identity import current_identity, extended, inside, with_identity
from otel_llm.suppression import without_suppression
from otel_llm.tracing import tracer


@dataclass(frozen=True, slots=True)
class Work:
    """What a kind of work is called, what its spans say, and for whom it is done (as ``identify`` takes it, and ``agent``)."""

    operation: str
    #: None: that of the function that does the work.
    name: str | None
    #: The attribute that says the name, if any does.
    name_attribute: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    input_attribute: str = sc.INPUT_VALUE
    output_attribute: str = sc.OUTPUT_VALUE

    def done_by(self, function: Callable[..., Any]) -> Work:
        """The same work under the function's name, if it has none yet."""
        if self.name is not None:
            return self
        return replace(self, name=str(getattr(function, "__name__", type(function).__name__)))

    def begin(self) -> Begun:
        """Start a span below the current one. It is not made current. Never raises: at worst, nothing is recorded."""
        return self._begun() or Begun(self, trace.INVALID_SPAN, otel_context.get_current(), captures=False)

    @guarded
    def _begun(self) -> Begun:
        attributes: dict[str, AttributeValue] = {sc.OPERATION_NAME: self.operation, **self.attributes}
        if self.name_attribute is not None and self.name is not None:
            attributes[self.name_attribute] = self.name
        context = with_identity(extended(current_identity(), **self.identity))
        title = self.operation if self.name is None else f"{self.operation} {self.name}"
        span = tracer().start_span(title, context, SpanKind.INTERNAL, attributes)
        around = inside(span, context) if span.is_recording() else context
        below = without_suppression(trace.set_span_in_context(span, around))
        return Begun(self, span, below, captures=span.is_recording() and mode_in_force().on_spans)


class Begun:
    """Work under way: its span, the context of what is done in it, and whether what it is given and gives may be recorded."""

    __slots__ = ("_work", "captures", "context", "span")

    def __init__(self, work: Work, span: Span, context: Context, *, captures: bool) -> None:
        self._work = work
        self.span = span
        self.context = context
        self.captures = captures

    @guarded
    def record_call(self, parameters: Parameters, instance: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Record the arguments of the function that does the work."""
        if self.captures:
            self.record_input(parameters.named(instance, args, kwargs))

    def record_input(self, value: object) -> None:
        """Record what the work was given."""
        self._record(self._work.input_attribute, value)

    def record_output(self, value: object) -> None:
        """Record what the work came to."""
        self._record(self._work.output_attribute, value)

    @guarded
    def end(self, error: BaseException | None = None, *, ending: str | None = None) -> None:
        """End the span, with what the work failed by, or how it ended otherwise than regularly."""
        if error is not None:
            mark_failed(self.span, error)
        if ending is not None:
            self.span.set_attribute(sc.ENDING, ending)
        self.span.end()

    @guarded
    def _record(self, attribute: str, value: object) -> None:
        text = text_of(value) if self.captures else None
        if text is not None:
            self.span.set_attribute(attribute, text)
