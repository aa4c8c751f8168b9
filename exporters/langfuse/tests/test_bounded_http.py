"""Answers without end, answers that unfold, and times to wait that nobody can mean."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import httpx
import pytest

from otel_llm.delivery import Delivered, Outcome, Pause, Retry
from otel_llm.delivery import bounded_http as bounded
from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

MOST = bounded.MOST_BYTES


class Backend(LoopbackServer):
    """Answers each request alike."""

    def __init__(self) -> None:
        super().__init__()
        self.next = Response()
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.next


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


@pytest.fixture
def client() -> Iterator[bounded.BoundedClient]:
    with bounded.BoundedClient() as made:
        yield made


@pytest.fixture
def fleeting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a quarter of a second later."""
    seconds = itertools.count()
    monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=lambda: next(seconds) / 4))


def drops(count: int) -> Iterable[bytes]:
    return itertools.repeat(b" ", count)


def without_end() -> Iterator[bytes]:
    """Whoever reads on after the first megabytes has the connection break."""
    yield from itertools.repeat(b" " * 65_536, 64)
    raise HangUp


def sent(backend: Backend) -> Outcome:
    settings = LangfuseSettings.load(public_key="pk-lf-1", secret_key="sk-lf-1", base_url=backend.base_url)
    destination = LangfuseDestination(settings)
    try:
        return destination.send([b""], timeout_s=5)
    finally:
        destination.close()


@pytest.mark.usefixtures("fleeting")
@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_an_answer_that_drips_is_no_answer(backend: Backend, status: int) -> None:
    backend.next = Response(status, {"Content-Length": "100000"}, drops(5_000))
    assert sent(backend) == Retry("127.0.0.1 could not be reached or did not answer: ReadTimeout: the answer does not end")


@pytest.mark.usefixtures("fleeting")
def test_an_answer_that_takes_its_time_is_one(backend: Backend) -> None:
    backend.next = Response(200, {}, [b"{", b" ", b"}"])
    assert sent(backend) == Delivered()


def test_an_answer_after_an_upload_that_took_all_the_time_is_read(
    backend: Backend, client: bounded.BoundedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.chain([0.0], itertools.repeat(100.0))
    monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    backend.next = Response(200, {}, [b"{", b"}"])
    assert client.post(backend.base_url, timeout=5).content == b"{}"


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_too_long_is_told_by_its_status(backend: Backend, status: int) -> None:
    backend.next = Response(status, {}, without_end())
    assert sent(backend) == (Delivered() if status == 200 else Retry("Langfuse answered 500"))


def test_of_a_long_answer_the_beginning_is_kept(backend: Backend, client: bounded.BoundedClient) -> None:
    backend.next = Response(200, {}, [b"a", b"b" * 4_000_000])
    assert client.post(backend.base_url).content == b"a" + b"b" * (MOST - 1)
    backend.next = Response.json({"id": 1})
    assert client.get(backend.base_url).json() == {"id": 1}  # the connection is of use, or another was opened


def test_no_compression_is_asked_for(backend: Backend, client: bounded.BoundedClient) -> None:
    client.post(backend.base_url)
    assert backend.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP ", gzip.compress)]
)
def test_what_is_compressed_nevertheless_unfolds_within_the_bound(
    backend: Backend, client: bounded.BoundedClient, encoding: str, compress: type[bytes]
) -> None:
    backend.next = Response(200, {"Content-Encoding": encoding}, compress(b"{" + b"0" * 10_000_000))
    assert client.post(backend.base_url).content == b"{" + b"0" * (MOST - 1)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip"])
def test_what_cannot_be_decompressed_is_left_as_it_is(backend: Backend, client: bounded.BoundedClient, encoding: str) -> None:
    backend.next = Response(200, {"Content-Encoding": encoding}, b"<no gzip>")
    assert client.post(backend.base_url).content == b"<no gzip>"


def test_a_streamed_answer_is_whole(backend: Backend, client: bounded.BoundedClient) -> None:
    backend.next = Response(200, {}, b"a" * 4_000_000)
    with client.stream("GET", backend.base_url) as answer:
        assert len(answer.read()) == 4_000_000


def test_without_a_timeout_there_is_no_deadline(backend: Backend, client: bounded.BoundedClient) -> None:
    backend.next = Response.json({"id": 1})
    answer = client.get(backend.base_url, timeout=None)
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, "application/json", {"id": 1})
    assert answer.request.method == "GET"


def in_s(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("37", 37.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("3600", 3600.0),
        ("3600000", 3600.0),
        ("1e300", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        (in_s(86_400), 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0),
        ("-1", None),
        ("-inf", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (f"Fri, 31 Dec {'9' * 40} 23:59:59 GMT", None),
        (f"Thu, 01 Jan 1970 00:00:00 +{'9' * 40}", None),
        (None, None),
    ],
)
def test_a_time_to_wait_is_an_hour_at_most(value: str | None, after_s: float | None) -> None:
    assert bounded.retry_after(value) == after_s


def test_langfuse_is_asked_again_within_an_hour(backend: Backend) -> None:
    backend.next = Response(429, {"Retry-After": "3600000"})
    assert sent(backend) == Retry("Langfuse answered 429", 3600.0)


@pytest.mark.parametrize(
    ("own", "given", "seconds"), [({}, 20.0, 20.0), ({"timeout_s": 3}, 20.0, 3.0), ({"timeout_s": 30}, 20.0, 20.0)]
)
def test_the_own_timeout_shortens_that_of_all_destinations_if_it_is_set(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, own: dict[str, float], given: float, seconds: float
) -> None:
    timeouts: list[float] = []
    original = httpx.Client.send

    def send(client: httpx.Client, request: httpx.Request, **options: object) -> httpx.Response:
        timeouts.append(request.extensions["timeout"]["read"])
        return original(client, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx.Client, "send", send)
    settings = LangfuseSettings.load(public_key="pk-lf-1", secret_key="sk-lf-1", base_url=backend.base_url, **own)
    destination = LangfuseDestination(settings)
    destination.send([b""], timeout_s=given)
    destination.close()
    assert timeouts == [seconds]


def test_the_variable_counts_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_TIMEOUT", "3")
    assert LangfuseSettings.load().within_timeout(20.0) == 3.0
    monkeypatch.delenv("LANGFUSE_TIMEOUT")
    assert LangfuseSettings.load().within_timeout(20.0) == 20.0


@pytest.mark.parametrize("body", [b"{}", b"", b"<html>", b"[" * 10_000])
def test_a_401_that_is_not_langfuses_is_a_matter_of_the_address(backend: Backend, body: bytes) -> None:
    backend.next = Response(401, {}, body)
    outcome = sent(backend)
    assert str(getattr(outcome, "reason", "")) == (
        "Langfuse answered 401, but not as Langfuse does: something before it wants a login; check LANGFUSE_BASE_URL"
    )


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (
            "text/html; charset=utf-8",
            b"\n<!doctype html>",
            Pause("Langfuse answered 200 with a page, perhaps of a login; check LANGFUSE_BASE_URL"),
        ),
        ("text/html", b"{}", Delivered()),
        ("application/json", b"{}", Delivered()),
    ],
)
def test_a_page_is_no_receipt(backend: Backend, kind: str, body: bytes, told: Outcome) -> None:
    backend.next = Response(200, {"content-type": kind}, body)
    assert sent(backend) == told
