"""Background work of web applications and schedulers: beside each pattern, what plain OpenTelemetry does with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from apscheduler.events import EVENT_JOB_EXECUTED  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from belonging import LONG_S, call_llm, parent_of, stamps
from fastapi import BackgroundTasks, FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otel_llm import Parcel, agent, bind, parcel, spawn, worker
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider

HANDLER, SERVER = "invoke_agent strategist", "GET /ask"


class Site:
    """An application with one endpoint, instrumented by OpenTelemetry's own instrumentation."""

    def __init__(self, provider: TracerProvider, sink: SpanSink) -> None:
        self.provider = provider
        self.sink = sink

    async def ask(self, handle: Callable[..., Awaitable[None]], times: int = 1) -> None:
        """Have requests handled, one after the other."""
        app = FastAPI()
        app.get("/ask")(handle)
        FastAPIInstrumentor.instrument_app(app, tracer_provider=self.provider, exclude_spans=["receive", "send"])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for number in range(times):
                (await client.get(f"/ask?number={number}")).raise_for_status()
        FastAPIInstrumentor.uninstrument_app(app)  # it has patched Starlette for all applications

    @property
    def server_span(self) -> ReadableSpan:
        return self.sink.one(name=SERVER)


@pytest.fixture
def site() -> Iterator[Site]:
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        yield Site(provider, spans)
        use_provider(None)
        assert spans.open == []


async def test_a_task_of_a_handler_is_the_agents_and_makes_no_request_longer(site: Site) -> None:
    gate, tasks = asyncio.Event(), list[asyncio.Task[None]]()

    async def later(name: str) -> None:
        await gate.wait()
        call_llm(name)

    async def handle() -> None:
        with agent("strategist", user_id="42"):
            tasks.append(asyncio.create_task(later("plain")))
            tasks.append(spawn(later("spawned")))

    await site.ask(handle)
    assert site.server_span.end_time
    gate.set()
    await asyncio.gather(*tasks)
    assert [parent_of(site.sink, f"chat {name}") for name in ("plain", "spawned")] == [HANDLER, HANDLER]
    assert stamps(site.sink, "chat spawned")["user.id"] == "42"


async def test_a_background_task_of_fastapi_is_the_agents_if_it_is_bound(site: Site) -> None:
    async def later(name: str) -> None:
        await asyncio.sleep(0)
        call_llm(name)

    def in_a_thread(name: str) -> None:
        call_llm(name)

    async def handle(tasks: BackgroundTasks) -> None:
        with agent("strategist", user_id="42"):
            tasks.add_task(later, "plain")
            tasks.add_task(bind(later), "bound")
            tasks.add_task(bind(in_a_thread), "bound in a thread")

    await site.ask(handle)
    sink, server = site.sink, site.server_span
    assert [parent_of(sink, f"chat {name}") for name in ("bound", "bound in a thread")] == [HANDLER, HANDLER]
    assert stamps(sink, "chat bound")["user.id"] == "42"
    assert parent_of(sink, "chat plain") == "BackgroundTask later"
    assert "gen_ai.agent.name" not in stamps(sink, "chat plain")
    assert all((server.end_time or 0) <= (call.start_time or 0) for call in sink.calls)


async def test_a_worker_that_a_request_started_serves_ten_each_in_its_own_trace(site: Site) -> None:
    jobs: asyncio.Queue[Parcel[int]] = asyncio.Queue()
    workers = list[asyncio.Task[None]]()

    async def consume() -> None:
        while True:
            with (await jobs.get()).open() as number:
                call_llm(f"{number}")
            jobs.task_done()

    async def handle(number: int) -> None:
        if not workers:
            workers.append(worker(consume()))
        with agent(f"agent {number}", user_id=f"user {number}"):
            await jobs.put(parcel(number))

    await site.ask(handle, times=10)
    await jobs.join()
    workers[0].cancel()
    await asyncio.wait(workers)
    for number in range(10):
        assert parent_of(site.sink, f"chat {number}") == f"invoke_agent agent {number}"
        assert stamps(site.sink, f"chat {number}")["user.id"] == f"user {number}"
    assert len({span.context.trace_id for span in site.sink.calls}) == 10


def test_a_scheduled_job_is_the_agents_if_it_is_bound(site: Site) -> None:
    scheduler: Any = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
    executed = threading.Semaphore(0)
    scheduler.add_listener(lambda _: executed.release(), EVENT_JOB_EXECUTED)
    scheduler.start()
    with agent("strategist", user_id="42"):
        scheduler.add_job(call_llm, args=["plain"])
        scheduler.add_job(bind(call_llm), args=["bound"])
    assert [executed.acquire(timeout=LONG_S) for _ in range(2)] == [True, True]
    scheduler.shutdown()
    assert [parent_of(site.sink, f"chat {name}") for name in ("plain", "bound")] == [None, HANDLER]
    assert stamps(site.sink, "chat bound")["user.id"] == "42"
