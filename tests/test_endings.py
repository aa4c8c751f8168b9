"""How calls end: categories of failure, repeated attempts, header fields, and calls that nobody ends."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest
from calling import Caller

from otel_llm import call as recording
from otel_llm import failure_category
from otel_llm.attempts import WINDOW_S, FailedAttempts
from otel_llm.open_calls import MAX_IDLE_S, OpenCalls
from otel_llm.response_headers import header_attributes
from otel_llm.testing import FakeProvider, Reply, SpanSink

OPENAI = "https://api.openai.com/v1/chat/completions"
KEY = {"authorization": "Bearer sk-fake"}
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.mark.parametrize(
    ("status", "kind", "message", "category"),
    [
        (401, "invalid_api_key", "Incorrect API key provided", "auth"),
        (402, "402", "Insufficient credits", "quota"),
        (403, "permission_error", "Your key does not have permission", "permission"),
        (403, "403", "Your input was flagged by moderation", "content_filter"),
        (404, "model_not_found", "The model does not exist", "not_found"),
        (404, "NOT_FOUND", "models/x is not found", "not_found"),
        (400, "invalid_request_error", "temperature must be a number", "invalid_request"),
        (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens", "context_length"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "context_length"),
        (400, "content_filter", "The response was filtered", "content_filter"),
        (400, "invalid_request_error", "Your credit balance is too low", "quota"),
        (422, "422", None, "invalid_request"),
        (429, "rate_limit_exceeded", "Rate limit reached for gpt-4o", "rate_limit"),
        (429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", "quota"),
        (429, "429", None, "rate_limit"),
        (500, "api_error", "Internal server error", "server"),
        (500, "500", None, "server"),
        (503, "UNAVAILABLE", "The model is overloaded", "overloaded"),
        (504, "504", None, "timeout"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
        (200, "529", "Overloaded", "overloaded"),
        (200, "429", None, "rate_limit"),
        (200, "overloaded_error", "Overloaded", "overloaded"),
        (200, "tool_use_failed", "Tool choice is required", "server"),
    ],
)
def test_an_answer_that_refuses_has_a_category(status: int, kind: str, message: str | None, category: str) -> None:
    assert failure_category.of_answer(status, kind, message) == category


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("ConnectTimeout", "timeout"),
        ("PoolTimeout", "timeout"),
        ("TimeoutError", "timeout"),
        ("ConnectError", "network"),
        ("RemoteProtocolError", "network"),
        ("ServerDisconnectedError", "network"),
        ("CancelledError", "cancelled"),
    ],
)
def test_an_exception_has_a_category(name: str, category: str) -> None:
    assert failure_category.of_exception(name) == category


@pytest.mark.parametrize("name", ["ReadTimeout", "ConnectError"])
def test_the_category_stands_beside_the_error_type(caller: Caller, recorded: SpanSink, name: str) -> None:
    error = getattr(caller.library, name)("no")
    with pytest.raises(type(error)):
        caller.post(OPENAI, QUESTION, transport=caller.raising(error))
    (span,) = recorded.spans
    expected = {"ReadTimeout": "timeout", "ConnectError": "network"}[name]
    assert (span.attributes or {})["otel_llm.error.category"] == expected


# --- attempts ---------------------------------------------------------------------------------------------------------


def test_the_same_request_again_after_a_failure_is_a_repeated_attempt(
    caller: Caller, recorded: SpanSink, fake: FakeProvider
) -> None:
    fake.reply(Reply(status=500), Reply(status=503))
    for _ in range(3):
        caller.post(f"{fake.openai}/chat/completions", QUESTION, headers=KEY)
    caller.post(f"{fake.openai}/chat/completions", QUESTION, headers=KEY)
    assert [(span.attributes or {}).get("http.request.resend_count") for span in recorded.spans] == [None, 1, 2, None]


def test_another_request_after_a_failure_is_a_call_of_its_own(caller: Caller, recorded: SpanSink, fake: FakeProvider) -> None:
    fake.reply(Reply(status=500))
    caller.post(f"{fake.openai}/chat/completions", QUESTION, headers=KEY)
    caller.post(f"{fake.openai}/chat/completions", QUESTION | {"temperature": 1}, headers=KEY)
    assert "http.request.resend_count" not in (recorded.spans[1].attributes or {})


def test_a_failure_is_forgotten_after_a_while() -> None:
    now = [0.0]
    attempts = FailedAttempts(clock=lambda: now[0])
    attempts.failed("a", 0)
    now[0] = WINDOW_S + 1
    assert attempts.before("a") == 0
    for n in range(1000):
        attempts.failed(n, 0)
    assert len(attempts._tries) < 1000


# --- header fields ----------------------------------------------------------------------------------------------------


def test_request_ids_times_and_rate_limits_are_kept_and_nothing_else(caller: Caller, recorded: SpanSink) -> None:
    headers = {
        "x-request-id": "req_1",
        "openai-processing-ms": "120",
        "x-ratelimit-remaining-requests": "99",
        "retry-after": "3",
        "set-cookie": "session=secret",
        "openai-organization": "org-secret",
        "content-type": "application/json",
    }
    transport = caller.answering([b'{"error": {"message": "no"}}'], status=429, headers=headers)
    caller.post(OPENAI, QUESTION, transport=transport)
    (span,) = recorded.spans
    kept = {k: v for k, v in (span.attributes or {}).items() if k.startswith("http.response.header.")}
    assert kept == {
        "http.response.header.x-request-id": ("req_1",),
        "http.response.header.openai-processing-ms": ("120",),
        "http.response.header.x-ratelimit-remaining-requests": ("99",),
        "http.response.header.retry-after": ("3",),
    }


def test_a_hostile_header_is_cut() -> None:
    (value,) = header_attributes([(b"X-Request-Id", b"\xff" * 100_000)]).values()
    assert isinstance(value, tuple)
    assert len(value[0]) == 256


# --- calls that nobody ends -------------------------------------------------------------------------------------------


class Idle:
    def __init__(self, heard_at: float) -> None:
        self.heard_at = heard_at
        self.ended = False

    def closed(self) -> None:
        self.ended = True


def test_a_call_that_is_silent_for_too_long_is_ended_when_others_start() -> None:
    now = [0.0]
    calls = OpenCalls(clock=lambda: now[0])
    silent, alive = Idle(0.0), Idle(MAX_IDLE_S)
    calls.add(silent)
    calls.add(alive)
    now[0] = MAX_IDLE_S + 1
    calls.add(Idle(now[0]))
    assert (silent.ended, alive.ended) == (True, False)


def test_what_is_open_at_shutdown_is_ended(library: Any, recorded: SpanSink) -> None:
    pieces = [b'data: {"choices": [{"delta": {"content": "Be"}}]}\n\n']
    client = library.Client(transport=Caller(library, is_async=False).answering(pieces))
    response = client.send(client.build_request("POST", OPENAI, json=QUESTION), stream=True)
    client.close()
    assert recorded.spans == []
    recording.open_calls.end_all()
    (span,) = recorded.spans
    assert (span.attributes or {})["otel_llm.ending"] == "abandoned"
    assert len(recording.open_calls) == 0
    response.close()


def test_a_stream_that_outlives_its_event_loop_was_abandoned(library: Any, recorded: SpanSink) -> None:
    pieces = [b'data: {"choices": [{"delta": {"content": "Be"}}]}\n\n'] * 3
    transport = Caller(library, is_async=True).answering(pieces, headers={"content-type": "text/event-stream"})

    async def half() -> Any:
        client = library.AsyncClient(transport=transport)
        response = await client.send(client.build_request("POST", OPENAI, json=QUESTION), stream=True)
        await anext(aiter(response.aiter_bytes()))
        return response

    response = asyncio.run(half())
    del response
    gc.collect()
    (span,) = recorded.spans
    assert (span.attributes or {})["otel_llm.ending"] == "abandoned"
    assert (span.attributes or {})["otel_llm.error.category"] == "abandoned"
    assert span.status.status_code.name == "UNSET"


def test_no_call_is_kept_once_it_has_ended(caller: Caller, recorded: SpanSink) -> None:
    body = json.dumps({"choices": []}).encode()
    for _ in range(3):
        caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers={"content-type": "application/json"}))
    assert len(recording.open_calls) == 0
