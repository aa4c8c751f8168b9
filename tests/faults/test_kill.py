"""Processes that are killed: what has ended a moment before is delivered by the next."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from faults.processes import DESTINATIONS, World, end, kill
from faults.scale import FULL, SCALE

#: A span is on disk so long after its end, in milliseconds.
PROMISE_MS = 100


def assert_the_spool_is_sound(world: World) -> None:
    with closing(sqlite3.connect(world.spool / "spool.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("rate", SCALE.kill_rates)
def test_a_kill_loses_at_most_the_last_moment(rate: float, world: World, measured: Callable[..., None]) -> None:
    chance = random.Random(rate)
    oldest_ms = late = 0
    for _ in range(SCALE.kills):
        application = world.application()
        application.say(do="make", spans=1_000_000, rate=rate)
        time.sleep(chance.uniform(*SCALE.kill_after_s))
        at_ns = kill(application)
        assert_the_spool_is_sound(world)
        world.deliver_the_rest()
        own = [span for span in world.ended() if span.process == application.process.pid]
        for found in world.lost().values():
            lost = [span for span in found if span in own]
            assert lost == own[len(own) - len(lost) :]
            ages = [(at_ns - span.at_ns) // 1_000_000 for span in lost]
            oldest_ms = max([oldest_ms, *ages])
            late += sum(age > PROMISE_MS for age in ages)
    remark = f"the oldest lost had ended {oldest_ms} ms before the kill; {late} more than {PROMISE_MS} ms before"
    measured(f"{SCALE.kills} x SIGKILL at {rate:.0f}/s", world, remark=remark)
    assert not late or SCALE is not FULL
    world.assert_no_span_is_two()
    world.assert_the_application_saw_nothing()


def test_four_processes_share_a_spool_and_the_leader_is_killed(world: World, measured: Callable[..., None]) -> None:
    leader, *others = [world.application() for _ in range(4)]
    assert leader.ask(do="stats")["leads"] == {"langfuse": True, "insforge": True}
    begin = time.monotonic()
    for application in (leader, *others):
        application.say(do="make", spans=SCALE.each_of_four, rate=SCALE.each_of_four / 2)
    time.sleep(1.0)
    kill(leader)
    for application in others:
        application.hear()
    flushed = [application.ask(do="flush", timeout_s=60.0) for application in others]
    leads = [application.ask(do="stats")["leads"] for application in others]
    for application in others:
        end(application)
    seconds = round(time.monotonic() - begin, 1)
    measured("4 processes, the leader killed", world, seconds=seconds, remark="of the killed one: the last moment's")
    assert all(answer["flushed"] for answer in flushed)
    assert [sum(found[name] for found in leads) for name in DESTINATIONS] == [1, 1]
    world.assert_no_span_is_two()
    assert {span.process for lost in world.lost().values() for span in lost} <= {leader.process.pid}
    assert_the_spool_is_sound(world)
