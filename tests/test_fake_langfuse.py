"""FakeLangfuse: a Langfuse server for tests. What it makes of a span is in ``test_fake_langfuse_vectors``; this is the rest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.langfuse.legacy_trace import merge, trace_event
from otel_llm.testing.langfuse.rows import direct_row, dual_row
from otel_llm.testing.langfuse.spans import Event, Span
from otel_llm.testing.server import Response

START = 1_750_000_000_000_000_000
TRACE, CALL, OTHER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def http(langfuse: FakeLangfuse) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=langfuse.base_url, auth=(langfuse.public_key, langfuse.secret_key)) as client:
        yield client


def span(
    span_id: str = CALL, *, start_ns: int = START, seconds: float = 2, parent: str = "", **attributes: Any
) -> dict[str, Any]:
    """An OTLP/JSON span; attribute names are spelt with __ for a dot."""
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": "chat house-model",
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + int(seconds * 1e9)),
        "attributes": [{"key": name.replace("__", "."), "value": {"stringValue": value}} for name, value in attributes.items()],
    }


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "shop"}, "spans": list(spans)}]}]}


def export(http: httpx.Client, *spans: dict[str, Any], **headers: str) -> httpx.Response:
    return http.post("/api/public/otel/v1/traces", json=request(*spans), headers=headers)


# --- taking spans -----------------------------------------------------------------------------------------------------


def test_a_span_of_the_official_exporter_becomes_a_generation(langfuse):
    exporter = OTLPSpanExporter(
        endpoint=f"{langfuse.base_url}/api/public/otel/v1/traces",
        headers={"Authorization": httpx.BasicAuth(langfuse.public_key, langfuse.secret_key)._auth_header},
    )
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "house-model",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.output.messages": '[{"role":"assistant","parts":[]}]',
    }

    call = provider.get_tracer("shop", "1.0").start_span("chat house-model", attributes=attributes, start_time=START)
    call.end(START + 1_500_000_000)
    provider.shutdown()

    assert langfuse.generations == [
        {
            "id": f"{call.get_span_context().span_id:016x}",
            "trace_id": f"{call.get_span_context().trace_id:032x}",
            "type": "GENERATION",
            "name": "chat house-model",
            "start_time": 1_750_000_000_000_000,
            "end_time": 1_750_000_001_500_000,
            "level": "DEFAULT",
            "model": "house-model",
            "output": '[{"role":"assistant","parts":[]}]',
            "usage_details": {"input": 10, "output": 5, "total": 15},
            "environment": "default",
            "metadata": {
                "attributes.gen_ai.operation.name": "chat",
                "attributes.gen_ai.request.model": "house-model",
                "attributes.gen_ai.usage.input_tokens": "10",
                "attributes.gen_ai.usage.output_tokens": "5",
                "attributes.gen_ai.response.finish_reasons": '["stop"]',
                "resourceAttributes.service.name": "shop",
                "scope.name": "shop",
                "scope.version": "1.0",
            },
        }
    ]


def test_an_application_is_pointed_at_it_by_its_environment(langfuse):
    assert langfuse.environment == {
        "LANGFUSE_PUBLIC_KEY": "pk-lf-fake",
        "LANGFUSE_SECRET_KEY": "sk-lf-fake",
        "LANGFUSE_BASE_URL": f"http://127.0.0.1:{langfuse.port}",
        "LANGFUSE_HOST": f"http://127.0.0.1:{langfuse.port}",
    }


def test_requests_are_kept_in_small(langfuse, http):
    response = export(http, span(), span(OTHER), **{"X-Langfuse-Ingestion-Version": "4", "User-Agent": "shop/1"})

    assert (response.status_code, response.json()) == (200, {})
    [kept] = langfuse.requests
    assert (kept.status, kept.spans, kept.bytes) == (200, 2, len(response.request.content))
    assert kept.headers == {
        "content-type": "application/json",
        "user-agent": "shop/1",
        "x-langfuse-ingestion-version": "4",
    }


def test_gzip_may_have_several_members(langfuse, http):
    body = json.dumps(request(span())).encode()

    response = http.post(
        "/api/public/otel/v1/traces",
        content=gzip.compress(body[:50]) + gzip.compress(body[50:]),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )

    assert response.status_code == 200
    assert [row["id"] for row in langfuse.observations] == [CALL]


@pytest.mark.parametrize(
    ("content", "headers", "message"),
    [
        (b"{}", {"Content-Type": "text/plain"}, "Invalid content type"),
        (b"{", {"Content-Type": "application/json"}, "Failed to parse OTel JSON Trace"),
        (b"\xff", {"Content-Type": "application/x-protobuf"}, "Failed to parse OTel Protobuf Trace"),
        (b"no gzip", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Failed to decompress"),
        (b"{}", {"Content-Type": "application/json", "X-Langfuse-Ingestion-Version": "5"}, "x-langfuse-ingestion-version"),
        (b"{}", {"Content-Type": "application/json", "X-Langfuse-Ingestion-Version": "new"}, "x-langfuse-ingestion-version"),
    ],
)
def test_what_cannot_be_read_is_refused(content, headers, message, langfuse, http):
    response = http.post("/api/public/otel/v1/traces", content=content, headers=headers)

    assert (response.status_code, langfuse.observations) == (400, [])
    assert message in response.json()["message"]


@pytest.mark.parametrize("name", ["traceId", "spanId"])
@pytest.mark.parametrize(("value", "fault"), [(None, "absent"), ("", "absent"), ("abc", "wrong_length"), (7, "not_an_id")])
def test_one_bad_id_refuses_the_whole_request(name, value, fault, langfuse, http):
    response = export(http, span(OTHER), span() | {name: value})

    assert (response.status_code, langfuse.observations) == (400, [])
    assert f"{name}:{fault}" in response.json()["message"]


@pytest.mark.parametrize("content", [b"{}", b'{"resourceSpans": []}'])
def test_a_request_without_spans_is_fine(content, langfuse, http):
    response = http.post("/api/public/otel/v1/traces", content=content, headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json(), langfuse.observations) == (200, {}, [])


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Basic cGs6c2s=", 401), ("Bearer pk-lf-fake", 403)],
    ids=["none", "wrong key", "public key only"],
)
def test_only_the_projects_key_may_export(authorization, status, langfuse, http):
    http.auth = None

    response = export(http, span(), Authorization=authorization)

    assert (response.status_code, langfuse.observations) == (status, [])


def test_metrics_are_accepted_and_discarded(langfuse, http):
    assert http.post("/api/public/otel/v1/metrics", json={}).status_code == 200


VALUES = st.text(max_size=5) | st.floats() | st.integers() | st.booleans() | st.lists(st.text(max_size=3), max_size=2)
DOCUMENTS = st.recursive(
    VALUES | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "name", "function", "tools", "tool_calls", "messages", "input", "total"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
).map(json.dumps)
NAMES = st.sampled_from(
    [
        *(f"langfuse.observation.{name}" for name in ("type", "input", "output", "level", "completion_start_time", "metadata")),
        *(f"langfuse.observation.{name}_details" for name in ("usage", "cost")),
        *(f"langfuse.observation.model.{name}" for name in ("name", "parameters")),
        *(f"langfuse.observation.prompt.{name}" for name in ("name", "version")),
        *(f"langfuse.trace.{name}" for name in ("name", "tags", "public", "metadata.x", "input")),
        *(
            f"gen_ai.usage.{name}"
            for name in ("input_tokens", "cache_read.input_tokens", "reasoning.output_tokens", "cost", "x")
        ),
        *(f"gen_ai.{name}" for name in ("operation.name", "request.model", "tool.name", "tool.definitions")),
        *(f"gen_ai.{name}" for name in ("system_instructions", "input.messages", "output.messages", "prompt.0.a", "prompt.0")),
        *("user.id", "langfuse.version", "langfuse.environment", "events", "ai.response.msToFirstChunk", "model"),
    ]
)


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(NAMES, VALUES | DOCUMENTS, max_size=8), st.dictionaries(NAMES, VALUES | DOCUMENTS, max_size=2))
def test_whatever_the_attributes_there_are_rows(attributes, event):
    sent = Span(TRACE, CALL, "", "chat", 1, 2, attributes, [Event("gen_ai.choice", event)])

    assert direct_row(sent)["id"] == CALL
    assert dual_row(sent).row or dual_row(sent).why
    assert merge([trace_event(sent)])["trace_id"] == TRACE


# --- writes that meet -------------------------------------------------------------------------------------------------


def test_a_span_that_comes_twice_is_one_row_but_two_arrivals(langfuse, http):
    export(http, span())
    export(http, span())

    assert [row["id"] for row in langfuse.observations] == [CALL]
    assert langfuse.arrivals == {CALL: 2}


def test_the_last_write_replaces_the_row_as_a_whole(langfuse, http):
    export(http, span(user__id="ann"))
    export(http, span(session__id="s1"))

    [row] = langfuse.observations
    assert (row.get("user_id"), row.get("session_id")) == (None, "s1")


def test_another_start_makes_another_row(langfuse, http):
    export(http, span())
    export(http, span(start_ns=START + 1_000_000))

    assert [row["start_time"] for row in langfuse.observations] == [1_750_000_000_000_000, 1_750_000_000_001_000]


def test_the_dual_path_merges_field_by_field():
    with (
        FakeLangfuse(path="dual") as langfuse,
        httpx.Client(base_url=langfuse.base_url, auth=("pk-lf-fake", "sk-lf-fake")) as http,
    ):
        export(http, span(langfuse__observation__input="q"))
        export(http, span(langfuse__observation__output="a"))

        [row] = langfuse.observations
    assert (row["input"], row["output"]) == ("q", "a")


def test_the_dual_path_says_what_it_dropped():
    with (
        FakeLangfuse(path="dual") as langfuse,
        httpx.Client(base_url=langfuse.base_url, auth=("pk-lf-fake", "sk-lf-fake")) as http,
    ):
        response = export(http, span(langfuse__observation__type="generation", langfuse__observation__prompt__name="greet"))

        assert (response.status_code, langfuse.observations) == (200, [])
        assert langfuse.rejected == [{"what": "observation", "why": [{"field": "", "message": "Invalid input"}]}]


def test_a_trace_is_put_together_from_its_rows(langfuse, http):
    export(
        http,
        span(
            parent=OTHER,
            langfuse__observation__level="ERROR",
            langfuse__observation__input="inner",
            langfuse__observation__usage_details='{"input": 3}',
            langfuse__observation__cost_details='{"total": 0.5}',
            user__id="ann",
        ),
        span(
            OTHER,
            seconds=5,
            langfuse__trace__tags="vip",
            langfuse__observation__input="outer",
            langfuse__observation__cost_details='{"total": 0.25}',
        )
        | {"name": "answer"},
    )

    [trace] = langfuse.traces
    metadata = trace.pop("metadata")
    assert metadata["attributes.langfuse.trace.tags"] == "vip"
    assert trace == {
        "trace_id": TRACE,
        "name": "answer",
        "user_id": "ann",
        "tags": ["vip"],
        "environment": "default",
        "level": "ERROR",
        "input": "outer",
        "usage_details": {"input": 3, "total": 3},
        "total_cost": 0.75,
        "observations": 2,
        "start_time": 1_750_000_000_000_000,
        "end_time": 1_750_000_005_000_000,
    }


def test_without_rows_arrivals_are_counted():
    with (
        FakeLangfuse(keep_rows=False) as langfuse,
        httpx.Client(base_url=langfuse.base_url, auth=("pk-lf-fake", "sk-lf-fake")) as http,
    ):
        export(http, span(), span(OTHER))

        assert (langfuse.wait_for(2), langfuse.arrivals) == ([], {CALL: 1, OTHER: 1})


# --- playing an outage ------------------------------------------------------------------------------------------------


def test_the_next_requests_can_be_made_to_fail(langfuse, http):
    langfuse.fail_next(429, times=2, headers={"Retry-After": "37"})

    responses = [export(http, span()) for _ in range(3)]

    assert [response.status_code for response in responses] == [429, 429, 200]
    assert responses[0].headers["Retry-After"] == "37"
    assert langfuse.arrivals == {CALL: 1}
    assert [kept.status for kept in langfuse.requests] == [429, 429, 200]


def test_a_behaviour_is_asked_first(langfuse, http):
    langfuse.behaviour = lambda _: Response(302, {"Location": "/sign-in"})
    assert export(http, span()).status_code == 302

    langfuse.behaviour = None
    assert export(http, span()).status_code == 200


def test_a_stopped_server_comes_back_with_its_rows(langfuse, http):
    export(http, span())
    langfuse.stop()
    with pytest.raises(httpx.TransportError):
        export(http, span(OTHER))

    langfuse.start()
    export(http, span(OTHER))

    assert [row["id"] for row in langfuse.observations] == [CALL, OTHER]


def test_waiting_says_what_came_instead(langfuse, http):
    export(http, span())

    assert len(langfuse.wait_for(1)) == 1
    with pytest.raises(TimeoutError, match="1 of 2 observations"):
        langfuse.wait_for(2, timeout_s=0.01)


def test_clearing_forgets_everything(langfuse, http):
    export(http, span())
    langfuse.fail_next(500)

    langfuse.clear()

    assert (langfuse.observations, langfuse.traces, langfuse.requests, langfuse.arrivals) == ([], [], [], {})
    assert export(http, span()).status_code == 200
