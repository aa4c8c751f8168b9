"""Tasks that outlive what started them: where they belong, and how long they may run."""

from __future__ import annotations

import contextvars
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import get_current_span

from otel_llm.carriers import identity_here, linked_root
from otel_llm.processor import has_ended
from otel_llm.running_tasks import Task, running_tasks
from otel_llm.suppression import without_suppression

T = TypeVar("T")
SpawnMode: TypeAlias = Literal["auto", "child", "link", "detached"]


def spawn(coro: Coroutine[Any, Any, T], *, name: str | None = None, mode: SpawnMode = "auto") -> Task[T]:
    """Start a background task that belongs to what started it, and return it; a strong reference is kept until it ends.

    ``mode`` says where its spans belong:

    - ``child``: below the current span, also those that end after it;
    - ``link``: in a trace of their own that is linked to the current span, for the same user, session, tags and agent;
    - ``auto``: ``child``, unless the current span has ended already: then ``link``;
    - ``detached``: nowhere; there is no parent, no link, and no identity.

    LLM calls in the task are recorded even if it was started inside another library's LLM call. A failure that nobody waits for is
    logged, without its message. :func:`otel_llm.shutdown` waits for the task for a part of its time, and then cancels it.

    Raises RuntimeError if no event loop runs, and ValueError for another mode.
    """
    if mode not in get_args(SpawnMode):
        coro.close()
        raise ValueError(f"mode must be one of {', '.join(get_args(SpawnMode))}, not {mode!r}")
    surroundings = contextvars.copy_context()
    surroundings.run(otel_context.attach, _context_of(mode, otel_context.get_current()))
    return running_tasks.start(coro, name, surroundings)


def worker(coro: Coroutine[Any, Any, T], *, name: str | None = None) -> Task[T]:
    """Start a task that serves everybody, and return it: its context is empty, whoever happens to start it first.

    Each job says itself where it belongs: see :func:`otel_llm.parcel`. Other than with ``spawn(mode="detached")``, the application's
    own context variables stay behind too, and :func:`otel_llm.shutdown` does not wait for the task: it is cancelled when the spawned
    ones have ended. A failure that nobody waits for is logged, without its message.

    Raises RuntimeError if no event loop runs.
    """
    return running_tasks.start(coro, name, contextvars.Context(), is_worker=True)


def _context_of(mode: SpawnMode, current: Context) -> Context:
    if mode == "detached":
        return Context()
    span = get_current_span(current)
    if mode == "link" or (mode == "auto" and has_ended(span)):
        return linked_root(identity_here(current), span.get_span_context(), without_suppression(current))
    return without_suppression(current)
