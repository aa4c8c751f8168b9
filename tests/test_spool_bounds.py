"""What a disk queue takes at most: what waits for each destination, its dead letters, and so the file."""

from __future__ import annotations

import os

import pytest
from spooling import Open, clock, open_spool, place, waiting

from otel_llm.delivery import Limits
from otel_llm.delivery.spool import Counts, SpoolPlace
from otel_llm.delivery.spool.charge import charged
from otel_llm.delivery.spool.file import PAGE_BYTES

__all__ = ["clock", "open_spool", "place"]
ONE = Limits(max_records=1, max_bytes=1)
MEGABYTE = 1_000_000


def test_each_destination_has_its_bound_for_itself(open_spool: Open) -> None:
    spools = [open_spool(f"destination {number}", max_bytes=2 * MEGABYTE) for number in range(3)]
    for spool in spools:
        for _ in range(60):
            spool.append([b"x" * 32_000])
    assert [spool.counts().spans for spool in spools] == [60, 60, 60]


@pytest.mark.parametrize(
    ("size", "charge"),
    [
        (100, 100),
        (PAGE_BYTES // 2 - 512, PAGE_BYTES // 2 - 512),
        (PAGE_BYTES // 2 - 511, PAGE_BYTES),
        (PAGE_BYTES + 1_000, PAGE_BYTES + 1_000),
        (PAGE_BYTES + 10_000, 2 * PAGE_BYTES),
    ],
)
def test_a_body_that_shares_its_page_with_no_other_is_charged_with_all_of_it(size: int, charge: int) -> None:
    assert charged(size) == charge


@pytest.mark.parametrize("size", [3_000, 9_000, 25_000, 300_000])
def test_the_file_keeps_to_the_bound(open_spool: Open, place: SpoolPlace, size: int) -> None:
    spool = open_spool(max_bytes=4 * MEGABYTE)
    for _ in range(8 * MEGABYTE // size):
        spool.append([os.urandom(size)])
    spool.close()  # all is in the database then
    assert 3 * MEGABYTE < place.file.stat().st_size < 5 * MEGABYTE


def refuse(open_spool: Open, sizes: list[int], *, max_bytes: int) -> Counts:
    spool = open_spool(max_bytes=max_bytes)
    for size in sizes:
        spool.append([b"x" * size])
        batch = spool.next_batch(ONE)
        assert batch is not None
        spool.settle(batch, [(batch.records[0], "no")])
    return spool.counts()


def test_dead_letters_take_a_quarter_of_a_small_bound(open_spool: Open) -> None:
    assert refuse(open_spool, [7_000] * 50, max_bytes=MEGABYTE).dead == 35


def test_the_newest_dead_letter_is_kept_however_large(open_spool: Open) -> None:
    assert refuse(open_spool, [7_000, 500_000], max_bytes=MEGABYTE).dead == 1


def test_what_is_being_sent_is_dropped_last(open_spool: Open) -> None:
    spool = open_spool(max_bytes=350)
    spool.append([b"a" * 96])
    assert spool.next_batch(ONE) is not None
    for name in (b"b", b"c", b"d"):
        spool.append([name * 96])
    assert [record[:1] for record in waiting(spool)] == [b"a", b"c", b"d"]
    spool.append([b"e" * 296])  # all are being sent now
    assert [record[:1] for record in waiting(spool)] == [b"e"]
