"""The disk queue by itself: rows, bounds, losses, leadership, and a place that is safe for it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.delivery import Limits
from otel_llm.delivery.spool import Counts, DiskSpool, Overflow, ProcessLock, SpoolFullError, SpoolPlace, spool_place
from otel_llm.delivery.spool.file import SpoolFileError
from otel_llm.delivery.spool.place import network_file_system
from otel_llm.delivery.spool.presence import Presence, is_present
from otel_llm.delivery.spool.rows import packed, unpacked
from otel_llm.private_files import UnsafePlaceError

Open = Callable[..., DiskSpool]
MANY = Limits(max_records=100, max_bytes=1_000_000)


class Clock:
    """Milliseconds since 1970 that pass when told to."""

    now = 1_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path) -> SpoolPlace:
    return SpoolPlace(tmp_path / "spool")


@pytest.fixture
def open_spool(place: SpoolPlace, clock: Clock) -> Iterator[Open]:
    opened: list[DiskSpool] = []

    def opening(destination: str = "langfuse", writer: str = "w1", **options: object) -> DiskSpool:
        settings = {"max_bytes": 10_000_000, "max_age_s": 3600.0, **options}
        opened.append(DiskSpool(place, destination, writer, now_ms=clock, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield opening
    for spool in opened:
        spool.close()


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_records_come_out_of_a_row_as_they_went_in(records: list[bytes]) -> None:
    assert unpacked(packed(records)) == records


@given(st.binary(max_size=60))
def test_a_damaged_row_never_raises(blob: bytes) -> None:
    unpacked(blob)


def test_rows_come_out_in_order_until_they_are_settled(open_spool: Open) -> None:
    spool = open_spool()
    spool.append([b"a", b"b"])
    spool.append([b"c"])

    first = spool.next_batch(Limits(max_records=2, max_bytes=100))
    assert first is not None
    assert first.records == (b"a", b"b")
    spool.settle(first)
    second = spool.next_batch(MANY)
    assert second is not None
    assert second.records == (b"c",)
    spool.settle(second)
    assert spool.next_batch(MANY) is None
    assert spool.counts() == Counts()


def test_a_row_larger_than_a_batch_goes_alone(open_spool: Open) -> None:
    spool = open_spool()
    for record in (b"a" * 100, b"b"):
        spool.append([record])
    batch = spool.next_batch(Limits(max_records=5, max_bytes=10))
    assert batch is not None
    assert batch.records == (b"a" * 100,)


def test_the_newest_can_be_had_first_each_batch_in_order(open_spool: Open) -> None:
    spool = open_spool()
    for record in (b"a", b"b", b"c"):
        spool.append([record])
    batch = spool.next_batch(Limits(max_records=2, max_bytes=1_000), newest=True)
    assert batch is not None
    assert batch.records == (b"b", b"c")


def test_what_is_put_off_is_sent_when_its_records_are_there_in_its_old_place(open_spool: Open) -> None:
    spool = open_spool()
    spool.append([b"first form a", b"first form b"], deferred=True)
    spool.append([b"c"])
    batch = spool.next_batch(MANY)
    assert batch is not None
    assert batch.records == (b"c",)
    row = spool.next_deferred("w1")
    assert row is not None
    assert row.records == (b"first form a", b"first form b")

    assert spool.replace(row, [b"a"])
    assert not spool.replace(row, [b"a"])  # somebody was faster
    assert spool.next_deferred("w1") is None
    batch = spool.next_batch(MANY)
    assert batch is not None
    assert batch.records == (b"a", b"c")
    assert (spool.counts().spans, spool.counts().bytes) == (2, len(packed([b"a"])) + len(packed([b"c"])))


def test_what_others_have_put_off_can_be_found(open_spool: Open) -> None:
    mine, theirs, elsewhere = open_spool(), open_spool(writer="w2"), open_spool("other", writer="w3")
    for spool in (mine, theirs, elsewhere):
        spool.append([b"a"], deferred=True)
    theirs.append([b"b"])
    open_spool(writer="w4").append([b"c"])
    assert mine.others_that_deferred() == ["w2"]


def test_a_writer_is_present_until_its_end_or_until_it_is_killed(place: SpoolPlace) -> None:
    place.prepare()
    writer = Presence(place, "w1")
    assert not is_present(place, "w1")
    writer.announce(0.0)
    assert is_present(place, "w1")
    place.presence("w1").unlink()
    writer.announce(0.5)
    assert not is_present(place, "w1")
    writer.announce(1.0)
    assert is_present(place, "w1")
    writer.end()
    assert not is_present(place, "w1")
    assert not place.presence("w1").exists()


def test_what_is_meant_for_one_receiver_is_never_seen_by_another(open_spool: Open) -> None:
    mine, other = open_spool("langfuse a"), open_spool("langfuse b")
    mine.append([b"a"])
    assert other.next_batch(MANY) is None
    assert (mine.counts().spans, other.counts().spans) == (1, 0)


def test_it_outlives_its_process_and_is_shared(open_spool: Open) -> None:
    open_spool(writer="w1").append([b"a"])
    later = open_spool(writer="w2")
    batch = later.next_batch(MANY)
    assert batch is not None
    assert batch.records == (b"a",)
    assert later.waiting() == 0  # it is not this writer's


def test_a_full_spool_drops_the_oldest_and_says_whose(open_spool: Open) -> None:
    first, second = open_spool(writer="w1", max_bytes=250), open_spool(writer="w2", max_bytes=250)
    first.append([b"a" * 96])
    second.append([b"b" * 96])
    second.append([b"c" * 96])

    batch = second.next_batch(MANY)
    assert batch is not None
    assert [record[:1] for record in batch.records] == [b"b", b"c"]
    assert (first.losses(), second.losses()) == ({"full": 1}, {})


def test_how_full_it_is_takes_account_of_what_was_delivered(open_spool: Open) -> None:
    spool = open_spool(max_bytes=1_000)
    spool.append([b"a" * 896])
    assert spool.fills(0.9)
    batch = spool.next_batch(MANY)
    assert batch is not None
    spool.settle(batch)
    assert not spool.fills(0.9)


@pytest.mark.parametrize("overflow", [Overflow.DROP_NEW, Overflow.BLOCK])
def test_a_full_spool_may_refuse_instead(open_spool: Open, overflow: Overflow) -> None:
    spool = open_spool(max_bytes=150, overflow=overflow)
    spool.append([b"a" * 96])
    with pytest.raises(SpoolFullError):
        spool.append([b"b" * 96])
    assert spool.counts().spans == 1


def test_what_is_too_old_is_dropped_and_a_clock_set_back_drops_nothing(open_spool: Open, clock: Clock) -> None:
    spool = open_spool(max_age_s=60.0)
    spool.append([b"a"])
    clock.now -= 10_000_000
    spool.append([b"b"])
    assert spool.expire() == 0
    clock.now += 10_000_000 + 59_000
    assert spool.expire() == 1  # b, which says to have been written long ago
    clock.now += 2_000
    assert spool.expire() == 1
    assert spool.losses() == {"too old": 2}


def test_a_refused_record_becomes_a_dead_letter_with_its_reason(open_spool: Open) -> None:
    writer, sender = open_spool(writer="w1"), open_spool(writer="w2")
    writer.append([b"a", b"poison", b"c"])
    batch = sender.next_batch(MANY)
    assert batch is not None
    sender.settle(batch, [(b"poison", "400 bad request")])

    assert sender.counts() == Counts(dead=1)
    assert (writer.losses(), writer.waiting()) == ({"dead": 1}, 0)


def test_the_newest_dead_letters_are_kept(open_spool: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llm.delivery.spool.dead_letters._MOST", 3)
    spool = open_spool()
    for number in range(5):
        spool.append([b"%d" % number])
        batch = spool.next_batch(MANY)
        assert batch is not None
        spool.settle(batch, [(batch.records[0], "no")])
    assert spool.counts().dead == 3


def test_space_is_given_back(open_spool: Open, place: SpoolPlace) -> None:
    spool = open_spool()
    for _ in range(20):
        spool.append([os.urandom(200_000)])
    while (batch := spool.next_batch(MANY)) is not None:
        spool.settle(batch)
    spool.tidy()
    spool.close()
    with sqlite3.connect(place.file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    assert pages * 16_384 < 1_000_000


def test_the_files_are_for_this_user_alone(open_spool: Open, place: SpoolPlace) -> None:
    open_spool().append([b"a"])
    assert place.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.directory.iterdir()} == {0o600}


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePlaceError, match="symbolic link"):
        SpoolPlace(tmp_path / "spool").prepare()


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool").chmod(0o777)
    with pytest.raises(UnsafePlaceError, match="writable by other users"):
        SpoolPlace(tmp_path / "spool").prepare()


def test_another_programs_database_is_left_alone(place: SpoolPlace, open_spool: Open) -> None:
    place.prepare()
    with sqlite3.connect(place.file) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(SpoolFileError, match="another program's"):
        open_spool()


def test_a_damaged_file_is_set_aside(place: SpoolPlace, open_spool: Open) -> None:
    place.prepare()
    place.file.write_bytes(b"no database " * 1_000)
    open_spool().append([b"a"])
    assert len(list(place.directory.glob("spool.sqlite3.damaged-*"))) == 1


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"OTEL_LLM_SPOOL_DIR": "/var/spool/app"}, "/var/spool/app"),
        ({"OTEL_LLM_STATE_DIR": "/state"}, "/state/spool"),
        ({"XDG_STATE_HOME": "/xdg"}, "/xdg/otel-llm/spool"),
    ],
)
def test_where_it_is(environ: dict[str, str], directory: str) -> None:
    assert spool_place(environ) == SpoolPlace(Path(directory))


def test_it_can_be_switched_off() -> None:
    assert spool_place({"OTEL_LLM_SPOOL_DIR": "none"}) is None


def test_network_file_systems_are_told_by_the_longest_mount_point(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:21 / / rw - ext4 /dev/vda rw\n"
        "23 22 0:40 / /home rw,relatime shared:1 - nfs4 server:/home rw\n"
        "24 23 0:41 / /home/me/local\\040disk rw - ext4 /dev/vdb rw\n"
    )
    assert network_file_system(Path("/home/me/.local/state"), mounts) == "nfs4"
    assert network_file_system(Path("/home/me/local disk/spool"), mounts) is None
    assert network_file_system(Path("/var/lib"), mounts) is None
    assert network_file_system(Path("/var/lib"), tmp_path / "missing") is None


def test_one_process_leads_and_another_takes_over_when_it_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "langfuse.lock"
    code = (
        "import sys, time; from pathlib import Path; from otel_llm.delivery.spool import ProcessLock\n"
        f"leader = ProcessLock(Path({str(lock)!r})); print(leader.acquire(), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    mine = ProcessLock(lock)
    assert not mine.acquire()
    other.kill()
    other.wait()
    other.stdout.close()
    assert mine.acquire()
    mine.release()


def test_a_leader_whose_lock_file_was_removed_steps_down(tmp_path: Path) -> None:
    lock = tmp_path / "langfuse.lock"
    leader = ProcessLock(lock)
    assert leader.acquire()
    lock.unlink()
    leader.check()
    assert not leader.held
    assert leader.acquire()
    leader.release()
