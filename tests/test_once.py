"""Beside other instrumentations of the same calls: one span a call, enriched, and tokens on it once."""

from __future__ import annotations

import contextvars
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.util.genai.handler import TelemetryHandler

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.content import CAPTURE_VARIABLE
from otel_llm.testing import FakeLangfuse, FakeProvider, Reply, SpanSink
from otel_llm_langfuse import LangfuseExporter

QUESTION: list[Any] = [{"role": "user", "content": "Why?"}]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TracerProvider, SpanSink]]:
    """A provider that is also the global one, as native tracing wants it, recorded by otel-llm with content."""
    monkeypatch.setenv(CAPTURE_VARIABLE, "SPAN_ONLY")
    with SpanSink.provider() as (provider, sink):
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
        yield provider, sink
        uninstrument()
        assert sink.open == []


def ask_anthropic(fake: FakeProvider, *, stream: bool) -> None:
    with anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-fake", max_retries=1) as client:
        if stream:
            with client.messages.stream(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION) as events:
                events.until_done()
        else:
            client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION)


def ask_openai(fake: FakeProvider, *, stream: bool) -> None:
    with openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=1) as client:
        if stream:
            options: Any = {"include_usage": True}
            for _ in client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True, stream_options=options):
                pass
        else:
            client.chat.completions.create(model="gpt-4o", messages=QUESTION)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_own_span_gets_what_it_lacks(both: Any, fake: FakeProvider, stream: bool) -> None:
    fake.reply(Reply(text="Because."))
    ask_anthropic(fake, stream=stream)

    (span,) = both[1].spans
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "com.anthropic.sdk.python"
    seen = both[1].attributes(span)
    assert seen["gen_ai.output.messages"][0]["parts"] == [{"type": "text", "content": "Because."}]
    assert seen["gen_ai.response.finish_reasons"] == ("stop",)
    assert seen["gen_ai.usage.output_tokens"] == fake.exchanges[0].usage.output_tokens  # type: ignore[union-attr]


def test_a_retried_call_told_by_anthropics_span_is_no_failure(both: Any, fake: FakeProvider) -> None:
    fake.reply(Reply(status=529, error="Overloaded", headers={"retry-after-ms": "1"}))
    ask_anthropic(fake, stream=False)
    (span,) = both[1].spans
    assert "error.type" not in (span.attributes or {})
    assert (span.attributes or {})["http.response.status_code"] == 200


@pytest.mark.parametrize("ours_first", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_the_official_instrumentations_span_gets_what_it_lacks(
    both: Any, fake: FakeProvider, stream: bool, ours_first: bool
) -> None:
    provider, sink = both
    if not ours_first:
        uninstrument()
    official = OpenAIInstrumentor()
    official.instrument(tracer_provider=provider)
    instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
    try:
        ask_openai(fake, stream=stream)
    finally:
        official.uninstrument()

    (span,) = sink.spans
    assert span.instrumentation_scope.name == "opentelemetry.instrumentation.genai.openai"
    seen = sink.attributes(span)
    assert seen["openai.response.system_fingerprint"]  # which the official one leaves out
    assert seen["gen_ai.usage.input_tokens"] == fake.exchanges[0].usage.input_tokens  # type: ignore[union-attr]


def test_a_retried_call_told_by_the_official_instrumentation_is_no_failure(both: Any, fake: FakeProvider) -> None:
    provider, sink = both
    official = OpenAIInstrumentor()
    official.instrument(tracer_provider=provider)
    fake.reply(Reply(status=429, error="Slow down", headers={"retry-after-ms": "1"}))
    try:
        ask_openai(fake, stream=False)
    finally:
        official.uninstrument()
    (span,) = sink.spans
    assert "error.type" not in (span.attributes or {})
    assert "http.response.status_code" not in (span.attributes or {})
    assert (span.attributes or {})["http.request.resend_count"] == 1


#: Others patch SDKs for the whole process and do not always take it back, so each gets a process of its own.
BESIDE_OTHERS = """
import warnings
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_llm
from otel_llm.testing import FakeLangfuse, FakeProvider, SpanSink
from otel_llm_langfuse import LangfuseExporter

QUESTION: Any = [{{"role": "user", "content": "Why?"}}]

with FakeProvider() as fake, FakeLangfuse() as langfuse, SpanSink.provider() as (provider, sink):
    trace.set_tracer_provider(provider)
    keys = {{"public_key": langfuse.public_key, "secret_key": langfuse.secret_key}}
    otel_llm.instrument(tracer_provider=provider)
    {set_up}
    provider.add_span_processor(SimpleSpanProcessor(LangfuseExporter(**keys, base_url=langfuse.base_url)))
    with Anthropic(base_url=fake.anthropic, api_key="sk-fake") as client:
        client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=QUESTION)
    with OpenAI(base_url=fake.openai, api_key="sk-fake") as client:
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)
        usage: Any = {{"include_usage": True}}
        for _ in client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True, stream_options=usage):
            pass
    langfuse.wait_for(3)
    provider.shutdown()
    told = sum(row["usage_details"]["total"] for row in langfuse.generations)
    print(len(langfuse.observations), len(langfuse.generations), told - fake.usage.input_tokens - fake.usage.output_tokens)
"""
OTHERS = {
    "openinference": """
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    from anthropic import Anthropic
    from openai import OpenAI
""",
    "openllmetry": """
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    from anthropic import Anthropic
    from openai import OpenAI
""",
    "langfuse": """
    from langfuse import Langfuse
    Langfuse(**keys, base_url="http://127.0.0.1:1", tracer_provider=provider, should_export_span=lambda _: False)
    from anthropic import Anthropic
    from langfuse.openai import OpenAI
""",
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_call_that_others_tell_in_their_own_way_is_told_once(other: str) -> None:
    script = BESIDE_OTHERS.format(set_up=OTHERS[other].strip())
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.strip(), done.returncode) == ("3 3 0", 0), done.stderr


def test_a_call_of_a_task_that_outlived_another_librarys_call_is_recorded(both: Any, fake: FakeProvider) -> None:
    provider, sink = both
    with TelemetryHandler(tracer_provider=provider).inference("openai", request_model="outer"):
        left_behind = contextvars.copy_context()
    left_behind.run(ask_openai, fake, stream=False)
    assert [span.name for span in sink.spans] == ["chat outer", "chat gpt-4o"]


@pytest.fixture
def langfuse(both: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLangfuse]:
    """A Langfuse that gets the spans of ``both``."""
    with FakeLangfuse() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        exporter = LangfuseExporter()
        both[0].add_span_processor(SimpleSpanProcessor(exporter))
        yield server
        exporter.shutdown()


def test_langfuse_counts_each_call_once_whoever_else_records_it(both: Any, fake: FakeProvider, langfuse: FakeLangfuse) -> None:
    others = OpenAIInstrumentor(), HTTPX2ClientInstrumentor()
    for other in others:
        other.instrument(tracer_provider=both[0])
    try:
        for stream in (False, True):
            ask_anthropic(fake, stream=stream)
            ask_openai(fake, stream=stream)
    finally:
        for other in others:
            other.uninstrument()
    both[0].force_flush()

    langfuse.wait_for(4)
    sent = fake.usage
    assert [row["type"] for row in langfuse.observations] == ["GENERATION"] * 4
    assert sum(row["usage_details"]["total"] for row in langfuse.generations) == sent.input_tokens + sent.output_tokens  # type: ignore[operator]
    assert all("You said: Why?" in row["output"] for row in langfuse.generations)
    assert set(langfuse.arrivals.values()) == {1}


def test_http_spans_stand_below_the_call(both: Any, fake: FakeProvider) -> None:
    provider, sink = both
    http = HTTPX2ClientInstrumentor()
    http.instrument(tracer_provider=provider)
    try:
        with httpx2.Client() as client:
            client.post(
                f"{fake.openai}/chat/completions",
                json={"model": "gpt-4o", "messages": QUESTION},
                headers={"authorization": "Bearer sk-fake"},
            )
    finally:
        http.uninstrument()
    assert sink.tree() == (("chat gpt-4o", (("POST", ()),)),)
    assert len(sink.calls) == 1
    assert not any(key.startswith("gen_ai") for key in sink.one(name="POST").attributes or {})
