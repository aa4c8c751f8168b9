"""Looking at the local store. Reads only; the file need not exist."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_llm.errors import OtelLLMError
from otel_llm.local_file import LocalFileError, default_path, open_for_reading
from otel_llm.local_span import StoredSpan, span_from_json

#: Most traces named where a prefix fits several.
_MOST_NAMED = 5
#: Most spans read at once by :meth:`LocalReader.follow`.
_PIECE = 500


class TraceLookupError(OtelLLMError, LookupError):
    """No trace, or more than one, has the id that was asked for."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """A trace as far as it is stored; its spans by start time."""

    trace_id: str
    spans: tuple[StoredSpan, ...]


class LocalReader:
    """Reads the store at ``path``. Each method raises LocalFileError if there is a file that is no local store."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def recent(self, limit: int = 20) -> list[StoredTrace]:
        """The ``limit`` traces that started last, latest first."""
        rows = self._query("SELECT trace_id FROM span GROUP BY trace_id ORDER BY MIN(start_ns) DESC LIMIT ?", limit)
        return [self._trace(trace_id) for (trace_id,) in rows]

    def trace(self, id_or_prefix: str) -> StoredTrace:
        """The trace with this id, in any case and with or without dashes, or the only one that starts so.

        Raises TraceLookupError if there is none, or more than one.
        """
        prefix = id_or_prefix.replace("-", "").lower()
        rows = self._query(
            "SELECT DISTINCT trace_id FROM span WHERE trace_id >= ?1 AND trace_id < ?1 || 'g' LIMIT ?2", prefix, _MOST_NAMED + 1
        )
        if len(rows) != 1:
            raise TraceLookupError(_lookup_fault(id_or_prefix, [trace_id for (trace_id,) in rows]))
        return self._trace(rows[0][0])

    def follow(self, since: int) -> tuple[list[StoredSpan], int]:
        """Spans stored after position ``since``, in the order of storing, and the position to go on from."""
        rows = self._query("SELECT seq, body FROM span WHERE seq > ? ORDER BY seq LIMIT ?", since, _PIECE)
        return _spans(body for _, body in rows), rows[-1][0] if rows else since

    def position(self) -> int:
        """The position after the span stored last."""
        rows = self._query("SELECT MAX(seq) FROM span")
        return int(rows[0][0] or 0) if rows else 0

    def _trace(self, trace_id: str) -> StoredTrace:
        rows = self._query("SELECT body FROM span WHERE trace_id = ? ORDER BY start_ns, seq", trace_id)
        return StoredTrace(trace_id, tuple(_spans(body for (body,) in rows)))

    def _query(self, statement: str, *parameters: object) -> list[Any]:
        """On a connection of its own: the file may appear, disappear or be replaced meanwhile."""
        connection = open_for_reading(self.path)
        if connection is None:
            return []
        try:
            return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise LocalFileError(f"{self.path} cannot be read: {error}") from error
        finally:
            connection.close()


def _spans(bodies: Iterable[str]) -> list[StoredSpan]:
    """Without those that are damaged."""
    spans = []
    for body in bodies:
        try:
            spans.append(span_from_json(body))
        except (ValueError, TypeError, KeyError):
            continue
    return spans


def _lookup_fault(wanted: str, found: list[str]) -> str:
    if not found:
        return f"No stored trace has an id that starts with {wanted!r}. `otel-llm traces` lists those there are."
    named = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
    return f"Several traces have an id that starts with {wanted!r}: {named}. Give more digits."
