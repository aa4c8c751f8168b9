"""What agents, workflows, tools and streams were given and gave, as Langfuse stores it, in both write paths."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from whole_traces import Row, Traced, traced

from otel_llm import CaptureMode, agent, stream, tool, workflow
from otel_llm.content import use_mode
from otel_llm.testing.langfuse import FakeLangfuse


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[Traced]:
    with traced(langfuse) as made:
        use_mode(CaptureMode.SPAN_ONLY)
        yield made
        use_mode(None)


def told(app: Traced) -> dict[str, tuple[str, str | None, str | None]]:
    """Type, input and output of each observation, by its name."""
    return {row["name"]: (row["type"], row.get("input"), row.get("output")) for row in app.stored()}


@tool("weather", call_id="call_1")
async def weather(city: str, *, days: int = 1) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"weather": f"sunny for {days} in {city}"}


@agent("strategist")
async def strategist(question: str) -> str:
    return str(await weather("Paris", days=2))


@workflow("support")
async def support(question: str) -> str:
    return await strategist(question)


ASKED = '{"question":"Weather?"}'
ANSWERED = "{'weather': 'sunny for 2 in Paris'}"


async def test_observations_and_trace_have_input_and_output(app: Traced) -> None:
    await support("Weather?")
    assert told(app) == {
        "invoke_workflow support": ("CHAIN", ASKED, ANSWERED),
        "invoke_agent strategist": ("AGENT", ASKED, ANSWERED),
        "weather": ("TOOL", '{"city":"Paris","days":2}', '{"weather":"sunny for 2 in Paris"}'),
    }
    trace = app.trace()
    assert (trace["name"], trace["input"], trace["output"]) == ("support", ASKED, ANSWERED)


async def test_a_stream_and_a_generator_give_the_text_they_said(app: Traced) -> None:
    @agent("answering")
    async def answering(question: str) -> AsyncIterator[str]:
        yield "It is "
        yield "sunny."

    async for _ in stream(answering("Weather?"), name="answer", input="Weather?"):
        pass
    assert told(app) == {
        "task answer": ("SPAN", "Weather?", "It is sunny."),
        "invoke_agent answering": ("AGENT", ASKED, "It is sunny."),
    }


def test_a_block_gives_what_it_says(app: Traced) -> None:
    support, search = workflow("support"), tool("search")
    with support:
        support.record_input("Weather?")
        with search:
            search.record_input({"query": "weather"})
            search.record_output(["sunny"])
        support.record_output({"answer": "Sunny."})
    trace = app.trace()
    assert (trace["input"], trace["output"]) == ("Weather?", '{"answer":"Sunny."}')
    assert told(app)["search"] == ("TOOL", '{"query":"weather"}', '["sunny"]')


async def test_without_content_capture_langfuse_gets_neither(app: Traced) -> None:
    use_mode(CaptureMode.NO_CONTENT)
    await support("Weather?")
    assert {(asked, answered) for _, asked, answered in told(app).values()} == {(None, None)}


@pytest.mark.parametrize(("policy", "there"), [("none", False), ("hash", True)])
async def test_langfuse_gets_what_its_content_policy_says(langfuse: FakeLangfuse, policy: str, there: bool) -> None:
    with traced(langfuse, content=policy) as app:
        use_mode(CaptureMode.SPAN_ONLY)
        await support("Weather?")
        use_mode(None)
        rows: list[Row] = app.stored()
    assert "Weather?" not in str(rows)
    assert "Paris" not in str(rows)
    assert [bool(row.get("input")) for row in rows] == [there] * 3
