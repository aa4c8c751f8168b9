"""Column values of single attributes and times. No input makes these raise."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from otel_llm_insforge.rows import iso
from otel_llm_insforge.text import clean_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
#: Of NUMERIC(10, 2), in hundredths.
_LARGEST_NUMERIC: Final = 9_999_999_999
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}")


def timestamp(nanoseconds: int) -> str:
    """ISO 8601 of nanoseconds since 1970, cut to microseconds.

    By integers: a float would change the last digits, and Langfuse keeps a changed time as a second row.
    """
    return iso(_EPOCH + timedelta(microseconds=min(max(nanoseconds // 1_000, 0), _LAST_MICROSECOND)))


def milliseconds(nanoseconds: int) -> float:
    """Rounded to two decimals, as PostgreSQL would; none negative, none beyond NUMERIC(10, 2)."""
    return min(max(nanoseconds + 5_000, 0) // 10_000, _LARGEST_NUMERIC) / 100


def text(value: object, limit: int = 1_000) -> str | None:
    """Clean text, cut to ``limit`` characters; None for an empty one and for anything but text."""
    return (clean_text(value, limit) or None) if isinstance(value, str) else None


def integer(value: object, bits: int) -> int | None:
    """A whole number of ``bits`` bits, also given as text; None for anything else."""
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None
