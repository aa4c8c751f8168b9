"""Values into columns as PostgreSQL reads them, with its errors, and back into JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from otel_llm.testing.insforge.errors import Refused, postgrest
from otel_llm.testing.insforge.schema import NOW, Column

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BITS: Final = {"int4": 32, "int8": 64}
_TRUE: Final = {"true", "t", "yes", "y", "on", "1"}
_FALSE: Final = {"false", "f", "no", "n", "off", "0"}


def stored(column: Column, value: Any) -> Any:
    """The stored form of a JSON value. Raises Refused."""
    if value is None:
        return None
    if column.type == "jsonb":
        _refuse_nul(value)
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    _refuse_nul(text)
    return parsed(column, text)


def parsed(column: Column, text: str) -> Any:
    """The stored form of text, as in a filter. Raises Refused."""
    if column.type == "jsonb":
        try:
            return json.loads(text)
        except ValueError:
            raise _syntax(column, text) from None
    return _PARSERS[column.type](column, text)


def default(column: Column) -> Any:
    """The stored form of a column's default; a serial's is the store's affair."""
    return datetime.now(UTC) if column.default == NOW else stored(column, column.default)


def as_json(value: Any) -> Any:
    """The JSON form of a stored value."""
    if isinstance(value, datetime):
        fraction = f".{value.microsecond:06d}".rstrip("0").rstrip(".")
        return f"{value:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"
    return float(value) if isinstance(value, Decimal) else value


def _text(column: Column, text: str) -> str:
    if column.size is not None and len(text) > column.size:
        raise postgrest("22001", f"value too long for type character varying({column.size})")
    return text


def _integer(column: Column, text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise _syntax(column, text)
    value, limit = int(text), 2 ** (_BITS[column.type] - 1)
    if not -limit <= value < limit:
        raise postgrest("22003", f'value "{text}" is out of range for type {column.type}')
    return value


def _numeric(column: Column, text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise _syntax(column, text) from None
    if not value.is_finite():
        raise _syntax(column, text)
    if column.size is None:
        return value
    if abs(value) >= Decimal(10) ** (column.size - column.scale):
        raise postgrest("22003", "numeric field overflow")
    return value.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP)


def _uuid(column: Column, text: str) -> str:
    if not _UUID.fullmatch(text):
        raise _syntax(column, text)
    return str(UUID(text))


def _bool(column: Column, text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise _syntax(column, text)
    return word in _TRUE


def _timestamp(column: Column, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        if _DATE.match(text) and not re.search(r"\s[0-9:]+$", text):
            raise postgrest("22008", f'date/time field value out of range: "{text}"') from None
        raise postgrest("22007", f'invalid input syntax for type timestamp with time zone: "{text}"') from None
    return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


def _syntax(column: Column, text: str) -> Refused:
    return postgrest("22P02", f'invalid input syntax for type {column.type}: "{text}"')


def _refuse_nul(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)
    elif isinstance(value, str) and "\x00" in value:
        raise postgrest("22P05", "unsupported Unicode escape sequence", details="\\u0000 cannot be converted to text.")


_PARSERS: Final[dict[str, Callable[[Column, str], Any]]] = {
    "int4": _integer,
    "int8": _integer,
    "uuid": _uuid,
    "varchar": _text,
    "text": _text,
    "bool": _bool,
    "numeric": _numeric,
    "timestamptz": _timestamp,
}
