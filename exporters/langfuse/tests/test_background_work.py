"""Background work of a web application, as Langfuse shows it: each call under its agent, in its trace, for its user."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from fastapi import BackgroundTasks
from fastapi.responses import StreamingResponse
from serving import LONG_S, Site, call_in_another_process
from whole_traces import traced

from otel_llm import ContextExecutor, Parcel, agent, bind, instrument, parcel, spawn, stream, worker
from otel_llm.instrumentation import uninstrument
from otel_llm.testing import FakeProvider
from otel_llm.testing.langfuse import FakeLangfuse


@pytest.fixture
def site(langfuse: FakeLangfuse, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    with traced(langfuse) as made, FakeProvider(pause_s=0.0) as fake:
        instrument(tracer_provider=made.provider)
        yield Site(made, fake.openai)
        uninstrument()
        assert made.sink.open == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def strategist(number: int) -> Any:
    return agent(f"strategist {number}", user_id=f"user {number}", session_id=f"session {number}")


def expected(number: int, *between: str) -> tuple[str, str, str]:
    return " < ".join([*between, f"invoke_agent strategist {number}"]), f"user {number}", f"session {number}"


async def test_background_tasks_of_fastapi(site: Site) -> None:
    done: asyncio.Queue[None] = asyncio.Queue()

    async def remember(model: str) -> None:
        await site.gate.wait()
        await site.call(model)
        done.put_nowait(None)

    async def handle(number: int, tasks: BackgroundTasks) -> None:
        with strategist(number):
            tasks.add_task(bind(remember), f"m{number}")

    async with site.asked(handle):
        site.gate.set()
        for _ in range(3):
            await done.get()
    assert [site.stands(f"m{number}") for number in range(3)] == [expected(number) for number in range(3)]
    site.assert_no_request_is_longer_for("m0", "m1", "m2")


@pytest.mark.parametrize("start", [asyncio.create_task, spawn])
async def test_tasks_that_a_handler_creates(site: Site, start: Callable[[Any], asyncio.Task[None]]) -> None:
    tasks = list[asyncio.Task[None]]()

    async def remember(model: str) -> None:
        await site.gate.wait()
        await site.call(model)

    async def handle(number: int) -> None:
        with strategist(number):
            tasks.append(start(remember(f"m{number}")))

    async with site.asked(handle):
        site.gate.set()
        await asyncio.gather(*tasks)
    assert [site.stands(f"m{number}") for number in range(3)] == [expected(number) for number in range(3)]
    site.assert_no_request_is_longer_for("m0", "m1", "m2")


async def test_a_task_that_is_linked_is_a_trace_of_its_own_for_the_same_user_and_session(site: Site) -> None:
    tasks = list[asyncio.Task[None]]()

    async def remember(number: int) -> None:
        await site.gate.wait()
        with agent(f"memory {number}"):
            await site.call(f"m{number}")

    async def handle(number: int) -> None:
        with strategist(number):
            tasks.append(spawn(remember(number), mode="link"))

    async with site.asked(handle):
        site.gate.set()
        await asyncio.gather(*tasks)
    for number in range(3):
        assert site.stands(f"m{number}") == (f"invoke_agent memory {number}", f"user {number}", f"session {number}")
    assert len({row["trace_id"] for row in site.traced.stored()}) == 6


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_streaming_response(site: Site, kind: str) -> None:
    def words(number: int) -> Iterator[str]:
        for word in "ab":
            site.call_now(f"m{number}{word}")
            yield word

    async def async_words(number: int) -> AsyncIterator[str]:
        for word in "ab":
            await site.call(f"m{number}{word}")
            yield word

    async def handle(number: int) -> StreamingResponse:
        with strategist(number):
            source: Any = words(number) if kind == "sync" else async_words(number)
            return StreamingResponse(stream(source, name="answer"))

    async with site.asked(handle) as answers:
        assert answers == ["ab"] * 3
    for number in range(3):
        for word in "ab":
            assert site.stands(f"m{number}{word}") == expected(number, "task answer")


async def test_a_worker_that_a_request_started_serves_ten(site: Site) -> None:
    jobs: asyncio.Queue[Parcel[int]] = asyncio.Queue()
    workers = list[asyncio.Task[None]]()

    async def serve() -> None:
        await site.gate.wait()
        await site.call("warm-up")
        while True:
            with (await jobs.get()).open() as number:
                await site.call(f"m{number}")
            jobs.task_done()

    async def handle(number: int) -> None:
        with strategist(number):
            if not workers:
                workers.append(worker(serve()))
            await jobs.put(parcel(number))

    async with site.asked(handle, times=10):
        site.gate.set()
        await jobs.join()
    workers[0].cancel()
    await asyncio.wait(workers)
    assert [site.stands(f"m{number}") for number in range(10)] == [expected(number) for number in range(10)]
    assert site.stands("warm-up") == ("", None, None)
    site.assert_no_request_is_longer_for(*(f"m{number}" for number in range(10)))


async def test_a_process_pool(site: Site, langfuse: FakeLangfuse, tmp_path: Path) -> None:
    gate, jobs = tmp_path / "gate", list[Future[None]]()
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    with ContextExecutor(ProcessPoolExecutor(1, mp_context=get_context("spawn"))) as pool:

        async def handle(number: int) -> None:
            with strategist(number):
                jobs.append(pool.submit(call_in_another_process, keys, site.llm, f"m{number}", gate))

        async with site.asked(handle):
            gate.touch()
            await asyncio.gather(*(asyncio.wrap_future(job) for job in jobs))
    assert [site.stands(f"m{number}") for number in range(3)] == [expected(number) for number in range(3)]
    site.assert_no_request_is_longer_for("m0", "m1", "m2")


async def test_jobs_of_a_scheduler(site: Site) -> None:
    gate, executed = threading.Event(), threading.Semaphore(0)
    scheduler: Any = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
    scheduler.add_listener(lambda _: executed.release(), EVENT_JOB_EXECUTED)
    scheduler.start()

    def remember(model: str) -> None:
        assert gate.wait(LONG_S)
        site.call_now(model)

    async def handle(number: int) -> None:
        with strategist(number):
            scheduler.add_job(bind(remember), args=[f"m{number}"])

    async with site.asked(handle):
        gate.set()
        assert [await asyncio.to_thread(executed.acquire, timeout=LONG_S) for _ in range(3)] == [True] * 3
    scheduler.shutdown()
    assert [site.stands(f"m{number}") for number in range(3)] == [expected(number) for number in range(3)]
    site.assert_no_request_is_longer_for("m0", "m1", "m2")
