"""The InsForge double answers as InsForge 2.3.1 with PostgREST 12.2 was measured to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from otel_llm.testing.insforge import NOW, SERIAL, Column, FakeInsForge

A, B, C = (f"00000000-0000-0000-0000-00000000000{letter}" for letter in "abc")
TRACE = {
    "trace_id": A,
    "pipeline_name": "learn",
    "telegram_id": 42,
    "user_id": None,
    "start_time": "2026-01-01T00:00:00.123456+00:00",
    "end_time": "2026-01-01T00:00:01+00:00",
    "duration_ms": 876.54,
    "success": True,
    "error": None,
}
SPAN = {
    "span_id": B,
    "trace_id": A,
    "parent_span_id": None,
    "span_name": "llm:claude",
    "start_time": "2026-01-01T00:00:00+00:00",
    "end_time": "2026-01-01T00:00:01+00:00",
    "duration_ms": 1000,
    "success": True,
    "error": None,
    "input_data": None,
    "output_data": None,
}
RECORDS = "/api/database/records"
Query = Any  # what httpx.QueryParams takes


@pytest.fixture
def fake() -> Iterator[FakeInsForge]:
    with FakeInsForge() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def client(fake: FakeInsForge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.base_url, headers={"x-api-key": fake.api_key}) as http:
        yield http


def post(client: httpx.Client, rows: Any, prefer: str = "", table: str = "pipeline_traces", **query: str) -> httpx.Response:
    return client.post(f"{RECORDS}/{table}", params=query, json=rows, headers={"Prefer": prefer})


def post_span(client: httpx.Client, **columns: Any) -> httpx.Response:
    return post(client, [{**SPAN, **columns}], table="pipeline_spans")


def get(client: httpx.Client, query: Query | None = None, table: str = "pipeline_traces", **headers: str) -> httpx.Response:
    return client.get(f"{RECORDS}/{table}", params=httpx.QueryParams(query), headers=headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("code") or body["error"]


def trace(trace_id: str, **columns: Any) -> dict[str, Any]:
    return {**TRACE, "trace_id": trace_id, **columns}


# --- who may do what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "ik_fake"}, 200),
        ({"Authorization": "Bearer ik_fake"}, 200),
        ({"Authorization": "Bearer anon_fake"}, 200),
        ({"x-api-key": "ik_fake", "Authorization": "Bearer eyJ.wrong.jwt"}, 200),
        ({}, 401),
        ({"x-api-key": "ik_wrong"}, 401),
        ({"x-api-key": "ik_wrong", "Authorization": "Bearer ik_fake"}, 401),
        ({"Authorization": "Bearer anon_wrong"}, 401),
        ({"Authorization": "Bearer eyJ.expired.jwt"}, 401),
    ],
)
def test_keys_and_tokens(fake: FakeInsForge, headers: dict[str, str], status: int) -> None:
    answer = httpx.get(f"{fake.base_url}{RECORDS}/pipeline_traces", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert set(answer.json()) == {"error", "message", "statusCode", "nextActions"}
        assert answer.json()["error"].startswith("AUTH_")


def test_a_users_access_token_that_is_valid_is_taken(fake: FakeInsForge) -> None:
    headers = {"Authorization": f"Bearer {fake.access_token}"}
    assert httpx.get(f"{fake.base_url}{RECORDS}/pipeline_traces", headers=headers).status_code == 200


def test_the_environment_reaches_the_server(fake: FakeInsForge) -> None:
    assert fake.environment == {"INSFORGE_BASE_URL": fake.base_url, "INSFORGE_API_KEY": "ik_fake"}


def test_the_anon_key_may_do_all_with_tables_that_the_legacy_migration_left_open(fake: FakeInsForge) -> None:
    with httpx.Client(base_url=fake.base_url, headers={"Authorization": "Bearer anon_fake"}) as anon:
        assert post(anon, [TRACE]).status_code == 201
        assert len(get(anon).json()) == 1
        assert anon.patch(f"{RECORDS}/pipeline_traces", params={"trace_id": f"eq.{A}"}, json={"error": "x"}).status_code == 204
        assert anon.delete(f"{RECORDS}/pipeline_traces", params={"trace_id": f"eq.{A}"}).status_code == 204
    assert fake.rows("pipeline_traces") == []


def test_without_a_policy_the_anon_key_reads_nothing_and_may_not_insert(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [TRACE])
    fake.close_to_anon("pipeline_traces")
    with httpx.Client(base_url=fake.base_url, headers={"Authorization": "Bearer anon_fake"}) as anon:
        assert get(anon).json() == []
        assert code(post(anon, [trace(B)])) == (401, "42501")
        assert anon.delete(f"{RECORDS}/pipeline_traces").status_code == 204
    assert len(fake.rows("pipeline_traces")) == 1


# --- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[TRACE], TRACE], ids=["array", "object"])
@pytest.mark.parametrize("prefer", ["", "return=minimal"])
def test_an_insert_answers_an_empty_array(fake: FakeInsForge, client: httpx.Client, body: Any, prefer: str) -> None:
    answer = post(client, body, prefer)
    assert (answer.status_code, answer.json()) == (201, [])
    assert len(fake.rows("pipeline_traces")) == 1


def test_an_empty_array_is_taken(client: httpx.Client) -> None:
    answer = post(client, [])
    assert (answer.status_code, answer.json()) == (201, [])


def test_a_representation_holds_the_whole_row(client: httpx.Client) -> None:
    answer = post(client, [TRACE], "return=representation")
    (row,) = answer.json()
    assert answer.status_code == 201
    assert row == {"id": 1, **TRACE, "created_at": row["created_at"]}


def test_a_duplicate_key_rolls_the_whole_batch_back(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [TRACE])
    assert code(post(client, [trace(B), TRACE])) == (409, "23505")
    assert [row["trace_id"] for row in fake.rows("pipeline_traces")] == [A]


def test_merging_without_a_target_means_the_primary_key_and_so_conflicts(client: httpx.Client) -> None:
    post(client, [TRACE])
    assert code(post(client, [TRACE], "resolution=merge-duplicates")) == (409, "23505")


def test_merging_answers_201_for_new_rows_and_200_for_updated_ones(fake: FakeInsForge, client: httpx.Client) -> None:
    merge = {"prefer": "resolution=merge-duplicates", "on_conflict": "trace_id"}
    assert post(client, [TRACE], **merge).status_code == 201
    assert post(client, [{**TRACE, "error": "late"}], **merge).status_code == 200
    assert [row["error"] for row in fake.rows("pipeline_traces")] == ["late"]


def test_ignoring_duplicates_answers_201_both_times_and_keeps_the_first(fake: FakeInsForge, client: httpx.Client) -> None:
    ignore = {"prefer": "resolution=ignore-duplicates,return=minimal", "on_conflict": "trace_id"}
    for error in (None, "late"):
        answer = post(client, [{**TRACE, "error": error}, trace(B)], **ignore)
        assert (answer.status_code, answer.json()) == (201, [])
    assert [(row["trace_id"], row["error"]) for row in fake.rows("pipeline_traces")] == [(A, None), (B, None)]


def test_the_same_key_twice_in_a_batch_is_refused_when_merging_and_taken_when_ignoring(client: httpx.Client) -> None:
    assert code(post(client, [TRACE, TRACE], "resolution=merge-duplicates", on_conflict="trace_id")) == (500, "21000")
    assert post(client, [TRACE, TRACE], "resolution=ignore-duplicates", on_conflict="trace_id").status_code == 201


def test_a_partial_upsert_fails_on_the_columns_that_it_lacks(client: httpx.Client) -> None:
    post(client, [TRACE])
    merge = {"prefer": "resolution=merge-duplicates", "on_conflict": "trace_id"}
    assert code(post(client, [{"trace_id": A, "error": "x"}], **merge)) == (400, "23502")


def test_columns_that_all_rows_omit_keep_their_values(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [{**TRACE, "success": False, "error": "first"}])
    rest = {key: value for key, value in TRACE.items() if key not in ("success", "error")}
    assert post(client, [rest], "resolution=merge-duplicates", on_conflict="trace_id").status_code == 200
    assert [(row["success"], row["error"]) for row in fake.rows("pipeline_traces")] == [(False, "first")]


def test_columns_with_missing_default_overwrite_by_defaults(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [{**TRACE, "success": False, "error": "first"}])
    rest = {key: value for key, value in TRACE.items() if key not in ("success", "error")}
    prefer = "resolution=merge-duplicates,missing=default"
    assert post(client, [rest], prefer, on_conflict="trace_id", columns=",".join(TRACE)).status_code == 200
    assert [(row["success"], row["error"]) for row in fake.rows("pipeline_traces")] == [(True, None)]


def test_rows_with_different_keys(fake: FakeInsForge, client: httpx.Client) -> None:
    short = {key: value for key, value in trace(B).items() if key != "success"}
    columns = ",".join(TRACE)
    assert code(post(client, [TRACE, short])) == (400, "PGRST102")
    assert code(post(client, [TRACE, short], columns=columns)) == (400, "23502")
    assert post(client, [TRACE, short], "missing=default", columns=columns).status_code == 201
    assert [row["success"] for row in fake.rows("pipeline_traces")] == [True, True]


def test_keys_without_a_column(client: httpx.Client) -> None:
    assert code(post(client, [{**TRACE, "model": "x"}])) == (400, "PGRST204")
    assert post(client, [{**TRACE, "model": "x"}], columns=",".join(TRACE)).status_code == 201


@pytest.mark.parametrize(("target", "refused"), [("model", "42703"), ("pipeline_name", "42P10")])
def test_a_conflict_target_must_be_a_unique_column(client: httpx.Client, target: str, refused: str) -> None:
    assert code(post(client, [TRACE], "resolution=ignore-duplicates", on_conflict=target)) == (400, refused)


@pytest.mark.parametrize(
    ("prefer", "status"),
    [("handling=strict,shape=round", 400), ("shape=round", 201), ("handling=strict,return=minimal", 201), ("tx=rollback", 201)],
)
def test_unknown_preferences_are_refused_only_when_strict_and_there_is_no_dry_run(
    fake: FakeInsForge, client: httpx.Client, prefer: str, status: int
) -> None:
    answer = post(client, [TRACE], prefer)
    assert answer.status_code == status
    assert len(fake.rows("pipeline_traces")) == (status == 201)
    if status == 400:
        assert answer.json()["code"] == "PGRST122"


def test_each_try_burns_a_serial_id(fake: FakeInsForge, client: httpx.Client) -> None:
    for trace_id in (A, A, B):
        post(client, [trace(trace_id)], "resolution=ignore-duplicates", on_conflict="trace_id")
    assert [row["id"] for row in fake.rows("pipeline_traces")] == [1, 3]


def test_an_update_without_a_filter_reaches_every_row(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [TRACE, trace(B)])
    answer = client.patch(f"{RECORDS}/pipeline_traces", json={"error": "all"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [row["error"] for row in fake.rows("pipeline_traces")] == ["all", "all"]


def test_updates_and_deletes_can_show_their_rows(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [TRACE, trace(B)])
    shown: dict[str, Any] = {
        "params": {"trace_id": f"eq.{B}", "select": "trace_id,error"},
        "headers": {"Prefer": "return=representation"},
    }
    changed = client.patch(f"{RECORDS}/pipeline_traces", json={"error": "one"}, **shown)
    deleted = client.delete(f"{RECORDS}/pipeline_traces", **shown)
    assert (
        (changed.status_code, changed.json())
        == (deleted.status_code, deleted.json())
        == (200, [{"trace_id": B, "error": "one"}])
    )
    assert [row["trace_id"] for row in fake.rows("pipeline_traces")] == [A]


@pytest.mark.parametrize(
    ("changes", "refused"), [({"success": None}, "23502"), ({"trace_id": A}, "23505"), ({"x": 1}, "PGRST204")]
)
def test_an_update_that_is_refused_changes_nothing(
    fake: FakeInsForge, client: httpx.Client, changes: dict[str, Any], refused: str
) -> None:
    post(client, [TRACE, trace(B)])
    before = fake.rows("pipeline_traces")
    assert client.patch(f"{RECORDS}/pipeline_traces", json=changes).json()["code"] == refused
    assert fake.rows("pipeline_traces") == before


def test_gzip_bodies_are_taken_and_csv_is_not(fake: FakeInsForge, client: httpx.Client) -> None:
    path, kind = f"{RECORDS}/pipeline_traces", {"Content-Type": "application/json"}
    packed = gzip.compress(json.dumps([TRACE]).encode())
    assert client.post(path, content=packed, headers={**kind, "Content-Encoding": "gzip"}).status_code == 201
    assert client.post(path, content=b"oops", headers={**kind, "Content-Encoding": "gzip"}).status_code == 400
    assert client.post(path, content=b"trace_id\n1\n", headers={"Content-Type": "text/csv"}).status_code == 400
    assert len(fake.rows("pipeline_traces")) == 1


# --- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("trace_id", "0" * 31 + "d", "00000000-0000-0000-0000-00000000000d"),
        ("span_name", "ж" * 100, "ж" * 100),
        ("duration_ms", 0.005, 0.01),
        ("duration_ms", 99999999.99, 99999999.99),
        ("duration_ms", "12.3", 12.3),
        ("success", "false", False),
        ("start_time", "2026-01-01T03:00:00+03:00", "2026-01-01T00:00:00+00:00"),
        ("start_time", "2026-01-01T00:00:00.120000Z", "2026-01-01T00:00:00.12+00:00"),
        ("input_data", "text", "text"),
        ("input_data", {"a": [1, None]}, {"a": [1, None]}),
        ("error", "", ""),
        ("error", 'a literal \\u0000 and "quotes"', 'a literal \\u0000 and "quotes"'),
        ("input_data", {"a": "a literal \\u0000"}, {"a": "a literal \\u0000"}),
    ],
)
def test_values_are_stored_as_postgresql_does(
    fake: FakeInsForge, client: httpx.Client, column: str, value: Any, stored: Any
) -> None:
    assert post_span(client, **{column: value}).status_code == 201
    assert fake.rows("pipeline_spans")[0][column] == stored == get(client, table="pipeline_spans").json()[0][column]


@pytest.mark.parametrize(
    ("column", "value", "refused"),
    [
        ("span_id", "b7ad6b7169203331", "22P02"),
        ("span_name", "ж" * 101, "22001"),
        ("duration_ms", 1e8, "22003"),
        ("duration_ms", "fast", "22P02"),
        ("success", "perhaps", "22P02"),
        ("start_time", "soon", "22007"),
        ("start_time", "2026-13-01T00:00:00+00:00", "22008"),
        ("error", "a\x00b", "22P05"),
        ("input_data", {"a": ["\x00"]}, "22P05"),
        ("input_data", {"\x00": 1}, "22P05"),
        ("error", "\ud800", "PGRST102"),
        ("start_time", None, "23502"),
    ],
)
def test_a_value_that_does_not_fit_fails_the_whole_request(
    fake: FakeInsForge, client: httpx.Client, column: str, value: Any, refused: str
) -> None:
    body = json.dumps([{**SPAN, "span_id": C}, {**SPAN, column: value}])
    answer = client.post(f"{RECORDS}/pipeline_spans", content=body, headers={"Content-Type": "application/json"})
    assert code(answer) == (400, refused)
    assert fake.rows("pipeline_spans") == []


@pytest.mark.parametrize(("column", "value"), [("user_id", 2**31), ("telegram_id", 2**63)])
def test_integers_have_their_range(client: httpx.Client, column: str, value: int) -> None:
    assert code(post(client, [{**TRACE, column: value}])) == (400, "22003")
    assert code(post(client, [{**TRACE, column: 1.5}])) == (400, "22P02")


def test_a_failing_row_is_quoted_in_the_error(client: httpx.Client) -> None:
    body = post_span(client, start_time=None, error="a prompt").json()
    assert set(body) == {"code", "details", "hint", "message"}
    assert "a prompt" in body["details"]


@pytest.mark.parametrize("body", [b'[{"duration_ms": NaN}]', b"[", b"\xff"])
def test_what_is_not_json_is_refused_by_insforge_itself(client: httpx.Client, body: bytes) -> None:
    answer = client.post(f"{RECORDS}/pipeline_traces", content=body, headers={"Content-Type": "application/json"})
    assert code(answer) == (400, "INVALID_INPUT")


def test_the_proxy_deletes_empty_strings_that_are_not_for_text(fake: FakeInsForge, client: httpx.Client) -> None:
    assert post_span(client, input_data="", error="").status_code == 201
    assert [(row["input_data"], row["error"]) for row in fake.rows("pipeline_spans")] == [(None, "")]
    rows = [{**SPAN, "span_id": C, "input_data": ""}, {**SPAN, "span_id": A}]
    assert code(post(client, rows, table="pipeline_spans")) == (400, "PGRST102")


# --- reading -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(client: httpx.Client) -> httpx.Client:
    """Three traces: a succeeded, b failed, c succeeded with a user."""
    rows = [
        trace(A, pipeline_name="learn", telegram_id=1),
        trace(B, pipeline_name="train", telegram_id=2, success=False, error="ValueError: no"),
        trace(C, pipeline_name="Learn, again", telegram_id=3, user_id=7, start_time="2026-02-01T00:00:00+00:00"),
    ]
    post(client, rows)
    return client


def ids(answer: httpx.Response) -> str:
    assert answer.status_code in (200, 206), answer.text
    return "".join(row["trace_id"][-1] for row in answer.json())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "abc"),
        ({"telegram_id": "eq.2"}, "b"),
        ({"telegram_id": "neq.2"}, "ac"),
        ({"telegram_id": "gt.1"}, "bc"),
        ({"telegram_id": "gte.2"}, "bc"),
        ({"telegram_id": "lt.2"}, "a"),
        ({"telegram_id": "lte.2"}, "ab"),
        ({"success": "eq.True"}, "ac"),
        ({"success": "is.false"}, "b"),
        ({"user_id": "is.null"}, "ab"),
        ({"user_id": "not.is.null"}, "c"),
        ({"user_id": "neq.8"}, "c"),
        ({"user_id": "not.eq.8"}, "c"),
        ({"trace_id": f"in.({A},{C})"}, "ac"),
        ({"trace_id": f"not.in.({A},{C})"}, "b"),
        ({"pipeline_name": 'in.("Learn, again",train)'}, "bc"),
        ({"pipeline_name": "like.l*"}, "a"),
        ({"pipeline_name": "ilike.l*"}, "ac"),
        ({"or": "(telegram_id.eq.1,success.eq.false)"}, "ab"),
        ({"or": f"(and(telegram_id.gte.2,success.is.true),trace_id.in.({A},{B}))"}, "abc"),
        ({"not.or": "(telegram_id.eq.1,telegram_id.eq.2)"}, "c"),
        ({"and": "(telegram_id.not.eq.1,telegram_id.lt.3)"}, "b"),
        ([("start_time", "gte.2026-01-01T00:00:00+00:00"), ("start_time", "lt.2026-01-31T00:00:00+00:00")], "ab"),
        ({"order": "telegram_id.desc"}, "cba"),
        ({"order": "user_id"}, "cab"),
        ({"order": "user_id.desc,telegram_id.desc"}, "bac"),
        ({"order": "user_id.desc.nullslast,telegram_id"}, "cab"),
        ({"order": "id.asc", "id": "gt.1", "limit": "1"}, "b"),
        ({"limit": "2", "offset": "1"}, "bc"),
        ({"limit": "0"}, ""),
        ({"offset": "9"}, ""),
    ],
)
def test_filters_order_and_pages(filled: httpx.Client, query: Query, found: str) -> None:
    assert ids(get(filled, query)) == found


def test_columns_can_be_chosen_and_renamed(filled: httpx.Client) -> None:
    assert get(filled, {"select": "telegram_id,name:pipeline_name", "limit": "1"}).json() == [
        {"telegram_id": 1, "name": "learn"}
    ]


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("success=True", (400, "PGRST100")),
        ("success=almost.true", (400, "PGRST100")),
        ("or=success.eq.true", (400, "PGRST100")),
        ("limit=many", (400, "PGRST100")),
        ("model=eq.x", (400, "42703")),
        ("order=model", (400, "42703")),
        ("select=model", (400, "42703")),
        ("telegram_id=eq.x", (400, "22P02")),
        ("start_time=gte.2026-01-01T00:00:00+00:00", (400, "22007")),
        ("select=id.max()", (400, "PGRST123")),
        ("select=pipeline_spans(*)", (400, "PGRST200")),
    ],
)
def test_queries_that_are_refused(filled: httpx.Client, query: str, refused: tuple[int, str]) -> None:
    assert code(filled.get(f"{RECORDS}/pipeline_traces?{query}")) == refused


@pytest.mark.parametrize(
    ("query", "prefer", "status", "content_range"),
    [
        ({"limit": "2"}, "count=exact", 206, "0-1/3"),
        ({}, "count=exact", 200, "0-2/3"),
        ({"limit": "2", "offset": "2"}, "count=exact", 206, "2-2/3"),
        ({"limit": "2"}, "", 200, "0-1/*"),
        ({"offset": "9"}, "", 200, "*/*"),
        ({"telegram_id": "eq.9"}, "count=exact", 200, "*/0"),
    ],
)
def test_counts(filled: httpx.Client, query: Query, prefer: str, status: int, content_range: str) -> None:
    answer = get(filled, query, Prefer=prefer)
    assert (answer.status_code, answer.headers["content-range"]) == (status, content_range)


def test_an_offset_past_the_end_is_refused_when_counting(filled: httpx.Client) -> None:
    assert code(get(filled, {"offset": "9"}, Prefer="count=exact")) == (416, "PGRST103")


def test_head_has_the_count_and_no_body(filled: httpx.Client) -> None:
    answer = filled.head(f"{RECORDS}/pipeline_traces", headers={"Prefer": "count=exact"})
    assert (answer.status_code, answer.headers["content-range"], answer.content) == (200, "0-2/3", b"")


def test_a_single_object(filled: httpx.Client) -> None:
    accept = {"Accept": "application/vnd.pgrst.object+json"}
    assert get(filled, {"telegram_id": "eq.1", "select": "telegram_id"}, **accept).json() == {"telegram_id": 1}
    assert code(get(filled, {"telegram_id": "eq.9"}, **accept)) == (406, "PGRST116")


def test_there_is_no_default_limit(client: httpx.Client) -> None:
    post(client, [trace(f"00000000-0000-0000-0000-{number:012x}") for number in range(1_200)])
    assert len(get(client).json()) == 1_200


def test_long_urls_are_refused(filled: httpx.Client) -> None:
    assert get(filled, {"trace_id": f"in.({','.join([A] * 250)})"}).status_code == 200
    assert get(filled, {"trace_id": f"in.({','.join([A] * 1000)})"}).status_code == 431


def test_unknown_tables_routes_and_methods(client: httpx.Client) -> None:
    assert code(get(client, table="users")) == (404, "42P01")
    assert code(get(client, table="us%22ers")) == (400, "INVALID_INPUT")
    assert code(client.get("/api/nothing")) == (404, "NOT_FOUND")
    assert code(client.put(f"{RECORDS}/pipeline_traces")) == (405, "PGRST117")


# --- limits, failures, tables of a test's own ------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_a_500(client: httpx.Client, fake: FakeInsForge) -> None:
    fake.max_body_bytes = 100
    answer = post(client, [TRACE])
    assert code(answer) == (500, "INTERNAL_ERROR")
    assert answer.json()["message"] == "request entity too large"


@pytest.mark.parametrize(
    ("kind", "status", "shown"),
    [
        ("timeout", 500, "timeout of 10000ms exceeded"),
        ("database_down", 500, "connect ECONNREFUSED"),
        ("deadlock", 500, "40P01"),
        ("pool_exhausted", 504, "PGRST003"),
        ("throttled", 429, "TOO_MANY_REQUESTS"),
        ("bad_gateway", 502, "<html>"),
        ("proxy_limit", 413, "<html>"),
        ("schema_reload", 404, "{}"),
    ],
)
@pytest.mark.parametrize("commit", [False, True])
def test_failures_can_be_played(
    fake: FakeInsForge, client: httpx.Client, kind: Any, status: int, shown: str, commit: bool
) -> None:
    fake.fail_next(kind, commit=commit)
    answer = post(client, [TRACE])
    assert answer.status_code == status
    assert shown in answer.text
    assert len(fake.rows("pipeline_traces")) == commit
    assert get(client).status_code == 200


def test_a_failure_can_be_repeated_or_made_up(fake: FakeInsForge, client: httpx.Client) -> None:
    fake.fail_next("throttled", times=2)
    fake.fail_next(status=418, body={"code": "TEAPOT"}, retry_after="7")
    answers = [get(client) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 418, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["1", "1", "7", None]


def test_the_connection_can_be_cut(fake: FakeInsForge, client: httpx.Client) -> None:
    fake.fail_next("hang_up", commit=True)
    with pytest.raises(httpx.RemoteProtocolError):
        post(client, [TRACE])
    assert len(fake.rows("pipeline_traces")) == 1


def test_requests_are_kept(fake: FakeInsForge, client: httpx.Client) -> None:
    post(client, [TRACE], on_conflict="trace_id")
    (request,) = fake.requests
    assert (request.method, request.target) == ("POST", f"{RECORDS}/pipeline_traces?on_conflict=trace_id")
    assert request.json() == [TRACE]


def test_a_table_of_the_tests_own(fake: FakeInsForge, client: httpx.Client) -> None:
    columns = [
        Column("id", "int4", nullable=False, default=SERIAL),
        Column("agent_name", "text", nullable=False),
        Column("is_active", "bool", nullable=False, default=True),
        Column("updated_at", "timestamptz", default=NOW),
    ]
    fake.add_table("agent_model_config", columns, unique=["agent_name"])
    assert post(client, [{"agent_name": "strategist"}], table="agent_model_config").status_code == 201
    answer = get(client, {"is_active": "eq.true", "select": "id,agent_name"}, table="agent_model_config")
    assert answer.json() == [{"id": 1, "agent_name": "strategist"}]
    fake.drop_table("agent_model_config")
    assert code(get(client, table="agent_model_config")) == (404, "42P01")


def test_rows_outlive_an_outage(client: httpx.Client, fake: FakeInsForge) -> None:
    post(client, [TRACE])
    fake.stop()
    with pytest.raises(httpx.ConnectError):
        get(client)
    fake.start()
    assert len(get(client).json()) == 1
