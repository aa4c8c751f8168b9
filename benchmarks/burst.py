"""A burst of calls with a large prompt: how many generations arrive at Langfuse, by otel-llm and by the stock pipeline.

    uv run python benchmarks/burst.py [--calls 2000] [--at-once 64] [--prompt-kb 280]

The application makes its calls with httpx to a fake provider; its spans go to a fake Langfuse. Both fakes are processes of their own.
"otel-llm" is ``configure()`` at its defaults; "stock" records the same calls and exports them by OpenTelemetry's
``BatchSpanProcessor`` and ``OTLPSpanExporter`` at theirs. Each runs in a fresh process. Figures: generations that arrived, seconds for
the calls, seconds until all was flushed, and peak memory of the application.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

RULE = "Playbook rule {n}: answer in short sentences, ask before you offer, cite a source, and never promise a date. "


def run(way: str, calls: int, at_once: int, prompt_kb: int) -> dict[str, Any]:
    """One burst in this way ("otel-llm" or "stock"), in fresh processes."""
    spawn = multiprocessing.get_context("spawn")
    with _server(spawn, "FakeProvider") as provider, _server(spawn, "FakeLangfuse") as langfuse:
        here, there = spawn.Pipe()
        provider.send("environment")
        langfuse.send("environment")
        arguments = (there, way, provider.recv(), langfuse.recv(), calls, at_once, prompt_kb)
        application = spawn.Process(target=_application, args=arguments)
        application.start()
        figures: dict[str, Any] = here.recv()
        application.join()
        langfuse.send("count")
        return {"way": way, "calls": calls, "arrived": langfuse.recv(), **figures}


@contextmanager
def _server(spawn: Any, name: str) -> Iterator[Connection]:
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, name))
    process.start()
    try:
        yield here
    finally:
        here.send("stop")
        process.join()


def _serve(pipe: Connection, name: str) -> None:
    import otel_llm.testing as doubles

    with getattr(doubles, name)() as server:
        while (asked := pipe.recv()) != "stop":
            if asked == "count":
                pipe.send(len(server.generations))
            else:
                pipe.send(server.environment if name == "FakeLangfuse" else server.openai)


def _application(
    pipe: Connection, way: str, llm: str, langfuse: dict[str, str], calls: int, at_once: int, prompt_kb: int
) -> None:
    os.environ |= langfuse | {
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "OTEL_TRACES_EXPORTER": "langfuse",
    }
    flush = _configure_otel_llm() if way == "otel-llm" else _configure_stock(langfuse)
    rules = "".join(RULE.format(n=n) for n in range(prompt_kb * 10))[: prompt_kb * 1000]
    started = time.perf_counter()
    asyncio.run(_burst(llm, rules, calls, at_once))
    called = time.perf_counter()
    flush()
    figures = {
        "calls_s": round(called - started, 1),
        "flush_s": round(time.perf_counter() - called, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    pipe.send(figures)


def _configure_otel_llm() -> Any:
    import otel_llm

    otel_llm.configure(service_name="burst")
    return lambda: otel_llm.force_flush(120)


def _configure_stock(langfuse: dict[str, str]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    import otel_llm

    key = base64.b64encode(f"{langfuse['LANGFUSE_PUBLIC_KEY']}:{langfuse['LANGFUSE_SECRET_KEY']}".encode()).decode()
    provider = TracerProvider()
    endpoint = f"{langfuse['LANGFUSE_BASE_URL']}/api/public/otel/v1/traces"
    headers = {"authorization": f"Basic {key}", "x-langfuse-ingestion-version": "4"}
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, headers=headers)))
    otel_llm.instrument(tracer_provider=provider)
    return lambda: provider.force_flush(120_000)


async def _burst(llm: str, rules: str, calls: int, at_once: int) -> None:
    import httpx

    places = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(timeout=120, limits=limits, headers={"authorization": "Bearer sk-burst"}) as http:

        async def call(n: int) -> None:
            messages = [{"role": "system", "content": rules}, {"role": "user", "content": f"Question {n}?"}]
            async with places:
                answer = await http.post(f"{llm}/chat/completions", json={"model": "gpt-4o-mini", "messages": messages})
                answer.raise_for_status()

        await asyncio.gather(*(call(n) for n in range(calls)))


def main() -> int:
    """Run both ways and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--prompt-kb", type=int, default=280)
    parser.add_argument("--way", choices=["otel-llm", "stock"], action="append")
    options = parser.parse_args()
    for way in options.way or ["otel-llm", "stock"]:
        print(json.dumps(run(way, options.calls, options.at_once, options.prompt_kb)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
