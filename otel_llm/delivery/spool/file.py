"""The spool's database: opening it, its schema, and setting a damaged one aside."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from otel_llm.delivery.spool.place import REMEDY, SpoolPlace
from otel_llm.errors import OtelLLMError
from otel_llm.private_files import make_private_file

_logger = logging.getLogger(__name__)

#: "olSp": marks the file as ours.
APPLICATION_ID: Final = 0x6F6C5370
SCHEMA_VERSION: Final = 2
PAGE_BYTES: Final = 16_384
_LOCKED_LOOK_S: Final = 0.01
#: Held while a file is opened. To close a file releases all POSIX locks that the process has on it, also those of another connection
#: that SQLite keeps: so nobody may open the database while another creates its file, which is then closed again.
_opening = threading.RLock()

_SCHEMA: Final = (
    "CREATE TABLE batch (id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, writer TEXT NOT NULL, "
    "created_ms INTEGER NOT NULL, spans INTEGER NOT NULL, bytes INTEGER NOT NULL, deferred INTEGER NOT NULL DEFAULT 0, "
    "body BLOB NOT NULL)",
    # Covers what is asked without the bodies, whose pages are then not read.
    "CREATE INDEX batch_order ON batch (destination, id, writer, spans, bytes, created_ms, deferred)",
    "CREATE INDEX batch_writer ON batch (writer, id, spans)",
    "CREATE INDEX batch_deferred ON batch (destination, writer, id) WHERE deferred",
    "CREATE TABLE dead (id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, died_ms INTEGER NOT NULL, "
    "reason TEXT NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX dead_order ON dead (destination, id, died_ms, bytes)",
    "CREATE TABLE account (destination TEXT PRIMARY KEY, spans INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "CREATE TABLE loss (writer TEXT NOT NULL, destination TEXT NOT NULL, reason TEXT NOT NULL, spans INTEGER NOT NULL, "
    "at_ms INTEGER NOT NULL, PRIMARY KEY (writer, destination, reason))",
    "CREATE TRIGGER batch_in AFTER INSERT ON batch BEGIN "
    "INSERT INTO account VALUES (new.destination, new.spans, new.bytes) "
    "ON CONFLICT (destination) DO UPDATE SET spans = spans + new.spans, bytes = bytes + new.bytes; END",
    "CREATE TRIGGER batch_changed AFTER UPDATE ON batch BEGIN "
    "UPDATE account SET spans = spans + new.spans - old.spans, bytes = bytes + new.bytes - old.bytes "
    "WHERE destination = new.destination; END",
    "CREATE TRIGGER batch_out AFTER DELETE ON batch BEGIN "
    "UPDATE account SET spans = spans - old.spans, bytes = bytes - old.bytes WHERE destination = old.destination; END",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class SpoolFileError(OtelLLMError):
    """The file cannot be used as a spool; the message says what to do."""


def open_spool(place: SpoolPlace, *, busy_timeout_s: float = 5.0, replace_damaged: bool = True) -> sqlite3.Connection:
    """Open the database, creating it for this user alone; a damaged one is set aside, unless ``replace_damaged`` is False.

    Raises UnsafePlaceError, SpoolFileError, OSError or sqlite3.Error.
    """
    place.prepare()
    before = _identity(place.file)
    try:
        return _patiently_opened(place, busy_timeout_s)
    except sqlite3.DatabaseError as error:
        if not (replace_damaged and is_damage(error)):
            raise
        if before is not None and before == _identity(place.file):  # nobody else has been faster
            set_aside(place.file, "was damaged")
        return _patiently_opened(place, busy_timeout_s)


def _patiently_opened(place: SpoolPlace, busy_timeout_s: float) -> sqlite3.Connection:
    """While another opens a new file too, SQLite does not wait for it to switch to the write-ahead log, but says at once: locked."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            with _opening:
                return _opened(place, busy_timeout_s)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(_LOCKED_LOOK_S)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is not a sound database, rather than full, locked or gone."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, why: str) -> None:
    """Rename a database that cannot be used on out of the way, with what belongs to it, and say so. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    _logger.warning("the disk queue %s; it is kept as %s", why, os.fspath(aside))


def _open_anew() -> None:
    global _opening  # a forked child has no thread that would let go of it
    _opening = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_anew)


def _opened(place: SpoolPlace, busy_timeout_s: float) -> sqlite3.Connection:
    make_private_file(place.file, REMEDY)
    connection = sqlite3.connect(
        f"file:{quote(str(place.file))}?mode=rw",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _set_up(connection)
        _create_schema(connection, place.file)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA secure_delete = OFF")


def _create_schema(connection: sqlite3.Connection, path: Path) -> None:
    if _is_empty(connection):
        connection.execute("BEGIN IMMEDIATE")
        if _is_empty(connection):  # no other process was faster
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise SpoolFileError(f"{path} is another program's database and is left alone. {REMEDY}")
    if version != SCHEMA_VERSION:
        raise SpoolFileError(
            f"{path} was written by another version of otel-llm (schema {version}, here {SCHEMA_VERSION}). Let that version "
            f"deliver what is in it (`otel-llm spool drain`), or move it away. {REMEDY}"
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)
