"""Which spans the collector sends where, what it says to Langfuse of plain ones, which traces it keeps, and what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from collecting import Backend, Collector, eventually, send_http, sum_of
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from traced import PROMPT, Application, chat

from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

Row = dict[str, Any]
GENAI = ["chat failing", "chat gpt-4o", "embeddings e", "execute_tool weather", "invoke_agent forecaster", "retrieval docs"]
ALL = sorted([*GENAI, "POST /ask", "look up"])


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


@pytest.fixture
def collector(langfuse: FakeLangfuse, backend: Backend, tmp_path: Path) -> Iterator[Collector]:
    with Collector(langfuse, tmp_path, **backend.environment) as running:
        yield running


def export(collector: Collector, spans: Sequence[ReadableSpan], protocol: str = "http") -> None:
    """As the SDK's own exporters do it: plain."""
    with requests.Session() as session:
        http = HTTPExporter(f"{collector.http}/v1/traces", session=session)
        exporter = http if protocol == "http" else GRPCExporter(collector.grpc, insecure=True)
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        exporter.shutdown()


def export_mapped(collector: Collector, spans: Sequence[ReadableSpan]) -> None:
    destination = LangfuseDestination(LangfuseSettings.load(via=collector.http))
    send_http(collector.http, [record for span in spans if (record := destination.encode(span)) is not None])
    destination.close()


def named(rows: Sequence[Row]) -> dict[str, Row]:
    return {
        row["name"].replace("weather", "execute_tool weather") if row["type"] == "TOOL" else row["name"]: row for row in rows
    }


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_genai_spans_alone_go_to_langfuse_and_none_is_orphaned(
    langfuse: FakeLangfuse, backend: Backend, collector: Collector, protocol: str
) -> None:
    export(collector, Application().serve(), protocol)

    rows = named(langfuse.wait_for(len(GENAI), 30))
    eventually(lambda: len(backend.spans) == len(ALL))

    assert sorted(rows) == GENAI
    agent = rows["invoke_agent forecaster"]
    assert {name: row.get("parent_span_id") for name, row in rows.items()} == {
        **dict.fromkeys(GENAI, agent["id"]),
        "invoke_agent forecaster": None,
    }
    assert sorted(span.name for span in backend.spans) == ALL


def test_all_spans_go_to_langfuse_if_asked_for(langfuse: FakeLangfuse, backend: Backend, tmp_path: Path) -> None:
    """So that none is orphaned of an application in whose process no otel-llm says what hangs below what."""
    with Collector(langfuse, tmp_path, OTEL_LLM_LANGFUSE_SPANS="all") as collector:
        export(collector, Application(stamped=False).serve())
        rows = langfuse.wait_for(len(ALL), 30)

    assert sorted(named(rows)) == ALL
    assert {row.get("parent_span_id") for row in rows} - {row["id"] for row in rows} == {None}


def test_prompts_stay_off_the_general_backend(langfuse: FakeLangfuse, backend: Backend, collector: Collector) -> None:
    spans = Application().serve()
    export(collector, spans)
    eventually(lambda: len(backend.spans) == len(ALL))
    export_mapped(collector, spans)
    eventually(lambda: len(backend.spans) == len(ALL) + len(GENAI))

    plain = next(span for span in backend.spans if span.name == "chat gpt-4o")
    kept = {name for name in chat() if name not in ("gen_ai.input.messages", "gen_ai.output.messages")}
    assert kept <= {attribute.key for attribute in plain.attributes}
    assert "Zürich" in PROMPT
    assert "Zürich".encode() not in b"".join(request.SerializeToString() for request in backend.requests)


def test_of_an_application_that_sends_both_each_backend_gets_one(
    langfuse: FakeLangfuse, backend: Backend, collector: Collector
) -> None:
    spans = Application(resource={"otel_llm.langfuse": "mapped"}).serve()

    export(collector, spans)
    export_mapped(collector, spans)
    rows = langfuse.wait_for(len(GENAI), 30)
    eventually(lambda: len(backend.spans) >= len(ALL))
    calls = "gen_ai_client_operation_duration_seconds_count"
    counted = eventually(lambda: samples if sum_of(samples := collector.measured(), calls) >= 3 else {})

    assert sum(request.spans for request in langfuse.requests) == len(GENAI)
    assert {"langfuse.observation.input" in row["metadata"].get("attributes", {}) for row in rows} == {False}
    assert sorted(span.name for span in backend.spans) == ALL
    assert sum_of(counted, calls) == 3


def test_what_is_said_of_plain_spans(langfuse: FakeLangfuse, collector: Collector) -> None:
    export(collector, Application().serve())

    rows = named(langfuse.wait_for(len(GENAI), 30))

    assert {name: row["type"] for name, row in rows.items()} == {
        "invoke_agent forecaster": "AGENT",
        "chat gpt-4o": "GENERATION",
        "chat failing": "GENERATION",
        "execute_tool weather": "TOOL",
        "embeddings e": "EMBEDDING",
        "retrieval docs": "RETRIEVER",
    }
    call, failed = rows["chat gpt-4o"], rows["chat failing"]
    assert call["usage_details"] == {"input": 400, "input_cached_tokens": 600, "output": 100, "total": 1100}
    assert call["completion_start_time"] == call["start_time"] + 250_000
    assert (failed["level"], failed["status_message"]) == ("ERROR", "too slow")
    assert failed["usage_details"] == {"input": 0, "output": 0, "total": 0}
    assert "tokenised_by_server" not in failed
    assert failed["metadata"]["exception.type"] == "TimeoutError"
    assert {row.get("session_id") for row in rows.values()} == {None, "s1"}


def test_a_parent_in_another_process_that_says_nothing_is_none(langfuse: FakeLangfuse, collector: Collector) -> None:
    """It is an HTTP client's span, that Langfuse never gets."""
    application = Application(stamped=False)
    there = NonRecordingSpan(SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1)))
    with use_span(there):
        application.call()
    export(collector, application.spans)

    (row,) = langfuse.wait_for(1, 30)

    assert "parent_span_id" not in row
    assert row["is_app_root"] is True


def test_a_call_that_another_span_tells_of_is_not_told_again(
    langfuse: FakeLangfuse, backend: Backend, collector: Collector
) -> None:
    application = Application()
    application.call(name="told", **{"otel_llm.told_by.span_id": "00000000000000ab"})
    application.call(name="chat")
    export(collector, application.spans)

    calls = "gen_ai_client_operation_duration_seconds_count"
    counted = eventually(lambda: samples if sum_of(samples := collector.measured(), calls) else {})
    eventually(lambda: len(backend.spans) == 2)

    assert [row["name"] for row in langfuse.wait_for(1, 30)] == ["chat"]
    assert sum_of(counted, calls) == 1


def test_older_names_of_usage_are_told_as_those_of_the_conventions(langfuse: FakeLangfuse, collector: Collector) -> None:
    application = Application()
    older = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.usage.prompt_tokens": 50,
        "gen_ai.usage.completion_tokens": 30,
        "gen_ai.usage.reasoning_tokens": 10,
        "gen_ai.usage.cache_creation_input_tokens": 20,
        "llm.usage.total_tokens": 80,
    }
    application.tracer.start_span("chat claude", attributes=older).end()
    export(collector, application.spans)

    (row,) = langfuse.wait_for(1, 30)

    assert row["usage_details"] == {
        "input": 30,
        "input_cache_creation": 20,
        "output": 20,
        "output_reasoning_tokens": 10,
        "total": 80,
    }


@pytest.mark.parametrize("form", ["plain", "mapped"])
def test_tail_sampling_keeps_traces_with_errors_and_slow_and_expensive_ones(
    langfuse: FakeLangfuse, backend: Backend, tmp_path: Path, form: str
) -> None:
    """And Langfuse gets all of them."""
    application = Application()
    application.call(name="dull")
    application.call(name="slow", seconds=20)
    application.call(name="long", **{"gen_ai.usage.output_tokens": 5000})
    application.call(name="dear", **{"gen_ai.usage.cost": 0.5})
    application.fail()
    with Collector(langfuse, tmp_path, **backend.environment | {"OTEL_LLM_SAMPLING_PERCENTAGE": "0"}) as collector:
        (export if form == "plain" else export_mapped)(collector, application.spans)
        langfuse.wait_for(5, 30)
        eventually(lambda: decided(collector) == 5)
        eventually(lambda: len(backend.spans) == 4)

    assert sorted(span.name for span in backend.spans) == ["chat failing", "dear", "long", "slow"]
    assert len(langfuse.observations) == 5


def decided(collector: Collector) -> float:
    """The number of traces for which it is decided whether they are kept."""
    return sum_of(collector.measured("TELEMETRY"), "otelcol_processor_tail_sampling_global_count_traces_sampled")


@pytest.mark.parametrize("form", ["plain", "mapped"])
def test_metrics_are_the_sums_of_the_calls(langfuse: FakeLangfuse, backend: Backend, tmp_path: Path, form: str) -> None:
    """Of all of them, although the general backend gets none, and in several requests."""
    application = Application()
    for number in range(40):
        application.call(**{"gen_ai.usage.input_tokens": 100 + number, "gen_ai.usage.output_tokens": number + 1})
    with Collector(langfuse, tmp_path, **backend.environment | {"OTEL_LLM_SAMPLING_PERCENTAGE": "0"}) as collector:
        for start in range(0, 40, 10):
            (export if form == "plain" else export_mapped)(collector, application.spans[start : start + 10])
        calls = "gen_ai_client_operation_duration_seconds_count"
        counted = eventually(lambda: samples if sum_of(samples := collector.measured(), calls) == 40 else {})

    tokens = "gen_ai_client_token_usage_sum"
    assert sum_of(counted, tokens, gen_ai_token_type="input") == sum(100 + number for number in range(40))
    assert sum_of(counted, tokens, gen_ai_token_type="output") == sum(number + 1 for number in range(40))
    assert sum_of(counted, "gen_ai_client_operation_duration_seconds_sum", gen_ai_request_model="gpt-4o") == 40 * 1.5
    assert sum_of(counted, "otel_llm_client_cost_total", job="weather") == pytest.approx(40 * 0.0035)
