"""FakeLangfuse: its reading API, asked by the client of the installed Langfuse SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langfuse.api import LangfuseAPI
from langfuse.api.core import ApiError

from otel_llm.testing.langfuse import FakeLangfuse

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


def span(span_id: str = CALL, *, start_ns: int = START, parent: str = "", **attributes: str) -> dict[str, Any]:
    """An OTLP/JSON span of two seconds; attribute names are spelt with __ for a dot."""
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": "chat house-model",
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 2_000_000_000),
        "attributes": [{"key": name.replace("__", "."), "value": {"stringValue": value}} for name, value in attributes.items()],
    }


def export(http: httpx.Client, *spans: dict[str, Any]) -> None:
    request = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}
    http.post("/api/public/otel/v1/traces", json=request).raise_for_status()


@pytest.fixture
def api(langfuse: FakeLangfuse) -> Iterator[LangfuseAPI]:
    """The client of the installed Langfuse SDK."""
    settings = langfuse.environment
    with httpx.Client() as client:
        yield LangfuseAPI(
            base_url=settings["LANGFUSE_BASE_URL"],
            username=settings["LANGFUSE_PUBLIC_KEY"],
            password=settings["LANGFUSE_SECRET_KEY"],
            httpx_client=client,
        )


def test_the_sdk_reads_an_observation(api, http):
    export(
        http,
        span(
            gen_ai__operation__name="chat",
            gen_ai__request__model="house-model",
            gen_ai__request__effort="low",
            langfuse__observation__input='{"q": 1}',
            langfuse__observation__completion_start_time="2025-06-15T15:06:40.250Z",
            langfuse__observation__usage_details='{"input": 3}',
            langfuse__observation__cost_details='{"total": 0.5}',
            langfuse__observation__metadata__note="n" * 201,
            langfuse__observation__prompt__name="greet",
            langfuse__observation__prompt__version="3",
            langfuse__trace__name="support",
            session__id="s1",
        ),
    )

    [found] = api.observations.get_many(fields="core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context").data

    read = found.model_dump(exclude_none=True)
    assert read.pop("metadata")["note"] == "n" * 200
    assert read == {
        "id": CALL,
        "trace_id": TRACE,
        "project_id": "fake-project",
        "start_time": datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC),
        "end_time": datetime(2025, 6, 15, 15, 6, 42, tzinfo=UTC),
        "completion_start_time": datetime(2025, 6, 15, 15, 6, 40, 250_000, tzinfo=UTC),
        "type": "GENERATION",
        "name": "chat house-model",
        "level": "DEFAULT",
        "environment": "default",
        "session_id": "s1",
        "is_root_observation": True,
        "bookmarked": False,
        "public": False,
        "input": '{"q": 1}',
        "providedModelName": "house-model",
        "model_parameters": {"effort": "low"},
        "usage_details": {"input": 3, "total": 3},
        "cost_details": {"total": 0.5},
        "total_cost": 0.5,
        "latency": 2.0,
        "time_to_first_token": 0.25,
        "prompt_name": "greet",
        "prompt_version": 3,
        "trace_name": "support",
    }


def test_only_core_and_basic_come_unasked(api, http):
    export(http, span(langfuse__observation__input="q"))

    [found] = api.observations.get_many().data

    assert (found.name, found.input) == ("chat house-model", None)


def test_pages_go_from_new_to_old(api, http):
    ids = [f"{number:016x}" for number in range(1, 6)]
    export(http, *(span(span_id, start_ns=START + index * 1_000_000) for index, span_id in enumerate(ids)))

    pages = [api.observations.get_many(limit=2)]
    while cursor := pages[-1].meta.cursor:
        pages.append(api.observations.get_many(limit=2, cursor=cursor))

    assert [[found.id for found in page.data] for page in pages] == [ids[:2:-1], ids[2:0:-1], ids[:1]]


def where(*elements: tuple[str, str, str, Any]) -> dict[str, str]:
    """A ``filter`` document of elements: type, column, operator, value."""
    return {"filter": json.dumps([dict(zip(("type", "column", "operator", "value"), one, strict=True)) for one in elements])}


@pytest.mark.parametrize(
    "filters",
    [
        {"trace_id": TRACE, "name": "chat house-model", "user_id": "ann"},
        {"session_id": "s1"},
        {"type": "AGENT"},
        {"level": "WARNING"},
        {"environment": ["staging", "prod"]},
        {"parent_observation_id": OTHER},
        {"is_root_observation": False},
        {"from_start_time": datetime(2025, 6, 15, 15, 6, 41, tzinfo=UTC)},
        where(("string", "id", "=", CALL)),
        where(("string", "sessionId", "=", "s1")) | {"session_id": "loses"},
        where(("string", "name", "contains", "house"), ("string", "userId", "starts with", "an")),
        where(("stringOptions", "type", "any of", ["AGENT"])),
        where(("stringOptions", "level", "none of", ["DEFAULT"])),
        where(("arrayOptions", "tags", "any of", ["vip", "x"])),
        where(("datetime", "startTime", ">", "2025-06-15T15:06:40.500Z")),
        where(("boolean", "isRootObservation", "=", False)),
    ],
    ids=lambda filters: next(iter(filters)),
)
def test_filters(filters, api, http):
    export(
        http,
        span(OTHER),
        span(
            start_ns=START + 1_000_000_000,
            parent=OTHER,
            langfuse__observation__type="agent",
            langfuse__observation__level="WARNING",
            langfuse__environment="prod",
            langfuse__trace__tags="vip,de",
            user__id="ann",
            session__id="s1",
        ),
    )

    assert [found.id for found in api.observations.get_many(**filters).data] == [CALL]


def test_what_started_before_a_time(api, http):
    export(http, span(), span(OTHER, start_ns=START + 1_000_000_000))

    found = api.observations.get_many(to_start_time=datetime(2025, 6, 15, 15, 6, 41, tzinfo=UTC)).data

    assert [one.id for one in found] == [CALL]


def test_an_empty_parent_means_physical_roots(http):
    export(http, span(OTHER), span(parent=OTHER))

    found = http.get("/api/public/v2/observations", params={"parentObservationId": ""}).json()

    assert [one["id"] for one in found["data"]] == [OTHER]


@pytest.mark.parametrize(
    "query",
    [
        {"parse_io_as_json": True},
        {"cursor": "no cursor"},
        {"limit": 1001},
        {"filter": "no JSON"},
        {"filter": '[{"type":"string","column":"colour","operator":"=","value":"red"}]'},
    ],
    ids=lambda query: next(iter(query)),
)
def test_a_bad_query_is_refused(query, api):
    with pytest.raises(ApiError) as caught:
        api.observations.get_many(**query)

    assert caught.value.status_code == 400


def test_health_needs_no_key(langfuse):
    health = httpx.get(f"{langfuse.base_url}/api/public/health")

    assert health.json() == {"status": "OK", "version": "4.16.0"}


def test_the_sdk_finds_its_project(api):
    [project] = api.projects.get().data

    assert (project.id, project.name) == ("fake-project", "fake")


def test_metadata_is_whole_where_asked_for(api, http):
    export(http, span(langfuse__observation__metadata__note="n" * 201))

    [found] = api.observations.get_many(fields="metadata", expand_metadata="note").data

    assert found.metadata["note"] == "n" * 201


def test_what_is_not_emulated_is_not_found(http):
    assert http.get("/api/public/traces").status_code == 404
