"""When the first part of an answer came."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.spans import Span

_COMPLETION_START: Final = "langfuse.observation.completion_start_time"
_DELAY_MS: Final = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")


def completion_start(span: Span) -> Any:
    """What was sent for it, if it is a time at all; a JSON-quoted string is unquoted. None if there is none."""
    sent = span.attributes.get(_COMPLETION_START)
    for value in (sent, javascript.parsed(sent)):
        if microseconds(value) is not None:
            return value
    delay = javascript.number(span.first(*_DELAY_MS))
    return None if delay is None else _iso(span.start_ms + math.ceil(delay))


def microseconds(value: Any) -> int | None:
    """Since 1970, of a time or of epoch milliseconds, cut to milliseconds. A time without a zone is UTC. None: not a time."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(re.sub(r"(\.\d{3})\d+", r"\1", value))
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000) * 1000
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) * 1000


def _iso(milliseconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return None
