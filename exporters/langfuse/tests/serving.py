"""A web application under uvicorn and OpenTelemetry's instrumentation of FastAPI, which calls an LLM and is seen at Langfuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from whole_traces import Traced

from otel_llm import instrument, uninstrument
from otel_llm_langfuse import LangfuseExporter

LONG_S = 30.0
_KEY = {"authorization": "Bearer sk-fake"}


def _asked(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Why?"}]}


@dataclass
class Site:
    """What is asked at ``/ask?number=...``, the LLM that answers it, and what Langfuse has of that."""

    traced: Traced
    llm: str
    #: Background work waits for it, until all requests have been answered.
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, model: str) -> None:
        async with httpx.AsyncClient(base_url=self.llm, headers=_KEY) as client:
            (await client.post("/chat/completions", json=_asked(model))).raise_for_status()

    def call_now(self, model: str) -> None:
        call_now(self.llm, model)

    @asynccontextmanager
    async def asked(self, handle: Callable[..., Awaitable[Any]], times: int = 3) -> AsyncIterator[list[str]]:
        """The answers to concurrent requests, while the server goes on."""
        app = FastAPI()
        app.get("/ask", response_model=None)(handle)
        provider = self.traced.provider
        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["receive", "send"])
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        try:
            await _until(lambda: server.started)
            url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/ask"
            async with httpx.AsyncClient(timeout=LONG_S) as client:
                answers = await asyncio.gather(*(client.get(url, params={"number": n}) for n in range(times)))
            await _until(lambda: len(self.server_spans) == times)
            yield [answer.raise_for_status().text for answer in answers]
        finally:
            server.should_exit = True
            await serving
            FastAPIInstrumentor.uninstrument_app(app)  # it has patched Starlette for all applications

    @property
    def server_spans(self) -> list[Any]:
        return [span for span in self.traced.sink.spans if span.name == "GET /ask"]

    def stands(self, model: str) -> tuple[str | None, str | None, str | None]:
        """What the call of this model is below, up to the root, and the user and the session that it is for."""
        rows = {row["id"]: row for row in self.traced.stored()}
        traces = {trace["trace_id"]: trace for trace in self.traced.langfuse.traces}
        (call,) = [row for row in rows.values() if row["name"] == f"chat {model}"]
        names, row = [], call
        while (parent := row.get("parent_span_id")) is not None:
            assert rows[parent]["trace_id"] == call["trace_id"]
            row = rows[parent]
            names.append(row["name"])
        told = traces[call["trace_id"]]
        return " < ".join(names), told.get("user_id"), told.get("session_id")

    def assert_no_request_is_longer_for(self, *models: str) -> None:
        """Each request's span ended before any of the calls began."""
        rows = {row["name"]: row for row in self.traced.stored()}
        began = min(rows[f"chat {model}"]["start_time"] for model in models)
        assert max(span.end_time for span in self.server_spans) <= began * 1_000 + 999


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110  (of neither a server's start nor a span's end does an event tell)
            await asyncio.sleep(0.001)


def call_now(llm: str, model: str) -> None:
    httpx.post(f"{llm}/chat/completions", json=_asked(model), headers=_KEY).raise_for_status()


def call_in_another_process(keys: dict[str, str], llm: str, model: str, gate: Path) -> None:
    """A job of a process pool, in a process that delivers to Langfuse by itself; it waits for a file."""
    deadline = time.monotonic() + LONG_S
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(LangfuseExporter(**keys)))
    instrument(tracer_provider=provider)
    call_now(llm, model)
    uninstrument()
    provider.shutdown()
