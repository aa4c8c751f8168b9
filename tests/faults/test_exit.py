"""The ends of a process: what has ended is delivered, or left on disk for the next."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from faults.processes import World, end
from faults.scale import SCALE

#: Seconds that a shutdown may take, for all destinations together.
DEADLINE_S = 5.0
#: Seconds for all else at the end of a process, on a machine with much else to do.
SLACK_S = 5.0


@pytest.mark.parametrize("how", ["exit", "raise"])
def test_a_process_that_ends_by_itself_delivers(how: str, world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    application.ask(do="make", spans=200)
    seconds = end(application, how)
    measured({"exit": "sys.exit", "raise": "unhandled exception"}[how], world, seconds=seconds)
    assert application.wait() == (1 if how == "raise" else 0)
    world.assert_nothing_is_lost()


@pytest.mark.parametrize("child", ["fork", "pool", "executor"])
def test_children_deliver(child: str, world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    application.ask(do="make", spans=20)
    application.ask(do=f"make_in_{child}", spans=200)
    application.ask(do="make", spans=20)
    seconds = end(application)
    measured({"fork": "os.fork", "pool": "multiprocessing.Pool"}.get(child, "ProcessPoolExecutor"), world, seconds=seconds)
    world.deliver_the_rest()
    assert len(world.ended()) == {"fork": 204, "pool": 408, "executor": 408}[child] + 42
    world.assert_nothing_is_lost()
    world.assert_the_application_saw_nothing()


def test_sigterm_in_an_event_loop_of_asyncio(world: World, measured: Callable[..., None]) -> None:
    application = world.application()
    application.ask(do="make", spans=200)
    assert application.ask(do="serve") == {}
    begin = time.monotonic()
    application.process.send_signal(signal.SIGTERM)
    assert application.wait() == -signal.SIGTERM
    measured("SIGTERM, asyncio", world, seconds=round(time.monotonic() - begin, 2))
    world.assert_nothing_is_lost()
    world.assert_the_application_saw_nothing()


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_a_dead_backend_does_not_keep_a_process_from_ending(mode: str, world: World, measured: Callable[..., None]) -> None:
    world.backend.behave(mode)
    application = world.application()
    application.ask(do="make", spans=SCALE.queued_at_exit)
    seconds = end(application)
    rest = world.deliver_the_rest()
    measured(f"exit, {mode}", world, seconds=seconds, remark=f"the next process delivered in {rest} s")
    assert seconds < DEADLINE_S + SLACK_S
    world.assert_nothing_is_lost()
    world.assert_the_application_saw_nothing()
