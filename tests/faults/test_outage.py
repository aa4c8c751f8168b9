"""The destinations are down for half of a load; and a burst."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from faults.processes import DESTINATIONS, PATIENCE_S, World, end
from faults.scale import SCALE

MODES = ["healthy", "refuse", "503", "500", "429", "hang", "reset", "302"]
PEAK_MIB = 300


def wait_until_each_was_tried(world: World, mode: str) -> None:
    """Who refuses connections cannot tell."""
    deadline = time.monotonic() + PATIENCE_S
    while mode != "refuse" and not all(mode in found["statuses"] for found in world.backend.counts().values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("mode", MODES)
def test_an_outage_loses_nothing(mode: str, world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    application.say(do="make", spans=SCALE.spans, rate=SCALE.rate)
    if mode != "healthy":
        time.sleep(SCALE.outage_from_s)
        world.backend.behave(mode)
        time.sleep(SCALE.outage_s)
        wait_until_each_was_tried(world, mode)
        world.backend.behave("ok")
    cost = application.hear()
    flushed = application.ask(do="flush", timeout_s=PATIENCE_S)
    stats = application.ask(do="stats")
    end(application)
    dropped = sum(stats[name]["dropped"] for name in DESTINATIONS)
    remark = f"delivered {flushed['seconds']} s after the load; {dropped} dropped"
    measured(mode, world, peak_mib=stats["peak_mib"], p50_us=cost["p50_us"], p99_us=cost["p99_us"], remark=remark)
    assert flushed["flushed"]
    world.assert_nothing_is_lost()
    world.assert_the_application_saw_nothing()
    assert stats["peak_mib"] < PEAK_MIB


def test_a_burst_loses_nothing(world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    cost = application.ask(do="make", spans=SCALE.burst)
    flushed = application.ask(do="flush", timeout_s=PATIENCE_S)
    stats = application.ask(do="stats")
    end(application)
    remark = f"delivered {flushed['seconds']} s after the burst of {cost['seconds']} s"
    measured("burst", world, peak_mib=stats["peak_mib"], p50_us=cost["p50_us"], p99_us=cost["p99_us"], remark=remark)
    world.assert_nothing_is_lost()
    assert stats["peak_mib"] < PEAK_MIB
