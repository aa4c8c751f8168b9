"""What is dropped from the disk is counted for who wrote it, told, and never forgotten by who counts."""

from __future__ import annotations

import logging
import shutil

import pytest
from spooling import ALL, Clock, Open, Use, clock, open_spool, place, use_spool

from otel_llm.delivery.spool import Counts, ProcessLock, SpoolPlace
from otel_llm.delivery.spool.access import Spool
from otel_llm.delivery.spool.clock_jump import ClockJump, WallClock
from otel_llm.delivery.spool.totals import Totals

__all__ = ["clock", "open_spool", "place", "use_spool"]
HOUR_S = 3600.0


def tidy(spool: Spool) -> None:
    """Who sends tidies, before it reads what to send."""
    spool.next_batch(ALL, newest=False)


class TestCounting:
    def test_a_file_that_forgets_does_not_lower_what_was_told(self) -> None:
        totals = Totals()
        for told in ({"full": 3}, {"full": 5, "dead": 1}, {"dead": 1}, {"dead": 1, "full": 2}):
            totals.told(told)
        assert totals.losses == {"full": 7, "dead": 1}

    def test_losses_are_kept_for_their_writer_however_soon_spans_get_too_old(self, open_spool: Open, clock: Clock) -> None:
        spool = open_spool(max_age_s=3.0)
        spool.append([b"a"])
        clock.pass_s(5.0)
        assert spool.expire() == 1
        clock.pass_s(60 * HOUR_S)
        spool.expire()
        assert spool.losses() == {"too old": 1}
        clock.pass_s(20 * HOUR_S)
        spool.expire()
        assert spool.losses() == {}

    def test_what_this_process_drops_of_others(self, use_spool: Use, clock: Clock) -> None:
        theirs, mine = use_spool(max_bytes=250), use_spool(max_bytes=250, max_age_s=HOUR_S)
        theirs.append([b"a" * 50, b"b" * 42])
        theirs.append([b"c" * 96])
        mine.append([b"d" * 96])
        clock.pass_s(2 * HOUR_S)
        tidy(mine)
        assert mine.dropped_of_others() == {"full": 2, "too old": 1}
        assert theirs.dropped_of_others() == {}
        assert (theirs.fate(), mine.fate()) == ((3, 0, {"full": 2, "too old": 1}), (1, 0, {"too old": 1}))

    def test_a_row_that_was_not_dropped_after_all(self, open_spool: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[object] = []
        spool = open_spool(max_bytes=150, dropped=lambda *drop: told.append(drop))
        spool.append([b"a" * 96])
        with monkeypatch.context() as patch:
            patch.setattr("otel_llm.delivery.spool.disk.COLUMNS", "no_such_column")
            with pytest.raises(Exception, match="no_such_column"):
                spool.append([b"b" * 96])
        assert (told, spool.counts().spans) == ([], 1)
        spool.append([b"b" * 96])
        assert told == [("full", 1, True)]


class TestTelling:
    def test_once_a_minute_how_many_and_why(self, use_spool: Use, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        spool = use_spool(max_bytes=150)
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                spool.append([b"a" * 96])
            clock.pass_s(60.0)
            spool.append([b"a" * 96])
        assert [message.partition(":")[2].partition(":")[0] for message in caplog.messages] == [
            " 1 span(s) were dropped from the disk queue since the last such line (full)",
            " 3 span(s) were dropped from the disk queue since the last such line (full)",
        ]

    def test_the_rest_at_the_end(self, use_spool: Use, caplog: pytest.LogCaptureFixture) -> None:
        spool = use_spool(max_bytes=150)
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                spool.append([b"a" * 96])
            spool.close()
        assert "2 span(s) were dropped" in caplog.messages[-1]


class TestDestinationsThatNobodySendsTo:
    @pytest.fixture
    def left(self, use_spool: Use, open_spool: Open, clock: Clock) -> Spool:
        """Something waits for a former key, for 71 hours by now. The spool of the present one."""
        open_spool("former").append([b"a"])
        clock.pass_s(71 * HOUR_S)
        spool = use_spool("present", max_age_s=HOUR_S)
        tidy(spool)
        return spool

    def test_it_is_dropped_in_the_end(
        self, left: Spool, open_spool: Open, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert open_spool("former").counts().spans == 1
        clock.pass_s(2 * HOUR_S)
        with caplog.at_level(logging.WARNING):
            tidy(left)
        assert open_spool("former").counts() == Counts()
        assert caplog.messages == [
            "former: 1 span(s) were dropped from the disk queue: they are too old, and no process sends there"
        ]
        assert (left.dropped_of_others(), open_spool("former").losses()) == ({}, {"too old": 1})

    def test_it_is_left_to_who_sends_there(self, left: Spool, open_spool: Open, place: SpoolPlace, clock: Clock) -> None:
        sending = ProcessLock(place.lock("former"))
        assert sending.acquire()
        clock.pass_s(2 * HOUR_S)
        tidy(left)
        sending.release()
        assert open_spool("former").counts().spans == 1


class TestAClockThatIsCorrected:
    def test_only_a_jump_forward_counts(self, clock: Clock) -> None:
        wall = WallClock(lambda: clock.wall_ms, lambda: clock.now)
        clock.pass_s(HOUR_S)
        assert wall.jump() is None
        clock.wall_ms -= 5_000_000
        assert wall.jump() is None
        former_ms = clock.wall_ms
        clock.wall_ms += 61_000
        assert wall.jump() == ClockJump(61_000, former_ms)
        assert wall.jump() is None

    def test_what_waits_is_not_older_for_that(self, use_spool: Use, clock: Clock) -> None:
        spool = use_spool(max_age_s=HOUR_S)
        spool.append([b"a"])
        tidy(spool)
        clock.pass_s(60.0)
        clock.wall_ms += 500_000_000
        spool.append([b"b"])  # bears the new time already
        tidy(spool)
        assert spool.counts().oldest_ms == clock.wall_ms - 60_000
        for left in (1, 0):
            clock.pass_s(HOUR_S - 30.0)
            tidy(spool)
            assert spool.waiting() == left


def test_losses_are_remembered_across_files(use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
    spool = use_spool(max_bytes=150)
    for _ in range(3):
        spool.append([b"a" * 96])
        shutil.rmtree(place.directory)
        clock.pass_s(1.0)
        spool.append([b"a" * 96])
    assert spool.fate() == (6, 1, {"full": 5})
