"""Answers of collectors that took a request, but not all of its spans."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llm.delivery import Delivered
from otel_llm.testing.server import LoopbackServer, Request, Response
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.partial_success import PartialSuccess, RejectedSpans, partial_success_of

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def binary(rejected: int, message: str = "") -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return bytes(answer.SerializeToString())


def as_json(**told: Any) -> bytes:
    return json.dumps({"partialSuccess": told}).encode()


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        (PROTOBUF, binary(512, "quota"), PartialSuccess(512, "quota")),
        (PROTOBUF, binary(1), PartialSuccess(1, "")),
        (PROTOBUF, binary(0, "deprecated"), PartialSuccess(0, "deprecated")),
        (PROTOBUF, binary(-5), None),
        (PROTOBUF, binary(0), None),
        (PROTOBUF, b"", None),
        (PROTOBUF, b"{}", None),
        (PROTOBUF, b"\xff\xff", None),
        (JSON, as_json(rejectedSpans="7", errorMessage="quota"), PartialSuccess(7, "quota")),
        (JSON, as_json(rejectedSpans=7), PartialSuccess(7, "")),
        (JSON, b'{"partial_success": {"rejected_spans": 7, "error_message": "quota"}}', PartialSuccess(7, "quota")),
        (JSON, as_json(errorMessage="deprecated"), PartialSuccess(0, "deprecated")),
        (JSON, as_json(rejectedSpans=-7, errorMessage=7), None),
        (JSON, as_json(rejectedSpans=True), None),
        (JSON, as_json(rejectedSpans="9" * 5_000), None),
        (JSON, as_json(), None),
        (JSON, b"{}", None),
        (JSON, b'{"partialSuccess": []}', None),
        (JSON, b"[" * 100_000, None),
        (JSON, b'{"partialSuc', None),
        ({}, b"OK", None),
        ({}, as_json(rejectedSpans=7), PartialSuccess(7, "")),
    ],
)
def test_what_an_answer_says(headers: dict[str, str], body: bytes, told: PartialSuccess | None) -> None:
    assert partial_success_of(httpx.Response(200, headers=headers, content=body)) == told


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def answer(rejected: int, message: str = "") -> httpx.Response:
    return httpx.Response(200, headers=PROTOBUF, content=binary(rejected, message))


def test_it_is_counted_each_time_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    rejected = RejectedSpans("collector.example.com", str, clock)
    for at in (0.0, 59.0, 60.0):
        clock.now = at
        rejected.note(answer(5, "quota"))
    line = "langfuse: collector.example.com rejected 5 span(s) of a request that it took: quota. They are not sent again; "
    assert warnings(caplog) == [f"{line}5 in all so far.", f"{line}15 in all so far."]


def test_a_warning_that_nothing_was_rejected_with_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    rejected = RejectedSpans("collector.example.com", str, clock)
    for at in (0.0, 59.0, 60.0):
        clock.now = at
        rejected.note(answer(0, "deprecated"))
    assert rejected.count == 0
    assert warnings(caplog) == ["langfuse: collector.example.com took all spans of a request, and warns: deprecated"] * 2


def test_nothing_is_logged_of_a_full_success(caplog: pytest.LogCaptureFixture) -> None:
    rejected = RejectedSpans("collector.example.com", str)
    rejected.note(httpx.Response(200, content=b"{}"))
    rejected.note(answer(0))
    assert (rejected.count, caplog.records) == (0, [])


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ("", "it gave no reason"),
        ("two\r\nlines\x00 and \x1b[31mred\u2028", "two lines and [31mred"),
        ("x" * 5_000, "x" * 200),
    ],
)
def test_a_message_is_one_short_line(caplog: pytest.LogCaptureFixture, message: str, logged: str) -> None:
    RejectedSpans("collector.example.com", str).note(answer(1, message))
    assert warnings(caplog)[0].partition(" took: ")[2] == f"{logged}. They are not sent again; 1 in all so far."


class Collector(LoopbackServer):
    def answer(self, request: Request) -> Response:
        assert request.path == "/v1/traces"
        return Response(200, PROTOBUF, binary(2, "too large: sk-lf-01234567-89ab-cdef-0123-456789abcdef"))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server
        assert server.failures == []


def test_what_a_collector_rejects_is_not_sent_again(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    destination = LangfuseDestination(LangfuseSettings.load(via=collector.base_url))
    assert destination.send([b"", b"", b""], timeout_s=5) == Delivered()
    destination.close()
    assert destination.rejected.count == 2
    (line,) = warnings(caplog)
    assert line.startswith("langfuse: 127.0.0.1 rejected 2 span(s) of a request that it took: too large: ")
    assert "89ab" not in line  # it is masked as contents are
