"""The patterns by which work is handed over, one by one: what plain OpenTelemetry does with each, and what we make of it.

The page ``docs/context.md`` has them as a table. Where a test of plain OpenTelemetry fails, it has changed, and the page is to be told.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from belonging import LONG_S, call_llm, links_of, parent_of, plain_span, stamps
from opentelemetry import context as otel_context
from opentelemetry import trace

from otel_llm import agent, bind, spawn
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer

REQUEST = "invoke_agent request"
Call = Callable[[], None]


# --- awaited work, and tasks: the context is copied when the task is made --------------------------------------------------


async def made(call: Call) -> None:
    await asyncio.sleep(0)
    call()


async def by_await(call: Call) -> None:
    await made(call)


async def by_create_task(call: Call) -> None:
    await asyncio.create_task(made(call))


async def by_ensure_future(call: Call) -> None:
    await asyncio.ensure_future(made(call))


async def by_gather(call: Call) -> None:
    await asyncio.gather(made(call), asyncio.sleep(0))


async def by_wait_for(call: Call) -> None:
    await asyncio.wait_for(made(call), LONG_S)


async def by_shield(call: Call) -> None:
    await asyncio.shield(made(call))


async def by_task_group(call: Call) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(made(call))


async def by_to_thread(call: Call) -> None:
    await asyncio.to_thread(call)


async def by_call_soon(call: Call) -> None:
    asyncio.get_running_loop().call_soon(call)
    await asyncio.sleep(0)


async def by_call_later(call: Call) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0, lambda: (call(), done.set()))
    await done.wait()


async def by_call_soon_threadsafe(call: Call) -> None:
    """From a thread that has the context."""
    await asyncio.to_thread(asyncio.get_running_loop().call_soon_threadsafe, call)
    await asyncio.sleep(0)


async def by_done_callback(call: Call) -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.add_done_callback(lambda _: call())
    await task
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "pattern",
    [
        by_await,
        by_create_task,
        by_ensure_future,
        by_gather,
        by_wait_for,
        by_shield,
        by_task_group,
        by_to_thread,
        by_call_soon,
        by_call_later,
        by_call_soon_threadsafe,
        by_done_callback,
    ],
)
async def test_the_context_is_kept(sink: SpanSink, pattern: Callable[[Call], Awaitable[None]]) -> None:
    """By plain OpenTelemetry; so identity is too."""
    with plain_span("plain"):
        await pattern(lambda: call_llm("in plain"))
    with agent("request", user_id="42"):
        await pattern(lambda: call_llm("in ours"))
    assert (parent_of(sink, "chat in plain"), parent_of(sink, "chat in ours")) == ("plain", REQUEST)
    assert (stamps(sink, "chat in ours")["gen_ai.agent.name"], stamps(sink, "chat in ours")["user.id"]) == ("request", "42")


# --- executors, threads, bare threads: nothing is taken along ----------------------------------------------------------------


async def by_empty_context(call: Call) -> None:
    await asyncio.get_running_loop().create_task(made(call), context=contextvars.Context())


async def by_run_in_executor(call: Call) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call)


async def by_submit(call: Call) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result(LONG_S)


async def by_thread(call: Call) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(LONG_S)


async def by_timer(call: Call) -> None:
    timer = threading.Timer(0.0, call)
    timer.start()
    timer.join(LONG_S)


async def by_run_coroutine_threadsafe(call: Call) -> None:
    """From a thread that has no context."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    async def coroutine() -> None:
        call()
        done.set()

    await by_thread(lambda: asyncio.run_coroutine_threadsafe(coroutine(), loop) and None)
    await done.wait()


async def by_scheduler(call: Call) -> None:
    scheduler: Any = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
    executed = threading.Event()
    scheduler.add_listener(lambda _: executed.set(), EVENT_JOB_EXECUTED)
    scheduler.start()
    scheduler.add_job(call)
    assert await asyncio.to_thread(executed.wait, LONG_S)
    scheduler.shutdown()


@pytest.mark.parametrize(
    "pattern",
    [by_empty_context, by_run_in_executor, by_submit, by_thread, by_timer, by_run_coroutine_threadsafe, by_scheduler],
)
async def test_the_context_is_lost_and_kept_if_the_function_is_bound(
    sink: SpanSink, pattern: Callable[[Call], Awaitable[None]]
) -> None:
    with agent("request", user_id="42"):
        await pattern(functools.partial(call_llm, "plain"))
        await pattern(bind(functools.partial(call_llm, "bound")))
    assert (parent_of(sink, "chat plain"), parent_of(sink, "chat bound")) == (None, REQUEST)
    assert (stamps(sink, "chat bound")["gen_ai.agent.name"], stamps(sink, "chat bound")["user.id"]) == ("request", "42")


def test_a_context_that_a_job_leaves_attached_is_the_next_jobs(sink: SpanSink) -> None:
    def attach_and_forget() -> None:
        otel_context.attach(trace.set_span_in_context(tracer().start_span("forgotten")))
        trace.get_current_span().end()

    for name, function in (("plain", attach_and_forget), ("ours", bind(attach_and_forget))):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(function).result(LONG_S)
            pool.submit(call_llm, name).result(LONG_S)
    above = {span.context.span_id: span.name for span in sink.spans}
    parents = {span.name: span.parent and above[span.parent.span_id] for span in sink.calls}
    assert parents == {"chat plain": "forgotten", "chat ours": None}


# --- tasks that outlive what started them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "parent", "links"),
    [("auto", REQUEST, []), ("child", REQUEST, []), ("link", None, [REQUEST]), ("detached", None, [])],
)
async def test_a_task_that_outlives_its_starter_is_below_an_ended_span_or_where_its_mode_says(
    sink: SpanSink, mode: Any, parent: str | None, links: list[str]
) -> None:
    gate = asyncio.Event()

    async def later(name: str) -> None:
        await gate.wait()
        call_llm(name)

    with agent("request"):
        tasks = [asyncio.create_task(later("plain")), spawn(later("spawned"), mode=mode)]
    gate.set()
    await asyncio.gather(*tasks)
    assert (parent_of(sink, "chat plain"), links_of(sink, "chat plain")) == (REQUEST, [])
    assert (parent_of(sink, "chat spawned"), links_of(sink, "chat spawned")) == (parent, links)
    request, call = sink.one(name=REQUEST), sink.one(name="chat spawned")
    assert (request.end_time or 0) <= (call.start_time or 0)


async def test_a_task_started_after_the_end_is_below_the_ended_span_or_linked_to_it(sink: SpanSink) -> None:
    with agent("request", user_id="42") as span:
        span.end()
        await asyncio.create_task(made(lambda: call_llm("plain")))
        await spawn(made(lambda: call_llm("spawned")))
    assert (parent_of(sink, "chat plain"), links_of(sink, "chat plain")) == (REQUEST, [])
    assert (parent_of(sink, "chat spawned"), links_of(sink, "chat spawned")) == (None, [REQUEST])
    assert stamps(sink, "chat spawned")["user.id"] == "42"


async def test_cancelled_work_looks_as_if_it_had_ended_well_or_is_marked(sink: SpanSink) -> None:
    async def wait(span: Any) -> None:
        with span:
            await asyncio.sleep(LONG_S)

    for span in (plain_span("plain"), agent("ours")):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(span), 0.001)

    plain, ours = sink.one(name="plain"), sink.one(name="invoke_agent ours")
    assert (plain.status.status_code.name, plain.events) == ("UNSET", ())
    assert (ours.status.status_code.name, ours.attributes["otel_llm.ending"]) == ("ERROR", "cancelled")  # type: ignore[index]
