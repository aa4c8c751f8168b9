"""Spans that were put off, of which no record can be made: not now, or not at all."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, catching_up
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.delivery.stats import Stats


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow:
    """Puts spans off, and says what is wrong with some of them later."""

    name = "slow"
    limits = Limits()
    spool_key = "slow https://example.com"

    def __init__(self) -> None:
        self.raised: dict[bytes, BaseException] = {}
        self.tries = 0
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        return b"at once " + span.name.encode()

    def defer(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def encode_deferred(self, deferred: bytes) -> bytes | None:
        self.tries += 1
        if deferred in self.raised:
            raise self.raised[deferred]
        return b"later " + deferred

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.sent += records
        return Delivered()

    def close(self) -> None:
        pass


class Stepped(Delivery):
    """A delivery whose threads are stepped by the test."""

    def __init__(self, destination: Slow, settings: SpoolSettings) -> None:
        self.clock = Clock()
        super().__init__(destination, spool=settings, clock=self.clock)
        self._writer.start = self._sending.start = lambda: None  # type: ignore[method-assign]

    def put_off(self, *names: str) -> None:
        """Spans that have waited too long when the writer comes to them."""
        for name in names:
            assert self.offer(ReadableSpan(name))
        self.step(after_s=0.1)

    def step(self, after_s: float = 1.0) -> None:
        """Until there is nothing to do at once."""
        self.clock.now += after_s
        for _ in range(100):
            if self._writer.step() != 0.0 and self._sending.step() != 0.0:
                return
        raise AssertionError("it does the same again and again")


@pytest.fixture
def settings(tmp_path: Path) -> SpoolSettings:
    return SpoolSettings(SpoolPlace(tmp_path / "volume" / "spool"))


@pytest.fixture
def deliver(tmp_path: Path, settings: SpoolSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Slow], Stepped]]:
    monkeypatch.setattr(catching_up, "loaded", lambda _: True)
    (tmp_path / "volume").mkdir()
    made: list[Stepped] = []

    def make(destination: Slow) -> Stepped:
        made.append(Stepped(destination, settings))
        return made[-1]

    yield make
    for delivery in made:
        delivery._sending.finish()


def dead_letters(settings: SpoolSettings) -> list[tuple[str, bytes]]:
    connection = sqlite3.connect(settings.place.file)
    try:
        return connection.execute("SELECT reason, body FROM dead ORDER BY id").fetchall()
    finally:
        connection.close()


def test_what_cannot_be_read_as_a_library_cannot_be_loaded_waits_on_disk(
    deliver: Callable[[Slow], Stepped], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    destination = Slow()
    delivery = deliver(destination)
    with monkeypatch.context() as without, caplog.at_level(logging.INFO):
        without.setattr(catching_up, "loaded", lambda _: False)
        without.setattr(catching_up, "why_not_loaded", lambda _: OSError(24, "Too many open files"))
        delivery.put_off("a", "b")
        for _ in range(5):
            delivery.step()
    assert delivery.stats == Stats(received=2, pending=2, spooled=2)
    assert [record.getMessage() for record in caplog.records] == [
        "slow: spans that were put off cannot be encoded now (OSError); they wait, and it is tried again"
    ]
    delivery.step()
    assert destination.sent == [b"later a", b"later b"]
    assert delivery.stats == Stats(received=2, delivered=2, spooled=2)


def test_that_a_library_is_being_loaded_is_no_fault(
    deliver: Callable[[Slow], Stepped], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(catching_up, "loaded", lambda _: False)
    delivery = deliver(Slow())
    with caplog.at_level(logging.INFO):
        delivery.put_off("a")
    assert delivery.stats == Stats(received=1, pending=1, spooled=1)
    assert not caplog.records


@pytest.mark.parametrize("error", [ImportError(), OSError(24, "Too many open files"), MemoryError()])
def test_a_fault_of_the_moment_is_waited_for(deliver: Callable[[Slow], Stepped], error: Exception) -> None:
    destination = Slow()
    delivery = deliver(destination)
    destination.raised[b"b"] = error
    delivery.put_off("a", "b", "c")
    delivery.step()
    assert destination.sent == []
    assert delivery.stats == Stats(received=3, pending=3, spooled=3)
    tries = destination.tries
    delivery.step(after_s=0.5)
    assert destination.tries == tries
    destination.raised.clear()
    delivery.step()
    assert destination.sent == [b"later a", b"later b", b"later c"]


def test_a_fault_of_the_moment_that_lasts_does_not_hold_up_others_for_ever(
    deliver: Callable[[Slow], Stepped], settings: SpoolSettings
) -> None:
    destination = Slow()
    delivery = deliver(destination)
    destination.raised[b"odd"] = OSError()
    delivery.put_off("odd", "a")
    for _ in range(catching_up._MOST_TRIES):
        delivery.step()
    assert destination.sent == [b"later a"]
    assert [reason for reason, _ in dead_letters(settings)] == ["a span could not be encoded (OSError)"]


@pytest.mark.parametrize("error", [ValueError("what the customer has written"), SystemExit(), KeyError()])
def test_what_cannot_be_read_becomes_a_dead_letter(
    deliver: Callable[[Slow], Stepped],
    settings: SpoolSettings,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    monkeypatch.setattr(catching_up, "is_for_the_application", lambda _: False)  # the test steps on the main thread
    destination = Slow()
    destination.raised[b"odd"] = error
    delivery = deliver(destination)
    delivery.put_off("a", "odd", "b")
    delivery.step()
    assert destination.sent == [b"later a", b"later b"]
    reason = f"a span could not be encoded ({type(error).__name__})"
    assert delivery.stats == Stats(received=3, delivered=2, rejected=1, spooled=3, last_error=reason)
    ((why, body),) = dead_letters(settings)
    assert why == reason
    assert body.endswith(b"\0odd")


def test_what_a_process_that_is_gone_has_left_unreadable_becomes_a_dead_letter(
    deliver: Callable[[Slow], Stepped], settings: SpoolSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = deliver(Slow())
    with monkeypatch.context() as without:
        without.setattr(catching_up, "loaded", lambda _: False)
        earlier.put_off("odd", "odd")
        earlier._sending.finish()
    destination = Slow()
    destination.raised[b"odd"] = ValueError()
    later = deliver(destination)
    for _ in range(20):
        later.step()
    assert later.spool is not None
    assert (later.spool.counts().spans, later.spool.counts().dead) == (0, 2)
    assert later.stats == Stats(last_error="a span could not be encoded (ValueError)")
    assert destination.sent == []


def test_what_neither_the_disk_takes_nor_can_be_read_now_waits_in_memory(
    deliver: Callable[[Slow], Stepped], settings: SpoolSettings
) -> None:
    volume = settings.place.directory.parent
    volume.rmdir()
    volume.touch()
    destination = Slow()
    destination.raised[b"b"] = OSError(24, "Too many open files")
    delivery = deliver(destination)
    delivery.put_off("a", "b", "c")
    for _ in range(3):
        delivery.step()
    assert destination.sent == [b"later a"]
    assert delivery.stats == Stats(received=3, delivered=1, pending=2)
    destination.raised.clear()
    delivery.step()
    assert destination.sent == [b"later a", b"later b", b"later c"]
    assert delivery.stats == Stats(received=3, delivered=3)


def test_what_waits_in_memory_unread_is_stored_once_the_disk_takes_it(
    deliver: Callable[[Slow], Stepped], settings: SpoolSettings
) -> None:
    volume = settings.place.directory.parent
    volume.rmdir()
    volume.touch()
    destination = Slow()
    destination.raised[b"a"] = OSError(24, "Too many open files")
    delivery = deliver(destination)
    delivery.put_off("a")
    volume.unlink()
    volume.mkdir()
    delivery.step(after_s=60.0)
    assert delivery.stats == Stats(received=1, pending=1, spooled=1)
    destination.raised.clear()
    for _ in range(3):
        delivery.step()
    assert destination.sent == [b"later a"]
