"""The model of each step of a pipeline: the one that its own agent is due, whatever runs beside it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from otel_llm import Pipeline, Step, agent
from otel_llm.client.llm import LLM
from otel_llm.models.resolver import ModelResolver
from otel_llm.models.store import Change, Override
from otel_llm.pipeline.pipeline import StepContext
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink

DEFAULT = "openrouter:acme/default"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Overrides:
    """A store in memory that nobody changes."""

    address = "memory"

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = models

    def active(self) -> Mapping[str, Override]:
        return {name: Override(name, model, True, "ada", NOW, NOW) for name, model in self._models.items()}

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        raise NotImplementedError

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        raise NotImplementedError

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def vendor(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-fake")
    return fake


@pytest.fixture
def resolvers() -> Iterator[list[ModelResolver]]:
    made: list[ModelResolver] = []
    yield made
    for resolver in made:
        resolver.close()


def client(resolvers: list[ModelResolver], overrides: Mapping[str, str], default: str = DEFAULT) -> LLM:
    resolvers.append(ModelResolver(Overrides(overrides)))
    return LLM(default, resolver=resolvers[-1])


def asked(vendor: FakeProvider) -> dict[str, str | None]:
    """The model that each question was put to."""
    questions = [exchange.last_text for exchange in vendor.exchanges]
    assert len(set(questions)) == len(questions)
    return {exchange.last_text: exchange.model for exchange in vendor.exchanges}


async def ask(context: StepContext) -> None:
    await context.llm.complete(user=f"{context.input} {context.agent}")


async def test_parallel_steps_never_see_each_others_model(vendor: FakeProvider, resolvers: list[ModelResolver]) -> None:
    llm = client(resolvers, {"a": "acme/a", "b": "acme/b"})
    steps = [Step(ask, "parallel", name=name) for name in "abc"]

    (await Pipeline("p", steps, llm=llm).run("1")).raise_for_errors()

    assert asked(vendor) == {"1 a": "acme/a", "1 b": "acme/b", "1 c": "acme/default"}


async def test_a_step_can_have_a_client_of_its_own(vendor: FakeProvider, resolvers: list[ModelResolver]) -> None:
    overrides = {"b": "acme/b"}
    own = client(resolvers, overrides, "openrouter:acme/own")
    steps = [Step(ask, name="a", llm=own), Step(ask, name="b", llm=own), Step(ask, name="c")]

    (await Pipeline("p", steps, llm=client(resolvers, overrides)).run("1")).raise_for_errors()

    assert asked(vendor) == {"1 a": "acme/own", "1 b": "acme/b", "1 c": "acme/default"}


async def test_another_agents_client_and_a_nested_agents_model(vendor: FakeProvider, resolvers: list[ModelResolver]) -> None:
    async def strategist(context: StepContext) -> None:
        await context.get_llm_for_agent("critic").complete(user="as the critic")
        with agent("critic"):
            await context.llm.complete(user="inside the critic")
        await context.llm.complete(user="as myself")

    llm = client(resolvers, {"critic": "acme/critic", "strategist": "acme/strategist"})
    (await Pipeline("p", [strategist], llm=llm).run()).raise_for_errors()

    assert asked(vendor) == {
        "as the critic": "acme/critic",
        "inside the critic": "acme/critic",
        "as myself": "acme/strategist",
    }


async def test_two_hundred_pipelines_at_once(vendor: FakeProvider, resolvers: list[ModelResolver], recorded: SpanSink) -> None:
    """Random modes, overrides for some of 600 agents, and agents that wait and open others: each call is due what it got."""
    chance = random.Random(7)
    agents = [f"agent-{number}" for number in range(600)]
    overrides = {name: f"acme/{name}-model" for name in agents if chance.random() < 0.6}
    llm = client(resolvers, overrides)
    due: dict[str, str] = {}

    def question(run: str, *names: str) -> str:
        text = " ".join([run, *names])
        due[text] = overrides.get(names[-1], "acme/default")
        return text

    async def work(context: StepContext) -> None:
        await asyncio.sleep(chance.random() / 100)
        await context.llm.complete(user=question(context.input, context.agent))
        other = chance.choice(agents)
        if chance.random() < 0.2:
            await context.get_llm_for_agent(other).complete(user=question(context.input, context.agent, "for", other))
        elif chance.random() < 0.2:
            with agent(other):
                await context.llm.complete(user=question(context.input, context.agent, "inside", other))

    def pipeline(number: int) -> Pipeline:
        names = chance.sample(agents, chance.randint(1, 4))
        modes = [chance.choice(["sequential", "parallel", "background"]) for _ in names]
        steps = [Step(work, mode, name=name) for mode, name in zip(modes, names, strict=True)]  # type: ignore[arg-type]
        return Pipeline(f"pipeline-{number}", steps, llm=llm)

    results = await asyncio.gather(*[pipeline(number).run(f"run-{number}") for number in range(200)])
    await asyncio.gather(*[task for result in results for task in result.background.values()])

    assert [result.errors for result in results] == [{}] * 200
    assert asked(vendor) == due
    assert sum(len(result.background) for result in results) > 50
    pipelines = recorded.tree()
    assert sorted(name for name, _ in pipelines) == sorted(f"invoke_workflow pipeline-{n}" for n in range(200))
    assert len(recorded.calls) == len(due)
    for span in recorded.calls:
        attributes = span.attributes or {}
        assert attributes["gen_ai.request.model"] == due[_question_of(attributes)]


def _question_of(attributes: Mapping[str, object]) -> str:
    (message,) = json.loads(str(attributes["gen_ai.input.messages"]))
    return str(message["parts"][0]["content"])
