"""Media of a batch are uploaded before its spans are sent, each once, and never hold the spans up for long."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handmade import make_span
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_llm.delivery import Delivered, Pause, Retry, Split
from otel_llm.testing.langfuse import FakeLangfuse, MediaLink
from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.media import Medium
from otel_llm_langfuse.media_upload import MediaUploads

PICTURE = b"\x89PNG\r\n\x1a\n a picture"
MEDIUM = Medium.of("image/png", PICTURE)
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def server() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def connect() -> Iterator[Callable[..., LangfuseDestination]]:
    made: list[LangfuseDestination] = []

    def connect(server: FakeLangfuse, **settings: Any) -> LangfuseDestination:
        keys = {"public_key": server.public_key, "secret_key": server.secret_key, "base_url": server.base_url}
        made.append(LangfuseDestination(LangfuseSettings.load(**keys, **settings)))
        return made[-1]

    yield connect
    for destination in made:
        destination.close()


@pytest.fixture
def destination(server: FakeLangfuse, connect: Callable[..., LangfuseDestination]) -> LangfuseDestination:
    return connect(server)


def record(destination: LangfuseDestination, *pictures: bytes, mime_type: str = "image/png", **span: Any) -> bytes:
    """The record of a call with pictures."""
    parts = [
        {"type": "blob", "mime_type": mime_type, "content": base64.b64encode(data).decode()} for data in pictures or (PICTURE,)
    ]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}
    return destination.encode(make_span(attributes, **span)) or b""


def media_of(server: FakeLangfuse) -> list[tuple[str, bytes, int]]:
    return [(file.content_type, file.data, file.uploads) for file in server.media]


class Failing:
    """Answers the first requests to paths that contain ``where`` with ``status``, or hangs up."""

    def __init__(self, where: str, times: int, status: int | None = 503, headers: dict[str, str] | None = None) -> None:
        self.where, self.left, self.status, self.headers = where, times, status, headers or {}
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response | None:
        self.requests.append(request)
        if self.where not in request.path or self.left == 0:
            return None
        self.left -= 1
        if self.status is None:
            raise HangUp
        return Response.json({"message": "refused"}, self.status, self.headers)


def test_a_picture_is_stored_and_linked_before_its_span_is_sent(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    seen = server.behaviour = Failing("nowhere", 0)

    assert destination.send([record(destination)], timeout_s=5) == Delivered()

    [file] = server.media
    assert (file.id, file.content_type, file.data, file.links) == (
        MEDIUM.id,
        "image/png",
        PICTURE,
        [MediaLink(TRACE, SPAN, "input")],
    )
    assert [(request.method, request.path) for request in seen.requests] == [
        ("POST", "/api/public/media"),
        ("PUT", f"/fake-bucket/{MEDIUM.id}"),
        ("PATCH", f"/api/public/media/{MEDIUM.id}"),
        ("POST", "/api/public/otel/v1/traces"),
    ]
    assert json.loads(server.observations[0]["input"]) == {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": MEDIUM.token}}]}]
    }


def test_storage_gets_no_credentials_of_langfuse(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    seen = server.behaviour = Failing("nowhere", 0)
    destination.send([record(destination)], timeout_s=5)

    [put] = [request for request in seen.requests if request.method == "PUT"]
    headers = {name: value for name, value in put.headers.items() if name not in ("host", "user-agent", "accept", "connection")}
    assert headers == {
        "accept-encoding": put.headers["accept-encoding"],
        "content-type": "image/png",
        "content-length": str(len(PICTURE)),
        "x-amz-checksum-sha256": MEDIUM.sha256,
        "x-ms-blob-type": "BlockBlob",
    }


def test_storage_that_redirects_is_not_followed(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    class Elsewhere(LoopbackServer):
        asked = 0

        def answer(self, request: Request) -> Response:
            self.asked += 1
            return Response()

    with Elsewhere() as elsewhere:
        server.behaviour = Failing("/fake-bucket/", 9, 307, {"Location": elsewhere.base_url})
        assert destination.send([record(destination)], timeout_s=5) == Delivered()
        assert elsewhere.asked == 0


def test_the_same_picture_in_ten_calls_is_uploaded_once(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    seen = server.behaviour = Failing("nowhere", 0)
    records = [record(destination, span_id=index) for index in range(1, 11)]

    assert destination.send(records[:4], timeout_s=5) == Delivered()
    assert destination.send(records[4:], timeout_s=5) == Delivered()

    assert (media_of(server), len(server.observations), destination.media.stored) == ([("image/png", PICTURE, 1)], 10, 1)
    assert len([request for request in seen.requests if "otel" not in request.path]) == 3


def test_each_trace_gets_its_link(
    server: FakeLangfuse, destination: LangfuseDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "0" * 31 + "1"
    records = [record(destination), record(destination).replace(TRACE.encode(), other.encode(), 1)]
    destination.send(records, timeout_s=5)
    assert [(link.trace_id, server.media[0].uploads) for link in server.media[0].links] == [(TRACE, 1), (other, 1)]


def test_a_server_that_has_the_file_is_not_sent_it_again(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    sent = [record(destination)]
    for _ in range(2):
        assert destination.send(sent, timeout_s=5) == Delivered()
        destination.media = MediaUploads()  # as another process has it
    assert media_of(server) == [("image/png", PICTURE, 1)]


def test_a_store_that_answers_201_gets_a_file_once_in_a_process(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    def stored(request: Request) -> Response | None:
        if request.method == "PUT" and (answer := server._media.store(request)) is not None:
            return Response(201) if answer.status == 200 else answer
        return None

    server.behaviour = stored
    other = record(destination).replace(TRACE.encode(), b"f" * 32, 1)
    assert [destination.send([batch], timeout_s=5) for batch in (record(destination), other)] == [Delivered(), Delivered()]
    assert (media_of(server), server.media[0].status) == ([("image/png", PICTURE, 1)], 201)


@pytest.mark.parametrize("where", ["/api/public/media", "/fake-bucket/", f"/api/public/media/{MEDIUM.id}"])
@pytest.mark.parametrize("status", [503, 500, 429, None])
def test_an_upload_that_fails_three_times_and_then_works_loses_nothing(
    server: FakeLangfuse, destination: LangfuseDestination, where: str, status: int | None
) -> None:
    server.behaviour = Failing(where, 3, status)
    sent = [record(destination)]

    outcomes = [destination.send(sent, timeout_s=5) for _ in range(4)]

    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Retry, Delivered]
    assert (len(server.observations), [file.data for file in server.media], destination.media.given_up) == (1, [PICTURE], 0)


def test_patience_is_new_after_a_success(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    for picture in (b"one", b"two"):
        server.behaviour = Failing("/fake-bucket/", 3)
        sent = [record(destination, picture, span_id=len(server.media) + 1)]
        assert [type(destination.send(sent, timeout_s=5)) for _ in range(4)] == [Retry, Retry, Retry, Delivered]
    assert [file.data for file in server.media] == [b"one", b"two"]


def test_a_file_that_storage_fails_on_holds_up_no_other(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    server.behaviour = Failing("/fake-bucket/", 1)
    assert isinstance(destination.send([record(destination, b"one", b"two")], timeout_s=5), Retry)
    assert [file.data for file in server.media] == [b"two"]


def test_a_rate_limit_says_when_to_try_again(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    server.behaviour = Failing("/api/public/media", 1, 429, {"Retry-After": "37"})
    assert destination.send([record(destination)], timeout_s=5) == Retry("uploading media: Langfuse answered 429", 37.0)


def test_without_a_bucket_spans_go_without_their_media(
    connect: Callable[..., LangfuseDestination], caplog: pytest.LogCaptureFixture
) -> None:
    with FakeLangfuse(media_bucket=False) as server:
        destination = connect(server)
        first = [record(destination, b"one", b"two")]
        outcomes = [destination.send(first, timeout_s=5) for _ in range(4)]
        later = destination.send([record(destination, b"three", span_id=2)], timeout_s=5)

        assert outcomes == [*[Retry("uploading media: Langfuse answered 500")] * 3, Delivered()]
        assert (later, len(server.observations), destination.media.given_up) == (Delivered(), 2, 3)
    assert [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING] == [
        "langfuse: 2 image(s), recording(s) or file(s) could not be uploaded (Langfuse answered 500); the spans are sent without "
        "them. If the Langfuse server has no bucket, or one out of reach from here, "
        "set OTEL_LLM_LANGFUSE_MEDIA=keep. 2 in all so far."
    ]


def test_storage_that_does_not_answer_is_left_alone_for_a_while(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    now = 0.0
    destination.media._clock = lambda: now
    failing = server.behaviour = Failing("/fake-bucket/", 5, None)
    for _ in range(4):
        destination.send([record(destination)], timeout_s=5)
    tried = failing.left

    assert destination.send([record(destination, b"two", span_id=2)], timeout_s=5) == Delivered()
    assert (failing.left, tried) == (1, 1)

    now = 60.0
    assert destination.send([record(destination, b"three", span_id=3)], timeout_s=5) == Delivered()
    assert destination.send([record(destination, b"four", span_id=4)], timeout_s=5) == Delivered()
    now = 120.0
    assert destination.send([record(destination, b"five", span_id=5)], timeout_s=5) == Delivered()
    assert (media_of(server), destination.media.given_up) == ([("image/png", b"five", 1)], 4)


@pytest.mark.parametrize("status", [302, 404])
def test_a_wrong_address_costs_no_media_once_it_is_mended(
    server: FakeLangfuse, destination: LangfuseDestination, status: int
) -> None:
    server.behaviour = Failing("/api/public/", 4, status)
    sent = [record(destination)]
    assert [type(destination.send(sent, timeout_s=5)) for _ in range(3)] == [Pause, Pause, Delivered]
    assert (media_of(server), destination.media.given_up) == ([("image/png", PICTURE, 1)], 0)


def test_an_outage_of_all_of_langfuse_costs_no_media(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    server.behaviour = Failing("/api/public/", 3 + 2 * 4)  # from the fourth try on the spans are tried, too
    sent = [record(destination)]
    outcomes = [destination.send(sent, timeout_s=5) for _ in range(8)]
    assert [type(outcome) for outcome in outcomes] == [*[Retry] * 7, Delivered]
    assert (media_of(server), destination.media.given_up) == ([("image/png", PICTURE, 1)], 0)


def test_a_file_that_is_refused_is_given_up_at_once(
    connect: Callable[..., LangfuseDestination], caplog: pytest.LogCaptureFixture
) -> None:
    with FakeLangfuse(media_max_bytes=20) as server:
        destination = connect(server)
        sent = [record(destination, b"x" * 21, b"a small one")]

        assert destination.send(sent, timeout_s=5) == Delivered()
        assert destination.send(sent, timeout_s=5) == Delivered()

        assert (media_of(server), destination.media.given_up) == ([("image/png", b"a small one", 1)], 1)
    assert "(Langfuse answered 400)" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"mediaId": MEDIUM.id},
        {"mediaId": "another", "uploadUrl": None},
        {"mediaId": MEDIUM.id, "uploadUrl": "http://a:b"},
        [],
    ],
)
def test_an_answer_that_makes_no_sense_costs_the_file_alone(
    server: FakeLangfuse, destination: LangfuseDestination, answer: Any
) -> None:
    server.behaviour = lambda request: Response.json(answer, 201) if request.path == "/api/public/media" else None
    assert destination.send([record(destination)], timeout_s=5) == Delivered()
    assert (len(server.observations), destination.media.given_up) == (1, 1)


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_keys_pause_the_delivery(server: FakeLangfuse, destination: LangfuseDestination, status: int) -> None:
    server.behaviour = Failing("/api/public/media", 1, status)
    assert isinstance(destination.send([record(destination)], timeout_s=5), Pause)
    assert server.requests == []


def test_a_signature_that_storage_refuses_costs_the_file_alone(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    server.behaviour = Failing("/fake-bucket/", 1, 403)
    assert destination.send([record(destination)], timeout_s=5) == Delivered()
    assert (len(server.observations), destination.media.given_up) == (1, 1)


def test_a_huge_picture_arrives_whole(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    huge = bytes(range(256)) * 80_000  # 20 MB
    assert destination.send([record(destination, huge)], timeout_s=10) == Delivered()
    assert media_of(server) == [("image/png", huge, 1)]


@pytest.mark.parametrize("content", ["none", "hash"])
def test_what_a_policy_hides_is_not_uploaded(
    server: FakeLangfuse, connect: Callable[..., LangfuseDestination], content: str
) -> None:
    seen = server.behaviour = Failing("nowhere", 0)
    destination = connect(server, content=content)
    assert destination.send([record(destination)], timeout_s=5) == Delivered()
    assert [request.path for request in seen.requests] == ["/api/public/otel/v1/traces"]


def test_a_hash_is_that_of_the_picture(server: FakeLangfuse, connect: Callable[..., LangfuseDestination]) -> None:
    destination = connect(server, content="hash")
    destination.send([record(destination, PICTURE * 100)], timeout_s=5)
    assert Medium.of("image/png", PICTURE * 100).reference in server.observations[0]["input"]


def test_a_text_that_is_cut_costs_no_picture(server: FakeLangfuse, connect: Callable[..., LangfuseDestination]) -> None:
    destination = connect(server, content="truncated")
    assert destination.send([record(destination, PICTURE * 1000)], timeout_s=5) == Delivered()
    assert media_of(server) == [("image/png", PICTURE * 1000, 1)]


@pytest.mark.parametrize("media", ["keep", "reference"])
def test_only_the_mode_upload_uploads(server: FakeLangfuse, connect: Callable[..., LangfuseDestination], media: str) -> None:
    seen = server.behaviour = Failing("nowhere", 0)
    destination = connect(server, media=media)
    assert destination.send([record(destination)], timeout_s=5) == Delivered()
    assert [request.path for request in seen.requests] == ["/api/public/otel/v1/traces"]


def test_the_same_span_gives_the_same_record(destination: LangfuseDestination) -> None:
    assert record(destination) == record(destination)


def test_a_damaged_record_is_parted_from_the_others(destination: LangfuseDestination) -> None:
    assert isinstance(destination.send([record(destination)[:30]], timeout_s=5), Split)


def test_uploads_are_not_traced(destination: LangfuseDestination, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    enabled: list[bool] = []
    original = httpx.Client.send
    monkeypatch.setattr(
        httpx.Client, "send", lambda *args, **kwargs: enabled.append(is_instrumentation_enabled()) or original(*args, **kwargs)
    )
    destination.send([record(destination)], timeout_s=5)
    assert enabled == [False] * 4


def test_a_try_without_time_goes_on_at_the_next(server: FakeLangfuse, destination: LangfuseDestination) -> None:
    times = iter(range(0, 1000, 4))
    destination.media._clock = lambda: next(times)
    sent = [record(destination, b"one", b"two", b"three")]
    unfinished = Retry("uploading media: it takes longer than one try may", 0.0)

    assert [destination.send(sent, timeout_s=5) for _ in range(3)] == [unfinished, Delivered(), Delivered()]
    assert sorted(file.data for file in server.media) == [b"one", b"three", b"two"]
