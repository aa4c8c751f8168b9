"""The small parts of the delivery: backoff, pace, sizes, the doorbell."""

from __future__ import annotations

import threading
import time
from types import MappingProxyType

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm.delivery.backoff import Backoff
from otel_llm.delivery.doorbell import Doorbell
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.loop import Loop
from otel_llm.delivery.pace import WORK_S, Pace
from otel_llm.delivery.size import span_size


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_backoff_doubles_up_to_its_cap_and_starts_over() -> None:
    backoff = Backoff(uniform=lambda low, high: high)
    assert [backoff.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 1


def test_backoff_has_full_jitter() -> None:
    backoff = Backoff(uniform=lambda low, high: low)
    assert backoff.next_s() == 0.0


@pytest.mark.parametrize(
    ("after_s", "waits"),
    [(100.0, 100.0), (3_600_000.0, 3_600.0), (0.0, 1.0), (-5.0, 1.0), (float("nan"), 1.0), (float("inf"), 1.0)],
)
def test_backoff_never_goes_below_what_was_asked_for_up_to_an_hour(after_s: float, waits: float) -> None:
    assert Backoff(uniform=lambda low, high: high).next_s(after_s) == waits


def test_work_is_interrupted_after_each_250_microseconds() -> None:
    clock, sleeps = Clock(), list[float]()
    pace = Pace(clock=clock, sleep=sleeps.append)
    for _ in range(10):
        clock.now += WORK_S / 2
        pace.breathe()
    assert sleeps == [0] * 5


@pytest.mark.parametrize(
    ("attributes", "least"),
    [
        ({"text": "x" * 5_000}, 5_000),
        ({"text": "я" * 5_000}, 10_000),
        ({"texts": ("x" * 5_000, "x" * 5_000)}, 10_000),
        ({"bytes": b"x" * 5_000}, 5_000),
        ({"map": {"inner": "x" * 5_000}}, 5_000),
        ({"number": 1, "flag": True, "none": None}, 0),
    ],
)
def test_the_size_of_a_span_follows_its_values(attributes: dict[str, object], least: int) -> None:
    plain = span_size(ReadableSpan("a"))
    assert least <= span_size(ReadableSpan("a", attributes=attributes)) - plain <= least + 400  # type: ignore[arg-type]


def test_the_size_of_a_span_includes_its_events() -> None:
    event = Event("exception", attributes={"exception.stacktrace": "x" * 5_000})
    assert span_size(ReadableSpan("a", events=[event])) >= span_size(ReadableSpan("a")) + 5_000


def test_any_mapping_can_hold_the_attributes() -> None:
    assert span_size(ReadableSpan("a", attributes=MappingProxyType({"text": "x" * 5_000}))) >= 5_000


def test_a_ring_before_the_wait_is_not_lost_and_rings_do_not_add_up() -> None:
    bell = Doorbell()
    bell.ring()
    bell.ring()
    assert bell.wait(None)
    assert not bell.wait(0)


def test_a_ring_wakes_the_waiting_thread() -> None:
    bell = Doorbell()
    waiter = threading.Thread(target=bell.wait, args=(None,))
    waiter.start()
    bell.ring()
    waiter.join()


def test_each_subject_is_logged_once_in_the_interval() -> None:
    clock = Clock()
    limit = LogLimit(clock, interval_s=60)
    assert [limit.due("retry"), limit.due("retry"), limit.due("pause")] == [True, False, True]
    clock.now = 60
    assert limit.due("retry")


class Idle(Loop):
    def step(self) -> None:
        pass

    def finish(self) -> None:
        pass


def test_who_asks_while_a_thread_is_being_started_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_start, found = threading.Event(), threading.Event(), list[bool]()
    start, loop = threading.Thread.start, Idle("idle", LogLimit(time.monotonic))

    def slowly(thread: threading.Thread) -> None:
        if thread.name == "idle":
            begun.set()
            may_start.wait(30.0)
        start(thread)

    def ask() -> None:
        loop.start()
        found.append(loop.alive)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    first, second = threading.Thread(target=loop.start), threading.Thread(target=ask)
    first.start()
    begun.wait(30.0)
    second.start()
    second.join(0.1)
    may_start.set()
    first.join()
    second.join()
    assert found == [True]
    assert loop.stop(30.0)
