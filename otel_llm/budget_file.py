"""The file of daily counts: shared by all processes of this user, and small."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from otel_llm.private_files import make_private_directory, make_private_file
from otel_llm.state_directory import VARIABLE, state_directory

#: "olBu": marks the file as ours.
_APPLICATION_ID: Final = 0x6F6C4275
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS observations (
    account TEXT NOT NULL, day TEXT NOT NULL, count INTEGER NOT NULL, warned INTEGER NOT NULL, PRIMARY KEY (account, day)
) WITHOUT ROWID
"""
_ADD: Final = """
INSERT INTO observations VALUES (?, ?, ?, 0) ON CONFLICT (account, day) DO UPDATE SET count = count + excluded.count
"""
_KEPT: Final = timedelta(days=62)
#: Seconds to wait for another process. It writes one row; the worker that waits here has spans to send.
_BUSY_S: Final = 0.5


class Tally(NamedTuple):
    """A day's count after an addition, and the mark (in percent) that no process had reached before; 0: none."""

    total: int
    reached: int


def counts_path() -> Path | None:
    """``observations.sqlite3`` in the user's state directory; None if there is to be none."""
    directory = state_directory()
    return None if directory is None else directory / "observations.sqlite3"


def add(path: Path, account: str, day: date, count: int, marks: Mapping[int, float]) -> Tally:
    """Add to a day's count; ``marks``: percent -> count that reaches it. Raises OSError, UnsafePlaceError, sqlite3.Error."""
    remedy = f"Set {VARIABLE} to a directory of your own"
    make_private_directory(path.parent, remedy)
    make_private_file(path, remedy)
    with _opened(path, "rw") as connection, _transaction(connection):
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute("DELETE FROM observations WHERE day < ?", ((day - _KEPT).isoformat(),))
        key = (account, day.isoformat())
        connection.execute(_ADD, (*key, count))
        total, warned = connection.execute(
            "SELECT count, warned FROM observations WHERE account = ? AND day = ?", key
        ).fetchone()
        reached = max((mark for mark, least in marks.items() if mark > warned and total >= least), default=0)
        if reached:
            connection.execute("UPDATE observations SET warned = ? WHERE account = ? AND day = ?", (reached, *key))
    return Tally(total, reached)


def read(path: Path, account: str) -> Mapping[date, int]:
    """Counts by day; empty if nothing was counted yet. Raises OSError or sqlite3.Error."""
    if not path.exists():
        return {}
    with _opened(path, "ro") as connection:
        rows = connection.execute("SELECT day, count FROM observations WHERE account = ? ORDER BY day", (account,)).fetchall()
    return {date.fromisoformat(day): count for day, count in rows}


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Opened for each use: a connection must not be taken across a fork. Refuses a database of another program."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION_ID:
            raise sqlite3.DatabaseError("the database of another program")
        yield connection
    finally:
        connection.close()


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
