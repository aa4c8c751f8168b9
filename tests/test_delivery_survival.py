"""Faults of the disk, of a mask, of the interpreter's end: none of them costs a span that can still be delivered."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Retry
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import DiskSpool, SpoolPlace
from otel_llm.delivery.spool.access import Spool, SpoolSettings
from otel_llm.delivery.stats import Stats

LONG_S = 30.0


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """Takes everything, or answers by ``script`` first. Some names raise."""

    name = "fake"
    limits = Limits()

    def __init__(self, *script: Outcome) -> None:
        self.script = deque(script)
        self.raised: dict[str, BaseException] = {}
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        if span.name in self.raised:
            raise self.raised[span.name]
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        if self.script:
            return self.script.popleft()
        self.sent += records
        return Delivered()

    def close(self) -> None:
        pass


class Kept(Fake):
    """With a disk queue."""

    spool_key = "fake https://example.com"


class Stepped(Delivery):
    """A delivery whose threads are stepped by the test."""

    def __init__(self, destination: Fake, settings: SpoolSettings | None) -> None:
        self.clock = Clock()
        super().__init__(destination, spool=settings, clock=self.clock)
        self._writer.start = self._sending.start = lambda: None  # type: ignore[method-assign]

    def take(self, *names: str) -> None:
        for name in names:
            assert self.offer(ReadableSpan(name))
        while self._writer.step() == 0.0:
            pass

    def send(self, after_s: float = 0.0) -> None:
        """Until there is nothing to do at once."""
        self.clock.now += after_s
        for _ in range(100):
            if self._sending.step() != 0.0:
                return
        raise AssertionError("it sends the same again and again")

    def hurry_sending(self) -> None:
        """What a flush does to the thread that sends."""
        self._sender.cut_wait()
        self.send()


@pytest.fixture
def settings(tmp_path: Path) -> SpoolSettings:
    (tmp_path / "volume").mkdir()
    return SpoolSettings(SpoolPlace(tmp_path / "volume" / "spool"))


@pytest.fixture
def deliver(settings: SpoolSettings) -> Iterator[Callable[[Fake], Stepped]]:
    made: list[Stepped] = []

    def make(destination: Fake) -> Stepped:
        made.append(Stepped(destination, settings))
        return made[-1]

    yield make
    for delivery in made:
        delivery._sending.finish()


@pytest.fixture
def running(settings: SpoolSettings) -> Iterator[Callable[[Fake], Delivery]]:
    made: list[Delivery] = []

    def make(destination: Fake) -> Delivery:
        made.append(Delivery(destination, spool=settings, linger_s=0.0))
        return made[-1]

    yield make
    for delivery in made:
        delivery.shutdown(1.0)


def full_disk(*_: object, **__: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


class TestDisk:
    def test_a_full_disk_that_holds_a_delivered_batch_does_not_hold_up_what_waits_in_memory(
        self, deliver: Callable[[Fake], Stepped], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        destination = Kept()
        delivery = deliver(destination)
        delivery.take("a")
        with monkeypatch.context() as full:
            full.setattr(DiskSpool, "append", full_disk)
            full.setattr(DiskSpool, "settle", full_disk)
            delivery.send()
            delivery.take("b", "c")
            delivery.send()
            assert destination.sent == [b"a", b"b", b"c"]
            assert delivery.in_memory == (0, 0)
            assert delivery.stats.pending == 1
            delivery.send(after_s=1.0)
        assert delivery._sender.due_in_s() == 1.0
        delivery.send(after_s=1.0)
        assert destination.sent == [b"a", b"b", b"c"]
        assert delivery.stats == Stats(received=3, delivered=3, spooled=1)

    @pytest.mark.parametrize("method", ["append", "settle"])
    def test_a_fault_of_the_spool_itself_loses_nothing(
        self,
        deliver: Callable[[Fake], Stepped],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        method: str,
    ) -> None:
        def odd(*_: object, **__: object) -> None:
            raise AttributeError

        destination = Kept()
        delivery = deliver(destination)
        with monkeypatch.context() as faulty, caplog.at_level(logging.INFO):
            faulty.setattr(Spool, method, odd)
            for name in "abc":
                delivery.take(name)
                delivery.send()
        delivery.send(after_s=1.0)
        assert destination.sent == [b"a", b"b", b"c"]
        assert (delivery.stats.delivered, delivery.stats.pending) == (3, 0)
        assert [record.getMessage() for record in caplog.records] == [
            "a fault in otel-llm's disk queue (AttributeError); spans wait in memory meanwhile"
        ]

    @pytest.mark.parametrize("end", ["shutdown", "store", "hurry"])
    def test_at_the_end_the_disk_is_tried_again(
        self, deliver: Callable[[Fake], Stepped], settings: SpoolSettings, end: str
    ) -> None:
        volume = settings.place.directory.parent
        volume.rmdir()
        volume.touch()
        delivery = deliver(Kept(*[Retry("503", 3_000.0)] * 9))
        delivery.take("a")
        delivery.send()
        volume.unlink()
        volume.mkdir()
        delivery.hurry() if end == "hurry" else getattr(delivery, end)(LONG_S)
        assert delivery._intake.stats == Stats(received=1, spooled=1, retries=delivery.stats.retries, last_error="503")

    def test_a_shutdown_does_not_wait_for_a_disk_that_holds_up_another_thread(
        self, running: Callable[[Fake], Delivery]
    ) -> None:
        delivery = running(Kept())
        assert delivery.offer(ReadableSpan("a"))
        assert delivery.flush(LONG_S)
        assert delivery.spool is not None
        assert delivery.spool.lock.acquire(timeout=LONG_S)
        try:
            ending = threading.Thread(target=delivery.shutdown, args=(0.2,))
            ending.start()
            ending.join(LONG_S)
            assert not ending.is_alive()
        finally:
            delivery.spool.lock.release()

    def test_what_was_dropped_of_other_processes_is_told_apart(
        self, deliver: Callable[[Fake], Stepped], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Spool, "dropped_of_others", lambda _: {"too old": 3})
        delivery = deliver(Kept())
        assert delivery.losses == {"disk queue: too old, of other processes": 3}
        assert delivery.stats == Stats()


class TestExceptions:
    @pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()])
    def test_one_span_is_left_out_whatever_encoding_it_raises(
        self, running: Callable[[Fake], Delivery], error: BaseException
    ) -> None:
        destination = Kept()
        destination.raised["odd"] = error
        delivery = running(destination)
        for name in ("a", "odd", "b"):
            assert delivery.offer(ReadableSpan(name))
        assert delivery.flush(LONG_S)
        assert destination.sent == [b"a", b"b"]
        assert (delivery.stats.delivered, delivery.stats.rejected) == (2, 1)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
    def test_what_a_signal_raises_on_the_main_thread_is_not_held_up(
        self, deliver: Callable[[Fake], Stepped], error: BaseException
    ) -> None:
        destination = Kept()
        destination.raised["odd"] = error
        with pytest.raises(type(error)):
            deliver(destination).take("odd")

    def test_a_step_that_raises_anything_does_not_end_the_thread(
        self, running: Callable[[Fake], Delivery], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("otel_llm.delivery.loop._AFTER_FAULT_S", 0.0)
        delivery = running(Kept())
        step, faults = delivery._writer.step, [SystemExit(), asyncio.CancelledError()]

        def raise_at_first() -> float | None:
            if faults:
                raise faults.pop()
            return step()

        monkeypatch.setattr(delivery._writer, "step", raise_at_first)
        assert delivery.offer(ReadableSpan("a"))
        thread = delivery._writer._thread
        assert delivery.flush(LONG_S)
        assert delivery._writer._thread is thread
        assert not faults

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_has_died_is_replaced(
        self, running: Callable[[Fake], Delivery], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        destination = Kept()
        delivery = running(destination)

        def die(_: float | None) -> None:
            raise SystemExit

        with monkeypatch.context() as deadly:
            deadly.setattr(delivery._writer, "rest", die)
            assert delivery.offer(ReadableSpan("a"))
            if (thread := delivery._writer._thread) is not None:
                thread.join(LONG_S)
        assert delivery.offer(ReadableSpan("b"))
        assert delivery.flush(LONG_S)
        assert destination.sent == [b"a", b"b"]


class TestAskedTime:
    def test_a_flush_keeps_to_the_time_that_the_destination_asked_for(self, deliver: Callable[[Fake], Stepped]) -> None:
        destination = Fake(Retry("429", after_s=40.0))
        delivery = deliver(destination)
        delivery.take("a")
        delivery.send()
        delivery.clock.now = 39.0
        delivery.hurry_sending()
        assert destination.sent == []
        delivery.clock.now = 40.0
        delivery.hurry_sending()
        assert destination.sent == [b"a"]

    @pytest.mark.parametrize("outcome", [Retry("503"), Pause("401")])
    def test_a_flush_cuts_other_waits_short(self, deliver: Callable[[Fake], Stepped], outcome: Outcome) -> None:
        destination = Fake(outcome)
        delivery = deliver(destination)
        delivery._sender._backoff._uniform = lambda low, high: high
        delivery.take("a")
        delivery.send()
        assert destination.sent == []
        delivery.hurry_sending()
        assert destination.sent == [b"a"]

    @pytest.mark.parametrize(("deadline", "sent"), [(5.0, [b"a"]), (60.0, [])])
    def test_a_shutdown_waits_only_if_there_is_time_for_it(
        self, deliver: Callable[[Fake], Stepped], deadline: float, sent: list[bytes]
    ) -> None:
        destination = Fake(Retry("429", after_s=40.0))
        delivery = deliver(destination)
        delivery.take("a")
        delivery.send()
        delivery._sender.deadline = deadline
        delivery.hurry_sending()
        assert destination.sent == sent


class TestExit:
    @pytest.mark.parametrize("kind", [Fake, Kept])
    def test_what_ends_when_no_thread_can_be_started_is_delivered(
        self, running: Callable[[Fake], Delivery], monkeypatch: pytest.MonkeyPatch, kind: type[Fake]
    ) -> None:
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        destination = kind()
        delivery, span = running(destination), ReadableSpan("a")
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert delivery.offer(span)
        assert delivery.shutdown(LONG_S)
        assert destination.sent == [b"a"]
        assert (delivery.stats.delivered, delivery.stats.pending) == (1, 0)

    def test_what_the_writer_has_stored_is_sent_when_no_other_thread_can_be_started(
        self, running: Callable[[Fake], Delivery], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        destination = Fake()
        delivery = running(destination)
        monkeypatch.setattr(delivery._sending, "start", lambda: None)
        assert delivery.offer(ReadableSpan("a"))
        assert delivery.shutdown(LONG_S)
        assert destination.sent == [b"a"]

    @pytest.mark.parametrize("end", ["store", "hurry"])
    def test_several_destinations_store_before_any_of_them_sends(
        self, running: Callable[[Fake], Delivery], monkeypatch: pytest.MonkeyPatch, end: str
    ) -> None:
        destination = Kept()
        delivery = running(destination)
        monkeypatch.setattr(delivery._writer, "start", lambda: None)
        monkeypatch.setattr(delivery._sending, "start", lambda: None)
        assert delivery.offer(ReadableSpan("a"))
        delivery.hurry() if end == "hurry" else delivery.store(LONG_S)
        assert destination.sent == []
        assert delivery.stats == Stats(received=1, pending=1, spooled=1)
