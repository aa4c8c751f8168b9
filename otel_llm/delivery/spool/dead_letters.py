"""What a destination refused for good: kept in the spool's file beside what waits, within a bound of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from otel_llm.delivery.spool.charge import charged

_MOST: Final = 10_000
_MOST_BYTES: Final = 64 * 1024 * 1024
#: Part of the bound of what waits that dead letters may take beyond it.
_PART: Final = 0.25


def bury(
    execute: Callable[..., sqlite3.Cursor], destination: str, dead: Iterable[tuple[bytes, str]], *, now_ms: int, max_bytes: int
) -> None:
    """Keep these records, each with the reason. The oldest dead letters make room for new ones; the newest is kept in any case."""
    for record, reason in dead:
        execute(
            "INSERT INTO dead (destination, died_ms, reason, bytes, body) VALUES (?, ?, ?, ?, ?)",
            (destination, now_ms, reason, charged(len(record)), record),
        )
    execute(
        "DELETE FROM dead WHERE destination = ?1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM (SELECT id, "
        "SUM(bytes) OVER (ORDER BY id DESC) AS total, ROW_NUMBER() OVER (ORDER BY id DESC) AS place "
        "FROM dead WHERE destination = ?1) WHERE (total > ?2 AND place > 1) OR place > ?3)",
        (destination, min(_MOST_BYTES, int(max_bytes * _PART)), _MOST),
    )
