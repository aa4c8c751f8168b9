"""Functions with a span around each call are what they were: signature, kind, binding, pickling."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import sys
import typing
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from otel_llm import agent
from otel_llm.testing.sink import SpanSink


def call_llm() -> None:
    from otel_llm.tracing import tracer

    tracer().start_span("chat gpt-4o", attributes={"gen_ai.operation.name": "chat"}).end()


@agent("documented")
async def documented(question: str, *, depth: int = 1) -> str:
    """Answers."""
    return question * depth


@agent("numbers")
def numbers(upto: int) -> Iterator[int]:
    """Counts."""
    yield from range(upto)


@agent("more numbers")
async def more_numbers(upto: int) -> AsyncIterator[int]:
    for number in range(upto):
        yield number


class Desk:
    """Work in methods."""

    def __init__(self, name: str = "desk") -> None:
        self.name = name

    @agent("method")
    def method(self, value: int) -> tuple[str, int]:
        return self.name, value

    @agent("async method")
    async def async_method(self, value: int) -> tuple[str, int]:
        return self.name, value

    @agent("generator method")
    def generator_method(self, upto: int) -> Iterator[tuple[str, int]]:
        for number in range(upto):
            yield self.name, number

    @agent("outside of classmethod")
    @classmethod
    def outside(cls, value: int) -> tuple[str, int]:
        return cls.__name__, value

    @classmethod
    @agent("inside of classmethod")
    def inside(cls, value: int) -> tuple[str, int]:
        return cls.__name__, value

    @agent("static")
    @staticmethod
    def static(value: int) -> int:
        return value

    @staticmethod
    @agent("inner static")
    def inner_static(value: int) -> int:
        return value


def test_a_decorated_function_is_what_it_was() -> None:
    assert str(inspect.signature(documented)) == "(question: 'str', *, depth: 'int' = 1) -> 'str'"
    assert (documented.__name__, documented.__doc__, documented.__module__) == ("documented", "Answers.", __name__)
    assert inspect.iscoroutinefunction(documented)
    assert inspect.isgeneratorfunction(numbers)
    assert inspect.isasyncgenfunction(more_numbers)
    assert not inspect.iscoroutinefunction(Desk.method)
    assert inspect.iscoroutinefunction(Desk().async_method)
    assert typing.get_type_hints(documented)["depth"] is int


async def test_methods_of_all_kinds(sink: SpanSink) -> None:
    desk = Desk()
    assert [
        desk.method(1),
        Desk.method(desk, 2),
        await desk.async_method(3),
        *desk.generator_method(1),
        Desk.outside(4),
        desk.outside(5),
        Desk.inside(6),
        Desk.static(7),
        desk.static(8),
        desk.inner_static(9),
    ] == [("desk", 1), ("desk", 2), ("desk", 3), ("desk", 0), ("Desk", 4), ("Desk", 5), ("Desk", 6), 7, 8, 9]
    assert [span.name.removeprefix("invoke_agent ") for span in sink.spans] == [
        "method",
        "method",
        "async method",
        "generator method",
        "outside of classmethod",
        "outside of classmethod",
        "inside of classmethod",
        "static",
        "static",
        "inner static",
    ]


async def test_objects_and_partials_that_are_called(sink: SpanSink) -> None:
    class Caller:
        async def __call__(self, value: int) -> int:
            await asyncio.sleep(0)
            call_llm()
            return value

    assert await agent("object")(Caller())(1) == 1
    assert await agent("partial")(functools.partial(Caller(), 2))() == 2
    call = ("chat gpt-4o", ())
    assert sink.tree() == (("invoke_agent object", (call,)), ("invoke_agent partial", (call,)))


def test_decorated_functions_and_methods_can_be_pickled_and_copied() -> None:
    sys.modules.setdefault(__name__, sys.modules[Desk.__module__])
    assert copy.deepcopy(documented) is documented
    assert pickle.loads(pickle.dumps(documented)) is documented
    assert pickle.loads(pickle.dumps(_ValueDesk("there").method))(1) == ("there", 1)
    assert pickle.loads(pickle.dumps(Desk.static))(1) == 1
    assert copy.deepcopy(_ValueDesk("there").method)(1) == ("there", 1)


class _ValueDesk(Desk):
    def __reduce__(self) -> Any:
        return _ValueDesk, (self.name,)


def test_a_call_that_does_not_fit_fails_as_without_a_span(sink: SpanSink) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        numbers(nonsense=1)  # type: ignore[call-arg]
    assert sink.spans == []
