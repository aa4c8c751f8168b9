"""One set of calls through vendors' SDKs, told by one emitter alone; printed is what Langfuse stores of each, by write path.

``python emitting.py EMITTER`` runs in a process of its own: instrumentations patch SDKs for the whole process.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_llm
from otel_llm.protocols import Usage
from otel_llm.testing import FakeLangfuse, FakeProvider, Reply, SpanSink, ToolCall
from otel_llm_langfuse import LangfuseExporter

MESSAGES: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Why?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "call_0", "content": "found"},
]
SCHEMA: Any = {"type": "object", "properties": {"id": {"type": "integer"}}}
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": SCHEMA}}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
BLOCKS: Any = [
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_0", "name": "look_up", "input": {"id": 1}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0", "content": "found"}]},
]
CLAUDE: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "system": "Be brief.", "messages": BLOCKS}
CLAUDE_TOOLS: Any = [{"name": "look_up", "description": "Looks up.", "input_schema": SCHEMA}]
WITH_USAGE: Any = {"stream": True, "stream_options": {"include_usage": True}}

CACHED = Usage(input_tokens=2000, output_tokens=90, cache_read=500, reasoning=20)
CACHED_BY_CLAUDE = Usage(input_tokens=2000, output_tokens=90, cache_read=500, cache_write=100)
ANSWER, CLAUDES = Reply(text="Because.", usage=CACHED), Reply(text="Because.", usage=CACHED_BY_CLAUDE)
ASKS = Reply(tool_calls=[ToolCall("look_up", {"id": 7}, id="call_1")], usage=CACHED)
CLAUDE_ASKS = Reply(tool_calls=[ToolCall("look_up", {"id": 7}, id="toolu_1")], usage=CACHED_BY_CLAUDE)


def read(events: Any) -> None:
    """To its end."""
    for _ in events:
        pass


def chat(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **more)


def anthropic_stream(client: Any, **more: Any) -> None:
    with client.messages.stream(**CLAUDE, **more) as events:
        events.until_done()


OPENAI: dict[str, tuple[Reply, Callable[[Any], Any]]] = {
    "plain": (ANSWER, lambda c: chat(c, temperature=0.5, max_tokens=9, top_p=0.9)),
    "streamed": (ANSWER, lambda c: read(chat(c, **WITH_USAGE))),
    "with tools": (ASKS, lambda c: chat(c, tools=TOOLS)),
    "streamed with tools": (ASKS, lambda c: read(chat(c, tools=TOOLS, **WITH_USAGE))),
    "an image": (
        ANSWER,
        lambda c: c.chat.completions.create(
            model="gpt-4o",
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]}
            ],
        ),
    ),
    "responses": (
        ANSWER,
        lambda c: c.responses.create(model="gpt-4o", instructions="Be brief.", input="Why?", temperature=0.5),
    ),
    "embeddings": (Reply(), lambda c: c.embeddings.create(model="text-embedding-3-small", input=["Why?", "How?"])),
    "refused": (Reply(status=400, error="bad"), chat),
}
ANTHROPIC: dict[str, tuple[Reply, Callable[[Any], Any]]] = {
    "anthropic plain": (CLAUDES, lambda c: c.messages.create(**CLAUDE, stop_sequences=["x"])),
    "anthropic streamed": (CLAUDES, anthropic_stream),
    "anthropic with tools": (CLAUDE_ASKS, lambda c: c.messages.create(**CLAUDE, tools=CLAUDE_TOOLS)),
    "anthropic streamed with tools": (CLAUDE_ASKS, lambda c: anthropic_stream(c, tools=CLAUDE_TOOLS)),
    "anthropic refused": (Reply(status=400, error="bad"), lambda c: c.messages.create(**CLAUDE)),
}
#: Package of an emitter's instrumentations, without the SDK's name.
EMITTERS = {
    "official": "opentelemetry.instrumentation.genai",
    "openinference": "openinference.instrumentation",
    "openllmetry": "opentelemetry.instrumentation",
}


def instrument(emitter: str, provider: Any) -> None:
    """Otel-llm itself, or another emitter in its place."""
    if emitter == "otel_llm":
        otel_llm.instrument(tracer_provider=provider, content=otel_llm.CaptureMode.SPAN_ONLY)
        return
    provider.add_span_processor(otel_llm.ContextProcessor())
    for sdk, name in (("openai", "OpenAIInstrumentor"), ("anthropic", "AnthropicInstrumentor")):
        getattr(import_module(f"{EMITTERS[emitter]}.{sdk}"), name)().instrument(tracer_provider=provider)


def emit(emitter: str) -> dict[str, dict[str, Any]]:
    """Write path -> call -> the stored row."""
    calls = [*OPENAI, *ANTHROPIC]
    with (
        FakeProvider() as fake,
        FakeLangfuse() as direct,
        FakeLangfuse(path="dual", public_key="pk-lf-dual") as dual,
        SpanSink.provider() as (provider, _),
    ):
        trace.set_tracer_provider(provider)
        instrument(emitter, provider)
        for langfuse in (direct, dual):
            keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key}
            provider.add_span_processor(SimpleSpanProcessor(LangfuseExporter(**keys, base_url=langfuse.base_url)))
        make(import_module("openai").OpenAI, OPENAI, fake, fake.openai)
        make(import_module("anthropic").Anthropic, ANTHROPIC, fake, fake.anthropic)
        for langfuse in (direct, dual):
            langfuse.wait_for(len(calls))
        provider.shutdown()
        return {path: stored(langfuse, calls) for path, langfuse in (("direct", direct), ("dual", dual))}


def stored(langfuse: FakeLangfuse, calls: list[str]) -> dict[str, Any]:
    """The one row of each call, in the order in which the calls were made."""
    assert langfuse.rejected == []
    return dict(zip(calls, sorted(langfuse.observations, key=lambda row: row["start_time"]), strict=True))


def make(sdk: Any, calls: Any, fake: FakeProvider, base_url: str) -> None:
    """All calls of one SDK."""
    with sdk(base_url=base_url, api_key="sk-fake", max_retries=0) as client:
        for reply, call in calls.values():
            fake.reply(reply)
            with contextlib.suppress(Exception):
                call(client)


if __name__ == "__main__":
    print(json.dumps(emit(sys.argv[1])))
