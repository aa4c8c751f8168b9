"""Rows that are dropped: charged to who wrote them, and told once that is certain."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final, NamedTuple

FULL: Final = "full"
TOO_OLD: Final = "too old"

#: Does a statement.
Execute = Callable[..., sqlite3.Cursor]


class Doomed(NamedTuple):
    """A row that is to be dropped."""

    id: int
    writer: str
    spans: int
    bytes: int


class Dropping:
    """What one transaction after another drops. ``dropped`` is told of each row: why, how many spans, and whether ``writer``'s."""

    def __init__(self, writer: str, *, dropped: Callable[[str, int, bool], None], now_ms: Callable[[], int]) -> None:
        self._writer = writer
        self._dropped = dropped
        self._now_ms = now_ms
        self._uncertain: list[tuple[str, int, bool]] = []

    def begin(self) -> None:
        """A transaction begins."""
        self._uncertain.clear()

    def end(self) -> None:
        """It has come to its end, and what it has dropped is gone."""
        for reason, spans, own in self._uncertain:
            self._dropped(reason, spans, own)
        self._uncertain.clear()

    def expire(self, execute: Execute, destination: str, before_ms: int) -> int:
        """Drop what was written before; the number of spans."""
        rows = execute(
            "SELECT id, writer, spans, bytes FROM batch WHERE destination = ? AND created_ms < ?", (destination, before_ms)
        ).fetchall()
        self._drop(execute, destination, [Doomed(*row) for row in rows], TOO_OLD)
        return sum(row[2] for row in rows)

    def make_room(self, execute: Execute, destination: str, excess: int, *, spare: frozenset[int]) -> None:
        """Drop the oldest rows that together take ``excess`` bytes; the spared ones only if there is nothing else."""
        rows: list[Doomed] = []
        spared: list[Doomed] = []
        query = "SELECT id, writer, spans, bytes FROM batch WHERE destination = ? ORDER BY id"
        with closing(execute(query, (destination,))) as found:
            for row in map(Doomed._make, found):
                if row.id in spare:
                    spared.append(row)
                    continue
                rows.append(row)
                excess -= row.bytes
                if excess <= 0:
                    break
        for row in spared:
            if excess <= 0:
                break
            rows.append(row)
            excess -= row.bytes
        self._drop(execute, destination, rows, FULL)

    def _drop(self, execute: Execute, destination: str, rows: Sequence[Doomed], reason: str) -> None:
        for row in rows:
            self.lose(execute, destination, row.writer, reason, row.spans)
            execute("DELETE FROM batch WHERE id = ?", (row.id,))
            self._uncertain.append((reason, row.spans, row.writer == self._writer))

    def lose(self, execute: Execute, destination: str, writer: str, reason: str, spans: int) -> None:
        """Charge a loss to a writer."""
        execute(
            "INSERT INTO loss VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (writer, destination, reason) DO UPDATE SET spans = spans + excluded.spans, at_ms = excluded.at_ms",
            (writer, destination, reason, spans, self._now_ms()),
        )
