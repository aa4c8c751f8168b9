"""A file that somebody removes while it is used: what waits is moved into a new one, once, whoever wrote it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from spooling import ALL, DESTINATION, Clock, Open, Use, clock, open_spool, place, use_spool, waiting

from otel_llm.delivery.spool import DiskSpool, SpoolPlace
from otel_llm.delivery.spool.access import Spool
from otel_llm.delivery.spool.dropping import Execute

__all__ = ["clock", "open_spool", "place", "use_spool"]


def rows(place: SpoolPlace) -> list[tuple[Any, ...]]:
    with sqlite3.connect(place.file) as connection:
        found = connection.execute("SELECT writer, created_ms, spans, deferred FROM batch ORDER BY created_ms").fetchall()
    connection.close()
    return found


def sent(spool: Spool) -> list[bytes]:
    """Send all there is for this process to send."""
    records: list[bytes] = []
    while (found := spool.next_batch(ALL, newest=False)) is not None:
        disk, batch = found
        records += batch.records
        assert spool.settle(disk, batch, [])
    return records


def test_rows_keep_their_writers_and_times(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    mine, theirs = use_spool(), use_spool()
    mine.append([b"a", b"b"])
    clock.pass_s(5.0)
    theirs.append([b"c"], deferred=True)
    before = rows(place)
    shutil.rmtree(place.directory)
    clock.pass_s(1.0)
    assert (mine.waiting(), theirs.waiting()) == (2, 1)
    assert rows(place) == before
    assert [spool.fate() for spool in (mine, theirs)] == [(2, 2, {}), (1, 1, {})]


def test_what_another_process_has_moved_is_not_taken_for_delivered(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    mine, theirs = use_spool(), use_spool()
    here = mine.append([b"a"])
    theirs.append([b"b"])
    assert mine.counts().spans == 2  # this process has looked
    shutil.rmtree(place.directory)
    clock.pass_s(1.0)
    assert theirs.counts().spans == 2
    clock.pass_s(-1.0)  # and will not look again for a while
    assert (mine.waiting(), mine.is_through(here)) == (1, False)


def test_what_was_lost_before_stays_counted(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    spool = use_spool(max_bytes=250)
    for name in (b"a", b"b", b"c"):
        spool.append([name * 96])
    shutil.rmtree(place.directory)
    clock.pass_s(1.0)
    assert spool.fate() == (3, 2, {"full": 1})


def test_it_stays_in_use_until_there_can_be_a_new_one(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    mine, theirs = use_spool(), use_spool()
    mine.append([b"a"])
    theirs.append([b"b"])
    shutil.rmtree(place.directory)
    place.directory.write_text("in its place")
    clock.pass_s(1.0)
    assert mine.append([b"c"]) is not None
    assert (mine.waiting(), theirs.waiting()) == (2, 1)
    assert sent(mine) == [b"a", b"c"]  # each sends its own meanwhile
    mine.append([b"d"])

    place.directory.unlink()
    clock.pass_s(60.0)
    assert (mine.waiting(), theirs.waiting()) == (1, 1)
    assert sorted(sent(mine)) == [b"b", b"d"]


def test_it_may_come_back(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    mine, theirs = use_spool(), use_spool()
    mine.append([b"a"])
    theirs.append([b"b"])
    elsewhere = place.directory.rename(place.directory.with_name("elsewhere"))
    place.directory.write_text("in its place")
    clock.pass_s(1.0)
    assert (mine.leads(), theirs.leads()) == (True, True)
    place.directory.unlink()
    elsewhere.rename(place.directory)
    clock.pass_s(1.0)
    assert (mine.leads(), theirs.leads()) == (True, False)
    assert sent(mine) == [b"a", b"b"]


def test_what_is_in_it_at_the_end_is_counted_as_lost(
    use_spool: Use, place: SpoolPlace, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    spool = use_spool()
    spool.append([b"a"])
    shutil.rmtree(place.directory)
    place.directory.write_text("in its place")
    clock.pass_s(1.0)
    with caplog.at_level(logging.WARNING):
        spool.close()
    assert spool.fate() == (1, 0, {"removed": 1})
    assert "1 span(s) that were in it are lost" in caplog.text


def test_what_the_new_one_does_not_take_is_moved_later_and_nothing_twice(
    use_spool: Use, open_spool: Open, place: SpoolPlace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over = DiskSpool.take_over
    taken: list[int] = []

    def faulty(self: DiskSpool, found: Sequence[tuple[Any, ...]]) -> None:
        if len(taken) == 1:
            taken.append(0)
            raise sqlite3.OperationalError("disk I/O error")
        taken.append(sum(len(row[-1]) for row in found))
        take_over(self, found)

    monkeypatch.setattr(DiskSpool, "take_over", faulty)
    spool = use_spool()
    for number in range(8):
        spool.append([bytes([number]) * 400_000])
    shutil.rmtree(place.directory)
    clock.pass_s(1.0)
    assert spool.waiting() == 8
    assert spool.fate() == (8, 8, {})
    clock.pass_s(2.0)
    spool.counts()
    assert spool.waiting() == 8
    assert sorted(record[0] for record in waiting(open_spool())) == list(range(8))
    assert max(taken) < 1_000_000  # and never much of it in memory


def test_what_cannot_be_taken_out_of_the_old_one_is_not_moved_again(
    use_spool: Use, open_spool: Open, place: SpoolPlace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def keeping(self: DiskSpool) -> Iterator[Execute]:
        with changing(self) as execute:
            yield execute
            if not self.is_in_place():
                raise sqlite3.OperationalError("disk I/O error")

    changing = DiskSpool.changing
    spool = use_spool()
    spool.append([b"a"])
    shutil.rmtree(place.directory)
    with monkeypatch.context() as patch:
        patch.setattr(DiskSpool, "changing", keeping)
        clock.pass_s(1.0)
        spool.counts()
    clock.pass_s(2.0)
    spool.counts()
    assert waiting(open_spool()) == [b"a"]


def test_what_cannot_be_read_any_more_is_counted_as_lost(
    use_spool: Use, place: SpoolPlace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(self: DiskSpool) -> None:
        raise sqlite3.DatabaseError("malformed")

    spool = use_spool()
    spool.append([b"a"])
    monkeypatch.setattr(DiskSpool, "changing", unreadable)
    shutil.rmtree(place.directory)
    clock.pass_s(1.0)
    assert spool.fate() == (1, 0, {"damaged": 1})


def test_the_database_follows_its_log(use_spool: Use, open_spool: Open, place: SpoolPlace, clock: Clock) -> None:
    spool = use_spool()
    spool.append([b"a"])
    Path(f"{place.file}-wal").unlink()
    clock.pass_s(1.0)
    spool.append([b"b"])
    assert spool.waiting() == 2
    assert sorted(waiting(open_spool(DESTINATION, "another process"))) == [b"a", b"b"]
    assert len(list(place.directory.glob("spool.sqlite3.damaged-*"))) >= 1
