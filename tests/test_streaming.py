"""Spans over streams: never the consumer's, ended once, with their reason, however the stream is consumed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import queue
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from otel_llm import agent, stream, tool, workflow
from otel_llm.content import CaptureMode, use_mode
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, tracer, use_provider


@pytest.fixture(autouse=True)
def _nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may change the context of whoever runs it, or have anything log a failure to restore one."""
    before = otel_context.get_current()
    yield
    assert otel_context.get_current() == before
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture
def captured() -> Iterator[None]:
    use_mode(CaptureMode.SPAN_ONLY)
    yield
    use_mode(None)


def call_llm(name: str) -> None:
    tracer().start_span(f"chat {name}", attributes={"gen_ai.operation.name": "chat"}).end()


def words(count: int = 3) -> Generator[str, Any, str]:
    for number in range(count):
        call_llm(f"of word {number}")
        yield f"word {number} "
    call_llm("after the last")
    return "said"


async def async_words(count: int = 3) -> AsyncGenerator[str, Any]:
    for number in range(count):
        await asyncio.sleep(0)
        call_llm(f"of word {number}")
        yield f"word {number} "
    call_llm("after the last")


def parents(sink: SpanSink) -> dict[str, str | None]:
    """The name of each span's parent, by the span's name."""
    names = {span.context.span_id: span.name for span in sink.spans}
    return {span.name: None if span.parent is None else names[span.parent.span_id] for span in sink.spans}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
            gc.collect()


def ending(sink: SpanSink, name: str = "task answer") -> tuple[str, str | None, str | None]:
    span = sink.one(name=name)
    attributes = span.attributes or {}
    return span.status.status_code.name, attributes.get("otel_llm.ending"), attributes.get("error.type")  # type: ignore[return-value]


WELL = ("UNSET", None, None)
ABANDONED = ("UNSET", "abandoned", None)
CANCELLED = ("ERROR", "cancelled", "asyncio.CancelledError")


# --- ends ---------------------------------------------------------------------------------------------------------------


def test_a_stream_that_is_exhausted(sink: SpanSink) -> None:
    with agent("consumer"):
        for word in stream(words(2), name="answer"):
            call_llm(f"about {word}")

    assert parents(sink) == {
        "chat of word 0": "task answer",
        "chat of word 1": "task answer",
        "chat after the last": "task answer",
        "chat about word 0 ": "invoke_agent consumer",
        "chat about word 1 ": "invoke_agent consumer",
        "task answer": "invoke_agent consumer",
        "invoke_agent consumer": None,
    }
    assert ending(sink) == WELL
    assert sink.attributes(sink.one(name="task answer"))["gen_ai.operation.name"] == "task"


async def test_an_async_stream_that_is_exhausted(sink: SpanSink) -> None:
    async with agent("consumer"):
        async for word in stream(async_words(2), name="answer"):
            call_llm(f"about {word}")
            await asyncio.sleep(0)

    assert parents(sink) == {
        "chat of word 0": "task answer",
        "chat of word 1": "task answer",
        "chat after the last": "task answer",
        "chat about word 0 ": "invoke_agent consumer",
        "chat about word 1 ": "invoke_agent consumer",
        "task answer": "invoke_agent consumer",
        "invoke_agent consumer": None,
    }
    assert ending(sink) == WELL


def test_a_break_abandons_the_stream(sink: SpanSink) -> None:
    for _ in stream(words(), name="answer"):
        break
    assert ending(sink) == ABANDONED


async def test_a_break_abandons_an_async_stream(sink: SpanSink) -> None:
    async for _ in stream(async_words(), name="answer"):
        break
    assert ending(sink) == ABANDONED


def test_closing_abandons_the_stream_and_its_last_work_belongs_to_it(sink: SpanSink) -> None:
    def source() -> Iterator[int]:
        try:
            yield 1
        finally:
            call_llm("clean-up")

    answer = stream(source(), name="answer")
    next(answer)
    answer.close()
    answer.close()

    assert parents(sink) == {"chat clean-up": "task answer", "task answer": None}
    assert ending(sink) == ABANDONED


async def test_aclose_abandons_the_stream_and_its_last_work_belongs_to_it(sink: SpanSink) -> None:
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            call_llm("clean-up")

    async with contextlib.aclosing(stream(source(), name="answer")) as answer:
        await anext(answer)

    assert parents(sink) == {"chat clean-up": "task answer", "task answer": None}
    assert ending(sink) == ABANDONED


def test_closing_a_stream_at_its_end_changes_nothing(sink: SpanSink) -> None:
    answer = stream(words(), name="answer")
    assert list(answer) == ["word 0 ", "word 1 ", "word 2 "]
    answer.close()
    assert list(answer) == []
    assert ending(sink) == WELL


def test_a_stream_that_nobody_reads_is_abandoned(sink: SpanSink) -> None:
    stream(words(), name="answer")
    gc.collect()
    assert ending(sink) == ABANDONED


def test_the_garbage_collector_ends_a_stream_and_its_last_work_belongs_to_it(sink: SpanSink) -> None:
    def source() -> Iterator[int]:
        try:
            yield 1
        finally:
            call_llm("clean-up")

    cycle: dict[str, Any] = {"answer": stream(source(), name="answer")}
    cycle["itself"] = cycle
    next(cycle["answer"])
    del cycle
    with agent("somebody else"):
        gc.collect()

    assert parents(sink) == {"chat clean-up": "task answer", "task answer": None, "invoke_agent somebody else": None}
    assert ending(sink) == ABANDONED


async def test_an_async_stream_that_is_dropped_cleans_up_as_itself(sink: SpanSink) -> None:
    done = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            call_llm("clean-up")
            done.set()

    async with agent("somebody else"):
        answer = stream(source(), name="answer")
    await anext(answer)
    async with agent("dropping"):
        del answer
        gc.collect()
        await done.wait()

    assert parents(sink)["chat clean-up"] == "task answer"
    assert ending(sink) == ABANDONED


def test_what_the_producer_raises_passes_and_marks_the_span(sink: SpanSink) -> None:
    error = ValueError("no such word")

    def source() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(ValueError) as raised:  # noqa: PT011  (identity is asserted)
        list(stream(source(), name="answer"))
    assert raised.value is error
    assert ending(sink) == ("ERROR", None, "ValueError")
    assert sink.one(name="task answer").status.description == "ValueError: no such word"


async def test_what_an_async_producer_raises_passes_and_marks_the_span(sink: SpanSink) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no such word")

    with pytest.raises(ValueError, match="no such word"):
        [item async for item in stream(source(), name="answer")]
    assert ending(sink) == ("ERROR", None, "ValueError")


async def test_a_consumer_that_is_cancelled_cancels_the_stream(sink: SpanSink) -> None:
    started = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        started.set()
        await asyncio.sleep(60)
        yield 1

    async def consume() -> None:
        async for _ in stream(source(), name="answer"):
            pass

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ending(sink) == CANCELLED


async def test_a_timeout_around_a_step_cancels_the_stream(sink: SpanSink) -> None:
    async def source() -> AsyncIterator[int]:
        await asyncio.sleep(60)
        yield 1

    answer = stream(source(), name="answer")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(answer), 0.001)
    assert ending(sink) == CANCELLED


def test_a_step_whose_task_is_destroyed_abandons_the_stream(sink: SpanSink) -> None:
    """As at the end of a program: the coroutine is closed by whoever drops it, in another context."""

    async def source() -> AsyncIterator[int]:
        await asyncio.get_running_loop().create_future()
        yield 1

    async def never_ending() -> None:
        async for _ in stream(source(), name="answer"):
            pass

    loop = asyncio.new_event_loop()
    coroutine = never_ending()
    loop.call_soon(lambda: coroutine.send(None))
    loop.call_soon(loop.stop)
    loop.run_forever()
    coroutine.close()
    gc.collect()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert ending(sink) == ABANDONED


# --- who consumes -------------------------------------------------------------------------------------------------------


async def test_another_task_consumes(sink: SpanSink) -> None:
    async with agent("producer"):
        answer = stream(async_words(2), name="answer")

    async def consume() -> None:
        async with agent("consumer"):
            async for word in answer:
                call_llm(f"about {word}")

    await asyncio.create_task(consume(), context=None)
    assert parents(sink) == {
        "chat of word 0": "task answer",
        "chat of word 1": "task answer",
        "chat after the last": "task answer",
        "task answer": "invoke_agent producer",
        "invoke_agent producer": None,
        "chat about word 0 ": "invoke_agent consumer",
        "chat about word 1 ": "invoke_agent consumer",
        "invoke_agent consumer": None,
    }


async def test_each_step_is_taken_by_a_task_of_its_own(sink: SpanSink) -> None:
    async def source() -> AsyncIterator[int]:
        async with agent("inner"):
            call_llm("first")
            yield 1
            call_llm("second")
        call_llm("last")

    answer = stream(source(), name="answer")
    steps = [await asyncio.create_task(anext(answer, None)) for _ in range(2)]  # type: ignore[arg-type]
    assert steps == [1, None]
    assert parents(sink) == {
        "chat first": "invoke_agent inner",
        "chat second": "invoke_agent inner",
        "invoke_agent inner": "task answer",
        "chat last": "task answer",
        "task answer": None,
    }


def test_each_step_is_taken_by_a_thread_of_its_own(sink: SpanSink) -> None:
    with agent("producer"):
        answer = stream(words(2), name="answer")
    taken: list[str] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: taken.extend([next(answer, "none")]))
        thread.start()
        thread.join()

    assert taken == ["word 0 ", "word 1 ", "none"]
    assert set(parents(sink).values()) == {"task answer", "invoke_agent producer", None}
    assert ending(sink) == WELL


def test_a_thread_that_drops_a_stream_ends_it(sink: SpanSink) -> None:
    streams: queue.Queue[Iterator[str]] = queue.Queue()
    streams.put(stream(words(), name="answer"))

    def consume() -> None:
        next(streams.get())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(consume).result()
    assert ending(sink) == ABANDONED


async def test_a_second_reader_is_refused_as_without_a_span(sink: SpanSink) -> None:
    going_on = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        await going_on.wait()
        yield 1

    answer = stream(source(), name="answer")
    first = asyncio.create_task(anext(answer))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already running"):
        await anext(answer)
    assert sink.spans == []
    going_on.set()
    assert await first == 1
    assert [item async for item in answer] == []
    assert ending(sink) == WELL


# --- the protocols of generators ------------------------------------------------------------------------------------------


def test_send_throw_and_the_value_of_a_generator(sink: SpanSink) -> None:
    def source() -> Generator[object, str, str]:
        got = yield "ready"
        try:
            yield got
        except KeyError as error:
            yield f"caught {error.args[0]}"
        return "the end"

    def delegating() -> Generator[object, str, str]:
        return (yield from stream(source(), name="answer"))

    steps = delegating()
    assert [next(steps), steps.send("hello"), steps.throw(KeyError("k"))] == ["ready", "hello", "caught k"]
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert stopped.value.value == "the end"
    assert ending(sink) == WELL


async def test_asend_and_athrow(sink: SpanSink) -> None:
    async def source() -> AsyncGenerator[object, str]:
        got = yield "ready"
        try:
            yield got
        except KeyError as error:
            yield f"caught {error.args[0]}"

    answer = stream(source(), name="answer")
    assert [await anext(answer), await answer.asend("hello"), await answer.athrow(KeyError("k"))] == [
        "ready",
        "hello",
        "caught k",
    ]
    with pytest.raises(StopAsyncIteration):
        await anext(answer)
    assert ending(sink) == WELL


async def test_an_async_generator_with_a_span_can_be_a_context_manager(sink: SpanSink) -> None:
    @contextlib.asynccontextmanager
    @agent("session")
    async def session() -> AsyncIterator[str]:
        call_llm("opening")
        yield "open"
        call_llm("closing")

    async with session() as state:
        call_llm(f"while {state}")
    assert parents(sink) == {
        "chat opening": "invoke_agent session",
        "chat while open": None,
        "chat closing": "invoke_agent session",
        "invoke_agent session": None,
    }


def test_iterators_that_are_no_generators(sink: SpanSink) -> None:
    answer = stream([1, 2], name="answer")
    assert next(answer) == 1
    error = KeyError("k")
    with pytest.raises(KeyError) as raised:
        answer.throw(error)
    assert raised.value is error
    assert ending(sink) == ("ERROR", None, "KeyError")


async def test_async_iterators_are_closed_in_their_own_way(sink: SpanSink) -> None:
    class Events:
        closed = 0

        def __aiter__(self) -> Events:
            return self

        async def __anext__(self) -> int:
            return 1

        async def close(self) -> None:
            self.closed += 1

    events = Events()
    answer = stream(events, name="answer")
    assert await anext(answer) == 1
    await answer.aclose()
    assert events.closed == 1
    assert ending(sink) == ABANDONED


def test_what_is_no_stream_is_refused(sink: SpanSink) -> None:
    with pytest.raises(TypeError, match="function is no generator"):
        stream(words, name="answer")  # type: ignore[call-overload]


# --- generator functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "name"),
    [(agent("a"), "invoke_agent a"), (workflow("w"), "invoke_workflow w"), (tool("t"), "execute_tool t")],
)
async def test_each_decorator_takes_generator_functions(sink: SpanSink, scope: Any, name: str) -> None:
    with agent("consumer"):
        assert list(scope(words)(1)) == ["word 0 "]
        assert [word async for word in scope(async_words)(1)] == ["word 0 "]
    tree = (name, (("chat of word 0", ()), ("chat after the last", ())))
    assert sink.tree() == (("invoke_agent consumer", (tree, tree)),)


def test_agents_nested_as_generators_each_have_their_own_calls(sink: SpanSink) -> None:
    @agent("inner")
    def inner() -> Iterator[int]:
        call_llm("inner 1")
        yield 1
        call_llm("inner 2")

    @agent("outer")
    def outer() -> Iterator[int]:
        for item in inner():
            call_llm("outer")
            yield item

    for _ in outer():
        call_llm("consumer")
    assert parents(sink) == {
        "chat inner 1": "invoke_agent inner",
        "chat inner 2": "invoke_agent inner",
        "invoke_agent inner": "invoke_agent outer",
        "chat outer": "invoke_agent outer",
        "invoke_agent outer": None,
        "chat consumer": None,
    }
    assert (sink.one(name="chat inner 2").attributes or {})["gen_ai.agent.name"] == "inner"
    assert "gen_ai.agent.name" not in (sink.one(name="chat consumer").attributes or {})


# --- content ----------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("captured")
async def test_the_text_of_a_stream_is_its_output(sink: SpanSink) -> None:
    async def source() -> AsyncIterator[str | bytes]:
        yield "Schön"
        yield b"er Ta"
        yield "g, ä".encode()[:-1]
        yield "ä".encode()[1:]

    async for _ in stream(source(), name="answer", input={"question": "Wie?"}):
        pass
    seen = sink.attributes(sink.one(name="task answer"))
    assert (seen["input.value"], seen["output.value"]) == ('{"question":"Wie?"}', "Schöner Tag, ä")


@pytest.mark.usefixtures("captured")
def test_a_long_text_is_cut_and_items_that_are_no_text_are_not_kept(sink: SpanSink) -> None:
    def source() -> Generator[object, None, None]:
        yield {"no": "text"}
        for _ in range(100):
            yield "x" * 1_000

    for _ in stream(source(), name="answer"):
        pass
    output = sink.attributes(sink.one(name="task answer"))["output.value"]
    assert output == "x" * 65_472 + " [... 34528 characters left out]"


@pytest.mark.usefixtures("captured")
def test_the_value_of_a_generator_without_text_is_its_output(sink: SpanSink) -> None:
    @tool
    def count(upto: int) -> Generator[int, None, dict[str, int]]:
        yield from range(upto)
        return {"counted": upto}

    assert list(count(2)) == [0, 1]
    seen = sink.attributes(sink.one(name="execute_tool count"))
    assert (seen["gen_ai.tool.call.arguments"], seen["gen_ai.tool.call.result"]) == ('{"upto":2}', '{"counted":2}')


def test_without_content_capture_nothing_is_recorded(sink: SpanSink) -> None:
    list(stream(words(), name="answer", input="secret"))
    assert set(sink.attributes(sink.one(name="task answer"))) == {"gen_ai.operation.name"}


# --- web servers ------------------------------------------------------------------------------------------------------------


def web(app_stream: Callable[[], Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/ask")
    async def ask() -> StreamingResponse:
        with workflow("support"):
            return StreamingResponse(app_stream())

    return app


@pytest.mark.parametrize("source", [words, async_words])
async def test_a_streaming_response(sink: SpanSink, source: Callable[[], Any]) -> None:
    transport = httpx.ASGITransport(web(lambda: stream(source(), name="answer")))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        answers = await asyncio.gather(*(client.get("/ask") for _ in range(3)))

    assert {answer.text for answer in answers} == {"word 0 word 1 word 2 "}
    calls = tuple((f"chat {name}", ()) for name in ("of word 0", "of word 1", "of word 2", "after the last"))
    assert sink.tree() == (("invoke_workflow support", (("task answer", calls),)),) * 3


@pytest.mark.parametrize("source", [words, async_words])
async def test_a_streaming_response_whose_reader_goes_away(sink: SpanSink, source: Callable[[int], Any]) -> None:
    """The server is told after the first piece."""
    sent = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            sent.set()
            await asyncio.sleep(0.05)

    app = web(lambda: stream(source(1_000), name="answer"))
    scope = {"type": "http", "method": "GET", "path": "/ask", "query_string": b"", "headers": [], "asgi": {"version": "3.0"}}
    with contextlib.suppress(asyncio.CancelledError):
        await app(scope | {"http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)  # type: ignore[arg-type]
    await until(lambda: sink.open == [])
    status, how, _ = ending(sink)
    assert (status, how) in {("UNSET", "abandoned"), ("ERROR", "cancelled")}
    assert sink.one(name="task answer").parent.span_id == sink.one(name="invoke_workflow support").context.span_id  # type: ignore[union-attr]


# --- any sequence of steps --------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(["step", "step in a task", "step in a thread", "throw", "consume", "enter", "exit", "close", "drop"]),
    max_size=12,
)


@given(STEPS)
def test_whatever_is_done_with_a_stream(steps: list[str]) -> None:
    """The producer's spans are below the stream's, or below the agent that the producer holds open; the consumer's never are."""
    with SpanSink.provider() as (provider, sink):
        stamp_spans_of(provider)
        use_provider(provider)
        try:
            asyncio.run(_consumed(steps))
        finally:
            use_provider(None)
        assert sink.open == []
    by_id = {span.context.span_id: span for span in sink.spans}
    assert len(by_id) == len(sink.spans)
    for span in sink.spans:
        above = None if span.parent is None else by_id[span.parent.span_id].name
        if span.name.startswith("chat produced"):
            assert above == ("invoke_agent holding" if span.name.endswith("held") else "task answer")
        elif span.name == "invoke_agent holding":
            assert above == "task answer"
        elif span.name in ("chat consumed", "invoke_agent consumer"):
            assert above in {"invoke_agent consumer", "invoke_agent outer"}
    sink.one(name="task answer")


async def _producer() -> AsyncIterator[int]:
    try:
        while True:
            call_llm("produced")
            with contextlib.suppress(KeyError):
                yield 1
            with agent("holding"), contextlib.suppress(KeyError):
                call_llm("produced while held")
                yield 2
                call_llm("produced again while held")
    finally:
        call_llm("produced at the end")


async def _consumed(steps: list[str]) -> None:
    async with agent("outer") as outer:
        answer: AsyncGenerator[int, Any] | None = stream(_producer(), name="answer")
        entered: list[Any] = []
        for step in steps:
            if step == "enter":
                entered.append(agent("consumer"))
                entered[-1].__enter__()
            elif step == "exit" and entered:
                entered.pop().__exit__(None, None, None)
            elif step == "consume":
                call_llm("consumed")
            elif answer is not None:
                before = trace.get_current_span()
                answer = await _handled(answer, step)
                assert trace.get_current_span() is before
        while entered:
            entered.pop().__exit__(None, None, None)
        assert trace.get_current_span() is outer
        dropped = None if answer is None else weakref.ref(answer)
        answer = None
        # A pool's thread lets go of what it has called only after it has told the result.
        await until(lambda: dropped is None or dropped() is None)
        await asyncio.sleep(0)


async def _handled(answer: AsyncGenerator[int, Any], step: str) -> AsyncGenerator[int, Any] | None:
    if step == "drop":
        return None
    with contextlib.suppress(StopAsyncIteration, KeyError):
        if step == "step":
            await anext(answer)
        elif step == "step in a task":
            await asyncio.create_task(anext(answer), context=None)  # type: ignore[arg-type]
        elif step == "step in a thread":
            await asyncio.to_thread(_driven, answer)
        elif step == "throw":
            await answer.athrow(KeyError("k"))
        elif step == "close":
            await answer.aclose()
    return answer


def _driven(answer: AsyncGenerator[int, Any]) -> None:
    """One step without an event loop, below an empty context: the producer waits for nothing."""
    token = otel_context.attach(Context())
    step = answer.__anext__()
    with contextlib.suppress(StopIteration, StopAsyncIteration):
        step.send(None)  # type: ignore[attr-defined]
    otel_context.detach(token)
