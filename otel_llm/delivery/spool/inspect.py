"""A spool from outside of any delivery: what it holds, and what an operator may do with it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from otel_llm.delivery.spool.access import MAX_BYTES
from otel_llm.delivery.spool.file import SpoolFileError, is_damage, open_spool
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.process_lock import ProcessLock
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
    #: Whether some process is sending there now.
    has_sender: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a destination refused for good."""

    id: int
    destination: str
    #: Seconds since.
    age_s: float
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a destination refused records for good, and how many of those are kept."""

    destination: str
    reason: str
    spans: int
    #: Seconds since the latest.
    latest_s: float


class Inspector:
    """Looks into a spool that other processes may be using. Its methods raise sqlite3.Error, OSError or an OtelLLMError.

    A damaged file is told (SpoolFileError) and left as it is; the next delivery sets it aside.
    """

    def __init__(self, place: SpoolPlace) -> None:
        self.place = place

    def exists(self) -> bool:
        """Whether there is a spool."""
        return self.place.file.exists()

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

    def dead_letters(self, destination: str | None = None) -> list[DeadLetter]:
        """What was refused, the oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, destination, died_ms, reason, body FROM dead WHERE ?1 IS NULL OR destination = ?1 ORDER BY id",
                (destination,),
            ).fetchall()
        now = time.time()
        return [DeadLetter(row, name, max(0.0, now - died / 1000), reason, body) for row, name, died, reason, body in rows]

    def replay_dead(self, destination: str | None = None) -> int:
        """Put dead letters back among what waits; their number."""
        letters = self.dead_letters(destination)
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for letter in letters:
                body = packed([letter.body])
                connection.execute(
                    "INSERT INTO batch (destination, writer, created_ms, spans, bytes, body) VALUES (?, 'replay', ?, 1, ?, ?)",
                    (letter.destination, time.time_ns() // 1_000_000, len(body), body),
                )
                connection.execute("DELETE FROM dead WHERE id = ?", (letter.id,))
            connection.execute("COMMIT")
        return len(letters)

    def records(self, destination: str, *, dead: bool = False) -> Iterator[bytes]:
        """All records that wait for a destination (or its dead letters), the oldest first, as it would get them.

        Takes nothing out. What was put off has no record yet.
        """
        with self._open() as connection:
            if dead:
                query = "SELECT body FROM dead WHERE destination = ? ORDER BY id"
                yield from (body for (body,) in connection.execute(query, (destination,)))
                return
            for (body,) in connection.execute(
                "SELECT body FROM batch WHERE destination = ? AND NOT deferred ORDER BY id", (destination,)
            ):
                yield from unpacked(body)

    def purge(self, destinations: Sequence[str], *, dead_only: bool) -> int:
        """Delete what waits and the dead letters, or those alone, of these destinations; the number of spans deleted."""
        gone = 0
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for name in destinations:
                gone += connection.execute("DELETE FROM dead WHERE destination = ?", (name,)).rowcount
                if not dead_only:
                    (spans,) = connection.execute(
                        "SELECT COALESCE(SUM(spans), 0) FROM batch WHERE destination = ?", (name,)
                    ).fetchone()
                    gone += spans
                    connection.execute("DELETE FROM batch WHERE destination = ?", (name,))
                    connection.execute("DELETE FROM account WHERE destination = ? AND spans = 0", (name,))
            connection.execute("COMMIT")
            connection.executescript("PRAGMA incremental_vacuum")
        return gone

    def _has_sender(self, destination: str) -> bool:
        path = self.place.lock(destination)
        if not path.exists():
            return False
        leadership = ProcessLock(path)
        try:
            return not leadership.acquire()
        finally:
            leadership.release()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(open_spool(self.place, max_bytes=MAX_BYTES, replace_damaged=False)) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            raise SpoolFileError(
                f"{self.place.file} is damaged ({error}). The next process that delivers sets it aside and begins a new one; "
                "SQLite's `.recover` may still read what is in it."
            ) from error
