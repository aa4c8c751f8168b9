"""Ten thousand agents at once, nested, gathered, spawned, cancelled, in generators of all ends: each span is where the model says.

A program is a tree of steps, drawn at random. The model says of each span that the program may leave where it belongs, and whether
it must be there: what is cancelled, or given up by its consumer, may not come to all of its spans.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from belonging import call_llm
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import agent, spawn, stream, tool
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider

AGENTS = 10_000
#: So many are planned that the agents which are never reached are made up for.
PLANNED = 13_500
#: How the consumer of a generator takes it: all of it, each item in a task of its own, or the first item and no more.
TAKEN = ("whole", "in tasks", "dropped", "closed")
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("call", ("",)),
    ("call", ("",)),
    ("pause", ("",)),
    ("agent", ("with", "async with", "function")),
    ("agent", ("with", "async with", "function")),
    ("tool", ("",)),
    ("gather", ("gather", "group")),
    ("spawn", ("auto", "child", "link", "detached")),
    ("cancel", ("0", "1", "3")),
    ("stream", TAKEN),
    ("agent generator", TAKEN),
    ("stream of a held agent", TAKEN),
)


@dataclass(frozen=True)
class Step:
    """What is done, in which way, and the steps inside of it."""

    kind: str
    way: str
    name: str
    steps: tuple[Step, ...]


def grown(choose: Callable[[int], int], depth: int, name: str = "0") -> tuple[Step, ...]:
    """A program, by what ``choose(n)`` picks below n."""
    steps = []
    for number in range(1 + choose(3)):
        kind, ways = KINDS[choose(len(KINDS))]
        own = f"{name}.{number}"
        inner = () if depth == 0 or kind in ("call", "pause") else grown(choose, depth - 1, own)
        steps.append(Step(kind, ways[choose(len(ways))], own, inner))
    return tuple(steps)


def agents_in(steps: Sequence[Step]) -> int:
    return sum(("agent" in step.kind) + agents_in(step.steps) for step in steps)


# --- the model --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where spans begin: at which span, in which way, and for which agent."""

    at: str | None = None
    way: Literal["child", "link", "nowhere"] = "nowhere"
    agent: str | None = None
    #: The span of the step is left in any case.
    is_sure: bool = True

    def below(self, span: str, agent: str | None = None) -> Place:
        return replace(self, at=span, way="child", agent=agent or self.agent)

    def spawned(self, mode: str, *, outlived: bool) -> Place:
        if mode == "detached":
            return Place(is_sure=self.is_sure)
        if self.at is not None and (mode == "link" or (mode == "auto" and outlived)):
            return replace(self, way="link")
        return self

    def cancelled(self) -> Place:
        return replace(self, is_sure=False)


def expected(steps: tuple[Step, ...], place: Place, outlived: set[str]) -> Iterator[tuple[str, Place]]:
    """The name of each span, and its place. ``outlived`` are the tasks that were spawned where the span had ended already."""
    for step in steps:
        if step.kind == "call":
            yield f"chat {step.name}", place
        elif step.kind == "agent":
            yield f"invoke_agent {step.name}", replace(place, agent=step.name)
            yield from expected(step.steps, place.below(f"invoke_agent {step.name}", step.name), outlived)
        elif step.kind == "tool":
            yield f"execute_tool {step.name}", place
            yield from expected(step.steps, place.below(f"execute_tool {step.name}"), outlived)
        elif step.kind == "spawn":
            yield from expected(step.steps, place.spawned(step.way, outlived=step.name in outlived), outlived)
        elif step.kind == "cancel":
            yield from expected(step.steps, place.cancelled(), outlived)
        elif step.way in TAKEN:
            yield from expected_of_generator(step, place, outlived)
        else:
            yield from expected(step.steps, place, outlived)


def expected_of_generator(step: Step, place: Place, outlived: set[str]) -> Iterator[tuple[str, Place]]:
    if step.kind == "agent generator":
        yield f"invoke_agent {step.name}", replace(place, agent=step.name)
        inside = place.below(f"invoke_agent {step.name}", step.name)
    else:
        yield f"task {step.name}", place
        inside = place.below(f"task {step.name}")
    if step.kind == "stream of a held agent":
        yield f"invoke_agent {step.name}", replace(inside, agent=step.name)
        inside = inside.below(f"invoke_agent {step.name}", step.name)
    taken = step.steps if step.way in ("whole", "in tasks") else step.steps[:1]
    yield from expected(taken, inside, outlived)
    for inner in taken:
        yield f"chat on {inner.name}", place


# --- the programs run -------------------------------------------------------------------------------------------------


def agent_of(step: Step) -> Any:
    return agent(step.name, user_id=f"user of {step.name}")


@dataclass
class Run:
    """One run of a program, the tasks that it does not wait for, and which of them were spawned where the span had ended."""

    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    outlived: set[str] = field(default_factory=set)

    async def all_of(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            await self.one(step)

    async def one(self, step: Step) -> None:
        if step.kind == "call":
            call_llm(step.name)
        elif step.kind == "pause":
            await asyncio.sleep(0)
        elif step.kind == "agent":
            await self.agent(step)
        elif step.kind == "tool":
            with tool(step.name):
                await self.all_of(step.steps)
        elif step.kind == "spawn":
            if (current := trace.get_current_span()) is not trace.INVALID_SPAN and not current.is_recording():
                self.outlived.add(step.name)
            self.tasks.append(spawn(self.all_of(step.steps), mode=step.way))  # type: ignore[arg-type]  # one of KINDS
        elif step.kind == "cancel":
            await self.cancelled(step)
        elif step.way in TAKEN:
            await self.consumed(step)
        else:
            await self.at_once(step)

    async def agent(self, step: Step) -> None:
        if step.way == "function":
            await agent_of(step)(self.all_of)(step.steps)
        elif step.way == "with":
            with agent_of(step):
                await self.all_of(step.steps)
        else:
            async with agent_of(step):
                await self.all_of(step.steps)

    async def at_once(self, step: Step) -> None:
        if step.way == "gather":
            await asyncio.gather(*(self.one(inner) for inner in step.steps))
            return
        async with asyncio.TaskGroup() as group:
            for inner in step.steps:
                group.create_task(self.one(inner))

    async def cancelled(self, step: Step) -> None:
        task = asyncio.create_task(self.all_of(step.steps))
        for _ in range(int(step.way)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def consumed(self, step: Step) -> None:
        items = self.generator(step)
        while (name := await (asyncio.create_task(taken(items)) if step.way == "in tasks" else taken(items))) is not None:
            call_llm(f"on {name}")
            if step.way in ("dropped", "closed"):
                break
        if step.way == "closed":
            await items.aclose()

    def generator(self, step: Step) -> AsyncGenerator[str, None]:
        if step.kind == "agent generator":
            return agent_of(step)(self.produced)(step)  # type: ignore[no-any-return]
        return stream(self.held(step) if step.kind == "stream of a held agent" else self.produced(step), name=step.name)

    async def produced(self, step: Step) -> AsyncIterator[str]:
        for inner in step.steps:
            await self.one(inner)
            yield inner.name

    async def held(self, step: Step) -> AsyncIterator[str]:
        with agent_of(step):
            for inner in step.steps:
                await self.one(inner)
                yield inner.name

    async def settled(self) -> None:
        while self.tasks:
            await self.tasks.pop()
        gc.collect()
        await asyncio.sleep(0)


async def taken(items: AsyncGenerator[str, None]) -> str | None:
    return await anext(items, None)


async def run(steps: tuple[Step, ...]) -> set[str]:
    program = Run()
    await program.all_of(steps)
    await program.settled()
    return program.outlived


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


def assert_each_is_where_the_model_says(sink: SpanSink, steps: tuple[Step, ...], outlived: set[str]) -> None:
    assert sink.open == []
    model, names = dict(expected(steps, Place(), outlived)), {span.context.span_id: span.name for span in sink.spans}
    seen = sorted(names.values())
    assert len(seen) == len(sink.spans) == len(set(seen))
    assert {name for name, place in model.items() if place.is_sure} <= set(seen) <= model.keys()
    for span in sink.spans:
        assert_is_at(span, names, model[span.name])


def assert_is_at(span: ReadableSpan, names: dict[int, str], place: Place) -> None:
    above = [] if span.parent is None else [names[span.parent.span_id]]
    links = [names[link.context.span_id] for link in span.links]
    way = "child" if above else "link" if links else "nowhere"
    assert (way, *above, *links) == (place.way, *([] if way == "nowhere" else [place.at])), span.name
    seen = SpanSink.attributes(span)
    user = None if place.agent is None else f"user of {place.agent}"
    assert (seen.get("gen_ai.agent.name"), seen.get("user.id")) == (place.agent, user), span.name


@settings(max_examples=200)
@given(st.data())
def test_each_span_is_where_the_model_says(data: st.DataObject) -> None:
    steps = grown(lambda below: data.draw(st.integers(0, below - 1)), depth=3)
    with spans_of_a_run() as sink:
        assert_each_is_where_the_model_says(sink, steps, asyncio.run(run(steps)))


@pytest.mark.parametrize("seed", [6, 66])
def test_ten_thousand_agents_at_once_are_where_the_model_says(caplog: pytest.LogCaptureFixture, seed: int) -> None:
    choose, requests = random.Random(seed).randrange, list[Step]()
    agents = 0
    while agents < PLANNED:
        requests.append(Step("agent", "with", f"r{len(requests)}", grown(choose, 3, f"r{len(requests)}")))
        agents += agents_in(requests[-1:])
    steps = (Step("gather", "gather", "all", tuple(requests)),)
    with spans_of_a_run() as sink:
        assert_each_is_where_the_model_says(sink, steps, asyncio.run(run(steps)))
        assert sum(span.name.startswith("invoke_agent ") for span in sink.spans) >= AGENTS
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
