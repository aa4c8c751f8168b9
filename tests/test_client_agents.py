"""Each call uses the model that its own agent is due: side by side, nested, streamed, in the background, and while admins change it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from overrides import Chosen

from otel_llm import LLM, Reply, agent, spawn, workflow
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink

DEFAULT = "openrouter:the/default"


@pytest.fixture(autouse=True)
def _openrouter(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-fake")


def asked(fake: FakeProvider) -> dict[str, str | None]:
    """The model that the provider was asked for, by question."""
    return {exchange.last_text: exchange.model for exchange in fake.exchanges}


async def ask(llm: LLM, question: str, *, streamed: bool = False) -> str:
    if not streamed:
        return (await llm.complete(user=question)).text
    *_, reply = [item async for item in llm.stream(user=question)]
    assert isinstance(reply, Reply)
    return reply.text


async def test_parallel_agents_never_see_each_others_model(fake: FakeProvider, recorded: SpanSink) -> None:
    llm = LLM(DEFAULT, resolver=Chosen(a="model/a", b="model/b"))

    async def work(name: str) -> None:
        with agent(name):
            await asyncio.gather(*(ask(llm, f"{name}{n}", streamed=n % 2 == 0) for n in range(4)))

    with workflow("support"):
        await asyncio.gather(*map(work, "abc"))

    due = {"a": "model/a", "b": "model/b", "c": "the/default"}
    assert asked(fake) == {f"{name}{n}": due[name] for name in due for n in range(4)}
    told = [recorded.attributes(span) for span in recorded.calls]
    assert {(span["gen_ai.agent.name"], span["gen_ai.request.model"]) for span in told} == set(due.items())
    assert {(span["gen_ai.agent.name"], span["otel_llm.model.source"]) for span in told} == {
        ("a", "override"),
        ("b", "override"),
        ("c", "default"),
    }


async def test_nested_agents_and_background_work_have_their_own(fake: FakeProvider) -> None:
    llm = LLM(DEFAULT, resolver=Chosen(outer="model/outer", inner="model/inner", memory="model/memory"))

    @agent("memory")
    async def remember() -> None:
        await ask(llm, "in the background")

    with agent("outer"):
        await ask(llm, "before")
        task = spawn(remember(), name="memory")
        with agent("inner"):
            await ask(llm, "inside")
        await ask(llm, "after")
    await task

    assert asked(fake) == {
        "before": "model/outer",
        "inside": "model/inner",
        "after": "model/outer",
        "in the background": "model/memory",
    }


async def test_a_stream_keeps_its_model_and_leaves_no_trace_where_it_is_read(fake: FakeProvider, recorded: SpanSink) -> None:
    chosen = Chosen(outer="model/one")
    llm = LLM(DEFAULT, resolver=chosen)
    with agent("outer"):
        stream = llm.stream(user="streamed question")
        await anext(stream)
        chosen.models["outer"] = "model/two"
        with agent("inner"):
            await ask(llm, "while it is read")
        items: list[Any] = [item async for item in stream]
    assert items[-1].choice.text == "openrouter:model/one"
    assert asked(fake) == {"streamed question": "model/one", "while it is read": "the/default"}
    inner = next(span for span in recorded.calls if span.name == "chat the/default")
    assert recorded.attributes(inner)["otel_llm.model.source"] == "default"


async def test_a_thousand_agents_while_admins_change_their_models(fake: FakeProvider, recorded: SpanSink) -> None:
    chosen, chance = Chosen(), random.Random(7)
    llm = LLM(DEFAULT, resolver=chosen)
    due: dict[str, str] = {}

    def change() -> None:
        name = f"agent-{chance.randrange(1000)}"
        if chance.random() < 0.3:
            chosen.models.pop(name, None)
        else:
            chosen.models[name] = f"model/{chance.randrange(50)}"

    async def admin() -> None:
        while True:
            change()
            await asyncio.sleep(0.001)

    async def work(number: int) -> None:
        name = f"agent-{number}"
        with agent(name):
            await asyncio.sleep(chance.random() / 100)
            due[name] = chosen.models.get(name, "the/default")
            assert await ask(llm, name, streamed=number % 5 == 0) == f"You said: {name}"

    for _ in range(500):
        change()
    changing = asyncio.create_task(admin())
    with workflow("crowd"):
        await asyncio.gather(*map(work, range(1000)))
    changing.cancel()

    assert asked(fake) == due
    assert len(set(due.values())) == 51
    told = (recorded.attributes(span) for span in recorded.calls)
    pairs = [(span["gen_ai.agent.name"], span["gen_ai.request.model"]) for span in told]
    assert sorted(pairs) == sorted(due.items())
