"""Where a span hangs, and what is a root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, format_span_id

from otel_llm_langfuse.tree import place

MARKS = {"langfuse.internal.is_app_root": True, "langfuse.internal.as_root": True}
HTTP_SERVER, AGENT = 0x1111111111111111, 0x2222222222222222


def placed(span: ReadableSpan) -> tuple[str | None, dict[str, Any]]:
    found = place(span, span.attributes or {})
    return (None if found.parent is None else format_span_id(found.parent.span_id)), found.attributes


def test_a_root_needs_no_marks(make_span: Callable[..., ReadableSpan]) -> None:
    assert placed(make_span()) == (None, {})


def test_a_child_of_a_genai_span_stays_there(make_span: Callable[..., ReadableSpan]) -> None:
    assert placed(make_span(parent=AGENT)) == ("2" * 16, {})


def test_a_child_of_another_span_moves_to_its_nearest_genai_ancestor(make_span: Callable[..., ReadableSpan]) -> None:
    assert placed(make_span({"otel_llm.ancestor.span_id": "2" * 16}, parent=HTTP_SERVER)) == ("2" * 16, {})


def test_a_span_without_genai_ancestor_becomes_a_root(make_span: Callable[..., ReadableSpan]) -> None:
    assert placed(make_span({"otel_llm.ancestor.span_id": ""}, parent=HTTP_SERVER)) == (None, MARKS)


@pytest.mark.parametrize("stamp", ["no id", "0" * 16, "1" * 17, 7, ("2" * 16,)])
def test_a_stamp_that_is_no_span_id_changes_nothing(make_span: Callable[..., ReadableSpan], stamp: Any) -> None:
    assert placed(make_span({"otel_llm.ancestor.span_id": stamp}, parent=AGENT)) == ("2" * 16, {})


def test_a_parent_that_came_with_a_request_is_not_in_langfuse(
    make_span: Callable[..., ReadableSpan], remote: Callable[[int], SpanContext]
) -> None:
    assert placed(make_span(parent=remote(HTTP_SERVER))) == (None, MARKS)


def test_work_handed_over_stays_below_what_handed_it_over(
    make_span: Callable[..., ReadableSpan], remote: Callable[[int], SpanContext]
) -> None:
    assert placed(make_span({"otel_llm.ancestor.span_id": "2" * 16}, parent=remote(AGENT))) == ("2" * 16, {})


def test_work_handed_over_by_a_pipeline_elsewhere_is_no_root(
    make_span: Callable[..., ReadableSpan], remote: Callable[[int], SpanContext]
) -> None:
    assert placed(make_span({"otel_llm.pipeline.span_id": "2" * 16}, parent=remote(AGENT))) == ("2" * 16, {})


def test_a_pipeline_that_begins_here_is_a_root(
    make_span: Callable[..., ReadableSpan], remote: Callable[[int], SpanContext]
) -> None:
    span = make_span({"otel_llm.pipeline.span_id": format_span_id(AGENT)}, span_id=AGENT, parent=remote(HTTP_SERVER))

    assert placed(span) == (None, MARKS)
