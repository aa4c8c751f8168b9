"""What an operator does to a disk queue, while processes use it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from otel_llm.delivery import Limits
from otel_llm.delivery.spool import DiskSpool, SpoolFileError, SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector

Open = Callable[..., DiskSpool]


@pytest.fixture
def place(tmp_path: Path) -> SpoolPlace:
    return SpoolPlace(tmp_path / "spool")


@pytest.fixture
def open_spool(place: SpoolPlace) -> Iterator[Open]:
    made: list[DiskSpool] = []

    def opened(destination: str = "a", writer: str = "w") -> DiskSpool:
        made.append(DiskSpool(place, destination, writer, max_bytes=10**9, max_age_s=3600))
        return made[-1]

    yield opened
    for spool in made:
        spool.close()


def refuse(spool: DiskSpool) -> None:
    batch = spool.next_batch(Limits())
    assert batch is not None
    spool.settle(batch, [(record, "400") for record in batch.records])


class TestPurge:
    def test_each_writer_learns_what_it_has_lost(self, open_spool: Open, place: SpoolPlace) -> None:
        one, two, other = open_spool(writer="1"), open_spool(writer="2"), open_spool("b", writer="1")
        one.append([b"x", b"y"])
        two.append([b"z"])
        other.append([b"stays"])
        assert Inspector(place).purge(["a"], dead_only=False) == 3
        one.append([b"x"])
        assert Inspector(place).purge(["a"], dead_only=False) == 1
        assert (one.losses(), two.losses(), one.waiting(), other.waiting()) == ({"purged": 3}, {"purged": 1}, 1, 1)

    def test_what_was_refused_was_lost_before(self, open_spool: Open, place: SpoolPlace) -> None:
        spool = open_spool()
        spool.append([b"x"])
        refuse(spool)
        assert Inspector(place).purge(["a"], dead_only=True) == 1
        assert spool.losses() == {"dead": 1}


class TestReplayDead:
    def test_two_at_a_time_put_each_back_once(self, open_spool: Open, place: SpoolPlace) -> None:
        spool = open_spool()
        spool.append([b"%d" % number for number in range(200)])
        refuse(spool)
        with ThreadPoolExecutor(2) as pool:
            moved = list(pool.map(lambda _: Inspector(place).replay_dead(), range(2)))
        assert (sum(moved), spool.counts().spans, spool.counts().dead) == (200, 200, 0)

    def test_nothing_changes_between_reading_and_moving(
        self, open_spool: Open, place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What another deletes is not put back: nobody can delete anything meanwhile."""
        spool = open_spool()
        spool.append([b"x"])
        refuse(spool)
        locked: list[str] = []

        def packed(records: list[bytes]) -> bytes:
            with closing(sqlite3.connect(place.file, timeout=0)) as other, pytest.raises(sqlite3.OperationalError) as refused:
                other.execute("DELETE FROM dead")
            locked.append(str(refused.value))
            return b""

        monkeypatch.setattr("otel_llm.delivery.spool.inspect.packed", packed)
        assert (Inspector(place).replay_dead(), locked) == (1, ["database is locked"])


class TestRecords:
    @pytest.mark.parametrize("dead", [False, True])
    def test_a_slow_reader_holds_nobody_up(self, open_spool: Open, place: SpoolPlace, dead: bool) -> None:
        spool = open_spool()
        for number in range(3):
            spool.append([b"%d" % number])
        if dead:
            refuse(spool)
        found = Inspector(place).records("a", dead=dead)
        first = next(found)
        with closing(sqlite3.connect(place.file)) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # 1: a reader is in the way
        assert [first, *found] == [b"0", b"1", b"2"]

    def test_what_is_delivered_meanwhile_is_left_out(self, open_spool: Open, place: SpoolPlace) -> None:
        spool = open_spool()
        for number in range(3):
            spool.append([b"%d" % number])
        found = Inspector(place).records("a")
        assert next(found) == b"0"
        batch = spool.next_batch(Limits(max_records=2))
        assert batch is not None
        spool.settle(batch)
        assert list(found) == [b"2"]


READ = """
import sys
from pathlib import Path
from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector
inspector = Inspector(SpoolPlace(Path(sys.argv[1])))
assert inspector.exists()
print([(row.spans, row.has_sender) for row in inspector.waiting()], list(inspector.records("a")), sep="\\n")
try:
    inspector.purge(["a"], dead_only=False)
except Exception as error:
    print(type(error).__name__, error)
"""


def read_only(place: SpoolPlace) -> list[str]:
    """What a process says that may read, and not write; the superuser's must be kept from it."""
    files = list(place.directory.iterdir())
    for path in files:
        path.chmod(0o400)
    place.directory.chmod(0o500)
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*without, sys.executable, "-c", READ, place.directory], capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        place.directory.chmod(0o700)
        for path in files:
            path.chmod(0o600)
    return [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:]]


class TestReadOnly:
    def test_what_nobody_uses(self, place: SpoolPlace) -> None:
        spool = DiskSpool(place, "a", "w", max_bytes=10**9, max_age_s=3600)
        spool.append([b"x"])
        spool.close()
        assert [path.name for path in place.directory.iterdir()] == ["spool.sqlite3"]
        first, second, refused = read_only(place)
        assert (first, second) == ("[(1, False)]", "[b'x']")
        assert refused.startswith(f"SpoolFileError {place.directory} cannot be written to by this user")
        assert [path.name for path in place.directory.iterdir()] == ["spool.sqlite3"]

    def test_what_another_process_uses(self, open_spool: Open, place: SpoolPlace) -> None:
        open_spool().append([b"x"])
        assert (place.directory / "spool.sqlite3-wal").stat().st_size > 0
        place.lock("a").touch()
        assert read_only(place)[:2] == ["[(1, None)]", "[b'x']"]

    def test_what_cannot_be_read_says_what_to_do(self, open_spool: Open, place: SpoolPlace) -> None:
        open_spool().append([b"x"])
        copy = SpoolPlace(place.directory.with_name("copy"))
        copy.prepare()
        for suffix in ("", "-wal"):
            Path(f"{copy.file}{suffix}").write_bytes(Path(f"{place.file}{suffix}").read_bytes())
        (told,) = read_only(copy)
        assert "SpoolFileError" in told
        assert f"{copy.directory} cannot be written to by this user" in told
        assert "Copy the directory to one of your own, and name that with --dir." in told

    def test_another_programs_database(self, place: SpoolPlace) -> None:
        place.prepare()
        with closing(sqlite3.connect(place.file)) as database:
            database.execute("CREATE TABLE other (x)")
        (told,) = read_only(place)
        assert told.endswith("spool.sqlite3 is no disk queue of this version of otel-llm.")


def test_losses_are_told_by_destination_and_reason(open_spool: Open, place: SpoolPlace) -> None:
    spool = open_spool()
    spool.append([b"x", b"y"])
    Inspector(place).purge(["a"], dead_only=False)
    spool.append([b"z"])
    refuse(spool)
    assert [(loss.destination, loss.reason, loss.spans) for loss in Inspector(place).losses()] == [("a", "purged", 2)]


def test_damage_is_told_with_the_way_out(place: SpoolPlace) -> None:
    place.prepare()
    place.file.write_bytes(b"no database " * 1_000)
    with pytest.raises(SpoolFileError, match=r"rename spool\.sqlite3, spool\.sqlite3-wal and spool\.sqlite3-shm"):
        Inspector(place).waiting()
