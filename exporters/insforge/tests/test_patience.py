"""Faults that a single answer cannot judge."""

from __future__ import annotations

from otel_llm.delivery import Pause, Retry, Split
from otel_llm_insforge.answers import Fault
from otel_llm_insforge.patience import Patience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_missing_table_is_retried_while_the_schema_is_read_again_and_then_pauses() -> None:
    clock = Clock()
    patience = Patience(clock)
    assert patience.judge(Fault.SCHEMA, "no table", None) == Retry("no table", after_s=1.0)
    clock.now = 4.9
    assert patience.judge(Fault.SCHEMA, "no table", None) == Retry("no table", after_s=1.0)
    clock.now = 5.0
    assert patience.judge(Fault.SCHEMA, "no table", None) == Pause("no table")
    patience.delivered()
    assert patience.judge(Fault.SCHEMA, "no table", None) == Retry("no table", after_s=1.0)


def test_an_unknown_fault_is_retried_some_times_and_then_bisected() -> None:
    patience = Patience(Clock())
    outcomes = [patience.judge(Fault.UNKNOWN, "odd", None) for _ in range(7)]
    assert outcomes == [
        *(Retry("odd", after_s=after) for after in (1.0, 2.0, 4.0, 8.0, 16.0)),
        Split("odd"),
        Retry("odd", after_s=1.0),
    ]


def test_other_faults_are_judged_at_once() -> None:
    assert Patience(Clock()).judge(Fault.THROTTLED, "slow", 7.0) == Retry("slow", after_s=7.0)
