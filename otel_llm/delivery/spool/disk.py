"""What waits on disk: appended by any process, sent by one, gone once it is settled."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from otel_llm.delivery.destination import Limits
from otel_llm.delivery.spool.file import open_spool
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.rows import packed, unpacked

#: Pages given back to the file system at a time.
_VACUUM_PAGES: Final = 256
#: Part of the bound that a process may write before it asks again how much is used, by whomever.
_UNASKED: Final = 0.01
#: Part of the bound up to which there is room even if several processes write.
_NEARLY_FULL: Final = 0.9
_MOST_DEAD: Final = 10_000
_DEAD_BYTES: Final = 64 * 1024 * 1024


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
        self._connection = open_spool(place, max_bytes=max_bytes)
        #: Bytes of the destination's rows when last asked for, and those that were written since: so many that the first asks.
        self._used, self._unasked = 0, max_bytes
        self._identity = os.stat(place.file)

    def append(self, records: Sequence[bytes], *, deferred: bool = False) -> int:
        """Write one row; its id. ``deferred``: it is not to be sent before :meth:`replace`.

        Makes room by dropping the oldest rows, or raises SpoolFullError, by the policy.
        """
        body = packed(records)
        row = (self.destination, self.writer, self._now_ms(), len(records), len(body), deferred, body)
        with self._lock:
            if self._surely_has_room(len(body)):
                return self._insert(self._connection.execute, row)
            with self._changing() as execute:
                self._make_room(execute, len(body))
                return self._insert(execute, row)

    def fullness(self) -> float:
        """How much of the bound is used, from 0 to 1."""
        return self._account()[1] / self._max_bytes

    def fills(self, part: float) -> bool:
        """Whether at least this part of the bound is used; quick where it is not, as this process knows."""
        return self._used + self._unasked >= part * self._max_bytes and self.fullness() >= part

    def next_batch(self, limits: Limits, *, newest: bool = False) -> SpoolBatch | None:
        """The oldest rows (or the newest) that go together within ``limits``, at least one; None if there is none."""
        order = "DESC" if newest else "ASC"
        with self._lock:
            found = self._connection.execute(
                f"SELECT id, spans, bytes FROM batch WHERE destination = ? AND NOT deferred ORDER BY id {order} LIMIT 512",  # noqa: S608  (a constant)
                (self.destination,),
            )
            chosen: list[int] = []
            spans = size = 0
            for row, row_spans, row_bytes in found:
                spans, size = spans + row_spans, size + row_bytes
                if chosen and (spans > limits.max_records or size > limits.max_bytes):
                    break
                chosen.append(row)
            found.close()
            if not chosen:
                return None
            chosen.sort()
            bodies = [self._body(row) for row in chosen]
        return SpoolBatch(tuple(chosen), tuple(record for body in bodies for record in unpacked(body)))

    def settle(self, batch: SpoolBatch, dead: Sequence[tuple[bytes, str]] = ()) -> bool:
        """The batch is delivered, but for ``dead``: records that were refused for good, each with the reason."""
        with self._changing() as execute:
            if dead:
                self._bury(execute, batch, dead)
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
        with self._changing() as execute:
            if not records:
                return execute("DELETE FROM batch WHERE id = ? AND deferred", (row.id,)).rowcount > 0
            changed = execute(
                "UPDATE batch SET spans = ?, bytes = ?, deferred = 0, body = ? WHERE id = ? AND deferred",
                (len(records), len(body), body, row.id),
            )
            return changed.rowcount > 0

    def expire(self) -> int:
        """Drop what has waited too long, and forget old losses; the number of spans dropped. A clock set back expires nothing."""
        before = self._now_ms() - self._max_age_ms
        with self._changing() as execute:
            rows = execute(
                "SELECT id, writer, spans FROM batch WHERE destination = ? AND created_ms < ?", (self.destination, before)
            ).fetchall()
            self._drop(execute, rows, "too old")
            execute("DELETE FROM loss WHERE at_ms < ?", (before,))
            return sum(spans for _, _, spans in rows)

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

    def is_current(self) -> bool:
        """Whether the file is still where it was: somebody may have removed it, or set it aside as damaged."""
        try:
            return os.path.samestat(self._identity, os.stat(self.place.file))
        except OSError:
            return False

    def rescue(self) -> list[Row]:
        """All rows of the destination, of a file that is gone but still open; what cannot be read is left out."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, writer, deferred FROM batch WHERE destination = ? ORDER BY id", (self.destination,)
            ).fetchall()
            return [Row(row, writer, tuple(unpacked(self._body(row))), bool(late)) for row, writer, late in rows]

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

    def _insert(self, execute: Callable[..., sqlite3.Cursor], row: tuple[Any, ...]) -> int:
        columns = "destination, writer, created_ms, spans, bytes, deferred, body"
        return int(execute(f"INSERT INTO batch ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0)  # noqa: S608

    def _surely_has_room(self, size: int) -> bool:
        """Without asking each time: a thread that lets go of the interpreter for a statement may wait 5 ms to get it back."""
        self._unasked += size
        if self._unasked > self._max_bytes * _UNASKED:
            self._used, self._unasked = self._account()[1], size
        return self._used + self._unasked <= self._max_bytes * _NEARLY_FULL

    def _make_room(self, execute: Callable[..., sqlite3.Cursor], size: int) -> None:
        _, used = self._account()
        excess = used + size - self._max_bytes
        if excess <= 0:
            return
        if self._overflow is not Overflow.DROP_OLDEST:
            raise SpoolFullError
        rows, freed = [], 0
        for row, writer, spans, row_bytes in execute(
            "SELECT id, writer, spans, bytes FROM batch WHERE destination = ? ORDER BY id", (self.destination,)
        ):
            rows.append((row, writer, spans))
            freed += row_bytes
            if freed >= excess:
                break
        self._drop(execute, rows, "full")

    def _drop(self, execute: Callable[..., sqlite3.Cursor], rows: Sequence[tuple[int, str, int]], reason: str) -> None:
        for row, writer, spans in rows:
            self._lose(execute, writer, reason, spans)
            execute("DELETE FROM batch WHERE id = ?", (row,))

    def _lose(self, execute: Callable[..., sqlite3.Cursor], writer: str, reason: str, spans: int) -> None:
        execute(
            "INSERT INTO loss VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (writer, destination, reason) DO UPDATE SET spans = spans + excluded.spans, at_ms = excluded.at_ms",
            (writer, self.destination, reason, spans, self._now_ms()),
        )

    def _bury(self, execute: Callable[..., sqlite3.Cursor], batch: SpoolBatch, dead: Sequence[tuple[bytes, str]]) -> None:
        """Keep what was refused, and charge it to who wrote it. The oldest dead letters make room for new ones."""
        owners = dict(execute(f"SELECT id, writer FROM batch WHERE id IN ({_marks(batch.ids)})", batch.ids))  # noqa: S608
        by_record = {record: owners[row] for row in owners for record in unpacked(self._body(row))}
        for record, reason in dead:
            execute(
                "INSERT INTO dead (destination, died_ms, reason, bytes, body) VALUES (?, ?, ?, ?, ?)",
                (self.destination, self._now_ms(), reason, len(record), record),
            )
            self._lose(execute, by_record.get(record, self.writer), "dead", 1)
        execute(
            "DELETE FROM dead WHERE destination = ?1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM (SELECT id, "
            "SUM(bytes) OVER (ORDER BY id DESC) AS total, ROW_NUMBER() OVER (ORDER BY id DESC) AS place "
            "FROM dead WHERE destination = ?1) WHERE total > ?2 OR place > ?3)",
            (self.destination, _DEAD_BYTES, _MOST_DEAD),
        )

    @contextmanager
    def _changing(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A transaction that waits for those of other processes."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
