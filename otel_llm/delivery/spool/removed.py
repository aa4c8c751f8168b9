"""Files that somebody has removed: as long as they are open, what is in them can be read, and be moved into the new one."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from otel_llm.delivery.spool.disk import COLUMNS, DiskSpool

#: Bounds of what is moved at a time, and so in memory meanwhile.
_ROWS: Final = 256
_BYTES: Final = 1_000_000


@dataclass(slots=True)
class _File:
    disk: DiskSpool
    #: The last row that was moved.
    moved: int = 0


class Moved(NamedTuple):
    """What became of the files."""

    rows: int
    #: Of one of them nothing could be read any more.
    lost: bool


class UnreadableError(Exception):
    """A file that was removed cannot be read any more."""


class Removed:
    """The files that are still open, the oldest first. Other processes have them open as well, and move rows, too."""

    def __init__(self) -> None:
        self._files: list[_File] = []

    def __bool__(self) -> bool:
        return bool(self._files)

    @property
    def files(self) -> tuple[DiskSpool, ...]:
        """Those in which rows may be left."""
        return tuple(file.disk for file in self._files)

    def add(self, disk: DiskSpool) -> None:
        """A file was removed."""
        self._files.append(_File(disk))

    def move_to(self, new: DiskSpool) -> Moved:
        """Move all rows of the destination, whoever wrote them. What raises ends it; what is left is then moved by the next call."""
        rows, lost = 0, False
        while self._files:
            try:
                while found := _move_some(self._files[0], new):
                    rows += found
            except UnreadableError:
                lost = True
            _close(self._files.pop(0).disk)
        return Moved(rows, lost)

    def waiting(self) -> int:
        """Number of this writer's spans in them."""
        found = 0
        for disk in self.files:
            with contextlib.suppress(sqlite3.Error):
                found += disk.waiting()
        return found

    def close(self) -> None:
        """Give up what is left."""
        while self._files:
            _close(self._files.pop().disk)


def _move_some(old: _File, new: DiskSpool) -> int:
    """Number of rows. They are in both files for a moment, but nobody else can move them then."""
    rows: list[tuple[Any, ...]] | None = None
    try:
        with old.disk.changing() as execute:
            rows = _oldest(old, execute)
            if rows:
                new.take_over([row[1:] for row in rows])
                old.moved = rows[-1][0]
                execute("DELETE FROM batch WHERE destination = ? AND id <= ?", (old.disk.destination, old.moved))
            return len(rows)
    except sqlite3.Error as error:
        if rows is None and getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise UnreadableError from error
        raise


def _oldest(old: _File, execute: Any) -> list[tuple[Any, ...]]:
    found = execute(
        "SELECT id, bytes FROM batch WHERE destination = ? AND id > ? ORDER BY id LIMIT ?",
        (old.disk.destination, old.moved, _ROWS),
    ).fetchall()
    size, last = 0, old.moved
    for row, row_bytes in found:
        size += row_bytes
        if size > _BYTES and last != old.moved:
            break
        last = row
    query = f"SELECT id, {COLUMNS} FROM batch WHERE destination = ? AND id > ? AND id <= ? ORDER BY id"  # noqa: S608  (a constant)
    rows: list[tuple[Any, ...]] = execute(query, (old.disk.destination, old.moved, last)).fetchall()
    return rows


def _close(disk: DiskSpool) -> None:
    with contextlib.suppress(sqlite3.Error):
        disk.close()
