"""Signs of life of long-running work."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import agent, heartbeat
from otel_llm.content_names import Role, role_of
from otel_llm.testing.sink import SpanSink

LONG_S = 30.0


def beats(span: ReadableSpan) -> list[dict[str, Any]]:
    """The attributes of the span's heartbeats, but for the time."""
    events = [dict(event.attributes or {}) for event in span.events if event.name == "otel_llm.heartbeat"]
    assert all(event.pop("otel_llm.heartbeat.elapsed_s") >= 0 for event in events)
    return events


def beat(count: int, status: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"otel_llm.heartbeat.count": count}
    return told if status is None else told | {"otel_llm.heartbeat.status": status}


def test_work_on_a_thread_shows_signs_of_life(sink: SpanSink) -> None:
    twice, over = threading.Event(), threading.Event()
    asked: list[str] = []

    def status() -> str:
        asked.append(threading.current_thread().name)
        if len(asked) == 2:
            twice.set()
            over.wait(LONG_S)  # its answer comes too late
        return f"{len(asked)} of 10"

    with agent("nightly"), heartbeat(every_s=0.001, status=status) as life:
        assert twice.wait(LONG_S)
        life.status = "done"
        life.beat()

    over.set()
    assert beats(sink.one(name="invoke_agent nightly")) == [beat(1, "1 of 10"), beat(3, "done")]
    assert asked == ["otel-llm-heartbeat"] * 2


async def test_async_work_is_asked_on_its_event_loop(sink: SpanSink) -> None:
    twice = asyncio.Event()
    asked: list[threading.Thread] = []

    def status() -> int:
        asked.append(threading.current_thread())
        if len(asked) == 2:
            twice.set()
        return len(asked)

    async with agent("nightly"), heartbeat(every_s=0.001, status=status):
        await asyncio.wait_for(twice.wait(), LONG_S)

    assert beats(sink.one(name="invoke_agent nightly"))[:2] == [beat(1, "1"), beat(2, "2")]
    assert set(asked) == {threading.current_thread()}
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "otel-llm-heartbeat"] == []


def test_short_work_has_none(sink: SpanSink) -> None:
    with agent("quick"), heartbeat():
        pass
    assert beats(sink.one(name="invoke_agent quick")) == []


def test_after_its_block_a_heart_stands_still(sink: SpanSink) -> None:
    with agent("nightly"):
        with heartbeat() as life:
            life.beat()
        life.beat()
    assert beats(sink.one(name="invoke_agent nightly")) == [beat(1)]


def test_a_status_that_fails_is_told_without_its_message(sink: SpanSink) -> None:
    def status() -> str:
        raise ValueError("the customer's secret")

    with agent("nightly"), heartbeat(status=status) as life:
        life.beat()
    assert beats(sink.one(name="invoke_agent nightly")) == [beat(1, "unknown: status raised ValueError")]


def test_a_long_status_is_cut(sink: SpanSink) -> None:
    with agent("nightly"), heartbeat(status="x" * 2_000) as life:
        life.beat()
    assert beats(sink.one(name="invoke_agent nightly")) == [beat(1, "x" * 1_000 + " [... 1000 characters left out]")]


def test_a_status_is_masked_as_any_text() -> None:
    assert role_of("otel_llm.heartbeat.status") is Role.OTHER


def test_without_a_span_nothing_runs() -> None:
    before = set(threading.enumerate())
    with heartbeat() as life:
        life.beat()
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("every_s", [0, -1, float("nan")])
def test_the_interval_is_above_zero(every_s: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 seconds"):
        heartbeat(every_s=every_s)
