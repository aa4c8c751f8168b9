"""An InsForge, or what stands before it, that answers without end; and pages of rows, which are wanted whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest
from legacy_spans import TRACE_UUID, pipeline_run, rows_of

from otel_llm.delivery import Delivered, Outcome, Retry, bounded_http
from otel_llm.testing.server import LoopbackServer, Request, Response
from otel_llm_insforge import RestStore, Row

ROWS = rows_of(pipeline_run(0, calls=2))


class Backend(LoopbackServer):
    """Answers each request alike."""

    def __init__(self) -> None:
        super().__init__()
        self.next = Response()

    def answer(self, request: Request) -> Response:
        return self.next


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


def inserted(backend: Backend, status: int, body: Iterable[bytes]) -> Outcome:
    backend.next = Response(status, {}, body)
    store = RestStore(backend.base_url, lambda: "ik_x")
    try:
        return store.insert(ROWS[:1], timeout_s=5)
    finally:
        store.close()


def test_an_answer_that_drips_is_no_answer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(bounded_http, "time", SimpleNamespace(monotonic=lambda: next(seconds) / 4))
    assert inserted(backend, 201, itertools.repeat(b" ", 5_000)) == Retry("InsForge cannot be reached: ReadTimeout")


def test_an_answer_that_is_too_long_is_told_by_its_status_and_beginning(backend: Backend) -> None:
    assert inserted(backend, 201, [b"[", *[b" " * 65_536] * 64]) == Delivered()
    # Whole, it would be JSON that tells a deadlock.
    whole = [b'{"code": "40P01", "message": "', *[b"x" * 65_536] * 64, b'"}']
    assert inserted(backend, 500, whole) == Retry("InsForge failed for an unknown reason (status 500)", after_s=1.0)


def test_a_long_page_of_rows_is_read_whole(rest: RestStore) -> None:
    long = [
        Row(row.table, {**row.columns, "input_data": {"data": "x" * 200_000}}) if row.table == "pipeline_spans" else row
        for row in ROWS
    ]
    assert rest.insert(long, timeout_s=5) == Delivered()
    found = list(rest.read_traces("pipeline_spans", [TRACE_UUID]))
    assert sorted(found, key=lambda row: row.key) == sorted(long[1:], key=lambda row: row.key)
