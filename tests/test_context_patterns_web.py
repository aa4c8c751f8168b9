"""The same for web applications under OpenTelemetry's instrumentation of FastAPI: plain OpenTelemetry, and ours beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

import httpx
import pytest
from belonging import call_llm, failures_to_detach, parent_of, plain_span
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from starlette.middleware.base import BaseHTTPMiddleware

from otel_llm import agent, bind, spawn, stream
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider

SERVER, HANDLER = "GET /ask", "invoke_agent handler"


class Site:
    """Asks an application of one endpoint, ``GET /ask``, once."""

    def __init__(self, provider: TracerProvider, sink: SpanSink) -> None:
        self.provider = provider
        self.sink = sink

    async def ask(self, handle: Callable[..., Any], *middleware: Any, depending_on: Sequence[Any] = ()) -> str:
        app = FastAPI()
        dependencies = [Depends(one) for one in depending_on]
        app.get("/ask", response_model=None, dependencies=dependencies)(handle)
        for one in middleware:
            app.add_middleware(one)
        FastAPIInstrumentor.instrument_app(app, tracer_provider=self.provider, exclude_spans=["receive", "send"])
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                return (await client.get("/ask")).raise_for_status().text
        finally:
            FastAPIInstrumentor.uninstrument_app(app)  # it has patched Starlette for all applications

    def parent(self, name: str) -> str | None:
        return parent_of(self.sink, f"chat {name}")


@pytest.fixture
def site() -> Iterator[Site]:
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        yield Site(provider, spans)
        use_provider(None)
        assert spans.open == []


async def test_an_endpoint_that_is_no_coroutine_runs_in_a_thread_with_its_context(site: Site) -> None:
    def handle() -> None:
        call_llm("before")
        with agent("handler"):
            call_llm("inside")

    await site.ask(handle)
    assert (site.parent("before"), site.parent("inside")) == (SERVER, HANDLER)


async def test_background_tasks_are_below_a_span_of_their_own_below_the_ended_server_span_or_where_they_were_bound(
    site: Site,
) -> None:
    async def later(name: str) -> None:
        call_llm(name)

    async def handle(tasks: BackgroundTasks) -> None:
        with agent("handler"):
            tasks.add_task(later, "plain")
            tasks.add_task(bind(later), "bound")

    await site.ask(handle)
    plain, server = site.sink.one(name="chat plain"), site.sink.one(name=SERVER)
    assert (site.parent("plain"), site.parent("bound")) == ("BackgroundTask later", HANDLER)
    above = next(span for span in site.sink.spans if plain.parent and span.context.span_id == plain.parent.span_id)
    assert above.parent is not None
    assert above.parent.span_id == server.context.span_id
    assert (server.end_time or 0) <= (above.start_time or 0)


async def test_a_task_of_the_handler_is_below_the_ended_handler_or_a_trace_of_its_own(site: Site) -> None:
    gate, tasks = asyncio.Event(), list[asyncio.Task[None]]()

    async def later(name: str) -> None:
        await gate.wait()
        call_llm(name)

    async def handle() -> None:
        with agent("handler"):
            tasks.append(asyncio.create_task(later("plain")))
            tasks.append(spawn(later("child")))
            tasks.append(spawn(later("link"), mode="link"))

    await site.ask(handle)
    gate.set()
    await asyncio.gather(*tasks)
    assert [site.parent(name) for name in ("plain", "child", "link")] == [HANDLER, HANDLER, None]
    (linked,) = site.sink.one(name="chat link").links
    assert linked.context == site.sink.one(name=HANDLER).context


# --- streaming responses --------------------------------------------------------------------------------------------------------


def words() -> Iterator[str]:
    for number in range(2):
        call_llm(f"word {number}")
        yield f"{number} "


async def async_words() -> AsyncIterator[str]:
    for word in words():
        yield word


def words_in_a_plain_span() -> Iterator[str]:
    with plain_span("task answer"):
        yield from words()


async def async_words_in_a_plain_span() -> AsyncIterator[str]:
    with plain_span("task answer"):
        for word in words():
            yield word


def answering(make: Callable[[], Any]) -> Callable[[], Awaitable[StreamingResponse]]:
    async def handle() -> StreamingResponse:
        with agent("handler"):
            return StreamingResponse(make())

    return handle


@pytest.mark.parametrize(
    ("make", "parents", "parent_of_the_span", "failures"),
    [
        (async_words, [SERVER, SERVER], None, 0),
        (words, [SERVER, SERVER], None, 0),
        (async_words_in_a_plain_span, ["task answer", "task answer"], SERVER, 0),
        (words_in_a_plain_span, ["task answer", SERVER], SERVER, 1),
        (lambda: stream(async_words(), name="answer"), ["task answer", "task answer"], HANDLER, 0),
        (lambda: stream(words(), name="answer"), ["task answer", "task answer"], HANDLER, 0),
    ],
    ids=["async", "sync", "plain span in async", "plain span in sync", "our stream of async", "our stream of sync"],
)
async def test_a_streaming_response(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], Any],
    parents: list[str],
    parent_of_the_span: str | None,
    failures: int,
) -> None:
    assert await site.ask(answering(make)) == "0 1 "
    assert [site.parent(f"word {number}") for number in range(2)] == parents
    assert failures_to_detach(caplog) == failures
    if parent_of_the_span is not None:
        assert parent_of(site.sink, "task answer") == parent_of_the_span
    server, last = site.sink.one(name=SERVER), site.sink.one(name="chat word 1")
    assert (last.end_time or 0) <= (server.end_time or 0)


# --- dependencies and middleware --------------------------------------------------------------------------------------------------


async def endpoint() -> None:
    call_llm("in the endpoint")


async def async_plain() -> AsyncIterator[None]:
    with plain_span("dependency"):
        yield


def sync_plain() -> Iterator[None]:
    with plain_span("dependency"):
        yield


async def async_ours() -> AsyncIterator[None]:
    async with agent("handler"):
        yield


def sync_ours() -> Iterator[None]:
    with agent("handler"):
        yield


@pytest.mark.parametrize(
    ("dependency", "parent", "failures"),
    [
        (async_plain, "dependency", 0),
        (sync_plain, SERVER, 1),
        (async_ours, HANDLER, 0),
        (sync_ours, SERVER, 0),
    ],
)
async def test_a_span_in_a_dependency_is_around_the_endpoint_only_if_it_is_async(
    site: Site, caplog: pytest.LogCaptureFixture, dependency: Callable[[], Any], parent: str, failures: int
) -> None:
    await site.ask(endpoint, depending_on=[dependency])
    assert site.parent("in the endpoint") == parent
    assert failures_to_detach(caplog) == failures


class Base(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
        with plain_span("middleware"):
            return await call_next(request)


class Pure:
    """Middleware without Starlette's base class."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        with agent("middleware"):
            await self.app(scope, receive, send)


@pytest.mark.parametrize(
    ("middleware", "name", "is_around_the_stream"),
    [(Base, "middleware", False), (Pure, "invoke_agent middleware", True)],
)
async def test_a_span_of_middleware_is_around_the_endpoint_but_around_the_stream_only_in_pure_asgi(
    site: Site, middleware: Any, name: str, is_around_the_stream: bool
) -> None:
    closed = asyncio.Event()

    async def answer() -> AsyncIterator[str]:
        yield "0 "
        await asyncio.sleep(0.001)
        call_llm("streamed")
        closed.set()

    async def handle() -> StreamingResponse:
        call_llm("in the endpoint")
        return StreamingResponse(answer())

    await site.ask(handle, middleware)
    assert closed.is_set()
    assert site.parent("in the endpoint") == name
    streamed, around = site.sink.one(name="chat streamed"), site.sink.one(name=name)
    assert ((streamed.end_time or 0) <= (around.end_time or 0)) is is_around_the_stream


async def test_none_of_ours_has_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for dependency in (async_ours, sync_ours):
        await site.ask(endpoint, depending_on=[dependency])
    for make in (words, async_words):
        await site.ask(answering(lambda make=make: stream(make(), name="answer")))  # type: ignore[misc]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
