"""What can happen to a disk: the application does not notice, it is counted, and passes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest
from faults.processes import PATIENCE_S, Conversation, World, end

DAY_S = 86_400.0


def finish(application: Conversation, world: World) -> dict[str, Any]:
    """The destinations are well again: all is delivered. The statistics at the end."""
    world.backend.behave("ok")
    assert application.ask(do="flush", timeout_s=PATIENCE_S)["flushed"]
    stats: dict[str, Any] = application.ask(do="stats")
    end(application)
    world.assert_the_application_saw_nothing()
    return stats


def stats_when(holds: Callable[[dict[str, Any]], bool], application: Conversation) -> dict[str, Any]:
    """The statistics as soon as this is true of those of Langfuse, or as they are when patience is at its end."""
    deadline = time.monotonic() + PATIENCE_S
    stats: dict[str, Any] = application.ask(do="stats")
    while not holds(stats["langfuse"]) and time.monotonic() < deadline:
        time.sleep(0.1)
        stats = application.ask(do="stats")
    return stats


def assert_counted(stats: dict[str, Any]) -> None:
    """Each span has found its way into one of the counts."""
    for found in (stats["langfuse"], stats["insforge"]):
        counts = (found[name] for name in ("delivered", "pending", "rejected", "dropped", "skipped"))
        assert found["received"] == sum(counts)


def test_a_full_disk(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("503")
    application = world.application()
    application.ask(do="limit_files", size=2_000_000)
    assert application.ask(do="make", spans=1_500, rate=1_500.0)["failures"] == 0
    full = application.ask(do="stats")
    application.ask(do="limit_files", size=-1)
    stats_when(lambda stats: stats["spooled"] > full["langfuse"]["spooled"], application)
    application.ask(do="make", spans=100)
    stats = finish(application, world)
    waited = full["langfuse"]["pending"]
    remark = f"{waited - full['langfuse']['spooled']:,} of {waited:,} waited in memory meanwhile"
    measured("disk full", world, peak_mib=stats["peak_mib"], remark=remark)
    assert full["langfuse"]["spooled"] < waited
    assert stats["langfuse"]["spooled"] > full["langfuse"]["spooled"]
    assert_counted(stats)
    world.assert_nothing_is_lost()


def without_power_over_files() -> tuple[str, ...]:
    """A command that takes from root what lets it write where nobody may."""
    if os.geteuid():
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that from it")
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")


def test_a_read_only_directory(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("503")
    world.spool.mkdir(mode=0o500)
    application = world.application(prefix=without_power_over_files())
    application.ask(do="make", spans=300)
    time.sleep(0.5)
    before = application.ask(do="stats")
    world.spool.chmod(0o700)
    stats_when(lambda stats: stats["spooled"] == 306, application)
    application.ask(do="make", spans=300)
    after = stats_when(lambda stats: stats["spooled"] == 612, application)
    finish(application, world)
    measured("read-only directory", world, remark=f"{before['langfuse']['pending']} waited in memory meanwhile")
    assert (before["langfuse"]["spooled"], before["langfuse"]["pending"]) == (0, 306)
    assert after["langfuse"]["spooled"] == 612
    world.assert_nothing_is_lost()


def damage(world: World) -> None:
    """Overwrite the database, its log and its index, where they are."""
    for path in world.spool.glob("spool.sqlite3*"):
        with path.open("r+b") as file:  # not truncated: the application has the index in its memory, and would be killed
            file.write(b"\xff" * path.stat().st_size)


def test_a_file_that_was_damaged_before(world: World, measured: Callable[..., None]) -> None:
    world.spool.mkdir(mode=0o700)
    (world.spool / "spool.sqlite3").write_bytes(os.urandom(100_000))
    application = world.application()
    application.ask(do="make", spans=300)
    stats = finish(application, world)
    measured("file damaged before", world, remark="it was set aside")
    assert stats["langfuse"]["dropped"] == 0
    assert len(list(world.spool.glob("spool.sqlite3.damaged-*"))) == 1
    world.assert_nothing_is_lost()


def test_a_file_that_is_damaged_while_it_is_used(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("503")
    application = world.application()
    application.ask(do="make", spans=300)
    stats_when(lambda stats: stats["spooled"] == 306, application)
    damage(world)
    application.ask(do="make", spans=300, rate=300.0)
    stats = finish(application, world)
    lost = {name: len(found) for name, found in world.lost().items()}
    measured("file damaged while used", world, remark=f"counted as dropped: {stats['langfuse']['dropped']}")
    assert_counted(stats)
    for name, missing in lost.items():
        assert missing <= stats[name]["dropped"] <= 306


def test_a_spool_that_is_deleted_while_it_is_used(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("503")
    application = world.application()
    application.ask(do="make", spans=300)
    stats_when(lambda stats: stats["spooled"] == 306, application)
    # All at once: in a directory that is emptied by and by, the sender makes new files meanwhile.
    shutil.rmtree(world.spool.rename(world.directory / "removed"))
    application.ask(do="make", spans=300, rate=300.0)
    stats = finish(application, world)
    measured("spool deleted while used", world, remark="what was in it was written anew")
    assert_counted(stats)
    world.assert_nothing_is_lost()


def test_a_clock_that_is_set_back(world: World, measured: Callable[..., None]) -> None:
    world.backend.behave("503")
    application = world.application()
    application.ask(do="make", spans=300)
    time.sleep(0.3)
    application.ask(do="set_clock_back", seconds=DAY_S)
    application.ask(do="make", spans=300)
    stats = finish(application, world)
    measured("clock set back by a day", world)
    assert_counted(stats)
    world.assert_nothing_is_lost()
