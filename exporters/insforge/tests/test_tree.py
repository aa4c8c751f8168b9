"""Rows of real span trees, as the SDK and otel-llm's own span processor make them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

import otel_llm
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import use_provider
from otel_llm_insforge import map_span


@pytest.fixture
def traced() -> Iterator[tuple[Tracer, SpanSink]]:
    """A tracer for calls and foreign spans, and the spans that ended."""
    with SpanSink.provider() as (provider, spans):
        use_provider(provider)
        yield _tracer(provider), spans
        use_provider(None)


def _tracer(provider: TracerProvider) -> Tracer:
    with otel_llm.agent("warm-up"):  # the first span of otel-llm has its provider stamp all that follow
        pass
    return provider.get_tracer("test")


def call(tracer: Tracer, provider: str) -> None:
    tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider}).end()


def rows(spans: SpanSink, table: str) -> list[dict[str, Any]]:
    ended = [row for span in spans.spans for row in map_span(span) if row.table == table]
    return [dict(row.columns) for row in ended if row.columns.get("pipeline_name") != "warm-up"]


def parents(spans: SpanSink) -> dict[str, str | None]:
    """span_name -> the parent's span_name."""
    found = rows(spans, "pipeline_spans")
    names = {row["span_id"]: row["span_name"] for row in found}
    return {row["span_name"]: names.get(row["parent_span_id"]) for row in found}


async def test_agents_that_run_in_parallel_have_the_right_parents(traced: tuple[Tracer, SpanSink]) -> None:
    tracer, spans = traced
    both_run = asyncio.Barrier(2)

    async def agent(name: str) -> None:
        async with otel_llm.agent(name):
            await both_run.wait()
            call(tracer, f"for-{name}")

    with otel_llm.workflow("learn"):
        await asyncio.gather(agent("a"), agent("b"))
    assert parents(spans) == {"agent:a": None, "agent:b": None, "llm:for-a": "agent:a", "llm:for-b": "agent:b"}


async def test_a_background_span_after_its_root_keeps_the_trace(traced: tuple[Tracer, SpanSink]) -> None:
    tracer, spans = traced
    root_ended = asyncio.Event()

    async def remember() -> None:
        async with otel_llm.agent("memory"):
            await root_ended.wait()
            call(tracer, "late")

    with otel_llm.workflow("learn"):
        task = otel_llm.spawn(remember())
        await asyncio.sleep(0)
    root_ended.set()
    await task
    (trace,) = rows(spans, "pipeline_traces")
    assert {row["trace_id"] for row in rows(spans, "pipeline_spans")} == {trace["trace_id"]}
    assert parents(spans) == {"agent:memory": None, "llm:late": "agent:memory"}


def test_two_pipelines_in_one_request_are_two_traces_without_the_request(traced: tuple[Tracer, SpanSink]) -> None:
    tracer, spans = traced
    with tracer.start_as_current_span("POST /learn"):
        for name in ("learn", "regenerate"):
            with otel_llm.workflow(name), tracer.start_as_current_span("SELECT"):
                call(tracer, name)
    first, second = rows(spans, "pipeline_traces")
    assert (first["pipeline_name"], second["pipeline_name"]) == ("learn", "regenerate")
    assert first["trace_id"] != second["trace_id"]
    assert [(row["span_name"], row["trace_id"], row["parent_span_id"]) for row in rows(spans, "pipeline_spans")] == [
        ("llm:learn", first["trace_id"], None),
        ("llm:regenerate", second["trace_id"], None),
    ]


def test_an_agent_without_a_workflow_is_its_own_pipeline(traced: tuple[Tracer, SpanSink]) -> None:
    tracer, spans = traced
    with otel_llm.agent("support", user_id=42):
        call(tracer, "openai")
    (trace,) = rows(spans, "pipeline_traces")
    assert (trace["pipeline_name"], trace["telegram_id"]) == ("support", 42)
    assert parents(spans) == {"llm:openai": None}


def test_an_exception_that_escapes_fails_the_pipeline_and_what_it_passed(traced: tuple[Tracer, SpanSink]) -> None:
    _, spans = traced

    @otel_llm.agent("broken")
    def broken() -> None:
        raise KeyError("level")

    @otel_llm.workflow("learn")
    def learn() -> None:
        with otel_llm.agent("fine"):
            pass
        broken()

    with pytest.raises(KeyError):
        learn()
    assert [(row["success"], row["error"]) for row in rows(spans, "pipeline_traces")] == [(False, "KeyError: 'level'")]
    assert [(row["span_name"], row["success"]) for row in rows(spans, "pipeline_spans")] == [
        ("agent:fine", True),
        ("agent:broken", False),
    ]
