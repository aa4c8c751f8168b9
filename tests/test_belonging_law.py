"""Whatever tasks, threads and queues do to each other, each span has the parent, the links, the agent and the user of the model."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from belonging import LONG_S, call_llm
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm import ContextExecutor, Parcel, agent, bind, parcel, spawn, worker
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider

Kind = Literal["call", "pause", "agent", "gather", "thread", "executor", "to_thread", "spawn", "queue", "thread_queue"]
KINDS: tuple[tuple[Kind, str], ...] = (
    ("call", ""),
    ("call", ""),
    ("pause", ""),
    ("agent", ""),
    ("agent", ""),
    ("gather", ""),
    ("thread", ""),
    ("executor", ""),
    ("to_thread", ""),
    *(("spawn", mode) for mode in ("auto", "child", "link", "detached")),
    *(("queue", mode) for mode in ("child", "link")),
    *(("thread_queue", mode) for mode in ("child", "link")),
)
IN_THREADS = ("thread", "executor", "to_thread", "thread_queue")


@dataclass(frozen=True)
class Step:
    """What is done, and the steps inside of it."""

    kind: Kind
    mode: str
    name: str
    steps: tuple[Step, ...]


def grown(choose: Callable[[int], int], depth: int, name: str = "0") -> tuple[Step, ...]:
    """A program, by what ``choose(n)`` picks below n."""
    steps = []
    for number in range(1 + choose(3)):
        kind, mode = KINDS[choose(len(KINDS))]
        own = f"{name}.{number}"
        inner = () if depth == 0 or kind in ("call", "pause") else grown(choose, depth - 1, own)
        steps.append(Step(kind, mode, own, inner))
    return tuple(steps)


# --- the model --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where spans begin: near which agent's span, in which ways that may be, and for whom."""

    near: str | None = None
    ways: frozenset[str] = frozenset({"nowhere"})
    agent: str | None = None
    #: The agent's span cannot have ended.
    is_open: bool = False
    #: What only a loop can do is done there, some time later.
    in_thread: bool = False

    def handed_over(self, mode: str) -> Place:
        if mode == "detached":
            return Place()
        ways = self.ways
        if mode == "auto" and not self.is_open and self.near:
            ways = ways | {"link"}
        if mode == "link" and self.near:
            ways = frozenset({"link"})
        return replace(self, ways=ways, is_open=False)

    def inside(self, name: str) -> Place:
        return Place(f"invoke_agent {name}", frozenset({"child"}), name, not self.in_thread, self.in_thread)


def expected(steps: tuple[Step, ...], place: Place) -> Iterator[tuple[str, Place]]:
    """Each span's name, and where it begins."""
    for step in steps:
        if step.kind == "call":
            yield f"chat {step.name}", place
        elif step.kind == "agent":
            yield f"invoke_agent {step.name}", replace(place, agent=step.name)
            yield from expected(step.steps, place.inside(step.name))
        elif step.kind == "gather" and not place.in_thread:
            yield from expected(step.steps, place)
        else:
            there = place.handed_over(step.mode or "child")
            yield from expected(step.steps, replace(there, in_thread=step.kind in IN_THREADS))


# --- the programs run -------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One run of a program: what it has started and not waited for, and its consumers."""

    pool: ContextExecutor
    loop: asyncio.AbstractEventLoop
    jobs: asyncio.Queue[Parcel[Step]] = field(default_factory=asyncio.Queue)
    thread_jobs: queue.Queue[Parcel[Step] | None] = field(default_factory=queue.Queue)
    #: Each is waited for on the loop.
    started: list[Any] = field(default_factory=list)
    consumers: list[asyncio.Task[None]] = field(default_factory=list)
    thread: threading.Thread | None = None

    async def all_of(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            await self.one(step)

    async def one(self, step: Step) -> None:
        if step.kind == "pause":
            await asyncio.sleep(0)
        elif step.kind == "gather":
            await asyncio.gather(*(self.one(inner) for inner in step.steps))
        elif step.kind == "agent":
            async with agent(step.name, user_id=f"user of {step.name}"):
                await self.all_of(step.steps)
        elif step.kind == "to_thread":
            await asyncio.to_thread(self.all_in_thread, step.steps)
        elif step.kind == "spawn":
            self.started.append(spawn(self.all_of(step.steps), mode=step.mode))  # type: ignore[arg-type]  # one of KINDS
        elif step.kind == "queue":
            if not self.consumers:
                self.consumers.append(worker(self.consume()))
            await self.jobs.put(parcel(step))
        else:
            self.one_in_thread(step)

    def all_in_thread(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self.one_in_thread(step)

    def one_in_thread(self, step: Step) -> None:
        if step.kind == "call":
            call_llm(step.name)
        elif step.kind == "agent":
            with agent(step.name, user_id=f"user of {step.name}"):
                self.all_in_thread(step.steps)
        elif step.kind == "thread":
            done: Future[None] = Future()
            self.started.append(done)
            work = bind(lambda: self.all_in_thread(step.steps))
            threading.Thread(target=lambda: done.set_result(work())).start()
        elif step.kind == "executor":
            self.started.append(self.pool.submit(self.all_in_thread, step.steps))
        elif step.kind == "thread_queue":
            self.thread_jobs.put(parcel(step))
        else:  # what only a loop can do, asked for from this thread
            self.started.append(asyncio.run_coroutine_threadsafe(bind(self.one)(step), self.loop))

    async def consume(self) -> None:
        while True:
            job = await self.jobs.get()
            with job.open(mode=job.item.mode) as step:  # type: ignore[arg-type]  # one of KINDS
                await self.all_of(step.steps)
            self.jobs.task_done()

    def consume_in_thread(self) -> None:
        while (job := self.thread_jobs.get()) is not None:
            with job.open(mode=job.item.mode) as step:  # type: ignore[arg-type]  # one of KINDS
                self.all_in_thread(step.steps)
            self.thread_jobs.task_done()

    async def settled(self) -> None:
        """Wait for all that was started, and for what that has started."""
        while self.started or self.jobs._unfinished_tasks or self.thread_jobs.unfinished_tasks:  # type: ignore[attr-defined]
            while self.started:
                one = self.started.pop()
                await (asyncio.wrap_future(one) if isinstance(one, Future) else one)
            await self.jobs.join()
            await asyncio.to_thread(self.thread_jobs.join)


async def run(steps: tuple[Step, ...]) -> None:
    with ThreadPoolExecutor(2) as threads:
        program = Run(ContextExecutor(threads), asyncio.get_running_loop())
        consumer = threading.Thread(target=program.consume_in_thread)
        consumer.start()
        await program.all_of(steps)
        await program.settled()
        program.thread_jobs.put(None)
        await asyncio.to_thread(consumer.join, LONG_S)
        for task in program.consumers:
            task.cancel()
        await asyncio.gather(*program.consumers, return_exceptions=True)


# --- the law ----------------------------------------------------------------------------------------------------------


@contextmanager
def spans_of_a_run() -> Iterator[SpanSink]:
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        try:
            yield spans
        finally:
            use_provider(None)


def assert_each_is_where_the_model_says(sink: SpanSink, steps: tuple[Step, ...]) -> None:
    assert sink.open == []
    model = dict(expected(steps, Place()))
    spans = {span.name: span for span in sink.spans}
    names = {span.context.span_id: span.name for span in sink.spans}
    assert spans.keys() == model.keys()
    assert len(sink.spans) == len(spans)
    for name, place in model.items():
        span = spans[name]
        above = None if span.parent is None else names[span.parent.span_id]
        links = [names[link.context.span_id] for link in span.links]
        way = "child" if above else "link" if links else "nowhere"
        assert way in place.ways, name
        assert [*([above] if above else []), *links] == ([] if way == "nowhere" else [place.near]), name
        seen = sink.attributes(span)
        user = None if place.agent is None else f"user of {place.agent}"
        assert (seen.get("gen_ai.agent.name"), seen.get("user.id")) == (place.agent, user), name


@settings(max_examples=200)
@given(st.data())
def test_each_span_is_where_the_model_says(data: st.DataObject) -> None:
    steps = grown(lambda below: data.draw(st.integers(0, below - 1)), depth=3)
    with spans_of_a_run() as sink:
        asyncio.run(run(steps))
        assert_each_is_where_the_model_says(sink, steps)


def test_thousands_of_agents_at_once_are_where_the_model_says(caplog: pytest.LogCaptureFixture) -> None:
    choose = random.Random(6).randrange
    requests = [Step("agent", "", f"r{number}", grown(choose, 3, f"r{number}")) for number in range(3200)]
    steps = (Step("gather", "", "all", tuple(requests)),)
    with spans_of_a_run() as sink:
        asyncio.run(run(steps))
        assert_each_is_where_the_model_says(sink, steps)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
