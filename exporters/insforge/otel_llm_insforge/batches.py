"""From rows to requests: each key once, in the order of the keys, no request over the limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from otel_llm_insforge.rows import TABLES, Row, encode_columns

MAX_ROWS: Final = 500
#: Of JSON before compression: below the limit of a proxy with default settings (nginx: 1 MiB).
MAX_BYTES: Final = 1_000_000


def by_table(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The tables that have rows, traces first; in each the keys once and sorted, so that parallel writers do not deadlock."""
    unique = {(row.table, row.key): row for row in rows}
    for table in TABLES:
        if found := [unique[identity] for identity in sorted(unique) if identity[0] == table]:
            yield table, found


def bodies(rows: Sequence[Row], *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> Iterator[bytes]:
    """JSON arrays of rows of one table. A row that alone exceeds ``max_bytes`` goes alone."""
    batch: list[bytes] = []
    size = 0
    for encoded in map(encode_columns, rows):
        if batch and (len(batch) == max_rows or size + len(encoded) + 2 > max_bytes):
            yield _array(batch)
            batch, size = [], 0
        batch.append(encoded)
        size += len(encoded) + 1
    if batch:
        yield _array(batch)


def _array(encoded: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(encoded) + b"]"
