"""LLM calls recorded on the wire: one span a call, whatever library made it and however it ended."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from calling import Caller
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from otel_llm import CaptureMode, agent, identify, instrument, instrument_client, uninstrument
from otel_llm.protocols import Usage
from otel_llm.testing.provider import FakeProvider, Reply, ToolCall
from otel_llm.testing.sink import SpanSink

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
KEY = {"authorization": "Bearer sk-fake", "x-api-key": "sk-fake"}
QUESTION: dict[str, Any] = {
    "model": "gpt-4o",
    "temperature": 0.5,
    "max_tokens": 50,
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}
CHUNKS = [
    {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Be"}}],
    },
    {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "cause."}, "finish_reason": "stop"}]},
    {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}},
]
SSE = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in CHUNKS] + [b"data: [DONE]\n\n"]
EVENTS = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def told(sink: SpanSink) -> dict[str, Any]:
    (span,) = sink.spans
    return sink.attributes(span)


def test_a_plain_call_is_one_span(caller: Caller, recorded: SpanSink) -> None:
    body = json.dumps(ANSWER).encode()
    assert caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers=JSON)) == body

    (span,) = recorded.spans
    assert (span.name, span.kind, span.status.status_code.name) == ("chat gpt-4o", SpanKind.CLIENT, "UNSET")
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "otel_llm"
    assert recorded.attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "openai.api.type": "chat_completions",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Why?"}]},
        ],
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [{"type": "text", "content": "Because."}], "finish_reason": "stop"}
        ],
        "server.address": "api.openai.com",
        "server.port": 443,
    }


def test_a_stream_is_the_same_span_with_its_time_to_first_chunk(caller: Caller, recorded: SpanSink) -> None:
    plain = caller.answering([json.dumps(ANSWER).encode()], headers=JSON)
    caller.post(OPENAI, QUESTION, transport=plain)
    whole = told(recorded)
    recorded.clear()

    transport = caller.answering(SSE, headers=EVENTS)
    assert caller.post(OPENAI, QUESTION | {"stream": True}, stream=True, transport=transport) == b"".join(SSE)

    streamed = told(recorded)
    assert 0 < streamed.pop("gen_ai.response.time_to_first_chunk") < 60
    assert streamed.pop("gen_ai.request.stream") is True
    assert streamed == whole


def test_the_servers_own_dialects(caller: Caller, recorded: SpanSink, fake: FakeProvider) -> None:
    usage = Usage(input_tokens=120, output_tokens=8, cache_read=100, cache_write=5)
    fake.reply(Reply(text="Hello.", usage=usage))
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}

    read = caller.post(f"{fake.anthropic}/v1/messages", body, stream=True, headers=KEY)

    assert read == fake.exchanges[0].sent
    seen = told(recorded)
    assert seen["gen_ai.provider.name"] == "anthropic"
    assert seen["gen_ai.usage.input_tokens"] == 120
    assert seen["gen_ai.usage.cache_read.input_tokens"] == 100
    assert seen["gen_ai.usage.cache_write.input_tokens"] == 5
    assert seen["gen_ai.output.messages"] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello."}], "finish_reason": "stop"}
    ]


def test_tools_are_recorded(caller: Caller, recorded: SpanSink, fake: FakeProvider) -> None:
    fake.reply(Reply(tool_calls=[ToolCall("look_up", {"id": 7}, id="call_1")]))
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    caller.post(f"{fake.openai}/chat/completions", QUESTION | {"tools": [tool], "stream": True}, stream=True, headers=KEY)

    seen = told(recorded)
    assert seen["gen_ai.tool.definitions"] == [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}]
    (message,) = seen["gen_ai.output.messages"]
    assert message["parts"] == [{"type": "tool_call", "id": "call_1", "name": "look_up", "arguments": {"id": 7}}]
    assert seen["gen_ai.response.finish_reasons"] == ("tool_call",)


def test_without_consent_no_content_is_recorded(caller: Caller) -> None:
    with SpanSink.provider() as (provider, sink):
        instrument(tracer_provider=provider, content=CaptureMode.NO_CONTENT)
        caller.post(OPENAI, QUESTION, transport=caller.answering([json.dumps(ANSWER).encode()], headers=JSON))
        uninstrument()
        assert "Because" not in str(told(sink))
        assert "Be brief" not in str(told(sink))
        assert told(sink)["gen_ai.usage.input_tokens"] == 12


def test_nothing_is_added_to_a_request(caller: Caller, recorded: SpanSink) -> None:
    sent: list[Any] = []

    def answer(request: Any) -> Any:
        sent.append((request.method, str(request.url), request.headers.raw, request.content))
        return caller.library.Response(200, json=ANSWER)

    def post() -> None:
        with identify(user_id="42", session_id="s1"), agent("strategist"):
            caller.post(OPENAI, QUESTION, transport=caller.library.MockTransport(answer), headers=KEY)

    post()
    uninstrument()
    post()
    assert sent[0] == sent[1]
    assert len(recorded.calls) == 1


# --- what is no call of a model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/models",
        "https://api.anthropic.com/v1/messages/count_tokens",
        "https://example.com/",
        "https://example.com/chat/completions/history",
    ],
)
def test_other_requests_pass_unrecorded(caller: Caller, recorded: SpanSink, url: str) -> None:
    assert caller.post(url, QUESTION, transport=caller.answering([b"{}"], headers=JSON)) == b"{}"
    assert recorded.spans == []


def test_an_unknown_host_is_recorded_by_its_path_if_the_body_has_the_shape(caller: Caller, recorded: SpanSink) -> None:
    transport = caller.answering([json.dumps(ANSWER).encode()], headers=JSON)
    caller.post("http://llm.internal:8000/v1/chat/completions", {"text": "a chat application's own"}, transport=transport)
    assert recorded.spans == []
    caller.post("http://llm.internal:8000/v1/chat/completions", QUESTION, transport=transport)
    assert (told(recorded)["server.address"], told(recorded)["server.port"]) == ("llm.internal", 8000)


def test_suppressed_instrumentation_is_respected(caller: Caller, recorded: SpanSink) -> None:
    with suppress_instrumentation():
        caller.post(OPENAI, QUESTION, transport=caller.answering([json.dumps(ANSWER).encode()], headers=JSON))
    assert recorded.spans == []


def test_nothing_is_parsed_for_a_call_that_is_sampled_out(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    instrument(tracer_provider=provider)
    monkeypatch.setattr("otel_llm.call.Call.__init__", lambda *_: pytest.fail("parsed"))
    body = json.dumps(ANSWER).encode()
    assert caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers=JSON)) == body
    uninstrument()


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_refusal_has_the_providers_own_words(caller: Caller, recorded: SpanSink) -> None:
    error = {"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}
    transport = caller.answering([json.dumps(error).encode()], status=429, headers=JSON)
    caller.post(OPENAI, QUESTION, transport=transport, headers={"x-stainless-retry-count": "2"})

    (span,) = recorded.spans
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "Slow down.")
    seen = recorded.attributes(span)
    assert seen["error.type"] == "rate_limit_exceeded"
    assert seen["http.response.status_code"] == 429
    assert seen["http.request.resend_count"] == 2
    assert "gen_ai.usage.input_tokens" not in seen


def test_a_refusal_without_words_has_its_status(caller: Caller, recorded: SpanSink) -> None:
    caller.post(OPENAI, QUESTION, transport=caller.answering([b"<html>busy</html>"], status=503))
    (span,) = recorded.spans
    assert ((span.attributes or {})["error.type"], span.status.description) == ("503", "HTTP 503")


def test_an_error_inside_a_stream_fails_the_call(caller: Caller, recorded: SpanSink) -> None:
    pieces = [SSE[0], b'data: {"error": {"message": "Overloaded", "code": 529}}\n\n']
    caller.post(OPENAI, QUESTION | {"stream": True}, stream=True, transport=caller.answering(pieces, headers=EVENTS))
    (span,) = recorded.spans
    assert ((span.attributes or {})["error.type"], span.status.description) == ("529", "Overloaded")


def test_an_error_is_the_last_word_of_a_stream_even_if_nobody_closes_it(library: Any, recorded: SpanSink) -> None:
    pieces = [SSE[0], b'data: {"error": {"message": "Overloaded", "code": 529}}\n\n', SSE[1]]
    client = library.Client(transport=Caller(library, is_async=False).answering(pieces, headers=EVENTS))
    response = client.send(client.build_request("POST", OPENAI, json=QUESTION | {"stream": True}), stream=True)
    reading = response.iter_bytes()
    next(reading)
    next(reading)
    (span,) = recorded.spans
    assert span.status.description == "Overloaded"
    response.close()
    client.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_network_error_is_the_callers_own_and_names_one_type_for_both_libraries(
    caller: Caller, recorded: SpanSink, stream: bool
) -> None:
    error = caller.library.ConnectTimeout("no route")
    with pytest.raises(caller.library.ConnectTimeout) as raised:
        caller.post(OPENAI, QUESTION, stream=stream, transport=caller.raising(error))
    (span,) = recorded.spans
    assert raised.value is error
    assert ((span.attributes or {})["error.type"], span.status.description) == (
        "httpx.ConnectTimeout",
        "ConnectTimeout: no route",
    )


def test_a_stream_that_breaks_keeps_what_had_arrived(caller: Caller, recorded: SpanSink) -> None:
    def pieces() -> Iterator[bytes]:
        yield SSE[0]
        raise caller.library.ReadError("reset")

    with pytest.raises(caller.library.ReadError):
        caller.post(OPENAI, QUESTION | {"stream": True}, stream=True, transport=caller.answering(pieces, headers=EVENTS))
    seen = told(recorded)
    assert (seen["error.type"], seen["otel_llm.ending"]) == ("httpx.ReadError", "truncated")
    assert seen["gen_ai.output.messages"][0]["parts"] == [{"type": "text", "content": "Be"}]
    assert "gen_ai.usage.input_tokens" not in seen


def wait_for_exchange(fake: FakeProvider) -> None:
    while not fake.exchanges:
        time.sleep(0.005)


async def test_a_cancelled_call_is_told_so(library: Any, recorded: SpanSink, fake: FakeProvider) -> None:
    fake.reply(Reply(stall_at=0))
    async with library.AsyncClient() as client:
        task = asyncio.create_task(client.post(f"{fake.openai}/chat/completions", json=QUESTION, headers=KEY))
        await asyncio.to_thread(wait_for_exchange, fake)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    seen = told(recorded)
    assert (seen["error.type"], seen["otel_llm.ending"]) == ("asyncio.CancelledError", "cancelled")


# --- streams that are not read to their end ---------------------------------------------------------------------------


def test_a_stream_closed_early_was_abandoned(library: Any, recorded: SpanSink) -> None:
    transport = Caller(library, is_async=False).answering(SSE, headers=EVENTS)
    with library.Client(transport=transport) as client, client.stream("POST", OPENAI, json=QUESTION) as response:
        next(response.iter_bytes())
    (span,) = recorded.spans
    seen = recorded.attributes(span)
    assert (span.status.status_code.name, seen["otel_llm.ending"]) == ("UNSET", "abandoned")
    assert seen["gen_ai.output.messages"][0]["parts"] == [{"type": "text", "content": "Be"}]


async def test_an_async_stream_closed_early_was_abandoned(library: Any, recorded: SpanSink) -> None:
    transport = Caller(library, is_async=True).answering(SSE, headers=EVENTS)
    async with library.AsyncClient(transport=transport) as client, client.stream("POST", OPENAI, json=QUESTION) as response:
        async for _ in response.aiter_bytes():
            break
    assert told(recorded)["otel_llm.ending"] == "abandoned"


def test_a_stream_never_read_ends_with_its_response(library: Any, recorded: SpanSink) -> None:
    client = library.Client(transport=Caller(library, is_async=False).answering(SSE, headers=EVENTS))
    response = client.send(client.build_request("POST", OPENAI, json=QUESTION), stream=True)
    assert recorded.spans == []
    del response
    gc.collect()
    assert told(recorded)["otel_llm.ending"] == "abandoned"
    client.close()


def test_a_reader_that_stops_at_the_last_event_has_read_all(library: Any, recorded: SpanSink) -> None:
    transport = Caller(library, is_async=False).answering(SSE, headers=EVENTS)
    with library.Client(transport=transport) as client, client.stream("POST", OPENAI, json=QUESTION) as response:
        for line in response.iter_lines():
            if line == "data: [DONE]":
                break
    assert "otel_llm.ending" not in told(recorded)
    assert told(recorded)["gen_ai.usage.output_tokens"] == 3


def test_a_stream_may_be_read_in_another_thread(library: Any, recorded: SpanSink, caplog: pytest.LogCaptureFixture) -> None:
    transport = Caller(library, is_async=False).answering(SSE, headers=EVENTS)
    with library.Client(transport=transport) as client, client.stream("POST", OPENAI, json=QUESTION) as response:
        thread = threading.Thread(target=response.read)
        thread.start()
        thread.join()
    assert told(recorded)["gen_ai.usage.output_tokens"] == 3
    assert caplog.records == []


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"not json", JSON),
        (b"\xff\xfe\x00", JSON),
        (b'{"choices": [{"message": {"content": "Hal', JSON),
        (b"[" * 100_000, JSON),
        (b'{"choices": 7, "usage": [], "id": {}}', JSON),
        (b"data: {broken\n\ndata: [DONE]\n\n", EVENTS),
        (b"null", JSON),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_hostile_body_is_read_by_the_caller_and_harms_nobody(
    caller: Caller, recorded: SpanSink, body: bytes, headers: dict[str, str], stream: bool
) -> None:
    assert caller.post(OPENAI, QUESTION, stream=stream, transport=caller.answering([body], headers=headers)) == body
    assert told(recorded)["gen_ai.request.model"] == "gpt-4o"


def test_of_a_body_cut_off_what_came_is_kept(caller: Caller, recorded: SpanSink) -> None:
    body = json.dumps(ANSWER).encode()[:120]
    caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers=JSON))
    assert told(recorded)["gen_ai.response.model"] == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"messages": 1, "model": {}}', b'"text"', b"[" * 50_000])
def test_a_hostile_request_is_sent_unchanged(caller: Caller, recorded: SpanSink, body: bytes) -> None:
    sent: list[bytes] = []

    def answer(request: Any) -> Any:
        sent.append(request.content)
        return caller.library.Response(400, json={"error": {"message": "bad"}})

    caller.post(OPENAI, body, transport=caller.library.MockTransport(answer))
    assert sent == [body]
    assert told(recorded)["error.type"] == "400"


def test_a_request_body_that_is_a_generator_is_left_alone(library: Any, recorded: SpanSink) -> None:
    sent: list[bytes] = []

    def answer(request: Any) -> Any:
        sent.append(b"".join(request.stream))
        return library.Response(200, json=ANSWER)

    with library.Client(transport=library.MockTransport(answer)) as client:
        client.post(OPENAI, content=(piece for piece in [b'{"model"', b': "x"}']))
    assert sent == [b'{"model": "x"}']
    seen = told(recorded)
    assert "gen_ai.request.model" not in seen
    assert seen["gen_ai.usage.input_tokens"] == 12


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("stream", [False, True])
def test_compressed_answers_are_read(caller: Caller, recorded: SpanSink, coding: str, code: Any, stream: bool) -> None:
    body = b"".join(SSE) if stream else json.dumps(ANSWER).encode()
    coded = code(body)
    pieces = [coded[i : i + 7] for i in range(0, len(coded), 7)]
    transport = caller.answering(pieces, headers={"content-encoding": coding})
    assert caller.post(OPENAI, QUESTION, stream=stream, transport=transport) == body
    assert told(recorded)["gen_ai.usage.output_tokens"] == 3


def test_a_coding_that_lies_costs_the_facts_and_nothing_else(caller: Caller, recorded: SpanSink) -> None:
    transport = caller.answering([b"not gzip"], headers={"content-encoding": "gzip"})
    with pytest.raises(caller.library.DecodingError):
        caller.post(OPENAI, QUESTION, stream=True, transport=transport)
    assert "gen_ai.usage.output_tokens" not in told(recorded)


def test_a_very_large_answer_is_passed_on_and_not_kept(caller: Caller, recorded: SpanSink) -> None:
    piece = b"x" * 1_000_000
    transport = caller.answering([b'{"id": "'] + [piece] * 50 + [b'"}'], headers=JSON)
    assert len(caller.post(OPENAI, QUESTION, stream=True, transport=transport)) == 50_000_010
    assert "gen_ai.response.id" not in told(recorded)


def test_a_fault_of_ours_never_reaches_the_caller(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(*_: Any) -> Any:
        raise RuntimeError("ours")

    body = json.dumps(ANSWER).encode()
    with SpanSink.provider() as (provider, sink):
        instrument(tracer_provider=provider)
        monkeypatch.setattr("otel_llm.answer.Answer.facts", explode)
        assert caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers=JSON)) == body
        monkeypatch.setattr("otel_llm.call._decoded", explode)
        assert caller.post(OPENAI, QUESTION, transport=caller.answering([body], headers=JSON)) == body
        uninstrument()
        assert [span.name for span in sink.spans] == ["chat gpt-4o"] * 2
        assert sink.open == []


# --- switching on and off ---------------------------------------------------------------------------------------------


def test_uninstrument_restores_both_libraries(library: Any) -> None:
    before = (library.Client.__dict__["send"], library.AsyncClient.__dict__["send"])
    instrument()
    instrument()
    assert library.Client.__dict__["send"] is not before[0]
    uninstrument()
    assert (library.Client.__dict__["send"], library.AsyncClient.__dict__["send"]) == before


def test_one_client_alone(library: Any) -> None:
    from otel_llm.tracing import use_provider

    transport = Caller(library, is_async=False).answering([json.dumps(ANSWER).encode()], headers=JSON)
    with SpanSink.provider() as (provider, sink):
        use_provider(provider)
        with library.Client(transport=transport) as mine, library.Client(transport=transport) as other:
            instrument_client(mine)
            mine.post(OPENAI, json=QUESTION)
            other.post(OPENAI, json=QUESTION)
        use_provider(None)
        assert len(sink.spans) == 1


def test_only_clients_of_these_libraries_can_be_instrumented() -> None:
    with pytest.raises(TypeError, match="str is no client"):
        instrument_client("client")


def test_metrics_are_recorded(caller: Caller) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with SpanSink.provider() as (provider, _):
        instrument(tracer_provider=provider, meter_provider=meters)
        transport = caller.answering(SSE, headers=EVENTS)
        caller.post(OPENAI, QUESTION | {"stream": True}, stream=True, transport=transport)
        uninstrument()
    data = reader.get_metrics_data()
    assert data is not None
    points = {
        metric.name: [(dict(p.attributes or {}).get("gen_ai.token.type"), p.sum) for p in metric.data.data_points]  # type: ignore[union-attr]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name.startswith("gen_ai.")
    }
    meters.shutdown()
    assert set(points) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
    }
    assert points["gen_ai.client.token.usage"] == [("input", 12), ("output", 3)]
