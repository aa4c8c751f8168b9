"""The end of a process under servers and signals: nothing that has ended is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from processes import PATIENCE_S, WORKER, ended_by_sigterm, process

import otel_llm
from otel_llm import lifecycle
from otel_llm.delivery import Delivered, Limits, Outcome
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.testing.langfuse import FakeLangfuse

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and sockets of POSIX")

#: An agent's run for each request, and one after the server's work is done.
WEB = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

import otel_llm

otel_llm.configure(service_name="web")


@asynccontextmanager
async def own(app):
    yield
    with otel_llm.agent("cleaner"):
        pass


app = FastAPI(lifespan=otel_llm.lifespan(own))


@app.get("/")
async def root():
    with otel_llm.agent("waiter"):
        return {}
"""
PYTHON = (sys.executable, "-m")
SERVERS = {
    "uvicorn": (*PYTHON, "uvicorn", "web:app", "--uds", "socket"),
    "gunicorn": (*PYTHON, "gunicorn", "web:app", "-k", "uvicorn_worker.UvicornWorker", "-b", "unix:socket"),
    "hypercorn": (*PYTHON, "hypercorn", "web:app", "-b", "unix:socket"),
}


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


@pytest.fixture
def environment(langfuse: FakeLangfuse, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))}
    return {**kept, **langfuse.environment, "HOME": str(tmp_path), "OTEL_LLM_STATE_DIR": str(tmp_path / "state")}


def await_listening(path: Path, server: subprocess.Popen[str]) -> None:
    """Return as soon as the server listens."""
    while server.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the server has ended")


def ask(path: Path, server: subprocess.Popen[str], times: int) -> None:
    """Requests over a Unix socket."""
    patience = threading.Timer(PATIENCE_S, server.kill)
    patience.start()
    transport = httpx.HTTPTransport(uds=str(path))
    try:
        await_listening(path, server)
        # One that listens may still have to import the application.
        with httpx.Client(transport=transport, base_url="http://server", timeout=PATIENCE_S) as client:
            assert {client.get("/").status_code for _ in range(times)} == {200}
    finally:
        patience.cancel()


def names(langfuse: FakeLangfuse) -> list[str]:
    return sorted(row["name"].removeprefix("invoke_agent ") for row in langfuse.observations)


def drained(tmp_path: Path, environment: dict[str, str]) -> None:
    """What a next process does."""
    command = [str(Path(sys.executable).with_name("otel-llm")), "spool", "drain"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=PATIENCE_S)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_gets_sigterm_delivers_from_memory(
    name: str, tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    (tmp_path / "web.py").write_text(WEB)
    with process(SERVERS[name], tmp_path, {**environment, "OTEL_LLM_SPOOL_DIR": "none"}) as server:
        ask(tmp_path / "socket", server, 20)
        server.terminate()
        server.wait(PATIENCE_S)
    assert names(langfuse) == ["cleaner"] + ["waiter"] * 20


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_gets_sigterm_while_nobody_listens_leaves_its_spans_to_the_next_process(
    name: str, tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    langfuse.stop()
    (tmp_path / "web.py").write_text(WEB)
    with process(SERVERS[name], tmp_path, environment) as server:
        ask(tmp_path / "socket", server, 20)
        server.terminate()
        server.wait(PATIENCE_S)
    langfuse.start()
    drained(tmp_path, environment)
    assert names(langfuse) == ["cleaner"] + ["waiter"] * 20


@pytest.mark.parametrize("spool", ["none", ""])
def test_an_event_loop_of_ones_own(spool: str, tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    script = """
async def main():
    otel_llm.shutdown_on_signals()
    work("a")
    ready()
    await asyncio.Event().wait()
asyncio.run(main())
"""
    assert ended_by_sigterm(script, tmp_path, {**environment, "OTEL_LLM_SPOOL_DIR": spool}) == -signal.SIGTERM
    assert names(langfuse) == ["a"]


def test_a_program_that_handles_the_signal_itself_works_on(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    script = """
import signal
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
otel_llm.shutdown_on_signals()
work("before")
ready()
while not stop.is_set():
    time.sleep(0.02)
work("after")
sys.exit(3)
"""
    assert ended_by_sigterm(script, tmp_path, environment) == 3
    assert names(langfuse) == ["after", "before"]


def test_a_handler_that_ends_the_process_at_once_finds_all_on_disk(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    script = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(4))
otel_llm.shutdown_on_signals()
for _ in range(500):
    work("a")
ready()
while True:
    time.sleep(0.02)
"""
    langfuse.stop()
    assert ended_by_sigterm(script, tmp_path, environment) == 4
    langfuse.start()
    drained(tmp_path, environment)
    assert names(langfuse) == ["a"] * 500


def test_a_signal_amid_configure_ends_the_process(tmp_path: Path, environment: dict[str, str]) -> None:
    script = """
from otel_llm.configuration import _wiring
otel_llm.shutdown_on_signals(timeout_s=0.1)
with _wiring.lock:
    ready()
    while True:
        time.sleep(0.02)
"""
    assert ended_by_sigterm(script, tmp_path, environment) == -signal.SIGTERM


def test_a_pool_of_spawned_processes(tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    (tmp_path / "pool.py").write_text("""
import multiprocessing
import otel_llm

def work(number):
    with otel_llm.agent("child"):
        pass

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2, initializer=otel_llm.configure) as pool:
        pool.map(work, range(20))
        pool.close()
        pool.join()
""")
    with process((sys.executable, "pool.py"), tmp_path, {**environment, "OTEL_LLM_SPOOL_DIR": "none"}) as parent:
        assert parent.wait(PATIENCE_S) == 0
    assert names(langfuse) == ["child"] * 20


def test_what_ends_in_an_exit_function_registered_later(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    script = WORKER + "import atexit; atexit.register(work, 'at exit')"
    with process((sys.executable, "-c", script), tmp_path, environment) as worker:
        assert worker.wait(PATIENCE_S) == 0
    assert names(langfuse) == ["at exit"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What happens, in order; of a shutdown its deadline, and whether it is on a thread of its own."""
    order: list[object] = []

    def shutdown(timeout_s: float) -> bool:
        order.append((timeout_s, threading.current_thread() is not threading.main_thread()))
        return True

    monkeypatch.setattr(lifecycle, "shutdown", shutdown)
    return order


async def test_the_lifespan_of_the_application_comes_first(told: list[object]) -> None:
    @asynccontextmanager
    async def own(app: object) -> AsyncIterator[dict[str, str]]:
        told.append(f"{app} begins")
        yield {"state": "its own"}
        told.append(f"{app} ends")

    async with otel_llm.lifespan(own, timeout_s=7.0)("the application") as state:
        assert state == {"state": "its own"}
    assert told == ["the application begins", "the application ends", (7.0, True)]


async def test_a_lifespan_alone_keeps_no_state_and_survives_a_failure(told: list[object]) -> None:
    around = otel_llm.lifespan()("the application")
    assert await around.__aenter__() is None
    failure = RuntimeError("failed")
    assert not await around.__aexit__(RuntimeError, failure, None)
    assert told == [(5.0, True)]


async def test_a_lifespan_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = threading.Event()
    monkeypatch.setattr(lifecycle, "shutdown", lambda timeout_s: passed.wait(PATIENCE_S))

    async def end() -> None:
        async with otel_llm.lifespan()("the application"):
            pass

    ending = asyncio.create_task(end())
    await asyncio.sleep(0)
    passed.set()
    await ending


@pytest.fixture
def hangup() -> Iterator[signal.Signals]:
    """A signal whose handler is put back."""
    before = signal.getsignal(signal.SIGHUP)
    yield signal.SIGHUP
    signal.signal(signal.SIGHUP, before)


def test_a_signal_that_is_ignored_stays_so(hangup: signal.Signals) -> None:
    signal.signal(hangup, signal.SIG_IGN)
    otel_llm.shutdown_on_signals([hangup])
    assert signal.getsignal(hangup) == signal.SIG_IGN


def test_a_handler_that_was_there_is_called_and_recording_goes_on(hangup: signal.Signals, told: list[object]) -> None:
    signal.signal(hangup, lambda number, frame: told.append((number, frame is not None)))
    otel_llm.shutdown_on_signals([hangup])
    signal.raise_signal(hangup)
    assert told == [(hangup, True)]


def test_another_thread_may_not(hangup: signal.Signals) -> None:
    found: list[type[BaseException]] = []

    def attempt() -> None:
        try:
            otel_llm.shutdown_on_signals([hangup])
        except ValueError as error:
            found.append(type(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert found == [ValueError]


class Stuck:
    """Takes spans and never comes to an end of sending them, until it may."""

    name = "stuck"
    limits = Limits()
    spool_key = "stuck"

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def encode(self, span: ReadableSpan) -> bytes:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.may_end.wait(PATIENCE_S)
        return Delivered()

    def close(self) -> None:
        pass


def test_to_store_does_not_wait_for_the_network(tmp_path: Path) -> None:
    destination = Stuck()
    delivery = Delivery(destination, spool=SpoolSettings(SpoolPlace(tmp_path / "spool")))
    delivery.offer(ReadableSpan("a"))
    assert delivery.store(PATIENCE_S)
    assert delivery.stats.spooled == 1
    destination.may_end.set()
    assert delivery.shutdown(PATIENCE_S)


def test_to_store_without_a_disk_queue_is_to_deliver() -> None:
    destination = Stuck()
    destination.may_end.set()
    delivery = Delivery(destination)
    delivery.offer(ReadableSpan("a"))
    assert delivery.store(PATIENCE_S)
    assert delivery.stats.delivered == 1
    assert delivery.shutdown(PATIENCE_S)
