"""What recording a call costs, against a span written by hand on OpenTelemetry's stock pipeline, in the same run.

    uv run python benchmarks/overhead.py [--calls 2000] [--rounds 7] [--prompt-kb 1]

One process makes calls with httpx to an in-memory transport, in rounds that alternate between three ways: "bare" (nothing recorded),
"by hand" (a span with 14 attributes around the call, exported by ``BatchSpanProcessor`` and ``OTLPSpanExporter`` at their defaults) and
"otel-llm" (recorded on the wire with content, mapped for Langfuse, delivered). Both send to a fake Langfuse in a process of its own.
Figures: process CPU of all threads until all is flushed, in microseconds a call above "bare", medians over the rounds; and their ratio.
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

import otel_llm
from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery

URL = "https://api.openai.com/v1/chat/completions"
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Because it is so. " * 45}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 300, "completion_tokens": 200, "total_tokens": 500},
}
Call = Callable[[], None]


def serve(pipe: Connection) -> None:
    from otel_llm.testing import FakeLangfuse

    with FakeLangfuse(keep_rows=False) as langfuse:
        pipe.send(langfuse.environment)
        pipe.recv()


def question(prompt_kb: float) -> dict[str, Any]:
    system = ("You are a helpful assistant. " * int(prompt_kb * 36 + 1))[: int(prompt_kb * 1000)]
    return {"model": "gpt-4o", "messages": [{"role": "system", "content": system}, {"role": "user", "content": "Why? " * 40}]}


def by_hand(call: Call, content: bytes, langfuse: dict[str, str]) -> tuple[Call, Call]:
    key = base64.b64encode(f"{langfuse['LANGFUSE_PUBLIC_KEY']}:{langfuse['LANGFUSE_SECRET_KEY']}".encode()).decode()
    headers = {"authorization": f"Basic {key}", "x-langfuse-ingestion-version": "4"}
    endpoint = f"{langfuse['LANGFUSE_BASE_URL']}/api/public/otel/v1/traces"
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, headers=headers)))
    tracer = provider.get_tracer("by hand")
    messages = json.dumps(json.loads(content)["messages"])
    start = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "server.address": "api.openai.com",
        "server.port": 443,
    }
    end = {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 300,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.input.messages": messages,
        "gen_ai.output.messages": json.dumps(ANSWER["choices"]),
        "user.id": "42",
        "session.id": "s1",
    }

    def recorded() -> None:
        with tracer.start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT, attributes=start) as span:
            call()
            span.set_attributes(end)

    return recorded, lambda: provider.force_flush() and None


def by_otel_llm(call: Call, langfuse: dict[str, str]) -> tuple[Call, Call, TracerProvider]:
    from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

    settings = LangfuseSettings.load(
        public_key=langfuse["LANGFUSE_PUBLIC_KEY"],
        secret_key=langfuse["LANGFUSE_SECRET_KEY"],
        base_url=langfuse["LANGFUSE_BASE_URL"],
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(DeliveryProcessor(Delivery(LangfuseDestination(settings))))
    return call, lambda: provider.force_flush() and None, provider


def spent(call: Call, flush: Call, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        call()
    flush()
    return (time.process_time() - started) / calls * 1e6


def compare(langfuse: dict[str, str], calls: int, rounds: int, prompt_kb: float) -> dict[str, Any]:
    content = json.dumps(question(prompt_kb)).encode()
    body = json.dumps(ANSWER).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body, headers={"content-type": "application/json"}))
    with httpx.Client(transport=transport) as client:

        def bare() -> None:
            client.post(URL, content=content)

        hand, flush_hand = by_hand(bare, content, langfuse)
        ours, flush_ours, provider = by_otel_llm(bare, langfuse)
        took: dict[str, list[float]] = {"bare": [], "by hand": [], "otel-llm": []}
        for _ in range(rounds + 1):
            took["bare"].append(spent(bare, lambda: None, calls))
            took["by hand"].append(spent(hand, flush_hand, calls))
            otel_llm.instrument(tracer_provider=provider, content=otel_llm.CaptureMode.SPAN_ONLY)
            took["otel-llm"].append(spent(ours, flush_ours, calls))
            otel_llm.uninstrument()
    warm = {way: figures[1:] for way, figures in took.items()}
    added = {
        way: statistics.median(a - b for a, b in zip(warm[way], warm["bare"], strict=True)) for way in ("by hand", "otel-llm")
    }
    return {
        "prompt_kb": prompt_kb,
        "bare_us": round(statistics.median(warm["bare"])),
        "by_hand_added_us": round(added["by hand"]),
        "otel_llm_added_us": round(added["otel-llm"]),
        "ratio": round(added["otel-llm"] / added["by hand"], 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--prompt-kb", type=float, default=1)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(there,))
    server.start()
    try:
        print(json.dumps(compare(here.recv(), options.calls, options.rounds, options.prompt_kb)))
    finally:
        here.send("stop")
        server.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
