"""The file of the local store: where it is, who may read it, and its schema."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from otel_llm.errors import OtelLLMError
from otel_llm.private_files import make_private_directory, make_private_file
from otel_llm.state_directory import state_directory, users_directory

#: Environment variable that names another file.
LOCATION = "OTEL_LLM_LOCAL_STORE"
#: "olTs": marks the file as ours, so that no other database is ever written to.
APPLICATION_ID = 0x6F6C5473
SCHEMA_VERSION = 1
_REMEDY = f"Set {LOCATION} to a file in a directory of your own."
_SCHEMA = (
    "CREATE TABLE span (seq INTEGER PRIMARY KEY AUTOINCREMENT, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, "
    "start_ns INTEGER NOT NULL, size INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE UNIQUE INDEX span_identity ON span (trace_id, span_id)",
    "CREATE INDEX span_age ON span (trace_id, start_ns, size)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class LocalFileError(OtelLLMError):
    """The file cannot be used; the message says what to do."""


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """``$OTEL_LLM_LOCAL_STORE``, else ``traces.sqlite3`` in the state directory."""
    if chosen := environ.get(LOCATION):
        return Path(os.path.expanduser(chosen)).absolute()
    return (state_directory(environ) or users_directory(environ)) / "traces.sqlite3"


def open_for_writing(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the store, creating it for this user alone. Raises LocalFileError, UnsafePlaceError, OSError or sqlite3.Error."""
    make_private_directory(path.parent, _REMEDY)
    make_private_file(path, _REMEDY)
    connection = _connect(path, "rw", busy_timeout_s)
    try:
        connection.execute("PRAGMA page_size = 16384")  # large bodies: 40 % less work than with 4 KB
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 256")
        connection.execute("PRAGMA journal_size_limit = 8388608")
        _create_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the store to look at; None if there is none yet. Raises LocalFileError if it cannot be read."""
    if not path.exists():
        return None
    try:
        connection = _connect(path, "ro", 5.0)
        try:
            if _is_empty(connection):
                connection.close()
                return None
            _check_schema(connection, path)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise LocalFileError(f"{path} cannot be read: {error}. Set {LOCATION} to the file of a local store.") from error
    return connection


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    """Not bound to the thread: a delivery hands its destination over only when it is done with it."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )


def _create_schema(connection: sqlite3.Connection, path: Path) -> None:
    if not _is_empty(connection):
        _check_schema(connection, path)
        return
    connection.execute("BEGIN IMMEDIATE")
    if _is_empty(connection):  # no other process was faster
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise LocalFileError(f"{path} is another program's database and is left alone. Set {LOCATION} to another file.")
    if version != SCHEMA_VERSION:
        raise LocalFileError(f"{path} was written by another version of otel-llm ({version}). Set {LOCATION} to another file.")
