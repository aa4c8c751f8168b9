"""What a score may look like, as the zod schema of the scores endpoint of Langfuse 4.16 was measured to judge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_DATA_TYPES: Final = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
_SOURCES: Final = ("API", "ANNOTATION")
_LONGEST_TEXT: Final = 500
_ONE_SUBJECT: Final = (
    "Provide exactly one of: traceId (with optional observationId), sessionId or datasetRunId. ObservationId requires traceId."
)
_TEXTS: Final = ("id", "traceId", "sessionId", "observationId", "datasetRunId", "comment", "environment", "configId", "queueId")


def score_fault(body: Any) -> str | None:
    """Why a score is refused; None if it is not."""
    if not isinstance(body, Mapping):
        return f"Invalid input: expected object, received {'array' if isinstance(body, list) else type(body).__name__}"
    texts = next((f"{name}: expected string" for name in _TEXTS if not isinstance(body.get(name) or "", str)), None)
    name = None if isinstance(body.get("name"), str) and body["name"] else "name: expected string"
    return texts or name or _subject_fault(body) or _source_fault(body) or _time_fault(body) or _value_fault(body)


def data_type(body: Mapping[str, Any]) -> str:
    """The type that was said, else the one that the value has: numbers are NUMERIC, texts CATEGORICAL."""
    return str(body.get("dataType") or ("CATEGORICAL" if isinstance(body.get("value"), str) else "NUMERIC"))


def _subject_fault(body: Mapping[str, Any]) -> str | None:
    subjects = sum(bool(body.get(name)) for name in ("traceId", "sessionId", "datasetRunId"))
    return None if subjects == 1 and (body.get("traceId") or not body.get("observationId")) else _ONE_SUBJECT


def _source_fault(body: Mapping[str, Any]) -> str | None:
    source = body.get("source") or "API"
    if source not in _SOURCES:
        return "source: expected one of API, ANNOTATION"
    if source == "ANNOTATION" and not body.get("configId") and data_type(body) != "CORRECTION":
        return "configId is required for source ANNOTATION"
    return None


def _time_fault(body: Mapping[str, Any]) -> str | None:
    sent = body.get("timestamp")
    try:
        zoned = sent is None or datetime.fromisoformat(sent).tzinfo is not None
    except (TypeError, ValueError):
        zoned = False
    return None if zoned else "timestamp: Invalid ISO datetime"


def _value_fault(body: Mapping[str, Any]) -> str | None:
    kind, value = data_type(body), body.get("value")
    if kind not in _DATA_TYPES:
        return f"dataType: expected one of {', '.join(_DATA_TYPES)}"
    if kind in ("NUMERIC", "BOOLEAN"):
        return _number_fault(kind, value)
    if not isinstance(value, str):
        return f"value: expected string for {kind}"
    if kind == "TEXT" and not 1 <= len(value) <= _LONGEST_TEXT:
        return f"value: expected 1 to {_LONGEST_TEXT} characters"
    return "configId must not be given with CORRECTION" if kind == "CORRECTION" and body.get("configId") else None


def _number_fault(kind: str, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"value: expected number for {kind}"
    return "value: must be 0 or 1" if kind == "BOOLEAN" and value not in (0, 1) else None
