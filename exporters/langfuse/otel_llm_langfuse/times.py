"""Times as Langfuse reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(since_1970_ns: int) -> str | None:
    """ISO 8601 of nanoseconds since 1970, cut to microseconds; None for what no calendar has."""
    try:
        return (_EPOCH + timedelta(microseconds=since_1970_ns // 1000)).isoformat()
    except OverflowError:
        return None
