"""How long background tasks are kept, and how they end with the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from belonging import LONG_S, call_llm, parent_of, stamps

from otel_llm import agent, shutdown, spawn, worker, workflow
from otel_llm.lifecycle import lifespan
from otel_llm.running_tasks import running_tasks
from otel_llm.testing.sink import SpanSink


async def test_a_task_is_kept_while_it_runs_and_let_go_of_then() -> None:
    task = spawn(asyncio.sleep(0))
    assert task in running_tasks
    await task
    await asyncio.sleep(0)
    assert task not in running_tasks


@pytest.fixture
def loop_elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def start_on(loop: asyncio.AbstractEventLoop, start: Callable[[], asyncio.Task[Any]]) -> asyncio.Task[Any]:
    async def begin() -> asyncio.Task[Any]:
        task = start()
        await asyncio.sleep(0)
        return task

    return asyncio.run_coroutine_threadsafe(begin(), loop).result(LONG_S)


def test_a_task_that_ends_soon_is_waited_for(sink: SpanSink, loop_elsewhere: asyncio.AbstractEventLoop) -> None:
    async def short() -> None:
        with agent("memory"):
            await asyncio.sleep(0.05)

    task = start_on(loop_elsewhere, lambda: spawn(short()))
    running_tasks.end_all(LONG_S)

    assert (task.done(), task.cancelled()) == (True, False)
    assert sink.one(name="invoke_agent memory").status.status_code.name == "UNSET"


def test_a_task_that_goes_on_is_cancelled_and_its_spans_say_so(
    sink: SpanSink, loop_elsewhere: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    @agent("memory")
    async def long() -> None:
        try:
            await asyncio.sleep(LONG_S)
        finally:
            await asyncio.sleep(0.01)  # it cleans up

    task = start_on(loop_elsewhere, lambda: spawn(long(), name="remember"))
    shutdown(timeout_s=1.0)

    assert task.cancelled()
    span = sink.one(name="invoke_agent memory")
    assert span.status.status_code.name == "ERROR"
    assert stamps(sink, span.name) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "memory",
        "error.type": "asyncio.CancelledError",
        "otel_llm.ending": "cancelled",
        "otel_llm.pipeline.name": "memory",
        "otel_llm.pipeline.span_id": f"{span.context.span_id:016x}",
        "otel_llm.pipeline.primary": True,
    }
    assert [record.getMessage() for record in caplog.records] == [
        "1 background task(s) did not end in time and are cancelled: remember"
    ]


def test_a_worker_is_not_waited_for_but_serves_the_tasks_that_are(
    loop_elsewhere: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    answers: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()

    async def serve() -> None:
        while True:
            (await answers.get()).set_result("served")

    async def ask() -> str:
        await asyncio.sleep(0.05)
        answer = asyncio.get_running_loop().create_future()
        await answers.put(answer)
        return str(await answer)

    serving, asking = start_on(loop_elsewhere, lambda: worker(serve())), start_on(loop_elsewhere, lambda: spawn(ask()))
    running_tasks.end_all(LONG_S)
    assert (asking.result(), serving.cancelled(), caplog.records) == ("served", True, [])


async def test_on_the_tasks_own_loop_nobody_can_wait_so_they_are_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(asyncio.sleep(LONG_S))
    shutdown(timeout_s=LONG_S)
    await asyncio.wait([task])
    assert task.cancelled()
    assert "await asyncio.to_thread(otel_llm.shutdown)" in caplog.text


async def test_at_the_end_of_a_lifespan_the_loop_goes_on_for_the_tasks(sink: SpanSink) -> None:
    async def short() -> None:
        await asyncio.sleep(0.05)
        call_llm()

    async with lifespan(timeout_s=LONG_S)(object()):
        with workflow("support"):
            spawn(short())
    assert parent_of(sink) == "invoke_workflow support"


def test_a_task_of_a_loop_that_has_stopped_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[None]:
        return spawn(asyncio.sleep(LONG_S))

    task = loop.run_until_complete(begin())
    running_tasks.end_all(1.0)
    assert (task.done(), caplog.records) == (False, [])
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert task not in running_tasks


def test_a_forked_child_has_none_of_its_parents_tasks(loop_elsewhere: asyncio.AbstractEventLoop) -> None:
    task = start_on(loop_elsewhere, lambda: spawn(asyncio.sleep(LONG_S)))
    running_tasks.forget()  # what a fork calls in the child
    assert task not in running_tasks
    loop_elsewhere.call_soon_threadsafe(task.cancel)
