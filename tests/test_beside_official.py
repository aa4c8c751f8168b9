"""Attribute by attribute beside the official instrumentations: nothing that they tell of a call is missing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.content import CAPTURE_VARIABLE
from otel_llm.protocols import Usage
from otel_llm.testing import FakeProvider, Reply, SpanSink, ToolCall

MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "description": "d", "parameters": {"type": "object"}}}]
#: Times and ids differ from call to call; the official one names the SDK's exception, ours the provider's code.
VARYING = {"gen_ai.response.time_to_first_chunk", "gen_ai.response.id", "openai.response.system_fingerprint", "error.type"}


def plain(client: openai.OpenAI) -> None:
    client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, temperature=0.5, max_tokens=9, seed=7, stop=["\n"], top_p=0.9, frequency_penalty=0.1
    )


def streamed(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, stream_options=options):
        pass


def with_tools(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=TOOLS)


def as_json(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES, response_format={"type": "json_object"}, n=2)


def responses(client: openai.OpenAI) -> None:
    client.responses.create(model="gpt-4o", instructions="Be brief.", input="Why?", temperature=0.5, max_output_tokens=90)


def responses_streamed(client: openai.OpenAI) -> None:
    for _ in client.responses.create(model="gpt-4o", input="Why?", stream=True):
        pass


def embeddings(client: openai.OpenAI) -> None:
    client.embeddings.create(model="text-embedding-3-small", input=["Why?", "How?"])


def anthropic_plain(client: anthropic.Anthropic) -> None:
    client.messages.create(
        model="claude-haiku-4-5", max_tokens=9, system="Be brief.", stop_sequences=["x"], messages=MESSAGES[1:]
    )


def anthropic_streamed(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="claude-haiku-4-5", max_tokens=9, messages=MESSAGES[1:]) as events:
        events.until_done()


def anthropic_tools(client: anthropic.Anthropic) -> None:
    tools: Any = [{"name": "look_up", "description": "d", "input_schema": {"type": "object"}}]
    client.messages.create(model="claude-haiku-4-5", max_tokens=9, tools=tools, messages=MESSAGES[1:])


def refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


OPENAI = [plain, streamed, with_tools, as_json, responses, responses_streamed, embeddings, refused]
ANTHROPIC = [anthropic_plain, anthropic_streamed, anthropic_tools]
REPLIES: dict[Callable[..., None], Reply] = {
    anthropic_tools: Reply(tool_calls=[ToolCall("look_up", {"id": 7}, id="toolu_1")]),
    with_tools: Reply(tool_calls=[ToolCall("look_up", {"id": 7}, id="call_1")]),
    refused: Reply(status=400, error="bad"),
}


def attributes_of(ask: Callable[..., None], fake: FakeProvider, record: Callable[[Any], Callable[[], None]]) -> dict[str, Any]:
    usage = Usage(input_tokens=20, output_tokens=9, cache_read=5, reasoning=2)
    fake.reply(REPLIES.get(ask, Reply(text="Because.", usage=usage)))
    with SpanSink.provider() as (provider, sink):
        stop = record(provider)
        try:
            with client_for(ask, fake) as client:
                ask(client)
        finally:
            stop()
        (span,) = sink.spans
        return {"": (span.name, span.kind, span.status.status_code), **sink.attributes(span)}


def client_for(ask: Callable[..., None], fake: FakeProvider) -> Any:
    if ask in ANTHROPIC:
        return anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-fake", max_retries=0)
    return openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=0)


def official(provider: Any) -> Callable[[], None]:
    instrumentors = [OpenAIInstrumentor(), AnthropicInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    return lambda: [instrumentor.uninstrument() for instrumentor in instrumentors] and None


def ours(provider: Any) -> Callable[[], None]:
    instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
    return uninstrument


def without_nulls(value: Any) -> Any:
    """The official one writes ``null`` for what a message or part does not have."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("ask", [*OPENAI, *ANTHROPIC])
def test_nothing_is_missing(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., None]) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, "SPAN_ONLY")
    theirs, mine = attributes_of(ask, fake, official), attributes_of(ask, fake, ours)

    assert set(theirs) - set(mine) == set()
    if theirs.get("gen_ai.response.finish_reasons") == ("tool_calls",):
        theirs["gen_ai.response.finish_reasons"] = ("tool_call",)  # the conventions' word
    differing = {key for key in theirs if key not in VARYING and without_nulls(theirs[key]) != without_nulls(mine[key])}
    assert {key: (theirs[key], mine[key]) for key in differing} == {}
