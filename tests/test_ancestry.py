"""What is remembered of the spans above a span."""

from __future__ import annotations

import gc

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm import ancestry
from otel_llm import semconv as sc
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer


@pytest.fixture(autouse=True)
def _small_and_empty_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "_SPANS_REMEMBERED", 3)
    monkeypatch.setattr(ancestry, "_table", ancestry._Table())


def start(name: str = "x", parent: trace.Span | None = None, **marks: str) -> trace.Span:
    context = None if parent is None else trace.set_span_in_context(parent)
    return tracer().start_span(name, context=context, attributes=marks)


def node(span: trace.Span) -> ancestry.Node | None:
    return ancestry.node_of(span.get_span_context())


def test_marks_are_those_of_the_open_span_and_then_of_the_ended_one(sink: SpanSink) -> None:
    span = start()
    known = node(span)
    assert known is not None
    span.set_attribute(sc.OPERATION_NAME, "execute_tool")
    assert known.marks == {sc.OPERATION_NAME: "execute_tool"}
    span.set_attribute(sc.INPUT_MESSAGES, "a long prompt")
    span.end()
    del span
    gc.collect()
    sink.clear()
    assert known.marks == {sc.OPERATION_NAME: "execute_tool"}


def test_each_mark_of_a_genai_span_is_remembered() -> None:
    assert ancestry.MARKS >= sc._GENAI_MARKS


def test_what_tells_of_a_call_stands_in_for_the_span_that_it_tells_of(sink: SpanSink) -> None:
    """Also if it is no ancestor, as with libraries that do not make their spans current."""
    root = start("root")
    telling, told = start("telling", parent=root), start("told", parent=root)
    first, second = node(telling), node(told)
    inner = start("inner", parent=told)
    third = node(inner)
    assert second is not None
    assert third is not None
    second.told_by = first
    assert list(third.upwards())[:1] == [first]
    for span in (root, telling, told, inner):
        span.end()


def test_what_is_above_others_is_forgotten_last(sink: SpanSink) -> None:
    root = start("root")
    for _ in range(5):
        start("child", parent=root).end()
    assert node(root) is not None
    root.end()


def test_a_chain_does_not_grow_for_ever(sink: SpanSink) -> None:
    span = start()
    first = node(span)
    for _ in range(10):
        child = start(parent=span)
        span.end()
        span = child
    last = node(span)
    assert last is not None
    assert (len(list(last.upwards())), last.top_is_known, first and first.above_is_known) == (3, False, True)
    span.end()


def test_a_span_of_the_same_id_in_another_trace_is_another_one(sink: SpanSink) -> None:
    span = start()
    its = span.get_span_context()
    assert ancestry.node_of(SpanContext(its.trace_id ^ 1, its.span_id, is_remote=False, trace_flags=TraceFlags(1))) is None
    assert ancestry.node_of(None) is None
    span.end()


def test_the_first_decision_on_a_span_stays_for_whoever_asked(sink: SpanSink) -> None:
    span = start()
    known = node(span)
    assert known is not None
    assert known.decide("a", lambda: True) is True
    assert known.decide("a", lambda: False) is True
    assert known.decide("b", lambda: False) is False
    span.end()
