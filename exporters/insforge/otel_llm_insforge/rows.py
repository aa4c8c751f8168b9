"""The two legacy tables, and a row of one of them.

A row's values are those of its JSON form: ids as dashed UUID text, times as ISO 8601 with six decimals in UTC, ``duration_ms`` as a
number with two decimals, ``input_data`` and ``output_data`` as objects. All columns are always there, ``None`` where unset: PostgREST
refuses a batch whose rows differ in their keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

TRACES: Final = "pipeline_traces"
SPANS: Final = "pipeline_spans"

#: The tables in the order in which they are written.
TABLES: Final = (TRACES, SPANS)
#: The unique column by which a second delivery is recognised.
KEYS: Final[Mapping[str, str]] = {TRACES: "trace_id", SPANS: "span_id"}
#: The columns that are written; ``id`` and ``created_at`` are the database's own.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    TRACES: (
        "trace_id",
        "pipeline_name",
        "telegram_id",
        "user_id",
        "start_time",
        "end_time",
        "duration_ms",
        "success",
        "error",
    ),
    SPANS: (
        "span_id",
        "trace_id",
        "parent_span_id",
        "span_name",
        "start_time",
        "end_time",
        "duration_ms",
        "success",
        "error",
        "input_data",
        "output_data",
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its table, and a value for each of ``COLUMNS[table]``."""

    table: str
    columns: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The value of the table's unique column."""
        return str(self.columns[KEYS[self.table]])


def encode_rows(rows: Iterable[Row]) -> bytes:
    """The record of one span: a JSON line ``{"table": ..., "row": {...}}`` per row."""
    return b"\n".join(_json({"table": row.table, "row": row.columns}) for row in rows)


def decode_rows(record: bytes) -> list[Row]:
    """The rows of a record. Raises ValueError if it is not one."""
    rows = []
    for line in record.splitlines():
        value = json.loads(line)
        if not isinstance(value, dict) or value.get("table") not in KEYS or not isinstance(value.get("row"), dict):
            raise ValueError("not a row of a legacy table")
        if tuple(value["row"]) != COLUMNS[value["table"]]:
            raise ValueError(f"not the columns of {value['table']}")
        rows.append(Row(value["table"], value["row"]))
    return rows


def encode_columns(row: Row) -> bytes:
    """The JSON object that InsForge takes for a row."""
    return _json(row.columns)


#: Made once: ``json.dumps`` makes one for each value that is not written in its own defaults.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def read_row(table: str, stored: Mapping[str, Any]) -> Row:
    """A stored row in the one form of this module, whichever database or API it was read from."""
    return Row(table, {column: _read(column, stored[column]) for column in COLUMNS[table]})


def _read(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column in {"trace_id", "span_id", "parent_span_id"}:
        return str(UUID(str(value)))
    if column in {"start_time", "end_time"}:
        return iso(value if isinstance(value, datetime) else datetime.fromisoformat(value))
    if column == "duration_ms":
        return float(value) if isinstance(value, Decimal) else round(float(value), 2)
    return bool(value) if column == "success" else value


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with six decimals and ``+00:00``, the form of the legacy writer."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
