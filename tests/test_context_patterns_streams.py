"""The patterns of handed-over work, continued: generators, and spans around ``yield``."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from belonging import LONG_S, call_llm, failures_to_detach, parent_of, plain_span

from otel_llm import agent, stream
from otel_llm.testing.sink import SpanSink

REQUEST = "invoke_agent request"


async def without_a_span() -> AsyncIterator[str]:
    for number in range(2):
        call_llm(f"produced {number}")
        yield f"item {number}"


async def test_a_generator_is_the_consumers_at_each_step_and_below_one_span_as_a_stream(sink: SpanSink) -> None:
    steps = without_a_span()
    for name in ("a", "b"):
        with agent(name):
            await anext(steps)
    assert [parent_of(sink, f"chat produced {number}") for number in range(2)] == ["invoke_agent a", "invoke_agent b"]

    sink.clear()
    answer = stream(without_a_span(), name="answer")
    for name in ("a", "b"):
        with agent(name):
            await anext(answer)
    await answer.aclose()
    assert [parent_of(sink, f"chat produced {number}") for number in range(2)] == ["task answer", "task answer"]


async def with_a_plain_span() -> AsyncIterator[str]:
    with plain_span("task answer"):
        async for item in without_a_span():
            yield item


def plain_stream() -> Any:
    return with_a_plain_span()


def our_stream() -> Any:
    return stream(without_a_span(), name="answer")


async def test_a_span_around_yield_is_current_in_the_consumer_but_a_streams_is_not(sink: SpanSink) -> None:
    for make, name in ((plain_stream, "in plain"), (our_stream, "in ours")):
        with agent("request"):
            async for item in make():
                call_llm(f"{name} {item}")
    assert [parent_of(sink, f"chat in plain item {number}") for number in range(2)] == ["task answer"] * 2
    assert [parent_of(sink, f"chat in ours item {number}") for number in range(2)] == [REQUEST] * 2


async def to_break(answer: Any) -> None:
    async for _ in answer:
        break


async def to_cancel(answer: Any) -> None:
    async def consume() -> None:
        async for _ in answer:
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])


async def to_consume_in_other_tasks(answer: Any) -> None:
    for _ in range(3):
        await asyncio.gather(asyncio.create_task(taken(answer)), return_exceptions=True)


async def taken(answer: Any) -> Any:
    return await anext(answer, None)


@pytest.mark.parametrize("consumed", [to_break, to_cancel, to_consume_in_other_tasks])
async def test_a_span_around_yield_cannot_be_left_elsewhere_but_a_streams_can(
    sink: SpanSink, caplog: pytest.LogCaptureFixture, consumed: Callable[[Any], Awaitable[None]]
) -> None:
    for make, failures in ((plain_stream, 1), (our_stream, 0)):
        caplog.clear()
        with agent("request"):
            await consumed(make())
            for _ in range(3):  # the loop closes what is dropped, in a task of its own
                gc.collect()
                await asyncio.sleep(0.001)
        assert failures_to_detach(caplog) == failures, make
        assert sink.open == []
        assert sink.spans[-1].name == REQUEST
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
