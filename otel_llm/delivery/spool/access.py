"""The spool as one delivery uses it: through all that can happen to a disk, and beside other processes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from otel_llm.delivery.destination import Limits
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool.clock_jump import WallClock
from otel_llm.delivery.spool.disk import Counts, DiskSpool, Overflow, Row, SpoolBatch
from otel_llm.delivery.spool.drops import Drops
from otel_llm.delivery.spool.in_use import FileInUse
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.presence import Presence, is_present
from otel_llm.delivery.spool.process_lock import ProcessLock
from otel_llm.delivery.spool.totals import Totals

_logger = logging.getLogger(__name__)

MAX_BYTES: Final = 1024 * 1024 * 1024
MAX_AGE_S: Final = 72 * 3600.0
#: Seconds between two rounds of expiring and vacuuming.
_TIDY_S: Final = 10.0
#: The same for what waits for destinations that nobody sends to.
_TIDY_ELSEWHERE_S: Final = 600.0


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


class Spool:
    """The disk queue of one destination. Safe for several threads; none of its methods raises for a fault of the disk.

    ``clock`` tells seconds that only pass, ``now_ms`` milliseconds since 1970, which somebody may correct.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        destination: str,
        *,
        log_limit: LogLimit,
        clock: Callable[[], float],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.settings = settings
        self._destination = destination
        self._log_limit = log_limit
        self._clock = clock
        self._now_ms = now_ms
        self._writer = uuid.uuid4().hex
        #: Held whenever the file is used.
        self.lock = threading.RLock()
        self._totals = Totals()
        self._drops = Drops(destination, log_limit)
        self._file = FileInUse(destination, settings.place, self._open, totals=self._totals, log_limit=log_limit, clock=clock)
        self._tidy_at = self._tidy_elsewhere_at = 0.0
        self._wall_clock = WallClock(now_ms, clock)
        self._leadership = ProcessLock(settings.place.lock(destination))
        self._presence = Presence(settings.place, self._writer)

    def _open(self) -> DiskSpool:
        used = self.settings
        return DiskSpool(
            used.place,
            self._destination,
            self._writer,
            max_bytes=used.max_bytes,
            max_age_s=used.max_age_s,
            overflow=used.overflow,
            dropped=lambda reason, spans, own: self._drops.add(reason, spans, own=own),
            now_ms=self._now_ms,
        )

    def append(self, records: Sequence[bytes], *, deferred: bool = False) -> Place | None:
        """Write a row; None if the disk takes nothing now. ``deferred``: of first forms, which are not sent before :meth:`replace`."""

        def write(disk: DiskSpool) -> Place:
            if deferred:
                with contextlib.suppress(OSError):  # without it, others may make the same records
                    self._presence.announce(self._clock())
            return Place(disk, disk.append(records, deferred=deferred))

        with self.lock:
            found = self._file.tried(write, changes=True)
            if found is not None:
                self._totals.written += len(records)
                self._totals.waiting += len(records)
            self._drops.tell()
            return found

    def next_deferred(self) -> DeferredRow | None:
        """The oldest row of first forms that this process has left; or one of a process that is gone, if this is the one that sends."""
        with self.lock:
            own = self._file.tried(self._own_deferred)
            return own or (self._file.tried(self._left_behind) if self.leads() else None)

    def _own_deferred(self, disk: DiskSpool) -> DeferredRow | None:
        row = disk.next_deferred(self._writer)
        return None if row is None else DeferredRow(disk, row, is_own=True)

    def _left_behind(self, disk: DiskSpool) -> DeferredRow | None:
        for writer in disk.others_that_deferred():
            row = None if self._may_be_present(writer) else disk.next_deferred(writer)
            if row is not None:
                return DeferredRow(disk, row, is_own=False)
        return None

    def _may_be_present(self, writer: str) -> bool:
        try:
            return is_present(self.settings.place, writer)
        except OSError:
            return True

    def replace(self, found: DeferredRow, records: Sequence[bytes]) -> bool:
        """Put the records of a row of first forms in its place; False if that fails, or it is gone."""
        with self.lock:
            if found.disk is not self._file.opened() and not found.disk.is_in_place():
                return False  # its file is gone, and the row is in the new one
            replaced = self._file.tried(lambda disk: disk.replace(found.row, records), changes=True) or False
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
                batch = disk.next_batch(limits, newest=newest, own=self._file.is_removed)
                return None if batch is None else (disk, batch)

            return self._file.tried(read)

    def settle(self, disk: DiskSpool, batch: SpoolBatch, dead: Sequence[tuple[bytes, str]]) -> bool:
        """Take a batch out for good. If that fails now it is there again, and sent again; False then."""
        with self.lock:
            if disk is not self._file.opened() and not disk.is_in_place():
                return True  # its file is gone; what was left in it has been written to the new one
            settled = self._file.tried(lambda disk: disk.settle(batch, dead), changes=True) or False
            self.waiting()
            return settled

    def leads(self) -> bool:
        """Whether this process is the one that sends to the destination; tries to become it."""
        with self.lock:
            if self._file.opened() is None:
                return False
            if self._file.is_removed:
                return True
            try:
                self._leadership.check()
                return self._leadership.acquire()
            except FileNotFoundError:
                return False  # the directory is gone, which the next look at the file sees as well
            except OSError as error:
                if self._log_limit.due("leadership"):
                    _logger.warning("%s: what is on disk cannot be sent now: %s", self._destination, error)
                return False

    def is_through(self, place: Place | None) -> bool:
        """Whether none of this process's rows up to ``place`` wait any more."""
        if place is None:
            return True
        with self.lock:
            if self._file.opened() is None:
                return self._totals.waiting == 0
            return self._file.waiting(lambda disk: place.row if place.disk is disk else None) == 0

    def waiting(self) -> int:
        """Number of this process's spans on disk."""
        with self.lock:
            found = self._file.waiting() if self._file.disk is not None else None
            if found is not None:
                self._totals.waiting = found
            return self._totals.waiting

    def fate(self) -> tuple[int, int, dict[str, int]]:
        """Of this process's spans: how many were written, wait, and were lost by reason (refused ones under ``dead``)."""
        with self.lock:
            waiting = self.waiting()
            told = self._file.tried(lambda disk: disk.losses()) if self._file.disk is not None else None
            if told is not None:
                self._totals.told(told)
            return self._totals.written, waiting, self._totals.losses

    def dropped_of_others(self) -> Mapping[str, int]:
        """Spans that this process dropped from the disk and other processes had written, by reason."""
        with self.lock:
            return dict(self._drops.of_others)

    def counts(self) -> Counts:
        """What is on disk for the destination, whoever wrote it."""
        with self.lock:
            return self._file.tried(lambda disk: disk.counts()) or Counts()

    def fullness(self) -> float:
        """How much of the bound is used, from 0 to 1."""
        with self.lock:
            return self._file.tried(lambda disk: disk.fullness()) or 0.0

    def fills(self, part: float) -> bool:
        """Whether at least this part of the bound is used."""
        with self.lock:
            return self._file.tried(lambda disk: disk.fills(part)) or False

    def retry_now(self) -> None:
        """Let the next use try at once what had to wait after a fault of the disk: it may have recovered, and there is little time."""
        with self.lock:
            self._file.retry_now()

    def close(self) -> None:
        """Close the file for good and let another process send. What was known by then of this process's spans stays known."""
        with self.lock:
            self._file.close()
            self._drops.tell(at_end=True)
            self._leadership.release()
            self._presence.end()

    def abandon(self) -> object:
        """Let go in a forked child of what belongs to the parent. What is given must be kept and never be used: files it had open."""
        self._leadership.release()
        self._presence.abandon()
        return self._file.abandon()

    def _tidy(self) -> None:
        """Nothing is being sent meanwhile."""
        now = self._clock()
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_S
        jump = self._wall_clock.jump()
        if jump is not None:
            self._file.tried(lambda disk: disk.make_younger(jump), changes=True)
        self._file.tried(DiskSpool.tidy, changes=True)
        if now >= self._tidy_elsewhere_at:
            self._tidy_elsewhere_at = now + _TIDY_ELSEWHERE_S
            self._file.tried(self._expire_elsewhere, changes=True)
        self._drops.tell()
        self.fate()

    def _expire_elsewhere(self, disk: DiskSpool) -> None:
        """What nobody sends any more would stay for ever: after a change of keys, say."""
        for destination in disk.other_destinations():
            sending = ProcessLock(self.settings.place.lock(destination))
            try:
                spans = disk.expire_elsewhere(destination, MAX_AGE_S) if sending.acquire() else 0
            finally:
                sending.release()
            if spans:
                _logger.warning(
                    "%s: %d span(s) were dropped from the disk queue: they are too old, and no process sends there",
                    destination,
                    spans,
                )
