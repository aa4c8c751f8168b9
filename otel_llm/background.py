"""Work that outlives what started it: background tasks, and items handed over a queue or to another process."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otel_llm.identity import Identity, current_identity, with_identity, with_link
from otel_llm.processor import ancestor_or_self, has_ended, pipeline_of
from otel_llm.suppression import without_suppression

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
    """Start a background task that belongs to what started it, and return it; a strong reference is kept until it ends.

    The task's spans are children of the current span, also those that end after it. If it has already ended, the task's first span
    starts a trace of its own, linked to it, with the same user, session, tags and agent. LLM calls in the task are recorded even if
    it was started inside another library's LLM call.
    """
    surroundings = contextvars.copy_context()
    surroundings.run(otel_context.attach, background_context())
    task = asyncio.get_running_loop().create_task(coro, name=name, context=surroundings)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


def background_context() -> Context:
    """The context for background work started here: child of the current span, or, once that has ended, a linked new root."""
    context = without_suppression(otel_context.get_current())
    span = trace.get_current_span(context)
    if not has_ended(span):
        return context
    elsewhere = replace(current_identity(context), pipeline=None, ancestor=None)
    context = trace.set_span_in_context(trace.INVALID_SPAN, with_identity(elsewhere, context))
    return with_link(span.get_span_context(), context)


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where work belongs, to be handed over with it: through a queue, to a thread, to another process. Can be pickled."""

    trace_id: int
    span_id: int
    trace_flags: int
    trace_state: str
    identity: Identity

    @contextmanager
    def attach(self) -> Iterator[None]:
        """Do the work of this block where :func:`capture` was called: its spans become children of the span of that time."""
        token = otel_context.attach(self._context())
        try:
            yield
        finally:
            otel_context.detach(token)

    def _context(self) -> Context:
        context = with_identity(self.identity, Context())
        if not self.trace_id:
            return context
        parent = SpanContext(
            self.trace_id,
            self.span_id,
            is_remote=True,
            trace_flags=TraceFlags(self.trace_flags),
            trace_state=TraceState.from_header([self.trace_state] if self.trace_state else []),
        )
        return trace.set_span_in_context(NonRecordingSpan(parent), context)


def capture() -> Carrier:
    """Take along where the current work belongs: trace, agent, user, session, pipeline."""
    span = trace.get_current_span()
    context, identity = span.get_span_context(), current_identity()
    nearest = ancestor_or_self(span)
    return Carrier(
        context.trace_id,
        context.span_id,
        int(context.trace_flags),
        context.trace_state.to_header(),
        replace(
            identity,
            metadata=dict(identity.metadata),
            pipeline=pipeline_of(span) or identity.pipeline,
            ancestor=identity.ancestor if nearest is None else nearest,
        ),
    )
