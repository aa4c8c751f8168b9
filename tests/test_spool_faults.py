"""The disk queue while the disk, or another process, does not let it work: nothing raises, and it is tried again."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from spooling import ALL, Clock, Use, clock, place, use_spool

from otel_llm.delivery.spool import DiskSpool, ProcessLock, SpoolPlace, file

__all__ = ["clock", "place", "use_spool"]


@contextmanager
def locked(place: SpoolPlace) -> Iterator[None]:
    """Another process has a transaction open."""
    with closing(sqlite3.connect(place.file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was tried to append."""
    found: list[object] = []
    append = DiskSpool.append

    def counted(self: DiskSpool, records: list[bytes], *, deferred: bool = False) -> int:
        found.append(records)
        return append(self, records, deferred=deferred)

    monkeypatch.setattr(DiskSpool, "append", counted)
    return found


class TestLocked:
    def test_it_is_tried_again_soon_and_not_at_each_span(
        self, use_spool: Use, place: SpoolPlace, clock: Clock, tries: list[object]
    ) -> None:
        spool = use_spool()
        spool.append([b"a"])
        with locked(place):
            assert [spool.append([b"b"]) for _ in range(5)] == [None] * 5
            assert len(tries) == 2
            assert (spool.waiting(), spool.counts().spans, spool.leads()) == (1, 1, True)  # what is there can be read
        clock.pass_s(0.25)
        assert spool.append([b"b"]) is not None

    def test_a_batch_that_cannot_be_taken_out_is_there_again(self, use_spool: Use, place: SpoolPlace, clock: Clock) -> None:
        spool = use_spool()
        spool.append([b"a"])
        found = spool.next_batch(ALL, newest=False)
        assert found is not None
        with locked(place):
            assert not spool.settle(*found, [])
        clock.pass_s(0.25)
        assert spool.settle(*found, [])

    def test_it_is_said_once_it_lasts(
        self, use_spool: Use, place: SpoolPlace, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        spool = use_spool()
        spool.append([b"a"])
        with locked(place), caplog.at_level(logging.WARNING):
            spool.append([b"b"])
            clock.pass_s(4.0)
            spool.append([b"b"])
            assert caplog.messages == []
            clock.pass_s(1.0)
            spool.append([b"b"])
        assert [message.partition("cannot be used now ")[2] for message in caplog.messages] == [
            "(database is locked); spans wait in memory meanwhile"
        ]


def test_a_disk_that_has_recovered_can_be_tried_at_once(use_spool: Use) -> None:
    spool = use_spool()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "make_private_file", failing(OSError(errno.EROFS, "Read-only file system")))
        assert spool.append([b"a"]) is None
    assert spool.append([b"a"]) is None
    spool.retry_now()
    assert spool.append([b"a"]) is not None


def failing(error: Exception) -> object:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [MemoryError(), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")])
def test_whatever_is_raised_is_a_fault_of_the_disk(
    error: Exception, use_spool: Use, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = use_spool()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(DiskSpool, "append", failing(error))
        assert spool.append([b"a"]) is None
    assert "cannot be used now" in caplog.text
    clock.pass_s(1.0)
    assert spool.append([b"a"]) is not None


class TestNoDescriptorIsLeft:
    def test_for_the_lock_of_who_sends(self, use_spool: Use, monkeypatch: pytest.MonkeyPatch) -> None:
        spool = use_spool()
        here = spool.append([b"a"])
        with monkeypatch.context() as patch:
            patch.setattr(ProcessLock, "acquire", failing(OSError(errno.EMFILE, "Too many open files")))
            assert not spool.leads()
            assert not spool.is_through(here)
            assert spool.append([b"b"]) is not None
        assert spool.leads()

    def test_to_tell_that_this_process_is_present(self, use_spool: Use, monkeypatch: pytest.MonkeyPatch) -> None:
        spool = use_spool()
        with monkeypatch.context() as patch:
            patch.setattr(ProcessLock, "acquire", failing(OSError(errno.EMFILE, "Too many open files")))
            assert spool.append([b"a"], deferred=True) is not None

    def test_for_the_file(self, use_spool: Use, monkeypatch: pytest.MonkeyPatch) -> None:
        """What waits in it is not delivered because the file is closed."""
        spool = use_spool()
        here = spool.append([b"a"])
        monkeypatch.setattr(file, "make_private_file", failing(OSError(errno.EMFILE, "Too many open files")))
        monkeypatch.setattr(DiskSpool, "counts", failing(sqlite3.OperationalError("disk I/O error")))
        spool.counts()
        assert (spool.waiting(), spool.is_through(here)) == (1, False)


def test_a_file_that_was_damaged_before_is_set_aside_and_that_is_said(
    use_spool: Use, place: SpoolPlace, caplog: pytest.LogCaptureFixture
) -> None:
    place.prepare()
    place.file.write_bytes(b"no database " * 1_000)
    with caplog.at_level(logging.WARNING):
        assert use_spool().append([b"a"]) is not None
    assert len(caplog.messages) == 1
    assert "the disk queue was damaged; it is kept as" in caplog.messages[0]


class TestOpening:
    def test_one_at_a_time(self, place: SpoolPlace, monkeypatch: pytest.MonkeyPatch) -> None:
        """To close the descriptor that has made a file takes SQLite's locks from whoever has it open in this process."""
        inside: list[str] = []
        together = threading.Event()

        def make(*_: object) -> None:
            inside.append("")
            if len(inside) > 1:
                together.set()
            together.wait(0.2)
            inside.pop()
            make_private_file(*_)  # type: ignore[arg-type]

        make_private_file = file.make_private_file
        monkeypatch.setattr(file, "make_private_file", make)
        threads = [threading.Thread(target=lambda: file.open_spool(place).close()) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not together.is_set()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
    def test_goes_on_in_a_child_that_was_forked_meanwhile(self, tmp_path: Path) -> None:
        script = """
import os, sys, threading
from pathlib import Path
from otel_llm.delivery.spool import SpoolPlace, file
held, end = threading.Event(), threading.Event()
def hold():
    with file._opening:
        held.set()
        end.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    file.open_spool(SpoolPlace(Path(sys.argv[1]))).close()
    os._exit(7)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
end.set()
thread.join()
sys.exit(code)
"""
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(tmp_path / "spool")], timeout=60, check=False
        )
        assert done.returncode == 7
