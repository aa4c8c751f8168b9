"""Functions and executors that keep the context: beside each pattern, what plain OpenTelemetry does with it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import pickle
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from belonging import LONG_S, call_llm, call_seen, parent_of, stamps, tell
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.util.genai.handler import TelemetryHandler

from otel_llm import ContextExecutor, agent, bind, workflow
from otel_llm.suppression import inside_inference
from otel_llm.testing.sink import SpanSink

AGENT = "invoke_agent strategist"


async def bare(function: Callable[[], object]) -> None:
    """Call a function in a thread that has no context, and wait for it."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def run() -> None:
        function()
        loop.call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=run).start()
    await done


async def by_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def by_timer(call: Callable[[], None]) -> None:
    timer = threading.Timer(0.0, call)
    timer.start()
    timer.join()


async def by_submit(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result(LONG_S)


async def by_map(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(lambda _: call(), [0]))


async def by_run_in_executor(call: Callable[[], None]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call)


async def by_to_thread(call: Callable[[], None]) -> None:
    await asyncio.to_thread(call)


async def by_call_soon(call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(call)
    await asyncio.sleep(0)


async def by_call_soon_threadsafe_from_a_bare_thread(call: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    await bare(lambda: loop.call_soon_threadsafe(call))


async def by_run_coroutine_threadsafe_from_a_bare_thread(call: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    async def coroutine() -> None:
        await asyncio.sleep(0)
        call()

    await bare(lambda: asyncio.run_coroutine_threadsafe(coroutine(), loop).result(LONG_S))


async def by_done_callback(call: Callable[[], None]) -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.add_done_callback(lambda _: call())
    await task
    await asyncio.sleep(0)


async def by_task_of_an_empty_context(call: Callable[[], None]) -> None:
    async def coroutine() -> None:
        call()

    await asyncio.get_running_loop().create_task(coroutine(), context=contextvars.Context())


@pytest.mark.parametrize(
    ("pattern", "kept_by_plain_opentelemetry"),
    [
        (by_thread, False),
        (by_timer, False),
        (by_submit, False),
        (by_map, False),
        (by_run_in_executor, False),
        (by_to_thread, True),
        (by_call_soon, True),
        (by_call_soon_threadsafe_from_a_bare_thread, False),
        (by_run_coroutine_threadsafe_from_a_bare_thread, False),
        (by_done_callback, True),
        (by_task_of_an_empty_context, False),
    ],
)
async def test_a_bound_function_belongs_where_it_was_bound(
    sink: SpanSink, pattern: Callable[[Callable[[], None]], Any], kept_by_plain_opentelemetry: bool
) -> None:
    with agent("strategist", user_id="42"):
        await pattern(bind(functools.partial(call_llm, "bound")))
        await pattern(lambda: call_llm("plain"))

    assert parent_of(sink, "chat bound") == AGENT
    assert (stamps(sink, "chat bound")["gen_ai.agent.name"], stamps(sink, "chat bound")["user.id"]) == ("strategist", "42")
    assert parent_of(sink, "chat plain") == (AGENT if kept_by_plain_opentelemetry else None)


# --- coroutine functions ----------------------------------------------------------------------------------------------


async def call_twice(first: str, *, second: str) -> str:
    await asyncio.sleep(0)
    call_llm(first)
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    await asyncio.create_task(call_later(second))
    return "done"


async def call_later(name: str) -> None:
    await asyncio.sleep(0)
    call_llm(name)


async def test_a_bound_coroutine_function_belongs_where_it_was_bound_whoever_awaits_it(sink: SpanSink) -> None:
    with agent("strategist"):
        bound = bind(call_twice)
    with agent("other"):
        assert await bound("one", second="two") == "done"
        call_llm("after")

    assert [parent_of(sink, f"chat {name}") for name in ("one", "two", "after")] == [AGENT, AGENT, "invoke_agent other"]
    assert (inspect.iscoroutinefunction(bound), bound.__name__) == (True, "call_twice")


async def test_an_object_with_an_asynchronous_call_is_bound_too(sink: SpanSink) -> None:
    class Job:
        async def __call__(self) -> None:
            await asyncio.sleep(0)
            call_llm()

    with agent("strategist"):
        bound = bind(Job())
    await bound()
    assert parent_of(sink) == AGENT


async def test_a_bound_coroutine_function_is_cancelled_and_timed_out_as_any(sink: SpanSink) -> None:
    @agent("slow")
    async def slow() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(LONG_S)
        except TimeoutError:
            await asyncio.sleep(LONG_S)

    with workflow("support"):
        task = asyncio.create_task(bind(slow)(), context=contextvars.Context())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert parent_of(sink, "invoke_agent slow") == "invoke_workflow support"
    assert stamps(sink, "invoke_agent slow")["otel_llm.ending"] == "cancelled"


async def test_a_bound_coroutine_that_is_closed_ends_where_it_was_bound(sink: SpanSink) -> None:
    async def slow() -> None:
        try:
            await asyncio.sleep(LONG_S)
        finally:
            call_llm()

    with agent("strategist"):
        coroutine = bind(slow)()
    coroutine.send(None)
    coroutine.close()
    assert parent_of(sink) == AGENT


async def test_a_failure_passes_unchanged() -> None:
    error = ValueError("no such customer")

    async def fails() -> None:
        raise error

    with pytest.raises(ValueError, match="no such customer") as raised:
        await bind(fails)()
    assert raised.value is error


# --- what a bound function is -----------------------------------------------------------------------------------------


def test_one_bound_function_may_run_in_many_threads_at_once(sink: SpanSink) -> None:
    both_here = threading.Barrier(2, timeout=LONG_S)

    def call(name: str) -> None:
        both_here.wait()
        call_llm(name)

    with agent("strategist"):
        bound = bind(call)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(bound, ["one", "two"]))
    assert [parent_of(sink, f"chat {name}") for name in ("one", "two")] == [AGENT, AGENT]


@pytest.mark.parametrize(("wrap", "stays"), [(bind, False), (lambda function: function, True)], ids=["bound", "plain"])
def test_a_bound_job_that_attaches_and_forgets_leaves_nothing_in_the_thread_of_a_pool(
    sink: SpanSink, wrap: Callable[..., Any], stays: bool
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with agent("strategist") as span:
            careless = wrap(lambda: otel_context.attach(trace.set_span_in_context(span)))
            pool.submit(careless).result(LONG_S)
        pool.submit(call_llm).result(LONG_S)
    assert parent_of(sink) == (AGENT if stays else None)


def test_a_bound_function_runs_as_if_it_were_called_here_also_inside_another_librarys_call() -> None:
    with TelemetryHandler().inference("openai", request_model="gpt-4o"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(bind(lambda: inside_inference(otel_context.get_current()))).result(LONG_S)


def test_a_generator_function_cannot_be_bound() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def more() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, more):
        with pytest.raises(TypeError, match="is a generator function"):
            bind(function)


# --- executors --------------------------------------------------------------------------------------------------------


def test_jobs_of_a_context_executor_belong_where_they_were_submitted(sink: SpanSink) -> None:
    with ContextExecutor(ThreadPoolExecutor(1)) as pool:
        with agent("a"):
            first = pool.submit(call_llm, "one")
        with agent("b"):
            results = pool.map(call_llm, ["two", "three"], timeout=LONG_S)
        outside = pool.submit(call_llm, name="four")
        assert (first.result(LONG_S), list(results), outside.result(LONG_S)) == (None, [None, None], None)

    parents = {name: parent_of(sink, f"chat {name}") for name in ("one", "two", "three", "four")}
    assert parents == {"one": "invoke_agent a", "two": "invoke_agent b", "three": "invoke_agent b", "four": None}


async def test_a_loop_runs_in_a_context_executor(sink: SpanSink) -> None:
    with ContextExecutor(ThreadPoolExecutor(1)) as pool, agent("strategist"):
        await asyncio.get_running_loop().run_in_executor(pool, call_llm)
    assert parent_of(sink) == AGENT


def test_to_shut_it_down_shuts_down_what_it_was_given() -> None:
    inner = ThreadPoolExecutor(1)
    ContextExecutor(inner).shutdown(wait=True, cancel_futures=True)
    with pytest.raises(RuntimeError, match="after shutdown"):
        inner.submit(call_llm)


# --- processes --------------------------------------------------------------------------------------------------------

METHODS = pytest.mark.parametrize("method", ["spawn", "fork"])
MAY_FORK = pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")


@METHODS
@MAY_FORK
def test_jobs_of_a_process_pool_belong_where_each_was_submitted(sink: SpanSink, method: str) -> None:
    inner: Executor = ProcessPoolExecutor(1, mp_context=get_context(method))
    with ContextExecutor(inner) as pool:
        with agent("a", user_id="1") as a:
            first, plain = pool.submit(call_seen), inner.submit(call_seen)
            first.result(LONG_S)
        with agent("b", user_id="2") as b:
            second, stale = pool.submit(call_seen), inner.submit(call_seen)
        last = pool.submit(call_seen)
        seen = [job.result(LONG_S) for job in (first, second, last)]
        bare = [job.result(LONG_S) for job in (plain, stale)]

    spans = [a.get_span_context().span_id, b.get_span_context().span_id, None]
    who = [("a", "1"), ("b", "2"), (None, None)]
    assert [job["parent"] for job in seen] == spans
    assert [(job.get("gen_ai.agent.name"), job.get("user.id")) for job in seen] == who
    # A forked pool keeps what was current when its process was forked; a spawned one has nothing.
    assert [job["parent"] for job in bare] == ([spans[0]] * 2 if method == "fork" else [None] * 2)


@METHODS
@MAY_FORK
def test_a_process_whose_target_is_bound_belongs_where_it_was_bound(sink: SpanSink, method: str) -> None:
    context = get_context(method)
    answers: Any = context.Queue()
    with workflow("support"), agent("strategist", user_id="42") as span:
        process = context.Process(target=bind(tell), args=(answers, call_seen))  # type: ignore[attr-defined]
    process.start()
    seen = answers.get(timeout=LONG_S)
    process.join(LONG_S)

    assert seen["parent"] == span.get_span_context().span_id
    assert (seen["gen_ai.agent.name"], seen["user.id"], seen["otel_llm.pipeline.name"]) == ("strategist", "42", "support")
    assert seen["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"


def test_a_bound_function_can_be_pickled_with_what_is_given_to_it(sink: SpanSink) -> None:
    with agent("strategist"):
        bound = pickle.loads(pickle.dumps(bind(put)))
    answers: queue.Queue[str | None] = queue.Queue()
    bound(answers, function="x")
    assert (answers.get(), trace.get_current_span()) == ("x", trace.INVALID_SPAN)


def put(answers: queue.Queue[str | None], function: str) -> None:
    answers.put(function)
