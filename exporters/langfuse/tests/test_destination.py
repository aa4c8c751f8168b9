"""What is sent over HTTP, and what each answer means."""

from __future__ import annotations

import base64
import gzip
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Pause, Retry, Split
from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

MakeSpan = Callable[..., ReadableSpan]
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


class Backend(LoopbackServer):
    """Answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__()
        self.next: Response | type[HangUp] = Response.json({})
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        if isinstance(self.next, Response):
            return self.next
        raise self.next


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


@pytest.fixture
def destination(backend: Backend) -> Iterator[LangfuseDestination]:
    made = LangfuseDestination(
        LangfuseSettings.load(public_key="pk-lf-1", secret_key="sk-lf-1", base_url=f"{backend.base_url}/langfuse/")
    )
    yield made
    made.close()


def spans(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return [span.name for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def test_a_batch_is_one_compressed_request(backend: Backend, destination: LangfuseDestination, make_span: MakeSpan) -> None:
    records = [destination.encode(make_span(CHAT, name=name, span_id=index)) for index, name in enumerate("ab", 1)]

    assert destination.send([record for record in records if record], timeout_s=5) == Delivered()

    [request] = backend.requests
    wanted = (
        "authorization",
        "content-type",
        "content-encoding",
        "x-langfuse-sdk-name",
        "x-langfuse-sdk-version",
        "x-langfuse-ingestion-version",
    )
    assert (request.method, request.target, {name: request.headers[name] for name in wanted}) == (
        "POST",
        "/langfuse/api/public/otel/v1/traces",
        {
            "authorization": "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-1").decode(),
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "x-langfuse-sdk-name": "otel-llm",
            "x-langfuse-sdk-version": "0.1.0",
            "x-langfuse-ingestion-version": "4",
        },
    )
    assert spans(request.body) == ["a", "b"]


def test_each_try_sends_the_same_bytes(backend: Backend, destination: LangfuseDestination, make_span: MakeSpan) -> None:
    record = destination.encode(make_span(CHAT))
    assert record == destination.encode(make_span(CHAT))
    for _ in range(2):
        destination.send([record or b""], timeout_s=5)
    assert backend.requests[0].body == backend.requests[1].body


def test_spans_that_are_not_genai_have_no_record(destination: LangfuseDestination, make_span: MakeSpan) -> None:
    assert destination.encode(make_span({"http.request.method": "GET"})) is None


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Delivered()),
        (202, {}, Delivered()),
        (400, {}, Split("Langfuse answered 400: a span in the batch is malformed")),
        (413, {}, Split("Langfuse answered 413: the batch is too large")),
        (422, {}, Split("Langfuse answered 422: a span in the batch cannot be processed")),
        (
            302,
            {"Location": "https://login.example.com/sso?token=secret"},
            Pause(
                "Langfuse answered 302: redirected to login.example.com, perhaps a login page; check LANGFUSE_BASE_URL",
            ),
        ),
        (
            307,
            {"Location": "/other"},
            Pause("Langfuse answered 307: redirected to another path, perhaps a login page; check LANGFUSE_BASE_URL"),
        ),
        (
            401,
            {},
            Pause(
                "Langfuse answered 401: the keys are not accepted; "
                "check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL"
            ),
        ),
        (
            403,
            {},
            Pause(
                "Langfuse answered 403: the keys may not send spans, or the project is suspended; "
                "check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL"
            ),
        ),
        (404, {}, Pause("Langfuse answered 404: there is no Langfuse OTLP endpoint; check LANGFUSE_BASE_URL")),
        (
            405,
            {},
            Pause("Langfuse answered 405: this is not how its OTLP endpoint answers; check LANGFUSE_BASE_URL"),
        ),
        (408, {}, Retry("Langfuse answered 408")),
        (429, {"Retry-After": "37"}, Retry("Langfuse answered 429", 37.0)),
        (429, {"Retry-After": "soon"}, Retry("Langfuse answered 429")),
        (429, {"Retry-After": "-1"}, Retry("Langfuse answered 429")),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Retry("Langfuse answered 503", 0.0)),
        (500, {}, Retry("Langfuse answered 500")),
        (502, {}, Retry("Langfuse answered 502")),
    ],
)
def test_an_answer_decides_what_happens_next(
    backend: Backend, destination: LangfuseDestination, status: int, headers: dict[str, str], outcome: Any
) -> None:
    backend.next = Response.json({"message": "a prompt, quoted by the server"}, status, headers)
    assert destination.send([b""], timeout_s=5) == outcome


def test_a_date_in_retry_after_is_a_time_to_wait(backend: Backend, destination: LangfuseDestination) -> None:
    backend.next = Response(503, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)})
    outcome = destination.send([b""], timeout_s=5)
    assert isinstance(outcome, Retry)
    assert outcome.after_s is not None
    assert 3000 < outcome.after_s <= 3600


def test_a_broken_connection_is_tried_again(backend: Backend, destination: LangfuseDestination) -> None:
    backend.next = HangUp
    outcome = destination.send([b""], timeout_s=5)
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("127.0.0.1 could not be reached or did not answer: RemoteProtocolError")


def test_a_server_that_is_down_is_tried_again(backend: Backend, destination: LangfuseDestination) -> None:
    backend.stop()
    outcome = destination.send([b""], timeout_s=5)
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("127.0.0.1 could not be reached or did not answer: ConnectError")


def test_a_batch_after_an_outage_is_delivered(backend: Backend, destination: LangfuseDestination) -> None:
    destination.send([b""], timeout_s=5)
    backend.stop()
    destination.send([b""], timeout_s=5)
    backend.start()
    assert destination.send([b""], timeout_s=5) == Delivered()


def test_sending_is_not_traced(destination: LangfuseDestination, monkeypatch: pytest.MonkeyPatch, make_span: MakeSpan) -> None:
    import httpx

    enabled: list[bool] = []
    original = httpx.Client.send
    monkeypatch.setattr(
        httpx.Client, "send", lambda *args, **kwargs: enabled.append(is_instrumentation_enabled()) or original(*args, **kwargs)
    )
    destination.send([b""], timeout_s=5)
    assert enabled == [False]


def test_a_forked_process_opens_connections_of_its_own(
    backend: Backend, destination: LangfuseDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.send([b""], timeout_s=5)
    first = destination._client
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        destination.send([b""], timeout_s=5)
        assert destination._client is not first
        destination.close()
    assert first is not None
    first.close()


def test_a_destination_needs_keys() -> None:
    with pytest.raises(ValueError, match="needs a public and a secret key"):
        LangfuseDestination(LangfuseSettings.load())
