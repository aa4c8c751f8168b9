"""What waits on disk: appended by any process, sent by one, gone once it is settled."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from otel_llm.delivery.destination import Limits
from otel_llm.delivery.spool.charge import charged
from otel_llm.delivery.spool.clock_jump import ClockJump
from otel_llm.delivery.spool.dead_letters import bury
from otel_llm.delivery.spool.dropping import Dropping, Execute
from otel_llm.delivery.spool.file import open_spool, set_aside
from otel_llm.delivery.spool.identity import Identity
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.rows import packed, unpacked

#: Pages given back to the file system at a time.
_VACUUM_PAGES: Final = 256
#: Part of the bound that a process may write before it asks again how much is used, by whomever.
_UNASKED: Final = 0.01
#: Part of the bound up to which there is room even if several processes write.
_NEARLY_FULL: Final = 0.9
COLUMNS: Final = "destination, writer, created_ms, spans, bytes, deferred, body"
#: Which of them says what a row is charged with.
_BYTES: Final = 4
#: Seconds for which a statement waits for another process's transaction; what waits in memory meanwhile is tried again soon.
_BUSY_S: Final = 0.25
#: Milliseconds for which losses are told at least to who wrote what was lost.
_TOLD_MS: Final = 72 * 3_600_000


class Overflow(Enum):
    """What to do when the spool is full."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEW = "drop_new"
    BLOCK = "block"


class SpoolFullError(Exception):
    """There is no room, and nothing may be dropped for it."""


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """Records that are to be sent together. They stay in the spool until :meth:`DiskSpool.settle`."""

    ids: tuple[int, ...]
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Records of one writer, or the first forms of spans whose records are still to be made."""

    id: int
    writer: str
    records: tuple[bytes, ...]
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What the spool holds of one destination."""

    spans: int = 0
    bytes: int = 0
    #: When the oldest was written; None if there is none.
    oldest_ms: int | None = None
    dead: int = 0


class DiskSpool:
    """The spool as one process sees it for one destination. Safe for several threads.

    ``destination`` names the receiver in such a way that what is meant for one is never sent to another. ``writer`` tells the rows of
    this process from those of others. ``max_bytes`` bounds all rows of the destination, ``max_age_s`` how long they may wait.
    ``dropped`` is told of spans that were dropped for these: why, how many, and whether this writer's.
    Each method may raise sqlite3.Error or OSError.
    """

    def __init__(
        self,
        place: SpoolPlace,
        destination: str,
        writer: str,
        *,
        max_bytes: int,
        max_age_s: float,
        overflow: Overflow = Overflow.DROP_OLDEST,
        dropped: Callable[[str, int, bool], None] = lambda _reason, _spans, _own: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.place = place
        self.destination = destination
        self.writer = writer
        self._max_bytes = max_bytes
        self._max_age_ms = int(max_age_s * 1000)
        self._overflow = overflow
        self._now_ms = now_ms
        self._lock = threading.RLock()
        self._dropping = Dropping(writer, dropped=dropped, now_ms=now_ms)
        #: Rows that were read last to be sent.
        self._sending: frozenset[int] = frozenset()
        self._connection = open_spool(place, busy_timeout_s=_BUSY_S)
        #: Bytes of the destination's rows when last asked for, and those that were written since: so many that the first asks.
        self._used, self._unasked = 0, max_bytes
        self._identity = Identity(place)

    def append(self, records: Sequence[bytes], *, deferred: bool = False) -> int:
        """Write one row; its id. ``deferred``: it is not to be sent before :meth:`replace`.

        Makes room by dropping the oldest rows, or raises SpoolFullError, by the policy.
        """
        body = packed(records)
        size = charged(len(body))
        row = (self.destination, self.writer, self._now_ms(), len(records), size, deferred, body)
        with self._lock:
            if self._surely_has_room(size):
                return self._insert(self._connection.execute, row)
            with self.changing() as execute:
                self._make_room(execute, size)
                return self._insert(execute, row)

    def take_over(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows of another file, as they were there: their columns but for the id."""
        with self.changing() as execute:
            for row in rows:
                self._make_room(execute, row[_BYTES])
                self._insert(execute, row)

    def fullness(self) -> float:
        """How much of the bound is used, from 0 to 1."""
        return self._account()[1] / self._max_bytes

    def fills(self, part: float) -> bool:
        """Whether at least this part of the bound is used; quick where it is not, as this process knows."""
        return self._used + self._unasked >= part * self._max_bytes and self.fullness() >= part

    def next_batch(self, limits: Limits, *, newest: bool = False, own: bool = False) -> SpoolBatch | None:
        """The oldest rows (or the newest) that go together within ``limits``, at least one; None if there is none.

        ``own``: of this writer's alone. Until the next call they are dropped only if nothing else is there to make room.
        """
        order = "DESC" if newest else "ASC"
        with self._lock:
            found = self._connection.execute(
                "SELECT id, spans, bytes FROM batch WHERE destination = ?1 AND NOT deferred AND (?2 IS NULL OR writer = ?2) "  # noqa: S608  (a constant)
                f"ORDER BY id {order} LIMIT 512",
                (self.destination, self.writer if own else None),
            )
            chosen: list[int] = []
            spans = size = 0
            for row, row_spans, row_bytes in found:
                spans, size = spans + row_spans, size + row_bytes
                if chosen and (spans > limits.max_records or size > limits.max_bytes):
                    break
                chosen.append(row)
            found.close()
            self._sending = frozenset(chosen)
            if not chosen:
                return None
            chosen.sort()
            bodies = [self._body(row) for row in chosen]
        return SpoolBatch(tuple(chosen), tuple(record for body in bodies for record in unpacked(body)))

    def settle(self, batch: SpoolBatch, dead: Sequence[tuple[bytes, str]] = ()) -> bool:
        """The batch is delivered, but for ``dead``: records that were refused for good, each with the reason."""
        with self.changing() as execute:
            if dead:
                self._charge_refusals(execute, batch, dead)
                bury(execute, self.destination, dead, now_ms=self._now_ms(), max_bytes=self._max_bytes)
            execute(f"DELETE FROM batch WHERE id IN ({_marks(batch.ids)})", batch.ids)  # noqa: S608  (question marks)
        return True

    def next_deferred(self, writer: str) -> Row | None:
        """The oldest of a writer's rows whose records are still to be made."""
        with self._lock:
            found = self._connection.execute(
                "SELECT id FROM batch WHERE destination = ? AND writer = ? AND deferred ORDER BY id LIMIT 1",
                (self.destination, writer),
            ).fetchone()
            return None if found is None else Row(found[0], writer, tuple(unpacked(self._body(found[0]))), deferred=True)

    def others_that_deferred(self) -> list[str]:
        """The other writers who have left rows whose records are still to be made."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT DISTINCT writer FROM batch WHERE destination = ? AND writer <> ? AND deferred",
                (self.destination, self.writer),
            ).fetchall()
        return [writer for (writer,) in rows]

    def replace(self, row: Row, records: Sequence[bytes]) -> bool:
        """The records of a row have been made, which may be fewer; False if it was gone, or somebody else was faster."""
        body = packed(records)
        with self.changing() as execute:
            if not records:
                return execute("DELETE FROM batch WHERE id = ? AND deferred", (row.id,)).rowcount > 0
            changed = execute(
                "UPDATE batch SET spans = ?, bytes = ?, deferred = 0, body = ? WHERE id = ? AND deferred",
                (len(records), charged(len(body)), body, row.id),
            )
            return changed.rowcount > 0

    def expire(self) -> int:
        """Drop what has waited too long, and forget old losses; the number of spans dropped. A clock set back expires nothing."""
        now_ms = self._now_ms()
        with self.changing() as execute:
            gone = self._dropping.expire(execute, self.destination, now_ms - self._max_age_ms)
            execute("DELETE FROM loss WHERE at_ms < ?", (now_ms - max(self._max_age_ms, _TOLD_MS),))
        return gone

    def other_destinations(self) -> list[str]:
        """The other destinations that something waits for."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT destination FROM account WHERE destination <> ? AND spans > 0", (self.destination,)
            ).fetchall()
        return [destination for (destination,) in rows]

    def expire_elsewhere(self, destination: str, max_age_s: float) -> int:
        """Drop what has waited too long for another destination; the number of spans dropped."""
        before_ms = self._now_ms() - max(self._max_age_ms, int(max_age_s * 1000))
        with self.changing() as execute:
            gone = self._dropping.expire(execute, destination, before_ms)
            self._dropping.begin()  # what was dropped is not of this destination
        return gone

    def make_younger(self, jump: ClockJump) -> None:
        """The clock was put forward: what was written before is not older for that."""
        with self.changing() as execute:
            execute(
                "UPDATE batch SET created_ms = created_ms + ? WHERE destination = ? AND created_ms <= ?",
                (jump.by_ms, self.destination, jump.former_ms),
            )

    def tidy(self) -> int:
        """Drop what is too old, and give some free pages back to the file system; the number of spans dropped."""
        expired = self.expire()
        with self._lock:
            self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")  # execute() takes one step only
        return expired

    def waiting(self, through: int | None = None) -> int:
        """Number of this writer's spans that are still here, up to row ``through``."""
        clause, more = ("", ()) if through is None else (" AND id <= ?", (through,))
        with self._lock:
            query = f"SELECT COALESCE(SUM(spans), 0) FROM batch WHERE writer = ?{clause}"  # noqa: S608  (a constant)
            (spans,) = self._connection.execute(query, (self.writer, *more)).fetchone()
        return int(spans)

    def losses(self) -> dict[str, int]:
        """Number of this writer's spans that were not delivered, by reason; refused ones under ``dead``."""
        with self._lock:
            return dict(
                self._connection.execute("SELECT reason, SUM(spans) FROM loss WHERE writer = ? GROUP BY reason", (self.writer,))
            )

    def counts(self) -> Counts:
        """What is here of the destination, whoever wrote it."""
        spans, size = self._account()
        with self._lock:
            oldest = self._connection.execute(
                "SELECT created_ms FROM batch WHERE destination = ? ORDER BY id LIMIT 1", (self.destination,)
            ).fetchone()
            (dead,) = self._connection.execute(
                "SELECT COUNT(*) FROM dead WHERE destination = ?", (self.destination,)
            ).fetchone()
        return Counts(spans, size, None if oldest is None else oldest[0], dead)

    def is_in_place(self) -> bool:
        """Whether the database is still where it was: somebody may have removed it, or set it aside."""
        return self._identity.is_in_place()

    def is_current(self) -> bool:
        """Whether the write-ahead log is still in its place, too."""
        return self._identity.is_in_place() and self._identity.has_log()

    def set_aside(self) -> None:
        """If the write-ahead log was removed, let the database follow: others would begin a new log, and not see what is in this.

        What is in the former log is written to the database before, as far as that is possible. Raises OSError or sqlite3.Error.
        """
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with self.changing():  # whoever has this database open as well does not do it at the same time
            if self._identity.is_in_place() and not self._identity.has_log():
                set_aside(self.place.file, "has lost its write-ahead log")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _account(self) -> tuple[int, int]:
        with self._lock:
            row = self._connection.execute(
                "SELECT spans, bytes FROM account WHERE destination = ?", (self.destination,)
            ).fetchone()
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def _body(self, row: int) -> bytes:
        found = self._connection.execute("SELECT body FROM batch WHERE id = ?", (row,)).fetchone()
        return b"" if found is None else bytes(found[0])

    def _insert(self, execute: Execute, row: tuple[Any, ...]) -> int:
        return int(execute(f"INSERT INTO batch ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0)  # noqa: S608

    def _surely_has_room(self, size: int) -> bool:
        """Without asking each time: a thread that lets go of the interpreter for a statement may wait 5 ms to get it back."""
        self._unasked += size
        if self._unasked > self._max_bytes * _UNASKED:
            self._used, self._unasked = self._account()[1], size
        return self._used + self._unasked <= self._max_bytes * _NEARLY_FULL

    def _make_room(self, execute: Execute, size: int) -> None:
        _, used = self._account()
        excess = used + size - self._max_bytes
        if excess <= 0:
            return
        if self._overflow is not Overflow.DROP_OLDEST:
            raise SpoolFullError
        self._dropping.make_room(execute, self.destination, excess, spare=self._sending)

    def _charge_refusals(self, execute: Execute, batch: SpoolBatch, dead: Sequence[tuple[bytes, str]]) -> None:
        """To who wrote what was refused."""
        owners = dict(execute(f"SELECT id, writer FROM batch WHERE id IN ({_marks(batch.ids)})", batch.ids))  # noqa: S608
        by_record = {record: owners[row] for row in owners for record in unpacked(self._body(row))}
        for record, _ in dead:
            self._dropping.lose(execute, self.destination, by_record.get(record, self.writer), "dead", 1)

    @contextmanager
    def changing(self) -> Iterator[Execute]:
        """A transaction that waits for those of other processes."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._dropping.begin()
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._dropping.end()


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
