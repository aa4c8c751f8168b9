"""Ids of OpenTelemetry as the UUIDs of the legacy tables, and back.

A trace id is a UUID as it stands. A span id becomes one behind the first half of its trace id, so that the last 16 hex digits of a
``span_id`` are the OpenTelemetry span id, which is also the observation id in Langfuse. A second pipeline in the same trace takes the
id of its root span in that form as its ``trace_id``, since that column is unique.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


def trace_uuid(trace_id: int) -> str:
    """``trace_id`` of a primary pipeline."""
    return _dashed(f"{trace_id:032x}")


def span_uuid(trace_id: int, span_id: str) -> str:
    """``span_id`` of a span, and ``trace_id`` of a further pipeline by its root; ``span_id`` has 16 hex digits."""
    return _dashed(f"{trace_id:032x}"[:16] + span_id)


def otel_trace_id(uuid: str) -> str:
    """32 hex digits: the OpenTelemetry trace id of a primary pipeline's ``trace_id``."""
    return UUID(uuid).hex


def otel_span_id(uuid: str) -> str:
    """16 hex digits: the OpenTelemetry span id, and the Langfuse observation id, of a ``span_id``."""
    return UUID(uuid).hex[16:]


def is_span_id(value: object) -> bool:
    """Whether ``value`` is a span id as OpenTelemetry writes it."""
    return isinstance(value, str) and _SPAN_ID.fullmatch(value) is not None


def is_trace_id(value: object) -> bool:
    """Whether ``value`` is a trace id as OpenTelemetry writes it."""
    return isinstance(value, str) and _TRACE_ID.fullmatch(value) is not None


def _dashed(digits: str) -> str:
    """The text of a UUID, without the cost of one: three of these are made for each span."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
