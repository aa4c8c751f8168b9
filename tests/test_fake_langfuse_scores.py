"""FakeLangfuse: scores, by both forms of its endpoint, by ingestion events, and as the reading API gives them back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langfuse import Langfuse
from opentelemetry.sdk.trace import TracerProvider

from otel_llm.testing.langfuse import FakeLangfuse

TRACE, OBSERVATION = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TIME, TIME_US = "2026-09-21T14:13:20+00:00", 1_790_000_000_000_000
SCORE = {"id": "s1", "traceId": TRACE, "name": "helpful", "value": 0.5, "timestamp": TIME}
STORED = {
    "id": "s1",
    "trace_id": TRACE,
    "name": "helpful",
    "value": 0.5,
    "data_type": "NUMERIC",
    "source": "API",
    "environment": "default",
    "timestamp": TIME_US,
}


@pytest.fixture
def version() -> str:
    return "4.59.0"


@pytest.fixture
def langfuse(version: str) -> Iterator[FakeLangfuse]:
    with FakeLangfuse(version=version) as server:
        yield server
    assert server.failures == []


@pytest.fixture
def http(langfuse: FakeLangfuse) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=langfuse.base_url, auth=(langfuse.public_key, langfuse.secret_key)) as client:
        yield client


def post(http: httpx.Client, body: Any) -> httpx.Response:
    return http.post("/api/public/scores", json=body)


def test_a_newer_server_takes_an_array(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    answer = post(http, [SCORE])
    assert (answer.status_code, answer.json()) == (202, {"message": "Accepted"})
    assert langfuse.scores == [STORED]


def test_a_newer_server_says_how_many_of_an_array_it_refused(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    answer = post(http, [SCORE, SCORE | {"traceId": None}])
    assert answer.status_code == 207
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    assert "exactly one of: traceId" in answer.json()["errors"][0]["message"]
    assert langfuse.scores == [STORED]


def test_a_newer_server_refuses_a_single_object(http: httpx.Client) -> None:
    assert post(http, SCORE).status_code == 400


@pytest.mark.parametrize("version", ["4.16.0"])
def test_an_older_server_takes_one_object_and_its_own_time(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    answer = post(http, SCORE)
    assert (answer.status_code, answer.json()) == (200, {"id": "s1"})
    (score,) = langfuse.scores
    assert score.pop("timestamp") > TIME_US
    assert score == {name: value for name, value in STORED.items() if name != "timestamp"}


@pytest.mark.parametrize("version", ["4.16.0"])
def test_an_older_server_refuses_an_array(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    answer = post(http, [SCORE])
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid request data")
    assert answer.json()["error"] == [{"message": "Invalid input: expected object, received array"}]
    assert langfuse.scores == []


@pytest.mark.parametrize("version", ["4.16.0"])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"value": 1, "dataType": "BOOLEAN"}, 200),
        ({"value": True, "dataType": "BOOLEAN"}, 400),
        ({"value": 2, "dataType": "BOOLEAN"}, 400),
        ({"value": "good"}, 200),
        ({"value": "0.5", "dataType": "NUMERIC"}, 400),
        ({"value": "x" * 500, "dataType": "TEXT"}, 200),
        ({"value": "x" * 501, "dataType": "TEXT"}, 400),
        ({"value": "", "dataType": "TEXT"}, 400),
        ({"observationId": OBSERVATION}, 200),
        ({"observationId": OBSERVATION, "traceId": None}, 400),
        ({"sessionId": "s"}, 400),
        ({"sessionId": "s", "traceId": None}, 200),
        ({"traceId": None}, 400),
        ({"source": "EVAL"}, 400),
        ({"source": "ANNOTATION"}, 400),
        ({"source": "ANNOTATION", "configId": "c"}, 200),
        ({"source": "ANNOTATION", "value": "so", "dataType": "CORRECTION"}, 200),
        ({"value": "so", "dataType": "CORRECTION", "configId": "c"}, 400),
        ({"name": ""}, 400),
        ({"environment": "Langfuse X"}, 200),
    ],
)
def test_what_the_schema_takes(http: httpx.Client, change: dict[str, Any], status: int) -> None:
    assert post(http, SCORE | change).status_code == status


@pytest.mark.parametrize("version", ["4.16.0"])
def test_ingestion_takes_scores_with_the_time_of_their_event_and_nothing_else(
    http: httpx.Client, langfuse: FakeLangfuse
) -> None:
    def event(event_id: str, kind: str, body: Any) -> dict[str, Any]:
        return {"id": event_id, "type": kind, "timestamp": TIME, "body": body}

    good, bad, trace = event("e1", "score-create", SCORE), event("e2", "score-create", {}), event("e3", "trace-create", {})
    answer = http.post("/api/public/ingestion", json={"batch": [good, bad, trace]})
    assert answer.status_code == 207
    assert answer.json()["successes"] == [{"id": "e1", "status": 201}]
    assert [(error["id"], error["status"]) for error in answer.json()["errors"]] == [("e2", 400), ("e3", 400)]
    assert langfuse.scores == [STORED]


def test_the_same_id_updates_a_score(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    post(http, [SCORE])
    post(http, [SCORE | {"value": 0.7, "comment": "better", "timestamp": "2026-09-21T20:00:00Z"}])
    assert langfuse.scores == [STORED | {"value": 0.7, "comment": "better"}]


@pytest.mark.parametrize("change", [{"name": "other"}, {"timestamp": "2026-09-22T00:00:00Z"}])
def test_the_same_id_with_another_name_or_day_leaves_two_rows(
    http: httpx.Client, langfuse: FakeLangfuse, change: dict[str, str]
) -> None:
    post(http, [SCORE, SCORE | change])
    assert [score["id"] for score in langfuse.scores] == ["s1", "s1"]


def test_a_browser_may_send_scores_with_the_public_key(langfuse: FakeLangfuse) -> None:
    headers = {"Authorization": f"Bearer {langfuse.public_key}"}
    with httpx.Client(base_url=langfuse.base_url, headers=headers) as browser:
        assert post(browser, [SCORE]).status_code == 202
        assert browser.get("/api/public/v3/scores").status_code == 403


def test_reading_gives_typed_values_and_the_subject(http: httpx.Client) -> None:
    post(http, [SCORE | {"observationId": OBSERVATION, "value": 1, "dataType": "BOOLEAN", "comment": "yes"}])
    (score,) = http.get("/api/public/v3/scores", params={"fields": "details,subject"}).json()["data"]
    time = "2026-09-21T14:13:20.000Z"
    assert score == {
        "id": "s1",
        "projectId": "fake-project",
        "name": "helpful",
        "value": True,
        "dataType": "BOOLEAN",
        "source": "API",
        "environment": "default",
        "timestamp": time,
        "createdAt": time,
        "updatedAt": time,
        "comment": "yes",
        "configId": None,
        "metadata": {},
        "subject": {"kind": "observation", "id": OBSERVATION, "traceId": TRACE},
    }


def test_reading_goes_from_page_to_page(http: httpx.Client) -> None:
    post(http, [SCORE | {"id": f"s{number}", "name": f"n{number}"} for number in range(3)])
    first = http.get("/api/public/v3/scores", params={"limit": 2}).json()
    rest = http.get("/api/public/v3/scores", params={"limit": 2, "cursor": first["meta"]["cursor"]}).json()
    assert [score["id"] for score in first["data"]] == ["s2", "s1"]
    assert [score["id"] for score in rest["data"]] == ["s0"]
    assert rest["meta"] == {"limit": 2}


def test_reading_filters(http: httpx.Client) -> None:
    post(http, [SCORE, SCORE | {"id": "s2", "name": "tone", "value": "kind"}])
    names = {"name": "tone,other"}, {"traceId": TRACE, "dataType": "NUMERIC", "valueMin": "0.5"}, {"traceId": "f" * 32}
    found = [http.get("/api/public/v3/scores", params=query).json()["data"] for query in names]
    assert [[score["name"] for score in page] for page in found] == [["tone"], ["helpful"], []]


@pytest.mark.parametrize(
    "query",
    [
        {"fields": "everything"},
        {"limit": "101"},
        {"observationId": OBSERVATION},
        {"traceId": TRACE, "sessionId": "s"},
        {"value": "1"},
        {"userId": "42"},
        {"cursor": "?"},
    ],
)
def test_reading_refuses_what_the_api_refuses(http: httpx.Client, query: dict[str, str]) -> None:
    assert http.get("/api/public/v3/scores", params=query).status_code == 400


def test_a_score_can_be_deleted_once(http: httpx.Client, langfuse: FakeLangfuse) -> None:
    post(http, [SCORE])
    assert [http.delete("/api/public/scores/s1").status_code for _ in range(2)] == [202, 404]
    assert langfuse.scores == []


@pytest.mark.parametrize(
    "request_line",
    ["GET traces", "GET traces/x", "POST traces", "GET observations", "GET scores", "GET v2/scores/x", "POST generations"],
)
def test_legacy_endpoints_are_gone_before_the_keys_are_looked_at(langfuse: FakeLangfuse, request_line: str) -> None:
    method, path = request_line.split(" ")
    answer = httpx.request(method, f"{langfuse.base_url}/api/public/{path}")
    assert answer.status_code == 404
    assert "events_only mode" in answer.json()["message"]


@pytest.fixture
def sdk(langfuse: FakeLangfuse) -> Iterator[Langfuse]:
    """The installed SDK, with a tracer provider of its own."""
    client = Langfuse(
        public_key=f"{langfuse.public_key}",
        secret_key=langfuse.secret_key,
        base_url=langfuse.base_url,
        tracer_provider=TracerProvider(),
    )
    yield client
    client.shutdown()
    type(client._resources).reset()  # it keeps one instance for each public key


def test_the_sdks_scores_are_stored_by_a_newer_server(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    moment = datetime.fromtimestamp(TIME_US / 1e6, UTC)
    sdk.create_score(name="helpful", value=0.5, trace_id=TRACE, score_id="s1", data_type="NUMERIC", timestamp=moment)
    sdk.flush()
    (score,) = langfuse.scores
    assert {name: score[name] for name in STORED} == STORED


@pytest.mark.parametrize("version", ["4.16.0"])
def test_the_sdks_scores_are_lost_at_an_older_server(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    sdk.create_score(name="helpful", value=0.5, trace_id=TRACE)
    sdk.flush()
    assert langfuse.scores == []


def test_the_sdk_reads_and_deletes_scores(sdk: Langfuse, http: httpx.Client, langfuse: FakeLangfuse) -> None:
    post(http, [SCORE])
    (score,) = sdk.api.scores.get_many(trace_id=TRACE, fields="subject").data
    assert (score.value, score.subject.kind, score.subject.id) == (0.5, "trace", TRACE)
    sdk.api.scores.delete("s1")
    assert langfuse.scores == []
