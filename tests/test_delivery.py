"""Delivery as the application sees it: offer, flush, shutdown, with the worker thread running."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import pytest
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Retry
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.stats import Stats

SOON_S = 0.05
LONG_S = 30.0


class Fake:
    """Delivers everything, or does what ``script`` says for the first batches; ``gate`` closed, it hangs in send()."""

    name = "fake"
    limits = Limits()

    def __init__(self, *script: Outcome) -> None:
        self.script = deque(script)
        self.gate = threading.Event()
        self.gate.set()
        self.sending = threading.Event()
        self.sent: list[bytes] = []
        self.timeouts: list[float] = []
        self.closed = 0
        self.during_send: Callable[[], None] = lambda: None

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        self.timeouts.append(timeout_s)
        self.sending.set()
        self.during_send()
        self.gate.wait()
        if self.script:
            return self.script.popleft()
        self.sent += records
        return Delivered()

    def close(self) -> None:
        self.closed += 1


def until(happened: Callable[[], bool]) -> None:
    """Let the worker's thread come that far."""
    while not happened():
        time.sleep(0.001)


def span(name: str = "a") -> ReadableSpan:
    return ReadableSpan(name)


@pytest.fixture
def deliver() -> Iterator[Callable[..., Delivery]]:
    """Makes deliveries that are shut down at the end."""
    made: list[Delivery] = []

    def make(destination: Fake, *, max_spans: int = 1_000, linger_s: float = LONG_S) -> Delivery:
        made.append(Delivery(destination, max_spans=max_spans, linger_s=linger_s))
        return made[-1]

    yield make
    for delivery in made:
        delivery.destination.gate.set()  # type: ignore[attr-defined]
        delivery.shutdown()


def test_what_was_offered_is_delivered_after_the_linger(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination, linger_s=0.001)
    delivery.offer(span("a"))
    assert destination.sending.wait(LONG_S)


def test_a_span_wakes_the_worker_that_rests(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination, linger_s=0.001)
    delivery.offer(span("a"))
    assert delivery.flush(LONG_S)
    until(lambda: delivery._intake._resting)
    destination.sending.clear()
    delivery.offer(span("b"))
    assert destination.sending.wait(LONG_S)


def test_flush_delivers_at_once_what_was_offered_before(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination)
    for name in ("a", "b", "c"):
        delivery.offer(span(name))
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a", b"b", b"c"]
    assert delivery.stats == Stats(received=3, delivered=3)


def test_flush_with_nothing_offered_is_true_and_starts_no_thread(deliver: Callable[..., Delivery]) -> None:
    before = set(threading.enumerate())
    assert deliver(Fake()).flush(0)
    assert set(threading.enumerate()) <= before


def test_flush_is_false_when_its_deadline_passes(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    destination.gate.clear()
    delivery = deliver(destination)
    delivery.offer(span())
    assert not delivery.flush(SOON_S)
    assert delivery.stats == Stats(received=1, pending=1)


def test_flush_cuts_a_wait_for_a_retry_short(deliver: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llm.delivery.backoff.Backoff.next_s", lambda *_: 3_600.0)
    destination = Fake(Retry("503"))
    delivery = deliver(destination)
    delivery.offer(span())
    delivery.hurry()
    until(lambda: delivery.stats.retries == 1)
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a"]


def test_flush_of_a_paused_destination_tries_once_and_does_not_wait_in_vain(deliver: Callable[..., Delivery]) -> None:
    destination = Fake(Pause("401"), Pause("401"))
    delivery = deliver(destination)
    delivery.offer(span())
    assert not delivery.flush(LONG_S)
    assert not delivery.flush(LONG_S)
    assert len(destination.timeouts) == 2
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a"]


def test_a_destination_that_hangs_does_not_hold_up_offers(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    destination.gate.clear()
    delivery = deliver(destination, max_spans=3)
    delivery.offer(span("a"))
    assert not delivery.flush(SOON_S)
    assert [delivery.offer(span(name)) for name in "bcde"] == [True, True, False, False]
    destination.gate.set()
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a", b"b", b"c"]
    assert delivery.stats == Stats(received=5, delivered=3, dropped=2)


def test_a_queue_that_is_stuck_holds_up_the_application_once(
    deliver: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = Fake()
    destination.gate.clear()
    delivery = deliver(destination, max_spans=1)
    delivery.offer(span("a"))
    assert not delivery.flush(SOON_S)
    assert not delivery.offer(span("b"))
    no_waiting = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: pytest.fail("it waits again"))
    monkeypatch.setattr("otel_llm.delivery.queue.time", no_waiting)
    assert not delivery.offer(span("c"))
    monkeypatch.undo()
    destination.gate.set()
    assert delivery.flush(LONG_S)
    assert delivery.offer(span("d"))
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a", b"d"]


def test_a_destination_that_hangs_does_not_hold_up_another(deliver: Callable[..., Delivery]) -> None:
    hanging, healthy = Fake(), Fake()
    hanging.gate.clear()
    first, second = deliver(hanging), deliver(healthy)
    ended = span()
    first.offer(ended)
    second.offer(ended)
    assert not first.flush(SOON_S)
    assert second.flush(LONG_S)
    assert (first.stats.pending, second.stats.delivered) == (1, 1)


def test_spans_offered_by_many_threads_are_each_delivered_once(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination, max_spans=10_000, linger_s=0.001)
    threads = [threading.Thread(target=lambda n=n: [delivery.offer(span(f"{n}.{i}")) for i in range(100)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert delivery.flush(LONG_S)
    assert sorted(destination.sent) == sorted(f"{n}.{i}".encode() for n in range(4) for i in range(100))


def test_what_cannot_be_queued_is_dropped_without_an_exception(deliver: Callable[..., Delivery]) -> None:
    delivery = deliver(Fake())
    assert not delivery.offer(None)  # type: ignore[arg-type]
    assert delivery.stats == Stats(received=1, dropped=1)


def test_a_span_may_end_while_the_worker_waits_for_one(deliver: Callable[..., Delivery]) -> None:
    """As where a finaliser on the worker's thread ends a span."""
    destination = Fake()
    delivery = deliver(destination)

    def end_another() -> None:
        if not destination.sent:
            delivery.offer(span("inner"))

    destination.during_send = end_another
    delivery.offer(span("outer"))
    assert delivery.flush(LONG_S)
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"outer", b"inner"]


def test_a_flush_asked_for_by_the_worker_itself_does_not_wait_for_itself(deliver: Callable[..., Delivery]) -> None:
    destination, answers = Fake(), list[bool]()
    delivery = deliver(destination)
    destination.during_send = lambda: answers.append(delivery.flush(LONG_S))
    delivery.offer(span())
    assert delivery.flush(LONG_S)
    assert answers == [False]


def test_sending_is_not_instrumented_and_knows_nothing_of_the_callers_context(deliver: Callable[..., Delivery]) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen: list[object] = []
    destination = Fake()
    destination.during_send = lambda: seen.extend(
        (is_instrumentation_enabled(), variable.get(), otel_context.get_value("user"))
    )
    token = otel_context.attach(otel_context.set_value("user", "42"))
    variable.set("this one")
    delivery = deliver(destination)
    delivery.offer(span())
    assert delivery.flush(LONG_S)
    otel_context.detach(token)
    assert seen == [False, "none", None]


def test_shutdown_delivers_and_closes_the_destination() -> None:
    destination = Fake()
    destination.name = "ends"
    delivery = Delivery(destination, linger_s=LONG_S)
    delivery.offer(span())
    assert delivery.shutdown(LONG_S)
    assert (destination.sent, destination.closed) == ([b"a"], 1)
    assert delivery.stats == Stats(received=1, delivered=1)
    assert not any(thread.name == "otel-llm-ends" for thread in threading.enumerate())


def test_shutdown_without_a_span_closes_the_destination() -> None:
    destination = Fake()
    assert Delivery(destination).shutdown()
    assert destination.closed == 1


def test_after_a_shutdown_spans_are_dropped_and_a_second_one_does_nothing() -> None:
    destination = Fake()
    delivery = Delivery(destination)
    delivery.shutdown()
    assert not delivery.offer(span())
    assert delivery.flush(0)
    assert delivery.shutdown()
    assert destination.closed == 1
    assert delivery.stats == Stats(received=1, dropped=1)


def test_what_is_left_at_a_shutdown_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    delivery = Delivery(Fake(Pause("401"), Pause("401")), linger_s=LONG_S)
    for name in ("a", "b"):
        delivery.offer(span(name))
    assert not delivery.flush(LONG_S)
    with caplog.at_level(logging.WARNING):
        assert not delivery.shutdown(2.5)
    assert delivery.stats == Stats(received=2, dropped=2, last_error="401")
    assert caplog.records[-1].getMessage() == (
        "fake: 2 span(s) were not delivered before the shutdown and are lost (last failure: 401). "
        "If the destination is reachable, allow the shutdown more than 2.5 s."
    )


def test_a_shutdown_does_not_wait_for_a_destination_that_hangs_nor_close_it_under_its_feet() -> None:
    destination = Fake()
    destination.name = "hangs"
    destination.gate.clear()
    delivery = Delivery(destination, linger_s=0.0)
    delivery.offer(span("a"))
    assert destination.sending.wait(LONG_S)
    delivery.offer(span("b"))
    assert not delivery.shutdown(SOON_S)
    assert destination.closed == 0
    assert delivery._intake.take() is None
    (worker,) = [thread for thread in threading.enumerate() if thread.name == "otel-llm-hangs"]
    destination.gate.set()
    worker.join()
    assert destination.closed == 1
    assert delivery.stats == Stats(received=2, dropped=2)


def test_a_try_during_a_shutdown_gets_no_more_time_than_the_shutdown() -> None:
    destination = Fake()
    delivery = Delivery(destination, linger_s=LONG_S, timeout_s=10.0)
    delivery.offer(span())
    delivery.flush(LONG_S)
    delivery.offer(span())
    delivery.shutdown(2.0)
    assert destination.timeouts[0] == 10.0
    assert destination.timeouts[1] <= 2.0
