"""Parcels: items of queues that say where the work on them belongs."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import queue
import threading
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import pytest
from belonging import LONG_S, call_llm, links_of, parent_of, serve, stamps

from otel_llm import Parcel, agent, parcel, spawn, worker, workflow
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer

AGENT = "invoke_agent strategist"


def test_work_from_a_queue_belongs_to_whoever_put_it_there(sink: SpanSink) -> None:
    jobs: queue.Queue[Parcel[str] | None] = queue.Queue()

    def consume() -> None:
        while (job := jobs.get()) is not None:
            with job.open() as item:
                call_llm(item)
            call_llm(f"after {item}")

    thread = threading.Thread(target=consume)
    thread.start()
    with workflow("support", user_id="42"), agent("strategist") as span:
        jobs.put(parcel("gpt-4o"))
    jobs.put(None)
    thread.join()

    seen = stamps(sink)
    assert (parent_of(sink), parent_of(sink, "chat after gpt-4o")) == (AGENT, None)
    assert (seen["gen_ai.agent.name"], seen["user.id"], seen["otel_llm.pipeline.name"]) == ("strategist", "42", "support")
    assert seen["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"


async def test_a_consumer_may_link_instead(sink: SpanSink) -> None:
    jobs: asyncio.Queue[Parcel[str]] = asyncio.Queue()
    with agent("strategist", session_id="s1"):
        await jobs.put(parcel("gpt-4o"))
    with (await jobs.get()).open(mode="link") as item:
        call_llm(item)
    assert (parent_of(sink), links_of(sink), stamps(sink)["session.id"]) == (None, [AGENT], "s1")


@pytest.mark.parametrize("how", ["plain", "worker", "detached"])
async def test_a_lazily_started_worker_serves_ten_requests_each_under_its_own(sink: SpanSink, how: str) -> None:
    """With plain OpenTelemetry, all its work lands in the span of the request that started it, which has long ended."""
    jobs: asyncio.Queue[Any] = asyncio.Queue()
    started: list[asyncio.Task[None]] = []

    async def consume() -> None:
        while True:
            job = await jobs.get()
            if how == "plain":
                call_llm(job)
            else:
                with job.open() as item:
                    call_llm(item)
                call_llm(f"between {item}")
            jobs.task_done()

    starts: dict[str, Callable[..., asyncio.Task[None]]] = {
        "plain": asyncio.create_task,
        "worker": worker,
        "detached": lambda coro: spawn(coro, mode="detached"),
    }

    async def request(number: int) -> None:
        async with agent(f"agent {number}", user_id=f"user {number}"):
            if not started:
                started.append(starts[how](consume()))
            await jobs.put(f"{number}" if how == "plain" else parcel(f"{number}"))

    for number in range(10):
        await asyncio.create_task(request(number), context=contextvars.Context())
    await jobs.join()
    started[0].cancel()
    await asyncio.wait(started)

    seen = [(parent_of(sink, f"chat {n}"), stamps(sink, f"chat {n}")["user.id"]) for n in range(10)]
    if how == "plain":
        assert seen == [("invoke_agent agent 0", "user 0")] * 10
    else:
        assert seen == [(f"invoke_agent agent {n}", f"user {n}") for n in range(10)]
        between = [sink.one(name=f"chat between {n}") for n in range(10)]
        assert [(span.parent, "user.id" in (span.attributes or {})) for span in between] == [(None, False)] * 10


@pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_queue_between_processes_keeps_each_item_where_it_belongs(sink: SpanSink, method: str) -> None:
    context = get_context(method)
    parcels: Any = context.Queue()
    answers: Any = context.Queue()
    with agent("first"):  # a forked process starts with what is current here
        process = context.Process(target=serve, args=(parcels, answers))  # type: ignore[attr-defined]
        process.start()
    spans = []
    for name in "ab":
        with workflow("support"), agent(name, user_id=f"user of {name}") as span, tracer().start_as_current_span("PUT"):
            parcels.put(parcel(name))
            spans.append(f"{span.get_span_context().span_id:016x}")
    parcels.put(None)
    seen = [answers.get(timeout=LONG_S) for _ in "ab"]
    process.join(LONG_S)

    assert [(job["item"], job["gen_ai.agent.name"], job["user.id"]) for job in seen] == [
        ("a", "a", "user of a"),
        ("b", "b", "user of b"),
    ]
    assert [job["otel_llm.ancestor.span_id"] for job in seen] == spans
    assert [job["otel_llm.pipeline.name"] for job in seen] == ["support", "support"]


def test_a_parcel_can_be_pickled(sink: SpanSink) -> None:
    with agent("strategist"):
        given = parcel({"id": 1})
    assert pickle.loads(pickle.dumps(given)) == given


def test_a_priority_queue_goes_by_the_items() -> None:
    jobs: queue.PriorityQueue[Parcel[int]] = queue.PriorityQueue()
    for number in (2, 3, 1):
        jobs.put(parcel(number))
    assert [jobs.get().item for _ in range(3)] == [1, 2, 3]
