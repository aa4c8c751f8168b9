"""One destination is down for an hour while the other is up; the clock of the delivery is simulated."""

from __future__ import annotations

import time
from collections.abc import Callable

from faults.processes import DESTINATIONS, PATIENCE_S, World, end

from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector

PIECES = 12
SPANS_EACH = 300


def wait_until_all_can_be_sent(world: World) -> None:
    """Until each span that has not been delivered is on disk, and none of them is put off."""
    deadline, spans = time.monotonic() + PATIENCE_S, len(world.ended())
    while time.monotonic() < deadline:
        waiting = Inspector(SpoolPlace(world.spool)).waiting()
        if [(each.spans, each.deferred) for each in waiting if each.spans] == [(spans, 0)]:
            return
        time.sleep(0.1)
    raise AssertionError(waiting)


def test_langfuse_down_for_an_hour_is_behind_alone_and_new_spans_do_not_starve(
    world: World, measured: Callable[..., None]
) -> None:
    world.backend.behave("503", "langfuse")
    application = world.application()
    for _ in range(PIECES):
        application.ask(do="make", spans=SPANS_EACH)
        application.ask(do="let_pass", seconds=3_600 / PIECES)
    old = world.ended()
    deadline = time.monotonic() + PATIENCE_S
    while world.lost()["insforge"] and time.monotonic() < deadline:
        time.sleep(0.1)
    behind = {name: len(lost) for name, lost in world.lost().items()}

    # The new ones are made before it is up again: then all of them wait beside the old ones, however slow this machine is.
    application.ask(do="make", spans=100)
    new = [span.ids["langfuse"] for span in world.ended()[len(old) :]]
    wait_until_all_can_be_sent(world)
    world.backend.behave("ok", "langfuse", delay_s=0.25)
    application.ask(do="let_pass", seconds=60.0)
    begin = time.monotonic()
    flushed = application.ask(do="flush", timeout_s=PATIENCE_S)
    end(application)
    seen = world.backend.seen("langfuse")
    old_after_new = len(set(seen[max(map(seen.index, new)) :]) & {span.ids["langfuse"] for span in old})
    remark = f"after it {behind['langfuse']:,} behind; new ones arrived {old_after_new:,} old ones early"
    measured("Langfuse down for an hour", world, seconds=round(time.monotonic() - begin, 1), remark=remark)
    assert behind == dict(zip(DESTINATIONS, (len(old), 0), strict=True))
    assert flushed["flushed"]
    assert old_after_new > 0
    world.assert_nothing_is_lost()
