"""Who a span belongs to: agents, pipelines, identities. Explicit, and safe under ``gather``, threads and generators.

Everything lives in the OpenTelemetry context, so it follows ``await``, ``create_task`` and ``asyncio.to_thread``. For background
tasks there is :func:`otel_llm.spawn`, for queues and other processes :func:`otel_llm.capture`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.failure import mark_failed
from otel_llm.identity import current_identity, extended, inside, with_identity
from otel_llm.suppression import without_suppression
from otel_llm.tracing import tracer

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def identify(
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
    prompt: object = None,
) -> Iterator[None]:
    """Say for whom the work in this block is done; every span started in it carries it.

    Ids, project and prompt replace those of an outer block, tags are added, metadata is merged key by key. Values become strings.
    Nothing is put into baggage, so nothing of it is sent to other services.

    ``project`` is the key of the Langfuse project that the spans are meant for. ``prompt`` is the managed prompt that the calls are
    made with: an object with ``name`` and ``version``, as Langfuse's SDK returns it, or a pair of both. A fallback prompt, or a version
    that is no whole number, links calls to nothing.
    """
    identity = extended(
        current_identity(),
        user_id=user_id,
        session_id=session_id,
        tags=tags,
        metadata=metadata,
        project=project,
        prompt=prompt,
    )
    token = otel_context.attach(with_identity(identity))
    try:
        yield
    finally:
        otel_context.detach(token)


class SpanScope(AbstractContextManager[Span]):
    """A span around a block (``with`` and ``async with``) or around each call of a function (as a decorator).

    As a context manager it serves once; as a decorator it opens a new span for each call.
    """

    def __init__(
        self, operation: str, name: str, attributes: Mapping[str, AttributeValue], identity: Mapping[str, Any]
    ) -> None:
        self._operation = operation
        self._name = name
        self._attributes = attributes
        self._identity = identity
        self._span: Span = trace.INVALID_SPAN
        self._token: Any = None

    def __enter__(self) -> Span:
        context = with_identity(extended(current_identity(), **self._identity))
        self._span = tracer().start_span(
            f"{self._operation} {self._name}",
            context=context,
            kind=SpanKind.INTERNAL,
            attributes={sc.OPERATION_NAME: self._operation, **self._attributes},
        )
        self._token = otel_context.attach(
            without_suppression(trace.set_span_in_context(self._span, inside(self._span, context)))
        )
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        otel_context.detach(self._token)
        if error is not None:
            mark_failed(self._span, error)
        self._span.end()

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace_)

    def __call__(self, function: F) -> F:
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(
                f"{function.__qualname__} is a generator: a span around its yields would leak into whoever consumes it. "
                "Open the agent inside the function, around the work, instead of decorating it."
            )
        if inspect.iscoroutinefunction(function):
            return cast(F, self._around_coroutine(function))
        return cast(F, self._around_call(function))

    def _again(self) -> SpanScope:
        return SpanScope(self._operation, self._name, self._attributes, self._identity)

    def _around_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return await function(*args, **kwargs)

        return call

    def _around_call(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return call


def agent(
    name: str,
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
    description: str | None = None,
) -> SpanScope:
    """A named unit of work: opens ``invoke_agent <name>``, as context manager or decorator, around sync or async code.

    LLM calls inside belong to this agent; its name is also the key by which an admin chooses its model. The outermost agent or
    workflow of a trace is its pipeline.
    """
    attributes: dict[str, AttributeValue] = {sc.AGENT_NAME: name}
    if description is not None:
        attributes[sc.AGENT_DESCRIPTION] = description
    identity = _said(user_id, session_id, tags, metadata, project) | {"agent": name}
    return SpanScope(sc.INVOKE_AGENT, name, attributes, identity)


def workflow(
    name: str,
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
) -> SpanScope:
    """A pipeline of agents: opens ``invoke_workflow <name>``, as context manager or decorator, around sync or async code."""
    identity = _said(user_id, session_id, tags, metadata, project)
    return SpanScope(sc.INVOKE_WORKFLOW, name, {sc.WORKFLOW_NAME: name}, identity)


def _said(user_id: object, session_id: object, tags: Iterable[str], metadata: object, project: str | None) -> dict[str, Any]:
    return {"user_id": user_id, "session_id": session_id, "tags": tags, "metadata": metadata, "project": project}
