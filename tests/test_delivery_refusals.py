"""Destinations that refuse everything, and records that are bad: which is which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Reject, Split
from otel_llm.delivery.parts import MANY
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.delivery.stats import Stats

A_MINUTE_S = 60.0
#: Requests that tell a destination which refuses everything from one that refuses a record.
A_FEW_DOZEN = 36


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """Answers with ``refusal`` where a batch holds a record that ``is_bad`` for it."""

    name = "fake"
    limits = Limits()

    def __init__(self, is_bad: Callable[[bytes], bool], refusal: Outcome | None = None) -> None:
        self.is_bad = is_bad
        self.refusal = refusal or Split("400")
        self.requests = 0
        self.taken: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.requests += 1
        if any(self.is_bad(record) for record in records):
            return self.refusal
        self.taken += records
        return Delivered()

    def close(self) -> None:
        pass


class Kept(Fake):
    """With a disk queue."""

    spool_key = "fake https://example.com"


class Stepped(Delivery):
    """A delivery whose threads are stepped by the test."""

    def __init__(self, destination: Fake, settings: SpoolSettings) -> None:
        self.clock = Clock()
        super().__init__(destination, spool=settings, clock=self.clock, max_spans=5_000)
        self._writer.start = self._sending.start = lambda: None  # type: ignore[method-assign]

    def take(self, *names: str) -> None:
        for name in names:
            assert self.offer(ReadableSpan(name))
        while self._writer.step() == 0.0:
            pass

    def send(self, after_s: float = 0.0) -> None:
        """Until there is nothing to do at once."""
        self.clock.now += after_s
        while self._sending.step() == 0.0:
            pass


@pytest.fixture
def deliver(tmp_path: Path) -> Iterator[Callable[[Fake], Stepped]]:
    made: list[Stepped] = []

    def make(destination: Fake) -> Stepped:
        made.append(Stepped(destination, SpoolSettings(SpoolPlace(tmp_path / "spool"))))
        return made[-1]

    yield make
    for delivery in made:
        delivery._sending.finish()


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def everything(_: bytes) -> bool:
    return True


@pytest.mark.parametrize("refusal", [Split("400"), Reject("422")])
def test_a_destination_that_refuses_everything_pauses_and_nothing_is_given_up(
    deliver: Callable[[Fake], Stepped], refusal: Outcome
) -> None:
    destination = Kept(everything, refusal)
    delivery = deliver(destination)
    delivery.take(*numbers(2_000))
    delivery.send()
    assert destination.requests <= A_FEW_DOZEN
    reason = f"nothing of a batch of 512 is taken: {refusal.reason}"  # type: ignore[union-attr]
    assert delivery.stats == Stats(received=2_000, pending=2_000, spooled=2_000, last_error=reason)
    for _ in range(5):
        delivery.send(after_s=A_MINUTE_S)
    assert delivery.stats.rejected == 0
    destination.is_bad = lambda record: False
    delivery.send(after_s=A_MINUTE_S)
    assert sorted(map(int, destination.taken)) == list(range(2_000))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"37"}, id="one"),
        pytest.param(set(numbers(100)), id="the first hundred"),
        pytest.param(set(numbers(512)[-100:]), id="the last hundred"),
        pytest.param(set(numbers(512)[::5]), id="each fifth"),
        pytest.param(set(numbers(512)) - {"200"} - set(numbers(512)[447:512]), id="all but few"),
    ],
)
def test_of_a_batch_only_the_bad_records_become_dead_letters(deliver: Callable[[Fake], Stepped], bad: set[str]) -> None:
    destination = Kept(lambda record: record.decode() in bad)
    delivery = deliver(destination)
    delivery.take(*numbers(512))
    delivery.send()
    assert sorted(map(int, destination.taken)) == [n for n in range(512) if str(n) not in bad]
    good = 512 - len(bad)
    assert delivery.stats == Stats(received=512, delivered=good, rejected=len(bad), spooled=512, last_error="400")
    assert delivery.spool is not None
    assert delivery.spool.counts().dead == len(bad)


def test_fewer_records_that_are_all_bad_become_dead_letters(deliver: Callable[[Fake], Stepped]) -> None:
    delivery = deliver(Kept(everything))
    delivery.take(*numbers(MANY - 1))
    delivery.send()
    assert delivery.stats == Stats(received=MANY - 1, rejected=MANY - 1, spooled=MANY - 1, last_error="400")


def test_a_batch_of_which_all_is_bad_is_given_up_once_another_was_taken(deliver: Callable[[Fake], Stepped]) -> None:
    destination = Kept(lambda record: record.startswith(b"bad"))
    delivery = deliver(destination)
    delivery.take(*(f"bad {number}" for number in range(512)))
    delivery.send()
    delivery.take(*numbers(512))
    delivery.send(after_s=A_MINUTE_S)
    assert sorted(map(int, destination.taken)) == list(range(512))
    assert delivery.stats == Stats(received=1_024, delivered=512, rejected=512, spooled=1_024, last_error="400")


def test_that_another_batch_was_taken_counts_for_one_batch_only(deliver: Callable[[Fake], Stepped]) -> None:
    destination = Kept(lambda record: record.startswith(b"bad"))
    delivery = deliver(destination)
    delivery.take(*(f"bad {number}" for number in range(1_024)), *numbers(512))
    delivery.send()
    delivery.send(after_s=A_MINUTE_S)
    assert (delivery.stats.delivered, delivery.stats.rejected, delivery.stats.pending) == (512, 512, 512)


def test_in_memory_a_batch_of_which_nothing_is_taken_is_given_up_the_second_time(deliver: Callable[[Fake], Stepped]) -> None:
    delivery = deliver(Fake(everything))
    delivery.take(*numbers(600))
    delivery.send()
    assert delivery.stats.pending == 600
    delivery.send(after_s=A_MINUTE_S)
    assert (delivery.stats.rejected, delivery.stats.pending) == (512, 88)


def test_spans_behind_a_batch_that_is_never_answered_for_are_delivered(deliver: Callable[[Fake], Stepped]) -> None:
    destination = Kept(lambda record: record == b"odd", Pause("403"))
    delivery = deliver(destination)
    delivery.take("odd")
    for number in range(100):
        delivery.take(str(number))
    for _ in range(20):
        delivery.send(after_s=A_MINUTE_S)
    assert sorted(map(int, destination.taken)) == list(range(100))
    assert delivery.stats == Stats(received=101, delivered=100, pending=1, spooled=101, last_error="403")


def test_a_paused_destination_gets_one_request_a_minute(deliver: Callable[[Fake], Stepped]) -> None:
    destination = Kept(everything, Pause("401"))
    delivery = deliver(destination)
    delivery.take(*numbers(1_000))
    delivery.send()
    for _ in range(9):
        delivery.send(after_s=A_MINUTE_S)
    assert destination.requests == 10
