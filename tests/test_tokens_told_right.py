"""What is easily told wrong of a call, told right: the same call to two vendors, plain and streamed, through their own SDKs.

OpenAI: 1,200 tokens in, of which 1,024 were cached; 100 out, of which 40 are reasoning. Anthropic: 176 tokens in beside 1,024 from the
cache, so 1,200 as well; 100 out.
"""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.protocols import Usage
from otel_llm.testing import FakeLangfuse, FakeProvider, Reply, SpanSink
from otel_llm_langfuse import LangfuseExporter

MESSAGES: Any = [{"role": "user", "content": "Why?"}]
USAGE = Usage(input_tokens=1200, output_tokens=100, cache_read=1024)


def ask_openai(fake: FakeProvider, *, stream: bool) -> str:
    fake.reply(Reply(text="Because.", usage=Usage(input_tokens=1200, output_tokens=100, cache_read=1024, reasoning=40)))
    with openai.OpenAI(base_url=fake.openai, api_key="sk-fake") as client:
        if not stream:
            return client.chat.completions.create(model="gpt-4o", messages=MESSAGES).choices[0].message.content or ""
        options: Any = {"include_usage": True}
        chunks = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, stream_options=options)
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def ask_anthropic(fake: FakeProvider, *, stream: bool) -> str:
    fake.reply(Reply(text="Because.", usage=USAGE))
    with anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-fake") as client:
        if not stream:
            message: Any = client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=MESSAGES)
            return "".join(block.text for block in message.content)
        events: Any = client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=MESSAGES, stream=True)
        return "".join(event.delta.text for event in events if event.type == "content_block_delta")


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[ask_openai, ask_anthropic], ids=["openai", "anthropic"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_input_counts_the_cache_in_and_output_is_not_counted_twice(
    recorded: SpanSink, fake: FakeProvider, ask: Any, stream: bool
) -> None:
    ask(fake, stream=stream)
    (span,) = recorded.spans
    seen = recorded.attributes(span)
    assert (seen["gen_ai.usage.input_tokens"], seen["gen_ai.usage.output_tokens"]) == (1200, 100)
    assert seen["gen_ai.usage.cache_read.input_tokens"] == 1024


def test_reasoning_tokens_are_told(recorded: SpanSink, fake: FakeProvider, stream: bool) -> None:
    ask_openai(fake, stream=stream)
    assert recorded.attributes(recorded.spans[0])["gen_ai.usage.reasoning.output_tokens"] == 40


def test_the_answer_is_there_and_the_caller_got_the_same(
    recorded: SpanSink, fake: FakeProvider, ask: Any, stream: bool
) -> None:
    assert ask(fake, stream=stream) == "Because."
    (message,) = recorded.attributes(recorded.spans[0])["gen_ai.output.messages"]
    assert message["parts"] == [{"type": "text", "content": "Because."}]


def test_a_call_is_one_client_span_that_ends_with_its_stream(
    recorded: SpanSink, fake: FakeProvider, ask: Any, stream: bool
) -> None:
    ask(fake, stream=stream)
    (span,) = recorded.spans
    assert span.kind is SpanKind.CLIENT
    assert span.events == ()
    assert ("gen_ai.response.time_to_first_chunk" in (span.attributes or {})) is stream
    if stream:
        first_chunk_s = recorded.attributes(span)["gen_ai.response.time_to_first_chunk"]
        assert span.end_time - span.start_time > first_chunk_s * 1e9  # type: ignore[operator]


def test_names_are_todays_and_finish_reasons_a_list(recorded: SpanSink, fake: FakeProvider, ask: Any, stream: bool) -> None:
    ask(fake, stream=stream)
    seen = recorded.attributes(recorded.spans[0])
    assert seen["gen_ai.response.finish_reasons"] == ("stop",)
    assert seen["gen_ai.provider.name"] in ("openai", "anthropic")
    assert "gen_ai.system" not in seen


def test_no_parameter_is_invented(recorded: SpanSink, fake: FakeProvider, stream: bool) -> None:
    ask_openai(fake, stream=stream)
    parameters = {name for name in recorded.attributes(recorded.spans[0]) if name.startswith("gen_ai.request.")}
    assert parameters == {"gen_ai.request.model"} | ({"gen_ai.request.stream"} if stream else set())


def test_cached_tokens_are_priced_as_cached(fake: FakeProvider, ask: Any, stream: bool) -> None:
    with SpanSink.provider() as (provider, _), FakeLangfuse() as langfuse:
        exporter = LangfuseExporter(public_key=langfuse.public_key, secret_key=langfuse.secret_key, base_url=langfuse.base_url)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
        ask(fake, stream=stream)
        uninstrument()
        langfuse.wait_for(1)
        (row,) = langfuse.generations
    usage = row["usage_details"]
    assert (usage["input"], usage["input_cached_tokens"], usage["output"], usage["total"]) == (176, 1024, 100, 1300)
    per_token = {"gpt-4o": (2.5e-6, 1.25e-6, 10e-6), "claude-haiku-4-5": (1e-6, 0.1e-6, 5e-6)}[row["model"]]
    expected = 176 * per_token[0] + 1024 * per_token[1] + 100 * per_token[2]
    assert row["cost_details"]["total"] == pytest.approx(expected, abs=1e-9)
