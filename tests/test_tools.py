"""Tools, and what agents, workflows and tools were given and gave."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm import CaptureMode, agent, instrument, tool, uninstrument, workflow
from otel_llm.bounded_json import MAX_CHARS, text_of
from otel_llm.content import mode_in_force, use_mode
from otel_llm.testing.sink import SpanSink


@pytest.fixture
def captured() -> Iterator[None]:
    use_mode(CaptureMode.SPAN_ONLY)
    yield
    use_mode(None)


def said(sink: SpanSink, name: str) -> dict[str, Any]:
    """The attributes of a span, but for those of its pipeline."""
    return {
        key: value for key, value in sink.attributes(sink.one(name=name)).items() if not key.startswith("otel_llm.pipeline")
    }


@pytest.mark.usefixtures("captured")
def test_a_tool_tells_its_arguments_and_its_result(sink: SpanSink) -> None:
    @tool("weather", description="Looks out of the window.", call_id="call_1")
    def look(city: str, days: int = 1, *rest: str, **more: Any) -> dict[str, str]:
        return {city: "sunny"}

    with agent("strategist"):
        look("Paris", 2, "x", unit="C")

    assert said(sink, "execute_tool weather") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Looks out of the window.",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": '{"city":"Paris","days":2,"rest":["x"],"unit":"C"}',
        "gen_ai.tool.call.result": '{"Paris":"sunny"}',
        "gen_ai.agent.name": "strategist",
    }


@pytest.mark.usefixtures("captured")
async def test_without_a_name_a_tool_has_that_of_its_function(sink: SpanSink) -> None:
    @tool
    async def search(query: str) -> str:
        await asyncio.sleep(0)
        return f"found {query}"

    @tool()
    def count() -> None: ...

    assert await search("it") == "found it"
    count()
    assert said(sink, "execute_tool search") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": '{"query":"it"}',
        "gen_ai.tool.call.result": "found it",
    }
    assert said(sink, "execute_tool count") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "count",
        "gen_ai.tool.type": "function",
    }


@pytest.mark.usefixtures("captured")
async def test_a_block_tells_what_it_says(sink: SpanSink) -> None:
    support, search = workflow("support"), tool("search", call_id="call_1")
    with support:
        support.record_input({"question": "Where?"})
        async with search:
            search.record_input({"query": "it"})
            search.record_output(["found"])
        support.record_output("There.")
    support.record_output("too late")

    seen, found = said(sink, "invoke_workflow support"), said(sink, "execute_tool search")
    assert (seen["input.value"], seen["output.value"]) == ('{"question":"Where?"}', "There.")
    assert (found["gen_ai.tool.call.arguments"], found["gen_ai.tool.call.result"]) == ('{"query":"it"}', '["found"]')


@pytest.mark.usefixtures("captured")
@pytest.mark.parametrize(("scope", "name"), [(agent("a"), "invoke_agent a"), (workflow("w"), "invoke_workflow w")])
async def test_agents_and_workflows_tell_input_and_output(sink: SpanSink, scope: Any, name: str) -> None:
    @scope
    async def answer(question: str) -> dict[str, str]:
        return {"answer": question.upper()}

    await answer(question="why?")
    seen = said(sink, name)
    assert (seen["input.value"], seen["output.value"]) == ('{"question":"why?"}', '{"answer":"WHY?"}')


@pytest.mark.usefixtures("captured")
def test_self_and_cls_are_no_arguments(sink: SpanSink) -> None:
    class Desk:
        @agent("1")
        def method(self, value: int) -> None: ...

        @agent("2")
        @classmethod
        def outside(cls, value: int) -> None: ...

        @classmethod
        @agent("3")
        def inside(cls, value: int) -> None: ...

        @agent("4")
        @staticmethod
        def static(value: int) -> None: ...

    desk = Desk()
    desk.method(1)
    vars(Desk)["method"](desk, 1)
    desk.outside(1)
    Desk.inside(1)
    desk.static(1)
    agent("5")(desk.static)(1)
    agent("6")(Desk().__repr__)()
    inputs = {span.name: (span.attributes or {}).get("input.value") for span in sink.spans}
    expected = {f"invoke_agent {number}": '{"value":1}' for number in "12345"}
    assert inputs == {**expected, "invoke_agent 6": None}


@pytest.mark.usefixtures("captured")
def test_a_call_that_fails_tells_its_arguments(sink: SpanSink) -> None:
    @tool
    def divide(a: int, b: int) -> float:
        return a / b

    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    with pytest.raises(TypeError):
        divide(1, 0, 3)  # type: ignore[call-arg]
    first, second = sink.spans
    assert (first.attributes or {})["gen_ai.tool.call.arguments"] == '{"a":1,"b":0}'
    assert (first.attributes or {})["error.type"] == "ZeroDivisionError"
    assert (second.attributes or {})["gen_ai.tool.call.arguments"] == '{"args":[1,0,3],"kwargs":{}}'


@pytest.mark.parametrize("mode", [CaptureMode.NO_CONTENT, CaptureMode.EVENT_ONLY])
def test_where_content_is_not_to_be_on_spans_nothing_is_told(sink: SpanSink, mode: CaptureMode) -> None:
    @tool
    def search(query: str) -> str:
        return query

    use_mode(mode)
    search("secret")
    use_mode(None)
    assert "secret" not in str(sink.one(name="execute_tool search").attributes)


def test_the_mode_is_the_one_given_else_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
    with SpanSink.provider() as (provider, _):
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
        assert mode_in_force() is CaptureMode.SPAN_ONLY
        instrument(tracer_provider=provider)
        assert mode_in_force() is CaptureMode.SPAN_AND_EVENT
        uninstrument()
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    assert mode_in_force() is CaptureMode.NO_CONTENT


# --- values as text -----------------------------------------------------------------------------------------------------


class Plan(Enum):
    GOLD = "gold"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Customer:
    name: str
    since: date
    password: str = dataclasses.field(default="hunter2", repr=False)


class Order(pydantic.BaseModel):
    item: str
    token: pydantic.SecretStr


class Client:
    def __repr__(self) -> str:
        raise AssertionError("may cost anything, and tell secrets")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        ("as it is", "as it is"),
        ('{"a": 1}', '{"a": 1}'),
        (1.5, "1.5"),
        (True, "true"),
        (b"abc", "<3 bytes>"),
        ({"plan": Plan.GOLD, 1: (1, 2)}, '{"plan":"gold","1":[1,2]}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (Customer("Ada", date(2026, 1, 2)), '{"name":"Ada","since":"2026-01-02"}'),
        (Order(item="tea", token=pydantic.SecretStr("sk-secret")), '{"item":"tea","token":"<SecretStr>"}'),
        (Client(), "<Client>"),
        ([Client(), Client], '["<Client>","<type>"]'),
        (iter([1]), "<list_iterator>"),
        (10**5_000, "<int>"),
        ("\ud800", "?"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_told_as_text_or_json(value: object, told: str | None) -> None:
    assert text_of(value) == told


def test_what_contains_itself_is_told_to_a_depth() -> None:
    nested: list[Any] = []
    nested.append(nested)
    assert text_of(nested) == "[" * 16 + '"<list>"' + "]" * 16


def test_an_iterator_that_is_an_argument_is_left_to_the_function() -> None:
    items = iter([1, 2])
    text_of({"items": items})
    assert list(items) == [1, 2]


def test_a_long_value_is_cut() -> None:
    told = json.loads(text_of(["x" * 50_000, "y" * 50_000, "z"]) or "")
    assert [len(told[0]), told[1][-31:], told[2:]] == [50_000, "[... 34476 characters left out]", ["... left out"]]


class _Failing(dict[str, int]):
    def items(self) -> Any:
        raise ValueError("no")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Client) | st.builds(_Failing),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(VALUES)
def test_any_value_is_told_in_bounds(value: object) -> None:
    text = text_of([value, "x" * 100_000])
    assert text is not None
    json.loads(text)
    assert len(text) < 2 * MAX_CHARS
    text.encode()
