"""Attribute values of any type, as the few types that the mapping reads."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import pytest
from handmade import MakeSpan
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.plain_values import with_plain_values


class Untold:
    """Cannot be told as text."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Seats(IntEnum):
    THREE = 3


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def with_value(make_span: MakeSpan, value: Any, name: str = "x") -> ReadableSpan:
    """As an exporter gets a span that was not made by the SDK, which would have looked at the value."""
    return make_span(MappingProxyType({"gen_ai.operation.name": "chat", name: value}))


@pytest.mark.parametrize("value", ["a", 1, 0.5, True, None, b"a", ("a", "b"), ()])
def test_a_span_of_plain_values_stays_the_same(make_span: MakeSpan, value: Any) -> None:
    span = with_value(make_span, value)
    assert with_plain_values(span) is span


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (["a", 1], ["a", 1]),
        ((("a", b"b"), None), (("a", b"b"), None)),
        ({"a": {1: Decimal(2)}}, {"a": {"1": "2"}}),
        (date(2026, 1, 31), "2026-01-31"),
        (Untold(), "[Untold]"),
        ({Untold(): 1}, {"[Untold]": 1}),
        (Seats.THREE, 3),
    ],
)
def test_other_values_are_told_in_plain_ones(make_span: MakeSpan, value: Any, plain: Any) -> None:
    made = with_plain_values(with_value(make_span, value))
    assert (made.attributes or {})["x"] == plain


def test_what_is_nested_too_deeply_is_left_out(make_span: MakeSpan) -> None:
    made = with_plain_values(with_value(make_span, nested(3000)))
    assert str((made.attributes or {})["x"]).count("[") == 64  # the attribute itself is the first level of 64


def test_all_else_of_the_span_stays(make_span: MakeSpan) -> None:
    span = make_span({"x": 1}, error="no", parent=7, events=(Event("chunk", {"x": [[1]]}, 5),))
    made = with_plain_values(span)
    assert made is not span
    assert made.to_json() == span.to_json()


@pytest.mark.parametrize("content", ["full", "truncated", "hash", "none"])
@pytest.mark.parametrize("name", ["gen_ai.input.messages", "openinference.span.kind", "langfuse.trace.name", "user.id", "x"])
@pytest.mark.parametrize(
    "value", [Untold(), nested(3000), {b"a": {None: Untold()}}, Decimal("sNaN")], ids=lambda value: type(value).__name__
)
def test_no_value_keeps_a_span_from_being_encoded(make_span: MakeSpan, name: str, value: Any, content: str) -> None:
    settings = LangfuseSettings.load(public_key="pk-lf-1", secret_key="sk-lf-1", content=content)
    destination = LangfuseDestination(settings)
    assert destination.encode(with_value(make_span, value, name))
    destination.close()
