"""Reading a spool in a directory, or on a mount, that cannot be written to."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from otel_llm.delivery.spool.file import APPLICATION_ID, SCHEMA_VERSION, SpoolFileError
from otel_llm.delivery.spool.place import REMEDY, SpoolPlace
from otel_llm.private_files import check_private_file

_NOT_WRITABLE: Final = "cannot be written to by this user: the directory, the file in it or the mount is read-only"


def is_writable(place: SpoolPlace) -> bool:
    """Whether a spool whose directory is there can be changed, or begun."""
    file_is = os.access(place.file, os.W_OK) or not os.path.lexists(place.file)
    return file_is and os.access(place.directory, os.W_OK | os.X_OK)


def check_writable(place: SpoolPlace) -> None:
    """Raises SpoolFileError for a spool whose directory is there, and that can be neither changed nor begun."""
    if not is_writable(place):
        raise SpoolFileError(
            f"{place.directory} {_NOT_WRITABLE}. Make it writable, or copy it to a directory of your own, and name that with --dir."
        )


def open_for_reading(place: SpoolPlace) -> sqlite3.Connection:
    """The database as it is, for reading alone. Raises UnsafePlaceError, SpoolFileError, OSError or sqlite3.Error."""
    check_private_file(place.file, REMEDY)
    try:
        return _opened(place.file, "mode=ro")
    except sqlite3.OperationalError as error:
        # Nobody has a file open that has no write-ahead log: only then it stays as it is while it is read without locks.
        if os.path.lexists(f"{place.file}-wal"):
            raise SpoolFileError(
                f"{place.directory} {_NOT_WRITABLE}, and SQLite cannot read {place.file.name} like that ({error}). Copy the "
                "directory to one of your own, and name that with --dir."
            ) from error
    return _opened(place.file, "mode=ro&immutable=1")


def _opened(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None)
    try:
        _check_kind(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
        raise SpoolFileError(f"{path} is no disk queue of this version of otel-llm.")
