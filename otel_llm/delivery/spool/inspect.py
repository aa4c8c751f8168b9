"""A spool from outside of any delivery: what it holds, and what an operator may do with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from otel_llm.delivery.spool.charge import charged
from otel_llm.delivery.spool.file import SpoolFileError, is_damage, open_spool
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.process_lock import ProcessLock
from otel_llm.delivery.spool.reading import check_writable, is_writable, open_for_reading
from otel_llm.delivery.spool.rows import packed, unpacked


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one destination."""

    destination: str
    spans: int = 0
    bytes: int = 0
    #: Seconds since the oldest was written; None if nothing waits.
    oldest_s: float | None = None
    dead: int = 0
    #: Of the spans that wait, those that were put off: their records are still to be made.
    deferred: int = 0
    #: Whether some process is sending there now; None where that cannot be told.
    has_sender: bool | None = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a destination refused records for good, and how many of those are kept."""

    destination: str
    reason: str
    spans: int
    #: Seconds since the latest.
    latest_s: float


@dataclass(frozen=True, slots=True)
class Loss:
    """Spans that left the spool undelivered, and not as dead letters: they were too old, say, or deleted."""

    destination: str
    reason: str
    spans: int
    #: Seconds since the latest.
    latest_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a spool held, and had lost, at one moment."""

    #: Number of spans that wait, by destination.
    spans: Mapping[str, int]
    #: Number of spans that were not delivered, by writer, destination and reason; refused ones under ``dead``.
    losses: Mapping[tuple[str, str, str], int]
    #: Names of damaged files that were set aside.
    set_aside: frozenset[str]


class Inspector:
    """Looks into a spool that other processes may be using. Its methods raise sqlite3.Error, OSError or an OtelLLMError.

    A damaged file is told (SpoolFileError) and left as it is; the next delivery sets it aside.
    """

    def __init__(self, place: SpoolPlace) -> None:
        self.place = place

    def exists(self) -> bool:
        """Whether there is a spool. Makes nothing; raises UnsafePlaceError or OSError for a directory that cannot be one's."""
        if not self.place.check():
            return False
        try:
            self.place.file.lstat()
        except FileNotFoundError:
            return False
        return True

    def waiting(self) -> list[Waiting]:
        """What waits, by destination."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT destination, (SELECT COALESCE(SUM(spans), 0) FROM batch b WHERE b.destination = d.destination), "
                "(SELECT COALESCE(SUM(bytes), 0) FROM batch b WHERE b.destination = d.destination), "
                "(SELECT MIN(created_ms) FROM batch b WHERE b.destination = d.destination), "
                "(SELECT COUNT(*) FROM dead x WHERE x.destination = d.destination), "
                "(SELECT COALESCE(SUM(spans), 0) FROM batch b WHERE b.destination = d.destination AND deferred) "
                "FROM (SELECT destination FROM account UNION SELECT destination FROM dead) d ORDER BY destination"
            ).fetchall()
        now = time.time()
        return [
            Waiting(
                name, spans, size, None if oldest is None else max(0.0, now - oldest / 1000), dead, late, self._has_sender(name)
            )
            for name, spans, size, oldest, dead, late in rows
        ]

    def refusals(self) -> list[Refusal]:
        """Why there are dead letters, the most frequent reason of each destination first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT destination, reason, COUNT(*) AS spans, MAX(died_ms) FROM dead GROUP BY destination, reason "
                "ORDER BY destination, spans DESC, reason"
            ).fetchall()
        now = time.time()
        return [Refusal(name, reason, spans, max(0.0, now - died / 1000)) for name, reason, spans, died in rows]

    def losses(self) -> list[Loss]:
        """What was lost, the latest that is still known; the most frequent reason of each destination first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT destination, reason, SUM(spans) AS spans, MAX(at_ms) FROM loss WHERE reason <> 'dead' "
                "GROUP BY destination, reason ORDER BY destination, spans DESC, reason"
            ).fetchall()
        now = time.time()
        return [Loss(name, reason, spans, max(0.0, now - at / 1000)) for name, reason, spans, at in rows]

    def look(self) -> Look:
        """What waits and what was lost, at the same moment."""
        set_aside = frozenset(path.name for path in self.place.directory.glob(f"{self.place.file.name}.damaged-*"))
        with self._open() as connection:
            connection.execute("BEGIN")
            spans = dict(connection.execute("SELECT destination, spans FROM account"))
            losses = connection.execute("SELECT writer, destination, reason, spans FROM loss").fetchall()
        return Look(spans, {(writer, name, reason): lost for writer, name, reason, lost in losses}, set_aside)

    def replay_dead(self, destination: str | None = None) -> int:
        """Put dead letters back among what waits; their number. Two at a time put each back once."""
        moved = 0
        with self._change() as connection:
            query = "SELECT id, destination FROM dead WHERE ?1 IS NULL OR destination = ?1 ORDER BY id"
            for row, name in connection.execute(query, (destination,)).fetchall():
                (record,) = connection.execute("SELECT body FROM dead WHERE id = ?", (row,)).fetchone()
                connection.execute("DELETE FROM dead WHERE id = ?", (row,))
                body = packed([record])
                connection.execute(
                    "INSERT INTO batch (destination, writer, created_ms, spans, bytes, body) VALUES (?, 'replay', ?, 1, ?, ?)",
                    (name, _now_ms(), charged(len(body)), body),
                )
                moved += 1
        return moved

    def records(self, destination: str, *, dead: bool = False) -> Iterator[bytes]:
        """All records that wait for a destination (or its dead letters), the oldest first, as it would get them.

        Takes nothing out. What was put off has no record yet.
        """
        table, only = ("dead", "") if dead else ("batch", "AND NOT deferred")
        with self._open() as connection:
            # One statement over all bodies would keep others from taking the write-ahead log back as long as the reader takes.
            query = f"SELECT id FROM {table} WHERE destination = ? {only} ORDER BY id"  # noqa: S608  (constants)
            for (row,) in connection.execute(query, (destination,)).fetchall():
                found = connection.execute(f"SELECT body FROM {table} WHERE id = ?", (row,)).fetchall()  # noqa: S608
                for (body,) in found:
                    yield from [body] if dead else unpacked(body)

    def purge(self, destinations: Sequence[str], *, dead_only: bool) -> int:
        """Delete what waits and the dead letters, or those alone, of these destinations; the number of spans deleted.

        What waited is lost to the processes that wrote it: so they count it.
        """
        gone = 0
        with self._change() as connection:
            for name in destinations:
                gone += connection.execute("DELETE FROM dead WHERE destination = ?", (name,)).rowcount
                if not dead_only:
                    gone += _purge_waiting(connection, name)
        with self._open() as connection:
            connection.executescript("PRAGMA incremental_vacuum")
        return gone

    def check_writable(self) -> None:
        """Raises SpoolFileError if this user can neither change nor begin a spool in the directory, which is there."""
        check_writable(self.place)

    def _has_sender(self, destination: str) -> bool | None:
        path = self.place.lock(destination)
        if not path.exists():
            return False
        leadership = ProcessLock(path)
        try:
            return not leadership.acquire()
        except OSError:  # it cannot be opened for writing here
            return None
        finally:
            leadership.release()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, with no other process writing meanwhile."""
        self.check_writable()
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connected()) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            file = self.place.file
            raise SpoolFileError(
                f"{file} is damaged ({error}). The next application that records sets it aside and begins a new one. To do that "
                f"now: rename {file.name}, {file.name}-wal and {file.name}-shm, while no application runs; all begins anew then, "
                "and SQLite's `.recover` may still read what is in them."
            ) from error

    def _connected(self) -> sqlite3.Connection:
        if not is_writable(self.place):
            self.place.check()
            return open_for_reading(self.place)
        return open_spool(self.place, replace_damaged=False)


def _purge_waiting(connection: sqlite3.Connection, destination: str) -> int:
    connection.execute(
        "INSERT INTO loss SELECT writer, destination, 'purged', SUM(spans), ? FROM batch WHERE destination = ? GROUP BY writer "
        "ON CONFLICT (writer, destination, reason) DO UPDATE SET spans = spans + excluded.spans, at_ms = excluded.at_ms",
        (_now_ms(), destination),
    )
    (spans,) = connection.execute("SELECT COALESCE(SUM(spans), 0) FROM batch WHERE destination = ?", (destination,)).fetchone()
    connection.execute("DELETE FROM batch WHERE destination = ?", (destination,))
    connection.execute("DELETE FROM account WHERE destination = ? AND spans = 0", (destination,))
    return int(spans)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
