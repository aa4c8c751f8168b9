"""Sending through InsForge."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from legacy_spans import AGENT_UUID, START, TRACE_UUID, pipeline_run, rows_of

from otel_llm.delivery import Delivered, Pause, Retry, Split
from otel_llm.errors import DeliveryError
from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import RestStore, Row
from otel_llm_insforge.rows import COLUMNS, read_row

ROWS = rows_of(pipeline_run(0, calls=2))


def stored(insforge: FakeInsForge) -> list[Row]:
    return [read_row(table, row) for table in COLUMNS for row in insforge.rows(table)]


def test_rows_arrive_as_they_were_made(insforge: FakeInsForge, rest: RestStore) -> None:
    assert rest.insert(ROWS, timeout_s=5) == Delivered()
    assert stored(insforge) == ROWS


def test_a_request_is_an_upsert_by_key_that_ignores_duplicates(insforge: FakeInsForge, rest: RestStore) -> None:
    rest.insert(ROWS, timeout_s=5)
    assert [(request.method, request.target) for request in insforge.requests] == [
        ("POST", "/api/database/records/pipeline_traces?on_conflict=trace_id"),
        ("POST", "/api/database/records/pipeline_spans?on_conflict=span_id"),
    ]
    assert insforge.requests[0].headers["prefer"] == "resolution=ignore-duplicates,return=minimal"
    assert insforge.requests[0].headers["x-api-key"] == insforge.api_key


def test_a_second_delivery_changes_nothing(insforge: FakeInsForge, rest: RestStore) -> None:
    rest.insert(ROWS, timeout_s=5)
    before = insforge.rows("pipeline_spans")
    assert rest.insert(ROWS, timeout_s=5) == Delivered()
    assert insforge.rows("pipeline_spans") == before


def test_a_batch_holds_each_key_once_and_sorted(insforge: FakeInsForge, rest: RestStore) -> None:
    rest.insert([*reversed(ROWS), *ROWS], timeout_s=5)
    (sent,) = [request.json() for request in insforge.requests if "spans" in request.path]
    assert [row["span_id"] for row in sent] == sorted({row.key for row in ROWS if row.table == "pipeline_spans"})


def test_requests_hold_at_most_500_rows_and_a_megabyte(insforge: FakeInsForge, rest: RestStore) -> None:
    big = {"data": "x" * 400_000}
    many = [_span_row(number) for number in range(501)]
    heavy = [_span_row(number, input_data=big) for number in range(1_000, 1_003)]
    heaviest = _span_row(2_000, input_data={"data": "x" * 2_000_000})
    assert rest.insert([*many, *heavy, heaviest], timeout_s=10) == Delivered()
    sizes = [(len(request.json()), len(request.body) <= 1_000_000) for request in insforge.requests]
    assert sizes == [(500, True), (3, True), (1, True), (1, False)]


def _span_row(number: int, **columns: Any) -> Row:
    row = next(row for row in ROWS if row.key == AGENT_UUID)
    return Row(row.table, {**row.columns, "span_id": f"00000000-0000-0000-0000-{number:012x}", **columns})


def test_bodies_can_be_compressed(insforge: FakeInsForge) -> None:
    store = RestStore(insforge.base_url, lambda: insforge.api_key, compress=True)
    assert store.insert(ROWS, timeout_s=5) == Delivered()
    store.close()
    assert json.loads(gzip.decompress(insforge.requests[0].body))[0]["trace_id"] == TRACE_UUID
    assert stored(insforge) == ROWS


@pytest.mark.parametrize("kind", ["timeout", "database_down", "deadlock", "pool_exhausted", "bad_gateway", "hang_up"])
@pytest.mark.parametrize("commit", [False, True], ids=["nothing-stored", "stored-all-the-same"])
def test_after_a_failure_of_unknown_result_the_same_batch_stores_each_row_once(
    insforge: FakeInsForge, rest: RestStore, kind: Any, commit: bool
) -> None:
    insforge.fail_next(kind, commit=commit)
    assert isinstance(rest.insert(ROWS, timeout_s=5), Retry)
    assert len(insforge.rows("pipeline_traces")) == commit
    assert rest.insert(ROWS, timeout_s=5) == Delivered()
    assert stored(insforge) == ROWS


def test_throttling_says_when_to_come_back(insforge: FakeInsForge, rest: RestStore) -> None:
    insforge.fail_next("throttled")
    assert rest.insert(ROWS, timeout_s=5) == Retry("InsForge asks for fewer requests (status 429, TOO_MANY_REQUESTS)", 1.0)


def test_a_body_that_is_too_large_is_split(rest: RestStore, insforge: FakeInsForge) -> None:
    insforge.max_body_bytes = 100
    assert isinstance(rest.insert(ROWS, timeout_s=5), Split)


def test_no_time_left_is_no_delivery(insforge: FakeInsForge) -> None:
    store = RestStore(insforge.base_url, lambda: insforge.api_key)
    assert store.insert(ROWS, timeout_s=0) == Retry("no time left for the rest of the batch")
    assert insforge.requests == []


def test_an_unreachable_host_is_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = RestStore(f"http://127.0.0.1:{port}", lambda: "ik_x")
    assert store.insert(ROWS, timeout_s=5) == Retry("InsForge cannot be reached: ConnectError")
    store.close()


def test_a_key_that_was_rotated_is_read_again_once(insforge: FakeInsForge) -> None:
    keys = iter(["ik_old", insforge.api_key, "ik_unused"])
    store = RestStore(insforge.base_url, lambda: next(keys))
    assert store.insert(ROWS[:1], timeout_s=5) == Delivered()
    store.close()
    assert [request.headers["x-api-key"] for request in insforge.requests] == ["ik_old", insforge.api_key]


def test_a_wrong_key_pauses_after_one_request(insforge: FakeInsForge) -> None:
    store = RestStore(insforge.base_url, lambda: "ik_wrong")
    assert isinstance(store.insert(ROWS, timeout_s=5), Pause)
    store.close()
    assert len(insforge.requests) == 1


def test_the_anon_key_goes_as_a_bearer_token_and_is_refused_where_no_policy_lets_it_in(insforge: FakeInsForge) -> None:
    store = RestStore(insforge.base_url, lambda: insforge.anon_key)
    assert store.insert(ROWS, timeout_s=5) == Delivered()
    insforge.close_to_anon("pipeline_traces")
    outcome = store.insert(rows_of(pipeline_run(1)), timeout_s=5)
    store.close()
    assert isinstance(outcome, Pause)
    assert "42501" in outcome.reason


def test_a_missing_table_is_retried_while_it_may_be_new_and_then_pauses(insforge: FakeInsForge) -> None:
    clock = _Clock()
    store = RestStore(insforge.base_url, lambda: insforge.api_key, clock=clock)
    insforge.drop_table("pipeline_traces")
    assert isinstance(store.insert(ROWS, timeout_s=5), Retry)
    clock.now = 10.0
    assert isinstance(store.insert(ROWS, timeout_s=5), Pause)
    store.close()


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rows_are_read_by_trace_in_pages(insforge: FakeInsForge, rest: RestStore) -> None:
    many = [_span_row(number) for number in range(1_001)]
    rest.insert([*ROWS, *many], timeout_s=10)
    insforge.requests.clear()
    other = [f"00000000-0000-0000-0000-{number:012x}" for number in range(200)]
    found = list(rest.read_traces("pipeline_spans", [*other, TRACE_UUID]))
    assert len(found) == 1_004
    assert sorted(row.key for row in found) == sorted({row.key for row in [*many, *ROWS[1:]]})
    assert len(insforge.requests) == 4


def test_rows_are_read_by_time(rest: RestStore) -> None:
    rest.insert(ROWS, timeout_s=5)
    after = START.replace("123456", "123457")
    assert list(rest.read_between("pipeline_traces", START, after)) == ROWS[:1]
    assert list(rest.read_between("pipeline_traces", after, after)) == []


def test_rows_are_counted(insforge: FakeInsForge, rest: RestStore) -> None:
    assert rest.count("pipeline_spans") == 0
    rest.insert(ROWS, timeout_s=5)
    assert rest.count("pipeline_spans") == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda insforge: insforge.fail_next("hang_up"),
        lambda insforge: insforge.fail_next("bad_gateway"),
        lambda insforge: insforge.fail_next(status=200, body=[{"id": 1}]),
        lambda insforge: insforge.fail_next(status=200, body=b"[oops"),
        lambda insforge: insforge.drop_table("pipeline_spans"),
    ],
    ids=["hang-up", "bad-gateway", "other-columns", "no-json", "no-table"],
)
def test_what_cannot_be_read_is_a_delivery_error(
    insforge: FakeInsForge, rest: RestStore, spoil: Callable[[FakeInsForge], None]
) -> None:
    spoil(insforge)
    with pytest.raises(DeliveryError):
        list(rest.read_traces("pipeline_spans", [TRACE_UUID]))
