"""Pictures and recordings of real calls, seen in Langfuse: recorded from the OpenAI SDK and raw HTTP, delivered, read back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import langfuse as langfuse_sdk
import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink
from otel_llm_langfuse import LangfuseExporter
from otel_llm_langfuse.media import Medium

PICTURE = b"\x89PNG\r\n\x1a\n the smallest picture"
SOUND = b"RIFF\x10\0\0\0WAVEfmt the shortest recording"
PICTURE_URI = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
ASKED = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": PICTURE_URI}},
    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    {"type": "input_audio", "input_audio": {"data": base64.b64encode(SOUND).decode(), "format": "wav"}},
]
SHOWN = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": Medium.of("image/png", PICTURE).token}},
    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    {"type": "input_audio", "input_audio": {"data": Medium.of("audio/wav", SOUND).token, "format": "wav"}},
]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def recorded() -> Iterator[SpanSink]:
    """Spans of calls, with content."""
    with SpanSink.provider() as (tracer_provider, spans):
        instrument(tracer_provider=tracer_provider, content=CaptureMode.SPAN_ONLY)
        yield spans
        uninstrument()


def by_openai(provider: FakeProvider) -> None:
    with openai.OpenAI(base_url=provider.openai, api_key="sk-fake") as client:
        client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": ASKED}])  # type: ignore[list-item, misc]


def by_httpx(provider: FakeProvider) -> None:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": ASKED}]}
    httpx.post(f"{provider.openai}/chat/completions", json=body, headers={"authorization": "Bearer sk-fake"}).raise_for_status()


def delivered(langfuse: FakeLangfuse, spans: SpanSink) -> ReadableSpan:
    """Send what was recorded by the exporter; the one span."""
    exporter = LangfuseExporter(public_key=langfuse.public_key, secret_key=langfuse.secret_key, base_url=langfuse.base_url)
    [span] = spans.spans
    exporter.export([span])
    assert exporter.force_flush(10_000)
    exporter.shutdown()
    return span


@pytest.mark.parametrize("call", [by_openai, by_httpx])
def test_media_of_a_call_are_shown_in_their_places(
    langfuse: FakeLangfuse, provider: FakeProvider, recorded: SpanSink, call: Callable[[FakeProvider], None]
) -> None:
    call(provider)
    span = delivered(langfuse, recorded)

    [row] = langfuse.observations
    assert json.loads(row["input"])["messages"] == [{"role": "user", "content": SHOWN}]
    assert span.context is not None
    of_the_call = (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", "input")
    assert [
        (file.content_type, file.data, file.status, (file.trace_id, file.observation_id, file.field)) for file in langfuse.media
    ] == [("image/png", PICTURE, 200, of_the_call), ("audio/wav", SOUND, 200, of_the_call)]


def test_langfuse_s_sdk_gets_the_media_back(provider: FakeProvider, recorded: SpanSink) -> None:
    by_openai(provider)
    # The SDK keeps what it made for a key, so this key is no other test's.
    with FakeLangfuse(public_key="pk-lf-media") as langfuse, httpx.Client() as http:  # the SDK leaves its own one open
        delivered(langfuse, recorded)
        client = langfuse_sdk.Langfuse(
            public_key=langfuse.public_key,
            secret_key=langfuse.secret_key,
            base_url=langfuse.base_url,
            tracing_enabled=False,
            httpx_client=http,
        )
        stored = json.loads(langfuse.observations[0]["input"])
        read: Any = client.resolve_media_references(obj=stored, resolve_with="base64_data_uri")
        client.shutdown()

    content = read["messages"][0]["content"]
    assert content[:3] == ASKED[:3]
    assert content[3]["input_audio"]["data"] == f"data:audio/wav;base64,{base64.b64encode(SOUND).decode()}"


def test_a_medium_is_told_in_a_log_without_its_bytes() -> None:
    assert "hush" not in repr(Medium.of("text/plain", b"hush"))
