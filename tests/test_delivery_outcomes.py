"""What the worker does with each outcome of sending: one step at a time, on a clock of its own, without a thread."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Reject, Retry, Split
from otel_llm.delivery.pace import WORK_S
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.size import RECORD_OVERHEAD, span_size
from otel_llm.delivery.stats import Stats


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Answers with the given outcomes, one a batch, then with Delivered. Spans named "skip" it does not want."""

    name = "fake"

    def __init__(self, *outcomes: Outcome | Exception, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.outcomes = deque(outcomes)
        self.sent: list[list[bytes]] = []
        self.delivered: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        if span.name == "secret":
            raise ValueError("cannot encode: the prompt of a customer")
        return None if span.name == "skip" else span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.sent.append(list(records))
        outcome = self.outcomes.popleft() if self.outcomes else Delivered()
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, Delivered):
            self.delivered += records
        return outcome

    def close(self) -> None:
        pass


class Stepped(Delivery):
    """A delivery whose worker is stepped by the test."""

    def __init__(
        self,
        destination: Scripted,
        *,
        max_spans: int = 1_000,
        max_bytes: int = 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = Clock()
        super().__init__(destination, clock=self.clock, sleep=sleep, max_spans=max_spans, max_bytes=max_bytes, full_wait_s=0.0)
        self._writer.start = self._sending.start = lambda: None  # type: ignore[method-assign]

    def offer_names(self, *names: str) -> list[bool]:
        return [self.offer(ReadableSpan(name)) for name in names]

    def step(self, after_s: float = 0.0) -> float | None:
        self.clock.now += after_s
        more = self._writer.step()
        due_s = self._sending.step()
        return more if due_s is None and self._writer.step() == 0.0 else due_s


def test_a_batch_is_sent_in_the_order_of_the_spans() -> None:
    destination = Scripted()
    delivery = Stepped(destination)
    delivery.offer_names("a", "b", "c")
    assert delivery.step() is None
    assert destination.sent == [[b"a", b"b", b"c"]]
    assert delivery.stats == Stats(received=3, delivered=3)


def test_a_batch_keeps_to_the_number_of_records_that_the_destination_takes() -> None:
    destination = Scripted(limits=Limits(max_records=2))
    delivery = Stepped(destination)
    delivery.offer_names("a", "b", "c")
    while delivery.step() is not None:
        pass
    assert destination.sent == [[b"a", b"b"], [b"c"]]


def test_a_batch_keeps_to_the_bytes_and_a_larger_record_goes_alone() -> None:
    destination = Scripted(limits=Limits(max_bytes=4))
    delivery = Stepped(destination)
    delivery.offer_names("aa", "bb", "much too large", "cc")
    while delivery.step() is not None:
        pass
    assert destination.sent == [[b"aa", b"bb"], [b"much too large"], [b"cc"]]


def test_a_span_that_the_destination_does_not_want_is_skipped() -> None:
    destination = Scripted()
    delivery = Stepped(destination)
    delivery.offer_names("a", "skip", "b")
    delivery.step()
    assert destination.sent == [[b"a", b"b"]]
    assert delivery.stats == Stats(received=3, delivered=2, skipped=1)


def test_a_span_that_cannot_be_encoded_is_rejected_and_its_content_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    destination = Scripted()
    delivery = Stepped(destination)
    with caplog.at_level(logging.INFO):
        delivery.offer_names("a", "secret", "secret", "b")
        delivery.step()
    assert destination.sent == [[b"a", b"b"]]
    assert delivery.stats == Stats(received=4, delivered=2, rejected=2, last_error="a span could not be encoded (ValueError)")
    assert [record.getMessage() for record in caplog.records] == [
        "fake: a span could not be encoded (ValueError) and is left out; the others are delivered. "
        "The traceback is logged at DEBUG."
    ]


def test_a_retry_waits_and_then_repeats_the_very_same_records() -> None:
    destination = Scripted(Retry("503"), Retry("503"))
    delivery = Stepped(destination)
    delivery.offer_names("a", "b")
    delivery.step()
    delivery.offer_names("c")
    delivery.step(after_s=30)
    delivery.step(after_s=30)
    delivery.step()
    assert destination.sent == [[b"a", b"b"]] * 3 + [[b"c"]]
    assert delivery.stats == Stats(received=3, delivered=3, retries=2, last_error="503")


def test_nothing_is_sent_before_the_time_that_the_destination_asked_for() -> None:
    destination = Scripted(Retry("429", after_s=40.0))
    delivery = Stepped(destination)
    delivery.offer_names("a")
    assert delivery.step() == 40.0
    assert delivery.step(after_s=39.5) == 0.5
    assert destination.sent == [[b"a"]]
    assert delivery.step(after_s=0.5) is None
    assert destination.sent == [[b"a"], [b"a"]]


def test_spans_that_come_during_a_wait_are_encoded_meanwhile() -> None:
    destination = Scripted(Retry("503", after_s=40.0))
    delivery = Stepped(destination)
    delivery.offer_names("a")
    delivery.step()
    delivery.offer_names("bbb")
    delivery.step()
    assert delivery._intake.pending_bytes == len(b"a" + b"bbb") + 2 * RECORD_OVERHEAD


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ConnectionError("to https://user:password@host"), "sending raised ConnectionError"),
        ("ok", "sending returned str instead"),
    ],
)
def test_a_destination_that_breaks_its_contract_is_tried_again(fault: Exception, reason: str) -> None:
    destination = Scripted(fault)
    delivery = Stepped(destination)
    delivery.offer_names("a")
    delivery.step()
    assert (delivery.stats.last_error or "").startswith(reason)
    delivery.step(after_s=30)
    assert destination.delivered == [b"a"]


def test_a_rejected_batch_is_dropped_counted_and_the_next_one_sent() -> None:
    destination = Scripted(Reject("400 bad request"), limits=Limits(max_records=2))
    delivery = Stepped(destination)
    delivery.offer_names("a", "b", "c")
    delivery.step()
    delivery.step()
    assert destination.sent == [[b"a", b"b"], [b"c"]]
    assert delivery.stats == Stats(received=3, delivered=1, rejected=2, last_error="400 bad request")


@pytest.mark.parametrize("poison", [0, 1, 37, 63, 99])
def test_splitting_finds_the_one_bad_record_among_many(poison: int) -> None:
    class Poisoned(Scripted):
        def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
            self.outcomes = deque([Split("400")] if b"%d" % poison in records else [])
            return super().send(records, timeout_s=timeout_s)

    destination = Poisoned()
    delivery = Stepped(destination)
    delivery.offer_names(*(str(n) for n in range(100)))
    while delivery.step() is not None:
        pass
    assert destination.delivered == [b"%d" % n for n in range(100) if n != poison]
    assert len(destination.sent) <= 15
    assert delivery.stats == Stats(received=100, delivered=99, rejected=1, last_error="400")


def test_a_half_that_fails_waits_alone_and_in_its_place() -> None:
    destination = Scripted(Split("413"), Delivered(), Retry("503"))
    delivery = Stepped(destination)
    delivery.offer_names("a", "b", "c", "d")
    for _ in range(4):
        delivery.step(after_s=30)
    assert destination.sent == [[b"a", b"b", b"c", b"d"], [b"a", b"b"], [b"c", b"d"], [b"c", b"d"]]


def test_a_pause_keeps_everything_and_tries_again_after_a_minute() -> None:
    destination = Scripted(Pause("401: wrong key"))
    delivery = Stepped(destination)
    delivery.offer_names("a")
    assert delivery.step() == 60.0
    delivery.offer_names("b")
    assert delivery.step(after_s=59) == 1.0
    assert delivery.stats == Stats(received=2, pending=2, last_error="401: wrong key")
    delivery.step(after_s=1)
    delivery.step()
    assert destination.sent == [[b"a"], [b"a"], [b"b"]]


def test_a_full_queue_drops_the_new_span_and_counts_it() -> None:
    destination = Scripted()
    delivery = Stepped(destination, max_spans=2)
    assert delivery.offer_names("a", "b", "c") == [True, True, False]
    delivery.step()
    assert destination.sent == [[b"a", b"b"]]
    assert delivery.stats == Stats(received=3, delivered=2, dropped=1)


def test_bytes_are_bounded_and_freed_by_delivery() -> None:
    destination = Scripted(Retry("503"))
    size = span_size(ReadableSpan("a"))
    delivery = Stepped(destination, max_bytes=2 * size)
    assert delivery.offer_names("a", "b", "c") == [True, True, False]
    delivery.step()
    assert delivery._intake.pending_bytes == 2 * (1 + RECORD_OVERHEAD)
    delivery.step(after_s=30)
    assert delivery._intake.pending_bytes == 0


def test_encoded_records_count_while_they_wait() -> None:
    name = "x" * 5_000
    delivery = Stepped(Scripted(Pause("401")), max_bytes=6_000)
    delivery.offer_names(name)
    delivery.step()
    assert delivery.offer_names("one more") == [False]


def test_failures_are_logged_once_a_minute_and_say_what_happens_next(caplog: pytest.LogCaptureFixture) -> None:
    delivery = Stepped(Scripted(*[Retry("503", after_s=30.0)] * 4))
    delivery.offer_names("a")
    with caplog.at_level(logging.INFO):
        for _ in range(4):
            delivery.step(after_s=30)
    assert [record.getMessage() for record in caplog.records] == [
        "fake: sending failed: 503. What waits is kept in memory; next try in 30.0 s."
    ] * 2


def test_drops_are_logged_once_a_minute_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    delivery = Stepped(Scripted(Pause("401")), max_spans=1)
    with caplog.at_level(logging.WARNING):
        delivery.offer_names("a", "b", "c")
        delivery.step()
        delivery.offer_names("d")
        delivery.step(after_s=59)
        delivery.step(after_s=1)
    lines = [record.getMessage() for record in caplog.records if "queue is full" in record.getMessage()]
    assert [line.partition(" new span(s) were dropped")[0] for line in lines] == [
        "fake: the queue is full; 2",
        "fake: the queue is full; 1",
    ]


def test_encoding_lets_other_threads_run_in_between() -> None:
    class Slow(Scripted):
        def encode(self, span: ReadableSpan) -> bytes | None:
            until = time.perf_counter() + WORK_S
            while time.perf_counter() < until:
                pass
            return super().encode(span)

    yields = list[float]()
    delivery = Stepped(Slow(), sleep=yields.append)
    delivery.offer_names("a", "b", "c")
    delivery.step()
    assert yields == [0, 0, 0]


def test_encoding_does_not_give_way_while_much_waits_in_memory() -> None:
    class Slow(Scripted):
        def encode(self, span: ReadableSpan) -> bytes | None:
            until = time.perf_counter() + WORK_S
            while time.perf_counter() < until:
                pass
            return super().encode(span)

    yields = list[float]()
    delivery = Stepped(Slow(), sleep=yields.append)
    delivery.offer_names(*(str(number) for number in range(200)))
    delivery._writer.step()
    assert yields == []


OUTCOMES = st.sampled_from([Delivered(), Retry("503"), Retry("429", 7.0), Split("400"), Reject("422"), Pause("401"), OSError()])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    outcomes=st.lists(OUTCOMES, max_size=40),
    rounds=st.lists(st.lists(st.sampled_from(["want", "skip", "secret"]), max_size=8), max_size=8),
    max_records=st.integers(1, 5),
    max_spans=st.integers(1, 20),
)
def test_every_span_finds_exactly_one_end(
    outcomes: list[Outcome | Exception], rounds: list[list[str]], max_records: int, max_spans: int
) -> None:
    destination = Scripted(*outcomes, limits=Limits(max_records=max_records))
    delivery = Stepped(destination, max_spans=max_spans)
    accepted = list[bytes]()
    for number, kinds in enumerate(rounds):
        for index, kind in enumerate(kinds):
            name = kind if kind != "want" else f"{number}.{index}"
            if delivery.offer(ReadableSpan(name)) and kind == "want":
                accepted.append(name.encode())
        delivery.step(after_s=20)
        stats = delivery.stats
        assert stats.pending == stats.received - stats.delivered - stats.rejected - stats.dropped - stats.skipped
        assert stats.pending <= max_spans
    while delivery.step(after_s=61) is not None:
        pass
    stats = delivery.stats
    tried = [record for batch in destination.sent for record in batch]
    assert list(dict.fromkeys(tried)) == accepted
    assert destination.delivered == [record for record in accepted if record in set(destination.delivered)]
    assert len(destination.delivered) == stats.delivered
    refused_by_encoding = stats.received - stats.dropped - stats.skipped - len(accepted)
    assert stats.rejected == len(accepted) - stats.delivered + refused_by_encoding
    assert (stats.received, stats.pending) == (sum(map(len, rounds)), 0)
    assert delivery._intake.pending_bytes == 0
