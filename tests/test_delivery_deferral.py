"""Spans that end faster than they can be encoded: stored in their first form, and encoded when there is time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, SupportsDeferral
from otel_llm.delivery.encoder import DEFER_FROM
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.delivery.stats import Stats

LONG_S = 30.0


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Slow:
    """Needs a second for each span, but no time to defer it. Skips and fails by the span's name; may be down."""

    name = "slow"
    limits = Limits()
    spool_key = "slow https://example.com"

    def __init__(self, clock: Clock | None = None, *, down: bool = False) -> None:
        self._clock = clock or Clock()
        self.down = down
        #: Closed: what was deferred cannot be encoded now.
        self.gate = threading.Event()
        self.gate.set()
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        self._clock.now += 1.0
        return b"at once " + span.name.encode()

    def defer(self, span: ReadableSpan) -> bytes | None:
        return None if span.name == "unwanted" else span.name.encode()

    def encode_deferred(self, deferred: bytes) -> bytes | None:
        assert self.gate.wait(LONG_S)
        if deferred == b"odd":
            raise ValueError(deferred)
        return None if deferred == b"empty" else b"later " + deferred

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        if self.down:
            return Pause("down")
        self.sent += records
        return Delivered()

    def close(self) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> SpoolSettings:
    return SpoolSettings(SpoolPlace(tmp_path / "spool"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deliver(settings: SpoolSettings, clock: Clock) -> Iterator[Callable[..., Delivery]]:
    made: list[Delivery] = []

    def make(destination: Slow, used: SpoolSettings | None = None) -> Delivery:
        made.append(Delivery(destination, spool=used or settings, linger_s=0.0, clock=clock))
        return made[-1]

    yield make
    for delivery in made:
        assert isinstance(delivery.destination, Slow)
        delivery.destination.gate.set()
        delivery.shutdown(1.0)


def offer_late(delivery: Delivery, clock: Clock, *names: str) -> None:
    """Spans that have waited too long when the writer comes to them."""
    held = delivery._intake
    with held._lock:  # the writer does not see one before all are there
        for name in names:
            assert delivery.offer(ReadableSpan(name))
        clock.now += 0.1


def test_what_has_waited_too_long_is_stored_as_it_is_and_encoded_later(deliver: Callable[..., Delivery], clock: Clock) -> None:
    destination = Slow(clock)
    delivery = deliver(destination)
    assert isinstance(destination, SupportsDeferral)
    delivery.open()
    assert delivery.flush(LONG_S)  # the next look at what others have left is some time away now
    offer_late(delivery, clock, "a", "b")
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"later a", b"later b"]
    assert delivery.stats == Stats(received=2, delivered=2, spooled=2)


def test_a_span_in_time_is_encoded_at_once_and_those_behind_it_later(deliver: Callable[..., Delivery], clock: Clock) -> None:
    destination = Slow(clock)
    delivery = deliver(destination)
    with delivery._intake._lock:
        for name in "abc":
            assert delivery.offer(ReadableSpan(name))
    assert delivery.flush(LONG_S)
    assert sorted(destination.sent) == [b"at once a", b"later b", b"later c"]
    assert delivery.stats == Stats(received=3, delivered=3, spooled=3)


def test_spans_that_are_too_many_to_be_encoded_in_time_are_all_put_off(deliver: Callable[..., Delivery], clock: Clock) -> None:
    destination = Slow(clock)
    delivery = deliver(destination)
    names = [str(number) for number in range(DEFER_FROM + 1)]
    with delivery._intake._lock:
        for name in names:
            assert delivery.offer(ReadableSpan(name))
    assert delivery.flush(LONG_S)
    assert destination.sent == [f"later {name}".encode() for name in names]


def test_a_disk_queue_that_is_half_full_takes_records_only(
    deliver: Callable[..., Delivery], clock: Clock, settings: SpoolSettings
) -> None:
    destination = Slow(clock, down=True)
    delivery = deliver(destination, SpoolSettings(settings.place, max_bytes=10_000))
    offer_late(delivery, clock, "a" * 4_000)
    offer_late(delivery, clock, "b" * 1_200)
    assert not delivery.flush(LONG_S)
    offer_late(delivery, clock, "c")
    assert not delivery.flush(LONG_S)
    destination.down = False
    assert delivery.flush(LONG_S)
    assert [record[:8] for record in destination.sent] == [b"later aa", b"later bb", b"at once "]


def test_spans_without_a_record_are_counted_as_what_they_are(deliver: Callable[..., Delivery], clock: Clock) -> None:
    destination = Slow(clock)
    delivery = deliver(destination)
    offer_late(delivery, clock, "a", "unwanted", "empty", "odd", "b")
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"later a", b"later b"]
    reason = "a span could not be encoded (ValueError)"
    assert delivery.stats == Stats(received=5, delivered=2, rejected=1, skipped=2, spooled=3, last_error=reason)


def test_a_row_of_which_nothing_is_left_is_gone(deliver: Callable[..., Delivery], clock: Clock) -> None:
    delivery = deliver(Slow(clock))
    offer_late(delivery, clock, "empty")
    assert delivery.flush(LONG_S)
    assert delivery.stats == Stats(received=1, skipped=1)
    assert delivery.spool is not None
    assert delivery.spool.counts().spans == 0


def test_what_is_not_encoded_at_the_shutdown_is_left_to_the_next_process(
    deliver: Callable[..., Delivery], clock: Clock
) -> None:
    destination = Slow(clock)
    destination.gate.clear()
    earlier = deliver(destination)
    offer_late(earlier, clock, "a", "b")
    assert earlier.store(LONG_S)
    assert earlier.shutdown(0.2)
    assert earlier.stats == Stats(received=2, pending=2, spooled=2)

    following = Slow(clock)
    later = deliver(following)
    clock.now += 10.0
    later.open()
    wait_until_empty(later, clock)
    assert following.sent == [b"later a", b"later b"]
    assert later.stats == Stats()


def wait_until_empty(delivery: Delivery, clock: Clock) -> None:
    """Time goes on: whoever sent before may still be there at the first look."""
    assert delivery.spool is not None
    waited = threading.Event()
    for _ in range(int(LONG_S * 100)):
        if not delivery.spool.counts().spans:
            return
        clock.now += 0.1
        waited.wait(0.01)
    raise AssertionError("something is left")


def test_what_a_living_process_has_put_off_is_left_to_it(deliver: Callable[..., Delivery], clock: Clock) -> None:
    busy = Slow(clock)
    busy.gate.clear()
    its = deliver(busy)
    other = Slow(clock)
    sending = deliver(other)
    sending.open()
    assert sending.offer(ReadableSpan("first"))  # now this is the one that sends
    assert sending.flush(LONG_S)
    offer_late(its, clock, "a")
    assert its.store(LONG_S)
    assert sending.spool is not None
    assert sending.spool.leads()
    assert sending.spool.next_deferred() is None
    busy.gate.set()
    assert its.flush(LONG_S)
    assert (busy.sent, other.sent) == ([], [b"at once first", b"later a"])


def test_a_disk_that_takes_nothing_has_them_encoded_in_memory(
    deliver: Callable[..., Delivery], clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    destination = Slow(clock)
    delivery = deliver(destination, SpoolSettings(SpoolPlace(tmp_path / "file" / "spool")))
    offer_late(delivery, clock, "a", "empty", "odd", "b")
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"later a", b"later b"]
    reason = "a span could not be encoded (ValueError)"
    assert delivery.stats == Stats(received=4, delivered=2, rejected=1, skipped=1, last_error=reason)


def test_a_spool_removed_while_something_is_put_off_loses_nothing(
    deliver: Callable[..., Delivery], clock: Clock, settings: SpoolSettings, tmp_path: Path
) -> None:
    destination = Slow(clock)
    destination.gate.clear()
    delivery = deliver(destination)
    offer_late(delivery, clock, "a", "b")
    assert delivery.store(LONG_S)
    # All at once: in a directory that is emptied by and by, the sender makes new files meanwhile.
    shutil.rmtree(settings.place.directory.rename(tmp_path / "removed"))
    destination.gate.set()
    clock.now += 10.0
    offer_late(delivery, clock, "c")
    clock.now += 10.0
    wait_for(destination, {b"later a", b"later b", b"later c"}, clock)


def wait_for(destination: Slow, records: set[bytes], clock: Clock) -> None:
    waited = threading.Event()
    for _ in range(int(LONG_S * 100)):
        if set(destination.sent) == records:
            return
        clock.now += 0.1
        waited.wait(0.01)
    raise AssertionError(destination.sent)


KILLED = """
import os, sys, signal, threading
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_delivery_deferral import Clock, Delivery, Slow, SpoolPlace, SpoolSettings, offer_late
clock = Clock()
destination = Slow(clock)
destination.gate.clear()
delivery = Delivery(destination, spool=SpoolSettings(SpoolPlace(Path(sys.argv[1]))), linger_s=0.0, clock=clock)
offer_late(delivery, clock, "a", "b")
assert delivery.store(30.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_put_off_is_encoded_by_another(
    deliver: Callable[..., Delivery], clock: Clock, settings: SpoolSettings
) -> None:
    script = KILLED.format(tests=os.path.dirname(__file__))
    killed = subprocess.run([sys.executable, "-c", script, str(settings.place.directory)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(settings.place.directory.glob("writer-*.lock"))
    destination = Slow(clock)
    delivery = deliver(destination)
    delivery.open()
    wait_until_empty(delivery, clock)
    assert destination.sent == [b"later a", b"later b"]
    assert not list(settings.place.directory.glob("writer-*.lock"))
