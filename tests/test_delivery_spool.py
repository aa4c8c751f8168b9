"""Delivery with a disk queue: what has been stored outlives outages, shutdowns, forks and faults of the disk."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Split
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import Overflow, SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.delivery.stats import Stats

LONG_S = 30.0


class Fake:
    """Takes everything, unless it is down; refuses what is called poison."""

    name = "fake"
    limits = Limits()
    spool_key = "fake https://example.com"

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.sent: list[bytes] = []

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        if self.down:
            return Pause("down")
        if any(record.startswith(b"poison") for record in records):
            return Split("400")
        self.sent += records
        return Delivered()

    def close(self) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path) -> SpoolSettings:
    return SpoolSettings(SpoolPlace(tmp_path / "spool"))


@pytest.fixture
def deliver(settings: SpoolSettings) -> Iterator[Callable[..., Delivery]]:
    made: list[Delivery] = []

    def make(destination: Fake, used: SpoolSettings | None = None) -> Delivery:
        made.append(Delivery(destination, spool=used or settings, linger_s=0.001))
        return made[-1]

    yield make
    for delivery in made:
        delivery.shutdown(1.0)


def offer(delivery: Delivery, *names: str) -> None:
    for name in names:
        assert delivery.offer(ReadableSpan(name))


def test_what_was_offered_goes_through_the_disk(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination)
    offer(delivery, "a", "b")
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a", b"b"]
    assert delivery.stats == Stats(received=2, delivered=2, spooled=2)


def test_a_process_delivers_what_an_earlier_one_could_not(deliver: Callable[..., Delivery]) -> None:
    earlier = deliver(Fake(down=True))
    offer(earlier, "a", "b")
    assert not earlier.flush(LONG_S)
    assert earlier.shutdown(LONG_S)
    assert earlier.stats == Stats(received=2, pending=2, spooled=2, last_error="down")

    destination = Fake()
    later = deliver(destination)
    later.open()
    offer(later, "c")
    assert later.flush(LONG_S)
    assert destination.sent == [b"a", b"b", b"c"]
    assert earlier.stats.pending == 2  # a closed spool is not asked
    assert later.stats == Stats(received=1, delivered=1, spooled=1)


def test_poison_becomes_a_dead_letter_and_the_rest_is_delivered(deliver: Callable[..., Delivery]) -> None:
    destination = Fake()
    delivery = deliver(destination)
    offer(delivery, "a", "poison 1", "b", "poison 2")
    assert delivery.flush(LONG_S)
    assert destination.sent == [b"a", b"b"]
    assert delivery.stats == Stats(received=4, delivered=2, rejected=2, spooled=4, last_error="400")
    assert delivery.spool is not None
    assert delivery.spool.counts().dead == 2


def test_only_one_of_two_sends_and_both_are_served(deliver: Callable[..., Delivery]) -> None:
    first, second = Fake(), Fake()
    one, two = deliver(first), deliver(second)
    offer(one, "a")
    assert one.flush(LONG_S)
    offer(two, "b")
    assert two.flush(LONG_S)
    assert (first.sent, second.sent) == ([b"a", b"b"], [])
    assert two.stats == Stats(received=1, delivered=1, spooled=1)

    one.shutdown(LONG_S)
    offer(two, "c")
    assert two.flush(LONG_S)
    assert second.sent == [b"c"]


def test_a_spool_removed_while_it_is_used_loses_nothing(deliver: Callable[..., Delivery], settings: SpoolSettings) -> None:
    destination = Fake(down=True)
    delivery = deliver(destination)
    offer(delivery, "a")
    assert not delivery.flush(LONG_S)
    shutil.rmtree(settings.place.directory)
    offer(delivery, "b")
    assert not delivery.flush(LONG_S)
    destination.down = False
    assert delivery.flush(LONG_S)
    assert sorted(set(destination.sent)) == [b"a", b"b"]
    assert delivery.stats.delivered == 2


def test_a_directory_that_cannot_be_made_leaves_a_queue_in_memory(
    deliver: Callable[..., Delivery], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    destination = Fake()
    with caplog.at_level(logging.WARNING):
        delivery = deliver(destination, SpoolSettings(SpoolPlace(tmp_path / "file" / "spool")))
        offer(delivery, "a")
        assert delivery.flush(LONG_S)
    assert destination.sent == [b"a"]
    assert delivery.stats == Stats(received=1, delivered=1)
    assert len([record for record in caplog.records if "cannot be used now" in record.getMessage()]) == 1


def test_a_disk_that_comes_back_takes_over_from_memory(deliver: Callable[..., Delivery], tmp_path: Path) -> None:
    obstacle = tmp_path / "spool"
    obstacle.write_text("")
    destination = Fake(down=True)
    delivery = Delivery(destination, spool=SpoolSettings(SpoolPlace(obstacle)), linger_s=0.001)
    offer(delivery, "a")
    assert not delivery.flush(LONG_S)
    obstacle.unlink()
    assert delivery.spool is not None
    delivery.spool.retry_now()
    offer(delivery, "b")
    assert not delivery.flush(LONG_S)
    destination.down = False
    assert delivery.flush(LONG_S)
    assert sorted(destination.sent) == [b"a", b"b"]
    assert delivery.stats.delivered == 2
    assert delivery.shutdown(LONG_S)


def test_damage_while_running_is_set_aside_and_counted(deliver: Callable[..., Delivery], settings: SpoolSettings) -> None:
    destination = Fake(down=True)
    delivery = deliver(destination)
    offer(delivery, "a")
    assert not delivery.flush(LONG_S)
    for suffix in ("-wal", "-shm", ""):
        path = Path(f"{settings.place.file}{suffix}")
        if path.exists():
            path.write_bytes(b"\xff" * path.stat().st_size)
    offer(delivery, "b")
    destination.down = False
    delivery.flush(2.0)
    offer(delivery, "c")
    assert delivery.flush(LONG_S)
    assert b"c" in destination.sent
    stats = delivery.stats
    assert stats.received == 3 == stats.delivered + stats.pending + stats.rejected + stats.dropped + stats.skipped


def test_a_full_spool_drops_the_oldest_and_counts_it(deliver: Callable[..., Delivery], settings: SpoolSettings) -> None:
    destination = Fake(down=True)
    small = SpoolSettings(settings.place, max_bytes=2_000)
    delivery = deliver(destination, small)
    for number in range(10):
        offer(delivery, f"{number}" * 390)
        assert not delivery.flush(LONG_S)
    assert delivery.stats == Stats(
        received=10, pending=5, dropped=5, spooled=10, stripped=delivery.stats.stripped, last_error="down"
    )
    destination.down = False
    assert delivery.flush(LONG_S)
    first, *rest = sorted(record[:1] for record in destination.sent)
    assert rest == [b"6", b"7", b"8", b"9"]
    assert first in {b"4", b"5"}  # what was read last to be sent is dropped last


def test_a_spool_that_drops_nothing_leaves_new_spans_in_memory(
    deliver: Callable[..., Delivery], settings: SpoolSettings
) -> None:
    destination = Fake(down=True)
    delivery = deliver(destination, SpoolSettings(settings.place, max_bytes=1_000, overflow=Overflow.DROP_NEW))
    for number in range(4):
        offer(delivery, f"{number}" * 390)
        assert not delivery.flush(LONG_S)
    assert (delivery.stats.spooled, delivery.stats.pending) == (2, 4)
    destination.down = False
    assert delivery.flush(LONG_S)
    assert delivery.stats.delivered == 4


def test_a_nearly_full_spool_gets_spans_without_their_content(
    deliver: Callable[..., Delivery], settings: SpoolSettings
) -> None:
    class Content(Fake):
        def encode(self, span: ReadableSpan) -> bytes | None:
            return repr(sorted(span.attributes or {})).encode().ljust(960)

    delivery = deliver(Content(down=True), SpoolSettings(settings.place, max_bytes=1_000))
    for _ in range(2):
        delivery.offer(ReadableSpan("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[]"}))
        assert not delivery.flush(LONG_S)
    assert delivery.stats.stripped == 1
    connection = sqlite3.connect(settings.place.file)
    (body,) = connection.execute("SELECT body FROM batch").fetchone()
    connection.close()
    assert b"gen_ai.input.messages" not in body


PRELUDE = """
import os, sys
from pathlib import Path
from opentelemetry.sdk.trace import ReadableSpan
from otel_llm.delivery import Delivered, Limits, Pause
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings

class Printing:
    name, limits, spool_key = "printing", Limits(), "printing"
    def encode(self, span):
        return span.name.encode()
    def send(self, records, *, timeout_s):
        if down: return Pause("down")
        os.write(1, b"".join(b"%s delivers %s\\n" % (who, record) for record in records))
        return Delivered()
    def close(self):
        pass

who, down = b"parent", False
delivery = Delivery(Printing(), spool=SpoolSettings(SpoolPlace(Path(sys.argv[1]))), linger_s=0.001)
def offer(name):
    delivery.offer(ReadableSpan(name))
"""


def output(script: str, directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + script, str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_stores_what_the_parent_sends(tmp_path: Path) -> None:
    script = """
offer("before")
assert delivery.flush(30)
child = os.fork()
if child == 0:
    who = b"child"
    offer("in child")
    assert delivery.flush(30)
    assert delivery.stats.delivered == 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert delivery.shutdown(30)
"""
    assert output(script, tmp_path / "spool") == ["parent delivers before", "parent delivers in child"]


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    killed = """
down = True
offer("a")
delivery.flush(30)
os.kill(os.getpid(), 9)
"""
    assert output(killed, tmp_path / "spool") == []
    assert output("delivery.open(); offer('b'); assert delivery.flush(30)", tmp_path / "spool") == [
        "parent delivers a",
        "parent delivers b",
    ]
