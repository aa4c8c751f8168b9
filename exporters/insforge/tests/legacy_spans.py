"""Spans made by hand, and the rows that they become."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from otel_llm_insforge import MappingOptions, Row, map_span

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
TRACE_HEX = f"{TRACE_ID:032x}"
TRACE_UUID = "0af76519-16cd-43dd-8448-eb211c80319c"
ROOT, AGENT, CALL = 0xAAAAAAAAAAAAAAAA, 0xBBBBBBBBBBBBBBBB, 0xCCCCCCCCCCCCCCCC
ROOT_HEX, AGENT_HEX, CALL_HEX = (f"{span_id:016x}" for span_id in (ROOT, AGENT, CALL))
ROOT_UUID = "0af76519-16cd-43dd-aaaa-aaaaaaaaaaaa"
AGENT_UUID = "0af76519-16cd-43dd-bbbb-bbbbbbbbbbbb"
CALL_UUID = "0af76519-16cd-43dd-cccc-cccccccccccc"
START_NS = 1_790_000_000_123_456_789
START = "2026-09-21T14:13:20.123456+00:00"
END = "2026-09-21T14:13:21.623456+00:00"

IN_PIPELINE: dict[str, Any] = {
    "otel_llm.pipeline.name": "learn",
    "otel_llm.pipeline.span_id": ROOT_HEX,
    "otel_llm.pipeline.primary": True,
}
PIPELINE = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "learn", "user.id": "42", **IN_PIPELINE}
STRATEGIST = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "strategist", **IN_PIPELINE}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 34,
    "gen_ai.usage.cost": 0.0012,
    "gen_ai.agent.name": "strategist",
    **IN_PIPELINE,
}


def make_span(
    attributes: dict[str, Any] | None = None,
    *,
    name: str = "chat claude-sonnet-4-5",
    span_id: int = CALL,
    trace_id: int = TRACE_ID,
    parent: int | None = None,
    remote_parent: bool = False,
    error: str | None = None,
    events: tuple[Event, ...] = (),
    start_ns: int | None = START_NS,
    duration_ns: int = 1_500_000_000,
) -> ReadableSpan:
    """A span of 1.5 s; ``error`` is the description of a status ERROR."""
    flags = TraceFlags(1)
    return ReadableSpan(
        name=name,
        context=SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags),
        parent=None if parent is None else SpanContext(trace_id, parent, is_remote=remote_parent, trace_flags=flags),
        attributes=attributes,
        events=events,
        status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
        start_time=start_ns,
        end_time=None if start_ns is None else start_ns + duration_ns,
    )


def one_row(span: ReadableSpan, **options: Any) -> dict[str, Any]:
    """The columns of a span that becomes one row."""
    (row,) = map_span(span, MappingOptions(**options))
    return dict(row.columns)


def pipeline_run(number: int = 1, calls: int = 1, start_ns: int = START_NS) -> list[ReadableSpan]:
    """The spans of one run of a pipeline, each run in a trace of its own: root, agent, calls."""
    trace_id = TRACE_ID + (number << 64)
    inside: dict[str, Any] = {"trace_id": trace_id, "start_ns": start_ns}
    return [
        make_span(PIPELINE, name="invoke_workflow learn", span_id=ROOT, **inside),
        make_span(STRATEGIST, name="invoke_agent strategist", span_id=AGENT, parent=ROOT, **inside),
        *(make_span(CHAT, span_id=CALL + call, parent=AGENT, **inside) for call in range(calls)),
    ]


def rows_of(spans: list[ReadableSpan]) -> list[Row]:
    return [row for span in spans for row in map_span(span)]
