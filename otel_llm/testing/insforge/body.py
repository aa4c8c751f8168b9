"""Request bodies on their way through InsForge's proxy: size, compression, JSON, and the empty strings that it takes out."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

from otel_llm.testing.insforge.errors import insforge, postgrest
from otel_llm.testing.insforge.schema import Table


def parse_body(body: bytes, headers: Mapping[str, str], max_bytes: int) -> Any:
    """The decoded JSON of a body. Raises Refused."""
    if headers.get("content-encoding", "").lower() == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise insforge(400, "INVALID_INPUT", "incorrect header check") from None
    if len(body) > max_bytes:
        raise insforge(500, "INTERNAL_ERROR", "request entity too large")
    if not headers.get("content-type", "").lower().startswith("application/json"):
        raise postgrest("PGRST102", "Content-Type not acceptable")
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except ValueError:
        raise insforge(400, "INVALID_INPUT", "Invalid JSON in the request body") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse_rows(table: Table, body: Any) -> list[dict[str, Any]]:
    """The objects of a body. Raises Refused."""
    rows = [body] if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise postgrest("PGRST102", "Empty or invalid json")
    if not _is_well_formed(rows):
        raise postgrest("PGRST102", "Empty or invalid json")
    return [_without_empty(table, row) for row in rows]


def _is_well_formed(value: Any) -> bool:
    """Whether no string holds half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_empty(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The proxy deletes empty strings that are meant for columns that do not hold text."""
    kept = {}
    for name, value in row.items():
        column = table.column(name)
        if value != "" or column is None or column.is_text:
            kept[name] = value
    return kept
