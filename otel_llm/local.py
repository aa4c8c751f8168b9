"""The embedded default destination: a bounded SQLite store of GenAI spans, which ``otel-llm traces`` shows."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.content_policy import FULL, ContentPolicy
from otel_llm.content_spans import told
from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Retry, Split
from otel_llm.local_file import LOCATION, LocalFileError, default_path, open_for_writing
from otel_llm.local_span import stored_span
from otel_llm.private_files import UnsafePlaceError

MAX_BYTES = 100 * 1024 * 1024
MAX_AGE_S = 7 * 24 * 3_600.0
#: Seconds between two looks for traces that are too old.
_AGE_CHECK_S = 600.0
#: Share of the room that is left in use when room had to be made.
_LOW_WATER = 0.9
_TRY_AGAIN = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BAD_RECORD = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}
#: The record is parsed by SQLite, which lets other threads run meanwhile.
_INSERT = """
INSERT INTO span (trace_id, span_id, start_ns, size, body)
SELECT json_extract(body, '$.trace_id'), json_extract(body, '$.span_id'), json_extract(body, '$.start_ns'), ?2, body
FROM (SELECT CAST(?1 AS TEXT) AS body) WHERE true
ON CONFLICT (trace_id, span_id) DO NOTHING
"""
_OLDEST = "SELECT trace_id, SUM(size) FROM span GROUP BY trace_id ORDER BY MIN(start_ns)"
_DELETE_OLD = "DELETE FROM span WHERE trace_id IN (SELECT trace_id FROM span GROUP BY trace_id HAVING MAX(start_ns) < ?)"

#: Connections inherited through a fork: SQLite wants them neither used nor closed in the child.
_inherited: list[sqlite3.Connection] = []


class LocalStore:
    """Keeps the latest GenAI spans in a file of this user, up to ``max_bytes`` and ``max_age_s``; the oldest traces go first.

    Several processes may write to the same file. A file that cannot be used pauses the destination, with what to do.
    ``path`` defaults to :func:`otel_llm.local_file.default_path`; ``content`` is what of prompts and answers is kept; ``clock`` gives
    seconds since the epoch.
    """

    name = "local"
    limits = Limits()

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        content: ContentPolicy = FULL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = default_path() if path is None else path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._content = content
        self._clock = clock
        self._next_age_check = 0.0
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    def encode(self, span: ReadableSpan) -> bytes | None:
        """JSON of a span of the GenAI conventions; None for any other."""
        if span.context is None or sc.OPERATION_NAME not in (span.attributes or {}):
            return None
        return stored_span(told(span, self._content)).to_json()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """Store the records in one transaction. Those already stored stay as they are."""
        try:
            return self._store(records, timeout_s)
        except sqlite3.Error as error:
            self.close()
            return self._outcome_of(error)
        except (LocalFileError, UnsafePlaceError) as error:
            self.close()
            return Pause(str(error))
        except OSError as error:
            self.close()
            return self._unusable(error.strerror or type(error).__name__)

    def close(self) -> None:
        """Close the file, unless it was opened before a fork: then it is the parent's."""
        if self._connection is None:
            return
        if self._opened is not None and self._opened[0] != os.getpid():
            _inherited.append(self._connection)
        else:
            self._connection.close()
        self._connection = None

    def _store(self, records: Sequence[bytes], timeout_s: float) -> Outcome:
        incoming = sum(map(len, records))
        if incoming > self._max_bytes * _LOW_WATER:
            return Split(f"{incoming} bytes are more than the local store may hold")
        connection = self._connected(timeout_s)
        self._expire(connection)
        with _transaction(connection):
            _make_room(connection, incoming, self._max_bytes)
            rows = ((record, len(record)) for record in records)
            stored = connection.executemany(_INSERT, rows).rowcount
        return Delivered(duplicates=len(records) - stored)

    def _connected(self, timeout_s: float) -> sqlite3.Connection:
        """The open connection, or a new one after a fork or if somebody has removed the file."""
        if self._connection is not None and self._opened != self._identity():
            self.close()
        if self._connection is None:
            self._connection = open_for_writing(self.path, busy_timeout_s=min(timeout_s, 5.0))
            self._opened = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int]:
        """Process and inode."""
        try:
            return os.getpid(), self.path.stat().st_ino
        except FileNotFoundError:
            return os.getpid(), -1

    def _expire(self, connection: sqlite3.Connection) -> None:
        """Delete what is too old, from time to time, and give its room back to the disk."""
        now = self._clock()
        if now < self._next_age_check:
            return
        self._next_age_check = now + _AGE_CHECK_S
        connection.execute(_DELETE_OLD, (int((now - self._max_age_s) * 1e9),))
        connection.executescript("PRAGMA incremental_vacuum")  # execute() would end it after the first page

    def _outcome_of(self, error: sqlite3.Error) -> Outcome:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if code in _TRY_AGAIN:
            return Retry(f"{self.path} is in use by another process ({name})")
        if code in _BAD_RECORD:
            return Split(f"a record cannot be stored ({name})")
        return self._unusable(name)

    def _unusable(self, why: str) -> Pause:
        return Pause(
            f"{self.path} cannot be written ({why}). Make it writable or remove it, or set {LOCATION} to another file."
        )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_room(connection: sqlite3.Connection, incoming: int, max_bytes: int) -> None:
    """Delete the oldest traces until ``incoming`` bytes fit, and some more, so as not to do it each time."""
    while (excess := _bytes_in_use(connection) + incoming - max_bytes) > 0:
        if not _delete_oldest(connection, excess + max_bytes * (1 - _LOW_WATER)):
            return


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int((pages - free) * page_size)


def _delete_oldest(connection: sqlite3.Connection, target: float) -> bool:
    """Delete the oldest traces until their bodies sum up to ``target`` bytes. False if there was none."""
    doomed = []
    for trace_id, size in connection.execute(_OLDEST):
        if target <= 0:
            break
        doomed.append((trace_id,))
        target -= size
    connection.executemany("DELETE FROM span WHERE trace_id = ?", doomed)
    return bool(doomed)
