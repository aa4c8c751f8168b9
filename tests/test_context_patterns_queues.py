"""The patterns of handed-over work, continued: queues, processes, other services."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from belonging import LONG_S, call_llm, call_seen, parent_of
from opentelemetry import propagate

from otel_llm import ContextExecutor, agent, extract, headers, inject, parcel, worker
from otel_llm.testing.sink import SpanSink

REQUEST = "invoke_agent request"


# --- queues --------------------------------------------------------------------------------------------------------------------


async def test_a_worker_from_before_the_request_sees_no_span_unless_it_gets_parcels(sink: SpanSink) -> None:
    plain: asyncio.Queue[str] = asyncio.Queue()
    ours: asyncio.Queue[Any] = asyncio.Queue()

    async def serve() -> None:
        call_llm(await plain.get())
        with (await ours.get()).open() as name:
            call_llm(name)

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    with agent("request"):
        plain.put_nowait("plain")
        ours.put_nowait(parcel("ours"))
    await task
    assert (parent_of(sink, "chat plain"), parent_of(sink, "chat ours")) == (None, REQUEST)


async def test_a_worker_started_by_a_request_does_the_next_ones_work_in_its_name_unless_it_gets_parcels(sink: SpanSink) -> None:
    plain: asyncio.Queue[str] = asyncio.Queue()
    ours: asyncio.Queue[Any] = asyncio.Queue()

    async def serve_plain() -> None:
        while name := await plain.get():
            call_llm(name)

    async def serve_parcels() -> None:
        while True:
            call_llm("between parcels")
            with (await ours.get()).open() as name:
                if not name:
                    return
                call_llm(name)

    with agent("a"):
        tasks = [asyncio.create_task(serve_plain()), worker(serve_parcels())]
        await asyncio.sleep(0)
    with agent("b"):
        for name in ("work of b", ""):
            plain.put_nowait(name and f"plain {name}")
            ours.put_nowait(parcel(name and f"our {name}"))
    await asyncio.gather(*tasks)
    assert (parent_of(sink, "chat plain work of b"), parent_of(sink, "chat our work of b")) == (
        "invoke_agent a",
        "invoke_agent b",
    )
    assert {span.parent for span in sink.spans if span.name == "chat between parcels"} == {None}


def test_a_thread_that_reads_a_queue_sees_no_span_unless_it_gets_parcels(sink: SpanSink) -> None:
    jobs: queue.Queue[Any] = queue.Queue()

    def serve() -> None:
        call_llm(jobs.get(timeout=LONG_S))
        with jobs.get(timeout=LONG_S).open() as name:
            call_llm(name)

    thread = threading.Thread(target=serve)
    thread.start()
    with agent("request"):
        jobs.put("plain")
        jobs.put(parcel("ours"))
    thread.join(LONG_S)
    assert (parent_of(sink, "chat plain"), parent_of(sink, "chat ours")) == (None, REQUEST)


# --- processes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("method", "seen_by_plain"), [("fork", ["a", "a"]), ("spawn", [None, None])])
def test_a_process_of_a_pool_keeps_what_it_was_forked_with_or_has_nothing_unless_the_executor_binds(
    sink: SpanSink, method: str, seen_by_plain: list[str | None]
) -> None:
    spans: dict[int | None, str | None] = {None: None}
    plain, ours = list[Any](), list[Any]()
    pool: Executor = ProcessPoolExecutor(1, mp_context=get_context(method))
    with ContextExecutor(pool) as bound:
        for name in ("a", "b"):
            with agent(name) as span:
                spans[span.get_span_context().span_id] = name
                plain.append(pool.submit(call_seen))
                ours.append(bound.submit(call_seen))
        assert [spans[job.result(LONG_S)["parent"]] for job in plain] == seen_by_plain
        assert [spans[job.result(LONG_S)["parent"]] for job in ours] == ["a", "b"]


# --- other services --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("https://answers.internal.example/ask", True),
        ("https://example.com/ask", False),
        ("https://api.openai.com/v1/chat/completions", False),
    ],
)
def test_headers_are_for_everybody_or_for_the_services_on_the_list(
    sink: SpanSink, monkeypatch: pytest.MonkeyPatch, url: str, is_told: bool
) -> None:
    monkeypatch.setattr(headers, "_allowed", None)
    monkeypatch.setenv("OTEL_LLM_PROPAGATE_TO", "*.internal.example,api.openai.com")
    plain: dict[str, str] = {}
    with agent("request"):
        propagate.inject(plain)  # which is not even asked for a URL
        ours = inject({}, url)
    assert list(plain) == ["traceparent"]
    assert ours == (plain if is_told else {})
    with extract(ours).attach():
        call_llm("there")
    assert parent_of(sink, "chat there") == (REQUEST if is_told else None)
