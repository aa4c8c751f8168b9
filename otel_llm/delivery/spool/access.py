"""The spool through all that can happen to a disk: what cannot be done now returns None, is logged, and is tried again later."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from otel_llm.delivery.destination import Limits
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool.disk import Counts, DiskSpool, Overflow, Row, SpoolBatch, SpoolFullError
from otel_llm.delivery.spool.file import SpoolFileError, is_damage, set_aside
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.presence import Presence, is_present
from otel_llm.delivery.spool.process_lock import ProcessLock
from otel_llm.private_files import UnsafePlaceError

_logger = logging.getLogger(__name__)

MAX_BYTES: Final = 1024 * 1024 * 1024
MAX_AGE_S: Final = 72 * 3600.0
#: Seconds until a disk that failed is tried again; doubled up to the second figure.
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 30.0
#: Seconds between two looks whether the file is still there.
_LOOK_S: Final = 0.1
#: Seconds between two rounds of expiring and vacuuming.
_TIDY_S: Final = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where a spool is and how much it takes."""

    place: SpoolPlace
    #: Bound of the rows of each destination.
    max_bytes: int = MAX_BYTES
    max_age_s: float = MAX_AGE_S
    overflow: Overflow = Overflow.DROP_OLDEST


class Place(NamedTuple):
    """A row of an open file."""

    disk: DiskSpool
    row: int


class DeferredRow(NamedTuple):
    """A row of first forms in an open file."""

    disk: DiskSpool
    row: Row
    #: This process has written it.
    is_own: bool


@dataclass(slots=True)
class Totals:
    """What became of this process's spans on disk."""

    #: Written by this process.
    written: int = 0
    #: Of these, those that waited when last looked, and those written since: at most so many wait.
    waiting: int = 0
    #: At most so many were in files that were damaged.
    destroyed: int = 0
    #: Losses told by files that are closed by now.
    earlier: dict[str, int] = field(default_factory=dict)


class Spool:
    """The disk queue of one destination. Safe for several threads; none of its methods raises for a fault of the disk."""

    def __init__(self, settings: SpoolSettings, destination: str, *, log_limit: LogLimit, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._destination = destination
        self._log_limit = log_limit
        self._clock = clock
        self._writer = uuid.uuid4().hex
        #: Held whenever the file is used.
        self.lock = threading.RLock()
        self._disk: DiskSpool | None = None
        self._given_up = False
        self._retry_at = 0.0
        self._retry_s = _FIRST_RETRY_S
        self._tidy_at = 0.0
        self._look_at = 0.0
        self._leadership = ProcessLock(settings.place.lock(destination))
        self._presence = Presence(settings.place, self._writer)
        self._totals = Totals()

    def append(self, records: Sequence[bytes], *, deferred: bool = False) -> Place | None:
        """Write a row; None if the disk takes nothing now. ``deferred``: of first forms, which are not sent before :meth:`replace`."""

        def write(disk: DiskSpool) -> Place:
            if deferred:
                self._presence.announce(self._clock())
            return Place(disk, disk.append(records, deferred=deferred))

        with self.lock:
            found = self._tried(write)
            if found is not None:
                self._totals.written += len(records)
                self._totals.waiting += len(records)
            return found

    def next_deferred(self) -> DeferredRow | None:
        """The oldest row of first forms that this process has left; or one of a process that is gone, if this is the one that sends."""
        with self.lock:
            return self._tried(self._own_deferred) or (self._tried(self._left_behind) if self.leads() else None)

    def _own_deferred(self, disk: DiskSpool) -> DeferredRow | None:
        row = disk.next_deferred(self._writer)
        return None if row is None else DeferredRow(disk, row, is_own=True)

    def _left_behind(self, disk: DiskSpool) -> DeferredRow | None:
        for writer in disk.others_that_deferred():
            row = None if is_present(self.settings.place, writer) else disk.next_deferred(writer)
            if row is not None:
                return DeferredRow(disk, row, is_own=False)
        return None

    def replace(self, found: DeferredRow, records: Sequence[bytes]) -> bool:
        """Put the records of a row of first forms in its place; False if that fails, or it is gone."""
        with self.lock:
            if found.disk is not self._disk:
                return False  # its file is gone, and the row is in the new one
            replaced = self._tried(lambda disk: disk.replace(found.row, records)) or False
            if replaced and found.is_own:
                self._totals.written -= len(found.row.records) - len(records)
            self.waiting()
            return replaced

    def next_batch(self, limits: Limits, *, newest: bool) -> tuple[DiskSpool, SpoolBatch] | None:
        """What is to be sent next, if this process is the one that sends."""
        with self.lock:
            if not self.leads():
                return None
            self._tidy()

            def read(disk: DiskSpool) -> tuple[DiskSpool, SpoolBatch] | None:
                batch = disk.next_batch(limits, newest=newest)
                return None if batch is None else (disk, batch)

            return self._tried(read)

    def settle(self, disk: DiskSpool, batch: SpoolBatch, dead: Sequence[tuple[bytes, str]]) -> bool:
        """Take a batch out for good. If that fails now it is there again, and sent again; False then."""
        with self.lock:
            if disk is not self._disk:
                return True  # its file is gone; what was left in it has been written to the new one
            settled = self._tried(lambda disk: disk.settle(batch, dead)) or False
            self.waiting()
            return settled

    def leads(self) -> bool:
        """Whether this process is the one that sends to the destination; tries to become it."""
        with self.lock:
            if self._opened() is None:
                return False
            try:
                self._leadership.check()
                return self._leadership.acquire()
            except OSError as error:
                self._failed(error)
                return False

    def is_through(self, place: Place | None) -> bool:
        """Whether none of this process's rows up to ``place`` wait any more."""
        with self.lock:
            if place is None or self._disk is None:
                return True
            through = place.row if place.disk is self._disk else None
            return self._tried(lambda disk: disk.waiting(through) == 0) or False

    def waiting(self) -> int:
        """Number of this process's spans on disk."""
        with self.lock:
            found = self._tried(lambda disk: disk.waiting()) if self._disk is not None else None
            if found is not None:
                self._totals.waiting = found
            return self._totals.waiting

    def fate(self) -> tuple[int, int, dict[str, int]]:
        """Of this process's spans: how many were written, wait, and were lost by reason (refused ones under ``dead``)."""
        with self.lock:
            losses = dict(self._totals.earlier)
            if self._disk is not None:
                for reason, spans in (self._tried(lambda disk: disk.losses()) or {}).items():
                    losses[reason] = losses.get(reason, 0) + spans
            if self._totals.destroyed:
                losses["damaged"] = self._totals.destroyed
            return self._totals.written, self.waiting(), losses

    def counts(self) -> Counts:
        """What is on disk for the destination, whoever wrote it."""
        with self.lock:
            return self._tried(lambda disk: disk.counts()) or Counts()

    def fullness(self) -> float:
        """How much of the bound is used, from 0 to 1."""
        with self.lock:
            return self._tried(lambda disk: disk.fullness()) or 0.0

    def fills(self, part: float) -> bool:
        """Whether at least this part of the bound is used."""
        with self.lock:
            return self._tried(lambda disk: disk.fills(part)) or False

    def close(self) -> None:
        """Close the file for good and let another process send. What was known by then of this process's spans stays known."""
        with self.lock:
            self._given_up = True
            self.waiting()
            if self._disk is not None:
                self._remember_losses(self._disk)
            self._leadership.release()
            self._presence.end()
            self._close()

    def abandon(self) -> DiskSpool | None:
        """Let go in a forked child of what belongs to the parent. The file that it had open must be kept and never be used."""
        self._leadership.release()
        self._presence.abandon()
        disk, self._disk = self._disk, None
        return disk

    def _tried(self, use: Callable[[DiskSpool], T]) -> T | None:
        disk = self._opened()
        if disk is None:
            return None
        try:
            return use(disk)
        except (sqlite3.Error, OSError, SpoolFullError) as error:
            self._failed(error)
            return None

    def _opened(self) -> DiskSpool | None:
        """What is written to a file that has been removed is not lost as long as that is open: it is enough to look now and then."""
        if self._disk is not None and self._clock() >= self._look_at:
            self._look_at = self._clock() + _LOOK_S
            if not self._disk.is_current():
                self._move_to_a_new_file(self._disk)
        if self._disk is None and not self._given_up and self._clock() >= self._retry_at:
            self._open()
        return self._disk

    def _open(self) -> None:
        used = self.settings
        try:
            self._disk = DiskSpool(
                used.place,
                self._destination,
                self._writer,
                max_bytes=used.max_bytes,
                max_age_s=used.max_age_s,
                overflow=used.overflow,
            )
            self._retry_s = _FIRST_RETRY_S
        except (UnsafePlaceError, SpoolFileError) as error:
            self._given_up = True
            _logger.warning("%s: there is no disk queue, spans wait in memory: %s", self._destination, error)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Say so, and close what may be broken. A full or locked spool stays open."""
        if isinstance(error, SpoolFullError):
            if self._log_limit.due("spool full"):
                _logger.warning("%s: the disk queue is full; spans wait in memory while there is room", self._destination)
            return
        if self._log_limit.due("spool"):
            _logger.warning(
                "%s: the disk queue at %s cannot be used now (%s); spans wait in memory meanwhile",
                self._destination,
                self.settings.place.directory,
                error.strerror if isinstance(error, OSError) and error.strerror else error,
            )
        if is_damage(error) and self._disk is not None:
            self._replace_damaged(self._disk)
        elif getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
            self._let_go()
        self._retry_at = self._clock() + self._retry_s
        self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)

    def _replace_damaged(self, disk: DiskSpool) -> None:
        self._totals.destroyed += self._totals.waiting
        self._totals.waiting = 0
        self._close()
        if disk.is_current():
            with contextlib.suppress(OSError):
                aside = set_aside(self.settings.place.file)
                _logger.warning("%s: the disk queue was damaged; it is kept as %s", self._destination, os.fspath(aside))
        self._retry_at = 0.0

    def _move_to_a_new_file(self, old: DiskSpool) -> None:
        """Somebody has removed the file. As long as it is open, what is in it can be read."""
        self._disk = None
        self._remember_losses(old)
        rows = self._rescued(old)
        self._retry_at = 0.0
        self._open()
        _logger.warning("%s: the disk queue was removed; %d row(s) were written anew", self._destination, len(rows))
        for row in rows:
            self._write_anew(row)

    def _write_anew(self, row: Row) -> None:
        def write(disk: DiskSpool) -> int:
            if row.deferred:
                self._presence.announce(self._clock())
            return disk.append(row.records, deferred=row.deferred)

        self._tried(write)

    def _rescued(self, old: DiskSpool) -> list[Row]:
        """The rows of a file that is gone. If it was damaged before, what waited in it is lost."""
        try:
            return old.rescue()
        except sqlite3.Error:
            self._totals.destroyed += self._totals.waiting
            self._totals.waiting = 0
            return []
        finally:
            with contextlib.suppress(sqlite3.Error):
                old.close()

    def _remember_losses(self, disk: DiskSpool) -> None:
        with contextlib.suppress(sqlite3.Error):
            for reason, spans in disk.losses().items():
                self._totals.earlier[reason] = self._totals.earlier.get(reason, 0) + spans

    def _tidy(self) -> None:
        if self._clock() >= self._tidy_at:
            self._tidy_at = self._clock() + _TIDY_S
            self._tried(DiskSpool.tidy)
            self.waiting()

    def _let_go(self) -> None:
        """Close a file that could not be used; what is in one that has been removed is written to a new one before."""
        if self._disk is not None and not self._disk.is_current():
            self._move_to_a_new_file(self._disk)
        else:
            self._close()

    def _close(self) -> None:
        disk, self._disk = self._disk, None
        if disk is not None:
            with contextlib.suppress(sqlite3.Error):
                disk.close()
