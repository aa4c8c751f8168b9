"""Who else may tell of the same call, and what is done then: the policy, in one table by instrumentation scope.

A call is told once. Where another library's span stands for it, that span gets what it lacks if it speaks the GenAI conventions, and is
left alone if it has a vocabulary of its own; either way no span of ours is started. Where two other libraries tell of one call, the
inner span is stamped as told elsewhere, and destinations leave it out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span

from otel_llm import semconv as sc
from otel_llm.version import SCOPE


@dataclass(frozen=True, slots=True)
class Other:
    """An instrumentation of others, by the beginning of its scope's name."""

    scope: str
    #: Its span is the current one while the request is sent.
    current: bool = True
    #: It speaks the GenAI conventions, so its span may be added to.
    added_to: bool = True


#: The first row that fits counts. opentelemetry-util-genai (the official instrumentations, LangChain) has a protocol of its own.
OTHERS: Final = (
    Other("com.anthropic.sdk.python"),
    Other("openinference.instrumentation.anthropic", current=False, added_to=False),  # not while a stream is opened
    Other("openinference.instrumentation", added_to=False),
    Other("opentelemetry.instrumentation.anthropic", current=False),
    Other("langfuse-sdk", current=False),
    Other("logfire."),
    Other(""),
)
_CALLS: Final = sc.INFERENCE_OPERATIONS | {sc.EMBEDDINGS}
_OTHER_MARKS: Final[Mapping[str, frozenset[str]]] = {
    "openinference.span.kind": frozenset({"LLM", "EMBEDDING"}),
    "langfuse.observation.type": frozenset({"generation", "embedding"}),
}


def tells_a_call(span: Span) -> bool:
    """Whether ``span`` stands for one call of a model, by its attributes so far."""
    attributes: Mapping[str, Any] = (span.attributes or {}) if isinstance(span, ReadableSpan) else {}
    return attributes.get(sc.OPERATION_NAME) in _CALLS or any(
        attributes.get(name) in values for name, values in _OTHER_MARKS.items()
    )


def other_of(span: Span | ReadableSpan) -> Other:
    """The row for the library that started ``span``."""
    name = scope_of(span)
    return next(row for row in OTHERS if name.startswith(row.scope))


def is_ours(span: Span) -> bool:
    """Whether ``span`` is otel-llm's own."""
    return scope_of(span) == SCOPE


def scope_of(span: Span | ReadableSpan) -> str:
    """Name of the instrumentation that started ``span``; empty if it is not known."""
    scope = span.instrumentation_scope if isinstance(span, ReadableSpan) else None
    return scope.name if scope is not None else ""


class BesideCalls:
    """Open spans of libraries that do not make their spans current: found by who started them, and under which parent."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], Span] = {}

    def started(self, span: Span, parent: Span) -> None:
        """Remember a span that was started below ``parent`` by this task or thread."""
        self._open[_place(parent)] = span

    def ended(self, span: ReadableSpan) -> None:
        """Forget a span. Of few that are open at a time, whoever started it."""
        for place, known in list(self._open.items()):
            if known.get_span_context() == span.get_span_context():
                del self._open[place]

    def beside(self, current: Span) -> Span | None:
        """The open span that tells of the call which this task or thread is about to make below ``current``."""
        span = self._open.get(_place(current)) if self._open else None
        return span if span is not None and span.is_recording() and tells_a_call(span) else None


beside_calls = BesideCalls()


#: A span -> the span around it that tells of the same call.
_around: WeakKeyDictionary[Span, Span] = WeakKeyDictionary()


def telling(current: Span) -> Span | None:
    """The span of another library, or of ours, that tells of a call made now, the outermost if there are several."""
    span = current if tells_a_call(current) else beside_calls.beside(current)
    while span is not None and (outer := _around.get(span)) is not None and outer.is_recording():
        span = outer
    return span


def told_by(span: Span, parent: Span) -> Span | None:
    """The span that tells already of the call for which ``span`` was started below ``parent``; remembered for :func:`telling`."""
    told = telling(parent) if tells_a_call(span) else None
    if told is None or not told.is_recording():
        return None
    _around[span] = told
    return told


def _place(parent: Span) -> tuple[int, int]:
    try:
        task: object = asyncio.current_task()
    except RuntimeError:
        task = None
    return parent.get_span_context().span_id, id(task) if task is not None else threading.get_ident()
