"""The end of processes whose processors ``configure()`` has not set up, and of those that are interrupted amid something."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from processes import PATIENCE_S, ended_by_sigterm, process

import otel_llm
from otel_llm import configuration
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector
from otel_llm.testing.langfuse import FakeLangfuse

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

#: A tracer provider of the application's own, whose batch processor would sit on what has ended for five seconds.
BATCHED = """
import sys, time
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
import otel_llm
from otel_llm_langfuse import LangfuseExporter

provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(LangfuseExporter()))
otel_llm.instrument(tracer_provider=provider)

def work(name):
    with otel_llm.agent(name):
        pass

def ready():
    print("ready", flush=True)
"""


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


@pytest.fixture
def environment(langfuse: FakeLangfuse, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))}
    return {**kept, **langfuse.environment, "HOME": str(tmp_path), "OTEL_LLM_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture(autouse=True)
def _no_global_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """None that stays, either."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", trace.Once())


def names(langfuse: FakeLangfuse) -> list[str]:
    return sorted(row["name"].removeprefix("invoke_agent ") for row in langfuse.observations)


def waiting(tmp_path: Path) -> int:
    return sum(row.spans for row in Inspector(SpoolPlace(tmp_path / "state" / "spool")).waiting())


def printed(script: str, tmp_path: Path, environment: dict[str, str], *, beginning: str = BATCHED) -> str:
    """By a process that ends by itself."""
    with process((sys.executable, "-c", beginning + script), tmp_path, environment) as running:
        told, _ = running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 0
    return told


def test_a_signal_finds_what_waits_in_a_batch_processor(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    script = """
otel_llm.shutdown_on_signals()
work("a")
ready()
while True:
    time.sleep(0.02)
"""
    assert ended_by_sigterm(script, tmp_path, environment, beginning=BATCHED) == -signal.SIGTERM
    assert names(langfuse) == ["a"]


def test_so_does_one_that_the_application_handles(tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    script = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(4))
otel_llm.shutdown_on_signals()
work("a")
ready()
while True:
    time.sleep(0.02)
"""
    langfuse.stop()
    assert ended_by_sigterm(script, tmp_path, environment, beginning=BATCHED) == 4
    assert waiting(tmp_path) == 1


def test_a_flush_reaches_a_batch_processor(tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    told = printed("work('a'); print(otel_llm.force_flush(60)); import os; os._exit(0)", tmp_path, environment)
    assert (told, names(langfuse)) == ("True\n", ["a"])


def test_what_is_on_disk_is_not_delivered_and_not_lost(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    langfuse.stop()
    script = "work('a'); print(otel_llm.force_flush(0.5), otel_llm.shutdown(2)); import os; os._exit(0)"
    assert printed(script, tmp_path, environment) == "False True\n"
    assert waiting(tmp_path) == 1


def test_without_a_line_of_code_spans_are_soon_on_disk(
    tmp_path: Path, environment: dict[str, str], langfuse: FakeLangfuse
) -> None:
    langfuse.stop()
    (tmp_path / "app.py").write_text("""
import time
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
    pass
print("ready", flush=True)
while True:
    time.sleep(0.02)
""")
    variables = {"OTEL_TRACES_EXPORTER": "langfuse", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    environment |= {**variables, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    command = (str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, "app.py")
    with process(command, tmp_path, environment) as app:
        assert app.stdout is not None
        assert app.stdout.readline() == "ready\n"
        place = SpoolPlace(tmp_path / "state" / "spool")
        while not Inspector(place).exists() or not waiting(tmp_path):
            assert app.poll() is None
        app.kill()
    assert waiting(tmp_path) == 1


#: A delivery whose backend is down, and a clock that raises a signal in the middle of taking a span in.
INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from opentelemetry.sdk.trace import ReadableSpan
from otel_llm import shutdown_on_signals
from otel_llm.delivery import Limits, Retry
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings

class Down:
    name = spool_key = "down"
    limits = Limits()
    def encode(self, span):
        may_encode.wait()
        return span.name.encode()
    def send(self, records, *, timeout_s):
        return Retry("down")
    def close(self):
        pass

may_encode = threading.Event()
armed = []
def clock():
    if armed and threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), armed.pop())
    return time.monotonic()

place = SpoolPlace(Path(os.environ["OTEL_LLM_STATE_DIR"]) / "spool")
place.directory.parent.mkdir(parents=True)
delivery = Delivery(Down(), spool=SpoolSettings(place), clock=clock)
shutdown_on_signals(timeout_s=3.0)
"""


def test_a_signal_amid_the_taking_of_a_span(tmp_path: Path, environment: dict[str, str]) -> None:
    script = """
may_encode.set()
for number in range(30):
    delivery.offer(ReadableSpan("before"))
armed.append(signal.SIGTERM)
delivery.offer(ReadableSpan("during"))
while True:
    time.sleep(0.02)
"""
    with process((sys.executable, "-c", INTERRUPTED + script), tmp_path, environment) as running:
        assert running.wait(PATIENCE_S) == -signal.SIGTERM
    assert waiting(tmp_path) == 31


def test_a_second_signal_does_not_cut_the_first_one_short(tmp_path: Path, environment: dict[str, str]) -> None:
    script = """
import otel_llm
otel_llm.configure(destinations=[Down()])
for number in range(100):
    with otel_llm.agent("a"):
        pass
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGHUP)).start()
threading.Timer(0.4, may_encode.set).start()
os.kill(os.getpid(), signal.SIGTERM)
while True:
    time.sleep(0.02)
"""
    with process((sys.executable, "-c", INTERRUPTED + script), tmp_path, environment) as running:
        assert running.wait(PATIENCE_S) in (-signal.SIGTERM, -signal.SIGHUP)
    assert waiting(tmp_path) == 100


def test_a_handler_of_the_applications_may_shut_down_amid_configure(tmp_path: Path, environment: dict[str, str]) -> None:
    script = """
import signal, otel_llm
from otel_llm.configuration import _wiring
signal.signal(signal.SIGTERM, lambda *_: print(otel_llm.shutdown(0.1), flush=True))
with _wiring.lock:
    signal.raise_signal(signal.SIGTERM)
"""
    assert printed(script, tmp_path, environment, beginning="") == "True\n"


def test_a_child_that_is_forked_amid_configure_can_configure(tmp_path: Path, environment: dict[str, str]) -> None:
    script = """
import os, signal, threading, otel_llm
from otel_llm.configuration import _wiring
held, done = threading.Event(), threading.Event()
def hold():
    with _wiring.lock:
        held.set()
        done.wait()
threading.Thread(target=hold).start()
held.wait()
if not (child := os.fork()):
    signal.alarm(60)
    otel_llm.configure()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
"""
    assert printed(script, tmp_path, environment, beginning="") == "7\n"


async def test_a_lifespan_ends_though_the_loops_own_threads_are_busy() -> None:
    free = threading.Event()
    loop = asyncio.get_running_loop()
    busy = ThreadPoolExecutor(1)
    loop.set_default_executor(busy)
    waiting = loop.run_in_executor(None, free.wait, PATIENCE_S)
    async with otel_llm.lifespan(timeout_s=0.1)("the application"):
        pass
    assert not waiting.done()
    free.set()
    await waiting


class Hanging(SpanExporter):
    """An exporter that takes no notice of deadlines."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.done = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.done = self.free.wait(PATIENCE_S) or True
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.free.wait(PATIENCE_S)
        self.done = True


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """What ``OTEL_TRACES_EXPORTER`` names."""
    hanging = Hanging()
    monkeypatch.setattr(configuration, "named", lambda *_: ([], [hanging]))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    yield hanging
    hanging.free.set()


def test_an_exporter_that_hangs_does_not_hold_up_the_shutdown(exporter: Hanging) -> None:
    otel_llm.configure().get_tracer("app").start_span("a").end()
    assert otel_llm.shutdown(0.2)
    assert not exporter.done


def test_nor_does_one_that_was_added_to_our_provider() -> None:
    exporter, provider = Hanging(), otel_llm.configure(destinations=[])
    provider.add_span_processor(BatchSpanProcessor(exporter))
    provider.get_tracer("app").start_span("a").end()
    assert otel_llm.shutdown(0.2)
    assert not exporter.done
    exporter.free.set()


def test_what_has_been_shut_down_is_not_asked_again(exporter: Hanging) -> None:
    exporter.free.set()
    otel_llm.configure().get_tracer("app").start_span("a").end()
    assert otel_llm.shutdown()
    assert otel_llm.shutdown()


def test_an_exporter_that_hangs_elsewhere_does_not_hold_up_a_flush() -> None:
    exporter, provider = Hanging(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    otel_llm.instrument(tracer_provider=provider)
    with otel_llm.agent("a"):
        pass
    assert not otel_llm.force_flush(0.2)
    assert not otel_llm.shutdown(0.2)
    assert not exporter.done
    exporter.free.set()
    otel_llm.uninstrument()
    provider.shutdown()
