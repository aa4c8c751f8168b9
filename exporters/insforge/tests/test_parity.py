"""Legacy rows against Langfuse observations, on divergences that were put there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from legacy_spans import (
    AGENT,
    AGENT_HEX,
    CALL_HEX,
    CHAT,
    PIPELINE,
    ROOT,
    ROOT_HEX,
    START_NS,
    TRACE_HEX,
    make_span,
    pipeline_run,
    rows_of,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_llm.delivery import Parity
from otel_llm_insforge import LegacyDestination, MappingOptions, RestStore, Row, SqlStore, create_engine, map_span, parse_url

TYPES = {"invoke_workflow": "CHAIN", "invoke_agent": "AGENT", "chat": "GENERATION"}


@pytest.fixture(params=["rest", "sql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RestStore | SqlStore:
    """Each store."""
    if request.param == "sql":
        return SqlStore(create_engine(parse_url(f"sqlite:///{tmp_path}/legacy.db")), create_tables=True)
    found: RestStore = request.getfixturevalue("rest")
    return found


def observation(span: ReadableSpan, **changes: Any) -> dict[str, Any]:
    """As Langfuse reads it back: milliseconds, and no prefix of the trace id."""
    context, operation = span.get_span_context(), (span.attributes or {}).get("gen_ai.operation.name")
    assert context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return {
        "id": f"{context.span_id:016x}",
        "traceId": f"{context.trace_id:032x}",
        "parentObservationId": None if span.parent is None else f"{span.parent.span_id:016x}",
        "type": TYPES.get(str(operation), "SPAN"),
        "name": span.name,
        "startTime": iso(span.start_time),
        "endTime": iso(span.end_time),
        "level": "ERROR" if span.status.status_code is StatusCode.ERROR else "DEFAULT",
        "latency": 1.5,
        **changes,
    }


def iso(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds // 1_000_000 % 1_000:03d}Z"


RUN = pipeline_run(0)
SEEN = [observation(span) for span in RUN]
ROWS = rows_of(RUN)


def parity(store: RestStore | SqlStore, seen: list[dict[str, Any]], trace_ids: list[str] | None = None) -> Parity:
    return LegacyDestination(store).compare(iter(seen), trace_ids)


def test_rows_and_observations_of_the_same_spans_agree(store: RestStore | SqlStore) -> None:
    store.insert(ROWS, timeout_s=5)
    found = parity(store, SEEN)
    assert found == Parity(compared=3)
    assert found.agrees


@pytest.mark.parametrize(
    ("lost", "missing"),
    [(ROOT_HEX, (ROOT_HEX,)), (AGENT_HEX, (AGENT_HEX,)), (CALL_HEX, (CALL_HEX,))],
    ids=["root", "agent", "call"],
)
def test_a_row_that_is_not_there_is_missing(store: RestStore | SqlStore, lost: str, missing: tuple[str, ...]) -> None:
    store.insert([row for span, row in zip(RUN, ROWS, strict=True) if observation(span)["id"] != lost], timeout_s=5)
    assert parity(store, SEEN) == Parity(compared=2, missing=missing)


@pytest.mark.parametrize(
    ("lost", "missing"),
    [(ROOT_HEX, (TRACE_HEX,)), (AGENT_HEX, (AGENT_HEX,)), (CALL_HEX, (CALL_HEX,))],
    ids=["root", "agent", "call"],
)
def test_an_observation_that_is_not_there_is_missing(store: RestStore | SqlStore, lost: str, missing: tuple[str, ...]) -> None:
    store.insert(ROWS, timeout_s=5)
    assert parity(store, [seen for seen in SEEN if seen["id"] != lost]) == Parity(compared=2, missing=missing)


@pytest.mark.parametrize("trace_ids", [None, [TRACE_HEX]], ids=["window", "traces"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["root", "agent", "call"])
@pytest.mark.parametrize(
    "changes",
    [
        {"startTime": iso(START_NS - 1_000_000)},
        {"endTime": iso(START_NS + 1_501_000_000)},
        {"level": "ERROR"},
        {"name": "invoke_agent memory"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_fact_that_differs_is_told(
    store: RestStore | SqlStore, which: int, changes: dict[str, Any], trace_ids: list[str] | None
) -> None:
    store.insert(ROWS, timeout_s=5)
    seen = [{**item, **(changes if at == which else {})} for at, item in enumerate(SEEN)]
    assert parity(store, seen, trace_ids) == Parity(compared=3, different=(SEEN[which]["id"],))


@pytest.mark.parametrize("name", ["strategist", "agent:strategist", "invoke_agent strategist"])
def test_an_agent_may_be_named_by_langfuse_in_any_of_these_ways(store: RestStore | SqlStore, name: str) -> None:
    store.insert(ROWS, timeout_s=5)
    assert parity(store, [SEEN[0], {**SEEN[1], "name": name}, SEEN[2]]).agrees


def test_names_are_compared_through_the_map(rest: RestStore) -> None:
    names = {"llm:anthropic": "sonnet", "agent:strategist": "planner"}
    options = MappingOptions(span_names=names)
    rest.insert([row for span in RUN for row in map_span(span, options)], timeout_s=5)
    assert LegacyDestination(rest, options).compare(SEEN).agrees
    assert LegacyDestination(rest).compare(SEEN).different == (AGENT_HEX, CALL_HEX)


def test_two_pipelines_of_a_trace_join_their_own_roots(store: RestStore | SqlStore) -> None:
    second_root = 0x1111111111111111
    second = {"otel_llm.pipeline.primary": False, "otel_llm.pipeline.span_id": f"{second_root:016x}"}
    spans = [
        *RUN,
        make_span({**PIPELINE, **second}, name="invoke_workflow learn", span_id=second_root, start_ns=START_NS + 10**9),
        make_span({**CHAT, **second}, span_id=0x2222222222222222, parent=second_root, start_ns=START_NS + 10**9),
    ]
    store.insert(rows_of(spans), timeout_s=5)
    assert parity(store, [observation(span) for span in spans], [TRACE_HEX]) == Parity(compared=5)


def test_an_agent_before_the_pipeline_does_not_pass_for_its_root(store: RestStore | SqlStore) -> None:
    store.insert(ROWS, timeout_s=5)
    foreign = make_span({"gen_ai.operation.name": "invoke_agent"}, name="invoke_agent x", span_id=5, start_ns=START_NS - 10**9)
    assert parity(store, [observation(foreign), *SEEN]) == Parity(compared=3, missing=("0000000000000005",))


def test_what_the_legacy_tables_never_had_is_excluded_by_reason(store: RestStore | SqlStore) -> None:
    store.insert(ROWS, timeout_s=5)
    lone = make_span(CHAT, trace_id=7)
    inside_lone = make_span(CHAT, trace_id=7, span_id=8, parent=int(CALL_HEX, 16))
    others = [
        observation(lone),
        observation(inside_lone),
        observation(make_span({}, span_id=9, name="GET /"), type="SPAN"),
        observation(make_span({}, span_id=10, name="thumbs up"), type="EVENT"),
        {"id": "an-id-of-the-langfuse-sdk", "traceId": TRACE_HEX, "startTime": SEEN[0]["startTime"]},
        observation(lone, startTime="yesterday"),
    ]
    assert parity(store, [*SEEN, *others]) == Parity(
        compared=3,
        excluded={
            "of a type that the legacy tables never had": 2,
            "outside any pipeline": 2,
            "without the ids and times of an OpenTelemetry span": 2,
        },
    )


def test_rows_of_the_old_tracing_are_excluded_in_a_window(store: RestStore | SqlStore) -> None:
    old = {"trace_id": "9b2f1c7e-3a4d-4c5b-8e6f-0123456789ab"}
    old_span = {**old, "span_id": "1c7e9b2f-3a4d-4c5b-9e6f-0123456789ab"}
    store.insert(ROWS, timeout_s=5)
    store.insert(
        [Row(ROWS[0].table, {**ROWS[0].columns, **old}), Row(ROWS[1].table, {**ROWS[1].columns, **old_span})], timeout_s=5
    )
    assert parity(store, SEEN) == Parity(compared=3, excluded={"written by the old tracing": 2})


def test_rows_outside_the_window_are_left_alone_and_those_inside_are_missing(store: RestStore | SqlStore) -> None:
    store.insert([*ROWS, *rows_of(pipeline_run(1)), *rows_of(pipeline_run(2, start_ns=START_NS + 10**10))], timeout_s=5)
    inside = f"{int(TRACE_HEX, 16) + (1 << 64):032x}"
    assert parity(store, SEEN) == Parity(compared=3, missing=tuple(sorted([inside, AGENT_HEX, CALL_HEX])))


def test_a_trace_that_langfuse_has_nothing_of_is_missing_where_asked_for(store: RestStore | SqlStore) -> None:
    store.insert(ROWS, timeout_s=5)
    assert parity(store, [], [TRACE_HEX]) == Parity(missing=tuple(sorted([TRACE_HEX, AGENT_HEX, CALL_HEX])))
    assert not parity(store, []).agrees


def test_calls_outside_pipelines_agree_where_they_are_written_too(rest: RestStore) -> None:
    lone = make_span({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}, name="chat gpt-5")
    below_http = make_span(
        {"gen_ai.operation.name": "chat", "otel_llm.ancestor.span_id": ""}, name="chat gpt-5", span_id=AGENT, parent=ROOT
    )
    options = MappingOptions(orphans="synthesize")
    destination = LegacyDestination(rest, options)
    rest.insert([row for span in (lone, below_http) for row in map_span(span, options)], timeout_s=5)
    seen = [observation(lone), observation(below_http, parentObservationId=None)]
    assert destination.compare(seen) == Parity(compared=2)
