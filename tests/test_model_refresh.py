"""How a change in the store reaches running processes: soon, and never by making a call wait."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otel_llm.errors import DeliveryError
from otel_llm.models.place import open_store
from otel_llm.models.resolver import ModelResolver
from otel_llm.models.store import Override

DEFAULT = "openai:gpt-5"
KEY = {"OPENROUTER_API_KEY": "sk-or-geheim"}
_DAY = datetime(2026, 1, 2, tzinfo=UTC)


class FakeTime:
    """A clock for the refreshing thread, which it holds until the test lets time pass."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._condition = threading.Condition()
        #: When the thread is to go on; None: it is at work.
        self._until: float | None = None

    def clock(self) -> float:
        return self.now

    def wait(self, stopped: threading.Event, seconds: float) -> bool:
        with self._condition:
            self._until = self.now + seconds
            self._condition.notify_all()
            self._condition.wait_for(lambda: stopped.is_set() or self.now >= (self._until or 0))
            self._until = None
        return stopped.is_set()

    def settle(self) -> None:
        """Wait until the thread waits."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._until is not None and self.now < self._until, timeout=30)

    def step(self) -> None:
        """A second passes; what was due in it is done."""
        with self._condition:
            self.now += 1
            self._condition.notify_all()
        self.settle()


class Shared:
    """A store that can be gone, and counts how often it is asked."""

    address = "memory"

    def __init__(self) -> None:
        self.model = "a/b"
        self.gone = False
        self.asked = 0

    def active(self) -> Mapping[str, Override]:
        self.asked += 1
        if self.gone:
            raise DeliveryError("the database cannot be reached")
        return {"strategist": Override("strategist", self.model, True, "eve", _DAY, _DAY)}

    def close(self) -> None:
        pass


Process = Callable[[], ModelResolver]


@pytest.fixture
def store() -> Shared:
    return Shared()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def process(store: Shared, fake_time: FakeTime) -> Iterator[Process]:
    """Starts what stands for a process, with the interval of 60 seconds."""
    started: list[ModelResolver] = []

    def start() -> ModelResolver:
        resolver = ModelResolver(store, environ=KEY, clock=fake_time.clock, wait=fake_time.wait)  # type: ignore[arg-type]
        started.append(resolver)
        assert model(resolver) == "a/b"
        fake_time.settle()
        return resolver

    yield start
    for resolver in started:
        resolver.close()
        with fake_time._condition:
            fake_time._condition.notify_all()


def model(resolver: ModelResolver) -> str:
    return resolver.resolve(DEFAULT, agent="strategist").model


@pytest.mark.parametrize("lag_s", [0, 1, 20, 41, 55])
def test_a_change_is_seen_within_60_seconds(process: Process, store: Shared, fake_time: FakeTime, lag_s: int) -> None:
    resolver = process()
    for _ in range(lag_s):
        fake_time.step()

    store.model = "x/y"
    seconds = 0
    while model(resolver) == "a/b":
        fake_time.step()
        seconds += 1

    assert seconds <= 60
    assert resolver.resolve(DEFAULT, agent="strategist").source == "override"


def test_it_is_seen_by_an_agent_that_was_idle(process: Process, store: Shared, fake_time: FakeTime) -> None:
    resolver = process()
    store.model = "x/y"
    for _ in range(600):
        fake_time.step()

    assert model(resolver) == "x/y"


def test_the_store_is_asked_about_once_a_minute_however_many_calls(
    process: Process, store: Shared, fake_time: FakeTime
) -> None:
    resolver = process()
    for _ in range(600):
        fake_time.step()
        for _ in range(20):
            model(resolver)

    assert 10 <= store.asked - 1 <= 15  # every 42 to 54 seconds


def test_a_store_gone_for_ten_minutes_leaves_the_last_choices(
    process: Process, store: Shared, fake_time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otel_llm.models")
    resolver = process()
    store.gone, store.model = True, "x/y"
    for _ in range(600):
        fake_time.step()
        assert model(resolver) == "a/b"
    assert (resolver.age_s or 0) >= 600
    lines = [record.getMessage() for record in caplog.records]
    assert 8 <= len(lines) <= 10
    assert all("choices" in line and line.endswith("s old go on: the database cannot be reached") for line in lines)

    store.gone = False
    seconds = 0
    while model(resolver) == "a/b":
        fake_time.step()
        seconds += 1
    assert seconds <= 60
    assert caplog.records[-1].getMessage() == "The store of models answers again"
    assert len(caplog.records) == len(lines) + 1


def test_a_store_that_is_gone_at_first_is_taken_up_when_it_comes(store: Shared, fake_time: FakeTime) -> None:
    store.gone = True
    resolver = ModelResolver(store, environ=KEY, clock=fake_time.clock, wait=fake_time.wait)  # type: ignore[arg-type]
    assert model(resolver) == "gpt-5"
    fake_time.settle()

    store.gone = False
    for _ in range(60):
        fake_time.step()

    assert model(resolver) == "a/b"
    resolver.close()
    with fake_time._condition:
        fake_time._condition.notify_all()


# --- nobody waits -----------------------------------------------------------------------------------------------------
class Hanging(Shared):
    """A store that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = threading.Event()
        self.reached = threading.Event()

    def active(self) -> Mapping[str, Override]:
        self.reached.set()
        self.answer.wait(30)
        return super().active()


def test_the_first_call_waits_for_the_store_and_only_so_long() -> None:
    store = Hanging()
    resolver = ModelResolver(store, environ=KEY, first_load_s=0.05)  # type: ignore[arg-type]

    assert model(resolver) == "gpt-5"  # and not the 30 seconds that the store takes
    store.answer.set()
    wait_until(lambda: model(resolver) == "a/b")
    resolver.close()


def test_the_first_call_waits_for_a_store_that_answers() -> None:
    store = Hanging()
    resolver = ModelResolver(store, environ=KEY, first_load_s=30)  # type: ignore[arg-type]
    threading.Timer(0.05, store.answer.set).start()

    assert model(resolver) == "a/b"
    resolver.close()


def test_later_calls_do_not_wait_while_the_store_hangs() -> None:
    store = Hanging()
    store.answer.set()
    resolver = ModelResolver(store, environ=KEY, refresh_s=0.01, first_load_s=30)  # type: ignore[arg-type]
    assert model(resolver) == "a/b"

    store.answer.clear()
    store.reached.clear()
    assert store.reached.wait(30)  # the thread hangs in a refresh
    asked = store.asked
    assert {model(resolver) for _ in range(1_000)} == {"a/b"}
    assert store.asked == asked
    store.answer.set()
    resolver.close()


def test_there_is_one_refresh_at_a_time() -> None:
    wait_until(no_thread_refreshes)  # nor one of a resolver that another test has closed
    store = Hanging()
    resolver = ModelResolver(store, environ=KEY, refresh_s=0.001, first_load_s=0.05)  # type: ignore[arg-type]
    threads = [threading.Thread(target=model, args=(resolver,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(thread.name == "otel-llm-models" for thread in threading.enumerate()) == 1
    store.answer.set()
    resolver.close()
    wait_until(no_thread_refreshes)


def no_thread_refreshes() -> bool:
    return all(thread.name != "otel-llm-models" for thread in threading.enumerate())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- processes --------------------------------------------------------------------------------------------------------
def holds_in_a_child(what: Callable[[], bool]) -> bool:
    """Whether it is true in a fork, which ends there whatever happens: it is killed if it hangs, and runs no further test."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            code = 0 if what() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_asks_for_itself(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/models.db"
    store = open_store(place)
    assert store is not None
    store.set("strategist", "a/b", by="eve")
    resolver = ModelResolver(store, environ=KEY, refresh_s=3_600, first_load_s=30)
    assert model(resolver) == "a/b"
    store.set("strategist", "x/y", by="eve")

    assert holds_in_a_child(lambda: model(resolver) == "x/y")
    assert model(resolver) == "a/b"
    resolver.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_the_last_choices_if_the_store_is_gone() -> None:
    store = Hanging()
    store.answer.set()
    resolver = ModelResolver(store, environ=KEY, refresh_s=3_600, first_load_s=0.05)  # type: ignore[arg-type]
    wait_until(lambda: model(resolver) == "a/b")
    store.answer.clear()

    assert holds_in_a_child(lambda: model(resolver) == "a/b")
    store.answer.set()
    resolver.close()


_APPLICATION = """
import time
from otel_llm import agent
from otel_llm.models.resolver import current_resolver

seen = None
with agent("strategist"):
    while True:
        model = current_resolver().resolve("openai:gpt-5").model
        if model != seen:
            print(model, flush=True)
        seen = model
        time.sleep(0.01)
"""


_COMMAND = "from otel_llm.cli import main; main()"


def test_two_running_processes_see_what_the_command_line_and_sql_change(tmp_path: Path) -> None:
    path = tmp_path / "models.db"
    environ = {**os.environ, **KEY, "OTEL_LLM_MODELS": f"sqlite:///{path}", "OTEL_LLM_MODELS_REFRESH": "0.2"}

    def command(*words: str) -> None:
        subprocess.run([sys.executable, "-c", _COMMAND, "models", *words], env=environ, check=True, capture_output=True)

    with started(environ) as one, started(environ) as other:
        said = [(next(one), next(other))]
        command("set", "strategist", "a/b", "--by", "eve")
        said.append((next(one), next(other)))
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE agent_model_config SET model_id = 'c/d', set_by = 'dba'")
        said.append((next(one), next(other)))
        command("unset", "strategist", "--by", "eve")
        said.append((next(one), next(other)))

    assert said == [("gpt-5", "gpt-5"), ("a/b", "a/b"), ("c/d", "c/d"), ("gpt-5", "gpt-5")]


@contextlib.contextmanager
def started(environ: Mapping[str, str]) -> Iterator[Iterator[str]]:
    """An application that runs, and the models that it uses, one after the other."""
    with subprocess.Popen([sys.executable, "-c", _APPLICATION], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield (line.strip() for line in process.stdout)
        process.kill()
