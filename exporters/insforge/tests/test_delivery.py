"""The destination behind the delivery machinery: every good row arrives once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from legacy_spans import CALL, PIPELINE, ROOT, TRACE_ID, make_span, pipeline_run
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Destination, Outcome, Split, SupportsParity
from otel_llm.delivery.queue import Delivery
from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import InsForgeExporter, LegacyDestination, RestStore


@pytest.fixture
def destination(rest: RestStore) -> LegacyDestination:
    return LegacyDestination(rest)


@pytest.fixture
def delivery(destination: LegacyDestination) -> Iterator[Delivery]:
    delivery = Delivery(destination, linger_s=0)
    yield delivery
    delivery.shutdown()


def test_it_is_a_destination_that_supports_parity(destination: LegacyDestination) -> None:
    checked: Destination = destination
    assert checked.name == "insforge"
    assert isinstance(destination, SupportsParity)


def test_spans_become_rows(insforge: FakeInsForge, delivery: Delivery, destination: LegacyDestination) -> None:
    spans = [*pipeline_run(calls=2), make_span({"http.request.method": "GET"})]
    assert [delivery.offer(span) for span in spans] == [True] * 5
    assert delivery.flush()
    assert [row["span_name"] for row in insforge.rows("pipeline_spans")] == ["agent:strategist", "llm:claude", "llm:claude"]
    assert destination.row_counts() == {"pipeline_traces": 1, "pipeline_spans": 3}
    assert (delivery.stats.delivered, delivery.stats.skipped) == (4, 1)


def poisoned(destination: LegacyDestination, span: ReadableSpan) -> bytes:
    """A record whose id InsForge refuses, as only a defect of ours could make it."""
    record = destination.encode(span)
    assert record is not None
    return record.replace(b'"trace_id":"0', b'"trace_id":"x', 1)


def test_a_poison_row_is_rejected_alone(insforge: FakeInsForge, destination: LegacyDestination) -> None:
    records = [record for span in pipeline_run(calls=20) if (record := destination.encode(span))]
    records.insert(7, poisoned(destination, make_span(PIPELINE, span_id=ROOT, trace_id=TRACE_ID + 5)))
    rejected: list[bytes] = []
    waiting = [records]
    while waiting:
        part = waiting.pop()
        outcome: Outcome = destination.send(part, timeout_s=5)
        if isinstance(outcome, Split):
            rejected += part if len(part) == 1 else []
            waiting += [part[: len(part) // 2], part[len(part) // 2 :]] if len(part) > 1 else []
        else:
            assert outcome == Delivered()
    assert rejected == [records[7]]
    assert destination.row_counts() == {"pipeline_traces": 1, "pipeline_spans": 21}


@pytest.mark.parametrize(
    "record", [b"", b"{}", b"\xff", b'{"table":"pipeline_spans","row":{"id":1}}', b'{"table":"users","row":{}}']
)
def test_a_record_that_is_none_is_not_sent(insforge: FakeInsForge, destination: LegacyDestination, record: bytes) -> None:
    good = destination.encode(pipeline_run()[0])
    assert good is not None
    outcome = destination.send([good, record], timeout_s=5)
    if record == b"":
        assert outcome == Delivered()
    else:
        assert outcome == Split("a record is not that of a legacy row")
        assert insforge.requests == []


def test_a_failure_after_the_commit_leaves_one_row(insforge: FakeInsForge, delivery: Delivery) -> None:
    insforge.fail_next("timeout", commit=True)
    delivery.offer(pipeline_run()[0])
    assert delivery.flush()
    assert len(insforge.rows("pipeline_traces")) == 1
    assert (delivery.stats.delivered, delivery.stats.retries) == (1, 1)


def test_an_outage_is_waited_for(insforge: FakeInsForge, delivery: Delivery) -> None:
    insforge.stop()
    for span in pipeline_run(calls=50):
        delivery.offer(span)
    assert not delivery.flush(timeout_s=0.05)
    insforge.start()
    assert delivery.flush()
    assert len(insforge.rows("pipeline_spans")) == 51


def test_two_writers_of_the_same_spans_store_each_row_once(insforge: FakeInsForge) -> None:
    exporters = [InsForgeExporter(base_url=insforge.base_url, api_key=insforge.api_key) for _ in range(2)]
    spans = pipeline_run(calls=30)
    for exporter, order in zip(exporters, (spans, spans[::-1]), strict=True):
        exporter.export(order)
    assert all(exporter.force_flush() for exporter in exporters)
    for exporter in exporters:
        exporter.shutdown()
    ids = [row["span_id"] for row in insforge.rows("pipeline_spans")]
    assert len(ids) == len(set(ids)) == 31


def test_a_row_too_large_for_insforge_is_rejected_and_the_others_arrive(insforge: FakeInsForge, delivery: Delivery) -> None:
    insforge.max_body_bytes = 20_000
    huge = make_span({**PIPELINE, "gen_ai.operation.name": "chat"}, span_id=CALL + 1000, parent=ROOT, error="x" * 40_000)
    for span in [*pipeline_run(0, calls=10), huge]:
        delivery.offer(span)
    assert delivery.flush()
    assert len(insforge.rows("pipeline_spans")) == 11
    assert (delivery.stats.rejected, delivery.stats.delivered) == (1, 12)
