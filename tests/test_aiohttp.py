"""Calls made with aiohttp by itself, as google-genai's async client makes them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import aiohttp
import httpx
import pytest

from otel_llm.testing import FakeProvider, Reply, SpanSink

KEY = {"authorization": "Bearer sk-fake"}
QUESTION: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}


async def read(response: aiohttp.ClientResponse) -> bytes:
    return await response.read()


async def chunked(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in response.content.iter_chunked(7)])


async def any_size(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in response.content.iter_any()])


async def chunks(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece, _ in response.content.iter_chunks()])


async def lines(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([line async for line in response.content])


@pytest.mark.parametrize("way", [read, chunked, any_size, chunks, lines])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
async def test_a_call_is_one_span_however_it_is_read(
    recorded: SpanSink, fake: FakeProvider, way: Any, stream: bool, compressed: bool
) -> None:
    fake.reply(Reply(text="Because.", gzip=compressed))
    body = QUESTION | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})
    async with aiohttp.ClientSession() as session:
        url = f"{fake.openai}/chat/completions"
        async with session.post(url, json=body, headers=KEY) as response:
            data = await way(response)

    assert b"caus" in data or stream
    (span,) = recorded.spans
    seen = recorded.attributes(span)
    assert span.name == "chat gpt-4o"
    assert seen["gen_ai.output.messages"][0]["parts"] == [{"type": "text", "content": "Because."}]
    assert seen["gen_ai.usage.output_tokens"] == fake.exchanges[0].usage.output_tokens  # type: ignore[union-attr]
    assert ("gen_ai.response.time_to_first_chunk" in seen) is stream
    assert seen["http.response.header.x-request-id"]


async def test_an_error_is_told(recorded: SpanSink, fake: FakeProvider) -> None:
    fake.reply(Reply(status=429, error="Slow down"))
    async with (
        aiohttp.ClientSession(base_url=f"{fake.openai}/") as session,
        session.post("chat/completions", json=QUESTION, headers=KEY) as response,
    ):
        await response.json()
    (span,) = recorded.spans
    assert span.status.description == "Slow down"
    assert (span.attributes or {})["otel_llm.error.category"] == "rate_limit"


async def test_a_connection_that_fails_raises_what_it_raised(recorded: SpanSink) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post("http://127.0.0.1:1/v1/chat/completions", json=QUESTION)
    (span,) = recorded.spans
    assert (span.attributes or {})["error.type"] == "aiohttp.ClientConnectorError"
    assert (span.attributes or {})["otel_llm.error.category"] == "network"


async def test_a_stream_that_is_dropped_was_abandoned(recorded: SpanSink, fake: FakeProvider) -> None:
    async with aiohttp.ClientSession() as session:
        response = await session.post(f"{fake.openai}/chat/completions", json=QUESTION | {"stream": True}, headers=KEY)
        await response.content.readany()
        response.close()
        del response
        gc.collect()
        await asyncio.sleep(0)
    (span,) = recorded.spans
    assert (span.attributes or {})["otel_llm.ending"] == "abandoned"


async def test_other_requests_pass(recorded: SpanSink, fake: FakeProvider) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{fake.openai}/models", headers=KEY) as response:
        assert response.status == 200
    assert recorded.spans == []


async def test_httpx_on_an_aiohttp_transport_is_recorded_once(recorded: SpanSink, fake: FakeProvider) -> None:
    class OnAiohttp(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            async with aiohttp.ClientSession() as session:
                headers = {k: v for k, v in request.headers.items() if k != "content-length"}
                async with session.post(str(request.url), data=request.content, headers=headers) as answer:
                    return httpx.Response(
                        answer.status, content=await answer.read(), headers={"content-type": "application/json"}
                    )

    async with httpx.AsyncClient(transport=OnAiohttp()) as client:
        await client.post(f"{fake.openai}/chat/completions", json=QUESTION, headers=KEY)
    assert [span.name for span in recorded.spans] == ["chat gpt-4o"]
