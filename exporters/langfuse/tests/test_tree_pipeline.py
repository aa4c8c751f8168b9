"""A pipeline as Langfuse shows it, in both write paths: its steps below it, also those that end after it, each with its own model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from whole_traces import Traced, traced

from otel_llm import CaptureMode, Pipeline, Step, identify, instrument, uninstrument
from otel_llm.client.llm import LLM
from otel_llm.models.choice import ModelChoice, chosen_model
from otel_llm.models.resolver import current_agent
from otel_llm.pipeline.pipeline import StepContext
from otel_llm.testing import FakeProvider
from otel_llm.testing.langfuse import FakeLangfuse


class Chosen:
    """Says of each agent that an admin chose the model of its name."""

    def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
        agent = agent or current_agent()
        return replace(chosen_model(default, "override", agent=agent), model=f"acme/{agent}", set_by="ada")


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[Traced]:
    with traced(langfuse) as made:
        yield made


@pytest.fixture
def llm(app: Traced, monkeypatch: pytest.MonkeyPatch) -> Iterator[LLM]:
    with FakeProvider(pause_s=0.0) as fake:
        monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-fake")
        instrument(tracer_provider=app.provider, content=CaptureMode.SPAN_ONLY)
        yield LLM("openrouter:acme/default", resolver=Chosen())
        uninstrument()


async def ask(context: StepContext) -> str:
    return (await context.llm.complete(user=context.agent)).text


async def test_a_pipeline_with_steps_of_every_kind(app: Traced, llm: LLM) -> None:
    gate = asyncio.Event()

    async def memory(context: StepContext) -> str:
        await gate.wait()
        return await ask(context)

    async def broken(context: StepContext) -> None:
        await ask(context)
        raise LookupError("no such customer")

    steps = [
        Step(ask, "parallel", name="research"),
        Step(broken, "parallel", on_error="continue"),
        Step(memory, "background"),
        Step(ask, name="strategist"),
    ]
    with identify(user_id="42"):
        result = await Pipeline("support", steps, llm=llm).run("Why?")
    app.stored()
    gate.set()
    await result.background["memory"]

    names = ("broken", "memory", "research", "strategist")
    agents = tuple((f"invoke_agent {name}", ((f"chat acme/{name}", ()),)) for name in names)
    assert app.tree() == (("invoke_workflow support", agents),)
    told = app.trace()
    assert (told["name"], told["user_id"], told["input"]) == ("support", "42", "Why?")
    assert told["output"] == '{"research":"You said: research","strategist":"You said: strategist"}'
    levels = {row["name"]: row["level"] for row in app.stored()}
    assert [name for name, level in levels.items() if level == "ERROR"] == ["invoke_agent broken"]
